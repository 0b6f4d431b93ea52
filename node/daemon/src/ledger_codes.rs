//! The codes of the ledger's rules, for the API's documentation. Those of records stand in the API itself.

use testamur_api::RejectionCode;

const fn code(code: &'static str, number: u16, description: &'static str) -> RejectionCode {
    RejectionCode { code, number, description }
}

/// Codes of everything that the rules refuse, in order of their numbers.
pub(crate) const LEDGER_CODES: &[RejectionCode] = &[
    code("admission.duplicate", 150, "The record, or the author's jti, is on the ledger already."),
    code("notary.not-a-writer", 200, "The author may not write here: the network's operators grant the role."),
    code("notary.writer-revoked", 201, "The author's role was taken away."),
    code("dossier.unknown", 220, "No such dossier: its id is that of the record that opened it."),
    code("dossier.not-an-owner", 221, "The author does not own the dossier now: an owner can add it."),
    code(
        "dossier.stale",
        222,
        "The dossier was changed meanwhile: read it, and sign anew with its newest record as prev.",
    ),
    code("dossier.owner", 223, "The owner is there already, is not there, or is the last one."),
    code("dossier.content", 224, "Another algorithm than the version's, or more than a dossier holds."),
    code("governance.not-an-operator", 250, "Only operators in office propose and approve."),
    code("governance.version-mismatch", 251, "Another change was executed meanwhile: look at it and sign anew."),
    code("governance.proposal-unknown", 252, "No such proposal: its id is that of its record."),
    code("governance.proposal-expired", 253, "The proposal's time is over."),
    code("governance.already-approved", 254, "This operator has approved the proposal already."),
    code("governance.already-executed", 255, "The proposal has been carried out."),
    code("governance.already-a-writer", 256, "The DID holds the role already."),
    code("governance.not-a-writer", 257, "The DID does not hold the role: there is nothing to revoke."),
    code("governance.proposal-lapsed", 258, "Another change was executed after this proposal: propose anew."),
    code("governance.proposal-life", 259, "expires must be after iat, by at most 90 days."),
    code("governance.unusable-did", 260, "The DID names no key that could sign a record."),
    code("governance.key-in-use", 261, "The key serves an operator, a validator or another writer already."),
    code("governance.key-compromised", 262, "The key was reported compromised: grant the role to a new DID."),
    code("governance.thumbprint", 263, "jkt must be the RFC 7638 SHA-256 thumbprint of a key."),
    code("governance.already-admitted", 264, "The DID is admitted with this key already: it can register now."),
    code("did.not-registered", 300, "The DID is not registered on this ledger."),
    code("did.deactivated", 301, "The DID was closed for ever."),
    code("did.unknown-key", 302, "The DID document has no key of this kid."),
    code(
        "did.key-not-granted",
        303,
        "The key may not be used for this: records of registries need capabilityInvocation.",
    ),
    code("did.key-not-yet-valid", 304, "The key is valid from a later time on."),
    code("did.key-expired", 305, "The key's time is over."),
    code("did.key-revoked", 306, "The key was revoked, or another took its place."),
    code("did.key-compromised", 307, "The key was declared compromised."),
    code("did.already-registered", 308, "The DID is registered already: change it by update-did."),
    code("did.form", 309, "This ledger registers DIDs of its own method and form only."),
    code("did.not-a-controller", 310, "Only its controllers change a document."),
    code(
        "did.stale",
        311,
        "The document was changed meanwhile: read it, and sign anew with its newest record as prev.",
    ),
    code("did.not-authorised", 312, "Neither governance nor an accredited issuer has said that the DID may register."),
    code("did.authorisation", 313, "The authorisation to onboard is no good; the detail says why."),
    code("did.other-key", 314, "The authorisation or admission is for another key."),
    code(
        "did.locked-out",
        315,
        "Nobody could change the document afterwards: keep a capabilityInvocation key, or a controller.",
    ),
    code("did.limit", 316, "Too many of something; the detail says of what."),
    code("did.malformed-key", 317, "A key is not a public JWK on its curve."),
    code("did.window", 318, "A use of a key must begin before it ends."),
    code("did.change", 319, "A change cannot apply; the detail says which and why. None was made."),
    code("did.document", 320, "The document holds something that cannot be; the detail says what."),
    code("issuer.unknown-attribute", 350, "No such accreditation: its accreditor reserves it first."),
    code("issuer.attribute-taken", 351, "The attribute id is in use: choose another 32 random bytes."),
    code("issuer.not-the-accreditor", 352, "The author is not the accreditor."),
    code("issuer.not-the-subject", 353, "Only the subject fills an accreditation."),
    code("issuer.stale", 354, "The accreditation was changed meanwhile: sign anew with its newest record as prev."),
    code("issuer.parent", 355, "The accreditor's own chain of accreditations does not hold; the detail says where."),
    code(
        "issuer.type",
        356,
        "The type does not allow this: trusted issuers accredit nobody, Root TAOs are governance's.",
    ),
    code("issuer.self-accreditation", 357, "Nobody accredits itself."),
    code("issuer.circle", 358, "The subject is in the chain above already."),
    code("issuer.too-deep", 359, "The chain would have more than five links."),
    code(
        "issuer.credential",
        360,
        "The credential cannot be read, or is not the one that belongs here; the detail says why.",
    ),
    code(
        "issuer.credential-key",
        361,
        "The credential is signed with a key that the accreditor may not use for it now.",
    ),
    code("issuer.signature", 362, "The credential's signature does not verify."),
    code("issuer.scope-schema", 363, "A schema is not among those of the accreditor's own accreditation."),
    code("issuer.scope-type", 364, "A type is not accredited for this schema."),
    code("issuer.scope-jurisdiction", 365, "A jurisdiction is not accredited for this schema and these types."),
    code(
        "issuer.dates",
        366,
        "The credential is not valid now, outlives the accreditor's own, or begins before the one in place.",
    ),
    code("issuer.ended", 367, "An end was set: nothing changes any more, but an end ahead can be brought forward."),
    code("issuer.end-date", 368, "The end is dated where it cannot be."),
    code("issuer.entity", 369, "Names, country or identifiers are malformed; the detail says which."),
    code("issuer.limit", 370, "The issuer has 256 accreditations already, ended ones included."),
    code("schema.too-large", 400, "The schema is too long: split it."),
    code("schema.malformed", 401, "Not the canonical JSON of a schema; the detail says why."),
    code("schema.draft", 402, "$schema must be JSON Schema 2020-12."),
    code("schema.remote-reference", 403, "The schema refers to something outside itself: copy it in."),
    code("schema.id", 404, "The id does not follow from the text."),
    code("schema.not-accredited", 405, "Only issuers whose chain of accreditations holds publish schemas."),
    code("schema.not-the-owner", 406, "Only its first publisher revises a schema."),
    code("schema.stale", 407, "The schema was changed meanwhile: sign anew with its newest record as prev."),
    code("schema.unknown", 408, "No such schema: leave prev out to publish it."),
    code("schema.unchanged", 409, "The schema is this text already."),
    code("status.not-accredited", 450, "Only issuers whose chain of accreditations holds publish status lists."),
    code("status.size", 451, "A list has 131,072 to 2,097,152 entries, a multiple of 8."),
    code("status.version", 452, "Versions count from 1 without gaps."),
    code("status.changed", 453, "Purpose and size of a list never change."),
    code("status.stale", 454, "The list was changed meanwhile: sign anew with its newest record as prev."),
    code("status.unknown", 455, "No such list: leave prev out to publish it."),
    code("status.key", 456, "The key of the tokens is not good for assertionMethod now."),
    code("status.other-issuer", 457, "The tokens must be signed by a key of the list's own issuer."),
    code("status.issued", 458, "issued must be within a day of the block's time."),
    code("status.attachment", 459, "The list's bytes are missing, or not those of sha256 and size."),
    code("status.signature", 460, "A signature over a derived token does not verify."),
    code("status.name", 461, "A list's name begins with a letter or a digit."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use testamur_registry::rejection::CODES;

    #[test]
    fn numbers_and_slugs_are_those_of_the_ledger() {
        let described: Vec<_> = LEDGER_CODES.iter().map(|code| (code.code, code.number)).collect();
        assert_eq!(described, CODES);
    }
}
