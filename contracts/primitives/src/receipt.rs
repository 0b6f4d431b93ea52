//! The receipt: what a user keeps, and what a verifier says of it.
//!
//! A receipt is self-contained: record, path, header, certificate, validator set, epoch chain, author's key, and for a
//! salted or batched document the opening. The file is exactly its own RFC 8785 form, and `digest` covers the rest
//! (`SHA-256("testamur/receipt/v1\n" ‖ JCS without digest)`): a changed byte anywhere is noticed, also in lines that
//! verification would ignore. The digest finds damage; the signatures find lies.
//!
//! **Verdicts.** *Confirmed*: a quorum in office, or proven under a later trusted checkpoint. *Out of office*:
//! everything verifies, but the witnesses' keys are no longer in office, and whoever steals a past quorum's keys could
//! make such a receipt: refresh it; never green. *Not valid*. *Cannot tell*: nothing wrong was found, but what is
//! needed is not there (an unknown network, a missing opening).

mod stencil;

use serde::{Deserialize, Serialize};

use crate::checkpoint::{CertificateError, Certified};
use crate::codec::{self, CodecError, base64_standard, sha256};
use crate::commitment::{DigestAlgorithm, DocumentDigest, Form, Opening};
use crate::did::Did;
use crate::epoch::{EpochError, EpochLink, TrustedEpoch, ValidatorSet};
use crate::hash::{GenesisHash, RecordId, TreeHash};
use crate::header::Header;
use crate::identity::{self, DidEntry};
use crate::key::{Jwk, PublicKey};
use crate::limits::{EPOCH_LINKS_MAX, JSON_INTEGER_MAX, RECEIPT_ANCHORS_MAX, RECEIPT_BYTES_MAX, RECEIPT_DEPTH_MAX};
use crate::merkle::{self, MerkleError};
use crate::record::{Act, Bytes, Record, RecordError};
use crate::state::proof::StateProof;
use crate::trust::TrustFile;
use crate::units::{Height, LogIndex, LogSize, Round, UnixTime};

pub use stencil::{ReceiptStencil, StencilError};

/// A receipt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Format version: 1.
    pub v: u8,
    /// `testamur-receipt`.
    pub r#type: String,
    /// The network it claims.
    pub network: ReceiptNetwork,
    /// The record, a compact JWS: the leaf's bytes.
    pub record: String,
    /// Place of the record in the log.
    pub index: LogIndex,
    /// Path from the leaf to the header's log root.
    pub path: Vec<TreeHash>,
    /// Text of the header of the block that holds the record.
    pub header: String,
    /// The certificate: checkpoint, cosignatures, log signatures. Unknown lines are kept.
    pub note: String,
    /// The validators of the header's epoch.
    pub validators: ValidatorSet,
    /// The epochs from genesis to the header's.
    pub epochs: Vec<EpochLink>,
    /// The author's key.
    pub author: AuthorKey,
    /// What shows the document behind a commitment or in a batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<Opening>,
    /// What carries the receipt past its witnesses' term. Unknown kinds are kept and ignored.
    pub anchors: Vec<serde_json::Value>,
    /// Names of the algorithms used.
    pub algorithms: Algorithms,
    /// SHA-256 over the rest.
    #[serde(default, skip_serializing_if = "Bytes::is_empty")]
    pub digest: Bytes,
}

impl Bytes {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The network a receipt claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptNetwork {
    /// Genesis hash.
    pub genesis: GenesisHash,
    /// Origin.
    pub origin: String,
}

/// The author's key, so that the record can be checked with a stock JOSE library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorKey {
    /// The public key.
    pub jwk: Jwk,
    /// The author's DID document in the state, unless the author is a did:key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<AuthorState>,
}

/// The head of the author's DID document under the header's state root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorState {
    /// Text of the state value `did/<author>/head`.
    pub document: String,
    /// Its proof.
    pub proof: StateProof,
}

/// Names of the algorithms used, so that a reader in twenty years need not guess.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Algorithms {
    /// `rfc6962-sha256`.
    pub tree: String,
    /// `jcs-sha256`.
    pub header: String,
    /// `ed25519-cosignature-v1`.
    pub certificate: String,
}

impl Default for Algorithms {
    fn default() -> Self {
        Self {
            tree: "rfc6962-sha256".into(),
            header: "jcs-sha256".into(),
            certificate: "ed25519-cosignature-v1".into(),
        }
    }
}

