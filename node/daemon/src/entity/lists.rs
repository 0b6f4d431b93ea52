//! An entity's status lists: which entries were given out, and the next version of the bits.
//!
//! The ledger says what is published; this machine says which indexes were given to credentials. They are drawn at
//! random, so that an index tells nothing of when a diploma was made, and each is on disk before it is printed
//! (INV-ENTITY-2): `lists/<name>.given` holds them, four bytes each, in the order of their giving.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use rustix::fs::{FlockOperation, flock};
use testamur_client::registry::At;
use testamur_primitives::receipt::Facts;
use testamur_primitives::record::{Act, Reference};
use testamur_primitives::status::formats::{TokenFormat, TokenSource, sign_version};
use testamur_primitives::status::{BitList, StatusEntry, StatusPurpose};
use testamur_primitives::units::UnixTime;

use super::desk::{Desk, unproven};
use super::{Home, Use};
use crate::exit::CommandError;
use crate::output::now;

/// A list on the ledger, with its bits.
pub(crate) struct Published {
    /// What the ledger says.
    pub(crate) entry: StatusEntry,
    /// The bits, of the digest that it names.
    pub(crate) bits: BitList,
}

/// The entity's list as published; none before its first version.
pub(crate) async fn published(desk: &Desk, list: &Reference) -> Result<Option<Published>, CommandError> {
    let found = desk.registry.status(desk.home.did(), list, At::Now).await.map_err(|e| unproven(&e))?.value;
    let Some(entry) = found else { return Ok(None) };
    let bytes = desk.registry.status_bits(&entry).await.map_err(|e| unproven(&e))?;
    let bits = BitList::from_bytes(bytes, entry.status.size).ok_or_else(|| {
        CommandError::failed("status.size", "the list's bytes do not fit the size that the ledger names", "")
    })?;
    Ok(Some(Published { entry, bits }))
}

/// Publishes the first or the next version of a list.
pub(crate) async fn publish(
    desk: &Desk,
    list: &Reference,
    purpose: StatusPurpose,
    bits: &BitList,
    before: Option<&StatusEntry>,
    what: &str,
) -> Result<Facts, CommandError> {
    let key = desk.key(Use::Assertion)?;
    let public_base = desk.registry.trust().genesis().public_base();
    let kid = desk.key_id(&key);
    let source = TokenSource {
        issuer: desk.home.did(),
        list,
        purpose,
        // Readers refuse tokens of the future, also those whose clocks are a little behind.
        issued: UnixTime(now()?.0.saturating_sub(super::desk::CLOCK_MARGIN_S)),
        kid: &kid,
        alg: key.public_key().algorithm(),
        public_base: &public_base,
    };
    let version = before.map_or(1, |entry| entry.seq + 1);
    let status = sign_version(&source, version, bits, &key).map_err(|e| CommandError::failed("status.sign", e, ""))?;
    let act = Act::PublishStatus { status, prev: before.map(|entry| entry.record) };
    desk.submit(Use::Assertion, what, act, Some(bits.as_bytes().to_vec())).await
}

/// What a credential says of its entry, in the form that EBSI's library reads.
pub(crate) fn credential_status(desk: &Desk, entry: &StatusEntry, index: u64) -> serde_json::Value {
    let base = desk.registry.trust().genesis().public_base();
    let url = format!("{base}{}", TokenFormat::StatusList2021.path(&entry.issuer, &entry.status.list));
    serde_json::json!({
        "id": format!("{url}#{index}"),
        "type": "StatusList2021Entry",
        "statusPurpose": entry.status.purpose.name(),
        "statusListIndex": index.to_string(),
        "statusListCredential": url,
    })
}

/// The lists that this machine has given out entries of, or could.
pub(crate) fn names(home: &Home) -> Result<Vec<Reference>, CommandError> {
    let folder = home.folder("lists")?;
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(|e| CommandError::file("read", &folder, e))? {
        let name = entry.map_err(|e| CommandError::file("read", &folder, e))?.file_name();
        names.extend(name.to_str().and_then(|name| name.strip_suffix(".given")?.parse().ok()));
    }
    names.sort();
    Ok(names)
}

