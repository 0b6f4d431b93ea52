//! State keys of status lists.

use crate::did::Did;
use crate::record::Reference;
use crate::state::StateObject;

/// `status/<did>:<list>`: a list; each version is an entry. A list's name holds no colon, so the last one divides.
pub fn status(issuer: &Did, list: &Reference) -> StateObject {
    StateObject::new("status", &format!("{issuer}:{list}"))
}
