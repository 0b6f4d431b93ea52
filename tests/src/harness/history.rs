//! Whether what clients saw could have been shown to them by one log (R19).
//!
//! The object is an append-only log. *Appending* answers with the place of the record; *reading* at a node answers with the
//! size of the log there. Promised is:
//! 1. **Appending is linearizable over all nodes**: if one append was answered before another was sent, its place is before
//!    the other's.
//! 2. **A node's reads are linearizable with what that node answered**: a read that begins after a node has answered an
//!    append, or an earlier read, shows at least that much. Another node may be a block behind: reads of different nodes are
//!    prefixes of one log (the oracle compares the roots), not necessarily the newest one.
//! 3. **No read shows what nobody has sent yet.**
//!
//! Since places are in the answers, the one order in which all appends may have happened is known, and the search that
//! linearizability needs in general (Wing and Gong 1993, Lowe 2017) shrinks to comparing neighbours: O(n log n) for
//! histories of any length. The test below compares with a search through all orders.

use std::time::Instant;

/// An append that was sent.
#[derive(Debug, Clone)]
pub struct Append {
    /// The node that was asked.
    pub node: usize,
    /// When.
    pub sent: Instant,
    /// When the answer was there; none if nothing was promised.
    pub answered: Option<Instant>,
    /// Its place in the log; none if it never got one.
    pub place: Option<u64>,
}

/// A read of a node's newest checkpoint.
#[derive(Debug, Clone, Copy)]
pub struct Read {
    /// The node, or one life of its disk: what was promised by a disk that is gone counts no more.
    pub node: usize,
    /// When it was asked.
    pub sent: Instant,
    /// When it had answered.
    pub answered: Instant,
    /// Size of the log it showed.
    pub size: u64,
}

/// The first thing that no single log can have shown.
///
/// # Errors
/// What was seen, in words.
pub fn check(appends: &[Append], reads: &[Read]) -> Result<(), String> {
    appends_in_order(appends)?;
    reads_in_order(appends, reads)?;
    nothing_from_the_future(appends, reads)
}

/// 1: in the order of places, no append is sent after a later one was answered.
fn appends_in_order(appends: &[Append]) -> Result<(), String> {
    let mut placed: Vec<_> = appends.iter().filter_map(|append| Some((append.place?, append))).collect();
    placed.sort_unstable_by_key(|(place, _)| *place);
    let mut earliest: Option<(Instant, u64)> = None;
    for (place, append) in placed.iter().rev() {
        if let Some((answered, later)) = earliest
            && answered < append.sent
        {
            return Err(format!("place {later} was given out before the record at place {place} was sent"));
        }
        if let Some(answered) = append.answered
            && earliest.is_none_or(|(earliest, _)| answered < earliest)
        {
            earliest = Some((answered, *place));
        }
    }
    Ok(())
}

/// 2: at one node, nothing that was shown is missing later.
fn reads_in_order(appends: &[Append], reads: &[Read]) -> Result<(), String> {
    // What a node has shown at a time: a size.
    let mut shown: Vec<_> = reads.iter().map(|read| (read.answered, read.node, read.size)).collect();
    shown.extend(appends.iter().filter_map(|a| Some((a.answered?, a.node, a.place? + 1))));
    shown.sort_unstable();
    let mut reads: Vec<_> = reads.iter().collect();
    reads.sort_unstable_by_key(|read| read.sent);
    let mut most = std::collections::BTreeMap::new();
    let mut past = shown.iter().peekable();
    for read in reads {
        while let Some((_, node, size)) = past.next_if(|(at, _, _)| *at < read.sent) {
            let before = most.entry(*node).or_insert(0);
            *before = (*size).max(*before);
        }
        let before = most.get(&read.node).copied().unwrap_or(0);
        if read.size < before {
            return Err(format!("node {} had shown {before} records, and then showed {}", read.node, read.size));
        }
    }
    Ok(())
}

