//! One run: nodes, links, clients and faults, event by event in the order of simulated time.

mod faults;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arc_malachitebft_app_channel::app::types::codec::Codec as _;
use arc_malachitebft_app_channel::app::types::core::NilOrVal;
use arc_malachitebft_app_channel::app::types::{PeerId, SignedConsensusMsg};
use testamur_consensus::application::Application as _;
use testamur_consensus::context::{EngineValue, Network, Vote};
use testamur_consensus::guard::Guard;
use testamur_consensus::seat::{Seat, SeatConfig, engine_peer};
use testamur_consensus::surroundings::Surroundings;
use testamur_primitives::checkpoint::ValueId;
use testamur_primitives::genesis::Origin;
use testamur_primitives::hash::Address;
use testamur_primitives::key::SigningKey;
use testamur_primitives::units::Height;

use crate::check::{Broken, Checker};
use crate::disk::Disk;
use crate::ledger::{Beginning, JOURNAL, Ledger, Manners, Verified};
use crate::node::{Done, Ended, LOG, MakeSigner, Message, Node, NodeParts, To};
use crate::plan::Plan;
use crate::random::Random;
use crate::setup::{self, START};
use crate::signing::{LooseSigner, Slots, ValidVotes, sign_vote};
use crate::time::{Micros, NodeClocks, SECOND, Time};
use crate::trace::Trace;

/// The double-sign guard's name on the disk.
const GUARD: &str = "guard.log";
/// How long a start waits for the heights of peers it does not reach.
const PEERS_WAIT: Micros = 1_500_000;
/// When an honest network must have gone on after its last fault: rounds may have grown to 20 s, and who lost its guard
/// waits for others.
pub const LIVENESS_MAX: Micros = 240 * SECOND;
/// Blocks that must come after the last fault.
const GOES_ON: u64 = 3;
/// Old messages that a Byzantine validator keeps.
const KEPT_MAX: usize = 64;

/// What is broken on purpose, to see whether the checkers find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Variant {
    /// Nothing.
    #[default]
    None,
    /// Validators sign without the guard, and the engine's log is lost with the power.
    NoGuard,
    /// Validators never sign twice in a slot, but a restart forgets their locks.
    IgnoreLock,
    /// Disks say that they synced, and did not.
    AckBeforeSync,
    /// The guard's disk alone says so, and the engine's log is lost with the power.
    GuardNotSynced,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// Hash over everything that happened, in order.
    pub trace: u64,
    /// What broke.
    pub broken: Option<Broken>,
    /// Heights decided.
    pub heights: u64,
    /// Records that are final.
    pub records: u64,
    /// From the last fault until every honest node had gone on.
    pub healed_after: Micros,
    /// Starts of nodes.
    pub starts: u64,
    /// Pairs of contradicting messages that honest nodes saw.
    pub evidence: u64,
    /// Operations of disks that failed.
    pub io_failures: u64,
    /// Events.
    pub events: u64,
}

enum Event {
    Deliver { to: usize, from: PeerId, message: Arc<Message> },
    Boot(usize),
    Cut(usize, bool),
    Blackout,
    Partition,
    Clock(usize),
    TakeAway,
    Submit,
    Heal,
}

struct Place {
    validator: usize,
    honest: bool,
    disk: Disk,
    guard_disk: Disk,
    clocks: Arc<NodeClocks>,
    node: Option<Node>,
    /// Its boot is under way or planned.
    booting: bool,
    /// It waits for the heights of peers, and starts without them when that has taken too long.
    waiting: bool,
    /// Its disk was taken from it since its last start.
    taken: bool,
    slots: Slots,
}

