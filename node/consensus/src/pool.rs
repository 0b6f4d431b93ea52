//! The record pool: checked records that wait for a block.
//!
//! It is bounded in bytes, in records and per author; it gives authors their turns, and each author's records in the
//! order they came. It remembers what was verified by the leaf hash of the exact bytes, so that a proposal full of
//! records that came by gossip is validated without verifying one signature again.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use testamur_primitives::hash::{RecordId, TreeHash};
use testamur_primitives::limits::{BLOCK_ATTACHMENTS_BYTES_MAX, BLOCK_ATTACHMENTS_MAX};
use testamur_primitives::units::UnixTime;

use crate::application::PoolRecord;
use crate::limits::{POOL_AUTHOR_ATTACHMENTS_BYTES_MAX, POOL_AUTHOR_SHARE_PERCENT, POOL_BYTES_MAX, POOL_RECORDS_MAX};

/// Why the pool takes no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PoolFull {
    /// All of it is in use.
    #[error("the record pool is full")]
    Pool,
    /// This author's share is in use.
    #[error("the author's share of the record pool is in use")]
    Author,
}

/// Numbers about the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PoolStats {
    /// Records waiting.
    pub records: usize,
    /// Their bytes, attachments included.
    pub bytes: usize,
    /// Authors with a record waiting.
    pub authors: usize,
}

/// The pool.
#[derive(Debug)]
pub struct Pool<R> {
    inner: Mutex<Inner<R>>,
    bytes_max: usize,
    records_max: usize,
}

#[derive(Debug)]
struct Inner<R> {
    records: HashMap<RecordId, R>,
    by_leaf: HashMap<TreeHash, RecordId>,
    /// Ids committed lately: gossip and blocks race, and a record that lost must not come in again.
    committed: HashSet<RecordId>,
    committed_order: VecDeque<RecordId>,
    authors: HashMap<Arc<str>, Author>,
    /// Whose turn is next.
    turns: VecDeque<Arc<str>>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Author {
    /// In order of arrival; ids that have left the pool are skipped and dropped when they reach the front.
    queue: VecDeque<RecordId>,
    /// Of records and attachments.
    bytes: usize,
    attachment_bytes: usize,
    records: usize,
}

/// Bytes of a record and of the attachment beside it.
fn sizes<R: PoolRecord>(record: &R) -> (usize, usize) {
    (record.as_bytes().len(), record.attachment().map_or(0, |attachment| attachment.len()))
}

impl<R: PoolRecord> Default for Pool<R> {
    fn default() -> Self {
        Self::new(POOL_BYTES_MAX, POOL_RECORDS_MAX)
    }
}

impl<R: PoolRecord> Pool<R> {
    /// An empty pool with these bounds.
    pub fn new(bytes_max: usize, records_max: usize) -> Self {
        let inner = Inner {
            records: HashMap::new(),
            by_leaf: HashMap::new(),
            committed: HashSet::new(),
            committed_order: VecDeque::new(),
            authors: HashMap::new(),
            turns: VecDeque::new(),
            bytes: 0,
        };
        Self { inner: Mutex::new(inner), bytes_max, records_max }
    }

    /// Takes a checked record; `false` when one with its id is already there or was just committed.
    pub fn insert(&self, record: R) -> Result<bool, PoolFull> {
        let mut inner = self.lock();
        let (record_bytes, attached) = sizes(&record);
        let bytes = record_bytes + attached;
        if inner.records.contains_key(&record.id()) || inner.committed.contains(&record.id()) {
            return Ok(false);
        }
        if inner.bytes + bytes > self.bytes_max || inner.records.len() >= self.records_max {
            return Err(PoolFull::Pool);
        }
        let (author_bytes, author_attached, author_records) =
            inner.authors.get(record.author()).map_or((0, 0, 0), |a| (a.bytes, a.attachment_bytes, a.records));
        let share = |of: usize| of * POOL_AUTHOR_SHARE_PERCENT / 100;
        if author_bytes + bytes > share(self.bytes_max) || author_records >= share(self.records_max).max(1) {
            return Err(PoolFull::Author);
        }
        if author_attached + attached > POOL_AUTHOR_ATTACHMENTS_BYTES_MAX {
            return Err(PoolFull::Author);
        }
        let name: Arc<str> = record.author().into();
        if !inner.authors.contains_key(&name) {
            inner.authors.insert(Arc::clone(&name), Author::default());
            inner.turns.push_back(Arc::clone(&name));
        }
        let author = inner.authors.get_mut(&name).expect("inserted above");
        author.queue.push_back(record.id());
        author.bytes += bytes;
        author.attachment_bytes += attached;
        author.records += 1;
        inner.bytes += bytes;
        inner.by_leaf.insert(record.leaf_hash(), record.id());
        inner.records.insert(record.id(), record);
        Ok(true)
    }

    /// Whether a record is waiting.
    pub fn contains(&self, id: &RecordId) -> bool {
        self.lock().records.contains_key(id)
    }