/// An anchor of kind `checkpoint`: a later block under whose history root the receipt's header lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointAnchor {
    /// `checkpoint`.
    pub kind: String,
    /// Text of the later header.
    pub header: String,
    /// Its certificate.
    pub note: String,
    /// The epochs from genesis to the later header's.
    pub epochs: Vec<EpochLink>,
    /// Path of the receipt's header (leaf = its hash, index = its height) to the later header's history root.
    pub history: Vec<TreeHash>,
}

/// Why a receipt is not valid, or nothing can be said of it. Codes are stable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Too long.
    #[error("the receipt has {0} bytes, more than a verifier reads")]
    TooLarge(usize),
    /// Not a receipt's JSON, or not canonical.
    #[error("not a receipt: {0}")]
    Malformed(CodecError),
    /// Version, type or algorithms unknown.
    #[error("this receipt is of a format that this version does not know")]
    UnknownFormat,
    /// The digest differs.
    #[error("the receipt was changed after it was made: its digest does not match")]
    Digest,
    /// No trust file for the network.
    #[error(
        "network {0} is not installed here: get its trust file from the network's operators, then run `testamur network add FILE`"
    )]
    UnknownNetwork(GenesisHash),
    /// The origin is not the trusted network's.
    #[error("the origin is not that of the trusted network")]
    Origin,
    /// The header is malformed or of another network.
    #[error("the header is malformed or of another network")]
    Header,
    /// The epoch chain does not hold.
    #[error("{0}")]
    Epoch(EpochError),
    /// The certificate does not hold.
    #[error("{0}")]
    Certificate(CertificateError),
    /// The validators in the receipt are not the trusted ones.
    #[error("the validators in the receipt are not those of the trusted epoch")]
    Validators,
    /// A trusted checkpoint says something else of this height.
    #[error("the receipt contradicts the trust file's checkpoint: report this to the network's operators")]
    Contradiction,
    /// The record is not in the log at that place.
    #[error("the record is not in the log at this place: {0}")]
    Inclusion(MerkleError),
    /// The record itself.
    #[error("{0}")]
    Record(RecordError),
    /// The author's key is not the record's.
    #[error("the author's key in the receipt is not the record's")]
    AuthorKey,
    /// The opening does not fit the record.
    #[error("the opening does not show a document of this record")]
    Opening,
    /// The document differs.
    #[error("the document is not the one that was notarised: its {0} differs")]
    Document(&'static str),
    /// The record notarises nothing.
    #[error("the record does not notarise documents")]
    NotANotarisation,
    /// Commitments without opening.
    #[error(
        "the record holds salted commitments and the receipt no opening: the receipt that the author's gateway gave out has one"
    )]
    OpeningMissing,
}

impl ReceiptError {
    /// Stable slug.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "receipt.too-large",
            Self::Malformed(_) => "receipt.malformed",
            Self::UnknownFormat => "receipt.unknown-format",
            Self::Digest => "receipt.changed",
            Self::UnknownNetwork(_) => "receipt.unknown-network",
            Self::Origin => "receipt.origin",
            Self::Header => "receipt.header",
            Self::Epoch(_) => "receipt.epoch",
            Self::Certificate(CertificateError::NoQuorum { .. }) => "receipt.no-quorum",
            Self::Certificate(_) => "receipt.certificate",
            Self::Validators => "receipt.validators",
            Self::Contradiction => "receipt.contradiction",
            Self::Inclusion(_) => "receipt.inclusion",
            Self::Record(_) => "receipt.record",
            Self::AuthorKey => "receipt.author-key",
            Self::Opening => "receipt.opening",
            Self::Document(_) => "receipt.document-differs",
            Self::NotANotarisation => "receipt.not-a-notarisation",
            Self::OpeningMissing => "receipt.opening-missing",
        }
    }

    /// Whether nothing was found wrong and only something needed is missing.
    pub fn is_cannot_tell(&self) -> bool {
        matches!(self, Self::UnknownNetwork(_) | Self::OpeningMissing | Self::UnknownFormat)
    }
}

/// What a verifier says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A quorum in office witnessed it, or it is proven under a later trusted checkpoint.
    Confirmed(Facts),
    /// It verifies, but its witnesses' keys are no longer in office: refresh the receipt.
    OutOfOffice(Facts),
    /// Something is wrong.
    NotValid(ReceiptError),
    /// Something needed is missing.
    CannotTell(ReceiptError),
}

