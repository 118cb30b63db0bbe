//! Runs blocking work outside of the I/O thread: DNS lookups, trust callbacks, progress listeners.
//!
//! This work cannot be cancelled, and any of it may never return. Each kind of work therefore has a
//! separate budget; abandoned work does not use the budget, but its thread is part of the total
//! limit until it returns. One thread is reserved per kind, so that no kind blocks another, however
//! many of its threads hang. The two families of a lookup are separate kinds, because a DNS server
//! that drops the queries of one must not delay the other; so are the trust checks of the two legs.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use crate::limits;

/// The kinds of work. Only a phone's lookups over the cellular network block, and only the built-in
/// backend client verifies.
#[cfg_attr(not(all(any(target_os = "android", target_vendor = "apple"), feature = "http-backend")), allow(dead_code))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A records over the cellular network.
    CellularV4,
    /// AAAA records over the cellular network.
    CellularV6,
    /// DNS on the default network.
    DefaultNames,
    /// Certificate verification on the cellular network.
    CellularTrust,
    /// Certificate verification for the backend.
    BackendTrust,
    /// Progress events for the app.
    Progress,
}

const KINDS: usize = 6;

/// The threads of one verifier; clones share them.
#[derive(Clone)]
pub struct Threads(Arc<Inner>);

struct Inner {
    /// The total limit minus the reserved threads.
    shared: Arc<Semaphore>,
    cellular_v4: Kind,
    cellular_v6: Kind,
    default_names: Kind,
    cellular_trust: Kind,
    backend_trust: Kind,
    progress: Kind,
}

struct Kind {
    budget: Arc<Semaphore>,
    reserved: Arc<Semaphore>,
}

/// The work returned no value: it panicked, or the verifier was dropped.
#[derive(Debug)]
pub struct Lost;

/// The permission for one thread. Dropped with the thread's work, however late it returns.
pub struct Thread(#[allow(dead_code)] OwnedSemaphorePermit);

/// A part of a budget. Dropped with the wait.
pub struct Share(#[allow(dead_code)] OwnedSemaphorePermit);

impl Threads {
    /// Starts no thread.
    #[must_use]
    pub fn new() -> Self {
        let shared = Arc::new(Semaphore::new(limits::THREADS - KINDS * limits::RESERVED_THREADS));
        Self(Arc::new(Inner {
            shared,
            cellular_v4: Kind::new(),
            cellular_v6: Kind::new(),
            default_names: Kind::new(),
            cellular_trust: Kind::new(),
            backend_trust: Kind::new(),
            progress: Kind::new(),
        }))
    }

    /// Runs the work on a thread, as soon as one is available for its kind. Dropping the future
    /// abandons the work.
    pub async fn run<T: Send + 'static>(
        &self,
        work: Work,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Lost> {
        let (_share, thread) = self.admit(work).await?;
        let result = Arc::new(Mutex::new(None));
        let slot = result.clone();
        // Boxed: tokio's code for a job is generated once per type.
        let job: Box<dyn FnOnce() + Send> = Box::new(move || {
            let _thread = thread;
            let result = job();
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        });
        spawn_blocking(job).await.map_err(|_| Lost)?;
        result.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or(Lost)
    }

    /// Waits for a share of the budget and for a thread.
    pub async fn admit(&self, work: Work) -> Result<(Share, Thread), Lost> {
        let kind = self.kind(work);
        let share = kind.budget.clone().acquire_owned().await.map_err(|_| Lost)?;
        let thread = tokio::select! {
            biased;
            reserved = kind.reserved.clone().acquire_owned() => reserved,
            shared = self.0.shared.clone().acquire_owned() => shared,
        };
        Ok((Share(share), Thread(thread.map_err(|_| Lost)?)))
    }

    fn kind(&self, work: Work) -> &Kind {
        match work {
            Work::CellularV4 => &self.0.cellular_v4,
            Work::CellularV6 => &self.0.cellular_v6,
            Work::DefaultNames => &self.0.default_names,
            Work::CellularTrust => &self.0.cellular_trust,
            Work::BackendTrust => &self.0.backend_trust,
            Work::Progress => &self.0.progress,
        }
    }
}

impl Default for Threads {
    fn default() -> Self {
        Self::new()
    }
}

impl Kind {
    fn new() -> Self {
        Self {
            budget: Arc::new(Semaphore::new(limits::THREADS_OF_A_KIND)),
            reserved: Arc::new(Semaphore::new(limits::RESERVED_THREADS)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt;
    use tokio::task::unconstrained;

    use super::*;

    const ALL: [Work; KINDS] = [
        Work::CellularV4,
        Work::CellularV6,
        Work::DefaultNames,
        Work::CellularTrust,
        Work::BackendTrust,
        Work::Progress,
    ];

    /// What is admitted immediately. (A task of tokio would have to yield occasionally.)
    fn admitted(threads: &Threads, work: Work) -> Option<(Share, Thread)> {
        unconstrained(threads.admit(work)).now_or_never().map(Result::unwrap)
    }

    #[tokio::test]
    async fn kind_is_limited_to_its_budget() {
        for work in ALL {
            let threads = Threads::new();
            let running: Vec<_> = std::iter::from_fn(|| admitted(&threads, work)).collect();
            assert_eq!(running.len(), limits::THREADS_OF_A_KIND, "{work:?}");
        }
    }

    #[tokio::test]
    async fn abandoned_work_frees_its_budget_and_blocks_no_other_kind() {
        for hanging in ALL {
            let threads = Threads::new();
            let mut lost: Vec<Thread> =
                std::iter::from_fn(|| admitted(&threads, hanging).map(|(_, thread)| thread)).collect();
            assert_eq!(lost.len(), limits::THREADS - (KINDS - 1) * limits::RESERVED_THREADS, "{hanging:?}");
            for other in ALL.into_iter().filter(|other| *other != hanging) {
                assert!(admitted(&threads, other).is_some(), "{other:?} while {hanging:?} hangs");
            }
            lost.pop();
            assert!(admitted(&threads, hanging).is_some(), "{hanging:?} after one returned");
        }
    }

    #[tokio::test]
    async fn total_of_all_kinds_is_limited() {
        let threads = Threads::new();
        let lost = ALL.into_iter().cycle().take(100).filter_map(|work| admitted(&threads, work));
        assert_eq!(lost.map(|(_, thread)| thread).collect::<Vec<_>>().len(), limits::THREADS);
    }

    #[tokio::test]
    async fn thread_that_returns_late_is_reused() {
        let threads = Threads::new();
        let (release, released) = mpsc::channel::<()>();
        let late = threads.run(Work::CellularTrust, move || released.recv());
        let mut late = std::pin::pin!(late);
        assert!(late.as_mut().now_or_never().is_none());
        release.send(()).unwrap();
        assert!(late.await.unwrap().is_ok());
        assert!(threads.run(Work::CellularTrust, || panic!("a callback that panics")).await.is_err());
        let all = (0..20).map(|_| threads.run(Work::CellularTrust, || ()));
        assert!(futures_util::future::join_all(all).await.iter().all(Result::is_ok));
    }
}
