//! Who this node is connected to: the validators of the set that decides the next height, those of the scheduled set,
//! and for a while those that have left.
//!
//! One table that everybody reads: the engine's list of persistent peers and record gossip's allow-list follow it, parts
//! of proposals are taken from its publishers only, and the handle shows it. A scheduled validator is let in at once, so that
//! the first height it decides finds it connected. One that has left still fetches the last blocks for
//! [`DEPARTED_HEIGHTS`] heights and [`DEPARTED_WAIT`]; nothing that it proposes is looked at any more (INV-PEERS-1).
//!
//! A peer is a libp2p identity; a validator has two of them while it changes its peer key. Who has no entry in the address
//! book is let in and not dialled.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use arc_malachitebft_app_channel::NetworkRequest;
use arc_malachitebft_app_channel::app::engine::network::{PersistentPeerError, PersistentPeersOp};
use arc_malachitebft_app_channel::app::types::PeerId as EnginePeerId;
use libp2p::identity::{PublicKey, ed25519};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use testamur_primitives::epoch::{Validator, ValidatorSet};
use testamur_primitives::hash::Address;
use testamur_primitives::units::Height;
use tokio::sync::{mpsc, oneshot, watch};

use crate::application::TipView;
use crate::limits::{DEPARTED_HEIGHTS, DEPARTED_WAIT, ENGINE_PEERS_RETRY};
use crate::node::PeerAddress;

/// One libp2p identity of another validator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) validator: Address,
    pub(crate) id: PeerId,
    /// The same identity in the engine's type.
    pub(crate) engine: EnginePeerId,
    /// Its consensus listener, if known.
    pub(crate) consensus: Option<Multiaddr>,
    /// Its gossip listener, if known.
    pub(crate) gossip: Option<Multiaddr>,
    pub(crate) office: Office,
}

/// Where a peer's validator stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Office {
    /// In the set that decides the next height.
    Member,
    /// In the scheduled set only.
    Scheduled,
    /// In neither any more.
    Departed,
}

/// All peers.
pub(crate) type Table = Arc<Vec<Peer>>;

/// Keeps the table.
#[derive(Debug)]
pub(crate) struct Peers {
    own: Address,
    state: Mutex<State>,
    table: watch::Sender<Table>,
}

#[derive(Debug)]
struct State {
    book: Vec<PeerAddress>,
    validators: Arc<ValidatorSet>,
    scheduled: Option<Arc<ValidatorSet>>,
    /// Identities of both sets, the own ones left out.
    members: Vec<(Address, PeerId, Office)>,
    departed: Vec<Departed>,
}

#[derive(Debug)]
struct Departed {
    validator: Address,
    id: PeerId,
    height: Height,
    at: Instant,
}

impl Peers {
    /// The peers of the validator at `own`.
    pub(crate) fn new(own: Address, book: Vec<PeerAddress>, tip: &TipView) -> Self {
        let scheduled = tip.scheduled.as_ref().map(|(_, set)| Arc::clone(set));
        let members = identities(own, &tip.validators, scheduled.as_deref());
        let validators = Arc::clone(&tip.validators);
        let state = State { book, validators, scheduled, members, departed: Vec::new() };
        let (table, _) = watch::channel(Arc::new(state.table()));
        Self { own, state: Mutex::new(state), table }
    }

    /// The table, and its changes.
    pub(crate) fn watch(&self) -> watch::Receiver<Table> {
        self.table.subscribe()
    }

    /// The table as it is now.
    pub(crate) fn table(&self) -> Table {
        Arc::clone(&self.table.borrow())
    }

    /// Whether parts of proposals are taken from a peer.
    pub(crate) fn publishes(&self, peer: &EnginePeerId) -> bool {
        // INV-PEERS-1
        self.table.borrow().iter().any(|p| p.engine == *peer && p.office != Office::Departed)
    }

    /// Replaces the address book.
    pub(crate) fn set_book(&self, book: Vec<PeerAddress>) {
        let mut state = self.state.lock().expect("no panic while held");
        state.book = book;
        self.publish(&state);
    }

