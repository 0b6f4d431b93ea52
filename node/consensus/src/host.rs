//! The ledger's side of the engine: one loop that answers the engine's questions in order.
//!
//! * Block bytes are durable before the engine hears of a value (INV-HOST-1), a commit is durable before the engine
//!   hears of it (INV-HOST-2).
//! * A proposal is answered "valid" or not at all. "Invalid" is never said of a proposal: its parts are unsigned, and
//!   parts changed by somebody else must not speak against an honest value. A bad proposer costs what a dead one does.
//!   So does one that withholds an attachment: validators vote only for what they hold (INV-ATTACH-1). A block that
//!   others have decided is taken without; what is missing is then asked for in the background.
//! * **Time** (INV-TIME-1): a proposal later than this node's clock plus the tolerance, and later than its parent, gets no verdict; it is kept and
//!   looked at again when each round begins. Once a quorum has prevoted for it in one round, others may be locked on it:
//!   then its time is theirs to vouch for, or a clock that is behind would keep the locked from deciding for as long as
//!   it is. Nothing synced or replayed meets a clock.
//! * **Idle**: when a height is finished, the next begins when a record waits, when others have begun it, or when the
//!   heartbeat is due. Until then the engine waits for our answer.

#[cfg(feature = "faults")]
mod lies;
mod verdicts;

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use arc_malachitebft_app_channel::app::consensus::VoteExtensionError;
use arc_malachitebft_app_channel::app::engine::host::{HeightParams, Next};
use arc_malachitebft_app_channel::app::types::core::CommitCertificate;
use arc_malachitebft_app_channel::app::types::{LocallyProposedValue, PeerId, ProposedValue};
use arc_malachitebft_app_channel::{AppMsg, Channels, NetworkMsg, Reply};
use testamur_primitives::checkpoint::{ValueId, verify_certificate};
use testamur_primitives::genesis::Origin;
use testamur_primitives::hash::{Address, RecordId};
use testamur_primitives::limits::{BLOCK_RECORDS_MAX, HEADER_BYTES_MAX};
use testamur_primitives::units::{Height, Round, UnixTime};
use tokio::sync::{broadcast, mpsc};

use crate::application::{AppError, Application, Attachments, Prepared, TipView, Undecided};
use crate::certificates::{certificate_note, decided_values};
use crate::context::{
    EngineHeight, EngineRound, EngineValue, Members, Network, Part, RoundTimeouts, engine_round, ledger_round,
};
use crate::error::ConsensusError;
use crate::follow::Following;
use crate::guard::Guard;
use crate::heard::Heard;
use crate::limits::{EMPTY_PROPOSAL_WAIT, HELD_HEIGHTS_MAX, HELD_PROPOSALS_MAX};
use crate::metrics::Counters;
use crate::participation::Participation;
use crate::parts::{Received, Streamed, Streams};
use crate::peers::Peers;
use crate::pool::Pool;
use crate::sets::{Keyring, Sets};
use crate::surroundings::Surroundings;
use crate::wake::Wake;
use crate::watch::Watch;

use verdicts::valid;

/// A committed block, as an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Its height.
    pub height: Height,
    /// Its time.
    pub time: UnixTime,
    /// Its records, in log order.
    pub records: Vec<RecordId>,
}

/// Why the loop ended.
pub(crate) enum Exit {
    /// The engine must sign and does not, or the other way round.
    Switch,
    /// The engine is gone without telling us why.
    EngineGone,
    /// Something that must stop the node.
    Fatal(ConsensusError),
}

/// An answer that the engine waits for before it begins a height.
enum Pending {
    Ready(Reply<(EngineHeight, HeightParams<Network>)>),
    Next(Reply<Next<Network>>),
}