/// The indexes of a list that were given out on this machine.
pub(crate) struct Given {
    file: File,
    taken: BTreeSet<u32>,
}

impl Given {
    /// Opens the allocation of a list; nobody else gives out indexes of it meanwhile.
    pub(crate) fn open(home: &Home, list: &Reference) -> Result<Self, CommandError> {
        let path = home.folder("lists")?.join(format!("{list}.given"));
        let failed = |action| {
            let path = path.clone();
            move |e| CommandError::file(action, &path, e)
        };
        let mut file =
            OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path).map_err(failed("open"))?;
        flock(&file, FlockOperation::LockExclusive).map_err(|e| CommandError::file("lock", &path, e.into()))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed("read"))?;
        // A power cut can leave a part of an index that was never printed: it is cut off.
        let whole = bytes.len() - bytes.len() % 4;
        if whole != bytes.len() {
            file.set_len(whole as u64).map_err(failed("repair"))?;
        }
        let taken = bytes[..whole]
            .chunks_exact(4)
            .map(|index| u32::from_be_bytes(index.try_into().expect("four bytes")))
            .collect();
        Ok(Self { file, taken })
    }

    /// How many were given out.
    pub(crate) fn count(&self) -> usize {
        self.taken.len()
    }

    /// Gives out the next index of a list of this size, drawn at random among those that are free.
    pub(crate) fn next(&mut self, size: u64) -> Result<u32, CommandError> {
        let full = || {
            CommandError::failed(
                "status.full",
                "every entry of the list was given out",
                "begin another: `testamur status new`",
            )
        };
        let size = u32::try_from(size).map_err(|_| full())?;
        let free = size.checked_sub(u32::try_from(self.taken.len()).map_err(|_| full())?).filter(|free| *free > 0);
        let mut place = random_below(free.ok_or_else(full)?)?;
        // The place-th free index: every free one is equally likely, however full the list is.
        for taken in &self.taken {
            if *taken > place {
                break;
            }
            place += 1;
        }
        let written = self.file.write_all(&place.to_be_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|e| {
            CommandError::failed("status.allocate", format!("the index cannot be kept: {e}"), "free some disk space")
        })?;
        self.taken.insert(place);
        Ok(place)
    }
}

/// A random number below a bound, every one equally likely.
fn random_below(bound: u32) -> Result<u32, CommandError> {
    let zone = u32::MAX - u32::MAX % bound;
    loop {
        let mut bytes = [0; 4];
        getrandom::fill(&mut bytes)
            .map_err(|e| CommandError::failed("key.randomness", format!("no randomness: {e}"), ""))?;
        let number = u32::from_be_bytes(bytes);
        if number < zone {
            return Ok(number % bound);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// INV-ENTITY-2, across restarts and a torn write.
    #[test]
    fn an_index_is_given_out_once_and_all_are() {
        let directory = tempfile::tempdir().unwrap();
        let trust = crate::setup::tests::trust(directory.path());
        let protection = crate::keystore::Protection::InsecureDev;
        let home = Home::create(&directory.path().join("home"), &trust, vec![], None, &protection).unwrap();
        let list: Reference = "revocation-1".parse().unwrap();
        let mut seen = BTreeSet::new();
        for round in 0..8 {
            let mut given = Given::open(&home, &list).unwrap();
            assert_eq!(given.count(), seen.len());
            for _ in 0..8 {
                assert!(seen.insert(given.next(64).unwrap()), "round {round}");
            }
            drop(given);
            let path = home.directory().join("lists/revocation-1.given");
            OpenOptions::new().append(true).open(path).unwrap().write_all(&[9, 9, 9][..round % 4]).unwrap();
        }
        assert_eq!(seen, (0..64).collect());
        let error = Given::open(&home, &list).unwrap().next(64).unwrap_err();
        assert_eq!(error.code(), "status.full");
    }
}