    /// A block was committed: the sets may be others, and who left may have had its time.
    pub(crate) fn update(&self, tip: &TipView, now: Instant) {
        let mut state = self.state.lock().expect("no panic while held");
        let scheduled = tip.scheduled.as_ref().map(|(_, set)| set);
        let same = same_set(&tip.validators, &state.validators)
            && match (scheduled, &state.scheduled) {
                (Some(new), Some(old)) => same_set(new, old),
                (None, None) => true,
                _ => false,
            };
        if same && state.departed.is_empty() {
            return;
        }
        if !same {
            let members = identities(self.own, &tip.validators, scheduled.map(Arc::as_ref));
            let before = std::mem::replace(&mut state.members, members);
            state.validators = Arc::clone(&tip.validators);
            state.scheduled = scheduled.cloned();
            let left = before.into_iter().filter(|(_, id, _)| !state.members.iter().any(|(_, member, _)| member == id));
            let left: Vec<_> =
                left.map(|(validator, id, _)| Departed { validator, id, height: tip.height, at: now }).collect();
            state.departed.extend(left);
        }
        let State { members, departed, .. } = &mut *state;
        departed.retain(|gone| {
            let stays = tip.height.get() < gone.height.get() + DEPARTED_HEIGHTS || now < gone.at + DEPARTED_WAIT;
            stays && !members.iter().any(|(_, member, _)| *member == gone.id)
        });
        self.publish(&state);
    }

    fn publish(&self, state: &State) {
        let table = state.table();
        self.table.send_if_modified(|old| {
            let changed = **old != table;
            if changed {
                for peer in table.iter().filter(|peer| !old.iter().any(|p| p.id == peer.id)) {
                    tracing::info!(validator = %peer.validator, office = ?peer.office, "new peer");
                }
                for peer in old.iter().filter(|peer| !table.iter().any(|p| p.id == peer.id)) {
                    tracing::info!(validator = %peer.validator, "no longer a peer");
                }
                *old = Arc::new(table);
            }
            changed
        });
    }
}

impl State {
    fn table(&self) -> Vec<Peer> {
        let departed = self.departed.iter().map(|gone| (gone.validator, gone.id, Office::Departed));
        let peer = |(validator, id, office): (Address, PeerId, Office)| {
            let address = self.book.iter().find(|entry| entry.validator == validator);
            Peer {
                validator,
                id,
                engine: engine_peer(id),
                consensus: address.map(|a| a.consensus.clone()),
                gossip: address.map(|a| a.gossip.clone()),
                office,
            }
        };
        self.members.iter().copied().chain(departed).map(peer).collect()
    }
}

