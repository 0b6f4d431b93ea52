//! State keys of DID documents.

use crate::did::Did;
use crate::state::StateObject;

/// `did/<did>`: a document; each change is an entry.
pub fn did(did: &Did) -> StateObject {
    StateObject::new("did", did.as_str())
}

/// `admission/<did>`: that governance lets a DID register.
pub fn admission(did: &Did) -> StateObject {
    StateObject::new("admission", did.as_str())
}

/// `address/<40 hexadecimal digits>`: the DIDs whose secp256k1 key has an EBSI address; the newest is the head.
pub fn address(address: &[u8; 20]) -> StateObject {
    StateObject::new("address", &hex::encode(address))
}
