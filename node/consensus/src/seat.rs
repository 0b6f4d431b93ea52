//! A validator without threads, sockets and clocks, for a simulation to put an engine, a network and time around.
//!
//! It is the node's own parts: the answers to the engine (`host`), the double-sign guard, signer, verifier and
//! codec, the record pool, the rules by which a start follows before it votes. The functions at the end are what the node
//! does at its start and with records, and what a seat does. What is left out here is what only a machine has: the
//! engine's actors and its log, gossip, timers.
//!
//! Nothing in a seat waits: whoever drives it asks [`Seat::look`] after every step, and again at [`Seat::due`].

use std::sync::{Arc, Mutex, RwLock};
use std::time::Instant;

use arc_malachitebft_app_channel::app::streaming::StreamMessage;
use arc_malachitebft_app_channel::app::types::PeerId;
use arc_malachitebft_app_channel::{AppMsg, NetworkMsg};
use bytes::Bytes;
use futures::FutureExt as _;
use testamur_primitives::epoch::Validator;
use testamur_primitives::genesis::Origin;
use testamur_primitives::hash::{Address, RecordId};
use testamur_primitives::key::SigningKey;
use testamur_primitives::merkle::leaf_hash;
use testamur_primitives::units::Height;
use tokio::sync::{broadcast, mpsc, watch};

use crate::application::{AppError, Application, PoolRecord as _, TipView};
use crate::codec::WireCodec;
use crate::context::{EngineAddress, Network, Part};
pub use crate::engine::log_is_readable;
use crate::error::{ConsensusError, SubmitError};
use crate::follow::{CatchingUp, Following, Unsettled};
use crate::guard::{Guard, GuardDisk, GuardError, Standing};
use crate::host::{Exit, Host, PartSender, Shared};
use crate::limits::EVENTS_MAX;
use crate::metrics::Counters;
use crate::participation::{Participation, Role};
use crate::peers::{Peers, peer_id};
use crate::pool::Pool;
use crate::sets::{Keyring, Sets};
use crate::signer::{GuardedSigner, SeenProposals, StrictVerifier, SyncLog};
use crate::surroundings::Surroundings;
use crate::wake::Wake;

/// Parts of one proposal that may be published in one step; the largest value has 26.
const PUBLISHED_MAX: usize = 4096;

/// Who takes the seat.
#[derive(Debug)]
pub struct SeatConfig {
    /// The network.
    pub origin: Origin,
    /// The validator.
    pub address: Address,
    /// Its consensus keys: one or two.
    pub keys: Vec<SigningKey>,
    /// Its public peer key.
    pub peer_key: [u8; 32],
    /// Where its double-sign guard is.
    pub guard: Box<dyn GuardDisk>,
    /// The operator's word, as in [`crate::ConsensusConfig::trust_lost_guard`].
    pub trust_lost_guard: bool,
    /// Clocks.
    pub surroundings: Surroundings,
}

/// What an engine is started with.
pub struct EngineParts {
    /// The address that it takes part under: of no validator while it only follows.
    pub address: EngineAddress,
    /// Signs through the guard; none while it only follows.
    pub signer: Option<GuardedSigner>,
    /// Verifies.
    pub verifier: StrictVerifier,
}

/// A validator for a simulation.
pub struct Seat<A: Application> {
    shared: Arc<Shared<A>>,
    /// Gone only within [`Seat::next_engine`].
    host: Option<Host<A>>,
    signs: bool,
    network: PartSender,
    published: mpsc::Receiver<NetworkMsg<Network>>,
    failed: Arc<Mutex<Option<GuardError>>>,
    role: watch::Receiver<Role>,
}

