//! Starts consensus and record gossip, and the handle by which the rest of the node speaks to them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Instant;

use arc_malachitebft_app_channel::app::metrics::export;
use bytes::Bytes;
use libp2p::Multiaddr;
use libp2p::identity::Keypair;
use testamur_primitives::epoch::Validator;
use testamur_primitives::equivocation::Equivocation;
use testamur_primitives::genesis::Origin;
use testamur_primitives::hash::{Address, AttachmentHash, RecordId};
use testamur_primitives::key::SigningKey;
use testamur_primitives::units::Height;
use tokio::sync::{Semaphore, broadcast, mpsc, watch};
use tokio::task::JoinHandle;

use crate::application::{AppError, Application, TipView};
use crate::engine::{Engine, EngineSettings, make_log_directory, wait_until_free};
use crate::equivocations::Equivocations;
use crate::error::{ConsensusError, SubmitError};
use crate::follow::Following;
use crate::gossip::{self, GossipConfig, GossipNode, GossipSender, PeerTips};
use crate::guard::{Guard, Standing};
use crate::heard::Stall;
use crate::host::{Committed, Exit, Host, Shared};
use crate::limits::{ENGINE_HANGS, EVENTS_MAX, PEER_TIPS_WAIT};
use crate::metrics::{Counters, write_gauge};
use crate::participation::{Participation, Role};
use crate::peers::{Office, Peers, peer_id};
use crate::pool::{Pool, PoolStats};
use crate::seat::{by_claims, by_standing, greeted, signed_up_to, take_record};
use crate::sets::{Keyring, Sets};
use crate::stalls;
use crate::surroundings::Surroundings;
use crate::wake::Wake;
use crate::watch::Watch;

/// Where another validator is reached.
#[derive(Debug, Clone)]
pub struct PeerAddress {
    /// The validator.
    pub validator: Address,
    /// Its consensus listener, `/ip4/…/tcp/…`.
    pub consensus: Multiaddr,
    /// Its record gossip listener.
    pub gossip: Multiaddr,
}

/// How consensus is run.
#[derive(Debug, Clone)]
pub struct ConsensusConfig {
    /// The network.
    pub origin: Origin,
    /// This validator.
    pub address: Address,
    /// A short name for logs and metrics.
    pub moniker: String,
    /// Where the engine listens.
    pub listen: Multiaddr,
    /// Where record gossip listens.
    pub gossip_listen: Multiaddr,
    /// Where the other validators are reached, by their addresses, which stay when keys are rotated. Validators without an
    /// entry are let in and not dialled; entries of nobody are ignored.
    pub peers: Vec<PeerAddress>,
    /// Directory of the double-sign guard: outside the store and outside every backup.
    pub guard_directory: PathBuf,
    /// Directory of the engine's log.
    pub log_directory: PathBuf,
    /// The operator's word that this key has signed nothing that matters above the store's tip; only for when a
    /// quorum lost its guards at once.
    pub trust_lost_guard: bool,
}

/// A validator's secret keys, as consensus needs them.
#[derive(Debug)]
pub struct ConsensusKeys {
    /// Signs votes and proposals.
    pub consensus: SigningKey,
    /// A second consensus key, during a rotation: of the two, the one that a height's set names signs there.
    pub next_consensus: Option<SigningKey>,
    /// Seed of the libp2p identity.
    pub peer_seed: [u8; 32],
}

/// A peer as seen from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerState {
    /// The validator.
    pub validator: Address,
    /// Whether it is in the set that decides the next height; otherwise it is scheduled.
    pub in_office: bool,
    /// Whether record gossip is connected to it.
    pub connected: bool,
    /// The height it last said it stands at.
    pub height: Option<Height>,
}

struct Submissions<A: Application> {
    shared: Arc<Shared<A>>,
    gossip: Mutex<Option<GossipSender>>,
    fatal: FatalSender,
    /// Checks of submitted records that run at once, one a core: more would take the processor from consensus.
    checks: Semaphore,
    stopped: AtomicBool,
}

/// Reports the first fatal failure.
#[derive(Debug, Clone)]
struct FatalSender(mpsc::UnboundedSender<ConsensusError>);

impl FatalSender {
    fn send(&self, error: ConsensusError) {
        // Nobody is left to stop.
        let _ = self.0.send(error);
    }
}

/// Speaks to a running consensus; clones share it.
pub struct ConsensusHandle<A: Application> {
    submissions: Arc<Submissions<A>>,
    tips: Arc<PeerTips>,
    watch: Arc<Watch>,
    role: watch::Receiver<Role>,
    fatal: watch::Receiver<Option<Arc<ConsensusError>>>,
    stop: watch::Sender<bool>,
    task: Arc<tokio::sync::Mutex<Option<JoinHandle<()>>>>,
}

