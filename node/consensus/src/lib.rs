//! Agreement: Malachite under Testamur's own value, votes, double-sign guard and time rule; record pool and gossip.
pub mod application;
pub mod codec;
pub mod context;
mod engine;
mod error;
mod follow;
mod gossip;
pub mod guard;
mod host;
pub mod limits;
pub mod metrics;
mod node;
pub mod parts;
pub mod pool;
pub mod signer;
pub mod wake;

pub use error::{ConsensusError, SubmitError};
pub use host::Committed;
pub use node::{ConsensusConfig, ConsensusHandle, ConsensusKeys, PeerAddress, PeerState, Role, start};
