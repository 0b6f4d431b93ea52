//! What the archive holds, in types.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use testamur_client::batch::BatchRoot;
use testamur_primitives::commitment::{DigestAlgorithm, DocumentDigest, Form};
use testamur_primitives::hash::RecordId;
use testamur_primitives::record::Reference;
use testamur_primitives::units::UnixTime;

use super::StoreError;

/// Name of a submission: what one request brought. A UUID of version 7 (RFC 9562), so that ids of one time lie together on disk;
/// its 74 random bits tell nothing, and nobody else's token is answered by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubmissionId([u8; 16]);

impl SubmissionId {
    /// A fresh one. Fails without random bytes.
    pub fn fresh() -> Result<Self, StoreError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| StoreError::Random)?;
        // A clock before 1970 costs the order of ids, nothing else.
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let ms = u64::try_from(since.as_millis()).unwrap_or_default();
        bytes[..6].copy_from_slice(&ms.to_be_bytes()[2..]);
        bytes[6] = 0x70 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        Ok(Self(bytes))
    }

    /// The first that an id of this time can be.
    pub(crate) fn first_at(time: UnixTime) -> Self {
        let mut bytes = [0; 16];
        // Beyond the year 10,000 there are none.
        let ms = time.0.saturating_mul(1_000).min((1 << 48) - 1);
        bytes[..6].copy_from_slice(&ms.to_be_bytes()[2..]);
        Self(bytes)
    }

    /// From the end of a place; none when that is too short.
    pub(super) fn at_end_of(place: &[u8]) -> Option<Self> {
        place.last_chunk().copied().map(Self)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for SubmissionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = hex::encode(self.0);
        write!(f, "{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
    }
}

impl fmt::Debug for SubmissionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is no id of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is a UUID in lower case")]
pub struct IdError;

impl FromStr for SubmissionId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text.replace('-', ""), &mut bytes).map_err(|_| IdError)?;
        // One spelling: an id that is printed differently is not one.
        let id = Self(bytes);
        if id.to_string() == text { Ok(id) } else { Err(IdError) }
    }
}

impl Serialize for SubmissionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SubmissionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Where a submission stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case", deny_unknown_fields)]
pub enum State {
    /// It waits for a record: nothing is signed.
    Queued {
        /// Its place in the queue; those before it are signed first.
        number: u64,
    },
    /// Its record is signed, kept and on its way.
    Sent {
        /// The record.
        record: RecordId,
        /// After this time the record can no longer enter the ledger.
        expires: UnixTime,
    },
    /// Its record is irrevocably on the ledger; its receipts are here.
    Final {
        /// The record.
        record: RecordId,
        /// The block that holds it.
        height: u64,
        /// The block's time.
        time: UnixTime,
    },
    /// It never will be: by the ledger's rules, or because nobody waited for it any more.
    Refused {
        /// Stable slug.
        code: String,
        /// In words.
        detail: String,
    },
}

impl State {
    /// Every name.
    pub const NAMES: [&str; 4] = ["queued", "sent", "final", "refused"];

    /// Its name in answers.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Queued { .. } => "queued",
            Self::Sent { .. } => "sent",
            Self::Final { .. } => "final",
            Self::Refused { .. } => "refused",
        }
    }

    /// Whether nothing changes it any more.
    pub fn is_settled(&self) -> bool {
        matches!(self, Self::Final { .. } | Self::Refused { .. })
    }
}

/// What one request brought: 1 to 10,000 documents under one record, or the root of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// Its name.
    pub id: SubmissionId,
    /// The label of the token that it came with: to others it does not exist.
    pub caller: Reference,
    /// Salted or plain.
    pub form: Form,
    /// How many receipts: of a batch's root one.
    pub count: u32,
    /// The root, when it came as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchRoot>,
    /// The caller's own name for it: a case, a file.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// Whether it was queued: nobody waits for the answer, so it is sent again when its record expired.
    pub queued: bool,
    /// When it came.
    pub created: UnixTime,
    /// Since when it stands where it stands.
    pub since: UnixTime,
    /// The place of its idempotency key, if it came with one.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "opt_hex")]
    pub repeatable: Option<[u8; 32]>,
    /// Where it stands.
    pub state: State,
}