impl<A: Application> Clone for ConsensusHandle<A> {
    fn clone(&self) -> Self {
        Self {
            submissions: Arc::clone(&self.submissions),
            tips: Arc::clone(&self.tips),
            watch: Arc::clone(&self.watch),
            role: self.role.clone(),
            fatal: self.fatal.clone(),
            stop: self.stop.clone(),
            task: Arc::clone(&self.task),
        }
    }
}

/// Starts gossip and the engine over a ledger: as a validator of the set that decides the next height, or as one that a
/// scheduled set names, which votes from that set's first height on ([`Role::Scheduled`]).
pub async fn start<A: Application>(
    config: ConsensusConfig,
    keys: ConsensusKeys,
    app: Arc<A>,
) -> Result<ConsensusHandle<A>, ConsensusError> {
    let started = Instant::now();
    let tip = app.tip();
    let keypair = check_office(&config, &keys, &tip)?;
    make_log_directory(&config.log_directory)?;
    let signed_up_to = signed_up_to(&*app, &tip, config.address)?;
    let (guard, standing) = Guard::open(&config.guard_directory, config.address, signed_up_to)?;
    let guard = Arc::new(guard);

    let (fatal_sender, mut fatal_receiver) = mpsc::unbounded_channel();
    let fatal_sender = FatalSender(fatal_sender);
    let (events, _) = broadcast::channel(EVENTS_MAX);
    let sets = Arc::new(RwLock::new(Sets::new(&tip)));
    let consensus_keys = [Some(keys.consensus), keys.next_consensus].into_iter().flatten().collect();
    let keyring = Arc::new(Keyring::new(config.address, consensus_keys, Arc::clone(&sets)));
    let peers = Arc::new(Peers::new(config.address, config.peers.clone(), &tip));
    let counters = Arc::new(Counters::default());
    let kept = Equivocations::open(&config.guard_directory, &config.origin)
        .map_err(|source| ConsensusError::Equivocations { path: config.guard_directory.clone(), source })?;
    let watch = Watch::new(config.origin.clone(), config.address, Arc::new(kept), Arc::clone(&counters), &tip);
    let watch = Arc::new(watch);
    let shared = Arc::new(Shared {
        app,
        pool: Arc::new(Pool::default()),
        guard: Arc::clone(&guard),
        wake: Arc::new(Wake::default()),
        heard: Arc::default(),
        counters,
        sets: Arc::clone(&sets),
        watch: Some(Arc::clone(&watch)),
        keys: Arc::clone(&keyring),
        peers: Arc::clone(&peers),
        events,
        origin: config.origin.clone(),
        address: config.address,
        surroundings: Surroundings::Machine,
    });
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let submissions = Arc::new(Submissions {
        shared: Arc::clone(&shared),
        gossip: Mutex::new(None),
        fatal: fatal_sender.clone(),
        checks: Semaphore::new(cores),
        stopped: AtomicBool::new(false),
    });

    wait_until_free(&config.gossip_listen).await?;
    let tips = Arc::new(PeerTips::default());
    let gossip_config = GossipConfig {
        origin: config.origin.clone(),
        keypair: keypair.clone(),
        listen: config.gossip_listen.clone(),
        peers: peers.watch(),
    };
    let node: Arc<dyn GossipNode> = submissions.clone();
    let (sender, mut gossip_task) =
        gossip::start(gossip_config, node, Arc::clone(&tips), Arc::clone(&shared.counters))?;
    *submissions.gossip.lock().expect("no panic while held") = Some(sender);

    let on_failure = fatal_sender.clone();
    let peer_key = keypair.public().try_into_ed25519().expect("made as one").to_bytes();
    let settings = EngineSettings {
        origin: config.origin.clone(),
        moniker: config.moniker.clone(),
        address: config.address,
        keys: Arc::clone(&keyring),
        keypair,
        listen: config.listen.clone(),
        peers: Arc::clone(&peers),
        log_directory: config.log_directory.clone(),
        guard: Arc::clone(&guard),
        wake: Arc::clone(&shared.wake),
        sets,
        watch: Arc::clone(&watch),
        heard: Arc::clone(&shared.heard),
        on_guard_failure: Arc::new(move |error| on_failure.send(error.into())),
    };
    let (role_sender, role) = watch::channel(Role::Following);
    let mut participation = Participation::new(config.address, peer_key, keyring, role_sender.clone());
    let first_engine = async {
        let following = start_as(&config, &guard, standing, tip.height, &tips, peers.table().len(), started).await?;
        let signs = participation.wants_to_sign(following.is_some()).unwrap_or(false);
        Ok((settings.start(signs).await?, following))
    };
    let (engine, following) = match first_engine.await {
        Ok(started) => started,
        Err(error) => {
            // Or its port would stay taken for a later start in this process.
            gossip_task.abort();
            return Err(error);
        }
    };
    participation.announce(&tip, engine.signs);

    let (stop, mut stopping) = watch::channel(false);
    let (fatal_report, fatal) = watch::channel(None);
    let (stopped, watched) = (Arc::clone(&submissions), Arc::clone(&shared));
    let task = tokio::spawn(async move {
        let mut runner = Runner { settings, shared, participation: Some(participation), following, log_moves: 0 };
        let mut engine = Some(engine);
        let error = tokio::select! {
            error = runner.run(&mut engine) => Some(error),
            error = fatal_receiver.recv() => error,
            error = &mut gossip_task => Some(error.unwrap_or(ConsensusError::Panicked("record gossip"))),
            _ = stopping.wait_for(|stop| *stop) => None,
            () = stalls::tell(watched) => None,
        };
        stopped.stopped.store(true, Ordering::Release);
        gossip_task.abort();
        if let Some(error) = error {
            tracing::error!(%error, "consensus stopped");
            // Before the engine is stopped: the process ends on this, within a second.
            let _ = fatal_report.send(Some(Arc::new(error)));
        }
        if let Some(engine) = engine.take() {
            engine.stop().await;
        }
        role_sender.send_replace(Role::Stopped);
    });
    Ok(ConsensusHandle {
        submissions,
        tips,
        watch,
        role,
        fatal,
        stop,
        task: Arc::new(tokio::sync::Mutex::new(Some(task))),
    })
}

