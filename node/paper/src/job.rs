//! What is printed.

use serde_json::{Map, Value};
use testamur_credentials::content::Text;

/// Who issues: from the university's own settings and the ledger, never from the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// Legal names, the first one large.
    pub names: Vec<Text>,
    /// Its DID.
    pub did: String,
    /// Its logo, a PNG.
    pub logo: Option<Vec<u8>>,
}

/// One print.
#[derive(Debug, Clone, Copy)]
pub struct PrintJob<'a> {
    /// What the credential attests: the members of its subject (`print` and `id` are ignored).
    pub content: &'a Map<String, Value>,
    /// Who issues it.
    pub issuer: &'a Issuer,
    /// Language of the fixed texts, a BCP 47 tag: `en`, `fr` or `de`; others are printed in English.
    pub language: &'a str,
    /// The heading, when it is not to be the usual word ("Diploma", "Certificate") in that language.
    pub heading: Option<&'a str>,
    /// The compact credential, as the QR code shall hold it.
    pub compact: &'a str,
}
