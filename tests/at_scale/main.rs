//! A million phones and a backend that is down for a minute: with the library's retry rules and the
//! advice to apps, the load after the outage is at most twice the steady load, and back to normal
//! within two minutes. Runs on a virtual clock and is identical in every run. `docs/scale.md` has
//! the model and the figures.

mod app;
mod backend;
mod load;
mod random;
mod simulation;

use std::fmt::Write as _;
use std::fs;

use app::{ADVISED, App, EAGER};
use backend::Outage;
use random::Random;
use simulation::{LONG_WALKS, Outcome, PHONES, SHORT_WALKS, Scenario, USUAL_WALKS, Walks, run};

/// How often one call is sent: again immediately after a failed connection, and again after a short
/// `Retry-After`.
const ONCE: u8 = 1;
const TWICE: u8 = 2;

fn with(outage: Outage, app: App, walks: Walks) -> Outcome {
    let mut random = Random(41);
    run(Scenario { outage, app, walks }, || random.share())
}

fn assert_absorbed(outage: Outage, attempts: u8) {
    let outcome = with(outage, ADVISED, USUAL_WALKS);
    let load = &outcome.load;
    println!("{outage:?}: {}", figures(&outcome));
    assert_eq!(outcome.verified + outcome.other_channel, PHONES, "every phone ends");
    assert!(load.peak() <= 2.0, "peak: {}", load.peak());
    assert!(load.peak_refused() <= 2.0, "refused connections: {}", load.peak_refused());
    assert!(load.drained_after_s() <= 120, "drained after {} s", load.drained_after_s());
    assert_eq!(outcome.most_attempts, attempts, "attempts of one call");
    assert!(
        outcome.most_verifications <= 1 + ADVISED.times,
        "{} verifications of one phone",
        outcome.most_verifications
    );
}

#[test]
fn outage_with_refused_connections_is_absorbed() {
    assert_absorbed(Outage::Refused, TWICE);
}

#[test]
fn outage_without_responses_is_absorbed() {
    assert_absorbed(Outage::Hanging, ONCE);
}

#[test]
fn outage_with_a_retry_after_that_the_library_waits_for_is_absorbed() {
    assert_absorbed(Outage::Busy(1), TWICE);
    assert_absorbed(Outage::Busy(2), TWICE);
}

#[test]
fn outage_with_a_retry_after_that_the_app_waits_for_is_absorbed() {
    assert_absorbed(Outage::Busy(30), ONCE);
}

#[test]
fn rate_limit_shared_by_all_phones_is_absorbed() {
    assert_absorbed(Outage::Limited, TWICE);
}

/// The bounds that `docs/scale.md` documents.
#[test]
fn faster_and_slower_operators_and_a_longer_retry_after_stay_within_their_bounds() {
    for walks in [SHORT_WALKS, LONG_WALKS] {
        for outage in [Outage::Refused, Outage::Busy(1), Outage::Busy(2), Outage::Busy(30)] {
            let load = with(outage, ADVISED, walks).load;
            let peak = load.peak().max(load.peak_refused());
            assert!(peak <= 2.5, "{outage:?}: {peak}");
            assert!(load.drained_after_s() <= 120, "{outage:?}: {} s", load.drained_after_s());
        }
    }
    let load = with(Outage::Busy(60), ADVISED, USUAL_WALKS).load;
    assert!(load.peak() <= 2.0 && (121..=140).contains(&load.drained_after_s()), "{}", load.drained_after_s());
}

#[test]
fn control_without_randomness_exceeds_twice_the_steady_load() {
    let outcome = run(Scenario { outage: Outage::Limited, app: ADVISED, walks: USUAL_WALKS }, || 0);
    println!("{}", figures(&outcome));
    assert!(outcome.load.peak() > 2.0);
}

#[test]
fn control_with_eager_apps_exceeds_twice_the_steady_load() {
    let outcome = with(Outage::Refused, EAGER, USUAL_WALKS);
    println!("{}", figures(&outcome));
    assert!(outcome.load.peak() > 2.0);
}

fn figures(outcome: &Outcome) -> String {
    let load = &outcome.load;
    format!(
        "steady {:.0}/s, peak {:.2}, refused {:.2}, drained after {} s, attempts of a call {}, verifications of a phone {}, other channel {}",
        load.steady(),
        load.peak(),
        load.peak_refused(),
        load.drained_after_s(),
        outcome.most_attempts,
        outcome.most_verifications,
        outcome.other_channel,
    )
}

/// For `make scale-plot`.
#[test]
#[ignore = "writes the figures of docs/scale.md; no assertions"]
fn figures_of_the_documentation() {
    let mut table = String::from("outage,rules,second,requests,refused\n");
    let mut add = |outage: &str, rules: &str, outcome: Outcome| {
        println!("{outage}, {rules}: {}", figures(&outcome));
        for (second, requests, refused) in outcome.load.around_the_outage() {
            writeln!(table, "{outage},{rules},{second},{requests},{refused}").expect("it is a String");
        }
    };
    add("refused", "eager", with(Outage::Refused, EAGER, USUAL_WALKS));
    add("limited", "no randomness", run(Scenario { outage: Outage::Limited, app: ADVISED, walks: USUAL_WALKS }, || 0));
    let longer = [1, 2, 30, 60].map(|seconds| (format!("busy {seconds}"), Outage::Busy(seconds)));
    let others = [("refused", Outage::Refused), ("hanging", Outage::Hanging), ("limited", Outage::Limited)];
    let outages = others.map(|(name, outage)| (name.to_owned(), outage)).into_iter().chain(longer);
    for (name, outage) in outages {
        for (rules, walks) in [
            ("advised", USUAL_WALKS),
            ("advised with short walks", SHORT_WALKS),
            ("advised with long walks", LONG_WALKS),
        ] {
            add(&name, rules, with(outage, ADVISED, walks));
        }
    }
    fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/outage.csv"), table).unwrap();
}