/// How often one process moves an engine's log aside: a log that is bad from the start again and again is a bad disk.
const LOG_MOVES_MAX: u32 = 3;

/// Runs engines until one of them must not be followed by another.
struct Runner<A: Application> {
    settings: EngineSettings,
    shared: Arc<Shared<A>>,
    /// Lent to the host of each engine.
    participation: Option<Participation>,
    following: Option<Following>,
    log_moves: u32,
}

impl<A: Application> Runner<A> {
    async fn run(&mut self, engine: &mut Option<Engine>) -> ConsensusError {
        loop {
            let running = engine.as_mut().expect("started before, or below");
            let signs = running.signs;
            let participation = self.participation.take().expect("given back below");
            let mut host = Host::new(Arc::clone(&self.shared), participation, self.following.take(), signs);
            let part_ended = running.part_ended();
            let exit = {
                let mut run = std::pin::pin!(host.run(&mut running.channels));
                tokio::select! {
                    exit = &mut run => Some(exit),
                    // One that dies closes its channels as well: the host sees that and ends in its own way.
                    () = part_ended => tokio::time::timeout(ENGINE_HANGS, run).await.ok(),
                }
            };
            // Fatal is told before the engine is stopped, which takes seconds when it hangs.
            match exit {
                Some(Exit::Fatal(error)) => return error,
                None => return ConsensusError::EngineStopped("it cannot write its log; look at the disk".into()),
                Some(_) => {}
            }
            let (following, participation) = host.into_parts();
            let diverged = running.log_diverged();
            if let Some(engine) = engine.take() {
                engine.stop().await;
            }
            match exit {
                Some(Exit::EngineGone) if diverged && self.log_moves < LOG_MOVES_MAX => {
                    self.log_moves += 1;
                    tracing::warn!("the engine's log and its doings differ: the log is moved aside, the guard stays");
                    if let Err(error) = self.settings.move_log_aside() {
                        return error;
                    }
                }
                Some(Exit::EngineGone) => return ConsensusError::EngineStopped("see the log above".into()),
                _ => {}
            }
            let signs = participation.wants_to_sign(following.is_some()).unwrap_or(signs);
            (self.following, self.participation) = (following, Some(participation));
            match self.settings.start(signs).await {
                Ok(started) => *engine = Some(started),
                Err(error) => return error,
            }
        }
    }
}

