//! An entity's home on this machine: a legal person's DID, its keys, what it has begun and not finished, its lists.
//!
//! ```text
//! entity.json        who it is: network, DID, names, which keys are in use
//! keys/<thumb>.key   its keys, sealed like all others; a key that was rotated out stays
//! pending/           records that were signed and not seen final: sent again, never signed anew (INV-ENTITY-1)
//! invitations/       what it answered to those whom it accredits
//! lists/             which entries of its status lists it has given out
//! diplomas.redb      what it issued, sealed under keys/archive.key
//! ```
//! - INV-ENTITY-1: a record is on disk before it is sent, so that a lost answer never makes a second one.
//! - INV-ENTITY-2: an index of a status list is given out once: it is on disk before it is printed.

pub(crate) mod desk;
pub(crate) mod exchange;
pub(crate) mod lists;
pub(crate) mod office;
pub(crate) mod options;
pub(crate) mod pending;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use testamur_primitives::did::Did;
use testamur_primitives::hash::GenesisHash;
use testamur_primitives::identity;
use testamur_primitives::issuers::Entity;
use testamur_primitives::key::SigningKey;
use testamur_primitives::trust::TrustFile;

use crate::exit::CommandError;
use crate::files;
use crate::keystore::{Access, Key, KeyKind, Protection};

/// Bytes of an entity.json: 32 names in as many languages are about 8 KB.
const ENTITY_BYTES_MAX: usize = 256 * 1024;

/// entity.json.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntityFile {
    v: u8,
    r#type: String,
    /// Genesis hash of the network it is on.
    pub(crate) network: GenesisHash,
    /// Nodes that it asks.
    pub(crate) nodes: Vec<String>,
    /// Its DID.
    pub(crate) did: Did,
    /// Who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) entity: Option<Entity>,
    /// Thumbprint of the key that signs registry records.
    pub(crate) capability: String,
    /// Thumbprint of the key that signs credentials and everyday records.
    pub(crate) assertion: String,
    /// Keys that were made to take the place of those, and are not in the document yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next_capability: Option<String>,
    /// As above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next_assertion: Option<String>,
    /// Whether its keys are not encrypted.
    pub(crate) insecure_dev: bool,
}

/// An entity's home.
#[derive(Debug)]
pub(crate) struct Home {
    directory: PathBuf,
    /// entity.json, as on disk.
    pub(crate) file: EntityFile,
}

/// Which of an entity's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Registry records.
    Capability,
    /// Credentials and everyday records.
    Assertion,
}

impl Use {
    fn kind(self) -> KeyKind {
        match self {
            Self::Capability => KeyKind::Capability,
            Self::Assertion => KeyKind::Assertion,
        }
    }
}

impl Home {
    /// Whether a directory holds an entity.
    pub(crate) fn exists(directory: &Path) -> bool {
        directory.join("entity.json").exists()
    }

    /// Opens a home.
    pub(crate) fn open(directory: &Path) -> Result<Self, CommandError> {
        let path = directory.join("entity.json");
        if !path.exists() {
            return Err(CommandError::content(
                directory,
                "is no entity's home: there is no entity.json",
                "make one with `testamur did new` or `testamur onboard`, or name it with --home DIR",
            ));
        }
        let refuse = |reason: String| CommandError::content(&path, reason, "restore it from a backup of the home");
        let file: EntityFile = serde_json::from_slice(&files::read_at_most(&path, ENTITY_BYTES_MAX)?)
            .map_err(|e| refuse(e.to_string()))?;
        if file.v != 1 || file.r#type != "testamur-entity" {
            return Err(refuse("not an entity.json of this version".into()));
        }
        Ok(Self { directory: directory.to_owned(), file })
    }

    /// Makes a home: a new DID of the network, and its two keys.
    pub(crate) fn create(
        directory: &Path,
        trust: &TrustFile,
        nodes: Vec<String>,
        entity: Option<Entity>,
        protection: &Protection,
    ) -> Result<Self, CommandError> {
        files::create_private_directory(&directory.join("keys"))?;
        let mut random = [0; 16];
        getrandom::fill(&mut random)
            .map_err(|e| CommandError::failed("key.randomness", format!("no randomness: {e}"), ""))?;
        let did = Did::of_ledger(trust.genesis().did_method(), &random);
        let key = |usage: Use| write_key(directory, usage, protection);
        let (capability, assertion) = (key(Use::Capability)?, key(Use::Assertion)?);
        let file = EntityFile {
            v: 1,
            r#type: "testamur-entity".into(),
            network: trust.network(),
            nodes,
            did,
            entity,
            capability,
            assertion,
            next_capability: None,
            next_assertion: None,
            insecure_dev: matches!(protection, Protection::InsecureDev),
        };
        let home = Self { directory: directory.to_owned(), file };
        home.save()?;
        Ok(home)
    }

    /// Writes entity.json.
    pub(crate) fn save(&self) -> Result<(), CommandError> {
        let text = serde_json::to_string_pretty(&self.file).expect("an entity is JSON");
        files::replace(&self.directory.join("entity.json"), text.as_bytes(), 0o600)
    }

    /// Its directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Its DID.
    pub(crate) fn did(&self) -> &Did {
        &self.file.did
    }

    /// A part of its directory, made if need be.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf, CommandError> {
        let path = self.directory.join(name);
        files::create_private_directory(&path)?;
        Ok(path)
    }

    /// Thumbprint of the key in use.
    pub(crate) fn thumbprint(&self, usage: Use) -> &str {
        match usage {
            Use::Capability => &self.file.capability,
            Use::Assertion => &self.file.assertion,
        }
    }

    /// Thumbprint of the key that shall take its place, made now if there is none.
    pub(crate) fn next(&mut self, usage: Use, access: &Access) -> Result<String, CommandError> {
        let made = match usage {
            Use::Capability => &self.file.next_capability,
            Use::Assertion => &self.file.next_assertion,
        };
        if let Some(made) = made {
            return Ok(made.clone());
        }
        let protection = self.protection(access)?;
        let thumbprint = write_key(&self.directory, usage, &protection)?;
        match usage {
            Use::Capability => self.file.next_capability = Some(thumbprint.clone()),
            Use::Assertion => self.file.next_assertion = Some(thumbprint.clone()),
        }
        self.save()?;
        Ok(thumbprint)
    }

    /// Puts the next key in the place of the one in use: after the document says so.
    pub(crate) fn advance(&mut self, usage: Use) -> Result<(), CommandError> {
        let file = &mut self.file;
        let (current, next) = match usage {
            Use::Capability => (&mut file.capability, &mut file.next_capability),
            Use::Assertion => (&mut file.assertion, &mut file.next_assertion),
        };
        if let Some(next) = next.take() {
            *current = next;
        }
        self.save()
    }

    /// One of its keys, by thumbprint.
    pub(crate) fn key(&self, usage: Use, thumbprint: &str, access: &Access) -> Result<SigningKey, CommandError> {
        let access = Access {
            passphrase: access.passphrase.clone(),
            // Said once, when the home was made.
            insecure_dev: access.insecure_dev || self.file.insecure_dev,
        };
        let path = self.directory.join(format!("keys/{thumbprint}.key"));
        Ok(Key::read(&path, usage.kind(), &access)?.into_signing())
    }
}

