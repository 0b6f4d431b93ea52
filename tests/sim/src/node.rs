//! One simulated node: the engine's core with its effects, its log, its value sync, over a [`Seat`].
//!
//! The order of effects follows the engine's own actors: the log is flushed before a message leaves, before a round begins
//! and before a decision; a decision is committed before it is told; at a start the log is replayed, and one that tells
//! other things than it did is moved aside. What waits for a reply there is answered at once here.

mod side;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_malachitebft_app_channel::AppMsg;
use arc_malachitebft_app_channel::app::consensus::{
    ConsensusMsg, Effect, Input, LivenessMsg, Params, Resumable as _, Resume, State, process,
};
use arc_malachitebft_app_channel::app::engine::host::{HeightParams, Next, SyncedValueOutcome};
use arc_malachitebft_app_channel::app::engine::wal::{decode_entry, encode_entry};
use arc_malachitebft_app_channel::app::metrics::Metrics;
use arc_malachitebft_app_channel::app::types::codec::Codec as _;
use arc_malachitebft_app_channel::app::types::core::{
    Timeout, Timeouts as _, ValidatorSet as _, ValueOrigin, ValuePayload, ValueResponse,
};
use arc_malachitebft_app_channel::app::types::{PeerId, ProposedValue, SignedConsensusMsg};
use arc_malachitebft_app_channel::app::wal::log::Log;
use arc_malachitebft_signing::{Signer, VerifierExt as _};
use arc_malachitebft_sync as sync;
use bytes::Bytes;
use futures::FutureExt as _;
use testamur_consensus::application::Application as _;
use testamur_consensus::codec::WireCodec;
use testamur_consensus::context::{EngineAddress, EngineHeight, Network, RoundTimeouts};
use testamur_consensus::guard::{GuardDisk as _, GuardError};
use testamur_consensus::limits::{SYNC_BATCH, SYNC_REQUEST_TIMEOUT, SYNC_STATUS_INTERVAL};
use testamur_consensus::seat::{Seat, log_is_readable};
use testamur_consensus::signer::SyncLog;
use testamur_primitives::units::Height;
use tokio::sync::oneshot;

use crate::disk::{Disk, LogFile};
use crate::ledger::Ledger;
use crate::signing::{SharedVerifier, ValidVotes};
use crate::time::Micros;

/// The engine's log on the disk.
pub const LOG: &str = "engine.wal";
/// How often one process moves an engine's log aside, as the node does.
const LOG_MOVES_MAX: u32 = 3;
/// The engine's queues for heights to come, as it has them by default.
const QUEUE_HEIGHTS: usize = 10;
const QUEUE_INPUTS: usize = 500;
/// Messages that the engine keeps before it has begun.
const EARLY_MAX: usize = 1024;

/// What goes over the network, in the bytes it has there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A vote or proposal.
    Consensus(Bytes),
    /// A vote or certificate once more.
    Liveness(Bytes),
    /// A part of a block.
    Part(Bytes),
    /// A record.
    Record(Bytes),
    /// A node's height.
    Status(Bytes),
    /// Asks for decided blocks.
    Request(Bytes),
    /// Decided blocks.
    Response(Bytes),
    /// Record gossip's greeting: the height of who has just connected.
    Greeting(Height),
}

/// To whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// All others.
    All,
    /// The node with this identity.
    Peer(PeerId),
}

/// What a node did that others may know of.
#[derive(Debug)]
pub enum Done {
    /// It sent something.
    Sent(To, Message),
    /// It let a signed vote or proposal out.
    Published(SignedConsensusMsg<Network>),
    /// It said that a block is final.
    Committed(Height),
    /// It saw somebody sign two things for one slot.
    Evidence(usize),
}

/// Who signs.
pub type AnySigner = Box<dyn Signer<Network>>;

/// Replaces the node's signer by a broken one.
pub type MakeSigner = Arc<dyn Fn() -> AnySigner + Send + Sync>;

