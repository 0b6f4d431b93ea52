//! State keys of the network itself.

use testamur_primitives::hash::Address;

use crate::state::StateObject;

/// `protocol/network`: the protocol version.
pub fn protocol() -> StateObject {
    StateObject::new("protocol", "network")
}

/// `parameters/network`: timing and sizes.
pub fn parameters() -> StateObject {
    StateObject::new("parameters", "network")
}

/// `naming/network`: the method name of the ledger's own DIDs; absent where genesis names none.
pub fn naming() -> StateObject {
    StateObject::new("naming", "network")
}

/// `set-change/network`: changes of the validator set, and what became of each.
pub fn set_change() -> StateObject {
    StateObject::new("set-change", "network")
}

/// `algorithms/network`: the retired algorithms.
pub fn algorithms() -> StateObject {
    StateObject::new("algorithms", "network")
}

/// `page/network`: the official addresses of the verifier page.
pub fn page() -> StateObject {
    StateObject::new("page", "network")
}

/// `epoch/network`: the validators of each epoch; entry n is epoch n − 1.
pub fn epoch() -> StateObject {
    StateObject::new("epoch", "network")
}

/// `validator/<address>`: a validator's registration.
pub fn validator(address: Address) -> StateObject {
    StateObject::new("validator", &address.to_string())
}

/// `validator-key/<key in hexadecimal>`: an Ed25519 key that was ever registered.
pub fn key(key: &[u8]) -> StateObject {
    StateObject::new("validator-key", &hex::encode(key))
}

/// `validator-name/<name>`: a key name that was ever registered.
pub fn name(name: &str) -> StateObject {
    StateObject::new("validator-name", name)
}
