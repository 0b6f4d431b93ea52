//! Agreement: Malachite under Testamur's own value, votes, double-sign guard and time rule; record pool and gossip.
pub mod application;
pub mod limits;