impl<A: Application> ConsensusHandle<A> {
    /// Checks a record and the attachment beside it, puts them into the pool and passes them on. A record that is already
    /// there is taken again.
    pub async fn submit(&self, bytes: Bytes, attachment: Option<Bytes>) -> Result<RecordId, SubmitError> {
        let submissions = Arc::clone(&self.submissions);
        if submissions.stopped.load(Ordering::Acquire) {
            return Err(SubmitError::Stopped);
        }
        let _permit = submissions.checks.acquire().await.map_err(|_| SubmitError::Stopped)?;
        let worker = Arc::clone(&submissions);
        let take = move || worker.take(&bytes, attachment.as_ref()).map(|taken| (taken, bytes, attachment));
        let taken = tokio::task::spawn_blocking(take).await;
        let ((id, new), bytes, attachment) = taken.map_err(|_| SubmitError::Stopped)??;
        if new {
            submissions.forward(bytes, attachment);
        }
        Ok(id)
    }

    /// Committed blocks, from now on.
    pub fn events(&self) -> broadcast::Receiver<Arc<Committed>> {
        self.submissions.shared.events.subscribe()
    }

    /// Whether a record waits in the pool.
    pub fn is_pooled(&self, id: &RecordId) -> bool {
        self.submissions.shared.pool.contains(id)
    }

    /// Numbers of the pool.
    pub fn pool(&self) -> PoolStats {
        self.submissions.shared.pool.stats()
    }

    /// The other validators, in office and scheduled, in order of address, as seen from here.
    pub fn peers(&self) -> Vec<PeerState> {
        let tips = self.tips.all();
        let mut states: BTreeMap<Address, PeerState> = BTreeMap::new();
        for peer in self.submissions.shared.peers.table().iter().filter(|peer| peer.office != Office::Departed) {
            // One that changes its peer key has two identities.
            let validator = peer.validator;
            let new = PeerState { validator, in_office: false, connected: false, height: None };
            let state = states.entry(validator).or_insert(new);
            let tip = tips.get(&peer.id).copied();
            state.in_office |= peer.office == Office::Member;
            state.connected |= tip.is_some();
            state.height = state.height.max(tip);
        }
        states.into_values().collect()
    }

    /// Replaces the addresses by which validators are reached ([`ConsensusConfig::peers`]). A change of the validator set
    /// needs no call: whom this node is connected to follows the sets by itself.
    pub fn set_peers(&self, peers: Vec<PeerAddress>) {
        self.submissions.shared.peers.set_book(peers);
    }

    /// Brings a second consensus key while the node runs ([`ConsensusKeys::next_consensus`]).
    pub fn hold_key(&self, key: SigningKey) {
        self.submissions.shared.keys.hold(key);
    }

    /// Returns when this validator has left office and nobody needs it any more ([`Role::Left`]): time for
    /// [`ConsensusHandle::shutdown`]. Never returns when consensus ends otherwise.
    pub async fn left(&self) {
        let mut role = self.role.clone();
        if role.wait_for(|role| *role == Role::Left).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Why nothing is decided, if a height has been under way for too long.
    pub fn stall(&self) -> Option<Stall> {
        stalls::now(&self.submissions.shared)
    }

    /// How this node takes part; changes are announced.
    pub fn role(&self) -> watch::Receiver<Role> {
        self.role.clone()
    }

    /// Becomes `Some` when consensus has stopped for a reason that should end the process.
    pub fn fatal(&self) -> watch::Receiver<Option<Arc<ConsensusError>>> {
        self.fatal.clone()
    }

    /// Kept proofs that a validator signed two things where it may sign one, oldest first, from a place in that order on;
    /// and how many there are.
    pub fn equivocations(&self, from: usize, limit: usize) -> (Vec<Equivocation>, usize) {
        self.watch.kept().list(from, limit)
    }

    /// The counters.
    pub fn counters(&self) -> &Counters {
        &self.submissions.shared.counters
    }

    /// Metrics in Prometheus' text form: ours, then the engine's.
    pub fn metrics(&self) -> String {
        let mut text = String::new();
        self.counters().write(&mut text);
        let (pool, peers) = (self.pool(), self.peers());
        let connected = peers.iter().filter(|p| p.connected && p.in_office).count();
        let voting = u64::from(*self.role.borrow() == Role::Voting);
        write_gauge(&mut text, "pool_records", "Records waiting.", pool.records as u64);
        write_gauge(&mut text, "pool_bytes", "Bytes of the records waiting.", pool.bytes as u64);
        write_gauge(&mut text, "peers_connected", "Validators connected for record gossip.", connected as u64);
        let (kept, validators) = self.watch.kept().counts();
        write_gauge(&mut text, "equivocations_kept", "Kept proofs of equivocation.", kept as u64);
        write_gauge(&mut text, "equivocating_validators", "Validators that they are about.", validators as u64);
        write_gauge(&mut text, "voting", "Whether this node votes.", voting);
        stalls::write(self.stall().as_ref(), &mut text);
        export(&mut text);
        text
    }

    /// Stops engine and gossip; returns when they are gone.
    pub async fn shutdown(&self) {
        self.submissions.stopped.store(true, Ordering::Release);
        // The task is gone already: fine.
        let _ = self.stop.send(true);
        if let Some(task) = self.task.lock().await.take() {
            let _ = task.await;
        }
    }
}

impl<A: Application> Submissions<A> {
    /// Checks and pools a record; whether it is new.
    fn take(&self, bytes: &[u8], attachment: Option<&Bytes>) -> Result<(RecordId, bool), SubmitError> {
        match take_record(&self.shared, bytes, attachment) {
            Ok(taken) => taken,
            Err(error) => {
                self.fatal.send(error.into());
                Err(SubmitError::Stopped)
            }
        }
    }