impl<A: Application> Seat<A> {
    /// Opens the guard and decides whether this start votes or follows; `claimed` is the highest height that peers said
    /// they stand at.
    pub fn open(config: SeatConfig, app: Arc<A>, claimed: Height) -> Result<Self, ConsensusError> {
        let started = config.surroundings.instant();
        let tip = app.tip();
        let signed_up_to = signed_up_to(&*app, &tip, config.address)?;
        let (guard, standing) = Guard::open_on(config.guard, config.address, signed_up_to)?;
        let following = match by_standing(&guard, standing, tip.height, config.trust_lost_guard, started)? {
            Some(following) => Some(following),
            None => by_claims(&guard, tip.height, claimed, started),
        };
        let sets = Arc::new(RwLock::new(Sets::new(&tip)));
        let keys = Arc::new(Keyring::new(config.address, config.keys, Arc::clone(&sets)));
        let (events, _) = broadcast::channel(EVENTS_MAX);
        let shared = Arc::new(Shared {
            app,
            pool: Arc::new(Pool::default()),
            guard: Arc::new(guard),
            wake: Arc::new(Wake::default()),
            heard: Arc::default(),
            counters: Arc::new(Counters::default()),
            sets,
            watch: None,
            keys: Arc::clone(&keys),
            peers: Arc::new(Peers::new(config.address, Vec::new(), &tip)),
            events,
            origin: config.origin,
            address: config.address,
            surroundings: config.surroundings,
        });
        let (role_sender, role) = watch::channel(Role::Following);
        let participation = Participation::new(config.address, config.peer_key, keys, role_sender);
        let signs = participation.wants_to_sign(following.is_some()).unwrap_or(false);
        let (network, published) = mpsc::channel(PUBLISHED_MAX);
        let mut host = Host::new(Arc::clone(&shared), participation, following, signs);
        host.announce();
        Ok(Self { shared, host: Some(host), signs, network, published, failed: Arc::default(), role })
    }

    /// What an engine is started with: at the start, and after each [`Seat::next_engine`].
    /// `log` makes durable what the engine has written to its log.
    pub fn engine(&mut self, log: SyncLog) -> EngineParts {
        let Shared { origin, address, keys, guard, sets, surroundings, .. } = &*self.shared;
        let seen = Arc::new(SeenProposals::telling(Arc::clone(&self.shared.heard)));
        let verifier = StrictVerifier::new(origin.clone(), Arc::clone(sets), Arc::clone(&seen));
        self.signs &= keys.to_show().is_some();
        if !self.signs {
            return EngineParts { address: EngineAddress(Address::ZERO), signer: None, verifier };
        }
        let failed = Arc::clone(&self.failed);
        let on_failure = move |error| {
            failed.lock().expect("no panic while held").get_or_insert(error);
        };
        let (keys, guard) = (Arc::clone(keys), Arc::clone(guard));
        let signer = GuardedSigner::new(origin.clone(), *address, keys, guard, seen, Arc::new(on_failure));
        let signer = Some(signer.in_surroundings(surroundings.clone()).with_log(log));
        EngineParts { address: EngineAddress(*address), signer, verifier }
    }

    /// The codec of everything that goes over the network or into the engine's log.
    pub fn codec(&self) -> WireCodec {
        WireCodec::new(Arc::clone(&self.shared.wake), Arc::clone(&self.shared.sets))
    }

    /// Answers the engine. `true`: it is the wrong one for the next height ([`Seat::next_engine`]).
    pub fn answer(&mut self, message: AppMsg<Network>) -> Result<bool, ConsensusError> {
        let host = self.host.as_mut().expect("a host between two engines");
        let answered = host.handle(message, &self.network).now_or_never().expect("nothing waits in a simulation");
        Ok(matches!(answered?, Some(Exit::Switch)))
    }

    /// Begins a height if there is a reason to, and gives up waiting for what peers claimed. `true` as in [`Seat::answer`].
    pub fn look(&mut self) -> Result<bool, ConsensusError> {
        if let Some(error) = self.failed.lock().expect("no panic while held").take() {
            return Err(error.into());
        }
        self.host.as_mut().expect("a host between two engines").look()
    }

    /// When [`Seat::look`] may find something though nothing happens.
    pub fn due(&self) -> Option<Instant> {
        self.host.as_ref().and_then(Host::due)
    }

    /// The engine is gone or the wrong one: goes on with another.
    pub fn next_engine(&mut self) {
        let host = self.host.take().expect("a host between two engines");
        let (following, participation) = host.into_parts();
        self.signs = participation.wants_to_sign(following.is_some()).unwrap_or(self.signs);
        let mut host = Host::new(Arc::clone(&self.shared), participation, following, self.signs);
        host.announce();
        self.host = Some(host);
    }

