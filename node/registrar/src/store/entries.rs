//! What the archive holds: awards with their diplomas, jobs, records on their way.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use testamur_credentials::credential::Format;
use testamur_primitives::did::Did;
use testamur_primitives::hash::{RecordId, SchemaId};
use testamur_primitives::issuers::accreditation::Scope;
use testamur_primitives::record::{Bytes, Reference};
use testamur_primitives::units::{Height, UnixTime};

use crate::limits::ID_CHARS_MAX;

/// What names an award in the university's own books: nothing is issued twice for one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AwardId {
    /// The graduate's id at the registrar's, or a name that the whole register has.
    pub registrar: String,
    /// The award's id there.
    pub award: String,
}

/// Why a text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing.
    #[error("is empty")]
    Empty,
    /// Too long to be one.
    #[error("is longer than {ID_CHARS_MAX} characters")]
    TooLong,
    /// Line ends and the like.
    #[error("holds a control character")]
    Control,
}

impl AwardId {
    /// From its two parts, as the books write them; white space around them does not count.
    pub fn new(registrar: &str, award: &str) -> Result<Self, IdError> {
        Ok(Self { registrar: id_part(registrar)?, award: id_part(award)? })
    }
}

fn id_part(text: &str) -> Result<String, IdError> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err(IdError::Empty),
        n if n > ID_CHARS_MAX => Err(IdError::TooLong),
        _ if text.chars().any(char::is_control) => Err(IdError::Control),
        _ => Ok(text.to_owned()),
    }
}

impl core::fmt::Display for AwardId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}/{}", self.registrar, self.award)
    }
}

/// 32 bytes in JSON as hexadecimal digits.
mod hex32 {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(String::deserialize(deserializer)?, &mut bytes).map_err(serde::de::Error::custom)?;
        Ok(bytes)
    }
}

/// The name of an award in the archive: a keyed hash of its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AwardKey(#[serde(with = "hex32")] pub(super) [u8; 32]);

impl AwardKey {
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl core::fmt::Display for AwardKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// One diploma: an award, and which edition of its diploma. Editions count from 1; a correction makes the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DiplomaKey {
    /// The award.
    pub award: AwardKey,
    /// The edition.
    pub edition: u32,
}

/// What is known of a diploma's standing here. What others see is the status lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Signed, or about to be; not issued: nobody has it.
    Prepared,
    /// Anchored, verified, in force.
    Issued,
    /// Suspended for now.
    Suspended,
    /// Withdrawn for good.
    Revoked,
    /// A corrected edition took its place.
    Replaced,
}

impl State {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::Issued => "issued",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
            Self::Replaced => "replaced",
        }
    }
}

/// A credential of a diploma in one format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedCopy {
    /// SHA-256 of its signing input: how it is named and anchored.
    #[serde(with = "hex32")]
    pub digest: [u8; 32],
    /// Its leaf in the job's batch.
    pub leaf: u64,
    /// What makes its commitment unguessable; without it nobody can show that the ledger holds one.
    #[serde(with = "hex32")]
    pub salt: [u8; 32],
}

/// One edition of an award's diploma.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diploma {
    /// Which edition, from 1.
    pub edition: u32,
    /// Its standing.
    pub state: State,
    /// The status list for revocation; its companions have the same entries.
    pub list: Reference,
    /// Its entry in them.
    pub index: u64,
    /// SHA-256 of what was asked for: the same row again is known by it, a changed one too.
    #[serde(with = "hex32")]
    pub row: [u8; 32],
    /// The job that made it.
    pub job: JobId,
    /// When: the block time of its anchor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued: Option<UnixTime>,
    /// The record that anchors it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<RecordId>,
    /// Its credentials.
    pub copies: BTreeMap<Format, SignedCopy>,
    /// Whether there is a printed one.
    pub print: bool,
    /// What its files are called, without ending.
    pub stem: String,
    /// The edition that it corrects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<u32>,
    /// The edition that corrects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<u32>,
}

/// An award, with all editions of its diploma.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Award {
    /// Its id in the university's books.
    pub id: AwardId,
    /// Its name in the archive.
    pub key: AwardKey,
    /// The editions, the first one first; at least one.
    pub diplomas: Vec<Diploma>,
}

impl Award {
    /// The newest edition, issued or about to be.
    pub fn current(&self) -> &Diploma {
        self.diplomas.last().expect("an award is written with its first diploma")
    }

    /// An edition.
    pub fn edition(&self, edition: u32) -> Option<&Diploma> {
        self.diplomas.iter().find(|diploma| diploma.edition == edition)
    }

    /// An edition, to be changed.
    pub fn edition_mut(&mut self, edition: u32) -> Option<&mut Diploma> {
        self.diplomas.iter_mut().find(|diploma| diploma.edition == edition)
    }