    /// The record that was verified with exactly the bytes of this leaf hash.
    pub fn known(&self, leaf: &TreeHash) -> Option<R> {
        let inner = self.lock();
        inner.by_leaf.get(leaf).and_then(|id| inner.records.get(id)).cloned()
    }

    /// Whether nothing is waiting.
    pub fn is_empty(&self) -> bool {
        self.lock().records.is_empty()
    }

    /// Records for a block of about `bytes_max`: authors take turns, each in order of arrival. They stay in the pool. A
    /// record whose attachment has no room any more waits for the next block, and so does what its author sent after it.
    pub fn candidates(&self, bytes_max: usize, count_max: usize) -> Vec<R> {
        let mut inner = self.lock();
        let Inner { records, authors, turns, .. } = &mut *inner;
        let mut taken = Vec::new();
        let (mut bytes, mut attached, mut attachments) = (0, 0, 0);
        let mut places = HashMap::<Arc<str>, usize>::new();
        let mut waiting = turns.len();
        while waiting > 0 && taken.len() < count_max {
            let name = turns.pop_front().expect("as many turns as authors");
            turns.push_back(Arc::clone(&name));
            let author = authors.get(&name).expect("an author with a turn is there");
            let place = places.entry(name).or_insert(0);
            let next = author.queue.iter().skip(*place).find_map(|id| {
                *place += 1;
                records.get(id)
            });
            match next {
                Some(record)
                    if record.attachment().is_some()
                        && (attachments == BLOCK_ATTACHMENTS_MAX
                            || attached + sizes(record).1 > BLOCK_ATTACHMENTS_BYTES_MAX) =>
                {
                    *place = author.queue.len();
                    waiting -= 1;
                }
                Some(record) if bytes + record.as_bytes().len() + 2 <= bytes_max => {
                    bytes += record.as_bytes().len() + 2;
                    attached += sizes(record).1;
                    attachments += usize::from(record.attachment().is_some());
                    taken.push(record.clone());
                    waiting = turns.len();
                }
                Some(_) => break,
                None => waiting -= 1,
            }
        }
        taken
    }

    /// Drops records that a block now holds, and remembers their ids for a while.
    pub fn committed(&self, ids: &[RecordId]) {
        let mut inner = self.lock();
        for id in ids {
            inner.remove(id);
            if inner.committed.insert(*id) {
                inner.committed_order.push_back(*id);
            }
        }
        while inner.committed_order.len() > self.records_max {
            let oldest = inner.committed_order.pop_front().expect("longer than zero");
            inner.committed.remove(&oldest);
        }
        inner.tidy();
    }

    /// Drops records that no longer apply.
    pub fn remove<'a>(&self, ids: impl IntoIterator<Item = &'a RecordId>) {
        let mut inner = self.lock();
        for id in ids {
            inner.remove(id);
        }
        inner.tidy();
    }

    /// Drops records that no block at this time or later may hold.
    pub fn expire(&self, time: UnixTime) -> usize {
        let mut inner = self.lock();
        let expired: Vec<RecordId> =
            inner.records.iter().filter(|(_, r)| r.expires() <= time).map(|(id, _)| *id).collect();
        for id in &expired {
            inner.remove(id);
        }
        inner.tidy();
        expired.len()
    }

