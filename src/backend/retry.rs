//! Whether an attempt to call the backend is repeated, and after how long: a rule with no I/O, clock or randomness of its own, so that a
//! million phones can be simulated with it (`tests/at_scale`).

use std::time::Duration;

use crate::limits;

/// How an attempt ended.
#[derive(Debug, Clone, Copy)]
pub enum Attempt {
    /// Without a response, and the server cannot have acted on it: nothing was sent, or the reused connection was closed already.
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
    /// How long to wait before the next attempt; absent if this was the last one. `random` is any number, evenly distributed.
    pub fn wait_after(&mut self, attempt: Attempt, time_left: Duration, random: u64) -> Option<Duration> {
        match attempt {
            Attempt::Unseen if !self.has_reconnected => {
                self.has_reconnected = true;
                Some(Duration::ZERO)
            }
            Attempt::Response { status: 429 | 503, retry_after: Some(wait) } if !self.has_waited => {
                self.has_waited = true;
                let jitter = Duration::from_millis(random % limits::RETRY_JITTER_MS);
                Some(wait.saturating_add(jitter)).filter(|wait| *wait < time_left)
            }
            _ => None,
        }
    }
}
