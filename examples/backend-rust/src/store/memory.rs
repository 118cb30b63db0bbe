//! The store of one process. When it is full, kept answers go, which lets nobody in; of other values that still count no more are taken, since
//! dropping one could let a session be used twice.

use std::time::{Duration, Instant};

use moka::Expiry;
use moka::ops::compute::Op;
use moka::sync::Cache;

use super::{ANSWERS, Unavailable};

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

struct Ends;

impl<T> Expiry<String, Entry<T>> for Ends {
    fn expire_after_create(&self, _: &String, entry: &Entry<T>, now: Instant) -> Option<Duration> {
        Some(entry.until.saturating_duration_since(now))
    }

    fn expire_after_update(&self, _: &String, entry: &Entry<T>, now: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(entry.until.saturating_duration_since(now))
    }
}

pub struct Memory {
    values: Cache<String, Entry<String>>,
    answers: Cache<String, Entry<String>>,
    counters: Cache<String, Entry<u64>>,
}

impl Default for Memory {
    fn default() -> Self {
        let values = Cache::builder().expire_after(Ends).build();
        let answers = Cache::builder().expire_after(Ends).max_capacity(CAPACITY).build();
        // A counter that is dropped gives somebody a few more calls; values are never dropped.
        let counters = Cache::builder().expire_after(Ends).max_capacity(CAPACITY).build();
        Self { values, answers, counters }
    }
}

impl Memory {
    pub fn claim(&self, name: &str, value: &str, seconds: u64) -> Result<Option<String>, Unavailable> {
        if !name.starts_with(ANSWERS) {
            self.make_room()?;
        }
        let entry = self.pool(name).entry_by_ref(name).or_insert_with(|| Entry::new(value.to_owned(), seconds));
        Ok(if entry.is_fresh() { None } else { Some(entry.into_value().value) })
    }

    pub fn look(&self, name: &str) -> Option<String> {
        self.pool(name).get(name).map(|entry| entry.value)
    }

    /// Only over a claim, which has made room.
    pub fn put(&self, name: &str, value: &str, seconds: u64) {
        self.pool(name).insert(name.to_owned(), Entry::new(value.to_owned(), seconds));
    }

    pub fn remove(&self, name: &str) {
        self.pool(name).invalidate(name);
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

    fn pool(&self, name: &str) -> &Cache<String, Entry<String>> {
        if name.starts_with(ANSWERS) { &self.answers } else { &self.values }
    }

    fn make_room(&self) -> Result<(), Unavailable> {
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
    fn a_name_is_claimed_once() {
        let memory = Memory::default();
        assert_eq!(memory.claim("name", "one", 60).unwrap(), None);
        assert_eq!(memory.claim("name", "two", 60).unwrap(), Some("one".to_owned()));
        memory.put("name", "three", 60);
        assert_eq!(memory.claim("name", "four", 60).unwrap(), Some("three".to_owned()));
        memory.remove("name");
        assert_eq!(memory.claim("name", "five", 60).unwrap(), None);
    }

    #[test]
    fn of_many_at_once_one_gets_it() {
        let memory = Memory::default();
        let claim = |thread: usize| memory.claim("name", &thread.to_string(), 60).unwrap().is_none();
        let claims: Vec<bool> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|thread| scope.spawn(move || claim(thread))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(claims.iter().filter(|it| **it).count(), 1);
    }

    #[test]
    fn values_end() {
        let memory = Memory::default();
        assert_eq!(memory.claim("name", "one", 0).unwrap(), None);
        assert_eq!(memory.claim("name", "two", 60).unwrap(), None);
    }

    #[test]
    fn a_window_begins_with_its_first_count() {
        let (memory, began) = (Memory::default(), Instant::now());
        let counts: Vec<_> = (0..3).map(|_| memory.count("name", 600).unwrap().0).collect();
        assert_eq!(counts, [1, 2, 3]);
        let left_s = memory.count("name", 600).unwrap().1;
        assert!((599 - began.elapsed().as_secs()..=601).contains(&left_s), "{left_s}");
        assert_eq!(memory.count("other", 600).unwrap().0, 1);
    }

    #[test]
    fn a_full_store_takes_no_more() {
        let memory = Memory::default();
        for number in 0..CAPACITY {
            memory.claim(&number.to_string(), "", 3600).unwrap();
        }
        memory.values.run_pending_tasks();
        assert!(memory.claim("one more", "", 60).is_err());
        assert_eq!(
            memory.claim("1", "", 60).map_err(|_| ()),
            Err(()),
            "also one that is known: nothing is let through"
        );
        assert!(memory.claim("answer:one", "", 60).is_ok(), "who is let in is not at stake there");
    }
}
