//! Cases of `tests/vectors` about the formats, and what the contracts say of them. Read from here by the contracts' own tests as
//! well, without the node and its tests: nothing but `testamur-primitives` is needed.

use serde::{Deserialize, Serialize};
use testamur_primitives::codec::sha256;
use testamur_primitives::commitment::{DigestAlgorithm, DocumentDigest};
use testamur_primitives::did::Did;
use testamur_primitives::epoch::ValidatorSet;
use testamur_primitives::equivocation::{Equivocation, EquivocationError};
use testamur_primitives::genesis::Origin;
use testamur_primitives::hash::{GenesisHash, RecordId, TreeHash};
use testamur_primitives::identity;
use testamur_primitives::issuers::chain::{TrustChain, Walk, accredited, trust_chain};
use testamur_primitives::key::Jwk;
use testamur_primitives::receipt::{Receipt, Verdict, verify};
use testamur_primitives::record::Record;
use testamur_primitives::state::StateError;
use testamur_primitives::state::evidence::{Evidence, NotProven};
use testamur_primitives::status::StatusVersion;
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::UnixTime;

/// One receipt and what every verifier must say of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReceiptCase {
    /// What is special about it; also its file's name.
    pub name: String,
    /// The receipt's file.
    pub receipt: String,
    /// The document it is checked with, in standard base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// The trust file.
    pub trust: String,
    /// When it is checked.
    pub at: u64,
    /// Exit code of a verifier.
    pub exit: i32,
    /// `confirmed`, `out-of-office`, or the error's slug.
    pub code: String,
}

/// A record that verifies.
#[derive(Serialize, Deserialize)]
pub struct GoodRecord {
    /// What is special about it.
    pub what: String,
    /// The compact JWS.
    pub record: String,
    /// Its id.
    pub id: RecordId,
    /// The hash of its leaf.
    pub leaf_hash: TreeHash,
    /// The author's key.
    pub jwk: Jwk,
}

/// A record that is refused at some door: form, signature or admission.
#[derive(Serialize, Deserialize)]
pub struct BadRecord {
    /// What is wrong.
    pub what: String,
    /// Its bytes in standard base64.
    pub bytes: String,
    /// The code.
    pub code: String,
}

/// `records.json`.
#[derive(Serialize, Deserialize)]
pub struct RecordsFile {
    /// The network they are for.
    pub network: GenesisHash,
    /// The time of the block.
    pub time: u64,
    /// Those that are admitted.
    pub good: Vec<GoodRecord>,
    /// Those that are not.
    pub bad: Vec<BadRecord>,
}

/// Evidence, a question, and the answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EvidenceCase {
    /// What is special about it; also its file's name.
    pub name: String,
    /// The evidence's file.
    pub evidence: String,
    /// The trust file.
    pub trust: String,
    /// `did`, `issuer` or `chain`; none for the evidence alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// The DID or attribute asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The time asked about.
    pub at: u64,
    /// Exit code of a verifier.
    pub exit: i32,
    /// `holds`, `registered`, `absent`, or the slug of the refusal.
    pub code: String,
}

/// The tokens of a status list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TokensFile {
    /// `public_base` of the network.
    pub public_base: String,
    /// The issuer.
    pub issuer: Did,
    /// The record's `status`.
    pub status: StatusVersion,
    /// The entries that are set; all others are not.
    pub set: Vec<u64>,
    /// The issuer's key.
    pub jwk: Jwk,
    /// SHA-256 of each token, in the order status_list_2021, bitstring, token, and its length.
    pub tokens: Vec<(String, usize)>,
}

/// One signature.
#[derive(Serialize, Deserialize)]
pub struct SignatureCase {
    /// How it was made.
    pub what: String,
    /// Public key, hex.
    pub key: String,
    /// Message, hex.
    pub message: String,
    /// Signature, hex.
    pub signature: String,
    /// Whether the strict rule accepts it.
    pub valid: bool,
}

/// Exit code and slug, as `testamur verify` and verify.py give them.
pub fn judge_receipt(bytes: &[u8], document: Option<&[u8]>, trust: &TrustFile, at: u64) -> (i32, String) {
    let receipt = match Receipt::decode(bytes) {
        Ok(receipt) => receipt,
        Err(error) => return (if error.is_cannot_tell() { 4 } else { 3 }, error.code().to_owned()),
    };
    let digest = document.map(|document| {
        assert!(matches!(receipt.digest_algorithm(), None | Some(DigestAlgorithm::Sha2_256)), "vectors use SHA-256");
        let digest = DocumentDigest::new(DigestAlgorithm::Sha2_256, sha256(&[document]).to_vec());
        digest.expect("32 bytes")
    });
    match verify(&receipt, digest.as_ref(), trust, UnixTime(at)) {
        Verdict::Confirmed(_) => (0, "confirmed".into()),
        Verdict::OutOfOffice(_) => (5, "out-of-office".into()),
        Verdict::NotValid(error) => (3, error.code().into()),
        Verdict::CannotTell(error) => (4, error.code().into()),
    }
}

/// What a question over evidence gives: exit code and slug. This is what `registries.py` must say, too.
pub fn judge_evidence(bytes: &[u8], trust: &TrustFile, case: &EvidenceCase) -> (i32, String) {
    let state = match Evidence::decode(bytes).and_then(|evidence| evidence.verify(trust)) {
        Ok(state) => state,
        Err(error) => {
            let code = error.code();
            let unknown = matches!(code, "receipt.unknown-network" | "evidence.unknown-format");
            return (if unknown { 4 } else { 3 }, code.to_owned());
        }
    };
    let at = UnixTime(case.at);
    let subject = case.subject.as_deref().unwrap_or_default();
    match case.question.as_deref() {
        None => (0, "holds".into()),
        Some("did") => match identity::as_of(&state, &subject.parse().expect("a DID"), at) {
            Ok(Some(_)) => (0, "registered".into()),
            Ok(None) => (0, "absent".into()),
            Err(error) => unproven(&error),
        },
        Some("issuer") => walked(accredited(&state, &subject.parse().expect("a DID"), None, at)),
        Some("chain") => walked(trust_chain(&state, subject.parse().expect("an attribute"), at)),
        Some(other) => panic!("no such question: {other}"),
    }
}

fn unproven(error: &StateError<NotProven>) -> (i32, String) {
    match error {
        StateError::Store(NotProven(_)) => (4, "evidence.not-proven".into()),
        StateError::Damaged { .. } => panic!("proven values are well-formed: {error}"),
    }
}

fn walked(walk: Walk<TrustChain, NotProven>) -> (i32, String) {
    match walk {
        Ok(Ok(_)) => (0, "holds".into()),
        Ok(Err(refusal)) => (3, refusal.code().into()),
        Err(error) => unproven(&error),
    }
}

/// The code with which a record is refused at a time; `None` when it is admitted.
pub fn judge_record(bytes: &[u8], network: GenesisHash, time: u64) -> Option<String> {
    let checked = Record::parse(bytes).and_then(|record| {
        record.check_admission(network, UnixTime(time))?;
        record.verify_did_key()
    });
    checked.err().map(|error| error.code().0.to_owned())
}

/// Why something proves nothing, in the file's words; none when it proves what it says.
pub fn judge_equivocation(proof: &Equivocation, origin: &Origin, set: &ValidatorSet) -> Option<&'static str> {
    Some(match proof.verify(origin, set).err()? {
        EquivocationError::Form(_) => "form",
        EquivocationError::Network => "network",
        EquivocationError::Key => "key",
        EquivocationError::Same => "same",
        EquivocationError::Signature(_) => "signature",
    })
}
