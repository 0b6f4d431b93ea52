//! State keys of governance.

use testamur_primitives::did::Did;
use testamur_primitives::hash::RecordId;

use crate::state::StateObject;

/// `governance/network`: the governance version and m; entry n is version n.
pub fn governance() -> StateObject {
    StateObject::new("governance", "network")
}

/// `operators/network`: the operators in office.
pub fn operators() -> StateObject {
    StateObject::new("operators", "network")
}

/// `former-operator/<did>`: a key that left office, under each of its spellings as did:key.
pub fn former_operator(did: &Did) -> StateObject {
    StateObject::new("former-operator", did.as_str())
}

/// `proposal/<record id>`: a proposal; entry 1 when made, entry 2 when executed.
pub fn proposal(id: RecordId) -> StateObject {
    StateObject::new("proposal", &id.to_string())
}

/// `approval/<record id of the proposal>`: its approvals, one entry each; the first is the proposer's.
pub fn approval(proposal: RecordId) -> StateObject {
    StateObject::new("approval", &proposal.to_string())
}

/// `proposals/network`: every proposal, one entry each, in order of the log.
pub fn proposals() -> StateObject {
    StateObject::new("proposals", "network")
}
