//! R2, R3: the disk fails, or the process dies, at any system call that a ledger's life depends on; and again while it
//! recovers from that.
//!
//! The process is `testamur-faults commits`: store and guard of a validator, used as a validator does, without a network.
//! Its calls are listed first, on a new directory (A) and on one with ten blocks in the write-ahead log (B), until height
//! 20, tables merged on the way. Then each run gets one fault at one call. Afterwards, without faults, the process must go
//! on by itself, keep every promise it made before, and `testamur check` must find nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::campaign::disk::{Commits, End, Fault, Site, Strace, hit, sites};
use crate::campaign::{Lane, Random, Row, Run};

pub(super) const ROWS: &[Row] = &[
    Row { id: "R2", name: "fault-at-a-system-call", lane: Lane::Machine, ci: 200, release: 2_000, attack: one_fault },
    Row { id: "R3", name: "fault-in-the-recovery", lane: Lane::Machine, ci: 50, release: 1_000, attack: two_faults },
];

/// Blocks of a run, with what it starts from.
const BLOCKS: u64 = 20;
/// After so many blocks tables are written and merged.
const MERGE: u64 = 7;
/// Blocks that must follow a recovery.
const AFTER: u64 = 3;

/// A place for many small directories: memory where there is some, since no power is cut here.
fn place() -> TempDir {
    let memory = Path::new("/dev/shm");
    let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("testamur-").tempdir_in(base).expect("a directory")
}

/// Directories to start from.
struct Begin {
    place: TempDir,
    strace: Strace,
    new: Commits,
    used: Commits,
}

impl Begin {
    fn make() -> Result<Self, &'static str> {
        let place = place();
        let strace = Strace::new(place.path())?;
        let new = Commits::prepare(&place.path().join("new"));
        let used = Commits::prepare(&place.path().join("used"));
        assert_eq!(used.run(used.until(BLOCKS / 2, MERGE)), End::Done, "{}", used.said());
        Ok(Self { place, strace, new, used })
    }

    /// A copy of one of them for one try.
    fn copy(&self, used: bool) -> Commits {
        let folder = self.try_folder();
        if folder.exists() {
            std::fs::remove_dir_all(&folder).expect("it can be removed");
        }
        if used { self.used.copy_to(&folder) } else { self.new.copy_to(&folder) }
    }

    fn try_folder(&self) -> PathBuf {
        self.place.path().join("try")
    }

    fn log(&self) -> PathBuf {
        self.place.path().join("strace")
    }

    /// Every call of a run from one of them.
    fn sites(&self, used: bool) -> Vec<Site> {
        let copy = self.copy(used);
        let run = |command| assert_eq!(copy.run(command), End::Done, "{}", copy.said());
        sites(&copy.until(BLOCKS, MERGE), &copy.dir, &self.log(), run)
    }

    /// One fault; how it ended, and whether it was met at all.
    fn fault(&self, commits: &Commits, until: u64, site: &Site, fault: Fault) -> (End, bool) {
        // The last one's log must not speak for this one.
        let _ = std::fs::remove_file(self.log());
        let command = self.strace.fault(&commits.until(until, MERGE), &commits.dir, site, fault, &self.log());
        let end = commits.run(command);
        let met = match fault {
            Fault::Kill | Fault::Torn(_) => end == End::Killed,
            Fault::Fails(error, _) => hit(&self.log(), error),
            // The library leaves no trace; the calls are the same in every run.
            Fault::Short(_) => true,
        };
        assert!(end != End::Killed || matches!(fault, Fault::Kill | Fault::Torn(_)), "nobody killed it");
        (end, met)
    }
}

fn one_fault(run: &mut Run) {
    let begin = match Begin::make() {
        Ok(begin) => begin,
        Err(why) => return run.skip(run.count, why),
    };
    let both: Vec<(bool, Site)> = [false, true]
        .into_iter()
        .flat_map(|used| begin.sites(used).into_iter().map(move |site| (used, site)))
        .collect();
    let all = round_robin(&both, run.seed);
    let possible = all.len();
    let mut count = Counts::default();
    let mut tried = BTreeSet::new();
    for (used, site, fault) in all.iter().cycle().take(possible * 4) {
        if run.tried() >= run.count {
            break;
        }
        let commits = begin.copy(*used);
        let what = format!("{fault:?} at {site:?} of a {} directory", if *used { "used" } else { "new" });
        let (mut end, mut met) = (None, true);
        let ended = run.attempt(&what, || {
            let (ended, was_met) = begin.fault(&commits, BLOCKS, site, *fault);
            (end, met) = (Some(ended), was_met);
            commits.recover(BLOCKS + AFTER)
        });
        if !met {
            count.missed += 1;
        }
        if let (Some(_), Some(end)) = (ended, end) {
            count.add(*fault, end);
        }
        tried.insert((*used, site.clone()));
    }
    run.metric("call-sites", both.len());
    run.metric("call-sites-tried", tried.len());
    run.metric("faults-possible", possible);
    count.tell(run);
}

