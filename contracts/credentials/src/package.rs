//! The diploma package: one file that verifies with no network, and says how old its status is.
//!
//! ```text
//! { "credential": "<text of the credential>",
//!   "evidence": { … },         the ledger's state: issuer, accreditations, schema, status entries, under one header
//!   "lists": [ "<base64url of zlib of the bits>", … ],
//!   "receipt": { … },          the anchor's receipt (FORMATS "Receipt")
//!   "type": "testamur-diploma-package", "v": 1 }
//! ```
//! Written in RFC 8785 form; read in any spacing and order, except that the receipt is exactly its own RFC 8785 form, as its
//! file is. `evidence`, `lists` and `receipt` may be missing. A list is known by the SHA-256 of its bits, which the evidence
//! has; a list that nothing names is ignored.
//!
//! Reading splits the file into its members once and reads each once, since a verifier takes thousands a second. The diplomas of
//! one graduation come with the same evidence and the same lists, byte for byte, and reading those costs more than all the
//! rest; so what they read as is remembered, and nothing of a credential is. Proofs are checked where they are used, by
//! [`crate::verify`].
//!
//! - INV-PACKAGE-1: what is remembered is found again only if all of its bytes are equal; an answer is the same without.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;
use testamur_primitives::codec::{CodecError, base64url, canonical, from_base64url};
use testamur_primitives::generations::Generations;
use testamur_primitives::limits::{ATTACHMENT_BYTES_MAX, EVIDENCE_BYTES_MAX};
use testamur_primitives::receipt::Receipt;
use testamur_primitives::state::evidence::{Evidence, EvidenceError};

use crate::json;
use crate::limits::{PACKAGE_BYTES_MAX, PACKAGE_LISTS_MAX, PACKAGE_MEMORY_BYTES_MAX};
use crate::presentation::Presentation;
use crate::proofs::{Lists, Proofs};
use crate::refusal::Refusal;

/// The `type` of a package.
pub const TYPE: &str = "testamur-diploma-package";
/// How hard lists are compressed: they are mostly zeros, and the last percent costs most of the time.
const LEVEL: u8 = 6;

/// What bytes read as.
type Remembered<T> = LazyLock<Generations<Arc<[u8]>, T>>;

static EVIDENCE: Remembered<Arc<Evidence>> = LazyLock::new(|| Generations::new(PACKAGE_MEMORY_BYTES_MAX));
static LISTS: Remembered<Lists> = LazyLock::new(|| Generations::new(PACKAGE_MEMORY_BYTES_MAX));

/// What goes into a package. Proofs of elsewhere (`tokens`) do not: they end by themselves.
#[derive(Debug, Clone)]
pub struct Package {
    /// The credential's text.
    pub credential: String,
    /// The anchor's receipt.
    pub receipt: Option<Receipt>,
    /// The ledger's state, and the bits of status lists.
    pub proofs: Proofs,
}

impl Package {
    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let lists = self.proofs.lists.iter().map(|(_, bits)| base64url(&compress_to_vec_zlib(bits, LEVEL)));
        let lists: Vec<_> = lists.collect();
        let mut members = vec![("credential", canonical(&self.credential))];
        members.extend(self.proofs.evidence.as_ref().map(|evidence| ("evidence", evidence.encode())));
        members.extend((!lists.is_empty()).then(|| ("lists", canonical(&lists))));
        members.extend(self.receipt.as_ref().map(|receipt| ("receipt", receipt.clone().encode())));
        members.extend([("type", canonical(&TYPE)), ("v", b"1".to_vec())]);
        let mut file = Vec::new();
        for (name, value) in members {
            file.extend_from_slice(if file.is_empty() { b"{\"" } else { b",\"" });
            file.extend_from_slice(name.as_bytes());
            file.extend_from_slice(b"\":");
            file.extend_from_slice(&value);
        }
        file.push(b'}');
        file
    }
}

/// Reads a package, or any object that has a credential; see [`crate::presentation`].
pub fn read(bytes: &[u8]) -> Result<Presentation, Refusal> {
    if bytes.len() > PACKAGE_BYTES_MAX {
        return Err(Refusal::TooLarge { bytes: bytes.len(), most: PACKAGE_BYTES_MAX });
    }
    let members = json::members(bytes)?;
    let is_package = match members.get("type") {
        Some(name) if *name == canonical(&TYPE) => true,
        // A receipt or an evidence by itself, or somebody else's file.
        Some(_) if members.contains_key("credential") => return Err(Refusal::UnknownFormat("an unknown type of file")),
        Some(_) => return Err(Refusal::NoCredential),
        None => false,
    };
    if is_package && members.get("v").is_none_or(|version| *version != b"1") {
        return Err(Refusal::UnknownFormat("an unknown version of a package"));
    }
    let known = ["credential", "evidence", "lists", "receipt", "type", "v"];
    if is_package && let Some(other) = members.keys().find(|name| !known.contains(&name.as_ref())) {
        return Err(Refusal::Malformed(format!("a package has no member {:?}", json::shown(other))));
    }
    let credential = members.get("credential").ok_or(Refusal::NoCredential)?;
    let credential: Cow<'_, str> =
        serde_json::from_slice(credential).map_err(|_| Refusal::malformed("the member credential is not text"))?;
    let mut presentation = Presentation::of_text(&credential)?;
    presentation.receipt = members.get("receipt").map(|receipt| Receipt::decode(receipt));
    match members.get("evidence").map(|evidence| remembered(&EVIDENCE, evidence, evidence_of)).transpose() {
        Ok(evidence) => presentation.proofs.evidence = evidence,
        Err(error) => presentation.evidence_error = Some(error),
    }
    if let Some(lists) = members.get("lists") {
        presentation.proofs.lists = remembered(&LISTS, lists, lists_of)?;
    }
    Ok(presentation)
}

/// What these bytes read as. An error is found anew each time.
fn remembered<T: Clone, E>(
    memory: &Generations<Arc<[u8]>, T>,
    bytes: &[u8],
    read: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Result<T, E> {
    if let Some(found) = memory.get(bytes) {
        return Ok(found);
    }
    let found = read(bytes)?;
    memory.put(bytes.into(), found.clone(), bytes.len());
    Ok(found)
}

fn evidence_of(bytes: &[u8]) -> Result<Arc<Evidence>, EvidenceError> {
    let refuse = |reason: String| EvidenceError::Malformed(CodecError::Json(reason));
    if bytes.len() > EVIDENCE_BYTES_MAX {
        return Err(refuse(format!("{} bytes are too many", bytes.len())));
    }
    serde_json::from_slice(bytes).map(Arc::new).map_err(|error| refuse(error.to_string()))
}

fn lists_of(bytes: &[u8]) -> Result<Lists, Refusal> {
    let lists: Vec<Cow<'_, str>> =
        serde_json::from_slice(bytes).map_err(|_| Refusal::malformed("lists is not a list of texts"))?;
    if lists.len() > PACKAGE_LISTS_MAX {
        return Err(Refusal::malformed("more lists than a package has"));
    }
    let list = |text: Cow<'_, str>| {
        let zlib = from_base64url(&text).map_err(|_| Refusal::malformed("a list is not unpadded base64url"))?;
        let bits = decompress_to_vec_zlib_with_limit(&zlib, ATTACHMENT_BYTES_MAX);
        bits.map_err(|_| Refusal::Archive("a list is damaged, or unpacks to more than is read"))
    };
    lists.into_iter().map(list).collect()
}
