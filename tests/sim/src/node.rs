//! One simulated node: the engine's core with its effects, its log, its value sync, over a [`Seat`].
//!
//! The order of effects follows the engine's own actors: the log is flushed before a message leaves, before a round begins
//! and before a decision; a decision is committed before it is told; at a start the log is replayed, and one that tells
//! other things than it did is moved aside. What waits for a reply there is answered at once here.

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
use testamur_consensus::context::{EngineAddress, EngineHeight, EngineRound, Network, RoundTimeouts};
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

impl Side {
    fn say_ready(&mut self) -> Result<(), Ended> {
        let (reply, ready) = oneshot::channel();
        self.ready = Some(ready);
        self.answer(AppMsg::ConsensusReady { reply })
    }

    /// Hands an input to the engine, or keeps it until the engine has begun.
    fn take(&mut self, waiting: Waiting) {
        if self.phase == Phase::Running {
            self.waiting.push_back(waiting);
        } else if self.early.len() < EARLY_MAX {
            self.early.push_back(waiting);
        }
    }

    fn answer(&mut self, message: AppMsg<Network>) -> Result<(), Ended> {
        let tip = self.ledger.tip().height;
        let answered = self.seat.answer(message);
        while let Some(part) = self.seat.published() {
            let bytes = self.codec.encode(&part).map_err(|e| ended("codec", e))?;
            self.done.push(Done::Sent(To::All, Message::Part(bytes)));
        }
        self.switch |= answered.map_err(|e| ended("node", e))?;
        let reached = self.ledger.tip().height;
        if reached > tip {
            self.done.push(Done::Committed(reached));
        }
        Ok(())
    }

    /// Looks for a reason to go on. Whether something was found.
    fn look(&mut self) -> Result<bool, Ended> {
        if self.seat.look().map_err(|e| ended("node", e))? {
            self.switch = true;
            return Ok(true);
        }
        let started = match (&mut self.ready, &mut self.next) {
            (Some(ready), _) => ready.try_recv().ok(),
            (None, Some(next)) => next.try_recv().ok().map(|next| match next {
                Next::Start(height, params) | Next::Restart(height, params) => (height, params),
            }),
            (None, None) => None,
        };
        let Some((height, params)) = started else { return Ok(false) };
        (self.ready, self.next) = (None, None);
        self.waiting.push_back(Waiting::Start(height, params));
        Ok(true)
    }

    fn receive_part(&mut self, from: PeerId, bytes: Bytes) -> Result<(), Ended> {
        let Ok(part) = self.codec.decode(bytes) else { return Ok(()) };
        let (reply, mut value) = oneshot::channel();
        self.answer(AppMsg::ReceivedProposalPart { from, published_by: Some(from), part, reply })?;
        if let Ok(Some(value)) = value.try_recv() {
            self.propose(value, ValueOrigin::Consensus);
        }
        Ok(())
    }

    fn propose(&mut self, value: ProposedValue<Network>, origin: ValueOrigin) {
        self.waiting.push_back(Waiting::Input(Input::ProposedValue(value, origin)));
    }

    fn send_status(&mut self) {
        // An engine that has not begun says nothing.
        if self.phase != Phase::Running {
            return;
        }
        let tip_height = EngineHeight(self.ledger.tip().height);
        let status = sync::Status { peer_id: self.peer, tip_height, history_min_height: EngineHeight(Height(1)) };
        let bytes: Bytes = self.codec.encode(&status).expect("a status is short");
        self.done.push(Done::Sent(To::All, Message::Status(bytes)));
    }

    fn serve(&mut self, peer: PeerId, request: sync::ValueRequest<Network>) -> Result<(), Ended> {
        if self.phase != Phase::Running {
            return Ok(());
        }
        let start = *request.range.start();
        let (reply, mut values) = oneshot::channel();
        self.answer(AppMsg::GetDecidedValues { range: request.range, reply })?;
        let Ok(values) = values.try_recv() else { return Ok(()) };
        let response = sync::Response::ValueResponse(sync::ValueResponse::new(start, values));
        let bytes = self.codec.encode(&response).map_err(|e| ended("codec", e))?;
        self.done.push(Done::Sent(To::Peer(peer), Message::Response(bytes)));
        Ok(())
    }

