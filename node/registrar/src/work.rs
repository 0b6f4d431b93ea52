//! Work on all cores, with as much of it in memory as is being done.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

/// How many threads: as asked for, or one a core.
pub(crate) fn threads(wanted: usize) -> usize {
    match wanted {
        0 => thread::available_parallelism().map_or(1, core::num::NonZero::get),
        wanted => wanted,
    }
}

/// Does something with each item and hands over the results as they come, from the calling thread. At most some dozen results
/// wait at a time. When `take` fails no more work is begun.
pub(crate) fn each_in_parallel<I: Sync, R: Send, E>(
    wanted: usize,
    items: &[I],
    work: impl Fn(&I) -> R + Sync,
    mut take: impl FnMut(usize, R) -> Result<(), E>,
) -> Result<(), E> {
    let count = threads(wanted).min(items.len());
    let next = AtomicUsize::new(0);
    let (sender, results) = sync_channel(count * 8);
    thread::scope(|scope| {
        for _ in 0..count {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                while let Some((place, item)) = {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    items.get(place).map(|item| (place, item))
                } {
                    if sender.send((place, work(item))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        // Dropped at the first failure: the threads' next sending fails, and they end.
        let results = results;
        for (place, result) in &results {
            take(place, result)?;
        }
        Ok(())
    })
}

/// Does something with each item; the results in order.
pub(crate) fn in_parallel<I: Sync, R: Send>(wanted: usize, items: &[I], work: impl Fn(&I) -> R + Sync) -> Vec<R> {
    let mut results: Vec<Option<R>> = Vec::new();
    results.resize_with(items.len(), || None);
    let taken: Result<(), core::convert::Infallible> = each_in_parallel(wanted, items, work, |place, result| {
        results[place] = Some(result);
        Ok(())
    });
    let Ok(()) = taken;
    results.into_iter().map(|result| result.expect("every item was worked on")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_worked_on_once_and_results_stand_in_order() {
        let items: Vec<u64> = (0..1_000).collect();
        assert_eq!(in_parallel(4, &items, |i| i * i), items.iter().map(|i| i * i).collect::<Vec<_>>());
        assert_eq!(in_parallel(4, &[] as &[u64], |i| *i), Vec::<u64>::new());
    }

    #[test]
    fn a_failure_ends_the_work() {
        let items: Vec<u64> = (0..100_000).collect();
        let begun = AtomicUsize::new(0);
        let work = |i: &u64| {
            begun.fetch_add(1, Ordering::Relaxed);
            *i
        };
        let ended = each_in_parallel(2, &items, work, |place, _| if place < 5 { Ok(()) } else { Err("enough") });
        assert_eq!(ended, Err("enough"));
        assert!(begun.load(Ordering::Relaxed) < 100, "work went on after the failure");
    }
}
