//! What somebody hands in, read: a credential by itself, a package, or a link. Containers (PDF, zip) are opened by others.
//!
//! | what | told by |
//! | --- | --- |
//! | package ([`crate::package`]) | a JSON object with `"type": "testamur-diploma-package"` |
//! | `{"credential": "…"}`, with a `receipt` or without | a JSON object with the member `credential` |
//! | a link ([`crate::link`]) | `https://` or `http://` |
//! | the text of a credential of any format | everything else; also in quotes, as an API answers it |
//!
//! Line breaks that a mail program laid into a text are taken out: no format has white space in it.

use testamur_primitives::receipt::{Receipt, ReceiptError};
use testamur_primitives::state::evidence::EvidenceError;

use crate::credential::Credential;
use crate::format::{self, sdjwt};
use crate::limits::{CREDENTIAL_BYTES_MAX, FILE_BYTES_MAX, PACKAGE_BYTES_MAX};
use crate::link;
use crate::package;
use crate::proofs::Proofs;
use crate::refusal::Refusal;

/// What was handed in.
#[derive(Debug, Clone)]
pub struct Presentation {
    /// The credential, read.
    pub credential: Credential,
    /// Its text.
    pub text: String,
    /// The key-binding JWT of an SD-JWT, not looked at: a diploma is shown by people, to people.
    pub key_binding: Option<String>,
    /// The receipt that came with it, or why it is none: a credential with a broken receipt is not one without.
    pub receipt: Option<Result<Receipt, ReceiptError>>,
    /// The proofs that came with it.
    pub proofs: Proofs,
    /// Why the evidence that came with it is none.
    pub evidence_error: Option<EvidenceError>,
}

impl Presentation {
    /// A credential that came by itself.
    pub fn of_text(text: &str) -> Result<Self, Refusal> {
        let mut text = text.to_owned();
        if text.contains(|letter: char| letter.is_ascii_whitespace()) {
            text.retain(|letter| !letter.is_ascii_whitespace());
        }
        Ok(Self {
            credential: format::parse(&text)?,
            key_binding: sdjwt::key_binding(&text).map(str::to_owned),
            text,
            receipt: None,
            proofs: Proofs::default(),
            evidence_error: None,
        })
    }
}

/// Reads what was handed in.
pub fn read(bytes: &[u8]) -> Result<Presentation, Refusal> {
    let too_large = |most| Refusal::TooLarge { bytes: bytes.len(), most };
    if bytes.len() > FILE_BYTES_MAX {
        return Err(too_large(FILE_BYTES_MAX));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii();
    if bytes.first() == Some(&b'{') {
        return if bytes.len() > PACKAGE_BYTES_MAX { Err(too_large(PACKAGE_BYTES_MAX)) } else { package::read(bytes) };
    }
    // White space is no part of the text: a quarter of it would be a line break after three characters.
    if bytes.len() > 2 * CREDENTIAL_BYTES_MAX {
        return Err(too_large(2 * CREDENTIAL_BYTES_MAX));
    }
    let text = str::from_utf8(bytes).map_err(|_| Refusal::UnknownFormat("neither text nor JSON"))?;
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if link::is_link(text) {
        return Presentation::of_text(&link::parse(text)?);
    }
    Presentation::of_text(text)
}
