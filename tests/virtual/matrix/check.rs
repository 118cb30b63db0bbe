//! Runs cells and checks the invariants of each. All violations are reported together.

use std::sync::Arc;

use number_verify::{Trace, VerifyError};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::{Duration, Instant, sleep};

use super::expected::{self, Error, Expected, Waits};
#[cfg(target_os = "linux")]
use super::loopback;
use super::phone::{NUMBER, Phone, SHORT_DEADLINE_MS};
use super::world::{COOKIE, SESSION, World};
use super::{Call, Cell, Fault, Step};
use crate::script::{CODE, STATE};

/// How long a verification may exceed its deadline.
const TOLERANCE: Duration = Duration::from_millis(250);
/// An immediate retry takes a few round trips.
const REPEATED: Duration = Duration::from_secs(1);
/// For the release after the verification and the abort call, which has a timeout of 2 s. Then the
/// app verifies again.
const AFTERWARDS: Duration = Duration::from_millis(1500);
/// No background work remains after this time: a release has a timeout of 5 s, an idle connection
/// is checked every 30 s.
const OVER: Duration = Duration::from_mins(2);

/// A verification's result and trace; `None` if it was cancelled.
type Outcome = Option<(Result<(), VerifyError>, Trace)>;

/// The violations in one cell.
struct Findings {
    cell: Cell,
    all: Vec<String>,
}

impl Findings {
    fn expect(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.all.push(format!("{:?}: {}", self.cell, what()));
        }
    }
}

pub async fn cellular(cells: &[Cell]) {
    let mut all = Vec::new();
    for cell in cells {
        let (world, tasks) = (World::new(*cell), tasks());
        let phone = Phone::with_custom_backend(&world);
        let findings = check(&world, &phone).await;
        let open = phone.open_connections();
        drop(phone);
        all.extend(check_after_drop(findings, tasks, open).await);
    }
    assert!(all.is_empty(), "{} findings:\n{}", all.len(), all.join("\n"));
}

#[cfg(target_os = "linux")]
pub async fn backend(cells: Vec<Cell>, clock: loopback::QuietClock) {
    let mut all = Vec::new();
    for cell in cells {
        let (world, tasks) = (World::new(cell), tasks());
        let server = loopback::Server::start(&world, &clock);
        let phone = server.phone(&world);
        if let Step::Io(Call::Start, super::Connection::Reused, _) = cell.step {
            phone.warm_up().await;
        }
        let findings = check(&world, &phone).await;
        let open = phone.open_connections() + server.open_connections();
        drop((phone, server));
        all.extend(check_after_drop(findings, tasks, open).await);
    }
    assert!(all.is_empty(), "{} findings:\n{}", all.len(), all.join("\n"));
}

/// A verification with the fault, followed by one without it.
async fn check(world: &Arc<World>, phone: &Phone) -> Findings {
    let cell = world.cell;
    let mut findings = Findings { cell, all: Vec::new() };
    world.arm();
    let began = Instant::now();
    let outcome = tokio::select! {
        biased;
        outcome = phone.verify() => Some(outcome),
        () = world.surroundings.cancelled() => None,
    };
    let ended = Instant::now();
    if matches!(cell.step, Step::Release | Step::Io(Call::Abort, ..)) {
        sleep(AFTERWARDS).await;
    }
    let occurred_at = world.disarm();
    findings.expect(occurred_at.is_some(), || "the step was not reached".to_owned());
    is_as_expected(&mut findings, &outcome);
    check_duration(&mut findings, began, occurred_at.unwrap_or(began), ended);
    has_no_secret(&mut findings, &outcome);
    let (again, trace) = phone.verify().await;
    findings.expect(again.is_ok(), || format!("the next verification: {again:?}\n{}", trace.to_table()));
    sleep(OVER).await;
    let (acquired, released) = phone.acquired_and_released();
    // A start that fails immediately ends the verification before the network is acquired.
    let once_each = acquired == released && (1..=2).contains(&acquired);
    findings.expect(once_each, || format!("two verifications acquired {acquired} times and released {released} times"));
    findings.expect(phone.busy_threads().is_empty(), || format!("threads: {:?}", phone.busy_threads()));
    findings
}

fn is_as_expected(findings: &mut Findings, outcome: &Outcome) {
    let expected = expected::expected(findings.cell);
    let holds = match (expected, outcome) {
        (Expected::Verified, Some((Ok(()), _))) | (Expected::Cancelled, None) => true,
        (Expected::Error(Error { kind, cause, step, fallback }), Some((Err(error), _))) => {
            let seen: Value = serde_json::from_str(&error.to_json()).unwrap();
            let hop = if kind == "authorization" { expected::hop(findings.cell) } else { None };
            let names = ["kind", "cause", "step", "fallback"].map(|name| seen[name].as_str());
            names == [Some(kind), cause, Some(step), Some(fallback)] && seen["hop"].as_u64() == hop
        }
        _ => false,
    };
    findings.expect(holds, || format!("expected {expected:?}, seen {:?}", outcome.as_ref().map(|(result, _)| result)));
}

fn check_duration(findings: &mut Findings, began: Instant, occurred_at: Instant, ended: Instant) {
    let cell = findings.cell;
    let overall = if cell.fault == Fault::Deadline { SHORT_DEADLINE_MS } else { 20_000 };
    let deadline = began + Duration::from_millis(overall);
    let seconds = Duration::from_secs;
    let (earliest, latest) = match expected::waits(cell) {
        _ if expected::expected(cell) == Expected::Verified => (began, deadline),
        Waits::No => (occurred_at, occurred_at + REPEATED),
        Waits::SleepCheck => (occurred_at, occurred_at + seconds(1)),
        // A part of the timeout had elapsed before the fault.
        Waits::Connect => (occurred_at + seconds(4), occurred_at + seconds(5)),
        Waits::Response => (occurred_at + seconds(7), occurred_at + seconds(8)),
        Waits::Overall => (deadline, deadline),
    };
    let is_in_time = (earliest..=latest.min(deadline) + TOLERANCE).contains(&ended);
    findings.expect(is_in_time, || {
        format!("it ended {:?} after it began, {:?} after the fault", ended - began, ended - occurred_at)
    });
}

fn has_no_secret(findings: &mut Findings, outcome: &Outcome) {
    let Some((result, trace)) = outcome else { return };
    let error = result.as_ref().err().map(|error| format!("{error:?} {error} {}", error.to_json()));
    let shown = format!("{error:?} {trace:?} {} {} {}", trace.to_json(), trace.to_table(), trace.explain());
    for secret in [CODE, STATE, SESSION, COOKIE, NUMBER.trim_start_matches('+')] {
        findings.expect(!shown.contains(secret), || format!("{shown} contains {secret}"));
    }
}

/// After the verifier is dropped.
async fn check_after_drop(mut findings: Findings, tasks_before: usize, open: usize) -> Vec<String> {
    for _ in 0..10 {
        yield_now().await;
    }
    findings.expect(open == 0, || format!("{open} connections are open"));
    findings.expect(tasks() == tasks_before, || format!("{} tasks, {tasks_before} before", tasks()));
    findings.all
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}