/// What outlives an engine.
pub(crate) struct Shared<A: Application> {
    pub(crate) app: Arc<A>,
    pub(crate) pool: Arc<Pool<A::Record>>,
    pub(crate) guard: Arc<Guard>,
    pub(crate) wake: Arc<Wake>,
    pub(crate) heard: Arc<Heard>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) sets: Arc<RwLock<Sets>>,
    /// None in a simulation, which looks at all that is signed itself.
    pub(crate) watch: Option<Arc<Watch>>,
    pub(crate) keys: Arc<Keyring>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) events: broadcast::Sender<Arc<Committed>>,
    pub(crate) origin: Origin,
    pub(crate) address: Address,
    pub(crate) surroundings: Surroundings,
}

/// The loop's state for one engine.
pub(crate) struct Host<A: Application> {
    shared: Arc<Shared<A>>,
    tip: TipView,
    /// Whether this engine signs where a set names this validator.
    signs: bool,
    participation: Participation,
    /// Set while this node follows without voting.
    following: Option<Following>,
    streams: Streams,
    /// Complete proposals without a verdict: of later heights, or ahead of the clock.
    held: Vec<Streamed>,
    prepared: HashMap<ValueId, Arc<Prepared<A::Block>>>,
    /// What this node proposed at the current height, by round.
    own: HashMap<Round, ValueId>,
    /// The height whose undecided blocks were read from the store.
    reloaded: Option<Height>,
    /// The last height whose block came from a peer that had it decided.
    synced: Option<Height>,
    pending: Option<Pending>,
    heartbeat_due: Instant,
    next_stream: u64,
}

type Judged<B> = Option<Arc<Prepared<B>>>;

/// Where parts of proposals go out.
pub(crate) type PartSender = mpsc::Sender<NetworkMsg<Network>>;

impl<A: Application> Host<A> {
    pub(crate) fn new(
        shared: Arc<Shared<A>>,
        participation: Participation,
        following: Option<Following>,
        signs: bool,
    ) -> Self {
        let tip = shared.app.tip();
        shared.wake.start(tip.height);
        // What is left of the heartbeat by the ledger's clock: a restart alone makes no block.
        let heartbeat = Duration::from_secs(tip.parameters.heartbeat_s.into());
        let age = Duration::from_secs(shared.surroundings.time().get().saturating_sub(tip.time.get()));
        let (now, started) = (shared.surroundings.instant(), shared.surroundings.since_1970());
        let heartbeat_due = now + heartbeat.saturating_sub(age);
        shared.heard.expected(tip.height.next(), heartbeat_due);
        Self {
            shared,
            tip,
            signs,
            participation,
            following,
            streams: Streams::default(),
            held: Vec::new(),
            prepared: HashMap::new(),
            own: HashMap::new(),
            reloaded: None,
            synced: None,
            pending: None,
            heartbeat_due,
            next_stream: started.as_nanos() as u64,
        }
    }

    /// Says how this node takes part, with this engine.
    pub(crate) fn announce(&mut self) {
        self.participation.announce(&self.tip, self.signs);
    }

    fn now(&self) -> Instant {
        self.shared.surroundings.instant()
    }

    /// Answers the engine until it, or this node, has to stop.
    pub(crate) async fn run(&mut self, channels: &mut Channels<Network>) -> Exit {
        let shared = Arc::clone(&self.shared);
        self.announce();
        loop {
            let (due, patience) = (self.heartbeat_due, self.patience_ends());
            tokio::select! {
                biased;
                message = channels.consensus.recv() => match message {
                    None => return Exit::EngineGone,
                    Some(message) => match self.handle(message, &channels.network).await {
                        Ok(None) => {}
                        Ok(Some(exit)) => return exit,
                        Err(error) => return Exit::Fatal(error),
                    },
                },
                () = wait_for_work(&self.shared, due), if self.pending.is_some() => self.begin_height(),
                () = sleep_until(patience), if patience.is_some() => match self.must_switch() {
                    Ok(true) => return Exit::Switch,
                    Ok(false) => {}
                    Err(error) => return Exit::Fatal(error),
                },
                () = shared.keys.added.notified() => match self.must_switch() {
                    Ok(true) => return Exit::Switch,
                    Ok(false) => self.participation.announce(&self.tip, self.signs),
                    Err(error) => return Exit::Fatal(error),
                },
            }
        }
    }