    fn fetch(&mut self, peer: PeerId, response: sync::ValueResponse<Network>) {
        if self.asked.is_none_or(|(asked, _)| asked != peer) {
            return;
        }
        self.asked = None;
        for value in response.values {
            let height = value.certificate.height.0;
            self.fetched.insert(height, ValueResponse::new(peer, value.value_bytes, value.certificate));
        }
    }

    fn log_entries(&mut self) -> Result<Vec<Option<Input<Network>>>, Ended> {
        if self.log.is_empty() {
            return Ok(Vec::new());
        }
        let mut entries = Vec::new();
        for entry in self.log.iter().map_err(|e| ended("engine's log", e))? {
            let input = entry.and_then(|bytes| decode_entry(&self.codec, bytes.as_slice())).ok();
            let damaged = input.is_none();
            entries.push(input);
            if damaged {
                break;
            }
        }
        if matches!(entries.last(), Some(None)) {
            self.log.truncate(entries.len() as u64 - 1).map_err(|e| ended("engine's log", e))?;
        }
        Ok(entries)
    }

    fn log_append(&mut self, entry: Input<Network>) -> Result<(), Ended> {
        if self.phase == Phase::Recovering || !self.is_validator {
            return Ok(());
        }
        let mut bytes = Vec::new();
        encode_entry(entry, &self.codec, &mut bytes).map_err(|e| ended("engine's log", e))?;
        self.log.append(&bytes).map_err(|e| ended("engine's log", e))
    }

    fn log_flush(&mut self) -> Result<(), Ended> {
        if self.phase == Phase::Recovering || !self.is_validator {
            return Ok(());
        }
        self.log.flush().map_err(|e| ended("engine's log", e))
    }

    fn cancel(&mut self, timeout: Timeout) {
        self.timers.retain(|(t, _)| *t != timeout);
    }

    fn sent(&mut self, message: Message) {
        self.done.push(Done::Sent(To::All, message));
    }

    fn liveness(&mut self, message: &LivenessMsg<Network>) -> Result<(), Ended> {
        let bytes = self.codec.encode(message).map_err(|e| ended("codec", e))?;
        self.sent(Message::Liveness(bytes));
        Ok(())
    }

    fn signer(&self) -> &dyn Signer<Network> {
        self.signer.as_deref().expect("an engine under no validator's address never asks for a signature")
    }