impl Submission {
    /// How many documents it stands for.
    pub fn documents(&self) -> u64 {
        self.batch.map_or(u64::from(self.count), |batch| batch.count)
    }
}

/// What is asked for of a caller's submissions. The latest come first.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Whose.
    pub caller: Reference,
    /// Of this name alone.
    pub reference: Option<Reference>,
    /// Those that came before this one.
    pub after: Option<SubmissionId>,
    /// Created then or later.
    pub from: Option<UnixTime>,
    /// Created before.
    pub until: Option<UnixTime>,
    /// That stand here: one of [`State::NAMES`].
    pub state: Option<&'static str>,
    /// At most this many.
    pub limit: usize,
}

/// Some of a caller's submissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The latest first.
    pub submissions: Vec<Submission>,
    /// What to go on after, unless these were the last.
    pub next: Option<SubmissionId>,
}

/// An idempotency key that was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// For which submission.
    pub id: SubmissionId,
    /// SHA-256 over what was asked for, hexadecimal.
    pub fingerprint: String,
}

/// A signed record that is not known to be final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    /// The compact JWS: always the same bytes are sent.
    pub record: String,
    /// After this time it can no longer enter the ledger.
    pub expires: UnixTime,
    /// Whose documents it holds, in order.
    pub parts: Vec<SubmissionId>,
}

/// A webhook's message that was not delivered yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Of which submission.
    pub id: SubmissionId,
    /// When the submission settled.
    pub settled: UnixTime,
    /// Attempts that failed.
    pub attempts: u32,
    /// Not before.
    pub due: UnixTime,
}

/// Digests as they lie in the queue: algorithm, then bytes.
pub(super) fn pack(digests: &[DocumentDigest]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(digests.len() * 33);
    for digest in digests {
        packed.push(digest.algorithm() as u8);
        packed.extend_from_slice(digest.as_bytes());
    }
    packed
}

/// The digests of a packed list.
pub(super) fn unpack(mut packed: &[u8]) -> Result<Vec<DocumentDigest>, StoreError> {
    let mut digests = Vec::new();
    while let Some((number, rest)) = packed.split_first() {
        let algorithm = DigestAlgorithm::ALL.into_iter().find(|algorithm| *algorithm as u8 == *number);
        let algorithm = algorithm.ok_or(StoreError::Damaged)?;
        let (digest, rest) = rest.split_at_checked(algorithm.digest_bytes()).ok_or(StoreError::Damaged)?;
        digests.push(DocumentDigest::new(algorithm, digest.to_vec()).ok_or(StoreError::Damaged)?);
        packed = rest;
    }
    Ok(digests)
}

mod opt_hex {
    use serde::{Deserialize as _, Deserializer, Serializer};

    // The signature is serde's.
    #[expect(clippy::ref_option)]
    pub(super) fn serialize<S: Serializer>(bytes: &Option<[u8; 32]>, serializer: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => serializer.serialize_str(&hex::encode(bytes)),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[u8; 32]>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(serde::de::Error::custom)?;
        Ok(Some(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_of_version_7_in_one_spelling() {
        let (one, two) = (SubmissionId::fresh().unwrap(), SubmissionId::fresh().unwrap());
        assert_ne!(one, two);
        let text = one.to_string();
        assert_eq!((text.len(), &text[14..15]), (36, "7"));
        assert!("89ab".contains(&text[19..20]), "{text}");
        assert_eq!(text.parse(), Ok(one));
        for wrong in ["", &text[1..], &text.to_uppercase(), &text.replace('-', ""), &format!("{text} ")] {
            assert_eq!(wrong.parse::<SubmissionId>(), Err(IdError), "{wrong}");
        }
    }

    #[test]
    fn digests_are_unpacked_as_they_were_packed() {
        let digests: Vec<_> = DigestAlgorithm::ALL
            .into_iter()
            .map(|algorithm| DocumentDigest::new(algorithm, vec![algorithm as u8; algorithm.digest_bytes()]).unwrap())
            .collect();
        let packed = pack(&digests);
        assert_eq!(unpack(&packed).unwrap(), digests);
        assert!(unpack(&packed[..packed.len() - 1]).is_err());
        assert!(unpack(&[99]).is_err());
    }
}