    /// When what peers claim to have is given up, if that is what this node waits for.
    fn patience_ends(&self) -> Option<Instant> {
        match &self.following {
            Some(Following::CatchingUp(c)) if self.tip.height >= c.had => Some(c.patience_ends()),
            _ => None,
        }
    }

    /// What [`Host::run`] does when nothing comes of the engine, for one that is driven from outside. `Ok(true)`: this
    /// engine is the wrong one.
    pub(crate) fn look(&mut self) -> Result<bool, ConsensusError> {
        let now = self.now();
        let work = !self.shared.pool.is_empty() || self.shared.wake.others_began() || now >= self.heartbeat_due;
        if self.pending.is_some() && work {
            self.begin_height();
        }
        Ok(self.patience_ends().is_some_and(|ends| now >= ends) && self.must_switch()?)
    }

    /// When [`Host::look`] may find something though nothing happens.
    pub(crate) fn due(&self) -> Option<Instant> {
        let heartbeat = self.pending.as_ref().map(|_| self.heartbeat_due);
        [heartbeat, self.patience_ends()].into_iter().flatten().min()
    }

    /// What the next engine goes on with: what this node still waits for, and how it takes part.
    pub(crate) fn into_parts(self) -> (Option<Following>, Participation) {
        (self.following, self.participation)
    }

    /// Between two heights: whether this engine is the wrong one for the next.
    fn must_switch(&mut self) -> Result<bool, ConsensusError> {
        if self.may_vote()? {
            self.following = None;
        }
        Ok(self.participation.wants_to_sign(self.following.is_some()).is_some_and(|signs| signs != self.signs))
    }

    fn height_params(&self) -> HeightParams<Network> {
        HeightParams::new(Members::new(&self.tip.validators), RoundTimeouts::new(&self.tip.parameters), None)
    }

    fn begin_height(&mut self) {
        let (height, params) = (EngineHeight(self.tip.height.next()), self.height_params());
        self.shared.wake.began();
        self.shared.heard.expected(height.0, self.now());
        // The engine is stopping when it no longer listens: the channel's end tells.
        match self.pending.take() {
            Some(Pending::Ready(reply)) => {
                let _ = reply.send((height, params));
            }
            Some(Pending::Next(reply)) => {
                let _ = reply.send(Next::Start(height, params));
            }
            None => {}
        }
    }

