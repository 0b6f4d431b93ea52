//! R7: one bit flips in memory, between what was voted on and what is written, or between what was read and what is
//! answered.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use testamur_primitives::units::UnixTime;

use super::answers::{Compared, build, describe};
use super::rest::{copy, scrub};
use super::{Fate, Random, Tally, passed, written_by};
use crate::testing::{TestIssuer, TestNetwork, check_open, digest};
use crate::{Ledger, PreparedBlock, RecordQuery, StoreError};

const CLASSES: [&str; 5] =
    ["caught-before-commit", "caught-before-reply", "caught-by-scrub", "caught-by-check", "harmless"];
const READ: &str = "store.after-read.flip-bit";
const WRITE: &str = "store.before-write.flip-bit";
const BLOCK: &str = "store.block-in-memory.flip-bit";
/// In the block that is written.
const NOTARISATIONS: u64 = 40;

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
    let next = Next::of(network, &ledger);
    let rows = written_by(|| next.commit(network, &ledger).expect("a sound block is committed"));
    let rows: Vec<Vec<u64>> = rows.into_values().collect();
    let ids = next.block.records().iter().map(|record| record.record().id()).collect();
    let world = describe(TestNetwork::new(), &ledger, ids);
    let truth = world.answers(&ledger).expect("a sound ledger answers");
    drop(ledger);
    for attempt in runs / 2..runs {
        let mut random = Random::of(seed, attempt);
        tally.attempt(seed, "a write", || {
            copy(&base, &wrong);
            let ledger = world.network.open(&wrong, 0).expect("it opens");
            let next = Next::of(&world.network, &ledger);
            // Before the rows are derived from the block once more, or after: then each column as often as any other,
            // as most bugs are not where most rows are.
            let (failpoint, place) = if attempt % 4 == 0 {
                (BLOCK, random.below(next.records()))
            } else {
                let column = &rows[random.below(rows.len() as u64) as usize];
                (WRITE, column[random.below(column.len() as u64) as usize])
            };
            arm(failpoint, place, random.next());
            let committed = next.commit(&world.network, &ledger);
            fail::remove(failpoint);
            if committed.is_err() {
                drop(ledger);
                let ledger = world.network.open(&wrong, 0).expect("nothing was written");
                let unharmed = ledger.tip().next_height() == next.block.header().height
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

/// The block that is written: notarisations, an accreditation, and a list's next version with its attachment.
struct Next {
    block: Arc<PreparedBlock>,
    attachment: Bytes,
}

impl Next {
    fn of(network: &TestNetwork, ledger: &Ledger) -> Self {
        let (height, time) = (ledger.tip().next_height(), UnixTime(ledger.tip().header.time.0 + 10));
        let record = |n: u64| network.notarise(n as usize % 2, &format!("flip-{height}-{n}"), time, digest(height, n));
        let mut records: Vec<_> = (0..NOTARISATIONS).map(record).collect();
        records.push(TestIssuer::new(2).accredit(network, 2, time));
        let issuer = TestIssuer::new(1);
        let of_issuer = RecordQuery { author: Some(issuer.did.clone()), limit: 100, ..Default::default() };
        let page = ledger.view().and_then(|view| view.records(&of_issuer)).expect("the issuer's records");
        let newest = page.items.last().expect("a list's second version").record.id();
        let (status, attachment) = issuer.status(network, "degrees", 3, Some(newest), time, &[7, 9]);
        records.push(status);
        let proposed = ledger.propose(network.validators[0].address, time, &records).expect("a proposal");
        assert_eq!(proposed.block.records().len(), records.len(), "refused: {:?}", proposed.rejected);
        Self { block: proposed.block, attachment }
    }

    fn records(&self) -> u64 {
        self.block.records().len() as u64
    }

    fn commit(&self, network: &TestNetwork, ledger: &Ledger) -> Result<(), StoreError> {
        let attachments = std::slice::from_ref(&self.attachment);
        ledger.commit(&self.block, &network.certificate(&self.block), None, attachments).map(|_| ())
    }
}
