//! The office's status lists: families of three with the same entries, begun when they are needed.
//!
//! ```text
//! diplomas-N             revocation: withdrawn, or replaced
//! diplomas-N-suspended   suspension
//! diplomas-N-replaced    revocation: a corrected edition took its place
//! ```

use testamur_primitives::receipt::Facts;
use testamur_primitives::record::{Act, Reference};
use testamur_primitives::status::formats::{TokenSource, sign_version};
use testamur_primitives::status::{BitList, StatusEntry, StatusPurpose};
use testamur_primitives::units::UnixTime;

use crate::limits::{FAMILIES_MAX, LIST_ENTRIES, LIST_FULL_PERCENT};
use crate::office::{CLOCK_MARGIN_S, Office, OfficeError};
use crate::store::StoreError;

/// What the lists of diplomas are called.
pub const LIST_PREFIX: &str = "diplomas-";

/// The names of a family's lists: revoked, suspended, replaced.
pub fn family_names(list: &Reference) -> [(Reference, StatusPurpose); 3] {
    let name = |suffix: &str| format!("{list}{suffix}").parse().expect("a family's name is short");
    [
        (list.clone(), StatusPurpose::Revocation),
        (name("-suspended"), StatusPurpose::Suspension),
        (name("-replaced"), StatusPurpose::Revocation),
    ]
}

/// A list on the ledger, with its bits.
#[derive(Debug, Clone)]
pub struct Published {
    /// What the ledger says.
    pub entry: StatusEntry,
    /// The bits, of the digest that it names.
    pub bits: BitList,
}

impl Office {
    /// A list of the issuer's as published; none before its first version.
    pub async fn published(&self, list: &Reference) -> Result<Option<Published>, OfficeError> {
        let Some(entry) = self.ledger.status(&self.did, list).await? else { return Ok(None) };
        let bytes = self.ledger.status_bits(&entry).await?;
        let bits = BitList::from_bytes(bytes, entry.status.size).ok_or_else(|| OfficeError::Other {
            code: "status.size",
            what: format!("the bytes of status list {list} do not fit the size that the ledger names"),
            hint: "ask another node with --node URL",
        })?;
        Ok(Some(Published { entry, bits }))
    }

    /// The act that publishes the first or the next version of a list; its bits go with the record.
    pub fn version(
        &self,
        list: &Reference,
        purpose: StatusPurpose,
        bits: &BitList,
        before: Option<&StatusEntry>,
    ) -> Result<Act, OfficeError> {
        let (public_base, kid) = (self.ledger.public_base(), self.key_id());
        let source = TokenSource {
            issuer: &self.did,
            list,
            purpose,
            // Readers refuse tokens of the future, also those whose clocks are a little behind.
            issued: UnixTime(self.now()?.0.saturating_sub(CLOCK_MARGIN_S)),
            kid: &kid,
            alg: self.key.public_key().algorithm(),
            public_base: &public_base,
        };
        let version = before.map_or(1, |entry| entry.seq + 1);
        let status = sign_version(&source, version, bits, &self.key).map_err(|e| OfficeError::Other {
            code: "status.sign",
            what: e.to_string(),
            hint: "",
        })?;
        Ok(Act::PublishStatus { status, prev: before.map(|entry| entry.record) })
    }

    /// Publishes the first or the next version of a list.
    pub async fn publish(
        &self,
        list: &Reference,
        purpose: StatusPurpose,
        bits: &BitList,
        before: Option<&StatusEntry>,
    ) -> Result<Facts, OfficeError> {
        let act = self.version(list, purpose, bits, before)?;
        let what = format!("a version of status list {list}");
        Ok(self.submit(&what, act, Some(bits.as_bytes()), |_, _| Ok(())).await?.facts)
    }

    /// Families with room for so many diplomas, each with how many of them it takes; made and published if need be. A family is
    /// left when more than half of its entries were given out, so that a new one says nothing.
    pub(crate) async fn families_for(&self, count: usize) -> Result<Vec<(Reference, usize)>, OfficeError> {
        let known = self.store.families()?;
        let mut taken = Vec::new();
        let mut left = count;
        for number in 1..=FAMILIES_MAX {
            if left == 0 {
                return Ok(taken);
            }
            let list: Reference = format!("{LIST_PREFIX}{number}").parse().map_err(|_| StoreError::Damaged)?;
            let (size, given) = match known.iter().find(|family| family.list == list) {
                Some(family) => (family.size, family.count()),
                None if self.ledger.status(&self.did, &list).await?.is_some() => {
                    // On the ledger and unknown here: made by another home. Nobody knows which entries are free.
                    continue;
                }
                None => (LIST_ENTRIES, 0),
            };
            let room = (size * LIST_FULL_PERCENT / 100).saturating_sub(given);
            let here = left.min(usize::try_from(room).unwrap_or(usize::MAX));
            if here == 0 {
                continue;
            }
            self.begin_family(&list, size).await?;
            taken.push((list, here));
            left -= here;
        }
        Err(StoreError::Full(format!("{LIST_PREFIX}{FAMILIES_MAX}").parse().map_err(|_| StoreError::Damaged)?).into())
    }

    /// Publishes those lists of a family that are not on the ledger. From the first moment the archive knows it as its own.
    async fn begin_family(&self, list: &Reference, size: u64) -> Result<(), OfficeError> {
        self.store.write(|change| change.begin_family(list, size))?;
        for (name, purpose) in family_names(list) {
            if self.ledger.status(&self.did, &name).await?.is_none() {
                let bits = BitList::zeros(size).ok_or(StoreError::Damaged)?;
                self.publish(&name, purpose, &bits, None).await?;
            }
        }
        Ok(())
    }

    /// Publishes every list of the office again: after its key was changed, readers take the key of today.
    pub async fn publish_again(&self) -> Result<Vec<Reference>, OfficeError> {
        let mut done = Vec::new();
        for family in self.store.families()? {
            for (name, purpose) in family_names(&family.list) {
                if let Some(published) = self.published(&name).await? {
                    self.publish(&name, purpose, &published.bits, Some(&published.entry)).await?;
                    done.push(name);
                }
            }
        }
        Ok(done)
    }
}
