//! State keys of the notary.

use testamur_primitives::did::Did;

use crate::state::StateObject;

/// `writer/<did>`: the writer role of a DID.
pub fn writer(did: &Did) -> StateObject {
    StateObject::new("writer", did.as_str())
}

/// `writers/network`: every DID that ever held the role, one entry each, in order of the first grant.
pub fn writers() -> StateObject {
    StateObject::new("writers", "network")
}