/// A run.
pub struct World {
    plan: Plan,
    variant: Variant,
    seed: u64,
    time: Time,
    random: Random,
    faults: Random,
    beginning: Beginning,
    origin: Origin,
    verified: Verified,
    valid: ValidVotes,
    places: Vec<Place>,
    addresses: Vec<Address>,
    peers: Vec<PeerId>,
    queue: BTreeMap<(Micros, u64), Event>,
    sequence: u64,
    cut: Vec<Vec<bool>>,
    healed: bool,
    goal: u64,
    kept: Vec<(usize, Arc<Message>)>,
    values: Vec<ValueId>,
    records: u64,
    starts: u64,
    evidence: u64,
    events: u64,
    checker: Checker,
    trace: Trace,
}

impl World {
    /// The world of a seed. With `tell`, everything that happens is printed.
    pub fn new(seed: u64, plan: Plan, variant: Variant, tell: bool) -> Self {
        let beginning = setup::beginning(plan.validators, plan.heartbeat_s);
        let (genesis, set) = (beginning.genesis(), beginning.validators());
        let numbers = setup::numbers(genesis, plan.validators);
        let address = |number: &usize| setup::address(*number as u32);
        let addresses: Vec<_> = numbers.iter().map(address).collect();
        let identity = |a: &Address| engine_peer(set.by_address(*a).expect("in the set")).expect("an Ed25519 key");
        let peers = addresses.iter().map(identity).collect();
        let time = Time::default();
        let twins = if plan.misbehaviour.twins { plan.byzantine } else { 0 };
        let places: Vec<_> = (0..plan.validators + twins)
            .map(|place| {
                let validator = place % plan.validators;
                let disk = Disk::new(Random::new(seed, &format!("disk {place}")));
                let guard_disk = match variant {
                    Variant::GuardNotSynced => Disk::new(Random::new(seed, &format!("guard's disk {place}"))),
                    _ => disk.clone(),
                };
                Guard::create_on(&mut guard_disk.clone(), addresses[validator]).expect("a new disk works");
                Place {
                    validator,
                    honest: validator >= plan.byzantine,
                    disk,
                    guard_disk,
                    clocks: Arc::new(NodeClocks::new(time.clone(), START)),
                    node: None,
                    booting: false,
                    waiting: false,
                    taken: false,
                    slots: Arc::new(Mutex::default()),
                }
            })
            .collect();
        let count = places.len();
        let mut world = Self {
            random: Random::new(seed, "network"),
            faults: Random::new(seed, "faults"),
            checker: Checker::new(plan.validators),
            origin: genesis.origin(),
            verified: Verified::default(),
            valid: ValidVotes::default(),
            addresses,
            peers,
            queue: BTreeMap::new(),
            sequence: 0,
            cut: vec![vec![false; count]; count],
            healed: false,
            goal: u64::MAX,
            kept: Vec::new(),
            values: Vec::new(),
            records: 0,
            starts: 0,
            evidence: 0,
            events: 0,
            trace: Trace::new(tell),
            beginning,
            places,
            plan,
            variant,
            seed,
            time,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        for place in 0..self.places.len() {
            let disk = &self.places[place].disk;
            match self.variant {
                Variant::AckBeforeSync => disk.lie(),
                Variant::GuardNotSynced => self.places[place].guard_disk.lie(),
                _ => {}
            }
            self.places[place].booting = true;
            let at = self.random.below(200_000);
            self.at(at, Event::Boot(place));
        }
        let plan = self.plan.clone();
        self.at(SECOND, Event::Submit);
        self.at(plan.faults_end, Event::Heal);
        for (every, event) in [
            (plan.blackout_every, Event::Blackout),
            (plan.partition_every, Event::Partition),
            (if plan.victim { plan.loss_every } else { 0 }, Event::TakeAway),
        ] {
            self.later(every, event);
        }
        for place in 0..self.places.len() {
            self.later(plan.kill_every * self.places.len() as u64, Event::Cut(place, false));
            self.later(plan.power_every * self.places.len() as u64, Event::Cut(place, true));
            self.later(plan.clock_every * self.places.len() as u64, Event::Clock(place));
        }
    }

    fn at(&mut self, time: Micros, event: Event) {
        self.sequence += 1;
        self.queue.insert((time, self.sequence), event);
    }

    /// Some time after now, in the mean after `every`; never when that is 0.
    fn later(&mut self, every: Micros, event: Event) {
        if every > 0 {
            let at = self.time.now() + 1 + self.faults.below(2 * every);
            self.at(at, event);
        }
    }

    /// Runs to the end.
    pub fn run(mut self) -> Outcome {
        let end = self.plan.faults_end + LIVENESS_MAX;
        let mut healed_after = 0;
        loop {
            let (at, who) = self.next();
            if at > end {
                let positions: Vec<_> = self.places.iter().map(Place::position).collect();
                self.checker.report(7, format!("no progress in {} s: {positions:?}", LIVENESS_MAX / SECOND));
                break;
            }
            self.time.advance(at);
            self.events += 1;
            match who {
                Some(place) => {
                    self.trace.note(at, "tick", place, &[]);
                    self.step(place, |node| node.tick(at));
                }
                None => {
                    let (_, event) = self.queue.pop_first().expect("it was the next");
                    self.happen(event);
                }
            }
            if self.checker.found.is_some() {
                break;
            }
            if self.healed && self.reached_goal() {
                healed_after = at - self.plan.faults_end;
                for place in self.honest() {
                    let blocks = self.places[place].node.as_ref().expect("it reached the goal").ledger().blocks();
                    self.checker.in_the_end(place, &blocks);
                }
                break;
            }
        }
        Outcome {
            seed: self.seed,
            trace: self.trace.hash(),
            heights: self.checker.heights(),
            records: self.checker.final_records().len() as u64,
            broken: self.checker.found,
            healed_after,
            starts: self.starts,
            evidence: self.evidence,
            io_failures: self.places.iter().map(|place| place.disk.failures()).sum(),
            events: self.events,
        }
    }

    fn honest(&self) -> Vec<usize> {
        (0..self.places.len()).filter(|place| self.places[*place].honest).collect()
    }

    fn reached_goal(&self) -> bool {
        let tips = self.places.iter().filter(|place| place.honest).map(Place::tip);
        tips.map(|tip| tip.map_or(0, Height::get)).all(|tip| tip >= self.goal)
    }

    /// What comes next: a node's timer, or an event.
    fn next(&self) -> (Micros, Option<usize>) {
        let queued = self.queue.first_key_value().map_or(Micros::MAX, |((at, _), _)| *at);
        let due = |(number, place): (usize, &Place)| {
            let node = place.node.as_ref()?;
            Some((node.due(|seat| seat.due().map(|at| self.time.micros(at))), number))
        };
        match self.places.iter().enumerate().filter_map(due).min() {
            Some((at, place)) if at <= queued => (at.max(self.time.now()), Some(place)),
            _ => (queued, None),
        }
    }

    fn happen(&mut self, event: Event) {
        let (now, plan) = (self.time.now(), self.plan.clone());
        let count = self.places.len() as u64;
        match event {
            Event::Deliver { to, from, message } => {
                if self.places[to].node.is_some() {
                    self.trace.message(now, to, &message);
                    self.step(to, |node| node.receive(now, from, &message));
                }
            }
            Event::Boot(place) => self.boot(place),
            Event::Cut(place, power) => {
                if self.healed {
                    return;
                }
                let in_operation = power && self.faults.chance(plan.in_operation);
                self.cut_off(place, power, in_operation);
                let every = if power { plan.power_every } else { plan.kill_every };
                self.later(every * count, Event::Cut(place, power));
            }
            Event::Blackout => {
                if self.healed {
                    return;
                }
                for place in 0..self.places.len() {
                    let in_operation = self.faults.chance(plan.in_operation / 2);
                    self.cut_off(place, true, in_operation);
                }
                self.later(plan.blackout_every, Event::Blackout);
            }
            Event::Partition => {
                if !self.healed {
                    self.partition();
                    self.later(plan.partition_every, Event::Partition);
                }
            }
            Event::Clock(place) => {
                if !self.healed {
                    let off = self.faults.below(2 * plan.clock_max) as i64 - plan.clock_max as i64;
                    let off = if self.faults.chance(3_000) { 0 } else { off };
                    self.trace.note(now, "clock", place, &off.to_be_bytes());
                    self.places[place].clocks.set_ahead(off);
                    self.later(plan.clock_every * count, Event::Clock(place));
                }
            }
            Event::TakeAway => {
                if !self.healed {
                    self.take_away();
                    self.later(plan.loss_every, Event::TakeAway);
                }
            }
            Event::Submit => {
                let record = setup::record(self.beginning.genesis(), self.records, START + now / SECOND);
                self.records += 1;
                let place = self.random.below(count) as usize;
                self.trace.note(now, "submit", place, &record);
                self.step(place, |node| node.submit(now, &record).map(|_| ()));
                let after = 1 + self.random.below(2 * plan.record_every);
                self.at(now + after, Event::Submit);
            }
            Event::Heal => self.heal(),
        }
    }

    /// Everything works from here on.
    fn heal(&mut self) {
        let now = self.time.now();
        self.trace.note(now, "heal", 0, &[]);
        self.healed = true;
        self.cut.iter_mut().for_each(|row| row.fill(false));
        let mut highest = 0;
        for place in 0..self.places.len() {
            let slot = &mut self.places[place];
            slot.clocks.set_ahead(0);
            slot.disk.fail(0);
            if slot.honest {
                highest = highest.max(slot.tip().map_or(0, Height::get)).max(self.checker.heights());
            }
            if slot.node.is_none() && !slot.booting && !slot.waiting {
                slot.booting = true;
                self.at(now, Event::Boot(place));
            }
        }
        self.goal = highest + GOES_ON;
    }

    /// Hands a node something, and does what it did.
    fn step(&mut self, place: usize, call: impl FnOnce(&mut Node) -> Result<(), Ended>) {
        let Some(node) = self.places[place].node.as_mut() else { return };
        let result = call(node);
        let done = node.done();
        self.carry_out(place, done);
        if let Err(Ended(why)) = result {
            self.trace.note(self.time.now(), "ended", place, why.as_bytes());
            let power = self.places[place].disk.stopped();
            self.went_down(place, power);
        }
    }

    fn carry_out(&mut self, place: usize, done: Vec<Done>) {
        let (validator, honest) = (self.places[place].validator, self.places[place].honest);
        for done in done {
            match done {
                Done::Published(message) => {
                    self.trace.tell(|| format!("{:>12.6} {place} says {message:?}", self.time.now() as f64 / 1e6));
                    self.checker.published(validator, honest, &message);
                    if let SignedConsensusMsg::Proposal(proposal) = &message {
                        self.values.push(proposal.message.value.0);
                        if self.values.len() > 16 {
                            self.values.remove(0);
                        }
                    }
                    if !honest {
                        self.contradict(place, &message);
                    }
                }
                Done::Sent(to, message) => self.send(place, to, Arc::new(message)),
                Done::Evidence(pairs) => self.evidence += if honest { pairs as u64 } else { 0 },
                Done::Committed(height) => {
                    let node = self.places[place].node.as_ref().expect("it has just run");
                    let block = node.ledger().block(height).expect("it has just committed it");
                    self.trace.note(self.time.now(), "final", place, block.hash.as_bytes());
                    if honest {
                        let latest = self.latest_clock();
                        self.checker.committed(place, &block, latest);
                    }
                }
            }
        }
    }

    /// The time that the honest clock furthest ahead allows to a block, in seconds since 1970. A clock that jumped back has
    /// allowed what it allowed before.
    fn latest_clock(&self) -> u64 {
        let honest = self.places.iter().filter(|place| place.honest);
        let ahead = honest.map(|place| place.clocks.furthest()).max().unwrap_or(0);
        let tolerance = u64::from(self.beginning.genesis().parameters.clock_tolerance_s);
        (START * SECOND + self.time.now()).saturating_add_signed(ahead) / SECOND + tolerance
    }

    fn send(&mut self, from: usize, to: To, message: Arc<Message>) {
        let sender = &self.places[from];
        let (peer, byzantine) = (self.peers[sender.validator], !sender.honest);
        let own = sender.validator;
        for place in 0..self.places.len() {
            let validator = self.places[place].validator;
            let meant = match to {
                To::All => validator != own,
                To::Peer(peer) => self.peers[validator] == peer,
            };
            if !meant {
                continue;
            }
            if byzantine && self.random.chance(self.plan.misbehaviour.withheld) {
                continue;
            }
            self.transmit(from, place, peer, &message);
            if byzantine && self.random.chance(self.plan.misbehaviour.replayed) && !self.kept.is_empty() {
                let at = self.random.below(self.kept.len() as u64) as usize;
                let (of, old) = self.kept[at].clone();
                let peer = self.peers[self.places[of].validator];
                self.transmit(of, place, peer, &old);
            }
        }
        if byzantine && self.plan.misbehaviour.replayed > 0 {
            if self.kept.len() == KEPT_MAX {
                let at = self.random.below(KEPT_MAX as u64) as usize;
                self.kept.swap_remove(at);
            }
            self.kept.push((from, message));
        }
    }

    fn transmit(&mut self, from: usize, to: usize, peer: PeerId, message: &Arc<Message>) {
        let (loss, doubled, delay, jitter) = if self.healed {
            (0, 0, 1_000, 4_000)
        } else {
            (self.plan.loss, self.plan.doubled, self.plan.delay, self.plan.jitter)
        };
        let copies = 1 + u64::from(self.random.chance(doubled));
        for _ in 0..copies {
            let at = self.time.now() + delay + self.random.below(jitter);
            let lost = self.random.chance(loss);
            if lost || self.cut[from][to] {
                continue;
            }
            self.at(at, Event::Deliver { to, from: peer, message: Arc::clone(message) });
        }
    }

    /// A Byzantine validator has voted: perhaps it votes otherwise too, before some.
    fn contradict(&mut self, place: usize, message: &SignedConsensusMsg<Network>) {
        let SignedConsensusMsg::Vote(vote) = message else { return };
        if !self.random.chance(self.plan.misbehaviour.double_votes) {
            return;
        }
        let value = match self.random.below(3) {
            0 => NilOrVal::Nil,
            _ if self.values.is_empty() => NilOrVal::Nil,
            _ => NilOrVal::Val(EngineValue(*self.random.pick(&self.values))),
        };
        let validator = self.places[place].validator;
        let key = setup::consensus_key(self.number_of(validator));
        let other = sign_vote(&self.origin, &key, Vote { value, ..vote.message.clone() });
        let other = SignedConsensusMsg::Vote(other);
        self.checker.published(validator, false, &other);
        let codec = self.places[place].node.as_ref().map(|node| node.seat().codec());
        let Some(bytes) = codec.and_then(|codec| codec.encode(&other).ok()) else { return };
        let message = Arc::new(Message::Consensus(bytes));
        for to in 0..self.places.len() {
            if self.places[to].validator != validator && self.random.chance(5_000) {
                self.transmit(place, to, self.peers[validator], &message);
            }
        }
    }

    fn number_of(&self, validator: usize) -> u32 {
        setup::number_of(self.addresses[validator], self.plan.validators)
    }
}

impl Place {
    fn tip(&self) -> Option<Height> {
        self.node.as_ref().map(|node| node.ledger().tip().height)
    }

    fn position(&self) -> String {
        match &self.node {
            Some(node) => format!("{}: {} {}", self.validator, self.tip().unwrap_or_default(), node.position()),
            None => format!("{}: down", self.validator),
        }
    }
}
