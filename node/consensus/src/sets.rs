//! The validator sets that matter to the next height, and the key that this node signs with there.
//!
//! A validator is its address; its key may change with a set. What is signed at a height is signed by the key that the
//! height's set names for this address, or not at all (INV-ROTATE-1): a node that does not hold that key signs nothing
//! and says so. Which key that is depends on the ledger alone (a set is fixed two heights before it holds), never on
//! the time, on files or on what was held before: so no slot of a height is ever open to two keys, and the
//! double-sign guard, whose slots are the address's, stays whole over a rotation (INV-GUARD-6).

use std::sync::{Arc, RwLock};

use testamur_primitives::hash::Address;
use testamur_primitives::key::SigningKey;
use testamur_primitives::units::Height;
use tokio::sync::Notify;

use crate::application::TipView;
use crate::context::{EngineAddress, EngineKey, Member, Members};

/// The set that decides the next height, and the one that will follow it, as the last commit left them.
#[derive(Debug, Clone)]
pub struct Sets {
    next: Height,
    members: Members,
    scheduled: Option<(Height, Members)>,
}

/// What the sets ask of this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// It is in the set that decides the next height, under a key that it holds.
    Votes,
    /// It is in that set under a key that it does not hold.
    KeyMissing,
    /// It is in the scheduled set only.
    Scheduled {
        /// Whether it holds the key that the scheduled set names.
        key_held: bool,
    },
    /// It is in neither.
    None,
}

/// The one or two consensus keys of a validator.
#[derive(Debug)]
pub struct Keyring {
    address: Address,
    keys: RwLock<Vec<Arc<SigningKey>>>,
    sets: Arc<RwLock<Sets>>,
    /// A key was added.
    pub(crate) added: Notify,
}

impl Sets {
    /// Of a ledger that stands there.
    pub fn new(tip: &TipView) -> Self {
        let scheduled = tip.scheduled.as_ref().map(|(from, set)| (*from, Members::new(set)));
        Self::from_members(tip.height.next(), Members::new(&tip.validators), scheduled)
    }

    /// The set that decides `next`, and the one that holds from a later height on.
    pub fn from_members(next: Height, members: Members, scheduled: Option<(Height, Members)>) -> Self {
        Self { next, members, scheduled }
    }

    /// The set that decides the next height.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// The member of either set that signs with a key.
    pub fn by_key(&self, key: &[u8]) -> Option<&Member> {
        self.members.by_key(key).or_else(|| self.scheduled.as_ref().and_then(|(_, members)| members.by_key(key)))
    }

    fn key_of(members: &Members, address: Address) -> Option<EngineKey> {
        use arc_malachitebft_app_channel::app::types::core::{Validator as _, ValidatorSet as _};
        members.get_by_address(&EngineAddress(address)).map(|member| *member.public_key())
    }
}

impl Keyring {
    /// The keys of the validator at `address`.
    pub fn new(address: Address, keys: Vec<SigningKey>, sets: Arc<RwLock<Sets>>) -> Self {
        let keys = RwLock::new(keys.into_iter().map(Arc::new).collect());
        Self { address, keys, sets, added: Notify::new() }
    }

    fn held(&self, public: &EngineKey) -> Option<Arc<SigningKey>> {
        let keys = self.keys.read().expect("no panic while held");
        keys.iter().find(|key| key.public_key().as_bytes() == public.0).cloned()
    }

    /// The key to sign with at a height: the one that its set names, if it is held. Only the next height is ever signed
    /// at.
    pub(crate) fn at(&self, height: Height) -> Option<Arc<SigningKey>> {
        let named = {
            let sets = self.sets.read().expect("no panic while held");
            if height != sets.next {
                return None;
            }
            Sets::key_of(&sets.members, self.address)?
        };
        self.held(&named) // INV-ROTATE-1
    }

    /// The key by which this node shows its peers which validator it is: a label, nothing is decided by it.
    pub(crate) fn to_show(&self) -> Option<Arc<SigningKey>> {
        let (now, later) = self.named();
        now.and_then(|key| self.held(&key)).or_else(|| later.and_then(|key| self.held(&key)))
    }

    /// A held key by its public key.
    pub(crate) fn by_public(&self, public: &[u8]) -> Option<Arc<SigningKey>> {
        self.held(&EngineKey(public.try_into().ok()?))
    }

    /// What the sets ask of this node now.
    pub fn duty(&self) -> Duty {
        match self.named() {
            (Some(key), _) if self.held(&key).is_some() => Duty::Votes,
            (Some(_), _) => Duty::KeyMissing,
            (None, Some(key)) => Duty::Scheduled { key_held: self.held(&key).is_some() },
            (None, None) => Duty::None,
        }
    }