/// What a verified receipt states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// The record.
    pub record: RecordId,
    /// Who signed it.
    pub author: Did,
    /// The author's reference, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// When: the block's time.
    pub time: UnixTime,
    /// Which block.
    pub height: Height,
    /// Round of its decision.
    #[serde(serialize_with = "round_number")]
    pub round: Round,
    /// Where in the log.
    pub index: LogIndex,
    /// Log size of the checkpoint.
    pub log_size: LogSize,
    /// The network.
    pub network: GenesisHash,
    /// Its origin.
    pub origin: String,
    /// Who witnessed the block.
    pub witnesses: Vec<Witness>,
    /// Validators of the epoch.
    pub validators: usize,
    /// Until when these witnesses' keys are in office.
    pub in_office_until: UnixTime,
    /// Whether a document was compared with the receipt.
    pub document_checked: bool,
    /// Height of the later checkpoint that the receipt is anchored under, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anchored_at: Option<Height>,
}

/// A validator that cosigned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Witness {
    /// Key name.
    pub name: String,
    /// Who runs it.
    pub operator: String,
    /// Its country.
    pub country: String,
}

fn round_number<S: serde::Serializer>(round: &Round, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u32(round.0)
}

impl Receipt {
    /// Reads a receipt file: exactly the canonical bytes, digest checked.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReceiptError> {
        if bytes.len() > RECEIPT_BYTES_MAX {
            return Err(ReceiptError::TooLarge(bytes.len()));
        }
        let receipt: Self = codec::from_canonical_within(bytes, RECEIPT_DEPTH_MAX).map_err(ReceiptError::Malformed)?;
        if !receipt.anchors.iter().all(is_plain) {
            return Err(ReceiptError::Malformed(CodecError::Json(
                "numbers are integers 0 … 2^53-1, names ASCII".into(),
            )));
        }
        if receipt.v != 1 || receipt.r#type != "testamur-receipt" || receipt.algorithms != Algorithms::default() {
            return Err(ReceiptError::UnknownFormat);
        }
        if receipt.digest != receipt.compute_digest() {
            return Err(ReceiptError::Digest);
        }
        if receipt.epochs.len() > EPOCH_LINKS_MAX || receipt.anchors.len() > RECEIPT_ANCHORS_MAX {
            return Err(ReceiptError::TooLarge(bytes.len()));
        }
        Ok(receipt)
    }

    /// Sets the digest and writes the file's bytes.
    pub fn encode(mut self) -> Vec<u8> {
        self.digest = self.compute_digest();
        codec::canonical(&self)
    }

    fn compute_digest(&self) -> Bytes {
        let bare = Self { digest: Bytes(Vec::new()), ..self.clone() };
        Bytes(sha256(&[b"testamur/receipt/v1\n", &codec::canonical(&bare)]).to_vec())
    }

    /// The algorithm a document must be digested with to compare it with this receipt.
    pub fn digest_algorithm(&self) -> Option<DigestAlgorithm> {
        if let Some(opening) = &self.opening {
            return Some(opening.alg);
        }
        match Record::parse(self.record.as_bytes()).ok()?.act() {
            Act::Notarise { alg, .. } => Some(*alg),
            _ => None,
        }
    }

    /// The C2SP `.tlog-proof` of the record in the checkpoint. The data that it proves are the record's bytes.
    pub fn tlog_proof(&self) -> String {
        let mut proof = format!("c2sp.org/tlog-proof@v1\nindex {}\n", self.index);
        for hash in &self.path {
            proof.push_str(&base64_standard(hash.as_bytes()));
            proof.push('\n');
        }
        proof.push('\n');
        proof.push_str(&self.note);
        proof
    }
}

/// Verifies a receipt against a trust file, at a time, with or without the document it is about.
pub fn verify(receipt: &Receipt, document: Option<&DocumentDigest>, trust: &TrustFile, now: UnixTime) -> Verdict {
    match check(receipt, document, trust, now) {
        Ok((facts, true)) => Verdict::Confirmed(facts),
        Ok((facts, false)) => Verdict::OutOfOffice(facts),
        Err(error) if error.is_cannot_tell() => Verdict::CannotTell(error),
        Err(error) => Verdict::NotValid(error),
    }
}

/// Whether every JSON library reads and writes this value alike: RFC 8785 sorts names by UTF-16 and numbers are doubles.
fn is_plain(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Number(number) => number.as_u64().is_some_and(|n| n <= JSON_INTEGER_MAX),
        serde_json::Value::Array(items) => items.iter().all(is_plain),
        serde_json::Value::Object(members) => members.iter().all(|(name, value)| name.is_ascii() && is_plain(value)),
        serde_json::Value::Null => false,
        serde_json::Value::Bool(_) | serde_json::Value::String(_) => true,
    }
}

