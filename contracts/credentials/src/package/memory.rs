//! What lately read packages had in common.
//!
//! The diplomas of one graduation come with the same evidence and the same lists, byte for byte, and reading those costs more
//! than everything else about a package. What they read as depends on the bytes alone, so remembering changes how long an
//! answer takes and never what it is. Nothing of a credential is remembered.
//!
//! - INV-PACKAGE-1: something is found again only if all of its bytes are equal.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::limits::PACKAGE_MEMORY_BYTES_MAX;

/// Two generations: when the newer is full, the older is forgotten. What is asked for moves to the newer.
pub(super) struct Memory<T>(Mutex<Generations<T>>);

struct Generations<T> {
    newer: BTreeMap<Arc<[u8]>, T>,
    older: BTreeMap<Arc<[u8]>, T>,
    /// Bytes of the newer generation's keys.
    bytes: usize,
}

impl<T: Clone> Memory<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Generations { newer: BTreeMap::new(), older: BTreeMap::new(), bytes: 0 }))
    }

    /// What these bytes read as, remembered unless it is an error.
    pub(super) fn read<E>(&self, bytes: &[u8], read: impl FnOnce(&[u8]) -> Result<T, E>) -> Result<T, E> {
        if let Some(found) = self.get(bytes) {
            return Ok(found);
        }
        // Not under the lock: others read on meanwhile, and what two find out is the same.
        let found = read(bytes)?;
        self.lock().put(bytes.into(), found.clone());
        Ok(found)
    }

    fn get(&self, bytes: &[u8]) -> Option<T> {
        let mut all = self.lock();
        if let Some(found) = all.newer.get(bytes) {
            return Some(found.clone());
        }
        let (key, found) = all.older.remove_entry(bytes)?;
        all.put(key, found.clone());
        Some(found)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Generations<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Generations<T> {
    fn put(&mut self, key: Arc<[u8]>, value: T) {
        if self.bytes + key.len() > PACKAGE_MEMORY_BYTES_MAX / 2 {
            self.older = core::mem::take(&mut self.newer);
            self.bytes = 0;
        }
        // What is larger than a generation is read anew each time.
        if key.len() <= PACKAGE_MEMORY_BYTES_MAX / 2 {
            self.bytes += key.len();
            self.newer.insert(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// INV-PACKAGE-1.
    #[test]
    fn equal_bytes_are_read_once_and_others_never_taken_for_them() {
        let memory = Memory::new();
        let read = |bytes: &'static [u8], value: u8| memory.read(bytes, |_| Ok::<_, ()>(value)).unwrap();
        assert_eq!((read(b"one", 1), read(b"one", 2)), (1, 1));
        assert_eq!((read(b"one ", 3), read(b"on", 4)), (3, 4));
        assert_eq!(memory.read(b"bad", |_| Err::<u8, _>("bad")), Err("bad"), "an error is not remembered");
        assert_eq!(read(b"bad", 5), 5);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let memory = Memory::new();
        let large = |byte: u8| vec![byte; PACKAGE_MEMORY_BYTES_MAX / 8];
        for byte in 0..100 {
            memory.read(&large(byte), |_| Ok::<_, ()>(byte)).unwrap();
            let all = memory.lock();
            let held: usize = all.newer.keys().chain(all.older.keys()).map(|key| key.len()).sum();
            assert!(held <= PACKAGE_MEMORY_BYTES_MAX, "{held}");
        }
        assert_eq!(memory.get(&large(99)), Some(99));
        assert_eq!(memory.get(&large(3)), None);
        let huge = vec![0; PACKAGE_MEMORY_BYTES_MAX];
        assert_eq!(memory.read(&huge, |_| Ok::<_, ()>(1)), Ok(1));
        assert_eq!(memory.get(&huge), None);
    }
}
