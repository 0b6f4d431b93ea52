//! Filling the ledger: records are signed ahead in batches on all cores, and then handed in as fast as they are taken.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use hyper::body::Bytes;
use serde::Serialize;
use tokio::runtime::Runtime;

use super::failed;
use super::world::World;
use crate::bench::load::{self, JOSE, JSON};
use crate::exit::CommandError;

/// Records of a batch: some seconds of signing and some tens of megabytes.
const BATCH: u64 = 2_000;
/// Status lists of a batch: each has 22 KiB with its bits.
const LISTS_BATCH: u64 = 250;

/// What handing in records of one kind achieved.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Handed {
    /// Records that became final.
    pub(super) records: u64,
    /// Time that took, without signing.
    pub(super) seconds: f64,
    /// Heights meanwhile.
    pub(super) heights: u64,
    /// Final records a second.
    pub(super) final_s: f64,
    /// Mean time of a height.
    pub(super) height_ms: f64,
}

impl Handed {
    fn new(records: u64, seconds: f64, heights: u64) -> Self {
        let (final_s, height_ms) = (records as f64 / seconds, 1e3 * seconds / heights as f64);
        Self { records, seconds, heights, final_s, height_ms }
    }

    fn and(self, other: Self) -> Self {
        Self::new(self.records + other.records, self.seconds + other.seconds, self.heights + other.heights)
    }
}

/// What was added.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Filled {
    /// DIDs, each with an accreditor's authorisation.
    pub(super) dids: Handed,
    /// Places of accreditations.
    pub(super) reserved: Handed,
    /// Accreditations put there.
    pub(super) accredited: Handed,
    /// Status lists.
    pub(super) lists: Handed,
}

/// Hands records in.
pub(super) struct Filler<'a> {
    /// What it runs on.
    pub(super) runtime: &'a Runtime,
    /// The nodes, in turn.
    pub(super) nodes: &'a [SocketAddr],
    /// Connections at once.
    pub(super) connections: usize,
}

impl Filler<'_> {
    /// Hands in records each of which rests on the one before.
    pub(super) fn one_by_one(&self, records: &[Bytes]) -> Result<(), CommandError> {
        for record in records {
            self.hand_in(vec![record.clone()], JOSE)?;
        }
        Ok(())
    }

    /// Adds DIDs, issuers and lists by their numbers.
    pub(super) fn fill(
        &self,
        world: &World,
        (dids, issuers, lists): (Range<u64>, Range<u64>, Range<u64>),
    ) -> Result<Filled, CommandError> {
        let mut filled = Filled::default();
        for batch in batches(dids, BATCH) {
            let records = on_all_cores(batch, |number| world.insert(number))?;
            filled.dids = filled.dids.and(self.hand_in(records, JOSE)?);
        }
        for batch in batches(issuers, BATCH) {
            let places = on_all_cores(batch.clone(), |number| world.reserve_for(number))?;
            let (ids, records): (Vec<_>, _) = places.into_iter().unzip();
            filled.reserved = filled.reserved.and(self.hand_in(records, JOSE)?);
            let first = batch.start;
            let records = on_all_cores(batch, |number| world.fill(number, ids[(number - first) as usize]))?;
            filled.accredited = filled.accredited.and(self.hand_in(records, JOSE)?);
        }
        for batch in batches(lists, LISTS_BATCH) {
            let records = on_all_cores(batch, |number| world.publish(number))?;
            filled.lists = filled.lists.and(self.hand_in(records, JSON)?);
        }
        Ok(filled)
    }

    /// Hands records in and waits until every node has them, since the next may rest on them.
    fn hand_in(&self, records: Vec<Bytes>, media_type: &'static str) -> Result<Handed, CommandError> {
        let handed = async {
            let before = load::tip(self.nodes[0]).await?;
            let done = load::flood(self.nodes, records, media_type, self.connections).await?;
            for node in self.nodes {
                while load::tip(*node).await?.log_size < before.log_size + done.records {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            let heights = load::tip(self.nodes[0]).await?.height - before.height;
            Ok(Handed::new(done.records, done.seconds, heights))
        };
        self.runtime.block_on(handed).map_err(failed)
    }
}

fn batches(mut numbers: Range<u64>, size: u64) -> impl Iterator<Item = Range<u64>> {
    std::iter::from_fn(move || {
        let batch = numbers.start..numbers.end.min(numbers.start + size);
        numbers.start = batch.end;
        (!batch.is_empty()).then_some(batch)
    })
}

/// Makes something of each number, in order.
fn on_all_cores<T: Send>(
    numbers: Range<u64>,
    make: impl Fn(u64) -> Result<T, CommandError> + Sync,
) -> Result<Vec<T>, CommandError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let share = (numbers.end - numbers.start).div_ceil(cores).max(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = batches(numbers, share)
            .map(|part| scope.spawn(|| part.map(&make).collect::<Result<Vec<T>, CommandError>>()))
            .collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().expect("making a record does not panic")?);
        }
        Ok(all)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_and_cores_keep_the_order_and_lose_nothing() {
        assert_eq!(batches(3..10, 4).collect::<Vec<_>>(), [3..7, 7..10]);
        assert_eq!(batches(3..3, 4).count(), 0);
        assert_eq!(on_all_cores(5..1_000, Ok).unwrap(), (5..1_000).collect::<Vec<_>>());
        assert!(on_all_cores(0..10, |n| if n == 7 { Err(failed("x".into())) } else { Ok(n) }).is_err());
    }
}
