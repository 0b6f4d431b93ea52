//! The codes of the ledger's rules, for the API's documentation. Those of records stand in the API itself.

use testamur_api::RejectionCode;

const fn code(code: &'static str, number: u16, description: &'static str) -> RejectionCode {
    RejectionCode { code, number, description }
}

/// Codes of admission, notary and governance.
pub(crate) const LEDGER_CODES: &[RejectionCode] = &[
    code("admission.duplicate", 150, "The record, or the author's jti, is on the ledger already."),
    code("notary.not-a-writer", 200, "The author may not write here: the network's operators grant the role."),
    code("notary.writer-revoked", 201, "The author's role was taken away."),
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
];

#[cfg(test)]
mod tests {
    use super::*;
    use testamur_primitives::hash::RecordId;
    use testamur_registry::{AdmissionRejection, GovernanceRejection, Rejection};

    #[test]
    fn numbers_and_slugs_are_those_of_the_ledger() {
        assert!(LEDGER_CODES.windows(2).all(|pair| pair[0].number < pair[1].number));
        for rejection in [
            Rejection::from(AdmissionRejection::DuplicateRecord),
            GovernanceRejection::ProposalUnknown(RecordId::ZERO).into(),
            GovernanceRejection::ProposalLife.into(),
        ] {
            let found = LEDGER_CODES.iter().find(|c| (c.code, c.number) == rejection.code());
            assert!(found.is_some(), "{rejection}");
        }
    }
}
