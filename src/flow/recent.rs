//! What was learnt lately: a map that forgets. Two generations: whatever was put in since the last turn, and what was put in
//! before; a turn drops the older one. A hash map behind a lock costs a fraction of what a cache with an eviction
//! policy does, and forgets the oldest first when it is full, where such a cache may refuse the newest.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const SHARDS: usize = 16;

/// Keeps each value for at least `lifetime` and at most twice that, unless more than `max` come within it.
pub struct Recent<K, V> {
    shards: [Mutex<Generations<K, V>>; SHARDS],
    hasher: RandomState,
    lifetime: Duration,
    shard_max: usize,
}

struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    turned: Instant,
}

impl<K: Hash + Eq, V: Clone> Recent<K, V> {
    pub fn new(lifetime: Duration, max: usize) -> Self {
        let shard = |_| Mutex::new(Generations { young: HashMap::new(), old: HashMap::new(), turned: Instant::now() });
        Self { shards: std::array::from_fn(shard), hasher: RandomState::new(), lifetime, shard_max: max.div_ceil(SHARDS) }
    }

    pub fn get(&self, key: &K) -> Option<V> {
        let mut shard = self.shard(key);
        shard.turn_if_due(self.lifetime);
        shard.young.get(key).or_else(|| shard.old.get(key)).cloned()
    }

    /// Puts in what `decide` makes of the value that is there; nothing leaves it as it is.
    pub fn update(&self, key: K, decide: impl FnOnce(Option<&V>) -> Option<V>) {
        let mut shard = self.shard(&key);
        shard.turn_if_due(self.lifetime);
        let Some(value) = decide(shard.young.get(&key).or_else(|| shard.old.get(&key))) else { return };
        if shard.young.len() >= self.shard_max {
            shard.turn();
        }
        shard.young.insert(key, value);
    }

    pub fn insert(&self, key: K, value: V) {
        self.update(key, |_| Some(value));
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, Generations<K, V>> {
        let at = self.hasher.hash_one(key) as usize % SHARDS;
        self.shards[at].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq, V> Generations<K, V> {
    fn turn_if_due(&mut self, lifetime: Duration) {
        if self.turned.elapsed() > lifetime {
            // Whoever comes after two lifetimes finds nothing of before.
            if self.turned.elapsed() > 2 * lifetime {
                self.young.clear();
            }
            self.turn();
        }
    }

    fn turn(&mut self) {
        self.old = std::mem::take(&mut self.young);
        self.turned = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_last_is_remembered_however_much_comes() {
        let recent = Recent::new(Duration::from_secs(3_600), 1_000);
        for key in 0..100_000_u64 {
            recent.insert(key, key * 2);
            assert_eq!(recent.get(&key), Some(key * 2));
        }
        let kept = (0..100_000).filter(|key| recent.get(key).is_some()).count();
        assert!((500..=2_100).contains(&kept), "{kept} of a thousand or two");
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let recent = Recent::new(Duration::ZERO, 1_000);
        recent.insert(1_u64, "one");
        let begun = Instant::now();
        while recent.get(&1).is_some() {
            assert!(begun.elapsed() < Duration::from_secs(5), "remembered for ever");
        }
    }

    #[test]
    fn an_update_sees_what_is_there() {
        let recent = Recent::new(Duration::from_secs(3_600), 1_000);
        recent.insert(7_u64, 3_u64);
        recent.update(7, |there| there.is_none_or(|&there| there < 2).then_some(2));
        assert_eq!(recent.get(&7), Some(3));
        recent.update(7, |there| there.map(|there| there + 1));
        assert_eq!(recent.get(&7), Some(4));
    }
}