/// What a node is started with.
pub struct NodeParts {
    /// The validator without an engine.
    pub seat: Seat<Ledger>,
    /// Its ledger.
    pub ledger: Arc<Ledger>,
    /// Its disk, for the engine's log.
    pub disk: Disk,
    /// Its identity.
    pub peer: PeerId,
    /// Votes known to be valid.
    pub valid: ValidVotes,
    /// A signer that is broken on purpose.
    pub signer: Option<MakeSigner>,
}

/// A running node.
pub struct Node {
    core: Option<State<Network>>,
    side: Side,
    metrics: Metrics,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Ready,
    Recovering,
    Running,
}

/// What waits to be handed to the engine.
enum Waiting {
    Start(EngineHeight, HeightParams<Network>),
    Input(Input<Network>),
    Part(PeerId, Bytes),
}

struct Side {
    seat: Seat<Ledger>,
    ledger: Arc<Ledger>,
    disk: Disk,
    peer: PeerId,
    valid: ValidVotes,
    make_signer: Option<MakeSigner>,
    codec: WireCodec,
    address: EngineAddress,
    signer: Option<AnySigner>,
    verifier: SharedVerifier,
    log: Log<LogFile>,
    log_moves: u32,
    phase: Phase,
    is_validator: bool,
    timeouts: RoundTimeouts,
    timers: Vec<(Timeout, Micros)>,
    now: Micros,
    waiting: VecDeque<Waiting>,
    early: VecDeque<Waiting>,
    ready: Option<oneshot::Receiver<(EngineHeight, HeightParams<Network>)>>,
    next: Option<oneshot::Receiver<Next<Network>>>,
    /// The engine must be replaced by another.
    switch: bool,
    /// Value sync: what was asked of whom and until when, what came ahead of its height, when statuses go out.
    asked: Option<(PeerId, Micros)>,
    fetched: BTreeMap<Height, ValueResponse<Network>>,
    fed: Option<Height>,
    status_due: Micros,
    done: Vec<Done>,
}

/// Why a node ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended(pub String);

fn ended(what: &str, error: impl std::fmt::Display) -> Ended {
    Ended(format!("{what}: {error}"))
}

fn micros(duration: Duration) -> Micros {
    duration.as_micros() as Micros
}

impl Node {
    /// Starts a node.
    pub fn start(mut parts: NodeParts, now: Micros) -> Result<Self, Ended> {
        let engine = parts.seat.engine(log_syncer(&parts.disk));
        let log = open_log(&mut parts.disk)?;
        let signer = engine.signer.map(|signer| match &parts.signer {
            Some(broken) => broken(),
            None => Box::new(signer) as AnySigner,
        });
        let side = Side {
            codec: parts.seat.codec(),
            seat: parts.seat,
            ledger: parts.ledger,
            disk: parts.disk,
            peer: parts.peer,
            verifier: SharedVerifier::new(engine.verifier, parts.valid.clone()),
            valid: parts.valid,
            make_signer: parts.signer,
            address: engine.address,
            signer,
            log,
            log_moves: 0,
            phase: Phase::Ready,
            is_validator: false,
            timeouts: RoundTimeouts::default(),
            timers: Vec::new(),
            now,
            waiting: VecDeque::new(),
            early: VecDeque::new(),
            ready: None,
            next: None,
            switch: false,
            asked: None,
            fetched: BTreeMap::new(),
            fed: None,
            status_due: now + micros(SYNC_STATUS_INTERVAL),
            done: Vec::new(),
        };
        let mut node = Self { core: None, side, metrics: Metrics::new() };
        node.side.say_ready()?;
        node.settle()?;
        Ok(node)
    }

    /// What it did since it was last asked.
    pub fn done(&mut self) -> Vec<Done> {
        std::mem::take(&mut self.side.done)
    }