/// Every site with every fault: each site once, by chance with one of its faults, before any site is tried again.
fn round_robin(sites: &[(bool, Site)], seed: u64) -> Vec<(bool, Site, Fault)> {
    let mut random = Random::new(seed);
    let mut all = Vec::new();
    for (used, site) in sites {
        let mut faults = Fault::of(&site.call);
        random.shuffle(&mut faults);
        all.extend(faults.into_iter().enumerate().map(|(turn, f)| (turn, random.number(), *used, site.clone(), f)));
    }
    all.sort_by_key(|(turn, order, ..)| (*turn, *order));
    all.into_iter().map(|(_, _, used, site, fault)| (used, site, fault)).collect()
}

fn two_faults(run: &mut Run) {
    let begin = match Begin::make() {
        Ok(begin) => begin,
        Err(why) => return run.skip(run.count, why),
    };
    let first: Vec<(bool, Site)> = [false, true]
        .into_iter()
        .flat_map(|used| begin.sites(used).into_iter().map(move |site| (used, site)))
        .collect();
    let mut count = Counts::default();
    let mut attempt = 0;
    while run.tried() < run.count && attempt < run.count * 4 {
        attempt += 1;
        let mut random = Random::of(run.seed, attempt);
        let (used, site) = random.pick(&first).clone();
        // A fault that ends the process: only then is there a recovery.
        let ending: Vec<_> = Fault::of(&site.call).into_iter().filter(|f| !matches!(f, Fault::Short(_))).collect();
        let fault = *random.pick(&ending);
        let commits = begin.copy(used);
        if begin.fault(&commits, BLOCKS, &site, fault).0 == End::Done {
            continue;
        }
        // What the recovery does depends on where the fault was, so its calls are listed anew, on a copy.
        let again = commits.copy_to(&begin.place.path().join("listed"));
        let listed = catch_unwind(AssertUnwindSafe(|| {
            let run = |command| assert_eq!(again.run(command), End::Done, "{}", again.said());
            sites(&again.until(BLOCKS / 2 + AFTER, MERGE), &again.dir, &begin.log(), run)
        }));
        let Ok(second) = listed else {
            run.bad(&format!("{fault:?} at {site:?}: it does not start again: {}", again.said()));
            continue;
        };
        std::fs::remove_dir_all(begin.place.path().join("listed")).expect("it can be removed");
        if second.is_empty() {
            continue;
        }
        let second = random.pick(&second).clone();
        let then = *random.pick(&Fault::of(&second.call));
        let what = format!("{fault:?} at {site:?}, then {then:?} at {second:?}");
        let ended = run.attempt(&what, || {
            let (end, met) = begin.fault(&commits, BLOCKS / 2 + AFTER, &second, then);
            commits.recover(BLOCKS + AFTER);
            (end, met)
        });
        if let Some((end, met)) = ended {
            count.missed += u64::from(!met);
            count.add(then, end);
        }
    }
    run.metric("call-sites", first.len());
    count.tell(run);
}

/// What came of faults.
#[derive(Default)]
struct Counts {
    by_fault: BTreeMap<&'static str, u64>,
    fatal: u64,
    killed: u64,
    endured: u64,
    /// The run made other calls this time, and the fault's was not among them.
    missed: u64,
}

impl Counts {
    fn add(&mut self, fault: Fault, end: End) {
        *self.by_fault.entry(fault.name()).or_default() += 1;
        match end {
            End::Done => self.endured += 1,
            End::Fatal => self.fatal += 1,
            End::Killed => self.killed += 1,
        }
    }

    fn tell(self, run: &mut Run) {
        for (fault, count) in self.by_fault {
            run.metric(fault, count);
        }
        run.metric("ended-fatal", self.fatal);
        run.metric("ended-killed", self.killed);
        run.metric("endured", self.endured);
        run.metric("not-met", self.missed);
    }
}
