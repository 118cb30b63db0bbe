//! The store of one process. When it is full, stored responses are evicted; other values are
//! rejected instead, because evicting one could allow a second use of a session.

use std::time::{Duration, Instant};

use moka::Expiry;
use moka::ops::compute::Op;
use moka::sync::Cache;

use super::{RESPONSES, Unavailable};

const CAPACITY: u64 = 100_000;

#[derive(Clone)]
struct Entry<T> {
    value: T,
    until: Instant,
}

impl<T> Entry<T> {
    fn new(value: T, seconds: u64) -> Self {
        Self { value, until: Instant::now() + Duration::from_secs(seconds) }
    }
}

struct EntryExpiry;

impl<T> Expiry<String, Entry<T>> for EntryExpiry {
    fn expire_after_create(&self, _: &String, entry: &Entry<T>, now: Instant) -> Option<Duration> {
        Some(entry.until.saturating_duration_since(now))
    }

    fn expire_after_update(&self, _: &String, entry: &Entry<T>, now: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(entry.until.saturating_duration_since(now))
    }
}

pub struct Memory {
    values: Cache<String, Entry<String>>,
    responses: Cache<String, Entry<String>>,
    counters: Cache<String, Entry<u64>>,
}

impl Default for Memory {
    fn default() -> Self {
        let values = Cache::builder().expire_after(EntryExpiry).build();
        let responses = Cache::builder().expire_after(EntryExpiry).max_capacity(CAPACITY).build();
        // An evicted counter allows a client a few more calls; values are never evicted.
        let counters = Cache::builder().expire_after(EntryExpiry).max_capacity(CAPACITY).build();
        Self { values, responses, counters }
    }
}

impl Memory {
    pub fn claim(&self, name: &str, value: &str, seconds: u64) -> Result<Option<String>, Unavailable> {
        if !name.starts_with(RESPONSES) {
            self.check_capacity()?;
        }
        let entry = self.cache(name).entry_by_ref(name).or_insert_with(|| Entry::new(value.to_owned(), seconds));
        Ok(if entry.is_fresh() { None } else { Some(entry.into_value().value) })
    }

    pub fn get(&self, name: &str) -> Option<String> {
        self.cache(name).get(name).map(|entry| entry.value)
    }

    /// Only after `claim`, which checks the capacity.
    pub fn put(&self, name: &str, value: &str, seconds: u64) {
        self.cache(name).insert(name.to_owned(), Entry::new(value.to_owned(), seconds));
    }

    pub fn remove(&self, name: &str) {
        self.cache(name).invalidate(name);
    }

    pub fn count(&self, name: &str, seconds: u64) -> Result<(u64, u64), Unavailable> {
        let counted = self.counters.entry_by_ref(name).and_compute_with(|entry| {
            Op::Put(match entry.map(moka::Entry::into_value) {
                Some(entry) => Entry { value: entry.value + 1, ..entry },
                None => Entry::new(1, seconds),
            })
        });
        let entry = counted.into_entry().ok_or(Unavailable("counter"))?.into_value();
        let left = entry.until.saturating_duration_since(Instant::now());
        Ok((entry.value, left.as_secs() + 1))
    }

    fn cache(&self, name: &str) -> &Cache<String, Entry<String>> {
        if name.starts_with(RESPONSES) { &self.responses } else { &self.values }
    }

    fn check_capacity(&self) -> Result<(), Unavailable> {
        if self.values.entry_count() < CAPACITY {
            return Ok(());
        }
        self.values.run_pending_tasks();
        if self.values.entry_count() < CAPACITY { Ok(()) } else { Err(Unavailable("full")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_claim_returns_the_existing_value() {
        let memory = Memory::default();
        assert_eq!(memory.claim("name", "one", 60).unwrap(), None);
        assert_eq!(memory.claim("name", "two", 60).unwrap(), Some("one".to_owned()));
        memory.put("name", "three", 60);
        assert_eq!(memory.claim("name", "four", 60).unwrap(), Some("three".to_owned()));
        memory.remove("name");
        assert_eq!(memory.claim("name", "five", 60).unwrap(), None);
    }

    #[test]
    fn exactly_one_concurrent_claim_wins() {
        let memory = Memory::default();
        let claim = |thread: usize| memory.claim("name", &thread.to_string(), 60).unwrap().is_none();
        let claims: Vec<bool> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|thread| scope.spawn(move || claim(thread))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(claims.iter().filter(|it| **it).count(), 1);
    }

    #[test]
    fn expired_value_can_be_claimed_again() {
        let memory = Memory::default();
        assert_eq!(memory.claim("name", "one", 0).unwrap(), None);
        assert_eq!(memory.claim("name", "two", 60).unwrap(), None);
    }

    #[test]
    fn window_starts_with_its_first_count() {
        let (memory, began) = (Memory::default(), Instant::now());
        let counts: Vec<_> = (0..3).map(|_| memory.count("name", 600).unwrap().0).collect();
        assert_eq!(counts, [1, 2, 3]);
        let left_s = memory.count("name", 600).unwrap().1;
        assert!((599 - began.elapsed().as_secs()..=601).contains(&left_s), "{left_s}");
        assert_eq!(memory.count("other", 600).unwrap().0, 1);
    }

    #[test]
    fn full_store_rejects_claims() {
        let memory = Memory::default();
        for number in 0..CAPACITY {
            memory.claim(&number.to_string(), "", 3600).unwrap();
        }
        memory.values.run_pending_tasks();
        assert!(memory.claim("one more", "", 60).is_err());
        assert_eq!(memory.claim("1", "", 60).map_err(|_| ()), Err(()), "an existing name too: the store fails closed");
        assert!(memory.claim("answer:one", "", 60).is_ok(), "responses are evicted instead");
    }
}