    #[allow(clippy::too_many_lines, reason = "one arm an effect")]
    fn effect(&mut self, effect: Effect<Network>) -> Result<Resume<Network>, Ended> {
        if self.disk.stopped() {
            return Err(Ended("the machine is off".into()));
        }
        Ok(match effect {
            Effect::CancelAllTimeouts(r) => {
                self.timers.clear();
                r.resume_with(())
            }
            Effect::CancelTimeout(timeout, r) => {
                self.cancel(timeout);
                r.resume_with(())
            }
            Effect::ScheduleTimeout(timeout, r) => {
                self.cancel(timeout);
                self.timers.push((timeout, self.now + micros(self.timeouts.duration_for(timeout))));
                r.resume_with(())
            }
            Effect::StartRound(height, round, proposer, role, r) => {
                self.log_flush()?;
                let (reply_value, mut values) = oneshot::channel();
                self.answer(AppMsg::StartedRound { height, round, proposer, role, reply_value })?;
                for value in values.try_recv().unwrap_or_default() {
                    self.propose(value, ValueOrigin::Consensus);
                }
                r.resume_with(())
            }
            Effect::SignProposal(proposal, r) => {
                let signed = self.signer().sign_proposal(proposal).now_or_never().expect("nothing waits");
                r.resume_with(signed.map_err(|e| ended("double-sign guard", e))?)
            }
            Effect::SignVote(vote, r) => {
                let signed = self.signer().sign_vote(vote).now_or_never().expect("nothing waits");
                r.resume_with(signed.map_err(|e| ended("double-sign guard", e))?)
            }
            Effect::VerifySignature(message, key, r) => {
                use arc_malachitebft_signing::Verifier as _;
                let (verifier, signature) = (&self.verifier, &message.signature);
                let result = match &message.message {
                    ConsensusMsg::Vote(vote) => verifier.verify_signed_vote(vote, signature, &key).now_or_never(),
                    ConsensusMsg::Proposal(p) => verifier.verify_signed_proposal(p, signature, &key).now_or_never(),
                };
                r.resume_with(result.expect("nothing waits").is_ok_and(|result| result.is_valid()))
            }
            Effect::VerifyCommitCertificate(certificate, set, thresholds, r) => {
                let verified = self.verifier.verify_commit_certificate(&Network, &certificate, &set, thresholds);
                r.resume_with(verified.now_or_never().expect("nothing waits"))
            }
            Effect::VerifyPolkaCertificate(certificate, set, thresholds, r) => {
                let verified = self.verifier.verify_polka_certificate(&Network, &certificate, &set, thresholds);
                r.resume_with(verified.now_or_never().expect("nothing waits"))
            }
            Effect::VerifyRoundCertificate(certificate, set, thresholds, r) => {
                let verified = self.verifier.verify_round_certificate(&Network, &certificate, &set, thresholds);
                r.resume_with(verified.now_or_never().expect("nothing waits"))
            }
            Effect::VerifyExtendedCommitCertificate(certificate, set, thresholds, policy, r) => {
                let verified =
                    self.verifier.verify_extended_commit_certificate(&Network, &certificate, &set, thresholds, policy);
                r.resume_with(verified.now_or_never().expect("nothing waits"))
            }
            Effect::ExtendVote(_, _, _, _, r) => r.resume_with(None),
            Effect::VerifyVoteExtension(_, _, _, _, extension, _, _) => match extension.message {},
            Effect::PublishConsensusMsg(message, r) => {
                self.log_flush()?;
                let bytes = self.codec.encode(&message).map_err(|e| ended("codec", e))?;
                self.done.push(Done::Published(message));
                self.sent(Message::Consensus(bytes));
                r.resume_with(())
            }
            Effect::PublishLivenessMsg(message, r) => {
                self.liveness(&message)?;
                r.resume_with(())
            }
            Effect::RepublishVote(vote, r) => {
                self.done.push(Done::Published(SignedConsensusMsg::Vote(vote.clone())));
                self.liveness(&LivenessMsg::Vote(vote))?;
                r.resume_with(())
            }
            Effect::RepublishRoundCertificate(certificate, r) => {
                self.liveness(&LivenessMsg::SkipRoundCertificate(certificate))?;
                r.resume_with(())
            }
            Effect::GetValue(height, round, timeout, r) => {
                let timeout = self.timeouts.duration_for(timeout);
                let (reply, mut value) = oneshot::channel();
                self.answer(AppMsg::GetValue { height, round, timeout, reply })?;
                if let Ok(value) = value.try_recv() {
                    self.waiting.push_back(Waiting::Input(Input::Propose(value)));
                }
                r.resume_with(())
            }
            Effect::RestreamProposal(height, round, valid_round, address, value_id, r) => {
                self.answer(AppMsg::RestreamProposal { height, round, valid_round, address, value_id })?;
                r.resume_with(())
            }
            Effect::Decide(certificate, extensions, r) => {
                self.log_flush()?;
                let (reply, _committed) = oneshot::channel();
                self.answer(AppMsg::Decided { certificate, extensions, reply })?;
                r.resume_with(())
            }
            Effect::Finalize(certificate, extensions, evidence, r) => {
                let proposals: usize = evidence.proposals.iter().map(|(_, list)| list.len()).sum();
                let votes: usize = evidence.votes.iter().map(|(_, list)| list.len()).sum();
                if proposals + votes > 0 {
                    self.done.push(Done::Evidence(proposals + votes));
                }
                let (reply, next) = oneshot::channel();
                self.next = Some(next);
                self.answer(AppMsg::Finalized { certificate, extensions, evidence, reply })?;
                r.resume_with(())
            }
            Effect::CertRejectedSyncValue(_, _, _, r) => {
                self.fed = None;
                r.resume_with(())
            }
            Effect::CertVerifiedSyncValue(value, proposer, r) => {
                let (height, round) = (value.certificate.height, value.certificate.round);
                let (reply, mut outcome) = oneshot::channel();
                let value_bytes = value.value_bytes;
                self.answer(AppMsg::ProcessSyncedValue { height, round, proposer, value_bytes, reply })?;
                match outcome.try_recv() {
                    Ok(SyncedValueOutcome::Verdict(mut proposed)) => {
                        proposed.round = EngineRound::from(round);
                        if proposed.value == value.certificate.value_id {
                            self.propose(proposed, ValueOrigin::Sync);
                        } else {
                            self.fed = None;
                        }
                    }
                    _ => self.fed = None,
                }
                r.resume_with(())
            }
            Effect::WalAppend(_, entry, r) => {
                self.log_append(entry)?;
                r.resume_with(())
            }
        })
    }
}