    pub(crate) async fn handle(
        &mut self,
        message: AppMsg<Network>,
        network: &PartSender,
    ) -> Result<Option<Exit>, ConsensusError> {
        match message {
            AppMsg::ConsensusReady { reply } => {
                self.pending = Some(Pending::Ready(reply));
                let height = self.tip.height.next();
                // A block that may have votes must not wait for a heartbeat.
                if !self.blocking(move |s| s.app.undecided(height)).await?.is_empty() {
                    self.begin_height();
                }
            }
            AppMsg::StartedRound { height, round, reply_value, .. } => {
                if round.as_u32().is_some_and(|r| r > 0) {
                    Counters::add(&self.shared.counters.later_rounds, 1);
                }
                if let Some(following) = self.following.as_mut().filter(|_| round == EngineRound::new(0)) {
                    following.began(height.0, self.shared.surroundings.instant());
                }
                let values = self.known_values(height.0).await?;
                let _ = reply_value.send(values);
            }
            AppMsg::GetValue { height, round, timeout, reply } => {
                let round = ledger_round(round).unwrap_or_default();
                if let Some(value) = self.make_value(height.0, round, timeout, network).await? {
                    let round = engine_round(Some(round));
                    let _ = reply.send(LocallyProposedValue::new(height, round, EngineValue(value)));
                }
            }
            AppMsg::ReceivedProposalPart { from, published_by, part, reply } => {
                let value = self.receive_part(published_by.unwrap_or(from), part).await?;
                let _ = reply.send(value);
            }
            AppMsg::RestreamProposal { height, round, valid_round, address, value_id } => {
                if let (Some(block), Some(round)) = (self.find(height.0, value_id.0).await?, ledger_round(round)) {
                    let valid_round = ledger_round(valid_round);
                    self.publish(&block, round, valid_round, address.0, network).await;
                }
            }
            AppMsg::Decided { certificate, reply, .. } => {
                self.commit(certificate).await?;
                let _ = reply.send(());
            }
            AppMsg::Finalized { evidence, reply, .. } => {
                if let Some(watch) = &self.shared.watch {
                    evidence.proposals.iter().flat_map(|(_, pairs)| pairs).for_each(|pair| watch.found_proposals(pair));
                    evidence.votes.iter().flat_map(|(_, pairs)| pairs).for_each(|pair| watch.found_votes(pair));
                }
                self.pending = Some(Pending::Next(reply));
                if self.must_switch()? {
                    return Ok(Some(Exit::Switch));
                }
            }
            AppMsg::GetDecidedValues { range, reply } => {
                let (from, to) = (range.start().0, range.end().0);
                let origin = self.shared.origin.clone();
                let values = self.blocking(move |s| decided_values(&*s.app, &origin, from, to)).await?;
                let _ = reply.send(values);
            }
            AppMsg::ProcessSyncedValue { height, round, proposer, value_bytes, reply } => {
                let outcome = self.receive_synced(height, round, proposer, value_bytes).await?;
                let _ = reply.send(outcome);
            }
            AppMsg::GetHistoryMinHeight { reply } => {
                let _ = reply.send(EngineHeight(self.shared.app.lowest_height()));
            }
            AppMsg::ExtendVote { reply, .. } => {
                let _ = reply.send(None);
            }
            AppMsg::VerifyVoteExtensions { extensions, reply, .. } => {
                let refused = |(address, _)| (address, Err(VoteExtensionError::InvalidVoteExtension));
                let _ = reply.send(extensions.into_iter().map(refused).collect());
            }
        }
        Ok(None)
    }

    /// Values of this height that the engine has not heard of: from before a restart, or held until now.
    async fn known_values(&mut self, height: Height) -> Result<Vec<ProposedValue<Network>>, ConsensusError> {
        let mut values = Vec::new();
        if height != self.tip.height.next() {
            return Ok(values);
        }
        if self.reloaded != Some(height) {
            self.reloaded = Some(height);
            for undecided in self.blocking(move |s| s.app.undecided(height)).await? {
                let bytes = undecided.bytes.clone();
                if let Some(block) = self.validate(bytes, Attachments::Checked, None).await? {
                    let value = block.header.value_id();
                    if undecided.proposer == self.shared.address {
                        self.own.insert(undecided.round, value);
                    }
                    // One that came by catching up may lack attachments: it is there to be committed, not voted on.
                    if block.attached {
                        values.push(valid(height, undecided.round, None, undecided.proposer, value));
                    }
                    self.keep(value, block);
                }
            }
        }
        let (current, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.held).into_iter().partition(|s| s.height == height);
        self.held = later;
        for streamed in current {
            values.extend(self.judge(streamed).await?);
        }
        Ok(values)
    }

