//! R7: one bit flips in memory, between what was voted on and what is written, or between what was read and what is
//! answered.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use testamur_primitives::units::UnixTime;

use super::answers::{Compared, build, describe};
use super::rest::{copy, scrub};
use super::{Fate, Random, Tally, passed};
use crate::testing::{TestNetwork, check_open, digest};
use crate::{Ledger, PreparedBlock};

const CLASSES: [&str; 5] =
    ["caught-before-commit", "caught-before-reply", "caught-by-scrub", "caught-by-check", "harmless"];
const READ: &str = "store.after-read.flip-bit";
const WRITE: &str = "store.before-write.flip-bit";
const BLOCK: &str = "store.block-in-memory.flip-bit";
/// Records of the block that is written.
const RECORDS: u64 = 40;

pub(super) fn run(runs: u64, seed: u64, folder: &Path) -> ExitCode {
    let base = folder.join("base");
    let mut tally = Tally::new("R7", "bit-flips-in-memory", &CLASSES);
    let place = folder.join("try");

    // Between read and answer.
    let (world, truth) = build(&base, |world, ledger| world.answers(ledger).expect("a sound ledger answers"));
    copy(&base, &place);
    let mut ledger = world.network.open(&place, 0).expect("it opens");
    for attempt in 0..runs / 2 {
        let mut random = Random::of(seed, attempt);
        let question = random.next();
        tally.attempt(seed, "a read", || {
            passed();
            if world.compare_one(&ledger, &truth, question).is_err() {
                return Fate::Wrong("a sound ledger does not answer".into());
            }
            let nth = random.below(passed());
            arm(READ, nth, random.next());
            let compared = world.compare_one(&ledger, &truth, question);
            fail::remove(READ);
            match compared {
                Ok(()) => Fate::Kept("harmless"),
                Err(Compared::Refused) => Fate::Kept("caught-before-reply"),
                Err(Compared::Wrong(what)) => Fate::Wrong(what),
            }
        });
        if ledger.health().reason().is_some() {
            drop(ledger);
            ledger = world.network.open(&place, 0).expect("nothing on disk has changed");
        }
    }
    drop(ledger);

    // Between what was voted on and the batch that is written. Both ledgers get the same block; one of them a bit less.
    let (right, wrong) = (folder.join("right"), folder.join("wrong"));
    copy(&base, &right);
    let ledger = world.network.open(&right, 0).expect("it opens");
    let network = &world.network;
    let block = next_block(network, &ledger);
    passed();
    commit(network, &ledger, &block).expect("a sound block is committed");
    // Of these passes one a record is of the block and not of a row.
    let rows = passed() - RECORDS;
    let ids = block.records().iter().map(|record| record.record().id()).collect();
    let world = describe(TestNetwork::new(), &ledger, ids);
    let truth = world.answers(&ledger).expect("a sound ledger answers");
    drop(ledger);
    for attempt in runs / 2..runs {
        let mut random = Random::of(seed, attempt);
        tally.attempt(seed, "a write", || {
            copy(&base, &wrong);
            let ledger = world.network.open(&wrong, 0).expect("it opens");
            let block = next_block(&world.network, &ledger);
            // Before the rows are derived from the block once more, or after.
            let (failpoint, passes) = if attempt % 2 == 0 { (WRITE, rows) } else { (BLOCK, RECORDS) };
            arm(failpoint, random.below(passes), random.next());
            let committed = commit(&world.network, &ledger, &block);
            fail::remove(failpoint);
            if committed.is_err() {
                drop(ledger);
                let ledger = world.network.open(&wrong, 0).expect("nothing was written");
                let unharmed = ledger.tip().next_height() == block.header().height
                    && check_open(&ledger).is_ok_and(|report| report.is_clean());
                return if unharmed {
                    Fate::Kept("caught-before-commit")
                } else {
                    Fate::Wrong("a commit that was refused changed something".into())
                };
            }
            match world.compare(&ledger, &truth, random.next()) {
                Ok(()) => {}
                Err(Compared::Refused) => return Fate::Kept("caught-before-reply"),
                Err(Compared::Wrong(what)) => return Fate::Wrong(what),
            }
            if scrub(&ledger).is_err() {
                return Fate::Kept("caught-by-scrub");
            }
            let clean = check_open(&ledger).is_ok_and(|report| report.is_clean());
            Fate::Kept(if clean { "harmless" } else { "caught-by-check" })
        });
    }
    tally.end()
}

/// Lets a failpoint flip a bit once, after `passes` passes.
fn arm(failpoint: &str, passes: u64, bit: u64) {
    let wait = if passes == 0 { String::new() } else { format!("{passes}*off->") };
    fail::cfg(failpoint, &format!("{wait}1*return({bit})->off")).expect("an action of the crate `fail`");
}

fn next_block(network: &TestNetwork, ledger: &Ledger) -> Arc<PreparedBlock> {
    let (height, time) = (ledger.tip().next_height(), UnixTime(ledger.tip().header.time.0 + 10));
    let record = |n: u64| network.notarise(n as usize % 2, &format!("flip-{height}-{n}"), time, digest(height, n));
    let records: Vec<_> = (0..RECORDS).map(record).collect();
    ledger.propose(network.validators[0].address, time, &records).expect("a proposal").block
}

fn commit(network: &TestNetwork, ledger: &Ledger, block: &PreparedBlock) -> Result<(), crate::StoreError> {
    ledger.commit(block, &network.certificate(block), None, &[]).map(|_| ())
}
