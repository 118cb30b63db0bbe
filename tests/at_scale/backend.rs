//! A backend that is down for a minute, in several ways.

use std::ops::Range;
use std::time::Duration;

use number_verify::internals::Attempt;

use crate::simulation::Millis;

/// The outage: long enough after the first phone that the load is steady.
pub const DOWN: Range<Millis> = 10 * 60_000..11 * 60_000;
/// Of a response, and of a refused connection.
const ROUND_TRIP: Millis = 100;

#[derive(Debug, Clone, Copy)]
pub enum Outage {
    /// Nothing listens: connections are refused.
    Refused,
    /// Connections are accepted, but no response is sent.
    Hanging,
    /// A proxy responds with 503 and this `Retry-After`, in seconds.
    Busy(u64),
    /// A rate limit shared by all phones: 429, and a `Retry-After` that counts down to the end of
    /// its window, which is the same for all.
    Limited,
}

impl Outage {
    /// The outcome of an attempt at this time, and how long it takes.
    pub fn attempt(self, at: Millis, timeout: Millis) -> (Attempt, Millis) {
        let response = |status, retry_after_s: Option<u64>| {
            (Attempt::Response { status, retry_after: retry_after_s.map(Duration::from_secs) }, ROUND_TRIP)
        };
        if !DOWN.contains(&at) {
            return response(200, None);
        }
        match self {
            Self::Refused => (Attempt::Unseen, ROUND_TRIP),
            Self::Hanging => (Attempt::Lost, timeout),
            Self::Busy(seconds) => response(503, Some(seconds)),
            Self::Limited => response(429, Some((DOWN.end - at).div_ceil(1000).into())),
        }
    }
}