/// The facts, and whether a quorum in office stands behind them.
fn check(
    receipt: &Receipt,
    document: Option<&DocumentDigest>,
    trust: &TrustFile,
    now: UnixTime,
) -> Result<(Facts, bool), ReceiptError> {
    if receipt.network.genesis != trust.network() {
        return Err(ReceiptError::UnknownNetwork(receipt.network.genesis));
    }
    if receipt.network.origin != trust.origin().as_str() {
        return Err(ReceiptError::Origin);
    }
    let header = Header::decode(receipt.header.as_bytes()).map_err(|_| ReceiptError::Header)?;
    if header.genesis != trust.network() {
        return Err(ReceiptError::Header);
    }
    let (epoch, certified) = certify_header(trust, &header, &receipt.note, &receipt.validators, &receipt.epochs)?;

    let leaf = merkle::leaf_hash(receipt.record.as_bytes());
    merkle::verify_inclusion(leaf, receipt.index.0, header.log_size.0, &receipt.path, header.log_root)
        .map_err(ReceiptError::Inclusion)?;
    let record = Record::parse(receipt.record.as_bytes()).map_err(ReceiptError::Record)?;
    record.check_admission(trust.network(), header.time).map_err(ReceiptError::Record)?;
    check_author(&receipt.author, &record, &header)?;
    check_opening(receipt.opening.as_ref(), record.act(), document)?;

    let anchored = anchor_in_office(receipt, &header, trust, now)?;
    let superseded = trust.pinned().is_some_and(|(_, pinned)| pinned.epoch > epoch.epoch);
    let in_office_until = epoch.validators.in_office_until();
    let in_office = !superseded && now <= in_office_until;
    let facts = Facts {
        record: record.id(),
        author: record.author().clone(),
        reference: reference(record.act()),
        time: header.time,
        height: header.height,
        round: certified.checkpoint.round,
        index: receipt.index,
        log_size: header.log_size,
        network: trust.network(),
        origin: trust.origin().to_string(),
        witnesses: witnesses(&epoch.validators, &certified),
        validators: epoch.validators.validators().len(),
        in_office_until,
        document_checked: document.is_some(),
        anchored_at: anchored,
    };
    Ok((facts, in_office || anchored.is_some()))
}

/// Certifies a header with everything that a file brings for it: epochs, certificate, and the set it names.
pub(crate) fn certify_header(
    trust: &TrustFile,
    header: &Header,
    note: &str,
    validators: &ValidatorSet,
    links: &[EpochLink],
) -> Result<(TrustedEpoch, Certified), ReceiptError> {
    let (epoch, certified) = certify(trust, header, note, links)?;
    if *validators != epoch.validators {
        return Err(ReceiptError::Validators);
    }
    if trust.pinned().is_some_and(|(pinned, _)| pinned.height == header.height && pinned != header) {
        return Err(ReceiptError::Contradiction);
    }
    Ok((epoch, certified))
}

/// Checks the record's signature with the author's key, and that the key is the author's: a did:key names its key, and
/// a DID on the ledger has it in its document, proven under the header's state root. Whether the key might sign at that
/// time was part of the block's validity, which the quorum witnessed.
fn check_author(author: &AuthorKey, record: &Record, header: &Header) -> Result<(), ReceiptError> {
    let key = match &author.state {
        None => record.verify_did_key().map_err(ReceiptError::Record)?,
        Some(AuthorState { document, proof }) => {
            let entry: DidEntry = codec::from_canonical(document.as_bytes()).map_err(|_| ReceiptError::AuthorKey)?;
            let head = identity::keys::did(record.author()).head();
            proof.verify(header.state_root, &head, Some(document.as_bytes())).map_err(|_| ReceiptError::AuthorKey)?;
            let method = entry.method(record.kid().fragment()).ok_or(ReceiptError::AuthorKey)?;
            let key = PublicKey::from_jwk(&method.key).map_err(|_| ReceiptError::AuthorKey)?;
            record.verify_signature(&key).map_err(ReceiptError::Record)?;
            key
        }
    };
    if key.to_jwk() == author.jwk { Ok(()) } else { Err(ReceiptError::AuthorKey) }
}