    async fn make_value(
        &mut self,
        height: Height,
        round: Round,
        timeout: Duration,
        network: &PartSender,
    ) -> Result<Option<ValueId>, ConsensusError> {
        if height != self.tip.height.next() {
            return Ok(None);
        }
        #[cfg(feature = "faults")]
        fail::fail_point!("consensus.propose.nothing", |_| Ok(None));
        // After a restart the same value again: the guard may hold its signature.
        let block = match self.own.get(&round).and_then(|value| self.prepared.get(value)) {
            Some(block) => Arc::clone(block),
            None => {
                let woken_by_others = self.shared.wake.others_began() && self.now() < self.heartbeat_due;
                if woken_by_others && self.shared.pool.is_empty() {
                    // Others began because of a record that is on its way to us.
                    let wait = EMPTY_PROPOSAL_WAIT.min(timeout / 4);
                    let shared = Arc::clone(&self.shared);
                    let record = async move {
                        while shared.pool.is_empty() {
                            shared.wake.wait().await;
                        }
                    };
                    // None came: an empty block it is.
                    self.shared.surroundings.wait_for(record, wait).await;
                }
                let (address, bytes_max) = (self.shared.address, self.tip.parameters.block_bytes_max as usize);
                let proposed = self
                    .blocking(move |s| {
                        let room = bytes_max.saturating_sub(4 + HEADER_BYTES_MAX);
                        let candidates = s.pool.candidates(room, BLOCK_RECORDS_MAX);
                        let now = s.surroundings.time();
                        #[cfg(feature = "faults")]
                        let now = crate::faults::time(now);
                        s.app.propose(address, now, &candidates)
                    })
                    .await?;
                for (id, refusal) in &proposed.rejected {
                    tracing::debug!(%id, %refusal, "record left the pool");
                }
                self.shared.pool.remove(proposed.rejected.iter().map(|(id, _)| id));
                Counters::add(&self.shared.counters.proposals, 1);
                #[cfg(feature = "faults")]
                let proposed = self.lie(height, round, proposed, network).await?;
                proposed.block
            }
        };
        let value = block.header.value_id();
        // Published first, to hide the disk's time: unsigned parts bind nobody. INV-HOST-1 holds for the engine.
        self.publish(&block, round, None, self.shared.address, network).await;
        let seen = Undecided { round, proposer: self.shared.address, bytes: block.bytes.clone() };
        let stored = Arc::clone(&block);
        self.blocking(move |s| s.app.put_undecided(height, &stored, &seen)).await?;
        self.own.insert(round, value);
        self.keep(value, block);
        Ok(Some(value))
    }