/// 3: everything below a size that was read was sent before the read's answer.
fn nothing_from_the_future(appends: &[Append], reads: &[Read]) -> Result<(), String> {
    let mut placed: Vec<_> = appends.iter().filter_map(|append| Some((append.place?, append.sent))).collect();
    placed.sort_unstable();
    // The latest of all that stand at or before a place.
    let mut latest = None;
    let latest: Vec<_> = placed
        .iter()
        .map(|(place, sent)| (*place, *latest.insert(latest.map_or(*sent, |l: Instant| l.max(*sent)))))
        .collect();
    for read in reads {
        let below = latest.partition_point(|(place, _)| *place < read.size);
        if let Some((place, sent)) = below.checked_sub(1).map(|last| latest[last])
            && sent > read.answered
        {
            return Err(format!(
                "node {} showed {} records before one at or below {place} was sent",
                read.node, read.size
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::campaign::Random;

    /// An order of everything such that each operation is between its call and its answer and the log behaves: searched
    /// through, as Wing and Gong do. Appends by place; reads at their node never less than that node has shown.
    fn linearizable(appends: &[Append], reads: &[Read]) -> bool {
        #[derive(Clone, Copy)]
        struct Op {
            from: Instant,
            to: Option<Instant>,
            what: Result<u64, u64>,
        }
        // All appends of the log as a whole: one object.
        let log: Vec<_> =
            appends.iter().filter_map(|a| Some(Op { from: a.sent, to: a.answered, what: Ok(a.place?) })).collect();
        fn search(left: &mut Vec<Op>, size: u64) -> bool {
            // Only what was called before any other's answer can be first.
            let Some(first) = left.iter().filter_map(|op| op.to).min() else {
                let mut rest: Vec<_> = left.iter().filter_map(|op| op.what.ok()).collect();
                rest.sort_unstable();
                return rest.iter().zip(size..).all(|(place, expected)| *place == expected);
            };
            for at in 0..left.len() {
                let op = left[at];
                if op.from > first {
                    continue;
                }
                let next = match op.what {
                    Ok(place) if place == size => size + 1,
                    Err(read) if read == size => size,
                    _ => continue,
                };
                left.remove(at);
                let found = search(left, next);
                left.insert(at, op);
                if found {
                    return true;
                }
            }
            false
        }
        if !search(&mut log.clone(), 0) {
            return false;
        }
        // Each node on its own: a register that never falls, bounded below by what the node itself has shown, above by what
        // was sent. Its answers to appends are reads of at least that size, its reads may lag behind the log.
        (0..3).all(|node| {
            let own: Vec<_> = reads.iter().filter(|read| read.node == node).collect();
            let answers = appends.iter().filter(|a| a.node == node).filter_map(|a| Some((a.answered?, a.place? + 1)));
            let answers: Vec<_> = answers.chain(own.iter().map(|read| (read.answered, read.size))).collect();
            own.iter().all(|read| {
                answers.iter().all(|(at, size)| *at >= read.sent || read.size >= *size)
                    && appends.iter().all(|a| a.place.is_none_or(|p| p >= read.size) || a.sent <= read.answered)
            })
        })
    }

    #[test]
    fn the_quick_check_agrees_with_a_search_through_all_orders() {
        let begin = Instant::now();
        let (mut good, mut bad) = (0, 0);
        for attempt in 0..20_000 {
            let mut random = Random::of(19, attempt);
            let at = |random: &mut Random| begin + Duration::from_millis(random.below(30));
            let count = 1 + random.below(5);
            let mut appends = Vec::new();
            for place in 0..count {
                // Mostly in an order that is possible.
                let sent = begin + Duration::from_millis(place * 4 + random.below(9));
                let answered = random.chance(80).then(|| sent + Duration::from_millis(1 + random.below(12)));
                let node = random.index(3);
                appends.push(Append { node, sent, answered, place: Some(place) });
            }
            let reads: Vec<_> = (0..random.below(4))
                .map(|_| {
                    let sent = at(&mut random);
                    let answered = sent + Duration::from_millis(1 + random.below(9));
                    Read { node: random.index(3), sent, answered, size: random.below(count + 1) }
                })
                .collect();
            let expected = linearizable(&appends, &reads);
            let found = check(&appends, &reads);
            assert_eq!(found.is_ok(), expected, "{attempt}: {found:?}\n{appends:?}\n{reads:?}");
            if expected { good += 1 } else { bad += 1 }
        }
        assert!(good > 1_000 && bad > 1_000, "{good} good, {bad} bad: both kinds were tried");
    }
}
