//! Agreement: Malachite under Testamur's own value, votes, double-sign guard and time rule; record pool and gossip.
pub mod application;
pub mod codec;
pub mod context;
pub mod guard;
pub mod limits;
pub mod parts;
pub mod pool;
pub mod signer;
pub mod wake;