impl Home {
    /// The secret of the archive of what was issued; made with the archive.
    pub(crate) fn archive_key(&self, access: &Access) -> Result<testamur_registrar::store::ArchiveKey, CommandError> {
        let path = self.directory.join("keys/archive.key");
        if !path.exists() {
            if self.archive().exists() {
                return Err(CommandError::content(
                    &path,
                    "is missing, and there is an archive under it",
                    "restore it from the backup of this home",
                ));
            }
            Key::generate(KeyKind::Archive)?.write(&path, &self.protection(access)?)?;
        }
        let access = Access { insecure_dev: access.insecure_dev || self.file.insecure_dev, ..access.clone() };
        Ok(testamur_registrar::store::ArchiveKey::from_bytes(Key::read(&path, KeyKind::Archive, &access)?.seed()))
    }

    /// Where the archive is.
    pub(crate) fn archive(&self) -> PathBuf {
        self.directory.join("diplomas.redb")
    }

    /// How new keys of this home are written.
    fn protection(&self, access: &Access) -> Result<Protection, CommandError> {
        match (&access.passphrase, self.file.insecure_dev) {
            (Some(passphrase), _) => Ok(Protection::Passphrase(passphrase.clone())),
            (None, true) => Ok(Protection::InsecureDev),
            (None, false) => Err(CommandError::failed(
                "key.passphrase",
                "a passphrase is needed for the new key",
                "give --passphrase-file FILE",
            )),
        }
    }
}

/// Makes a key; its file is called after its thumbprint.
fn write_key(directory: &Path, usage: Use, protection: &Protection) -> Result<String, CommandError> {
    let key = Key::generate(usage.kind())?;
    let thumbprint = identity::thumbprint(&key.public());
    key.write(&directory.join(format!("keys/{thumbprint}.key")), protection)?;
    Ok(thumbprint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keystore::Passphrase;

    #[test]
    fn a_home_is_made_once_and_its_keys_change_places_only_when_told() {
        let directory = tempfile::tempdir().unwrap();
        let trust = crate::setup::tests::trust(directory.path());
        let place = directory.path().join("entity");
        let sealed = Protection::Passphrase(Passphrase::new("correct horse battery"));
        let mut home = Home::create(&place, &trust, vec![], None, &sealed).unwrap();
        assert!(home.did().is_of_ledger() && home.did().method() == "ebsi");
        let access = Access { passphrase: Some(Passphrase::new("correct horse battery")), insecure_dev: false };
        let before = home.thumbprint(Use::Assertion).to_owned();
        let next = home.next(Use::Assertion, &access).unwrap();
        assert_eq!(home.next(Use::Assertion, &access).unwrap(), next, "made once, also across a crash");
        let mut again = Home::open(&place).unwrap();
        assert_eq!(again.thumbprint(Use::Assertion), before);
        again.advance(Use::Assertion).unwrap();
        let again = Home::open(&place).unwrap();
        assert_eq!(again.thumbprint(Use::Assertion), next);
        let key = again.key(Use::Assertion, &next, &access).unwrap();
        assert_eq!(identity::thumbprint(&key.public_key()), next);
        assert!(again.key(Use::Assertion, &next, &Access::default()).is_err());
        assert!(again.key(Use::Capability, &next, &access).is_err(), "a key of another kind");
    }
}