    /// Whether the scheduled set names a key that is not held: time to bring it.
    pub(crate) fn will_miss(&self) -> bool {
        self.named().1.is_some_and(|key| self.held(&key).is_none())
    }

    /// Holds one more key. Of more than two only what a set names, and the new one, stay.
    pub fn hold(&self, key: SigningKey) {
        let (now, later) = self.named();
        let named = |key: &SigningKey| {
            let public = key.public_key();
            [now, later].into_iter().flatten().any(|named| named.0 == public.as_bytes())
        };
        let mut keys = self.keys.write().expect("no panic while held");
        if keys.iter().any(|held| held.public_key().as_bytes() == key.public_key().as_bytes()) {
            return;
        }
        if keys.len() >= 2 {
            keys.retain(|held| named(held));
        }
        keys.push(Arc::new(key));
        drop(keys);
        self.added.notify_one();
    }

    /// The keys that the sets name for this validator: at the next height, and in the scheduled set.
    fn named(&self) -> (Option<EngineKey>, Option<EngineKey>) {
        let sets = self.sets.read().expect("no panic while held");
        let later = sets.scheduled.as_ref().and_then(|(_, members)| Sets::key_of(members, self.address));
        (Sets::key_of(&sets.members, self.address), later)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Address = Address::from_bytes([1; 32]);

    fn public(seed: u8) -> EngineKey {
        EngineKey(SigningKey::ed25519(&[seed; 32]).public_key().as_bytes().try_into().unwrap())
    }

    fn members(own: Option<u8>) -> Members {
        let others = (2..5u8).map(|number| (Address::from_bytes([number; 32]), public(100 + number)));
        Members::from_keys(others.chain(own.map(|seed| (OWN, public(seed)))).collect())
    }

    fn ring(held: &[u8], now: Option<u8>, later: Option<Option<u8>>) -> Keyring {
        let scheduled = later.map(|own| (Height(20), members(own)));
        let sets = Sets::from_members(Height(10), members(now), scheduled);
        let keys = held.iter().map(|seed| SigningKey::ed25519(&[*seed; 32])).collect();
        Keyring::new(OWN, keys, Arc::new(RwLock::new(sets)))
    }

    #[test]
    fn the_set_of_the_height_chooses_the_key() {
        let signs = |ring: &Keyring, height| ring.at(Height(height)).map(|key| key.public_key().as_bytes().to_vec());
        let (old, new) = (public(50).0.to_vec(), public(51).0.to_vec());
        for (held, now, expected) in [
            (&[50, 51][..], Some(50), Some(&old)),
            (&[50, 51], Some(51), Some(&new)),
            (&[50], Some(51), None),
            (&[51], Some(50), None),
            (&[50, 51], None, None),
        ] {
            let ring = ring(held, now, Some(Some(51)));
            assert_eq!(signs(&ring, 10).as_ref(), expected, "INV-ROTATE-1: {held:?} under {now:?}");
            assert_eq!((signs(&ring, 9), signs(&ring, 11)), (None, None), "only the next height is open");
        }
    }

    #[test]
    fn duties() {
        for (held, now, later, expected) in [
            (&[50][..], Some(50), None, Duty::Votes),
            (&[50], Some(50), Some(None), Duty::Votes),
            (&[50], Some(51), None, Duty::KeyMissing),
            (&[50], None, Some(Some(50)), Duty::Scheduled { key_held: true }),
            (&[50], None, Some(Some(51)), Duty::Scheduled { key_held: false }),
            (&[50], None, Some(None), Duty::None),
            (&[50], None, None, Duty::None),
        ] {
            assert_eq!(ring(held, now, later).duty(), expected, "{held:?} {now:?} {later:?}");
        }
        assert!(ring(&[50], Some(50), Some(Some(51))).will_miss());
        assert!(!ring(&[50, 51], Some(50), Some(Some(51))).will_miss());
        assert!(!ring(&[50], Some(50), Some(None)).will_miss(), "a node that leaves misses nothing");
    }

    #[test]
    fn a_key_that_is_brought_later_is_held_and_forgotten_ones_go() {
        let ring = ring(&[50], Some(51), None);
        ring.hold(SigningKey::ed25519(&[51; 32]));
        assert_eq!(ring.duty(), Duty::Votes);
        ring.hold(SigningKey::ed25519(&[51; 32]));
        ring.hold(SigningKey::ed25519(&[52; 32]));
        let held = ring.keys.read().unwrap().len();
        assert_eq!((held, ring.duty()), (2, Duty::Votes), "the key that no set names went");
    }
}
