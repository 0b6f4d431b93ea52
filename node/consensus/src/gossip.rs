//! Record gossip: a libp2p network of its own beside the engine's, among the validators' peer keys and nobody else; who
//! that is follows the validator sets while it runs (`peers.rs`).
//!
//! A node passes on what was submitted to *it*, to every peer, in bundles; it never passes on what a peer sent. A peer
//! confirms a bundle after it has checked the records, with the height it stands at. At most
//! [`BUNDLES_IN_FLIGHT_MAX`] bundles are unconfirmed per peer. What a slow or absent peer misses is not lost: the
//! record is in the pool of the node that took it, which proposes it when its turn comes.
//!
//! An attachment travels with its record, in a message of their own. A node that lacks attachments (it caught up with
//! blocks that others had decided) asks its peers for them one by one.
//!
//! Messages: a kind byte, then `0` hello: height (8), number of the process (8); `1` bundle: records, each with its length (2) before it; `2` record:
//! its length (2), its bytes, then its attachment's bytes; `3` wanted: SHA-256 of an attachment (32). The answer to a
//! wanted attachment that is held is `4` and its bytes; every other answer is a hello.

mod behaviour;
mod voices;
mod work;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use libp2p::identity::Keypair;
use libp2p::request_response::{self, OutboundRequestId, ResponseChannel};
use libp2p::swarm::SwarmEvent;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, noise, tcp, yamux};
use testamur_primitives::block::push_entry;
use testamur_primitives::genesis::Origin;
use testamur_primitives::hash::AttachmentHash;
use testamur_primitives::units::Height;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

use crate::error::ConsensusError;
use crate::limits::{
    ATTACHMENTS_ASK_INTERVAL, ATTACHMENTS_ASKED_MAX, BUNDLE_BYTES_MAX, BUNDLE_WAIT, BUNDLES_CHECKED_MAX,
    BUNDLES_IN_FLIGHT_MAX, DUPLICATE_TOLD_AGAIN, GREET_INTERVAL, PEER_QUEUE_BYTES_MAX, REDIAL_FIRST, REDIAL_MAX,
};
use crate::metrics::Counters;
use crate::peers::Table;
use behaviour::{Behaviour, BehaviourEvent};
use voices::Voices;
use work::Work;

/// What gossip needs of its node.
pub(crate) trait GossipNode: Send + Sync + 'static {
    /// Checks and pools the records of a bundle; may block.
    fn receive(&self, records: &[&[u8]]);
    /// Checks and pools a record with an attachment; may block.
    fn receive_attached(&self, record: &[u8], attachment: Bytes);
    /// Attachments that this node lacks, at most `limit`; may block.
    fn missing(&self, limit: usize) -> Vec<AttachmentHash>;
    /// An attachment that this node holds; may block.
    fn attachment(&self, attachment: &AttachmentHash) -> Option<Bytes>;
    /// A peer has sent bytes for an attachment that was asked for; may block.
    fn received(&self, attachment: &Bytes);
    /// The height this node stands at.
    fn height(&self) -> Height;
    /// A peer has connected and stands at this height.
    fn greeted(&self, height: Height);
}

/// What peers said of themselves.
#[derive(Debug, Default)]
pub(crate) struct PeerTips {
    tips: Mutex<BTreeMap<PeerId, Height>>,
    changed: Notify,
}

impl PeerTips {
    fn set(&self, peer: PeerId, tip: Option<Height>) {
        let mut tips = self.tips.lock().expect("no panic while held");
        match tip {
            Some(tip) => drop(tips.insert(peer, tip)),
            None => drop(tips.remove(&peer)),
        }
        self.changed.notify_waiters();
    }

    /// Connected peers and the heights that they stand at.
    pub(crate) fn all(&self) -> BTreeMap<PeerId, Height> {
        self.tips.lock().expect("no panic while held").clone()
    }

    /// Waits until so many peers have said their height, or the time is up; the highest of them.
    pub(crate) async fn highest(&self, peers: usize, wait: Duration) -> Option<Height> {
        let enough = async {
            loop {
                let changed = self.changed.notified();
                if self.all().len() >= peers {
                    return;
                }
                changed.await;
            }
        };
        let _ = tokio::time::timeout(wait, enough).await;
        self.all().values().max().copied()
    }
}

/// A record to be passed on, and its attachment.
type Forwarded = (Bytes, Option<Bytes>);

