//! Whether an attempt to call the backend is repeated, and after how long: a rule with no I/O, clock or randomness of its own, so that a
//! million phones can be simulated with it (`tests/at_scale`). `docs/scale.md` has the reasons.

use std::time::Duration;

use crate::limits;

/// How an attempt ended.
#[derive(Debug, Clone, Copy)]
pub enum Attempt {
    /// Without a response: nothing was sent, or the reused connection ended, most likely before the request. If the server did act on it, it
    /// recognises the repeat by its `Idempotency-Key`.
    Unseen,
    /// Without a response. The server may have acted on it.
    Lost,
    Response {
        status: u16,
        retry_after: Option<Duration>,
    },
}

/// What one call has repeated so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Retries {
    has_reconnected: bool,
    has_waited: bool,
}

impl Retries {
    /// How long to wait before the next attempt; absent if this was the last one. `random` is evenly distributed.
    pub fn wait_after(&mut self, attempt: Attempt, time_left: Duration, random: u16) -> Option<Duration> {
        match attempt {
            Attempt::Unseen if !self.has_reconnected => {
                self.has_reconnected = true;
                Some(Duration::ZERO)
            }
            Attempt::Response { status: 429 | 503, retry_after: Some(pause) }
                if !self.has_waited && pause <= limits::BACKEND_PAUSE =>
            {
                self.has_waited = true;
                // Once to twice the pause: phones that got the same end of it do not come back together.
                let wait = pause + pause * u32::from(random) / (1 << 16);
                (wait < time_left).then_some(wait)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn busy(status: u16, retry_after_ms: u64) -> Attempt {
        Attempt::Response { status, retry_after: Some(Duration::from_millis(retry_after_ms)) }
    }

    fn first(attempt: Attempt, time_left: Duration, random: u16) -> Option<u128> {
        Retries::default().wait_after(attempt, time_left, random).map(|wait| wait.as_millis())
    }

    #[test]
    fn a_pause_is_waited_for_once_to_twice() {
        for status in [429, 503] {
            assert_eq!(first(busy(status, 1000), MINUTE, 0), Some(1000));
            assert_eq!(first(busy(status, 1000), MINUTE, 1 << 15), Some(1500));
            assert_eq!(first(busy(status, 1000), MINUTE, u16::MAX), Some(1999));
            assert_eq!(first(busy(status, 0), MINUTE, u16::MAX), Some(0));
        }
    }

    #[test]
    fn other_failures_are_not_repeated() {
        let plain = |status| Attempt::Response { status, retry_after: None };
        for attempt in [busy(503, 2001), busy(503, u64::MAX), busy(500, 0), busy(200, 0), plain(503), Attempt::Lost] {
            assert_eq!(first(attempt, MINUTE, 0), None, "{attempt:?}");
        }
        let time_left = Duration::from_millis(1500);
        assert_eq!(first(busy(503, 1000), time_left, (1 << 15) - 100), Some(1498));
        assert_eq!(first(busy(503, 1000), time_left, 1 << 15), None);
    }

    #[test]
    fn each_reason_repeats_once() {
        let mut retries = Retries::default();
        let mut next = |attempt| retries.wait_after(attempt, MINUTE, 0).is_some();
        assert_eq!([busy(503, 0), busy(429, 0)].map(&mut next), [true, false]);
        assert_eq!([Attempt::Unseen, Attempt::Unseen].map(&mut next), [true, false]);
        assert!(!next(busy(503, 0)));
    }
}
