//! What happens, drawn at random: batches of verifications at the same time, and what disturbs them. The same for the same seed.

use number_verify::CellularCause;
use tokio::time::Duration;

use crate::faults::{FAULTS, Fault};
use crate::random::Random;

/// Verifications at the same time, at most.
const AT_ONCE: u32 = 16;
/// Verifications with a fault of their own, in percent.
const FAULTY: u32 = 10;
/// Cancelled ones, in percent.
const CANCELLED: u32 = 5;
/// Batches of which all are cancelled within a second, in percent: some before there is a network.
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
    /// Which of [`FAULTS`].
    pub fault: Option<usize>,
    /// The hop that a fault concerns.
    pub hop: u8,
    pub cancelled_after: Option<Duration>,
}

#[derive(Debug, Clone, Copy)]
pub enum Event {
    Prepare,
    /// And do not wait for the network.
    PrepareAndGo,
    Lost(CellularCause),
    /// The interface is down for so long, and nothing reports it.
    Down(Duration),
    /// The process is suspended for so long.
    Suspended {
        seconds: u64,
    },
    ForgetHosts,
    /// The next network is another one, or an earlier one again.
    Moves(u8),
}

/// What follows a batch.
#[derive(Debug, Clone, Copy)]
pub enum Then {
    Wait(Duration),
    /// All that was begun ends.
    Settle(Duration),
}

impl Then {
    pub fn lasts(self) -> Duration {
        let (Self::Wait(duration) | Self::Settle(duration)) = self;
        duration
    }
}

impl Batch {
    /// With at most so many verifications, the first of which has this id.
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

/// Of a raster, so that often several things happen in the same moment: bytes and connections take half a round trip or a whole one.
fn moment(random: &mut Random, steps: u32) -> Duration {
    Duration::from_millis(50) * random.below(steps)
}

fn planned(random: &mut Random, id: usize) -> Planned {
    let fault = (random.below(100) < FAULTY).then(|| random.below(36) as usize);
    // A redirect to another host must not pass by the hop that sets the cookie; plain http never gives the response.
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