/// Hands records to gossip.
#[derive(Debug, Clone)]
pub(crate) struct GossipSender(mpsc::Sender<Forwarded>);

impl GossipSender {
    /// Passes a record on to all peers, unless gossip is far behind.
    pub(crate) fn forward(&self, record: Bytes, attachment: Option<Bytes>) -> bool {
        self.0.try_send((record, attachment)).is_ok()
    }
}

/// Records that wait for the next bundle: a few bundles' worth.
const FORWARD_QUEUE: usize = 16_384;

pub(crate) struct GossipConfig {
    pub(crate) origin: Origin,
    pub(crate) keypair: Keypair,
    pub(crate) listen: Multiaddr,
    pub(crate) peers: watch::Receiver<Table>,
}

/// Starts gossip; the task ends only when it fails.
pub(crate) fn start(
    config: GossipConfig,
    node: Arc<dyn GossipNode>,
    tips: Arc<PeerTips>,
    counters: Arc<Counters>,
) -> Result<(GossipSender, tokio::task::JoinHandle<ConsensusError>), ConsensusError> {
    let failed = |error: &dyn std::fmt::Display| ConsensusError::Gossip(error.to_string());
    let protocol =
        StreamProtocol::try_from_owned(format!("/testamur/records/3/{}", config.origin)).map_err(|e| failed(&e))?;
    let mut swarm = SwarmBuilder::with_existing_identity(config.keypair)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
        .map_err(|e| failed(&e))?
        .with_behaviour(|_| Behaviour::new(protocol))
        .map_err(|e| failed(&e))?
        .with_swarm_config(|c| c.with_idle_connection_timeout(Duration::from_secs(u64::from(u32::MAX))))
        .build();
    swarm.listen_on(config.listen).map_err(|e| failed(&e))?;
    let (sender, records) = mpsc::channel(FORWARD_QUEUE);
    let (done, checked) = mpsc::channel(64);
    let (lacked, lacking) = mpsc::channel(4);
    let mut gossip = Gossip {
        swarm,
        node,
        tips,
        counters,
        table: config.peers,
        peers: HashMap::new(),
        records,
        bundle: BytesMut::new(),
        bundle_count: 0,
        bundle_due: None,
        done,
        checked,
        checks: Arc::new(Semaphore::new(BUNDLES_CHECKED_MAX)),
        lacked,
        lacking,
        asked: HashMap::new(),
        turn: 0,
        process: voices::own(),
    };
    gossip.follow_table();
    Ok((GossipSender(sender), tokio::spawn(gossip.run())))
}

struct Peer {
    /// Where it is dialled; without, it is waited for.
    address: Option<Multiaddr>,
    connections: usize,
    redial_at: Instant,
    redial_wait: Duration,
    queue: VecDeque<(Bytes, u64)>,
    queue_bytes: usize,
    in_flight: usize,
    voices: Voices,
    /// When its operator was last told of a second process, in this node's log.
    told: Option<Instant>,
}

impl Peer {
    fn new() -> Self {
        Self {
            address: None,
            connections: 0,
            redial_at: Instant::now(),
            redial_wait: REDIAL_FIRST,
            queue: VecDeque::new(),
            queue_bytes: 0,
            in_flight: 0,
            voices: Voices::default(),
            told: None,
        }
    }
}

struct Gossip {
    swarm: Swarm<Behaviour>,
    node: Arc<dyn GossipNode>,
    tips: Arc<PeerTips>,
    counters: Arc<Counters>,
    table: watch::Receiver<Table>,
    peers: HashMap<PeerId, Peer>,
    records: mpsc::Receiver<Forwarded>,
    bundle: BytesMut,
    bundle_count: u64,
    bundle_due: Option<Instant>,
    /// Answers to messages that were worked on; none says hello.
    done: mpsc::Sender<(ResponseChannel<Bytes>, Option<Bytes>)>,
    checked: mpsc::Receiver<(ResponseChannel<Bytes>, Option<Bytes>)>,
    checks: Arc<Semaphore>,
    /// Attachments that this node lacks, as read from its ledger.
    lacked: mpsc::Sender<Vec<AttachmentHash>>,
    lacking: mpsc::Receiver<Vec<AttachmentHash>>,
    /// Attachments asked for.
    asked: HashMap<OutboundRequestId, AttachmentHash>,
    /// Which peer is asked next.
    turn: usize,
    /// Number of this process.
    process: u64,
}

