//! The record: a compact JWS (RFC 7515) signed by its author's own key; one leaf of the log.
//!
//! ```text
//! leaf bytes = base64url(header) "." base64url(payload) "." base64url(signature)      ASCII, ≤ 65,535 bytes
//! id         = SHA-256(base64url(header) "." base64url(payload))                      the JWS signing input
//! ```
//! - Header: strict JSON with only `alg kid typ cty x5c x5t#S256 iat`; `typ` = `testamur-record-v1+jws`.
//! - Payload: its own RFC 8785 form; integers ≤ 2⁵³−1; depth ≤ 8; unknown members refused; no free text anywhere.
//! - The same act signed twice is one record: ECDSA signatures can be changed by anybody, so records are compared
//!   by id and never by bytes (INV-RECORD-1).
//! - `x5c` (JAdES seals) is understood and refused in protocol 1: a certificate must first be registered, and the
//!   registry for that does not exist yet.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::codec::{self, CodecError, sha256};
use crate::commitment::Form;
use crate::did::{Did, DidUrl};
use crate::dossiers::DossierChange;
use crate::generations::Generations;
use crate::hash::{GenesisHash, RecordId, TreeHash};
use crate::key::{JwsAlgorithm, PublicKey, ReadyKey, SigningKey};
use crate::limits::{
    AUTHOR_KEYS_REMEMBERED_MAX, BATCH_COUNT_MAX, DOSSIER_HASHES_MAX, JOSE_HEADER_BYTES_MAX, NOTARISE_ENTRIES_MAX,
    RECORD_AGE_S_MAX, RECORD_AHEAD_S_MAX, RECORD_BYTES_MAX, RECORD_LIFE_S_MAX,
};
use crate::status::Attachment;
use crate::units::UnixTime;

mod act;
mod change;
mod error;

pub use act::{Act, BatchTree};
pub use change::{Algorithm, Change, OperatorRotation, RevocationReason, UnknownAlgorithm, ValidatorRotation};
pub use error::RecordError;

/// Keys of did:key authors with their points decoded. Reading a key costs a quarter of what verifying does, and an author's
/// records come in thousands. Only keys that a signature verified with are remembered.
static AUTHOR_KEYS: Generations<DidUrl, (PublicKey, ReadyKey)> = Generations::new(AUTHOR_KEYS_REMEMBERED_MAX);

/// The `typ` of every record.
pub const RECORD_TYP: &str = "testamur-record-v1+jws";

/// A short reference of the author's own: `[A-Za-z0-9._-]{1,64}`. No free text: nothing personal slips in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Reference(String);

impl Reference {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Reference {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let ok = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if ok { Ok(Self(text.to_owned())) } else { Err("a reference is 1 to 64 of A-Z a-z 0-9 . _ -".into()) }
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Bytes that stand as base64url in a record.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(#[serde(with = "codec::serde_base64url")] pub Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&codec::base64url(&self.0))
    }
}

/// The signed content of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payload {
    /// Format version: 1.
    pub v: u8,
    /// Genesis hash of the network the record is for.
    pub net: GenesisHash,
    /// The author's DID.
    pub iss: Did,
    /// Unique id of the author's choice.
    pub jti: Reference,
    /// When the author made it.
    pub iat: UnixTime,
    /// Until when it may enter the ledger.
    pub exp: UnixTime,
    /// What it does.
    pub act: Act,
}

/// The protected header, as strict JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JoseHeader {
    alg: String,
    kid: String,
    typ: String,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    cty: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    x5c: Option<Vec<String>>,
    #[serde(rename = "x5t#S256", default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    x5t_s256: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    iat: Option<u64>,
}

/// A member that may be absent but, if there, has a value: `null` is refused, as JOSE libraries do.
fn present<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A record of correct form. Its signature is checked by [`Record::verify_signature`], its time and network by
/// [`Record::check_admission`], its author's right by the registry.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    text: String,
    signing_input_bytes: usize,
    id: RecordId,
    alg: JwsAlgorithm,
    kid: DidUrl,
    payload: Payload,
    signature: Vec<u8>,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("id", &self.id).field("kid", &self.kid).field("payload", &self.payload).finish()
    }
}

