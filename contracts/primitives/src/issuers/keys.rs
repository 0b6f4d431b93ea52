//! State keys of accreditations.

use crate::did::Did;
use crate::hash::AttributeId;
use crate::state::StateObject;

/// `attribute/<64 hexadecimal digits>`: one accreditation; each step is an entry.
pub fn attribute(id: AttributeId) -> StateObject {
    StateObject::new("attribute", &id.to_string())
}

/// `issuer/<did>`: the attributes of a subject.
pub fn issuer(did: &Did) -> StateObject {
    StateObject::new("issuer", did.as_str())
}