fn hello(height: Height, process: u64) -> Bytes {
    let mut message = vec![0];
    message.extend(height.get().to_be_bytes());
    message.extend(process.to_be_bytes());
    message.into()
}

fn read_hello(message: &[u8]) -> Option<(Height, u64)> {
    let (kind, rest) = message.split_first()?;
    let (height, process) = rest.split_first_chunk::<8>()?;
    let process = process.try_into().ok()?;
    (*kind == 0).then_some((Height(u64::from_be_bytes(*height)), u64::from_be_bytes(process)))
}

/// Reads a message as [`Gossip::receive`] does, and a bundle's entries as its work would; for fuzzing.
pub(crate) fn parse(bytes: &[u8]) {
    let message = Bytes::copy_from_slice(bytes);
    if let Some((height, process)) = read_hello(&message) {
        assert_eq!(hello(height, process), message, "a hello has one form");
    } else if let Some(Work::Bundle(bundle)) = Work::read(&message) {
        work::records(&bundle);
    }
}

impl Gossip {
    async fn run(mut self) -> ConsensusError {
        let mut redial = tokio::time::interval(REDIAL_FIRST);
        let mut ask = tokio::time::interval(ATTACHMENTS_ASK_INTERVAL);
        ask.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut greet = tokio::time::interval(GREET_INTERVAL);
        greet.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = self.bundle_due.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                event = self.swarm.select_next_some() => {
                    if let Some(error) = self.swarm_event(event) {
                        return error;
                    }
                }
                record = self.records.recv() => match record {
                    Some((record, None)) => self.add(&record),
                    Some((record, Some(attachment))) => self.add_attached(&record, &attachment),
                    None => return ConsensusError::Gossip("the node is gone".into()),
                },
                () = tokio::time::sleep_until(due), if self.bundle_due.is_some() => self.flush(),
                Some((channel, answer)) = self.checked.recv() => {
                    let answer = answer.unwrap_or_else(|| hello(self.node.height(), self.process));
                    // The peer is gone: it asks again.
                    let _ = self.swarm.behaviour_mut().records.send_response(channel, answer);
                }
                Some(lacking) = self.lacking.recv() => self.ask(&lacking),
                _ = ask.tick() => self.look_for_lacking(),
                _ = greet.tick() => self.greet_all(),
                _ = redial.tick() => self.redial(),
                // Its sender lives as long as the node.
                Ok(()) = self.table.changed() => self.follow_table(),
            }
        }
    }

    fn add(&mut self, record: &[u8]) {
        if 1 + self.bundle.len() + 2 + record.len() > BUNDLE_BYTES_MAX {
            self.flush();
        }
        let mut entry = Vec::with_capacity(2 + record.len());
        push_entry(&mut entry, record);
        self.bundle.extend_from_slice(&entry);
        self.bundle_count += 1;
        self.bundle_due.get_or_insert_with(|| Instant::now() + BUNDLE_WAIT);
    }

    fn add_attached(&mut self, record: &[u8], attachment: &[u8]) {
        // What was to be sent before goes before: an author's records keep their order.
        if self.bundle_count > 0 {
            self.flush();
        }
        let mut message = Vec::with_capacity(3 + record.len() + attachment.len());
        message.push(2);
        push_entry(&mut message, record);
        message.extend_from_slice(attachment);
        self.pass_on(message.into(), 1);
    }

    fn flush(&mut self) {
        self.bundle_due = None;
        let count = std::mem::take(&mut self.bundle_count);
        let mut message = BytesMut::with_capacity(1 + self.bundle.len());
        message.extend_from_slice(&[1]);
        message.extend_from_slice(&self.bundle);
        self.bundle.clear();
        self.pass_on(message.freeze(), count);
    }

    /// Queues a message of so many records for every connected peer.
    fn pass_on(&mut self, message: Bytes, count: u64) {
        let connected: Vec<PeerId> = self.peers.iter().filter(|(_, p)| p.connections > 0).map(|(id, _)| *id).collect();
        for id in connected {
            let peer = self.peers.get_mut(&id).expect("listed above");
            peer.queue_bytes += message.len();
            peer.queue.push_back((message.clone(), count));
            while peer.queue_bytes > PEER_QUEUE_BYTES_MAX {
                let Some((oldest, count)) = peer.queue.pop_front() else { break };
                peer.queue_bytes -= oldest.len();
                Counters::add(&self.counters.gossip_dropped, count);
            }
            self.send(id);
        }
    }

    /// Sends what may be sent to a peer.
    fn send(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        while peer.in_flight < BUNDLES_IN_FLIGHT_MAX && peer.connections > 0 {
            let Some((message, _)) = peer.queue.pop_front() else { break };
            peer.queue_bytes -= message.len();
            peer.in_flight += 1;
            Counters::add(&self.counters.gossip_bundles, 1);
            self.swarm.behaviour_mut().records.send_request(&id, message);
        }
    }

    /// Reads what this node lacks; the answer comes by the channel.
    fn look_for_lacking(&self) {
        let (node, lacked) = (Arc::clone(&self.node), self.lacked.clone());
        tokio::task::spawn_blocking(move || {
            let missing = node.missing(ATTACHMENTS_ASKED_MAX);
            if !missing.is_empty() {
                // The last answer still waits: enough.
                let _ = lacked.try_send(missing);
            }
        });
    }

    /// Asks peers in turn for attachments that were not asked for.
    fn ask(&mut self, lacking: &[AttachmentHash]) {
        let mut connected: Vec<PeerId> =
            self.peers.iter().filter(|(_, p)| p.connections > 0).map(|(id, _)| *id).collect();
        connected.sort_unstable();
        // One step for each call, not for each attachment: three attachments would meet the same of three peers for ever.
        self.turn = self.turn.wrapping_add(1);
        for (place, attachment) in lacking.iter().enumerate() {
            if connected.is_empty() || self.asked.len() >= ATTACHMENTS_ASKED_MAX {
                return;
            }
            if self.asked.values().any(|asked| asked == attachment) {
                continue;
            }
            let peer = connected[self.turn.wrapping_add(place) % connected.len()];
            let message = [&[3], attachment.as_bytes().as_slice()].concat();
            let request = self.swarm.behaviour_mut().records.send_request(&peer, message.into());
            self.asked.insert(request, *attachment);
        }
    }

    /// A peer has answered, or failed to: what it sent is kept if it is right; otherwise the next peer is asked at the
    /// next turn.
    fn answered(&mut self, response: Option<Bytes>) {
        let Some(bytes) = response.filter(|response| response.first() == Some(&4)).map(|r| r.slice(1..)) else {
            return;
        };
        let (node, lacked) = (Arc::clone(&self.node), self.lacked.clone());
        tokio::task::spawn_blocking(move || {
            node.received(&bytes);
            // On with the next ones at once: a node that was away for long lacks many.
            let _ = lacked.try_send(node.missing(ATTACHMENTS_ASKED_MAX));
        });
    }

    /// Lets in who is in the table, and closes the connections of who is no longer.
    fn follow_table(&mut self) {
        let table = Arc::clone(&self.table.borrow_and_update());
        let gone: Vec<_> = self.peers.keys().filter(|id| !table.iter().any(|peer| peer.id == **id)).copied().collect();
        for id in gone {
            self.peers.remove(&id);
            self.swarm.behaviour_mut().allowed.disallow_peer(id);
            self.tips.set(id, None);
        }
        for peer in table.iter() {
            self.swarm.behaviour_mut().allowed.allow_peer(peer.id);
            let known = self.peers.entry(peer.id).or_insert_with(Peer::new);
            if known.address != peer.gossip {
                known.address.clone_from(&peer.gossip);
                (known.redial_at, known.redial_wait) = (Instant::now(), REDIAL_FIRST);
            }
        }
    }

    fn redial(&mut self) {
        let now = Instant::now();
        for (id, peer) in &mut self.peers {
            let Some(address) = peer.address.clone() else { continue };
            if peer.connections == 0 && peer.redial_at <= now {
                peer.redial_at = now + peer.redial_wait;
                peer.redial_wait = (peer.redial_wait * 2).min(REDIAL_MAX);
                let options = DialOpts::peer_id(*id)
                    .condition(PeerCondition::DisconnectedAndNotDialing)
                    .addresses(vec![address])
                    .build();
                // Refused because a dial is on its way: the next turn sees.
                let _ = self.swarm.dial(options);
            }
        }
    }

    fn swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) -> Option<ConsensusError> {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, .. } => {
                if let Some(peer) = self.peers.get_mut(&peer_id) {
                    peer.connections += 1;
                    peer.redial_wait = REDIAL_FIRST;
                    if peer.connections == 1 {
                        self.greet(peer_id);
                    }
                }
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established, .. } => {
                if let Some(peer) = self.peers.get_mut(&peer_id) {
                    peer.connections = num_established as usize;
                    if num_established == 0 {
                        peer.voices.forget();
                        peer.redial_at = Instant::now() + REDIAL_FIRST;
                        peer.queue.clear();
                        peer.queue_bytes = 0;
                        self.tips.set(peer_id, None);
                    }
                }
            }
            SwarmEvent::ListenerClosed { reason, .. } => {
                return Some(ConsensusError::Gossip(format!("listener closed: {reason:?}")));
            }
            SwarmEvent::Behaviour(BehaviourEvent::Records(event)) => self.records_event(event),
            _ => {}
        }
        None
    }

    fn records_event(&mut self, event: request_response::Event<Bytes, Bytes>) {
        match event {
            request_response::Event::Message { peer, message, .. } => match message {
                request_response::Message::Request { request, channel, .. } => self.receive(peer, request, channel),
                request_response::Message::Response { request_id, response } => {
                    if self.asked.remove(&request_id).is_some() {
                        return self.answered(Some(response));
                    }
                    if let Some((height, process)) = read_hello(&response) {
                        self.tips.set(peer, Some(height));
                        self.hear(peer, process);
                    }
                    self.confirmed(peer, request_id);
                }
            },
            request_response::Event::OutboundFailure { peer, request_id, error, .. } => {
                tracing::debug!(%peer, %error, "message not answered");
                if self.asked.remove(&request_id).is_some() {
                    return self.answered(None);
                }
                self.confirmed(peer, request_id);
            }
            request_response::Event::InboundFailure { .. } | request_response::Event::ResponseSent { .. } => {}
        }
    }

    fn greet(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.in_flight += 1;
        let message = hello(self.node.height(), self.process);
        self.swarm.behaviour_mut().records.send_request(&id, message);
    }

    /// Greets who is quiet, so that two processes with one key are heard where nothing else is said, too.
    fn greet_all(&mut self) {
        let quiet: Vec<_> =
            self.peers.iter().filter(|(_, p)| p.connections > 0 && p.in_flight == 0).map(|(id, _)| *id).collect();
        quiet.into_iter().for_each(|id| self.greet(id));
    }

    fn hear(&mut self, id: PeerId, process: u64) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if !peer.voices.hear(process) {
            return;
        }
        Counters::add(&self.counters.duplicate_keys, 1);
        if peer.told.is_none_or(|told| told.elapsed() > DUPLICATE_TOLD_AGAIN) {
            peer.told = Some(Instant::now());
            let validator = self.table.borrow().iter().find(|p| p.id == id).map(|p| p.validator.to_string());
            let validator = validator.unwrap_or_default();
            tracing::error!(
                %validator,
                peer = %id,
                "TWO processes run with this validator's keys at once: they will sign twice. Its operator must stop one of \
                 them, and find out who started it"
            );
        }
    }

    fn confirmed(&mut self, id: PeerId, _request: OutboundRequestId) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.in_flight = peer.in_flight.saturating_sub(1);
        }
        self.send(id);
    }

    fn receive(&mut self, peer: PeerId, message: Bytes, channel: ResponseChannel<Bytes>) {
        if let Some((height, process)) = read_hello(&message) {
            self.tips.set(peer, Some(height));
            self.hear(peer, process);
            self.node.greeted(height);
            let answer = hello(self.node.height(), self.process);
            let _ = self.swarm.behaviour_mut().records.send_response(channel, answer);
            return;
        }
        let Some(work) = Work::read(&message) else {
            return; // dropping the channel tells the peer that its message was not understood
        };
        let (node, done, checks) = (Arc::clone(&self.node), self.done.clone(), Arc::clone(&self.checks));
        let counters = Arc::clone(&self.counters);
        tokio::spawn(async move {
            let _permit = checks.acquire_owned().await.expect("the semaphore is never closed");
            if let Ok(answer) = tokio::task::spawn_blocking(move || work.done(&*node, &counters)).await {
                let _ = done.send((channel, answer)).await;
            }
        });
    }
}
