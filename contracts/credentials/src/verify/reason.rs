//! The reason codes: stable, closed, each with its step, a sentence for a lay person and what to do next.
//!
//! Codes are a format: others act on them. The table in `FORMATS.md` is held true by a test.

use super::{Outcome, StepName};

macro_rules! reasons {
    ($($name:ident $code:literal $step:ident $outcome:ident $sentence:literal $next:literal;)*) => {
        /// Why a step ended as it did.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Reason {
            $(#[doc = $sentence] $name,)*
        }

        impl Reason {
            /// All, in the order of the steps.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Stable code.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// The step it belongs to.
            pub fn step(self) -> StepName {
                match self { $(Self::$name => StepName::$step),* }
            }

            /// What it makes of its step.
            pub fn outcome(self) -> Outcome {
                match self { $(Self::$name => Outcome::$outcome),* }
            }

            /// A sentence for a lay person.
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence),* }
            }

            /// What to do next; empty when there is nothing to do.
            pub fn next(self) -> &'static str {
                match self { $(Self::$name => $next),* }
            }
        }
    };
}

// `Valid` stands for the whole of a valid answer and belongs to no step of its own.
reasons! {
    Valid "valid" Readable Passed
        "This credential is genuine and in force."
        "";
    ReadableOk "readable.ok" Readable Passed
        "The file could be read and is complete."
        "";
    ReadableUnknownFormat "readable.unknown-format" Readable Unknown
        "This is no credential of a format that is known here."
        "Ask for the file that the issuer handed out: a PDF, a package or a credential.";
    ReadableTooLarge "readable.too-large" Readable Unknown
        "The file is larger than anything that is read here."
        "Ask for the file that the issuer handed out.";
    ReadableNoCredential "readable.no-credential" Readable Unknown
        "The file holds no credential."
        "Ask for the electronic original: a copy or a scan has lost what can be checked. Its QR code may still be read.";
    ReadableArchive "readable.archive" Readable Unknown
        "The file is damaged, or unpacks to more than is read here."
        "Ask for the file again.";
    ReadableMalformed "readable.malformed" Readable Failed
        "The credential is damaged or was not made by the rules of its format."
        "Ask for the file again. If it stays so, ask the issuer.";
    ReadableDuplicateMembers "readable.duplicate-members" Readable Failed
        "The credential says the same thing twice, so that it can be read in two ways."
        "Do not rely on it. Ask the issuer.";
    ReadableIncomplete "readable.incomplete" Readable Failed
        "Something that every credential must say is missing."
        "Ask the issuer for a correct one.";
    ReadableDisclosure "readable.disclosure" Readable Failed
        "A disclosed field does not belong to the credential."
        "Do not rely on it. Ask the holder for the original.";
    ReadableSchema "readable.schema" Readable Failed
        "The content does not follow the schema that the credential names."
        "Ask the issuer for a correct one.";
    ReadableSchemaUnknown "readable.schema-unknown" Readable Unknown
        "The schema that the credential names is not on the ledger, or could not be looked up."
        "Ask the issuer which schema it follows.";
    SignatureOk "signature.ok" Signature Passed
        "Nothing was altered since it was signed."
        "";
    SignatureMissing "signature.missing" Signature Failed
        "The signature was taken away."
        "Do not rely on it. Ask for the original.";
    SignatureAlgorithm "signature.algorithm" Signature Failed
        "The signature is of a kind that proves nothing here, or does not fit the issuer's key."
        "Do not rely on it. Ask for the original.";
    SignatureKeyUnknown "signature.key-unknown" Signature Failed
        "The key it says to be signed with is not the issuer's."
        "Do not rely on it. Ask the issuer.";
    SignatureInvalid "signature.invalid" Signature Failed
        "It was altered after it was signed, or never signed by this issuer."
        "Do not rely on it. Ask for the original, or the issuer.";
    SignatureNoProof "signature.no-proof" Signature Unknown
        "The issuer's key is not known here, so the signature could not be checked."
        "Connect to the ledger, or ask for a diploma package.";
    SignatureForeignPrint "signature.foreign-print" Signature Failed
        "The credential inside is genuine; this PDF is not the issuer's."
        "Do not rely on what is printed. Ask for the original PDF, or check the attached credential by itself.";
    SignaturePrintNotBound "signature.print-not-bound" Signature Unknown
        "The credential inside does not vouch for the page around it."
        "Rely on the credential's own fields only, or ask for the issuer's PDF.";
    IssuerOk "issuer.ok" Issuer Passed
        "The issuer is registered on the ledger, and the key was in its hands."
        "";
    IssuerNotRegistered "issuer.not-registered" Issuer Failed
        "Nobody of this identifier is registered on the ledger."
        "Do not rely on it. Ask the institution that it names.";
    IssuerForeignDid "issuer.foreign-did" Issuer Unknown
        "The issuer's identifier is of a kind that this ledger does not register."
        "Check it with the service that the issuer names.";
    IssuerOtherNetwork "issuer.other-network" Issuer Unknown
        "The proofs are of a ledger that is not installed here."
        "Get that network's trust file from its operators, and install it.";
    IssuerEvidence "issuer.evidence" Issuer Unknown
        "The proofs that came with it do not hold."
        "Connect to the ledger, or ask another node.";
    IssuerNoProof "issuer.no-proof" Issuer Unknown
        "Who issued it could not be looked up."
        "Connect to the ledger, or ask for a diploma package.";
    IssuerKeyNotYetValid "issuer.key-not-yet-valid" Issuer Failed
        "The issuer's key was not in use yet when it was issued."
        "Do not rely on it. Ask the issuer.";
    IssuerKeyEnded "issuer.key-ended" Issuer Failed
        "The issuer's key had ended when it was issued."
        "Do not rely on it. Ask the issuer.";
    IssuerKeyEndedUnanchored "issuer.key-ended-unanchored" Issuer Unknown
        "The issuer's key has ended, and nothing shows that this was issued before."
        "Ask for the electronic original with its receipt: the PDF file or the package.";
    IssuerKeyCompromised "issuer.key-compromised" Issuer Failed
        "The issuer declared its key to be in other hands at that time."
        "Do not rely on it. Ask the issuer for a new one.";
    IssuerKeyPurpose "issuer.key-purpose" Issuer Failed
        "The issuer's key is not one for signing credentials."
        "Do not rely on it. Ask the issuer.";
    AccreditationOk "accreditation.ok" Accreditation Passed
        "The issuer was accredited to award this, up to the ministry at the root."
        "";
    AccreditationNotAccredited "accreditation.not-accredited" Accreditation Failed
        "The issuer was never accredited on this ledger."
        "Do not rely on it. Ask the authority that accredits in that country.";
    AccreditationNotInPlace "accreditation.not-in-place" Accreditation Failed
        "The issuer was not accredited yet when it was issued."
        "Ask the issuer, or the authority that accredited it.";
    AccreditationEnded "accreditation.ended" Accreditation Failed
        "The issuer's accreditation had ended when it was issued."
        "Do not rely on it. Ask the authority that accredited it.";
    AccreditationEndedUnanchored "accreditation.ended-unanchored" Accreditation Unknown
        "The issuer's accreditation has ended, and nothing shows that this was issued before."
        "Ask for the electronic original with its receipt: the PDF file or the package.";
    AccreditationDates "accreditation.dates" Accreditation Failed
        "It was issued outside the dates of the issuer's accreditation."
        "Ask the issuer, or the authority that accredited it.";
    AccreditationSchema "accreditation.schema" Accreditation Failed
        "The issuer is accredited, but not for credentials of this schema."
        "Ask the authority that accredited it.";
    AccreditationType "accreditation.type" Accreditation Failed
        "The issuer is accredited, but not for this kind of credential."
        "Ask the authority that accredited it.";
    AccreditationLevel "accreditation.level" Accreditation Failed
        "The issuer is accredited, but not for this level of qualification."
        "Ask the authority that accredited it.";
    AccreditationJurisdiction "accreditation.jurisdiction" Accreditation Failed
        "The issuer is accredited, but not for this country or region."
        "Ask the authority that accredited it.";
    AccreditationChain "accreditation.chain" Accreditation Failed
        "An accreditation above the issuer does not hold."
        "Do not rely on it. Ask the ministry at the root.";
    AccreditationNoProof "accreditation.no-proof" Accreditation Unknown
        "Whether the issuer was accredited could not be looked up."
        "Connect to the ledger, or ask for a diploma package.";
    StatusOk "status.ok" Status Passed
        "It was not withdrawn."
        "";
    StatusNone "status.none" Status Passed
        "Its issuer gave it no place in a list of withdrawn credentials."
        "";
    StatusRevoked "status.revoked" Status Failed
        "The issuer has withdrawn it."
        "Ask the holder or the issuer.";
    StatusSuspended "status.suspended" Status Failed
        "The issuer has suspended it."
        "Ask the holder or the issuer, or check again later.";
    StatusReplaced "status.replaced" Status Failed
        "The issuer has replaced it by another."
        "Ask the holder for the new one.";
    StatusStale "status.stale" Status Unknown
        "It was valid on the date shown; whether it was withdrawn since is not known."
        "Connect to confirm.";
    StatusNoProof "status.no-proof" Status Unknown
        "Whether it was withdrawn could not be looked up."
        "Connect to the ledger, or ask for a newer diploma package.";
    StatusUnknownList "status.unknown-list" Status Unknown
        "The list of withdrawn credentials that it names does not exist."
        "Ask the issuer.";
    StatusIndex "status.index" Status Failed
        "The place that it names is beyond the end of the list of withdrawn credentials."
        "Do not rely on it. Ask the issuer.";
    StatusOtherIssuer "status.other-issuer" Status Failed
        "It points to a list of withdrawn credentials that is not its issuer's."
        "Do not rely on it. Ask the issuer.";
    StatusListMalformed "status.list-malformed" Status Unknown
        "The list of withdrawn credentials cannot be read."
        "Ask the issuer.";
    StatusListTooLarge "status.list-too-large" Status Unknown
        "The list of withdrawn credentials unpacks to more than is read here."
        "Ask the issuer.";
    StatusListTooShort "status.list-too-short" Status Unknown
        "The list of withdrawn credentials is too short to keep anybody's privacy."
        "Ask the issuer.";
    StatusListSignature "status.list-signature" Status Unknown
        "The list of withdrawn credentials is not signed by the issuer."
        "Ask the issuer.";
    StatusListExpired "status.list-expired" Status Unknown
        "The list of withdrawn credentials is out of date."
        "Fetch it again, or ask the issuer.";
    StatusListNotYetValid "status.list-not-yet-valid" Status Unknown
        "The list of withdrawn credentials is dated in the future."
        "Check this machine's clock, or ask the issuer.";
    StatusListOther "status.list-other" Status Unknown
        "The list at hand is another one than the credential names."
        "Fetch the right one, or ask the issuer.";
    AnchorOk "anchor.ok" Anchor Passed
        "The ledger witnessed it at the time shown."
        "";
    AnchorNone "anchor.none" Anchor Passed
        "It came without a receipt of the ledger, and does not need one while its issuer's key and accreditation are in force."
        "";
    AnchorOtherDocument "anchor.other-document" Anchor Failed
        "The receipt that came with it is of something else."
        "Do not rely on it. Ask for the original.";
    AnchorOtherNetwork "anchor.other-network" Anchor Unknown
        "The receipt is of a ledger that is not installed here."
        "Get that network's trust file from its operators, and install it.";
    AnchorInvalid "anchor.invalid" Anchor Failed
        "The receipt that came with it does not hold."
        "Do not rely on it. Ask for the original.";
    AnchorUnconfirmed "anchor.unconfirmed" Anchor Unknown
        "The receipt's witnesses are no longer in office."
        "Refresh the receipt, or ask the issuer for a newer package.";
    AnchorIncomplete "anchor.incomplete" Anchor Unknown
        "The receipt lacks the part that shows this credential."
        "Ask the issuer for the receipt that belongs to it.";
    AnchorOtherAuthor "anchor.other-author" Anchor Failed
        "The receipt that came with it was not made by the issuer."
        "Do not rely on it. Ask for the original.";
    AnchorAfter "anchor.after" Anchor Failed
        "It did not exist at the time asked about."
        "Choose a later time.";
    DatesOk "dates.ok" Dates Passed
        "It is within its dates."
        "";
    DatesExpired "dates.expired" Dates Failed
        "It has expired."
        "Ask the holder for a renewed one.";
    DatesNotYetValid "dates.not-yet-valid" Dates Failed
        "It is not valid yet."
        "Check again from the date shown.";
    DatesInverted "dates.inverted" Dates Failed
        "Its end lies before its beginning."
        "Ask the issuer for a correct one.";
    HolderBound "holder.bound" Holder Passed
        "It was issued to the key of a wallet."
        "Ask the holder to show it from that wallet.";
    HolderKey "holder.key" Holder Failed
        "The holder's key that it names is no key."
        "Ask the issuer for a correct one.";
    HolderProof "holder.proof" Holder Failed
        "The holder's proof that came with it does not hold."
        "Ask the holder to show it again, from the wallet that it was issued to.";
    HolderUnbound "holder.unbound" Holder Passed
        "It is bound to no wallet."
        "Compare name and birth date with an identity document.";
}

