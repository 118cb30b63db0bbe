//! The tables, in Markdown.

use crate::backends::Row;
use crate::clients::Subject;
use crate::lab::chain::Scenario;
use crate::plan::{Cell, Plan, RTT_MS, Samples};
use crate::resources::Resources;
use crate::statistics::Summary;
use crate::thresholds::Check;

/// The costs of each client for one chain, without loss.
pub fn costs(samples: &Samples, plan: &Plan, scenario: Scenario) -> String {
    let cell = Cell { scenario, rtt_ms: RTT_MS, loss_percent: 0 };
    let mut table = head(&[
        &medians(plan),
        "round trips",
        "ms",
        "quartiles",
        "with backend, ms",
        "connections",
        "handshakes",
        "DNS queries",
        "KB",
        "CPU ms",
    ]);
    for subject in Subject::ALL {
        let Some(leg) = samples.leg_ms(cell, subject) else { continue };
        // NaN if all have failed.
        let median = |of: &dyn Fn(&crate::lab::Counts) -> f64| {
            samples.summary(cell, subject, |_, counts| Some(of(counts))).map_or(f64::NAN, |summary| summary.median)
        };
        let resumed = median(&|counts| counts.handshakes.resumed as f64);
        let handshakes = median(&|counts| counts.handshakes.full as f64) + resumed;
        let total = samples.summary(cell, subject, |timing, _| Some(timing.total?.as_secs_f64() * 1e3));
        let cpu = samples.summary(cell, subject, |timing, _| Some(timing.cpu?.as_secs_f64() * 1e3));
        table += &row(&[
            subject.name().to_owned(),
            number(median(&|counts| f64::from(counts.link.round_trips))),
            decimals(leg.median, 0),
            quartiles(leg),
            total.map_or_else(dash, |total| decimals(total.median, 0)),
            number(median(&|counts| counts.link.connections as f64)),
            if resumed > 0.0 {
                format!("{} ({} resumed)", number(handshakes), number(resumed))
            } else {
                number(handshakes)
            },
            number(median(&|counts| counts.link.queries as f64)),
            decimals(median(&|counts| counts.link.bytes as f64 / 1e3), 1),
            cpu.map_or_else(dash, |cpu| decimals(cpu.median, 1)),
        ]);
    }
    table
}

/// The cellular leg under all conditions.
pub fn legs(samples: &Samples, plan: &Plan, scenario: Scenario) -> String {
    let cells: Vec<Cell> = plan.cells().into_iter().filter(|cell| cell.scenario == scenario).collect();
    let titles = cells.iter().map(|cell| format!("{} ms, {} %", cell.rtt_ms, cell.loss_percent));
    let titles: Vec<String> = std::iter::once(medians(plan)).chain(titles).collect();
    let mut table = head(&titles.iter().map(String::as_str).collect::<Vec<_>>());
    for subject in Subject::ALL {
        let legs: Vec<_> = cells.iter().map(|&cell| samples.leg_ms(cell, subject).map(|leg| (cell, leg))).collect();
        if legs.iter().all(Option::is_none) {
            continue;
        }
        let texts = legs.into_iter().map(|leg| {
            leg.map_or_else(dash, |(cell, leg)| {
                let failures = match samples.failures(cell, subject) {
                    0 => String::new(),
                    failures => format!(", {failures} failed"),
                };
                format!("{} ({}{failures})", decimals(leg.median, 0), quartiles(leg))
            })
        });
        table += &row(&std::iter::once(subject.name().to_owned()).chain(texts).collect::<Vec<_>>());
    }
    table
}

/// The short table at the top of docs/performance.md.
pub fn summary(samples: &Samples, plan: &Plan) -> String {
    let mut table = head(&[&format!("cellular leg of one verification, {}", medians(plan)), "S1", "S2"]);
    for subject in Subject::ALL {
        let texts = Scenario::ALL.map(|scenario| {
            let cell = Cell { scenario, rtt_ms: RTT_MS, loss_percent: 0 };
            let round_trips = samples.summary(cell, subject, |_, counts| Some(f64::from(counts.link.round_trips)));
            let leg = samples.leg_ms(cell, subject).filter(|leg| leg.median.is_finite());
            leg.zip(round_trips)
                .map(|(leg, round_trips)| format!("{:.0} ms, {} round trips", leg.median, number(round_trips.median)))
        });
        if texts.iter().any(Option::is_some) {
            let [s1, s2] = texts.map(|text| text.unwrap_or_else(dash));
            table += &row(&[subject.name().to_owned(), s1, s2]);
        }
    }
    table
}