impl Record {
    /// Parses the bytes of a record and checks everything that needs neither key, state nor clock.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(RecordError::TooLarge(bytes.len()));
        }
        let text = core::str::from_utf8(bytes).ok().filter(|t| t.is_ascii()).ok_or(RecordError::NotCompactJws)?;
        let (signing_input, signature) = text.rsplit_once('.').ok_or(RecordError::NotCompactJws)?;
        let (header, payload) = signing_input.split_once('.').ok_or(RecordError::NotCompactJws)?;
        let decode = |part: &str| codec::from_base64url(part).map_err(|_| RecordError::NotCompactJws);
        let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);
        let (alg, kid) = parse_header(&header)?;
        let payload: Payload = codec::from_canonical(&payload).map_err(RecordError::Payload)?;
        check_payload(&payload)?;
        if kid.did() != payload.iss {
            return Err(RecordError::KeyNotOfAuthor);
        }
        Ok(Self {
            id: RecordId::from_bytes(sha256(&[signing_input.as_bytes()])),
            signing_input_bytes: signing_input.len(),
            text: text.to_owned(),
            alg,
            kid,
            payload,
            signature,
        })
    }

    /// Builds and signs a record with a did:key author: header, payload and signature in their one form.
    ///
    /// The payload's `iss` must be `kid`'s DID; what [`Record::parse`] would refuse is refused here.
    pub fn sign(payload: &Payload, kid: &DidUrl, key: &SigningKey) -> Result<Self, RecordError> {
        let signing_input = Self::signing_input(payload, kid, key.public_key().algorithm());
        let signature = key.sign(signing_input.as_bytes());
        Self::of_signature(&signing_input, &signature)
    }

    /// What is signed of a record: header and payload in their one form. For keys that live elsewhere, as in a security module.
    pub fn signing_input(payload: &Payload, kid: &DidUrl, alg: JwsAlgorithm) -> String {
        let header = JoseHeader {
            alg: format!("{alg:?}"),
            kid: kid.to_string(),
            typ: RECORD_TYP.into(),
            cty: None,
            x5c: None,
            x5t_s256: None,
            iat: None,
        };
        format!("{}.{}", codec::base64url(&codec::canonical(&header)), codec::base64url(&codec::canonical(payload)))
    }

    /// The record of a signing input and its signature. What [`Record::parse`] would refuse is refused here; the signature itself is
    /// not checked.
    pub fn of_signature(signing_input: &str, signature: &[u8]) -> Result<Self, RecordError> {
        Self::parse(format!("{signing_input}.{}", codec::base64url(signature)).as_bytes())
    }

    /// The bytes of the leaf, as submitted.
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The compact JWS.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the signing input.
    pub fn id(&self) -> RecordId {
        self.id
    }

    /// The hash of its leaf in the log.
    pub fn leaf_hash(&self) -> TreeHash {
        crate::merkle::leaf_hash(self.as_bytes())
    }

    /// The key id it is signed with.
    pub fn kid(&self) -> &DidUrl {
        &self.kid
    }

    /// The signature algorithm of its header.
    pub fn algorithm(&self) -> JwsAlgorithm {
        self.alg
    }

    /// The author.
    pub fn author(&self) -> &Did {
        &self.payload.iss
    }

    /// The signed content.
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// What it does.
    pub fn act(&self) -> &Act {
        &self.payload.act
    }

    /// The bytes that must be held beside the record before a block with it is voted for.
    pub fn attachment(&self) -> Option<Attachment> {
        match self.act() {
            Act::PublishStatus { status, .. } => Some(Attachment {
                sha256: status.sha256,
                bytes: usize::try_from(status.size / 8).unwrap_or(usize::MAX),
            }),
            _ => None,
        }
    }

    /// Verifies the signature with a key of the author.
    pub fn verify_signature(&self, key: &PublicKey) -> Result<(), RecordError> {
        self.verify_ready(&key.ready().map_err(RecordError::Signature)?)
    }

    /// Verifies the signature of a did:key author: the key is in the key id.
    pub fn verify_did_key(&self) -> Result<PublicKey, RecordError> {
        if let Some((key, ready)) = AUTHOR_KEYS.get(&self.kid) {
            self.verify_ready(&ready)?;
            return Ok(key);
        }
        let key = self.kid.to_key().map_err(RecordError::Key)?;
        let ready = key.ready().map_err(RecordError::Signature)?;
        self.verify_ready(&ready)?;
        AUTHOR_KEYS.put(self.kid.clone(), (key.clone(), ready), 1);
        Ok(key)
    }

    fn verify_ready(&self, key: &ReadyKey) -> Result<(), RecordError> {
        let message = &self.text.as_bytes()[..self.signing_input_bytes];
        key.verify(self.alg, message, &self.signature).map_err(RecordError::Signature)
    }

    /// Whether the record may enter a block of this network at this time.
    /// `time − 24 h ≤ iat ≤ time + 300 s` and `time < exp ≤ iat + 24 h`.
    pub fn check_admission(&self, network: GenesisHash, time: UnixTime) -> Result<(), RecordError> {
        let Payload { net, iat, exp, .. } = &self.payload;
        if *net != network {
            return Err(RecordError::WrongNetwork(*net));
        }
        if iat.0.saturating_add(RECORD_AGE_S_MAX) < time.0 || exp.0 <= time.0 {
            return Err(RecordError::TooOld { iat: *iat, exp: *exp, time });
        }
        if iat.0 > time.0.saturating_add(RECORD_AHEAD_S_MAX) {
            return Err(RecordError::TooEarly { iat: *iat, time });
        }
        Ok(())
    }
}

