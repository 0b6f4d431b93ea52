//! Agreement: Malachite under Testamur's own value, votes, double-sign guard and time rule; record pool and gossip.
//!
//! **Promises.** What a validator's key signs as a precommit is a cosigned checkpoint, so a commit certificate is a
//! receipt's certificate ([`signer`]). The key never signs two things for one height, round and step, whatever the
//! engine's log says ([`guard`]). A block is durable before it is voted on, a decision before it is announced. An idle
//! ledger makes a block each heartbeat, a busy one waits for nothing, a dead proposer costs less than a second.
//! Memory is bounded ([`limits`]). Any local failure stops consensus and is reported once; it is never retried and
//! never called "invalid".
//!
//! **Absences.** No storage, no execution, no HTTP: the ledger is behind [`application::Application`]. No rules about
//! records. Validator sets change while everything runs: who is connected follows them ([`Role`], `peers.rs`), and so does
//! the key that signs ([`sets`]); where new validators are reached is told by [`ConsensusHandle::set_peers`].
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use testamur_consensus::{application::Application, ConsensusConfig, ConsensusError, ConsensusKeys, start};
//! # async fn run<A: Application>(config: ConsensusConfig, keys: ConsensusKeys, ledger: Arc<A>) -> Result<(), ConsensusError> {
//! let consensus = start(config, keys, ledger).await?;
//! let mut committed = consensus.events();
//! let id = consensus.submit("a record".into(), None).await.expect("taken");
//! while !committed.recv().await.expect("running").records.contains(&id) {}
//! consensus.shutdown().await;
//! # Ok(())
//! # }
//! ```
pub mod application;
mod certificates;
pub mod codec;
pub mod context;
mod engine;
pub mod equivocations;
mod error;
#[cfg(feature = "faults")]
mod faults;
#[cfg(test)]
mod fixtures;
mod follow;
mod gossip;
pub mod guard;
mod heard;
mod host;
pub mod limits;
pub mod metrics;
mod node;
pub mod parsers;
mod participation;
pub mod parts;
mod peers;
pub mod pool;
pub mod seat;
pub mod sets;
pub mod signer;
mod stalls;
pub mod surroundings;
pub mod wake;
pub mod watch;

pub use error::{ConsensusError, SubmitError};
pub use heard::Stall;
pub use host::Committed;
pub use node::{ConsensusConfig, ConsensusHandle, ConsensusKeys, PeerAddress, PeerState, start};
pub use participation::Role;
