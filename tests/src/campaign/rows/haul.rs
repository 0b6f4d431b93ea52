//! R18, R19, R24, R29: one long run of one network, with readers, writers, people who send everything again, and an operator
//! whose machines pause and die now and then. The first of these rows that is tried makes the run; each has its own line.

mod readers;
mod replays;
mod soak;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use testamur_primitives::key::SigningKey;

use crate::campaign::{Lane, Row, Run};
use crate::harness::history::{self, Append, Read};
use crate::harness::{Network, Setup};

pub(super) const ROWS: &[Row] = &[
    Row { id: "R18", name: "proof-races", lane: Lane::Networks, ci: 100_000, release: 2_000_000, attack: proofs },
    Row { id: "R19", name: "one-log-for-all", lane: Lane::Networks, ci: 20, release: 400, attack: histories },
    Row { id: "R24", name: "sent-again", lane: Lane::Networks, ci: 10_000, release: 200_000, attack: again },
    Row { id: "R29", name: "soak-with-kills", lane: Lane::Networks, ci: 10, release: 200, attack: soaked },
];

/// What a run is cut into: each is one of R19's histories. Twenty are R29's ten minutes of a CI run.
const WINDOW: Duration = Duration::from_secs(30);
/// A busy machine gets this many times as long to reach the counts of R18 and R24; then what was reached is told.
const PATIENCE: u32 = 2;

/// What one row has got out of the run.
#[derive(Debug, Default, Clone)]
pub(super) struct Tally {
    pub(super) good: u64,
    pub(super) bad: Vec<String>,
    pub(super) metrics: Vec<(&'static str, String)>,
}

/// What all threads of a run share.
pub(super) struct Shared {
    pub(super) stop: AtomicBool,
    pub(super) seed: u64,
    pub(super) nodes: Vec<std::net::SocketAddr>,
    pub(super) receipts: Arc<Mutex<Vec<Vec<u8>>>>,
    pub(super) trust: testamur_primitives::trust::TrustFile,
    pub(super) author: ed25519_dalek::SigningKey,
    pub(super) proofs: Mutex<Tally>,
    pub(super) replays: Mutex<Tally>,
    pub(super) reads: Mutex<Vec<Read>>,
}

impl Shared {
    pub(super) fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// One receipt of those that were handed out so far.
    pub(super) fn any_receipt(&self, random: &mut crate::campaign::Random) -> Option<Vec<u8>> {
        let receipts = self.receipts.lock().expect("no thread panics holding it");
        (!receipts.is_empty()).then(|| random.pick(&receipts).clone())
    }
}

#[derive(Debug, Default)]
struct Results {
    proofs: Tally,
    histories: Tally,
    replays: Tally,
    soak: Tally,
}

static RUN: OnceLock<Results> = OnceLock::new();

fn proofs(run: &mut Run) {
    let tally = haul(run, 100_000).proofs.clone();
    tell(run, tally);
}

fn histories(run: &mut Run) {
    let tally = haul(run, 20).histories.clone();
    tell(run, tally);
}

fn again(run: &mut Run) {
    let tally = haul(run, 10_000).replays.clone();
    tell(run, tally);
}

fn soaked(run: &mut Run) {
    let tally = haul(run, 10).soak.clone();
    tell(run, tally);
}

fn tell(run: &mut Run, tally: Tally) {
    run.good(tally.good);
    tally.bad.iter().for_each(|what| run.bad(what));
    for (name, value) in tally.metrics {
        run.metric(name, value);
    }
}

/// The run, made once. Its length is what the row that comes first is asked for, as a part of its count in CI.
fn haul(run: &Run, ci: u64) -> &'static Results {
    RUN.get_or_init(|| make(run.seed, run.count as f64 / ci as f64))
}

fn make(seed: u64, scale: f64) -> Results {
    let of = |count: f64| (count * scale).ceil() as u64;
    let (windows, proofs, replays) = (of(20.0), of(100_000.0), of(10_000.0));
    let mut network = Network::start(&Setup::default());
    let SigningKey::Ed25519(author) = &network.author else { panic!("the harness writes with Ed25519") };
    let shared = Arc::new(Shared {
        stop: AtomicBool::new(false),
        seed,
        nodes: network.nodes.iter().map(|node| node.api).collect(),
        receipts: Arc::clone(&network.acknowledged),
        trust: network.trust.clone(),
        author: author.clone(),
        proofs: Mutex::default(),
        replays: Mutex::default(),
        reads: Mutex::default(),
    });
    let load = network.load();
    network.wait_receipts(200);
    let mut threads = readers::start(&shared);
    threads.extend(replays::start(&shared));

    let began = Instant::now();
    let mut results = Results::default();
    let mut soak = soak::Soak::begin(&network, seed);
    let mut cuts = vec![began];
    let count = |tally: &Mutex<Tally>| tally.lock().expect("no thread panics holding it").good;
    let most = WINDOW * u32::try_from(windows).unwrap_or(u32::MAX) * PATIENCE;
    loop {
        soak.window(&mut network, WINDOW);
        cuts.push(Instant::now());
        let reached = count(&shared.proofs) >= proofs && count(&shared.replays) >= replays;
        if cuts.len() as u64 > windows && (reached || began.elapsed() > most) {
            break;
        }
    }
    shared.stop.store(true, Ordering::Relaxed);
    load.stop();
    threads.into_iter().for_each(|thread| thread.join().expect("a thread counts what is bad, and does not panic"));

    soak.end(&network);
    let written = network.written.lock().expect("no thread panics holding it").clone();
    results.soak = soak.tally(&written);
    let reads = std::mem::take(&mut *shared.reads.lock().expect("no thread panics holding it"));
    let appends: Vec<_> = written
        .iter()
        .map(|w| Append { node: w.node, sent: w.sent, answered: w.index.map(|_| w.answered), place: w.index })
        .collect();
    results.histories = cut(&cuts, &appends, &reads);
    results.proofs = shared.proofs.lock().expect("no thread panics holding it").clone();
    results.replays = shared.replays.lock().expect("no thread panics holding it").clone();
    // The oracle speaks for all: a panic of it is the first row's, and the others then make a run of their own.
    let found = network.check();
    results.proofs.metrics.push(("records", found.records.to_string()));
    results.proofs.metrics.push(("checkpoints-kept", found.checkpoints.to_string()));
    results.soak.metrics.push(("final-records", found.finals.to_string()));
    results.histories.metrics.push(("pauses-and-kills", soak.events().to_string()));
    results
}

/// Each window's operations are a history of their own; and all of them together are one.
fn cut(cuts: &[Instant], appends: &[Append], reads: &[Read]) -> Tally {
    let mut tally = Tally::default();
    let mut judge = |what: &str, appends: &[Append], reads: &[Read]| match history::check(appends, reads) {
        Ok(()) => tally.good += 1,
        Err(error) => tally.bad.push(format!("{what}: {error}")),
    };
    for window in cuts.windows(2) {
        let within = |at: Instant| window[0] <= at && at < window[1];
        let appends: Vec<_> = appends.iter().filter(|a| within(a.sent)).cloned().collect();
        let reads: Vec<_> = reads.iter().filter(|r| within(r.sent)).copied().collect();
        judge("a window", &appends, &reads);
    }
    judge("the whole run", appends, reads);
    tally.metrics.push(("appends", appends.len().to_string()));
    tally.metrics.push(("reads", reads.len().to_string()));
    tally
}