    /// Numbers.
    pub fn stats(&self) -> PoolStats {
        let inner = self.lock();
        PoolStats { records: inner.records.len(), bytes: inner.bytes, authors: inner.authors.len() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner<R>> {
        self.inner.lock().expect("no panic while the pool is held")
    }
}

impl<R: PoolRecord> Inner<R> {
    fn remove(&mut self, id: &RecordId) {
        let Some(record) = self.records.remove(id) else { return };
        let (bytes, attached) = sizes(&record);
        let bytes = bytes + attached;
        self.by_leaf.remove(&record.leaf_hash());
        self.bytes -= bytes;
        let author = self.authors.get_mut(record.author()).expect("a record's author is there");
        author.bytes -= bytes;
        author.attachment_bytes -= attached;
        author.records -= 1;
    }

    /// Drops ids that left from the front of the queues, and authors without records.
    fn tidy(&mut self) {
        let Self { records, authors, turns, .. } = self;
        for author in authors.values_mut() {
            // From anywhere when most of the queue is gone, so that it never outgrows the records by much.
            if author.queue.len() > 2 * author.records + 16 {
                author.queue.retain(|id| records.contains_key(id));
            }
            while author.queue.front().is_some_and(|id| !records.contains_key(id)) {
                author.queue.pop_front();
            }
        }
        authors.retain(|_, author| author.records > 0);
        turns.retain(|name| authors.contains_key(name));
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[derive(Debug, Clone)]
    struct Fake {
        number: u8,
        author: &'static str,
        bytes: Vec<u8>,
        attachment: Option<Bytes>,
    }

    impl PoolRecord for Fake {
        fn id(&self) -> RecordId {
            RecordId::from_bytes([self.number; 32])
        }
        fn leaf_hash(&self) -> TreeHash {
            TreeHash::from_bytes([self.number ^ 0xff; 32])
        }
        fn author(&self) -> &str {
            self.author
        }
        fn as_bytes(&self) -> &[u8] {
            &self.bytes
        }
        fn attachment(&self) -> Option<&Bytes> {
            self.attachment.as_ref()
        }
        fn expires(&self) -> UnixTime {
            UnixTime(self.number.into())
        }
    }

    fn record(number: u8, author: &'static str) -> Fake {
        Fake { number, author, bytes: vec![0; 100], attachment: None }
    }

    fn numbers(records: &[Fake]) -> Vec<u8> {
        records.iter().map(|r| r.number).collect()
    }

    #[test]
    fn authors_take_turns_and_keep_their_order() {
        let pool = Pool::default();
        for (number, author) in [(1, "a"), (2, "a"), (3, "a"), (4, "b"), (5, "b"), (6, "c")] {
            assert!(pool.insert(record(number, author)).unwrap());
        }
        assert!(!pool.insert(record(1, "a")).unwrap(), "an id enters once");
        assert_eq!(numbers(&pool.candidates(10_000, 100)), [1, 4, 6, 2, 5, 3]);
        assert_eq!(pool.candidates(10_000, 2).len(), 2);
        assert_eq!(pool.candidates(3 * 102, 100).len(), 3, "two bytes of length count");
        assert_eq!(pool.stats(), PoolStats { records: 6, bytes: 600, authors: 3 });
    }

    #[test]
    fn removal_and_expiry_leave_no_trace() {
        let pool = Pool::default();
        for number in 1..=100 {
            pool.insert(record(number, if number % 2 == 0 { "even" } else { "odd" })).unwrap();
        }
        let gone: Vec<_> = (11..=100).map(|n| RecordId::from_bytes([n; 32])).collect();
        pool.committed(&gone);
        assert!(!pool.insert(record(50, "even")).unwrap(), "committed a moment ago");
        assert_eq!(pool.expire(UnixTime(6)), 6);
        assert_eq!(pool.stats(), PoolStats { records: 4, bytes: 400, authors: 2 });
        assert_eq!(numbers(&pool.candidates(10_000, 100)).len(), 4);
        assert!(pool.known(&record(7, "odd").leaf_hash()).is_some());
        assert!(pool.known(&record(11, "odd").leaf_hash()).is_none());
        assert_eq!(pool.expire(UnixTime(u64::MAX)), 4);
        assert_eq!(pool.stats(), PoolStats::default());
        assert!(pool.is_empty() && pool.candidates(10_000, 100).is_empty());
    }

    #[test]
    fn bounds_hold_for_the_pool_and_for_an_author() {
        let pool = Pool::new(1000, 100);
        for number in 1..=5 {
            pool.insert(record(number, "busy")).unwrap();
        }
        assert_eq!(pool.insert(record(6, "busy")), Err(PoolFull::Author));
        for number in 11..=15 {
            pool.insert(record(number, "other")).unwrap();
        }
        assert_eq!(pool.insert(record(20, "third")), Err(PoolFull::Pool));
        pool.remove(&[RecordId::from_bytes([1; 32])]);
        assert_eq!(pool.insert(record(20, "third")), Ok(true));
    }

    fn attached(number: u8, author: &'static str, bytes: usize) -> Fake {
        Fake { attachment: Some(vec![0; bytes].into()), ..record(number, author) }
    }

    #[test]
    fn attachments_wait_for_a_block_with_room_and_hold_up_nobody_else() {
        let pool = Pool::default();
        let quarter = BLOCK_ATTACHMENTS_BYTES_MAX / 4;
        for number in 1..=6 {
            pool.insert(attached(number, "issuer", quarter)).unwrap();
        }
        pool.insert(record(7, "issuer")).unwrap();
        for number in 11..=16 {
            pool.insert(record(number, "writer")).unwrap();
        }
        assert_eq!(pool.stats().bytes, 13 * 100 + 6 * quarter);
        assert_eq!(numbers(&pool.candidates(100_000, 100)), [1, 11, 2, 12, 3, 13, 4, 14, 15, 16]);
        pool.committed(&[1, 2, 3, 4].map(|n| RecordId::from_bytes([n; 32])));
        let next = numbers(&pool.candidates(100_000, 100));
        assert!(next.contains(&5) && next.contains(&6) && next.contains(&7), "{next:?}");
        pool.expire(UnixTime(u64::MAX));
        assert_eq!(pool.stats(), PoolStats::default());
    }

    #[test]
    fn one_authors_attachments_are_bounded() {
        let pool = Pool::default();
        let half = BLOCK_ATTACHMENTS_BYTES_MAX / 2;
        for number in 1..=8 {
            pool.insert(attached(number, "issuer", half)).unwrap();
        }
        assert_eq!(pool.insert(attached(9, "issuer", half)), Err(PoolFull::Author));
        assert_eq!(pool.insert(attached(10, "other", half)), Ok(true));
        assert_eq!(pool.insert(record(11, "issuer")), Ok(true), "it still has its share of the pool");
        pool.remove(&[RecordId::from_bytes([3; 32])]);
        assert_eq!(pool.insert(attached(9, "issuer", half)), Ok(true));
    }
}