impl Reason {
    /// The reason of a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.code() == code)
    }
}

/// The table of all reasons in Markdown, as `FORMATS.md` has it.
pub fn table() -> String {
    let mut table =
        String::from("| code | step | makes of it | in words | what next |\n| --- | --- | --- | --- | --- |\n");
    for reason in Reason::ALL {
        let (step, outcome) = match (reason, reason.outcome()) {
            (Reason::Valid, _) => ("–".to_owned(), "valid"),
            (_, Outcome::Passed) => (reason.step().number().to_string(), "passed"),
            (_, Outcome::Failed) => (reason.step().number().to_string(), "failed"),
            (_, Outcome::Unknown) => (reason.step().number().to_string(), "unknown"),
            (_, Outcome::NotChecked) => unreachable!("no reason of its own leaves a step unchecked"),
        };
        let row = format!("| `{}` | {step} | {outcome} | {} | {} |\n", reason.code(), reason.sentence(), reason.next());
        table.push_str(&row);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_again_and_belong_to_their_steps() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.code()), Some(*reason));
            let step = reason.code().split_once('.').map_or("valid", |(step, _)| step);
            let name = serde_json::to_value(reason.step()).unwrap();
            assert!(*reason == Reason::Valid || name == step, "{} belongs to {name}", reason.code());
            let good = reason.outcome() == Outcome::Passed;
            assert!(good || !reason.next().is_empty(), "{}: whoever reads it wants to know what to do", reason.code());
            assert!(reason.sentence().ends_with('.'), "{}", reason.code());
        }
        assert_eq!(Reason::from_code("valid.not"), None);
    }

    #[test]
    fn every_step_can_end_in_every_way_that_matters() {
        for step in StepName::ALL {
            let with = |outcome| Reason::ALL.iter().any(|r| r.step() == step && r.outcome() == outcome);
            assert!(with(Outcome::Passed) && with(Outcome::Failed), "{step:?}");
        }
    }

    #[test]
    fn the_documented_table_is_this_one() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../FORMATS.md");
        let text = std::fs::read_to_string(path).unwrap();
        let (_, rest) =
            text.split_once("<!-- reasons: written by `verify::reason::table` -->\n").expect("the first marker");
        let (found, _) = rest.split_once("<!-- end of reasons -->").expect("the second marker");
        assert_eq!(found.trim(), table().trim(), "put this between the markers:\n{}", table());
    }
}
