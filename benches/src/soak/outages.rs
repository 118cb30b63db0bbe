//! The outages of each part. A call that met no outage must succeed; the allowed outcomes of others
//! depend on the part.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// For connections that broke with a part, and for replicas that reconnect.
const GRACE: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    Replica(usize),
    Redis,
    Provider,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum How {
    Terminated,
    Killed,
}

/// The outages during a call.
#[derive(Debug, Default, Clone, Copy)]
pub struct Met {
    /// Of its replica.
    pub replica: Option<How>,
    pub redis: bool,
    pub provider: bool,
}

impl Met {
    pub fn and(self, other: Self) -> Self {
        Self {
            replica: self.replica.max(other.replica),
            redis: self.redis || other.redis,
            provider: self.provider || other.provider,
        }
    }

    /// Whether a session may be used up without a result, or without its result being stored: a
    /// call runs at most once.
    pub fn may_lose(self) -> bool {
        self.is_killed() || self.redis
    }

    pub fn is_killed(self) -> bool {
        self.replica == Some(How::Killed)
    }
}

struct Outage {
    part: Part,
    how: How,
    until: Option<Instant>,
}

#[derive(Default)]
pub struct Outages(Mutex<Vec<Outage>>);

impl Outages {
    pub fn begin(&self, part: Part, how: How) {
        self.lock().push(Outage { part, how, until: None });
    }

    pub fn end(&self, part: Part) {
        let now = Instant::now();
        for outage in self.lock().iter_mut().filter(|outage| outage.part == part) {
            outage.until.get_or_insert(now);
        }
    }

    pub fn total(&self) -> usize {
        self.lock().len()
    }

    pub fn count(&self, part: Part, how: How) -> usize {
        self.lock().iter().filter(|outage| outage.part == part && outage.how == how).count()
    }

    /// Between this time and now, for a call to this replica.
    pub fn met(&self, replica: usize, since: Instant) -> Met {
        let mut met = Met::default();
        let all = self.lock();
        let is_later = |outage: &&Outage| outage.until.is_none_or(|until| until + GRACE > since);
        for outage in all.iter().filter(is_later) {
            match outage.part {
                Part::Replica(which) if which == replica => met.replica = met.replica.max(Some(outage.how)),
                Part::Replica(_) => {}
                Part::Redis => met.redis = true,
                Part::Provider => met.provider = true,
            }
        }
        met
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Outage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
