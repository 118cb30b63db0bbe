//! The random plan: batches of concurrent verifications, and the events that disturb them.
//! Identical for the same seed.

use number_verify::CellularCause;
use tokio::time::Duration;

use crate::faults::{FAULTS, Fault};
use crate::random::Random;

/// Maximum number of concurrent verifications.
const AT_ONCE: u32 = 16;
/// Verifications with a fault, in percent.
const FAULTY: u32 = 10;
/// Cancelled verifications, in percent.
const CANCELLED: u32 = 5;
/// Batches that are cancelled entirely within a second, in percent: some before the network is
/// acquired.
const ABANDONED: u32 = 5;

pub struct Batch {
    pub verifications: Vec<(Duration, Planned)>,
    pub events: Vec<(Duration, Event)>,
    pub then: Then,
}

/// One verification.
#[derive(Debug, Clone, Copy)]
pub struct Planned {
    pub id: usize,
    /// Index into [`FAULTS`].
    pub fault: Option<usize>,
    /// The hop that a fault affects.
    pub hop: u8,
    pub cancelled_after: Option<Duration>,
}

#[derive(Debug, Clone, Copy)]
pub enum Event {
    Prepare,
    /// Without waiting for the network.
    PrepareAndGo,
    Lost(CellularCause),
    /// The interface is down for this long, without a report.
    Down(Duration),
    /// The process is suspended for this long.
    Suspended {
        seconds: u64,
    },
    ForgetHosts,
    /// The next network is a different one, or an earlier one again.
    Moves(u8),
}

/// What follows a batch.
#[derive(Debug, Clone, Copy)]
pub enum Then {
    Wait(Duration),
    /// Everything that was begun ends.
    Settle(Duration),
}

impl Then {
    pub fn lasts(self) -> Duration {
        let (Self::Wait(duration) | Self::Settle(duration)) = self;
        duration
    }
}

impl Batch {
    /// With at most `most` verifications, the first of which has this id.
    pub fn draw(random: &mut Random, most: usize, first_id: usize) -> Self {
        let count = (1 + random.below(AT_ONCE) as usize).min(most);
        let mut verifications: Vec<_> =
            (first_id..first_id + count).map(|id| (moment(random, 60), planned(random, id))).collect();
        if random.below(100) < ABANDONED {
            for (begins, planned) in &mut verifications {
                *begins = Duration::ZERO;
                planned.cancelled_after = Some(moment(random, 20));
            }
        }
        let events = (0..random.below(3)).map(|_| (moment(random, 100), event(random))).collect();
        let then = match random.below(100) {
            _ if count == most => Then::Settle(Duration::from_secs(45)),
            0 => Then::Settle(Duration::from_mins(61)),
            1..20 => Then::Settle(Duration::from_secs(45)),
            20..60 => Then::Wait(Duration::ZERO),
            60..90 => Then::Wait(moment(random, 200)),
            _ => Then::Wait(Duration::from_secs(random.below(45).into())),
        };
        Self { verifications, events, then }
    }
}

/// A multiple of a fixed interval, so that several events often coincide: bytes and connections
/// take half a round trip or a whole one.
fn moment(random: &mut Random, steps: u32) -> Duration {
    Duration::from_millis(50) * random.below(steps)
}

fn planned(random: &mut Random, id: usize) -> Planned {
    let fault = (random.below(100) < FAULTY).then(|| random.below(36) as usize);
    // A redirect to another host must not skip the hop that sets the cookie; plain http never
    // delivers the response.
    let hop = match fault.map(|fault| &FAULTS[fault].1) {
        Some(Fault::Redirect(_)) => [1, 4][random.below(2) as usize],
        _ => [1, 2, 3, 4][random.below(4) as usize],
    };
    let cancelled_after = (random.below(100) < CANCELLED).then(|| moment(random, 80));
    Planned { id, fault, hop, cancelled_after }
}

fn event(random: &mut Random) -> Event {
    match random.below(10) {
        0 | 1 => Event::Prepare,
        2 => Event::PrepareAndGo,
        3 => Event::Lost(CellularCause::InterfaceDown),
        4 => Event::Lost(CellularCause::BlockedInBackground),
        5 => Event::Down(moment(random, 20)),
        6 => Event::Suspended { seconds: [5, 60][random.below(2) as usize] },
        7 => Event::ForgetHosts,
        _ => Event::Moves([1, 2, 3, 4, 5, 6, 7, 8][random.below(8) as usize]),
    }
}
