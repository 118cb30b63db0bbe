//! The backend's load per second, and the values that it is compared with.

use std::ops::Range;

use crate::backend::DOWN;
use crate::simulation::{ARRIVALS, Millis};

const DOWN_S: Range<usize> = seconds(DOWN.start)..seconds(DOWN.end);
/// Before the outage, when as many verifications end as begin.
const STEADY_S: Range<usize> = 60..DOWN_S.start;
/// Until the last phones arrive.
const AFTER_S: Range<usize> = DOWN_S.end..seconds(ARRIVALS);
/// The load is back to normal if its mean over this time is: single seconds vary by a tenth by
/// chance.
const WINDOW_S: usize = 10;
const TOLERANCE: f64 = 0.1;

#[derive(Debug, Clone, Default)]
pub struct Load {
    /// Requests that reach the backend or its proxy.
    requests: Vec<u32>,
    /// Refused connections.
    refused: Vec<u32>,
}

impl Load {
    pub fn count(&mut self, at: Millis, is_refused: bool) {
        let counts = if is_refused { &mut self.refused } else { &mut self.requests };
        let second = seconds(at);
        if counts.len() <= second {
            counts.resize(second + 1, 0);
        }
        counts[second] += 1;
    }

    /// Mean requests per second.
    pub fn steady(&self) -> f64 {
        mean(&self.requests[STEADY_S])
    }

    /// The maximum of one second, during the outage or after it, as a multiple of the steady load.
    pub fn peak(&self) -> f64 {
        self.multiple(&self.requests, DOWN_S.start..AFTER_S.end)
    }

    /// The same for refused connections.
    pub fn peak_refused(&self) -> f64 {
        self.multiple(&self.refused, DOWN_S)
    }

    /// Seconds from the end of the outage until the load stays normal.
    pub fn drained_after_s(&self) -> usize {
        let steady = self.steady();
        let is_unusual = |window: &[u32]| (mean(window) / steady - 1.0).abs() > TOLERANCE;
        let last = self.requests[AFTER_S].windows(WINDOW_S).rposition(is_unusual);
        last.map_or(0, |last| last + 1)
    }

    /// From a minute before the outage to three minutes after it, in seconds since its beginning:
    /// requests, refused connections.
    pub fn around_the_outage(&self) -> impl Iterator<Item = (i32, u32, u32)> {
        let of = |counts: &[u32], second: usize| counts.get(second).copied().unwrap_or(0);
        (-60..)
            .zip(DOWN_S.start - 60..DOWN_S.end + 180)
            .map(move |(relative, second)| (relative, of(&self.requests, second), of(&self.refused, second)))
    }

    fn multiple(&self, counts: &[u32], range: Range<usize>) -> f64 {
        let maximum = counts.iter().take(range.end).skip(range.start).max();
        f64::from(maximum.copied().unwrap_or(0)) / self.steady()
    }
}

fn mean(counts: &[u32]) -> f64 {
    let sum: f64 = counts.iter().copied().map(f64::from).sum();
    sum / f64::from(u32::try_from(counts.len()).expect("few"))
}

const fn seconds(time: Millis) -> usize {
    (time / 1000) as usize
}