    async fn publish(
        &mut self,
        block: &Prepared<A::Block>,
        round: Round,
        valid_round: Option<Round>,
        proposer: Address,
        network: &PartSender,
    ) {
        #[cfg(feature = "faults")]
        if crate::faults::on("consensus.lie.withhold-parts") {
            return;
        }
        let streamed = Streamed {
            height: block.header.height,
            round,
            valid_round,
            proposer,
            value: block.header.value_id(),
            bytes: block.bytes.clone(),
        };
        #[cfg(feature = "faults")]
        let streamed = Streamed { bytes: crate::faults::grown(streamed.bytes), ..streamed };
        self.next_stream += 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.next_stream.to_be_bytes());
        for part in streamed.to_parts(id) {
            // The engine is stopping when it no longer takes parts: the end of the other channel tells.
            let _ = network.send(NetworkMsg::PublishProposalPart(part)).await;
        }
    }

    async fn receive_part(
        &mut self,
        publisher: PeerId,
        part: arc_malachitebft_app_channel::app::streaming::StreamMessage<Part>,
    ) -> Result<Option<ProposedValue<Network>>, ConsensusError> {
        if !self.shared.peers.publishes(&publisher) {
            Counters::add(&self.shared.counters.parts_refused, 1);
            return Ok(None);
        }
        let (next, sets) = (self.tip.height.next(), &self.shared.sets);
        let wanted = |height: Height, round: Round, proposer: Address| {
            if height < next || height.get() >= next.get() + HELD_HEIGHTS_MAX {
                return Err("not a height that is open");
            }
            let sets = sets.read().expect("no panic while held");
            if height == next && sets.members().proposer(height, round).ledger_address() != proposer {
                return Err("not the proposer of this round");
            }
            Ok(())
        };
        match self.streams.receive(publisher, part, wanted) {
            Received::Incomplete => Ok(None),
            Received::Refused(reason) => {
                Counters::add(&self.shared.counters.parts_refused, 1);
                tracing::debug!(%publisher, reason, "parts refused");
                Ok(None)
            }
            Received::Complete(streamed) if streamed.height == next => self.judge(streamed).await,
            Received::Complete(streamed) => {
                self.hold(streamed);
                Ok(None)
            }
        }
    }

    fn hold(&mut self, streamed: Streamed) {
        if self.held.len() < HELD_PROPOSALS_MAX && !self.held.contains(&streamed) {
            self.held.push(streamed);
        }
    }

    async fn commit(&mut self, certificate: CommitCertificate<Network>) -> Result<(), ConsensusError> {
        let (height, value) = (certificate.height.0, certificate.value_id.0);
        let decision = |reason: String| ConsensusError::Decision { height: height.get(), reason };
        let round = ledger_round(certificate.round).ok_or_else(|| decision("without a round".into()))?;
        let block = self.find(height, value).await?.ok_or_else(|| decision("its block is not here".into()))?;
        let note = certificate_note(&self.shared.origin, &self.tip, &value, height, round, &certificate);
        // Checked once more as any reader would: what is committed here is shown to the world (INV-CERT-1).
        verify_certificate(&self.shared.origin, &block.header, &note, &self.tip.validators)
            .map_err(|e| decision(e.to_string()))?;
        let committed = Arc::clone(&block);
        self.tip = self
            .blocking(move |s| {
                // Before the commit: crash between the two, and the guard is not behind the store.
                s.guard.mark(height).map_err(AppError::new)?;
                s.app.commit(&committed, &note)?; // INV-HOST-2
                // After the commit: no slot is forgotten that the store does not make unreachable.
                s.guard.prune(height).map_err(AppError::new)?;
                s.pool.committed(&committed.records);
                s.pool.expire(committed.header.time);
                Ok(s.app.tip())
            })
            .await?;
        *self.shared.sets.write().expect("no panic while held") = Sets::new(&self.tip);
        if let Some(watch) = &self.shared.watch {
            watch.reached(&self.tip);
        }
        self.shared.peers.update(&self.tip, self.now());
        self.shared.wake.reached(height, self.synced.take() == Some(height));
        self.heartbeat_due = self.now() + Duration::from_secs(self.tip.parameters.heartbeat_s.into());
        self.shared.heard.expected(height.next(), self.heartbeat_due);
        self.prepared.clear();
        self.own.clear();
        self.streams.prune(height);
        self.held.retain(|s| s.height > height);
        if let Some(following) = &mut self.following {
            following.decided(height, self.shared.surroundings.instant());
        }
        let counters = &self.shared.counters;
        Counters::add(&counters.blocks, 1);
        Counters::add(&counters.records, block.records.len() as u64);
        let event = Committed { height, time: block.header.time, records: block.records.clone() };
        // Nobody listens: fine.
        let _ = self.shared.events.send(Arc::new(event));
        tracing::debug!(%height, %round, records = block.records.len(), "committed");
        self.participation.announce(&self.tip, self.signs);
        Ok(())
    }

    fn may_vote(&self) -> Result<bool, ConsensusError> {
        let Some(following) = &self.following else { return Ok(false) };
        let tip = self.tip.height;
        if !following.may_vote(tip, self.now()) || tip < self.shared.guard.floor() {
            return Ok(false);
        }
        if matches!(following, Following::Unsettled(_)) {
            self.shared.guard.settle(tip)?;
        }
        tracing::info!(%tip, "caught up: voting from here");
        Ok(true)
    }

    /// Calls the ledger where blocking is allowed.
    async fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Shared<A>) -> Result<T, AppError> + Send + 'static,
    ) -> Result<T, ConsensusError> {
        let shared = Arc::clone(&self.shared);
        Ok(self.shared.surroundings.blocking("the ledger", move || call(&shared)).await??)
    }
}

/// Waits for a record, a sign of others, or the heartbeat.
async fn wait_for_work<A: Application>(shared: &Shared<A>, heartbeat_due: Instant) {
    while shared.pool.is_empty() && !shared.wake.others_began() {
        let heartbeat = tokio::time::sleep_until(heartbeat_due.into());
        tokio::select! {
            () = shared.wake.wait() => {}
            () = heartbeat => return,
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
