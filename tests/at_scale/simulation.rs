//! A million phones that verify, event by event: without threads, sockets or real waiting. The
//! library's own rule decides whether and when a call is retried.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::iter::Peekable;
use std::time::Duration;
use std::vec;

use number_verify::Deadlines;
use number_verify::internals::{Attempt, Retries};

use crate::app::App;
use crate::backend::Outage;
use crate::load::Load;
use crate::random::Random;

/// Milliseconds of the virtual clock.
pub type Millis = u32;

pub const PHONES: u32 = 1_000_000;
/// Each phone arrives at a random time within half an hour: a Poisson process with this number of
/// arrivals.
pub const ARRIVALS: Millis = 30 * 60_000;

/// The time on the operator's side between `start` and `complete`: at least `at_least`, plus twice
/// a random time of up to `spread`.
#[derive(Debug, Clone, Copy)]
pub struct Walks {
    pub at_least: Millis,
    pub spread: Millis,
}

/// 1 to 5 s, mean 3 s: 9 to 14 round trips of a cellular network, and the time in which a sleeping
/// radio wakes up.
pub const USUAL_WALKS: Walks = Walks { at_least: 1000, spread: 2000 };
/// 0.5 to 1.5 s, as if all phones had an active radio and a nearby operator.
pub const SHORT_WALKS: Walks = Walks { at_least: 500, spread: 500 };
/// 2 to 10 s.
pub const LONG_WALKS: Walks = Walks { at_least: 2000, spread: 4000 };

/// Conditions that are outside the library's control.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    pub outage: Outage,
    pub app: App,
    pub walks: Walks,
}

/// The outcome of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    pub load: Load,
    pub verified: u32,
    /// Phones whose app has given up.
    pub other_channel: u32,
    /// The maximum number of attempts of one call.
    pub most_attempts: u8,
    /// The maximum number of verifications of one phone.
    pub most_verifications: u8,
}

/// Runs all phones until each has ended. The rules get their random numbers from `draw`.
pub fn run(scenario: Scenario, draw: impl FnMut() -> u16) -> Outcome {
    let mut random = Random(19);
    let mut arrivals: Vec<_> = (0..PHONES).map(|_| random.below(ARRIVALS)).collect();
    arrivals.sort_unstable();
    let deadlines = Deadlines::default();
    let mut simulation = Simulation {
        scenario,
        draw,
        random,
        arrivals: arrivals.into_iter().peekable(),
        waiting: BinaryHeap::new(),
        phones: 0,
        overall: millis(deadlines.overall_ms),
        timeout: millis(deadlines.backend_ms),
        outcome: Outcome::default(),
    };
    while let Some(call) = simulation.next() {
        simulation.send(call);
    }
    simulation.outcome
}

struct Simulation<D> {
    scenario: Scenario,
    draw: D,
    random: Random,
    /// Phones that have not arrived yet, in order.
    arrivals: Peekable<vec::IntoIter<Millis>>,
    /// For the others, the next attempt of each.
    waiting: BinaryHeap<Reverse<Call>>,
    /// Phones that have arrived.
    phones: u32,
    overall: Millis,
    timeout: Millis,
    outcome: Outcome,
}

/// A future attempt.
#[derive(Debug, Clone, Copy)]
struct Call {
    at: Millis,
    phone: u32,
    step: Step,
    /// Attempts before this one.
    attempts: u8,
    retries: Retries,
    /// Of the verification.
    deadline: Millis,
    /// The index among its phone's verifications, starting at 1.
    verification: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Start,
    Complete,
}

impl<D: FnMut() -> u16> Simulation<D> {
    fn next(&mut self) -> Option<Call> {
        let waiting_until = self.waiting.peek().map_or(Millis::MAX, |Reverse(call)| call.at);
        let Some(at) = self.arrivals.next_if(|at| *at <= waiting_until) else {
            return self.waiting.pop().map(|Reverse(call)| call);
        };
        self.phones += 1;
        Some(self.verification(self.phones, 1, at))
    }

    fn verification(&self, phone: u32, verification: u8, at: Millis) -> Call {
        let deadline = at + self.overall;
        Call { at, phone, step: Step::Start, attempts: 0, retries: Retries::default(), deadline, verification }
    }

    fn send(&mut self, call: Call) {
        let attempts = call.attempts + 1;
        self.outcome.most_attempts = self.outcome.most_attempts.max(attempts);
        self.outcome.most_verifications = self.outcome.most_verifications.max(call.verification);
        let (attempt, time) = self.scenario.outage.attempt(call.at, self.timeout);
        self.outcome.load.count(call.at, matches!(attempt, Attempt::Unseen));
        let now = call.at + time;
        let retry_after = match attempt {
            Attempt::Response { status: 200, .. } => return self.succeeded(call, now),
            Attempt::Response { retry_after, .. } => retry_after,
            Attempt::Unseen | Attempt::Lost => None,
        };
        let mut retries = call.retries;
        let time_left = Duration::from_millis(call.deadline.saturating_sub(now).into());
        match retries.wait_after(attempt, time_left, (self.draw)()) {
            Some(wait) => self.wait(Call { at: now + millis(wait.as_millis()), attempts, retries, ..call }),
            None => self.failed(call, now, retry_after),
        }
    }

    fn succeeded(&mut self, call: Call, now: Millis) {
        if call.step == Step::Complete {
            self.outcome.verified += 1;
            return;
        }
        let Walks { at_least, spread } = self.scenario.walks;
        let at = now + at_least + self.random.below(spread + 1) + self.random.below(spread + 1);
        if at >= call.deadline {
            return self.failed(call, call.deadline, None);
        }
        self.wait(Call { at, step: Step::Complete, attempts: 0, retries: Retries::default(), ..call });
    }

    fn failed(&mut self, call: Call, now: Millis, retry_after: Option<Duration>) {
        let app = self.scenario.app;
        if call.verification > app.times {
            self.outcome.other_channel += 1;
            return;
        }
        let at = now.min(call.deadline) + app.wait(retry_after, (self.draw)());
        self.wait(self.verification(call.phone, call.verification + 1, at));
    }

    fn wait(&mut self, call: Call) {
        self.waiting.push(Reverse(call));
    }
}

impl Ord for Call {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.phone).cmp(&(other.at, other.phone))
    }
}

impl PartialOrd for Call {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Call {}

fn millis(value: impl TryInto<Millis>) -> Millis {
    value.try_into().unwrap_or_else(|_| panic!("exceeds the range of the virtual clock"))
}