    /// Its ledger.
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.side.ledger
    }

    /// Its seat.
    pub fn seat(&self) -> &Seat<Ledger> {
        &self.side.seat
    }

    /// The height and round that its engine is in, for words.
    pub fn position(&self) -> String {
        match &self.core {
            Some(core) => {
                format!("{}/{} {:?} {:?}", core.height(), core.round(), self.side.phase, self.side.seat.role())
            }
            None => format!("waits {:?}", self.side.seat.role()),
        }
    }

    /// When something is due though nothing comes. `seat_due` is the seat's, in the world's time.
    pub fn due(&self, seat_due: impl FnOnce(&Seat<Ledger>) -> Option<Micros>) -> Micros {
        let timers = self.side.timers.iter().map(|(_, at)| *at);
        timers.chain([self.side.status_due]).chain(seat_due(&self.side.seat)).min().expect("a status is always due")
    }

    /// Time has come to `now`.
    pub fn tick(&mut self, now: Micros) -> Result<(), Ended> {
        self.side.now = now;
        while let Some(place) = self.first_timer(now) {
            let (timeout, _) = self.side.timers.remove(place);
            self.side.waiting.push_back(Waiting::Input(Input::TimeoutElapsed(timeout)));
            self.settle()?;
        }
        if self.side.status_due <= now {
            self.side.status_due = now + micros(SYNC_STATUS_INTERVAL);
            self.side.send_status();
        }
        self.settle()
    }

    fn first_timer(&self, now: Micros) -> Option<usize> {
        let due = self.side.timers.iter().enumerate().filter(|(_, (_, at))| *at <= now);
        due.min_by_key(|(place, (_, at))| (*at, *place)).map(|(place, _)| place)
    }

    /// A message has come from another node.
    pub fn receive(&mut self, now: Micros, from: PeerId, message: &Message) -> Result<(), Ended> {
        self.side.now = now;
        match message {
            Message::Consensus(bytes) => match self.side.codec.decode(bytes.clone()) {
                Ok(SignedConsensusMsg::Vote(vote)) => self.side.take(Waiting::Input(Input::Vote(vote))),
                Ok(SignedConsensusMsg::Proposal(proposal)) => {
                    self.side.take(Waiting::Input(Input::Proposal(proposal)));
                }
                Err(_) => {}
            },
            Message::Liveness(bytes) => match self.side.codec.decode(bytes.clone()) {
                Ok(LivenessMsg::Vote(vote)) => self.side.take(Waiting::Input(Input::Vote(vote))),
                Ok(LivenessMsg::PolkaCertificate(polka)) => {
                    self.side.take(Waiting::Input(Input::PolkaCertificate(polka)));
                }
                Ok(LivenessMsg::SkipRoundCertificate(round)) => {
                    self.side.take(Waiting::Input(Input::RoundCertificate(round)));
                }
                Err(_) => {}
            },
            Message::Part(bytes) => self.side.take(Waiting::Part(from, bytes.clone())),
            Message::Record(bytes) => {
                // A record that is not taken is no matter of who passed it on.
                let _ = self.side.seat.take(bytes);
            }
            Message::Greeting(height) => self.side.seat.greeted(*height),
            Message::Status(bytes) => {
                if let Ok(status) = sync_decode::<sync::Status<Network>>(&self.side.codec, bytes) {
                    self.side.seat.greeted(status.tip_height.0);
                    self.ask(from, status.tip_height.0)?;
                }
            }
            Message::Request(bytes) => {
                if let Ok(sync::Request::ValueRequest(request)) = sync_decode(&self.side.codec, bytes) {
                    self.side.serve(from, request)?;
                }
            }
            Message::Response(bytes) => {
                if let Ok(sync::Response::ValueResponse(response)) = sync_decode(&self.side.codec, bytes) {
                    self.side.fetch(from, response);
                }
            }
        }
        self.settle()
    }

    /// A client's record; whether it was new.
    pub fn submit(&mut self, now: Micros, record: &Bytes) -> Result<bool, Ended> {
        self.side.now = now;
        let new = self.side.seat.take(record).is_ok_and(|(_, new)| new);
        if new {
            self.side.done.push(Done::Sent(To::All, Message::Record(record.clone())));
        }
        self.settle()?;
        Ok(new)
    }

    /// Asks a peer that stands higher for what is missing.
    fn ask(&mut self, peer: PeerId, tip: Height) -> Result<(), Ended> {
        // Its height begins first, if it is waiting.
        self.settle()?;
        let side = &mut self.side;
        let wanted = side.ledger.tip().height.next();
        let busy = side.asked.is_some_and(|(_, until)| side.now < until) || side.fetched.contains_key(&wanted);
        if tip < wanted || busy || side.phase != Phase::Running {
            return Ok(());
        }
        let to = tip.min(Height(wanted.get() + SYNC_BATCH as u64 - 1));
        let request = sync::ValueRequest::new(EngineHeight(wanted)..=EngineHeight(to));
        let bytes = side.codec.encode(&sync::Request::ValueRequest(request)).map_err(|e| ended("codec", e))?;
        side.asked = Some((peer, side.now + micros(SYNC_REQUEST_TIMEOUT)));
        side.done.push(Done::Sent(To::Peer(peer), Message::Request(bytes)));
        Ok(())
    }

    /// Hands over all that waits, until nothing is left to do now.
    fn settle(&mut self) -> Result<(), Ended> {
        for steps in 0.. {
            if steps > 100_000 {
                return Err(Ended("the node does not come to rest".into()));
            }
            if self.side.switch {
                self.change_engine()?;
            }
            match self.side.waiting.pop_front() {
                Some(Waiting::Start(height, params)) => self.start_height(height, params)?,
                Some(Waiting::Input(input)) => {
                    self.input(input)?;
                }
                Some(Waiting::Part(from, bytes)) => self.side.receive_part(from, bytes)?,
                None => {
                    if self.side.look()? || self.feed() {
                        continue;
                    }
                    if self.side.waiting.is_empty() && !self.side.switch {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Hands a fetched block to the engine when its height has come. Whether it did.
    fn feed(&mut self) -> bool {
        let Some(core) = self.core.as_ref().filter(|_| self.side.phase == Phase::Running) else { return false };
        let height = core.height().0;
        self.side.fetched.retain(|h, _| *h >= height);
        if core.driver.step_is_commit() || self.side.fed == Some(height) {
            return false;
        }
        let Some(response) = self.side.fetched.remove(&height) else { return false };
        self.side.fed = Some(height);
        self.side.waiting.push_back(Waiting::Input(Input::SyncValueResponse(response)));
        true
    }

    fn input(&mut self, input: Input<Network>) -> Result<(), Ended> {
        let (Some(core), side) = (self.core.as_mut(), &mut self.side) else { return Ok(()) };
        let mut failure = None;
        let result: Result<(), testamur_error::Core> = process!(
            input: input,
            state: core,
            metrics: &self.metrics,
            with: effect => side.effect(effect).map_err(|error| { failure.get_or_insert(error); })
        );
        match (failure, result) {
            (Some(error), _) => Err(error),
            (None, Err(error)) => Err(ended("the engine", error.0)),
            (None, Ok(())) => Ok(()),
        }
    }

    fn start_height(&mut self, height: EngineHeight, params: HeightParams<Network>) -> Result<(), Ended> {
        let (address, side) = (self.side.address, &mut self.side);
        if self.core.is_none() {
            let consensus = Params {
                address,
                threshold_params: Default::default(),
                value_payload: ValuePayload::ProposalAndParts,
                enabled: true,
            };
            let set = params.validator_set.clone();
            self.core = Some(State::new(Network, height, set, consensus, QUEUE_HEIGHTS, QUEUE_INPUTS));
        }
        side.is_validator = params.validator_set.get_by_address(&address).is_some();
        let sequence = height.0.get();
        let entries = if side.is_validator && side.log.sequence() == sequence {
            side.log_entries()?
        } else {
            side.log.reset(sequence).map_err(|e| ended("engine's log", e))?;
            Vec::new()
        };
        side.timeouts = params.timeouts;
        side.fed = None;
        let policy = params.vote_extension_policy;
        self.input(Input::StartHeight(height, params.validator_set, false, params.target_time, policy))?;
        if !entries.is_empty() {
            self.side.phase = Phase::Recovering;
            if !self.replay(entries)? {
                return Ok(()); // the engine is changed
            }
        }
        self.side.phase = Phase::Running;
        let early = std::mem::take(&mut self.side.early);
        self.side.waiting.extend(early);
        Ok(())
    }

    /// Replays the log. `false`: it tells other things than happened, or is damaged, and is moved aside.
    fn replay(&mut self, entries: Vec<Option<Input<Network>>>) -> Result<bool, Ended> {
        let core = self.core.as_mut().expect("made at the start of the height");
        core.index_wal_entries(entries.iter().flatten());
        for entry in entries {
            let outcome = match entry {
                Some(entry) => self.input(entry),
                None => Err(Ended("a damaged entry".into())),
            };
            if let Err(error) = outcome {
                if self.side.disk.stopped() || error.0.starts_with("double-sign guard") {
                    return Err(error);
                }
                self.side.log_moves += 1;
                if self.side.log_moves > LOG_MOVES_MAX {
                    return Err(error);
                }
                let aside = format!("{LOG}.diverged");
                self.side.disk.rename(LOG, &aside).map_err(|e| ended("engine's log", e))?;
                self.side.switch = true;
                return Ok(false);
            }
        }
        if let Some(core) = self.core.as_mut() {
            core.reset_entries_index();
        }
        Ok(true)
    }

    /// The engine is gone or the wrong one: another in its place, as the node does.
    fn change_engine(&mut self) -> Result<(), Ended> {
        self.core = None;
        let side = &mut self.side;
        side.switch = false;
        side.seat.next_engine();
        let engine = side.seat.engine(log_syncer(&side.disk));
        side.log = open_log(&mut side.disk)?;
        side.signer = engine.signer.map(|signer| match &side.make_signer {
            Some(broken) => broken(),
            None => Box::new(signer) as AnySigner,
        });
        side.verifier = SharedVerifier::new(engine.verifier, side.valid.clone());
        side.codec = side.seat.codec();
        side.address = engine.address;
        (side.phase, side.next, side.asked, side.fed) = (Phase::Ready, None, None, None);
        side.timers.clear();
        side.waiting.clear();
        side.fetched.clear();
        side.say_ready()
    }
}

fn log_syncer(disk: &Disk) -> SyncLog {
    let disk = disk.clone();
    Arc::new(move || {
        let failed = |source| GuardError::Io { what: "sync", path: disk.path(LOG), source };
        disk.clone().sync(LOG).map_err(failed)
    })
}

/// Opens the engine's log; one that it could not read is moved aside before, as the node does.
fn open_log(disk: &mut Disk) -> Result<Log<LogFile>, Ended> {
    let failed = |e| ended("engine's log", e);
    if disk.read_file(LOG).map_err(failed)?.is_some_and(|bytes| !log_is_readable(&bytes)) {
        disk.rename(LOG, &format!("{LOG}.diverged")).map_err(failed)?;
    }
    let log = Log::open_with(Path::new(LOG), disk.clone()).map_err(failed)?;
    disk.sync_directory().map_err(failed)?;
    Ok(log)
}

fn sync_decode<T>(codec: &WireCodec, bytes: &Bytes) -> Result<T, ()>
where
    WireCodec: arc_malachitebft_app_channel::app::types::codec::Codec<T>,
{
    codec.decode(bytes.clone()).map_err(|_| ())
}

mod testamur_error {
    use arc_malachitebft_app_channel::app::consensus::Error;
    use testamur_consensus::context::Network;

    /// The core's error in words: `process!` converts into it.
    pub(super) struct Core(pub(super) String);

    impl From<Error<Network>> for Core {
        fn from(error: Error<Network>) -> Self {
            Self(error.to_string())
        }
    }
}
