//! From a file to reports, without any network: opened, read, and verified with the proofs that came along or are handed in.

use std::sync::Arc;

use serde::Serialize;
use testamur_credentials::presentation::{self, Presentation};
use testamur_credentials::print::Print;
use testamur_credentials::proofs::Proofs;
use testamur_credentials::refusal::Refusal;
use testamur_credentials::verify::{Policy, Presented, Reason, Report, Verdict, Verifier};
use testamur_primitives::hash::GenesisHash;
use testamur_primitives::receipt::Receipt;
use testamur_primitives::trust::TrustFile;

use crate::{OpenError, open};

/// A credential of a file, or why there is none.
#[derive(Debug)]
pub struct Found {
    /// Where in a container it was; none when the file is the credential.
    pub name: Option<String>,
    /// The credential with what came along, the receipt that lay beside it included.
    pub presented: Result<Presentation, Refusal>,
    /// The PDF that it came in.
    pub print: Print,
}

impl Found {
    fn refused(name: Option<String>, refusal: Refusal) -> Self {
        Self { name, presented: Err(refusal), print: Print::None }
    }

    /// The network that what came with it is of, by its own word.
    pub fn network(&self) -> Option<GenesisHash> {
        let presented = self.presented.as_ref().ok()?;
        let evidence = presented.proofs.evidence.as_ref().map(|evidence| evidence.network.genesis);
        let receipt = presented.receipt.as_ref().and_then(|receipt| receipt.as_ref().ok());
        evidence.or_else(|| receipt.map(|receipt| receipt.network.genesis))
    }
}

/// Everything in a file that can be verified, at least one. `receipt`: the one that was handed in beside the file, which counts
/// where the file itself has none.
pub fn find(bytes: &[u8], receipt: Option<&[u8]>) -> Vec<Found> {
    let opened = match open(bytes) {
        Ok(opened) => opened,
        Err(error) => return vec![Found::refused(None, refusal_of(&error))],
    };
    let mut all = Vec::new();
    for item in opened.items {
        let name = (!item.name.is_empty()).then_some(item.name);
        let mut presented = presentation::read(&item.bytes);
        if let Ok(presented) = &mut presented
            && presented.receipt.is_none()
        {
            presented.receipt = item.receipt.as_deref().or(receipt).map(Receipt::decode);
        }
        all.push(Found { name, presented, print: item.print });
    }
    all.extend(opened.refused.into_iter().map(|(name, error)| Found::refused(Some(name), refusal_of(&error))));
    if all.is_empty() {
        all.push(Found::refused(None, Refusal::NoCredential));
    }
    all
}

fn refusal_of(error: &OpenError) -> Refusal {
    use testamur_credentials::limits::FILE_BYTES_MAX;
    match error {
        OpenError::TooLarge(bytes) => Refusal::TooLarge { bytes: *bytes, most: FILE_BYTES_MAX },
        OpenError::NoCredential => Refusal::NoCredential,
        OpenError::Container(_) => Refusal::Archive("the container is damaged, encrypted or out of bounds"),
    }
}

/// The verifiers of the networks that are trusted here.
#[derive(Debug)]
pub struct Verifiers {
    /// At least one; the first is asked where nothing says which network it is about.
    all: Vec<Verifier>,
    /// The trust file of each.
    trusted: Vec<Arc<TrustFile>>,
}

impl Verifiers {
    /// One for each trust file, in order of preference.
    ///
    /// # Panics
    /// Without any: nobody would be trusted.
    pub fn new(trusted: impl IntoIterator<Item = Arc<TrustFile>>) -> Self {
        let trusted: Vec<_> = trusted.into_iter().collect();
        assert!(!trusted.is_empty(), "a verification needs a trust file");
        Self { all: trusted.iter().map(|trust| Verifier::new(Arc::clone(trust))).collect(), trusted }
    }

    /// All, in order of preference.
    pub fn all(&self) -> &[Verifier] {
        &self.all
    }

    /// The trust file of each, in the same order.
    pub fn trusted(&self) -> &[Arc<TrustFile>] {
        &self.trusted
    }

    /// The one to ask about something.
    pub fn of(&self, found: &Found) -> &Verifier {
        let network = found.network();
        let of_network = self.all.iter().find(|verifier| Some(verifier.trust().network()) == network);
        of_network.unwrap_or(&self.all[0])
    }

    /// Verifies with the proofs that came along.
    pub fn judge(&self, found: &Found, policy: &Policy) -> Named {
        self.named(found, Presented::new(found.presented.as_ref(), &found.print), policy)
    }

    /// Verifies with these proofs in place of those that came along.
    pub fn judge_with(&self, found: &Found, proofs: &Proofs, policy: &Policy) -> Named {
        self.named(found, Presented::new(found.presented.as_ref(), &found.print).with_proofs(proofs), policy)
    }

    fn named(&self, found: &Found, presented: Presented<'_>, policy: &Policy) -> Named {
        Named { name: found.name.clone(), report: self.of(found).verify(&presented, policy) }
    }
}

/// A credential of a file, judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Named {
    /// Where in a container it was; none when the file is the credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What is said of it.
    #[serde(flatten)]
    pub report: Report,
}

/// The answer to one file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// The worst verdict of its reports: *not valid* before *cannot tell* before *valid*.
    pub verdict: Verdict,
    /// The reason of that report.
    pub reason: Reason,
    /// All reports, in the order of the file; at least one.
    pub reports: Vec<Named>,
}

impl Answer {
    /// The answer to a file of these reports.
    ///
    /// # Panics
    /// Without reports: every file has at least one, if only that it could not be read.
    pub fn new(reports: Vec<Named>) -> Self {
        let (verdict, reason) = worst(reports.iter().map(|named| (named.report.verdict, named.report.reason)))
            .expect("a file has a report");
        Self { verdict, reason, reports }
    }
}

/// The first of the worst among some answers.
pub fn worst(all: impl IntoIterator<Item = (Verdict, Reason)>) -> Option<(Verdict, Reason)> {
    let weight = |verdict| match verdict {
        Verdict::Valid => 0,
        Verdict::CannotTell => 1,
        Verdict::NotValid => 2,
    };
    all.into_iter().reduce(|worst, next| if weight(next.0) > weight(worst.0) { next } else { worst })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_worst_decides() {
        let (good, bad, odd) = (
            (Verdict::Valid, Reason::Valid),
            (Verdict::NotValid, Reason::StatusRevoked),
            (Verdict::CannotTell, Reason::StatusStale),
        );
        assert_eq!(worst([good, odd, good]), Some(odd));
        assert_eq!(worst([odd, bad, (Verdict::NotValid, Reason::DatesExpired), good]), Some(bad));
        assert_eq!(worst([]), None);
    }

    #[test]
    fn every_file_has_something_to_say_of() {
        for bytes in [&b""[..], b"%PDF-1.7", b"PK\x03\x04", b"{}", b"not a credential", &[0xff; 64]] {
            let found = find(bytes, None);
            assert!(!found.is_empty() && found.iter().all(|found| found.presented.is_err()), "{bytes:?}");
        }
    }
}
