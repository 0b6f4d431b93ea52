//! Where this node's validator stands, and which configured peers are validators: what the newest state says.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use testamur_consensus::PeerAddress;
use testamur_primitives::epoch::ValidatorSet;
use testamur_primitives::hash::Address;
use testamur_primitives::units::Height;
use testamur_store::Ledger;

use crate::config::Peer;

/// A validator's standing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// The set of the next height names it.
    Now,
    /// A scheduled set names it, from this height on.
    From(Height),
    /// No set names it.
    Not,
}

impl Named {
    /// Whether consensus should run.
    pub(crate) fn takes_part(self) -> bool {
        self != Self::Not
    }
}

/// Where a validator stands.
pub(crate) fn named(ledger: &Ledger, address: Address) -> Named {
    if ledger.tip().validators.by_address(address).is_some() {
        return Named::Now;
    }
    match scheduled(ledger) {
        Some((from, set)) if set.by_address(address).is_some() => Named::From(from),
        _ => Named::Not,
    }
}

/// The set that takes over at a later height than the next, if one is scheduled.
fn scheduled(ledger: &Ledger) -> Option<(Height, Arc<ValidatorSet>)> {
    ledger.tip().schedule.set.clone()
}

/// The configured peers, and which of them are validators by now.
pub(crate) struct AddressBook {
    peers: Vec<Peer>,
    known: Vec<PeerAddress>,
    /// Names of nobody, as last told.
    unknown: Option<BTreeSet<String>>,
}

impl AddressBook {
    /// Nobody is looked up yet.
    pub(crate) fn new(peers: Vec<Peer>) -> Self {
        Self { peers, known: Vec::new(), unknown: None }
    }

    /// The peers that are validators.
    pub(crate) fn addresses(&self) -> Vec<PeerAddress> {
        self.known.clone()
    }

    /// Looks the names up in the sets of genesis, of the next height and of what is scheduled; whether that made a
    /// difference. Names of nobody are only warned about: their validators may be on their way.
    pub(crate) fn look_again(&mut self, ledger: &Ledger) -> bool {
        if self.unknown.as_ref().is_some_and(BTreeSet::is_empty) {
            return false;
        }
        let (genesis, now, later) =
            (ledger.genesis().validator_set(), Arc::clone(&ledger.tip().validators), scheduled(ledger));
        let address_of = |name: &str| {
            let sets = [Some(&*now), later.as_ref().map(|(_, set)| &**set), Some(&genesis)];
            let found = |set: &ValidatorSet| set.validators().iter().find(|v| v.name == name).map(|v| v.address);
            sets.into_iter().flatten().find_map(found)
        };
        let (mut known, mut unknown) = (Vec::new(), BTreeSet::new());
        for peer in &self.peers {
            match address_of(&peer.name) {
                Some(validator) => known.push(PeerAddress {
                    validator,
                    consensus: tcp(peer.consensus).parse().expect("an address of IP and TCP port"),
                    gossip: tcp(peer.gossip).parse().expect("an address of IP and TCP port"),
                }),
                None => drop(unknown.insert(peer.name.clone())),
            }
        }
        if !unknown.is_empty() && self.unknown.as_ref() != Some(&unknown) {
            tracing::warn!(
                names = ?unknown,
                "consensus.peers names what is no validator (yet): correct the names, unless they are on their way"
            );
        }
        let changed = known.len() != self.known.len();
        self.known = known;
        self.unknown = Some(unknown);
        changed
    }
}

/// A socket address as libp2p writes it.
pub(crate) fn tcp(address: SocketAddr) -> String {
    let family = if address.is_ipv4() { "ip4" } else { "ip6" };
    format!("/{family}/{}/tcp/{}", address.ip(), address.port())
}
