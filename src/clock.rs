//! Deadlines that also apply while the device sleeps.
//!
//! tokio's clock, like Rust's, stops while the processor is suspended (CLOCK_MONOTONIC on Linux and
//! Android, `mach_absolute_time` on Apple systems). A timeout on it alone could last for hours,
//! with the cellular network held.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::poll_fn;
use tokio::time::{Instant, timeout_at};

use crate::limits;

/// A clock that includes the time asleep; clones are the same clock.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Clock {
    /// `now` returns the time since a fixed moment.
    pub fn new(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The system clock.
    #[must_use]
    pub fn system() -> Self {
        Self::new(system_now)
    }

    fn now(&self) -> Duration {
        (self.0)()
    }
}

/// The time since boot. Constant if the system has no such clock: then only tokio's clock applies.
#[cfg(unix)]
fn system_now() -> Duration {
    use nix::time::{ClockId, clock_gettime};
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CLOCK: ClockId = ClockId::CLOCK_BOOTTIME;
    /// On Apple systems it continues during sleep (clock_gettime(3)).
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC;
    clock_gettime(CLOCK).map(Duration::from).unwrap_or_default()
}

#[cfg(not(unix))]
fn system_now() -> Duration {
    Duration::ZERO
}

/// A deadline on both clocks: it passes when either reaches it.
#[derive(Clone)]
pub struct Deadline {
    at: Instant,
    clock: Clock,
    at_with_sleep: Duration,
}

impl Deadline {
    /// The deadline after this duration from now.
    #[must_use]
    pub fn after(limit: Duration, clock: &Clock) -> Self {
        Self { at: Instant::now() + limit, at_with_sleep: clock.now().saturating_add(limit), clock: clock.clone() }
    }

    /// The deadline on tokio's clock.
    #[must_use]
    pub fn at(&self) -> Instant {
        self.at
    }

    /// The outcome of the work; `None` if the deadline passes first. The deadline is checked at
    /// each poll, before the work continues.
    pub async fn limit<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        while !self.has_passed() {
            let step =
                poll_fn(
                    |context| {
                        if self.has_passed() { Poll::Ready(None) } else { work.as_mut().poll(context).map(Some) }
                    },
                );
            let tick = self.at.min(Instant::now() + limits::SLEEP_CHECK);
            if let Ok(done) = timeout_at(tick, step).await {
                return done;
            }
        }
        None
    }

    /// Whether the deadline has passed.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        Instant::now() >= self.at || self.clock.now() >= self.at_with_sleep
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use futures_util::future::pending;
    use tokio::time::sleep;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    /// A device that sleeps at the given moments, for an hour each.
    fn sleeper() -> (Clock, Arc<AtomicU64>) {
        let asleep = Arc::<AtomicU64>::default();
        let (began, hours) = (Instant::now(), asleep.clone());
        let now = move || began.elapsed() + Duration::from_secs(3600 * hours.load(Ordering::Relaxed));
        (Clock::new(now), asleep)
    }

    #[tokio::test(start_paused = true)]
    async fn without_sleep_deadline_is_exact() {
        let (clock, _) = sleeper();
        let began = Instant::now();
        Deadline::after(LIMIT, &clock).limit(pending::<()>()).await;
        assert_eq!(began.elapsed(), LIMIT);
        let deadline = Deadline::after(LIMIT, &clock);
        assert_eq!(deadline.limit(async { sleep(LIMIT / 2).await }).await, Some(()));
        assert_eq!(deadline.limit(async { sleep(LIMIT).await }).await, None);
        assert_eq!(deadline.limit(async {}).await, None, "it has passed");
    }

    #[tokio::test(start_paused = true)]
    async fn deadline_passed_during_sleep_ends_work_soon_after_wake() {
        let (clock, asleep) = sleeper();
        let began = Instant::now();
        let deadline = Deadline::after(LIMIT, &clock);
        tokio::spawn(async move {
            sleep(Duration::from_millis(1500)).await;
            asleep.fetch_add(1, Ordering::Relaxed);
        });
        deadline.limit(pending::<()>()).await;
        assert_eq!(began.elapsed(), Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_not_polled_after_deadline_passed_during_sleep() {
        let (clock, asleep) = sleeper();
        let deadline = Deadline::after(LIMIT, &clock);
        let work = async {
            sleep(Duration::from_millis(300)).await;
            asleep.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(1)).await;
            panic!("polled after the deadline");
        };
        assert_eq!(deadline.limit(work).await, None);
    }

    #[test]
    fn system_clock_is_monotonic() {
        let clock = Clock::system();
        let before = clock.now();
        assert!(before > Duration::ZERO);
        assert!(clock.now() >= before);
    }
}
