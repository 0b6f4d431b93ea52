//! A bounded memory of what was found out before: two generations; when the newer is full, the older is forgotten.
//!
//! What is remembered must follow from its key alone, so that it changes how long an answer takes and never what it is.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A bounded map of two generations. What is asked for moves to the newer.
#[derive(Debug)]
pub struct Generations<K, V> {
    maps: Mutex<Maps<K, V>>,
    /// The weight of a generation.
    most: usize,
}

#[derive(Debug)]
struct Maps<K, V> {
    newer: BTreeMap<K, (V, usize)>,
    older: BTreeMap<K, (V, usize)>,
    weight: usize,
}

impl<K: Ord, V: Clone> Generations<K, V> {
    /// One whose entries weigh at most this much together.
    pub const fn new(most: usize) -> Self {
        Self { maps: Mutex::new(Maps { newer: BTreeMap::new(), older: BTreeMap::new(), weight: 0 }), most: most / 2 }
    }

    /// What is remembered under a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let mut maps = lock(&self.maps);
        if let Some((found, _)) = maps.newer.get(key) {
            return Some(found.clone());
        }
        let (key, (found, weight)) = maps.older.remove_entry(key)?;
        maps.put(key, found.clone(), weight, self.most);
        Some(found)
    }

    /// Remembers, unless it is too heavy for a generation.
    pub fn put(&self, key: K, value: V, weight: usize) {
        if weight <= self.most {
            lock(&self.maps).put(key, value, weight, self.most);
        }
    }
}

impl<K: Ord, V> Maps<K, V> {
    fn put(&mut self, key: K, value: V, weight: usize, most: usize) {
        if let Some((_, replaced)) = self.newer.remove(&key) {
            self.weight -= replaced;
        }
        if self.weight + weight > most {
            self.older = core::mem::take(&mut self.newer);
            self.weight = 0;
        }
        self.weight += weight;
        self.newer.insert(key, (value, weight));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many entries the newer and the older generation hold, and what the newer weighs.
    fn sizes(memory: &Generations<u32, u32>) -> (usize, usize, usize) {
        let maps = lock(&memory.maps);
        let weight = maps.newer.values().map(|(_, weight)| weight).sum();
        assert_eq!(maps.weight, weight);
        (maps.newer.len(), maps.older.len(), weight)
    }

    #[test]
    fn it_keeps_what_is_asked_for_and_never_more_than_it_may() {
        let memory = Generations::new(20);
        for key in 0..100 {
            memory.put(key, key, 1);
            assert_eq!(memory.get(&0), Some(0), "it was asked for all the time");
            let maps = lock(&memory.maps);
            let weight: usize = maps.newer.values().chain(maps.older.values()).map(|(_, weight)| weight).sum();
            assert!(weight <= 20 && maps.weight <= 10, "{weight}");
        }
        assert_eq!(memory.get(&50), None);
        memory.put(200, 200, 11);
        assert_eq!(memory.get(&200), None, "heavier than a generation");
        memory.put(0, 7, 1);
        assert_eq!(memory.get(&0), Some(7));
    }

    #[test]
    fn a_generation_is_filled_to_the_brim_and_then_the_older_is_forgotten() {
        let memory = Generations::new(20);
        for key in 0..10 {
            memory.put(key, key, 1);
            assert_eq!(sizes(&memory), (key as usize + 1, 0, key as usize + 1));
        }
        memory.put(10, 10, 1);
        assert_eq!(sizes(&memory), (1, 10, 1));
        assert_eq!(memory.get(&3), Some(3));
        assert_eq!(sizes(&memory), (2, 9, 2), "what is asked for moves to the newer");
        memory.put(11, 11, 8);
        assert_eq!(sizes(&memory), (3, 9, 10));
        memory.put(12, 12, 10);
        assert_eq!(sizes(&memory), (1, 3, 10), "as heavy as a generation");
        assert_eq!(memory.get(&4), None);
        assert_eq!(memory.get(&3), Some(3));
    }

    #[test]
    fn what_is_put_again_replaces_what_was() {
        let memory = Generations::new(20);
        memory.put(0, 0, 4);
        for value in 0..100 {
            memory.put(1, value, 6);
            assert_eq!(memory.get(&1), Some(value));
        }
        assert_eq!(sizes(&memory), (2, 0, 10), "nothing was forgotten for it");
        memory.put(1, 100, 2);
        assert_eq!(sizes(&memory), (2, 0, 6));
        memory.put(2, 2, 9);
        assert_eq!(sizes(&memory), (1, 2, 9));
        memory.put(1, 101, 1);
        assert_eq!(memory.get(&1), Some(101), "the older generation's value is not its value any more");
    }
}
