//! The thresholds of a run; the program fails if one is not met. A figure that is missing or not
//! finite does not meet its threshold.

use crate::clients::Subject;
use crate::lab::chain::Scenario;
use crate::plan::{Cell, Plan, RTT_MS, Samples};
use crate::resources::Resources;
use crate::statistics::Summary;

/// In addition to the bound, for the time outside the network.
const COLD_MARGIN_MS: f64 = 15.0;
const PREPARED_ROUND_TRIPS: f64 = 6.3;
/// The maximum slowdown of a median compared with OkHttp, with little loss. With more loss, medians
/// of one client vary by more than this from run to run.
const SLOWER: f64 = 0.05;
const LITTLE_LOSS_PERCENT: u32 = 1;

/// One condition of the run.
pub struct Check {
    pub what: String,
    pub measured: String,
    pub limit: String,
    pub holds: bool,
}

pub fn check(samples: &Samples, plan: &Plan, resources: &Resources) -> Vec<Check> {
    let mut checks = Vec::new();
    for scenario in Scenario::ALL {
        let cell = Cell { scenario, rtt_ms: RTT_MS, loss_percent: 0 };
        checks.push(cold_is_near_the_bound(samples, cell));
        checks.push(prepared_is_faster(samples, cell));
    }
    checks.push(prepared_needs_no_connection(samples));
    checks.push(no_failure_without_loss(samples, plan));
    for cell in plan.cells().into_iter().filter(|cell| cell.loss_percent > 0) {
        for (name, subject) in [("cold", Subject::OursCold), ("prepared", Subject::OursPrepared)] {
            checks.push(is_not_slower(cell, name, samples.leg_ms(cell, subject), samples.best_okhttp(cell)));
        }
    }
    checks.push(no_failure_of_concurrent_verifications(resources));
    checks
}

fn cold_is_near_the_bound(samples: &Samples, cell: Cell) -> Check {
    let limit = f64::from(cell.scenario.cold_bound() * cell.rtt_ms) + COLD_MARGIN_MS;
    let median = samples.leg_ms(cell, Subject::OursCold).map(|leg| leg.median);
    Check::of(
        format!("{}, cold, at {RTT_MS} ms: the bound and {COLD_MARGIN_MS} ms", cell.scenario.name()),
        format!("≤ {limit:.0} ms"),
        median.map(|median| (format!("{median:.0} ms"), median.is_finite() && median <= limit)),
    )
}

fn prepared_is_faster(samples: &Samples, cell: Cell) -> Check {
    let scenario = cell.scenario;
    let (cold, warm) = (scenario.cold_bound(), scenario.warm_bound());
    let limit = match scenario {
        Scenario::S1 => 2.5,
        Scenario::S2 => 2.2,
    };
    let both = samples.best_okhttp(cell).zip(samples.leg_ms(cell, Subject::OursPrepared));
    let times = both.map(|(best, ours)| best.median / ours.median);
    Check::of(
        format!(
            "{}, prepared, at {RTT_MS} ms: faster than the best cold OkHttp (the bounds: {cold} / {warm} = {:.1} times)",
            scenario.name(),
            f64::from(cold) / f64::from(warm)
        ),
        format!("≥ {limit} times"),
        times.map(|times| (format!("{times:.2} times"), times.is_finite() && times >= limit)),
    )
}

fn prepared_needs_no_connection(samples: &Samples) -> Check {
    let cell = Cell { scenario: Scenario::S2, rtt_ms: RTT_MS, loss_percent: 0 };
    let round_trips = samples.leg_ms(cell, Subject::OursPrepared).map(|leg| leg.median / f64::from(RTT_MS));
    Check::of(
        format!("S2, prepared, at {RTT_MS} ms: duration in round trips"),
        format!("≤ {PREPARED_ROUND_TRIPS}"),
        round_trips.map(|count| (format!("{count:.2}"), count.is_finite() && count <= PREPARED_ROUND_TRIPS)),
    )
}

/// All clients except curl, whose failures are not part of any comparison with a threshold.
fn no_failure_without_loss(samples: &Samples, plan: &Plan) -> Check {
    let (mut count, mut failed, mut is_complete) = (0, 0, true);
    for cell in plan.cells().into_iter().filter(|cell| cell.loss_percent == 0) {
        for subject in Subject::ALL.into_iter().filter(|subject| *subject != Subject::CurlCold) {
            count += samples.count(cell, subject);
            failed += samples.failures(cell, subject);
            is_complete &= samples.count(cell, subject) == plan.repetitions as usize;
        }
    }
    let measured = is_complete.then(|| (format!("{failed} of {count}"), failed == 0));
    Check::of("without loss: failures of number-verify and OkHttp".to_owned(), "0".to_owned(), measured)
}