    /// What a call of the ledger gave, or its default after a failure, which stops the node.
    fn or_stop<T: Default>(&self, result: Result<T, AppError>) -> T {
        result.unwrap_or_else(|error| {
            self.fatal.send(error.into());
            T::default()
        })
    }

    fn forward(&self, bytes: Bytes, attachment: Option<Bytes>) {
        if let Some(gossip) = &*self.gossip.lock().expect("no panic while held")
            && !gossip.forward(bytes, attachment)
        {
            Counters::add(&self.shared.counters.gossip_dropped, 1);
        }
    }
}

impl<A: Application> GossipNode for Submissions<A> {
    fn receive(&self, records: &[&[u8]]) {
        for record in records {
            // The peer took it from its author; here it is checked again, and nobody waits for the answer.
            if let Err(error) = self.take(record, None) {
                tracing::debug!(%error, "record from a peer not taken");
            }
        }
    }

    fn receive_attached(&self, record: &[u8], attachment: Bytes) {
        if let Err(error) = self.take(record, Some(&attachment)) {
            tracing::debug!(%error, "record with an attachment from a peer not taken");
        }
    }

    fn missing(&self, limit: usize) -> Vec<AttachmentHash> {
        self.or_stop(self.shared.app.missing_attachments(limit))
    }

    fn attachment(&self, attachment: &AttachmentHash) -> Option<Bytes> {
        self.or_stop(self.shared.app.attachment(attachment))
    }

    fn received(&self, attachment: &Bytes) {
        // Also what a peer made up is no harm: only what is missing is kept, by its hash.
        if self.or_stop(self.shared.app.put_attachment(attachment)) {
            Counters::add(&self.shared.counters.attachments_fetched, 1);
        }
    }

    fn height(&self) -> Height {
        self.shared.app.tip().height
    }

    fn greeted(&self, height: Height) {
        greeted(&self.shared, height);
    }
}

/// Whether this start follows first, and until when.
async fn start_as(
    config: &ConsensusConfig,
    guard: &Guard,
    standing: Standing,
    tip: Height,
    tips: &PeerTips,
    peers: usize,
    started: Instant,
) -> Result<Option<Following>, ConsensusError> {
    if let Some(following) = by_standing(guard, standing, tip, config.trust_lost_guard, started)? {
        return Ok(Some(following));
    }
    let claimed = tips.highest(peers, PEER_TIPS_WAIT).await.unwrap_or_default();
    Ok(by_claims(guard, tip, claimed, Instant::now()))
}

/// The libp2p identity, after checking that this validator is or will be in office, with it. Which consensus key it needs
/// is decided height by height (INV-ROTATE-1).
fn check_office(config: &ConsensusConfig, keys: &ConsensusKeys, tip: &TipView) -> Result<Keypair, ConsensusError> {
    let keypair = Keypair::ed25519_from_bytes(keys.peer_seed).map_err(|e| ConsensusError::Config(e.to_string()))?;
    let sets = [Some(&tip.validators), tip.scheduled.as_ref().map(|(_, set)| set)];
    let own: Vec<&Validator> = sets.into_iter().flatten().filter_map(|set| set.by_address(config.address)).collect();
    let Some(validator) = own.first() else {
        return Err(ConsensusError::Config(format!(
            "{} is no validator of this network at height {}, and none that is scheduled",
            config.address,
            tip.height.next()
        )));
    };
    let id = keypair.public().to_peer_id();
    if !own.iter().any(|validator| peer_id(validator) == Ok(id)) {
        return Err(ConsensusError::Config(format!("the peer key is not that of validator {}", validator.name)));
    }
    Ok(keypair)
}