pub fn resources(resources: &Resources) -> String {
    let mut table = head(&["", "S1", "S2"]);
    match &resources.instructions {
        Ok(instructions) => {
            let millions = |count: u64| format!("{:.2} million", count as f64 / 1e6);
            let mut add = |what: &str, of: &dyn Fn(&crate::resources::Instructions) -> u64| {
                let counts = instructions.iter().map(|(_, instructions)| millions(of(instructions)));
                table += &row(&std::iter::once(what.to_owned()).chain(counts).collect::<Vec<_>>());
            };
            add("instructions of a new verifier", &|it| it.new_verifier);
            add("instructions of its first verification", &|it| it.first);
            add("instructions of each further verification", &|it| it.next);
        }
        Err(reason) => table += &row(&["instructions".to_owned(), format!("skipped: {reason}"), dash()]),
    }
    let mut add = |what: &str, of: &dyn Fn(&crate::clients::ours::Memory) -> String| {
        let values = resources.memory.iter().map(|(_, memory)| of(memory));
        table += &row(&std::iter::once(what.to_owned()).chain(values).collect::<Vec<_>>());
    };
    add("allocations of one verification", &|it| it.allocations.to_string());
    add("peak memory allocated by one verification", &|it| format!("{} KB", it.peak_bytes / 1000));
    table
}

pub fn at_once(resources: &Resources) -> String {
    let mut table = head(&["concurrent verifications", "failed", "total time", "peak heap", "peak process", "threads"]);
    for it in &resources.at_once {
        table += &row(&[
            it.count.to_string(),
            it.failed.to_string(),
            format!("{} ms", it.wall.as_millis()),
            format!("{:.1} MB", it.peak_heap_bytes as f64 / 1e6),
            format!("{:.1} MB", it.peak_rss_kib as f64 * 1.024e-3),
            it.threads.to_string(),
        ]);
    }
    format!("S1 over a link of {RTT_MS} ms, all on one verifier:\n\n{table}")
}

pub fn bindings(resources: &Resources) -> String {
    let mut table = head(&["sequential verifications", "CPU", "quartiles", "overhead over Rust", "call to result"]);
    let ms = |value: f64| format!("{value:.2} ms");
    let mut rust = None;
    for (language, cost) in &resources.bindings {
        let cells = match cost {
            Ok(cost) => {
                let rust = *rust.get_or_insert(cost.cpu_ms.median);
                [
                    ms(cost.cpu_ms.median),
                    format!("{:.2}–{:.2}", cost.cpu_ms.lower_quartile, cost.cpu_ms.upper_quartile),
                    ms(cost.cpu_ms.median - rust),
                    ms(cost.took_ms.median),
                ]
            }
            Err(reason) => [format!("skipped: {reason}"), dash(), dash(), dash()],
        };
        table += &row(&[[language.name().to_owned()].as_slice(), &cells].concat());
    }
    table
}

pub fn backends(rows: &[Row]) -> String {
    let mut table = head(&[
        "backend",
        "replicas",
        "starts per second",
        "median",
        "memory of each replica, idle",
        "peak under load",
    ]);
    for row_of in rows {
        let replicas = if row_of.replicas > 1 { format!("{} with Redis", row_of.replicas) } else { "1".to_owned() };
        let memory = |kib: &[u64]| {
            kib.iter().map(|kib| format!("{:.0}", *kib as f64 * 1.024e-3)).collect::<Vec<_>>().join(", ") + " MB"
        };
        let cells = match &row_of.measured {
            Ok(it) => [
                format!("{:.0}", it.load.starts_per_second),
                format!("{:.1} ms", it.load.median.as_secs_f64() * 1e3),
                memory(&it.idle_kib),
                memory(&it.peak_kib),
            ],
            Err(reason) => [format!("skipped: {reason}"), dash(), dash(), dash()],
        };
        table += &row(&[[row_of.name.to_owned(), replicas].as_slice(), &cells].concat());
    }
    table
}

pub fn checks(checks: &[Check]) -> String {
    let mut table = head(&["condition", "limit", "measured", ""]);
    for Check { what, measured, limit, holds } in checks {
        let holds = if *holds { "holds" } else { "**does not hold**" };
        table += &row(&[what.clone(), limit.clone(), measured.clone(), holds.to_owned()]);
    }
    table
}

fn head(titles: &[&str]) -> String {
    let rule = titles.iter().enumerate().map(|(nth, _)| if nth == 0 { "---" } else { "--:" });
    format!("| {} |\n|{}|\n", titles.join(" | "), rule.collect::<Vec<_>>().join("|"))
}

fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

fn dash() -> String {
    "–".to_owned()
}

fn medians(plan: &Plan) -> String {
    format!("medians of {}", plan.repetitions)
}

/// Medians of counts: integers are printed without a fraction.
fn number(value: f64) -> String {
    decimals(value, usize::from(value.fract() != 0.0))
}

/// A dash if all have failed, or so many that they are the median.
fn decimals(value: f64, digits: usize) -> String {
    if value.is_finite() { format!("{value:.digits$}") } else { dash() }
}

fn quartiles(summary: Summary) -> String {
    let quartile = |value: f64| if value.is_finite() { format!("{value:.0}") } else { "failed".to_owned() };
    format!("{}–{}", quartile(summary.lower_quartile), quartile(summary.upper_quartile))
}