    /// The name of one of its editions.
    pub fn diploma(&self, edition: u32) -> DiplomaKey {
        DiplomaKey { award: self.key, edition }
    }
}

/// What shall be issued: a row of the university's books, read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// For which award.
    pub award: AwardId,
    /// What it attests: the subject's members.
    pub content: Map<String, Value>,
    /// Its types, the EQF level's among them.
    pub types: BTreeSet<String>,
    /// The schema that it follows.
    pub schema: SchemaId,
    /// The graduate's own DID, if he has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Did>,
    /// Its end, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<UnixTime>,
    /// What its files are called, without ending.
    pub stem: String,
    /// What the printed page has besides the content.
    #[serde(default)]
    pub page: Page,
}

/// The words of a printed page that are not content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// The language of its fixed texts; the first language of the title, if none is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Its heading, in place of the usual word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heading: Option<String>,
}

impl Draft {
    /// What the accreditation must allow.
    pub fn scope(&self) -> Scope {
        let jurisdiction = self.content.get("jurisdiction").and_then(Value::as_str);
        Scope {
            schema: self.schema,
            types: self.types.clone(),
            jurisdictions: jurisdiction.into_iter().map(str::to_owned).collect(),
        }
    }

    /// SHA-256 of what is asked for, without what the files are called and how the page looks.
    pub fn row(&self) -> [u8; 32] {
        let told = Self { stem: String::new(), page: Page::default(), ..self.clone() };
        testamur_primitives::codec::sha256(&[b"testamur/row/v1\n", &testamur_primitives::codec::canonical(&told)])
    }
}

/// A job's id: 16 random bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JobId(pub(crate) String);

impl JobId {
    /// A fresh one.
    pub fn fresh() -> Result<Self, super::StoreError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| super::StoreError::Random)?;
        Ok(Self(hex::encode(bytes)))
    }

    /// From its text, as [`JobId::as_str`] gives it.
    pub fn parse(text: &str) -> Option<Self> {
        let is_one = text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
        is_one.then(|| Self(text.to_owned()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How far a job has come. Each stage is on disk before the next begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "kebab-case")]
pub enum Stage {
    /// Rows and entries are kept; credentials are being signed.
    Signing,
    /// All are signed, and so is the record that anchors them: it is the only one there will be.
    Anchoring {
        /// The record.
        record: RecordId,
    },
    /// The record is on the ledger and its receipt is kept.
    Anchored {
        /// The record.
        record: RecordId,
        /// The time of its block.
        time: UnixTime,
        /// Its block.
        height: Height,
    },
    /// Every diploma was verified and is in force.
    Done {
        /// The record.
        record: RecordId,
        /// The time of its block.
        time: UnixTime,
        /// Its block.
        height: Height,
    },
}

/// Which edition of a diploma a job makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edition {
    /// The first: refused when the award has one.
    First,
    /// The next: refused when the award has none.
    Next,
}

/// Diplomas that are issued together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Whose: `issue`, or a change's.
    pub kind: String,
    /// When it was begun.
    pub begun: UnixTime,
    /// The key that signs its credentials: when the issuer has another by then, what is not anchored is signed again.
    pub kid: String,
    /// In which formats.
    pub formats: BTreeSet<Format>,
    /// Whether prints are made.
    pub print: bool,
    /// Which edition of each award's diploma.
    pub edition: Edition,
    /// How far it has come.
    pub stage: Stage,
    /// The diplomas, in order.
    pub diplomas: Vec<DiplomaKey>,
}

/// A record that was signed and whose fate is not known yet: sent again, never signed anew.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// What it does, for a person.
    pub what: String,
    /// The record: a compact JWS.
    pub record: String,
    /// The bytes that go with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachment: Option<Bytes>,
}

/// Which entries of a list family were given out, and how its lists are called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// The list for revocation; `-suspended` and `-replaced` are its companions.
    pub list: Reference,
    /// Entries.
    pub size: u64,
    /// A bit for each: whether it was given out. In the order of the list's own bits.
    pub given: Bytes,
}

impl Family {
    /// How many were given out.
    pub fn count(&self) -> u64 {
        self.given.0.iter().map(|byte| u64::from(byte.count_ones())).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_texts_of_one_line() {
        assert_eq!(AwardId::new(" M1 ", "2026-1\t").unwrap(), AwardId::new("M1", "2026-1").unwrap());
        assert_eq!(AwardId::new("", "x"), Err(IdError::Empty));
        assert_eq!(AwardId::new("x", "a\nb"), Err(IdError::Control));
        assert_eq!(AwardId::new("x", &"é".repeat(101)), Err(IdError::TooLong));
        assert!(AwardId::new("x", &"é".repeat(100)).is_ok());
    }
}
