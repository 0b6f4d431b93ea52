//! Step 2: not altered since the issuer signed it; and of a PDF, that the page is the issuer's, too.

use std::sync::Arc;

use serde_json::{Value, json};
use testamur_primitives::key::KeyError;

use super::memory::View;
use super::{Found, Reason};
use crate::credential::Credential;
use crate::print::{Print, PrintDigest};

/// What the step found.
pub(super) struct Signed {
    /// Reason and evidence.
    pub(super) found: Found,
    /// Whether the issuer's key has verifiably signed the credential.
    pub(super) verified: bool,
}

pub(super) fn check(credential: &Credential, print: &Print, view: Option<&View>) -> Signed {
    let fragment = credential.kid.fragment();
    let evidence = || Arc::new(json!({ "alg": format!("{:?}", credential.jws.alg), "kid": credential.kid }));
    let not = |reason| Signed { found: (reason, evidence()), verified: false };
    if credential.kid.did() != credential.issuer {
        return not(Reason::SignatureKeyUnknown);
    }
    let message = credential.jws.signing_input.as_bytes();
    let verified = match view.map(|view| &view.documents) {
        Some(Ok(documents)) => match (&documents.newest, view.and_then(|view| view.key(fragment))) {
            // Nobody of this name is registered: that is the next step's to say.
            (None, _) => return not(Reason::SignatureNoProof),
            (Some(_), None) => return not(Reason::SignatureKeyUnknown),
            (Some(_), Some(key)) => key.ready.verify(credential.jws.alg, message, &credential.jws.signature),
        },
        // Somebody else's network, or no proof. A did:key has its key in its name: a lie is told even so.
        Some(Err(_)) | None => {
            match credential.kid.to_key().map(|key| key.verify(credential.jws.alg, message, &credential.jws.signature))
            {
                Ok(verified) => verified,
                Err(_) => return not(Reason::SignatureNoProof),
            }
        }
    };
    match verified {
        Err(KeyError::WrongAlgorithm) => return not(Reason::SignatureAlgorithm),
        Err(KeyError::BadPublicKey | KeyError::BadSignature) => return not(Reason::SignatureInvalid),
        Ok(()) => {}
    }
    let reason = printed(credential, print);
    let verified = reason != Reason::SignatureForeignPrint;
    Signed { found: (reason, evidence()), verified }
}

/// INV-PRINT-1: a page counts as the issuer's only when it is the one that the credential names.
fn printed(credential: &Credential, print: &Print) -> Reason {
    let Print::Pdf { digest, whole } = print else { return Reason::SignatureOk };
    let named = credential.subject.get("print").cloned().unwrap_or(Value::Null);
    match serde_json::from_value::<PrintDigest>(named) {
        Err(_) => Reason::SignaturePrintNotBound,
        Ok(named) if named == *digest && *whole => Reason::SignatureOk,
        Ok(_) => Reason::SignatureForeignPrint,
    }
}
