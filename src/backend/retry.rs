//! Decides whether an attempt to call the backend is retried, and after how long, without I/O,
//! clock or randomness, so that `tests/at_scale` can simulate a million phones with it.
//! `docs/scale.md` has the reasons.

use std::time::Duration;

use crate::limits;

/// How an attempt ended.
#[derive(Debug, Clone, Copy)]
pub enum Attempt {
    /// No response: nothing was sent, or the reused connection was closed, most likely before the
    /// request. If the server did process it, it recognises the retry by its `Idempotency-Key`.
    Unseen,
    /// No response. The server may have processed the request.
    Lost,
    Response {
        status: u16,
        retry_after: Option<Duration>,
    },
}

/// The retries of one call so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Retries {
    has_reconnected: bool,
    has_waited: bool,
}

impl Retries {
    /// How long to wait before the next attempt; absent if this was the last one. `random` is
    /// uniformly distributed.
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
                // Between one and two times the pause: phones that received the same `Retry-After`
                // do not retry at the same moment.
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
    fn wait_is_one_to_two_times_retry_after() {
        for status in [429, 503] {
            assert_eq!(first(busy(status, 1000), MINUTE, 0), Some(1000));
            assert_eq!(first(busy(status, 1000), MINUTE, 1 << 15), Some(1500));
            assert_eq!(first(busy(status, 1000), MINUTE, u16::MAX), Some(1999));
            assert_eq!(first(busy(status, 0), MINUTE, u16::MAX), Some(0));
        }
    }

    #[test]
    fn other_failures_are_not_retried() {
        let plain = |status| Attempt::Response { status, retry_after: None };
        for attempt in [busy(503, 2001), busy(503, u64::MAX), busy(500, 0), busy(200, 0), plain(503), Attempt::Lost] {
            assert_eq!(first(attempt, MINUTE, 0), None, "{attempt:?}");
        }
        let time_left = Duration::from_millis(1500);
        assert_eq!(first(busy(503, 1000), time_left, (1 << 15) - 100), Some(1498));
        assert_eq!(first(busy(503, 1000), time_left, 1 << 15), None);
    }

    #[test]
    fn each_reason_is_retried_once() {
        let mut retries = Retries::default();
        let mut next = |attempt| retries.wait_after(attempt, MINUTE, 0).is_some();
        assert_eq!([busy(503, 0), busy(429, 0)].map(&mut next), [true, false]);
        assert_eq!([Attempt::Unseen, Attempt::Unseen].map(&mut next), [true, false]);
        assert!(!next(busy(503, 0)));
    }
}