fn parse_header(bytes: &[u8]) -> Result<(JwsAlgorithm, DidUrl), RecordError> {
    if bytes.len() > JOSE_HEADER_BYTES_MAX {
        return Err(RecordError::Header(CodecError::Json("header too long".into())));
    }
    // serde would also take a struct as an array of its members; no JOSE library does.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(RecordError::Header(CodecError::Json("expected an object".into())));
    }
    let header: JoseHeader = codec::from_strict(bytes).map_err(RecordError::Header)?;
    let alg = JwsAlgorithm::from_name(&header.alg)
        .ok_or_else(|| RecordError::Algorithm(header.alg.chars().take(32).collect()))?;
    if header.typ != RECORD_TYP || header.cty.as_deref().is_some_and(|cty| cty != "json") {
        return Err(RecordError::Type);
    }
    if header.x5c.is_some() || header.x5t_s256.is_some() || header.iat.is_some() {
        return Err(RecordError::Seal);
    }
    let kid = header.kid.parse().map_err(RecordError::Key)?;
    Ok((alg, kid))
}

fn check_payload(payload: &Payload) -> Result<(), RecordError> {
    if payload.v != 1 {
        return Err(RecordError::Version(payload.v));
    }
    let (iat, exp) = (payload.iat.0, payload.exp.0);
    if exp <= iat || exp - iat > RECORD_LIFE_S_MAX {
        return Err(RecordError::Life);
    }
    match &payload.act {
        Act::Notarise { alg, form, entries, .. } => {
            let expected = match form {
                Form::Digest => alg.digest_bytes(),
                Form::Commitment => 32,
            };
            check_entries(entries, NOTARISE_ENTRIES_MAX, expected)
        }
        Act::OpenDossier { alg, entries }
        | Act::UpdateDossier {
            change: DossierChange::AddVersion { alg, entries } | DossierChange::AppendDigests { alg, entries },
            ..
        } => check_entries(entries, DOSSIER_HASHES_MAX, alg.digest_bytes()),
        Act::NotariseBatch { count, .. } if !(1..=BATCH_COUNT_MAX).contains(count) => Err(RecordError::BatchCount),
        _ => Ok(()),
    }
}