    /// The next part of a proposal that goes out to all.
    pub fn published(&mut self) -> Option<StreamMessage<Part>> {
        match self.published.try_recv() {
            Ok(NetworkMsg::PublishProposalPart(part)) => Some(part),
            Err(_) => None,
        }
    }

    /// Takes a record of a client or a peer; whether it is new.
    pub fn take(&self, record: &Bytes) -> Result<(RecordId, bool), SubmitError> {
        match take_record(&self.shared, record, None) {
            Ok(taken) => taken,
            Err(_) => Err(SubmitError::Stopped),
        }
    }

    /// A peer has connected that stands at this height.
    pub fn greeted(&self, height: Height) {
        greeted(&self.shared, height);
    }

    /// How this node takes part.
    pub fn role(&self) -> Role {
        *self.role.borrow()
    }

    /// The counters.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }
}

/// The identity of a validator as the engine's peers see it; none if its key is none.
pub fn engine_peer(validator: &Validator) -> Option<PeerId> {
    PeerId::from_bytes(&peer_id(validator).ok()?.to_bytes()).ok()
}

/// Whether this start follows because of its guard.
pub(crate) fn by_standing(
    guard: &Guard,
    standing: Standing,
    tip: Height,
    trust_lost_guard: bool,
    started: Instant,
) -> Result<Option<Following>, ConsensusError> {
    if standing == Standing::Complete {
        return Ok(None);
    }
    if !trust_lost_guard {
        tracing::warn!(
            ?standing,
            "double-sign guard: nothing is signed until others decide a height begun after this start"
        );
        return Ok(Some(Following::Unsettled(Unsettled::new(started))));
    }
    tracing::warn!(?standing, %tip, "the operator vouches for the lost guard: signing above the store's tip");
    guard.settle(tip)?;
    Ok(None)
}

/// Whether this start follows because the guard, or a peer, knows of greater heights than the store: the store may be
/// older than the guard, or both older than the network, as a copy of the machine from the past is.
pub(crate) fn by_claims(guard: &Guard, tip: Height, claimed: Height, now: Instant) -> Option<Following> {
    let had = guard.floor();
    if tip >= had && tip >= claimed {
        return None;
    }
    tracing::info!(%tip, %had, %claimed, "catching up before voting");
    Some(Following::CatchingUp(CatchingUp::new(claimed, had, now)))
}

/// Up to which height this validator's key may have signed anything. One that enters office with the next height or later
/// was in no set yet (no name or key is ever registered twice), so its guard is behind nothing: it must not wait for others
/// to decide without it, since they may need it to decide at all.
pub(crate) fn signed_up_to<A: Application>(app: &A, tip: &TipView, address: Address) -> Result<Height, ConsensusError> {
    if tip.validators.by_address(address).is_none() {
        return Ok(Height(0));
    }
    let decided = if tip.height == Height(0) { None } else { app.decided(tip.height)? };
    let enters = decided.is_some_and(|decided| decided.validators.by_address(address).is_none());
    Ok(if enters { Height(0) } else { tip.height })
}

/// Checks and pools a record; whether it is new.
pub(crate) fn take_record<A: Application>(
    shared: &Shared<A>,
    bytes: &[u8],
    attachment: Option<&Bytes>,
) -> Result<Result<(RecordId, bool), SubmitError>, AppError> {
    if let Some(known) = shared.pool.known(&leaf_hash(bytes)) {
        return Ok(Ok((known.id(), false)));
    }
    let record = match shared.app.check(bytes, attachment)? {
        Ok(record) => record,
        Err(refusal) => {
            Counters::add(&shared.counters.refused, 1);
            return Ok(Err(refusal.into()));
        }
    };
    let id = record.id();
    match shared.pool.insert(record) {
        Ok(new) => {
            if new {
                shared.wake.saw_record();
            }
            Ok(Ok((id, new)))
        }
        Err(full) => Ok(Err(full.into())),
    }
}

/// A peer said its height.
pub(crate) fn greeted<A: Application>(shared: &Shared<A>, height: Height) {
    if height < shared.app.tip().height {
        shared.wake.saw_lower_peer();
    }
}