fn same_set(one: &Arc<ValidatorSet>, other: &Arc<ValidatorSet>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

/// The identities of both sets; a validator of the first set that changes its peer key has two.
fn identities(own: Address, now: &ValidatorSet, later: Option<&ValidatorSet>) -> Vec<(Address, PeerId, Office)> {
    let of = |validator: &Validator, office| match peer_id(validator) {
        Ok(id) => Some((validator.address, id, office)),
        Err(reason) => {
            // Its possession was proven when it was registered: libp2p has another idea of keys than we have.
            tracing::error!(name = validator.name, reason, "the peer key of a validator is none: it is not connected");
            None
        }
    };
    let others = |set: &ValidatorSet, office| -> Vec<_> {
        set.validators().iter().filter(|v| v.address != own).filter_map(|v| of(v, office)).collect()
    };
    let mut all = others(now, Office::Member);
    for one in later.map(|set| others(set, Office::Scheduled)).unwrap_or_default() {
        if !all.iter().any(|(_, id, _)| *id == one.1) {
            all.push(one);
        }
    }
    all
}

/// The libp2p identity of a validator.
pub(crate) fn peer_id(validator: &Validator) -> Result<PeerId, String> {
    let key = ed25519::PublicKey::try_from_bytes(validator.peer_key()).map_err(|e| e.to_string())?;
    Ok(PublicKey::from(key).to_peer_id())
}

fn engine_peer(peer: PeerId) -> EnginePeerId {
    EnginePeerId::from_bytes(&peer.to_bytes()).expect("both are multihashes")
}

/// The engine's addresses of a table. An address of the identity alone lets a peer in and is not dialled.
pub(crate) fn engine_addresses(table: &[Peer]) -> Vec<Multiaddr> {
    let address = |peer: &Peer| peer.consensus.clone().unwrap_or_else(Multiaddr::empty).with(Protocol::P2p(peer.id));
    table.iter().map(address).collect()
}

/// Keeps a running engine's list of persistent peers as the table is; ends with the engine or the table.
pub(crate) async fn keep_engine(
    requests: mpsc::Sender<NetworkRequest>,
    mut known: Vec<Multiaddr>,
    mut table: watch::Receiver<Table>,
) {
    'table: loop {
        let wanted = engine_addresses(&table.borrow_and_update());
        // Removals first: removing an address of a peer closes its connections, adding one dials it.
        let gone = known.iter().filter(|a| !wanted.contains(a)).cloned().map(PersistentPeersOp::Remove);
        let new = wanted.iter().filter(|a| !known.contains(a)).cloned().map(PersistentPeersOp::Add);
        for operation in gone.chain(new).collect::<Vec<_>>() {
            let mut after = known.clone();
            match &operation {
                PersistentPeersOp::Add(address) => after.push(address.clone()),
                PersistentPeersOp::Remove(address) => after.retain(|a| a != address),
            }
            let (reply, answer) = oneshot::channel();
            let text = format!("{operation:?}");
            if requests.send(NetworkRequest::UpdatePersistentPeers(operation, reply)).await.is_err() {
                return;
            }
            match answer.await {
                Ok(Ok(())) => tracing::debug!(operation = text, "the engine's peers"),
                // The engine has not bound its port yet, or is ending: again from where its list stands.
                Ok(Err(PersistentPeerError::NetworkStopped)) => {
                    tokio::time::sleep(ENGINE_PEERS_RETRY).await;
                    continue 'table;
                }
                // It is as wanted already.
                Ok(Err(error)) => tracing::debug!(operation = text, %error, "the engine's peers"),
                Err(_) => return,
            }
            known = after;
        }
        if table.changed().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use testamur_primitives::did::Did;
    use testamur_primitives::epoch::{TypedKey, ValidatorKeyAlgorithm};
    use testamur_primitives::genesis::Parameters;
    use testamur_primitives::hash::HeaderHash;
    use testamur_primitives::key::SigningKey;
    use testamur_primitives::record::Bytes;
    use testamur_primitives::units::UnixTime;

    use super::*;

    fn validator(number: u8, peer_seed: u8) -> Validator {
        let key = |seed: [u8; 2]| {
            let mut bytes = [0; 32];
            bytes[..2].copy_from_slice(&seed);
            SigningKey::ed25519(&bytes).public_key()
        };
        Validator {
            address: Address::from_bytes([number; 32]),
            name: format!("validator-{number}.example"),
            operator: "Authority".into(),
            country: "EU".into(),
            did: Did::key(&key([number, 1])),
            keys: vec![TypedKey {
                alg: ValidatorKeyAlgorithm::Ed25519,
                key: Bytes(key([number, 2]).as_bytes().to_vec()),
            }],
            log_key: Bytes(key([number, 3]).as_bytes().to_vec()),
            peer_key: Bytes(key([peer_seed, 4]).as_bytes().to_vec()),
            not_after: UnixTime(u64::MAX >> 12),
        }
    }

    fn set(numbers: &[(u8, u8)]) -> Arc<ValidatorSet> {
        Arc::new(ValidatorSet::new(numbers.iter().map(|(n, p)| validator(*n, *p)).collect()).unwrap())
    }

    fn tip(height: u64, validators: &Arc<ValidatorSet>, scheduled: Option<&Arc<ValidatorSet>>) -> TipView {
        TipView {
            height: Height(height),
            header: HeaderHash::ZERO,
            time: UnixTime(1),
            validators: Arc::clone(validators),
            scheduled: scheduled.map(|set| (Height(height + 2), Arc::clone(set))),
            parameters: Parameters::default(),
        }
    }

    fn offices(peers: &Peers) -> Vec<(u8, Office)> {
        peers.table().iter().map(|p| (p.validator.as_bytes()[0], p.office)).collect()
    }

    #[test]
    fn scheduled_ones_come_at_once_and_departed_ones_go_later() {
        use Office::{Departed, Member, Scheduled};
        let four = set(&[(1, 1), (2, 2), (3, 3), (4, 4)]);
        let five = set(&[(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]);
        let other = set(&[(1, 1), (2, 2), (3, 3), (5, 5)]);
        let peers = Peers::new(Address::from_bytes([1; 32]), vec![], &tip(7, &four, None));
        let start = Instant::now();
        assert_eq!(offices(&peers), [(2, Member), (3, Member), (4, Member)]);
        peers.update(&tip(8, &four, Some(&five)), start);
        assert_eq!(offices(&peers), [(2, Member), (3, Member), (4, Member), (5, Scheduled)]);
        peers.update(&tip(9, &five, Some(&other)), start);
        assert_eq!(offices(&peers), [(2, Member), (3, Member), (4, Member), (5, Member)]);
        peers.update(&tip(10, &other, None), start);
        assert_eq!(offices(&peers), [(2, Member), (3, Member), (5, Member), (4, Departed)]);
        let gone = peers.table()[3].engine;
        assert!(!peers.publishes(&gone), "INV-PEERS-1");
        assert!(peers.publishes(&peers.table()[2].engine));
        // Heights alone, or time alone, is not enough.
        peers.update(&tip(10 + DEPARTED_HEIGHTS, &other, None), start);
        peers.update(&tip(9 + DEPARTED_HEIGHTS, &other, None), start + DEPARTED_WAIT);
        assert_eq!(offices(&peers).len(), 4);
        peers.update(&tip(10 + DEPARTED_HEIGHTS, &other, None), start + DEPARTED_WAIT);
        assert_eq!(offices(&peers), [(2, Member), (3, Member), (5, Member)]);
    }

    #[test]
    fn a_new_peer_key_is_let_in_beside_the_old_one_and_addresses_follow_the_validator() {
        let four = set(&[(1, 1), (2, 2), (3, 3), (4, 4)]);
        let rotated = set(&[(1, 1), (2, 2), (3, 3), (4, 44)]);
        let address = |port: u16| PeerAddress {
            validator: Address::from_bytes([4; 32]),
            consensus: format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap(),
            gossip: format!("/ip4/127.0.0.1/tcp/{}", port + 1).parse().unwrap(),
        };
        let peers = Peers::new(Address::from_bytes([1; 32]), vec![address(12_000)], &tip(7, &four, None));
        let mut watched = peers.watch();
        peers.update(&tip(8, &four, Some(&rotated)), Instant::now());
        assert!(watched.has_changed().unwrap());
        let addresses = engine_addresses(&watched.borrow_and_update());
        let dialled: Vec<_> =
            addresses.iter().filter(|a| a.to_string().starts_with("/ip4/127.0.0.1/tcp/12000/p2p/")).collect();
        assert!(dialled.len() == 2 && dialled[0] != dialled[1]);
        assert_eq!(addresses.iter().filter(|a| a.to_string().starts_with("/p2p/")).count(), 2, "without an address");
        peers.update(&tip(9, &four, Some(&rotated)), Instant::now() + Duration::from_secs(1));
        assert!(!watched.has_changed().unwrap(), "nothing is new");
        peers.set_book(vec![address(13_000)]);
        assert!(watched.has_changed().unwrap());
        assert!(engine_addresses(&peers.table()).iter().all(|a| !a.to_string().contains("12000")));
    }
}
