//! Signed notes and verifier keys (C2SP signed-note v1.0.0).
//!
//! A note is a text that ends in a newline, an empty line, and signature lines
//! `— <key name> base64(4-byte key id ‖ signature)`. Lines of unknown keys are kept and ignored.

use core::fmt;
use core::str::FromStr;

use crate::codec::{self, sha256};
use crate::limits::{NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX};

/// Signature type of a log's Ed25519 signature over the text itself.
pub const TYPE_ED25519: u8 = 0x01;
/// Signature type of an Ed25519 `cosignature/v1` (C2SP tlog-cosignature).
pub const TYPE_COSIGNATURE_V1: u8 = 0x04;

/// Why bytes are not a signed note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not UTF-8, control characters, too long.
    #[error("not a signed note: control characters, or too long")]
    Text,
    /// No empty line between text and signatures, or no newline at the end.
    #[error("not a signed note: text and signatures must be parted by an empty line")]
    Structure,
    /// A malformed signature line.
    #[error("not a signed note: malformed signature line")]
    Line,
    /// A malformed verifier key.
    #[error("not a verifier key: expected <name>+<8 hex digits>+<base64>")]
    VerifierKey,
}

/// First four bytes of SHA-256(name ‖ "\n" ‖ type ‖ public key).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 4]);

impl KeyId {
    /// Computes the id of a key.
    pub fn compute(name: &str, signature_type: u8, key: &[u8]) -> Self {
        let hash = sha256(&[name.as_bytes(), b"\n", &[signature_type], key]);
        Self([hash[0], hash[1], hash[2], hash[3]])
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A verifier key: `<name>+<key id>+base64(type ‖ key)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    /// Key name.
    pub name: String,
    /// Signature type.
    pub signature_type: u8,
    /// Ed25519 public key.
    pub key: [u8; 32],
}

impl VerifierKey {
    /// Its key id.
    pub fn id(&self) -> KeyId {
        KeyId::compute(&self.name, self.signature_type, &self.key)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let material = [&[self.signature_type], self.key.as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id().0), codec::base64_standard(&material))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;
    fn from_str(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(material)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::VerifierKey);
        };
        let material = codec::from_base64_standard(material).map_err(|_| NoteError::VerifierKey)?;
        let (&signature_type, key) = material.split_first().ok_or(NoteError::VerifierKey)?;
        let key = key.try_into().map_err(|_| NoteError::VerifierKey)?;
        let verifier = Self { name: name.to_owned(), signature_type, key };
        if !is_key_name(name) || hex::encode(verifier.id().0) != id {
            return Err(NoteError::VerifierKey);
        }
        Ok(verifier)
    }
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureLine {
    /// Key name.
    pub name: String,
    /// Key id.
    pub id: KeyId,
    /// What follows the key id.
    pub signature: Vec<u8>,
}

impl SignatureLine {
    /// A `cosignature/v1` line: 8 bytes of time, 64 bytes of Ed25519.
    pub fn cosignature(name: &str, key: &[u8; 32], time: u64, signature: &[u8; 64]) -> Self {
        let mut timestamped = time.to_be_bytes().to_vec();
        timestamped.extend_from_slice(signature);
        Self { name: name.into(), id: KeyId::compute(name, TYPE_COSIGNATURE_V1, key), signature: timestamped }
    }

    /// A log's signature line.
    pub fn log(name: &str, key: &[u8; 32], signature: &[u8; 64]) -> Self {
        Self { name: name.into(), id: KeyId::compute(name, TYPE_ED25519, key), signature: signature.to_vec() }
    }
}

/// A text with signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The text, ending in a newline.
    pub text: String,
    /// The signature lines.
    pub signatures: Vec<SignatureLine>,
}

impl Note {
    /// Reads a note. What parses formats to the same bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::Text);
        }
        let note = core::str::from_utf8(bytes).map_err(|_| NoteError::Text)?;
        if note.bytes().any(|b| b < 0x20 && b != b'\n') {
            return Err(NoteError::Text);
        }
        let split = note.rfind("\n\n").ok_or(NoteError::Structure)?;
        let (text, lines) = (&note[..=split], &note[split + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Structure)?;
        let signatures: Vec<_> =
            lines.split('\n').take(NOTE_SIGNATURES_MAX + 1).map(parse_line).collect::<Result<_, _>>()?;
        if signatures.len() > NOTE_SIGNATURES_MAX {
            return Err(NoteError::Line);
        }
        Ok(Self { text: text.to_owned(), signatures })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for line in &self.signatures {
            let body = [&line.id.0, line.signature.as_slice()].concat();
            writeln!(f, "— {} {}", line.name, codec::base64_standard(&body))?;
        }
        Ok(())
    }
}

fn parse_line(line: &str) -> Result<SignatureLine, NoteError> {
    let (name, body) = line.strip_prefix("— ").and_then(|l| l.split_once(' ')).ok_or(NoteError::Line)?;
    let body = codec::from_base64_standard(body).map_err(|_| NoteError::Line)?;
    let (id, signature) = body.split_first_chunk::<4>().ok_or(NoteError::Line)?;
    if !is_key_name(name) || signature.is_empty() {
        return Err(NoteError::Line);
    }
    Ok(SignatureLine { name: name.to_owned(), id: KeyId(*id), signature: signature.to_vec() })
}

/// Non-empty, no white space, no plus sign.
fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c == '+')
}