fn check_entries(entries: &[Bytes], most: usize, expected: usize) -> Result<(), RecordError> {
    if !(1..=most).contains(&entries.len()) {
        return Err(RecordError::EntryCount { found: entries.len(), most });
    }
    match entries.iter().position(|e| e.0.len() != expected) {
        Some(index) => Err(RecordError::EntryLength { index, found: entries[index].0.len(), expected }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commitment::DigestAlgorithm;
    use crate::key::KeyError;

    fn payload() -> (Payload, SigningKey) {
        let key = SigningKey::ed25519(&[3; 32]);
        let payload = Payload {
            v: 1,
            net: GenesisHash::from_bytes([9; 32]),
            iss: Did::key(&key.public_key()),
            jti: "r-1".parse().unwrap(),
            iat: UnixTime(1_800_000_000),
            exp: UnixTime(1_800_003_600),
            act: Act::Notarise {
                alg: DigestAlgorithm::Sha2_256,
                form: Form::Commitment,
                entries: vec![Bytes(vec![1; 32])],
                reference: None,
            },
        };
        (payload, key)
    }

    fn signed(payload: &Payload, key: &SigningKey) -> Record {
        Record::sign(payload, &payload.iss.key_id().unwrap(), key).unwrap()
    }

    fn compact(header: &str, payload: &str) -> Vec<u8> {
        format!(
            "{}.{}.{}",
            codec::base64url(header.as_bytes()),
            codec::base64url(payload.as_bytes()),
            codec::base64url(&[0; 64])
        )
        .into_bytes()
    }

    #[test]
    fn a_signed_record_parses_to_itself_and_verifies() {
        let (payload, key) = payload();
        let record = signed(&payload, &key);
        assert_eq!(Record::parse(record.as_bytes()), Ok(record.clone()));
        assert_eq!(record.verify_did_key(), Ok(key.public_key()));
        let mut other = record.as_bytes().to_vec();
        let last = other.len() - 2;
        other[last] = if other[last] == b'A' { b'B' } else { b'A' };
        assert_eq!(Record::parse(&other).unwrap().id(), record.id(), "INV-RECORD-1: the signature is not in the id");
        assert_eq!(
            Record::parse(&other).unwrap().verify_did_key(),
            Err(RecordError::Signature(KeyError::BadSignature))
        );
    }

    #[test]
    fn bad_input_gets_its_own_code() {
        let (payload, key) = payload();
        let good = String::from_utf8(codec::canonical(&payload)).unwrap();
        let kid = payload.iss.key_id().unwrap();
        let header = |alg: &str, rest: &str| format!(r#"{{"alg":"{alg}","kid":"{kid}","typ":"{RECORD_TYP}"{rest}}}"#);
        let h = header("EdDSA", "");
        let cases: Vec<(Vec<u8>, &str)> = vec![
            (vec![b'a'; 65_536], "record.too-large"),
            (b"a.b".to_vec(), "record.not-compact-jws"),
            (b"e30=.e30.".to_vec(), "record.not-compact-jws"),
            (b"e31.e30.".to_vec(), "record.not-compact-jws"),
            (b"\xff.e30.e30".to_vec(), "record.not-compact-jws"),
            (compact("{}", &good), "record.header"),
            (compact(&header("EdDSA", r#","crit":["b64"],"b64":false"#), &good), "record.header"),
            (compact(&header("EdDSA", r#","jku":"x""#), &good), "record.header"),
            (compact(&header("EdDSA", r#","alg":"EdDSA""#), &good), "record.header"),
            (compact(&header("EdDSA", r#","x5c":null"#), &good), "record.header"),
            (compact(&format!(r#"["EdDSA","{kid}","{RECORD_TYP}"]"#), &good), "record.header"),
            (compact(&header("none", ""), &good), "record.algorithm"),
            (compact(&header("HS256", ""), &good), "record.algorithm"),
            (compact(&h.replace("-v1", "-v2"), &good), "record.type"),
            (compact(&header("EdDSA", r#","x5c":["AA"]"#), &good), "record.seal"),
            (compact(&h, &good.replace(":", ": ")), "record.payload"),
            (compact(&h, &good.replace("\"v\":1", "\"v\":1,\"x\":1")), "record.payload"),
            (compact(&h, &good.replace("{\"act\"", "{\"iat\":1,\"act\"")), "record.payload"),
            (compact(&h, &good.replace("1800000000", "1800000000.0")), "record.payload"),
            (compact(&h, &good.replace("1800000000", "9007199254740993")), "record.payload"),
            (
                compact(&h, &good.replace("\"form\":\"commitment\",", "\"form\":\"commitment\",\"note\":\"x\",")),
                "record.payload",
            ),
            (compact(&h, &good.replace("\"jti\":\"r-1\"", "\"jti\":\"r 1\"")), "record.payload"),
            (compact(&h, &("[".repeat(10_000) + &"]".repeat(10_000))), "record.payload"),
            (compact(&h, &good.replace("\"v\":1", "\"v\":2")), "record.version"),
            (compact(&h, &good.replace("1800003600", "1800086401")), "record.life"),
            (compact(&h, &good.replace("did:key:z6Mk", "did:key:z6Ml")), "record.key-not-of-author"),
            (compact(&h, &good), "record.signature"),
            (compact(&header("ES256", ""), &good), "record.signature"),
        ];
        for (bytes, expected) in cases {
            let result = Record::parse(&bytes).and_then(|r| r.verify_did_key());
            let error = result.expect_err(expected);
            assert_eq!(error.code().0, expected, "{error}");
        }
        for (count, length, expected) in
            [(0, 32, "record.entry-count"), (513, 32, "record.entry-count"), (2, 31, "record.entry-length")]
        {
            let mut bad = payload.clone();
            if let Act::Notarise { entries, .. } = &mut bad.act {
                *entries = vec![Bytes(vec![0; length]); count];
            }
            let error = Record::sign(&bad, &kid, &key).expect_err(expected);
            assert_eq!(error.code().0, expected, "{error}");
        }
    }

    #[test]
    fn admission_has_the_four_bounds() {
        let (payload, key) = payload();
        let record = signed(&payload, &key);
        let network = payload.net;
        let at = |time| record.check_admission(network, UnixTime(time)).map_err(|e| e.code().0);
        assert_eq!(at(payload.iat.0 - 301), Err("record.too-early"));
        assert_eq!(at(payload.iat.0 - 300), Ok(()));
        assert_eq!(at(payload.exp.0 - 1), Ok(()));
        assert_eq!(at(payload.exp.0), Err("record.too-old"));
        assert_eq!(
            record.check_admission(GenesisHash::ZERO, payload.iat).map_err(|e| e.code().0),
            Err("record.wrong-network")
        );
    }
}