/// Follows the epochs to the header's and checks its certificate there.
fn certify(
    trust: &TrustFile,
    header: &Header,
    note: &str,
    links: &[EpochLink],
) -> Result<(TrustedEpoch, Certified), ReceiptError> {
    let mut epoch = match trust.pinned() {
        Some((_, pinned)) if pinned.epoch <= header.epoch => pinned.clone(),
        _ => trust.genesis_epoch(),
    };
    for link in links {
        let of = Header::decode(link.header.as_bytes()).map_err(|e| ReceiptError::Epoch(EpochError::Header(e)))?;
        // Links before the pinned epoch are older than what is trusted already.
        if of.epoch >= epoch.epoch {
            epoch = epoch.follow(trust.origin(), link).map_err(ReceiptError::Epoch)?;
        }
    }
    let certified = epoch.certify(trust.origin(), header, note).map_err(|error| match error {
        EpochError::Certificate(error) => ReceiptError::Certificate(error),
        error => ReceiptError::Epoch(error),
    })?;
    Ok((epoch, certified))
}

/// The height of a later checkpoint, by keys in office, under whose history the header lies.
fn anchor_in_office(
    receipt: &Receipt,
    header: &Header,
    trust: &TrustFile,
    now: UnixTime,
) -> Result<Option<Height>, ReceiptError> {
    let mut best = None;
    for anchor in &receipt.anchors {
        if anchor.get("kind").and_then(|k| k.as_str()) != Some("checkpoint") {
            continue;
        }
        let given = anchor;
        let anchor: CheckpointAnchor = serde_json::from_value(given.clone())
            .map_err(|e| ReceiptError::Malformed(CodecError::Json(e.to_string())))?;
        // serde would also take a struct as an array of its members: one spelling only.
        if serde_json::to_value(&anchor).ok().as_ref() != Some(given) {
            return Err(ReceiptError::Malformed(CodecError::NotCanonical));
        }
        let later = Header::decode(anchor.header.as_bytes()).map_err(|_| ReceiptError::Header)?;
        let (epoch, _) = certify(trust, &later, &anchor.note, &anchor.epochs)?;
        let leaf = merkle::leaf_hash(header.hash().as_bytes());
        merkle::verify_inclusion(leaf, header.height.0, later.height.0, &anchor.history, later.history_root)
            .map_err(ReceiptError::Inclusion)?;
        let superseded = trust.pinned().is_some_and(|(_, pinned)| pinned.epoch > epoch.epoch);
        if !superseded && now <= epoch.validators.in_office_until() {
            best = best.max(Some(later.height));
        }
    }
    Ok(best)
}

/// Checks that an opening shows a document of an act, and that it is the given one; without opening, that the act names
/// the document itself.
pub fn check_opening(
    opening: Option<&Opening>,
    act: &Act,
    document: Option<&DocumentDigest>,
) -> Result<(), ReceiptError> {
    let differs = |found: bool, digest: &DocumentDigest| {
        if found { Ok(()) } else { Err(ReceiptError::Document(digest.algorithm().name())) }
    };
    if let Some(opening) = opening {
        let leaf = opening.leaf().ok_or(ReceiptError::Opening)?;
        let shown = match act {
            Act::Notarise { alg, form, entries, .. } => {
                let entry = usize::try_from(opening.index).ok().and_then(|i| entries.get(i));
                opening.path.is_none()
                    && *alg == opening.alg
                    && *form == leaf.form()
                    && entry.is_some_and(|e| e.0 == leaf.entry())
            }
            Act::NotariseBatch { root, count, .. } => opening.verify_batch(*root, *count).is_ok(),
            _ => false,
        };
        if !shown {
            return Err(ReceiptError::Opening);
        }
        return document.map_or(Ok(()), |digest| differs(*digest == leaf.digest, digest));
    }
    let Some(digest) = document else { return Ok(()) };
    match act {
        Act::Notarise { alg, form: Form::Digest, entries, .. } => {
            differs(*alg == digest.algorithm() && entries.iter().any(|e| e.0 == digest.as_bytes()), digest)
        }
        Act::Notarise { form: Form::Commitment, .. } | Act::NotariseBatch { .. } => Err(ReceiptError::OpeningMissing),
        _ => Err(ReceiptError::NotANotarisation),
    }
}

fn reference(act: &Act) -> Option<String> {
    match act {
        Act::Notarise { reference, .. } | Act::NotariseBatch { reference, .. } => {
            reference.as_ref().map(|r| r.as_str().to_owned())
        }
        _ => None,
    }
}

fn witnesses(set: &ValidatorSet, certified: &Certified) -> Vec<Witness> {
    set.validators()
        .iter()
        .filter(|v| certified.witnesses.contains(&v.address))
        .map(|v| Witness { name: v.name.clone(), operator: v.operator.clone(), country: v.country.clone() })
        .collect()
}