fn is_not_slower(cell: Cell, name: &str, ours: Option<Summary>, best: Option<Summary>) -> Check {
    let Cell { scenario, rtt_ms, loss_percent } = cell;
    let is_capped = loss_percent <= LITTLE_LOSS_PERCENT;
    let tolerance = if is_capped { format!("noise, at most {:.0} %", SLOWER * 100.0) } else { "noise".to_owned() };
    let what = format!(
        "{}, {name}, at {rtt_ms} ms and {loss_percent} % loss: not slower than the best cold OkHttp by more than {tolerance}",
        scenario.name()
    );
    let Some((ours, best)) = ours.zip(best) else { return Check::of(what, "–".to_owned(), None) };
    let noise = ours.noise() + best.noise();
    let tolerance = if is_capped { noise.min(best.median * SLOWER) } else { noise };
    let holds = ours.is_finite() && best.is_finite() && ours.median <= best.median + tolerance;
    let limit = format!("≤ {:.0} ms + {tolerance:.0} ms", best.median);
    Check::of(what, limit, Some((format!("{:.0} ms", ours.median), holds)))
}

fn no_failure_of_concurrent_verifications(resources: &Resources) -> Check {
    let count: usize = resources.at_once.iter().map(|it| it.count).sum();
    let failed: u64 = resources.at_once.iter().map(|it| it.failed).sum();
    Check::of(
        "concurrent verifications: failures".to_owned(),
        "0".to_owned(),
        (count > 0).then(|| (format!("{failed} of {count}"), failed == 0)),
    )
}

impl Check {
    /// The measured value, if there is one, and whether it meets the threshold.
    fn of(what: String, limit: String, measured: Option<(String, bool)>) -> Self {
        let (measured, holds) = measured.unwrap_or_else(|| ("not measured".to_owned(), false));
        Self { what, measured, limit, holds }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clients::Timing;
    use crate::lab::Counts;
    use crate::plan::Sample;

    const LITTLE_LOSS: Cell = Cell { scenario: Scenario::S1, rtt_ms: RTT_MS, loss_percent: 1 };
    const MUCH_LOSS: Cell = Cell { loss_percent: 5, ..LITTLE_LOSS };
    const WITHOUT_LOSS: Cell = Cell { loss_percent: 0, ..LITTLE_LOSS };

    /// Twenty legs of about this time, some of which failed.
    fn legs(median: f64, failed: usize) -> Option<Summary> {
        Summary::of((0..20).map(|nth| if nth < failed { f64::INFINITY } else { median + nth as f64 / 10.0 - 1.0 }))
    }

    fn holds(cell: Cell, ours: Option<Summary>, best: Option<Summary>) -> bool {
        is_not_slower(cell, "cold", ours, best).holds
    }

    #[test]
    fn slower_by_more_than_the_noise_fails() {
        assert!(holds(LITTLE_LOSS, legs(1000.0, 0), legs(1000.0, 0)));
        assert!(holds(LITTLE_LOSS, legs(900.0, 0), legs(1000.0, 0)));
        assert!(!holds(LITTLE_LOSS, legs(1003.0, 0), legs(1000.0, 0)));
    }

    #[test]
    fn noise_is_capped_with_little_loss_only() {
        let noisy = Summary { median: 1060.0, lower_quartile: 600.0, upper_quartile: 1600.0, count: 20 };
        assert!(!holds(LITTLE_LOSS, Some(noisy), legs(1000.0, 0)));
        assert!(holds(MUCH_LOSS, Some(noisy), legs(1000.0, 0)));
    }

    #[test]
    fn quarter_of_failures_fails() {
        for cell in [LITTLE_LOSS, MUCH_LOSS] {
            for failed in [5, 10, 20] {
                assert!(!holds(cell, legs(500.0, failed), legs(1000.0, 0)));
                assert!(!holds(cell, legs(500.0, 0), legs(1000.0, failed)));
                assert!(!holds(cell, legs(500.0, failed), legs(1000.0, failed)));
            }
        }
    }

    #[test]
    fn missing_measurement_fails() {
        assert!(!holds(LITTLE_LOSS, legs(1000.0, 0), None));
        let resources = Resources {
            instructions: Err(String::new()),
            memory: Vec::new(),
            at_once: Vec::new(),
            bindings: Vec::new(),
        };
        let checks = check(&Samples::default(), &Plan::full(1), &resources);
        assert!(checks.iter().all(|check| !check.holds && check.measured == "not measured"));
        assert_eq!(checks.len(), 2 * 2 + 1 + 1 + 12 * 2 + 1);
    }

    #[test]
    fn ratio_of_failures_fails() {
        let mut samples = Samples::default();
        let mut add = |subject, took_ms: Option<u64>| {
            let timing = |ms| Timing { leg: Duration::from_millis(ms), total: None, cpu: None };
            let outcome = took_ms.map(|ms| (timing(ms), Counts::default())).ok_or_else(String::new);
            samples.add(Sample { cell: WITHOUT_LOSS, subject, outcome });
        };
        add(Subject::OursPrepared, Some(300));
        add(Subject::OkHttpCold, None);
        assert!(!prepared_is_faster(&samples, WITHOUT_LOSS).holds);
        let mut plan = Plan::full(1);
        plan.rtts_ms = vec![RTT_MS];
        assert_eq!(no_failure_without_loss(&samples, &plan).measured, "not measured");
    }
}
