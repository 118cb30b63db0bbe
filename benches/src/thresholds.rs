//! What must hold in a run, or the program fails.

use crate::clients::Subject;
use crate::lab::chain::Scenario;
use crate::plan::{Cell, Plan, Samples};

/// At which round-trip time the absolute figures must hold.
const RTT_MS: u32 = 100;
/// Beyond the bound, for what is not the network.
const COLD_MARGIN_MS: f64 = 15.0;
/// Of S1, whose bounds allow 3. The bounds of S2 allow no more than 14 / 6 = 2.3.
const PREPARED_SPEED_UP: f64 = 2.5;
const PREPARED_ROUND_TRIPS: f64 = 6.3;

/// One condition of the run.
pub struct Check {
    pub what: String,
    pub measured: String,
    pub limit: String,
    pub holds: bool,
}

pub fn check(samples: &Samples, plan: &Plan) -> Vec<Check> {
    let mut checks = Vec::new();
    for scenario in Scenario::ALL {
        let cell = Cell { scenario, rtt_ms: RTT_MS, loss_percent: 0 };
        checks.extend(cold_is_near_the_bound(samples, cell));
        checks.extend(prepared_is_faster(samples, cell));
    }
    checks.extend(prepared_needs_no_connection(samples));
    for cell in plan.cells().into_iter().filter(|cell| cell.loss_percent > 0) {
        checks.extend(is_not_slower(samples, cell));
    }
    checks
}

fn cold_is_near_the_bound(samples: &Samples, cell: Cell) -> Option<Check> {
    let median = samples.leg_ms(cell, Subject::OursCold)?.median;
    let limit = f64::from(cell.scenario.cold_bound() * cell.rtt_ms) + COLD_MARGIN_MS;
    Some(Check {
        what: format!("{}, cold, at {RTT_MS} ms: the bound and {COLD_MARGIN_MS} ms", cell.scenario.name()),
        measured: format!("{median:.0} ms"),
        limit: format!("≤ {limit:.0} ms"),
        holds: median <= limit,
    })
}

fn prepared_is_faster(samples: &Samples, cell: Cell) -> Option<Check> {
    if cell.scenario != Scenario::S1 {
        return None;
    }
    let times = samples.best_okhttp(cell)?.median / samples.leg_ms(cell, Subject::OursPrepared)?.median;
    Some(Check {
        what: format!("{}, prepared, at {RTT_MS} ms: faster than the best OkHttp", cell.scenario.name()),
        measured: format!("{times:.2} times"),
        limit: format!("≥ {PREPARED_SPEED_UP} times"),
        holds: times >= PREPARED_SPEED_UP,
    })
}

fn prepared_needs_no_connection(samples: &Samples) -> Option<Check> {
    let cell = Cell { scenario: Scenario::S2, rtt_ms: RTT_MS, loss_percent: 0 };
    let round_trips = samples.leg_ms(cell, Subject::OursPrepared)?.median / f64::from(RTT_MS);
    Some(Check {
        what: format!("S2, prepared, at {RTT_MS} ms: round trips by the clock"),
        measured: format!("{round_trips:.2}"),
        limit: format!("≤ {PREPARED_ROUND_TRIPS}"),
        holds: round_trips <= PREPARED_ROUND_TRIPS,
    })
}

fn is_not_slower(samples: &Samples, cell: Cell) -> Option<Check> {
    let (ours, best) = (samples.leg_ms(cell, Subject::OursCold)?, samples.best_okhttp(cell)?);
    Some(Check {
        what: format!(
            "{}, cold, at {} ms and {} % loss: not slower than the best OkHttp",
            cell.scenario.name(),
            cell.rtt_ms,
            cell.loss_percent
        ),
        measured: format!("{:.0} ms", ours.median),
        limit: format!("≤ {:.0} ms and noise of {:.0} ms", best.median, ours.noise() + best.noise()),
        holds: !ours.is_above(best),
    })
}
