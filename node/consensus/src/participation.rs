//! How this node takes part, told to whoever watches, and in words to its operator.
//!
//! A validator that is scheduled follows as a full node of the engine and votes from its first height on, in the same
//! engine. One that leaves stays until the set without it has decided a block: before that, its last votes and blocks may be
//! the only ones that the others can get (INV-LEAVE-1).

use std::sync::Arc;

use testamur_primitives::hash::Address;
use testamur_primitives::units::Height;
use tokio::sync::watch;

use crate::application::TipView;
use crate::sets::{Duty, Keyring};

/// How this node takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It votes.
    Voting,
    /// It signs nothing until it has caught up, or until others have decided a height that began after it started.
    Following,
    /// It is in no set yet; a scheduled one names it. It follows, and votes from that set's first height on by itself.
    Scheduled,
    /// The set that decides the next height names a key for it that it does not hold: it signs nothing.
    KeyMissing,
    /// It has left office; the set without it has not decided a block yet.
    Leaving,
    /// It has left office, and nobody needs it any more: time to shut down.
    Left,
    /// It has stopped.
    Stopped,
}

/// Keeps the role.
#[derive(Debug)]
pub(crate) struct Participation {
    address: Address,
    peer_key: [u8; 32],
    keys: Arc<Keyring>,
    role: watch::Sender<Role>,
    /// The first height whose set lacks this validator.
    out_from: Option<Height>,
    /// The scheduled set about which the operator was told.
    told: Option<Height>,
}

impl Participation {
    pub(crate) fn new(address: Address, peer_key: [u8; 32], keys: Arc<Keyring>, role: watch::Sender<Role>) -> Self {
        Self { address, peer_key, keys, role, out_from: None, told: None }
    }

    /// Whether the engine has to be a signer; `None` where it makes no difference. One that is a signer ahead of its office
    /// enters it without a restart.
    pub(crate) fn wants_to_sign(&self, following: bool) -> Option<bool> {
        match self.keys.duty() {
            Duty::Votes | Duty::Scheduled { key_held: true } => Some(!following),
            Duty::KeyMissing => Some(false), // INV-ROTATE-1
            Duty::Scheduled { key_held: false } | Duty::None => None,
        }
    }

    fn role(&mut self, tip: &TipView, signs: bool) -> Role {
        let duty = self.keys.duty();
        if duty != Duty::None {
            self.out_from = None;
        }
        match duty {
            Duty::Votes if signs => Role::Voting,
            Duty::Votes => Role::Following,
            Duty::KeyMissing => Role::KeyMissing,
            Duty::Scheduled { .. } => Role::Scheduled,
            Duty::None if tip.height >= *self.out_from.get_or_insert(tip.height.next()) => Role::Left, // INV-LEAVE-1
            Duty::None => Role::Leaving,
        }
    }

    /// Announces the role of a node that stands at `tip` with an engine that signs or does not.
    pub(crate) fn announce(&mut self, tip: &TipView, signs: bool) {
        let role = self.role(tip, signs);
        let next = tip.height.next();
        let changed = self.role.send_if_modified(|old| std::mem::replace(old, role) != role);
        if changed {
            match role {
                Role::KeyMissing => tracing::error!(
                    %next,
                    "the validator set names a consensus key that this node does not hold: it signs NOTHING. Give it that \
                     key as keys.next_consensus"
                ),
                Role::Leaving => {
                    tracing::info!(%next, "this validator is in the set no more: it stays until the others have decided a block without it")
                }
                Role::Left => tracing::info!(%next, "this validator has left office"),
                Role::Voting => tracing::info!(%next, "voting"),
                Role::Scheduled => {
                    let from = tip.scheduled.as_ref().map_or(next, |(from, _)| *from);
                    tracing::info!(%from, "following until this validator enters office");
                }
                Role::Following | Role::Stopped => {}
            }
        }
        self.tell_of_schedule(tip);
    }

    /// Once for each scheduled set: what the operator has to bring before it holds.
    fn tell_of_schedule(&mut self, tip: &TipView) {
        let Some((from, set)) = tip.scheduled.as_ref().filter(|(from, _)| self.told != Some(*from)) else { return };
        self.told = Some(*from);
        let Some(own) = set.by_address(self.address) else { return };
        if self.keys.will_miss() {
            tracing::warn!(
                %from,
                "a scheduled validator set names another consensus key for this validator: give it to this node as \
                 keys.next_consensus before that height, or it will sign nothing from there on"
            );
        }
        if *own.peer_key() != self.peer_key {
            tracing::warn!(
                %from,
                "a scheduled validator set names another peer key for this validator: restart it with that key; some time \
                 after that height the old one is let in no more"
            );
        }
    }
}
