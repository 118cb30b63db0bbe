//! The plan: each chain under each condition of the link, by all clients in turn, many times.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::clients::{Subject, Timing};
use crate::lab::chain::Scenario;
use crate::lab::{Conditions, Counts};
use crate::statistics::Summary;

/// The round-trip time for the absolute limits, the complete tables, and many concurrent
/// verifications.
pub const RTT_MS: u32 = 100;

/// The amount of measurement.
#[derive(Debug, Clone)]
pub struct Plan {
    pub repetitions: u32,
    pub rtts_ms: Vec<u32>,
    pub loss_percent: Vec<u32>,
}

impl Plan {
    pub fn full(repetitions: u32) -> Self {
        Self { repetitions, rtts_ms: vec![40, RTT_MS, 200], loss_percent: vec![0, 1, 5] }
    }

    /// For a smoke test.
    pub fn quick() -> Self {
        Self { repetitions: 2, rtts_ms: vec![RTT_MS], loss_percent: vec![0, 1] }
    }

    pub fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for &rtt_ms in &self.rtts_ms {
            for &loss_percent in &self.loss_percent {
                cells.extend(Scenario::ALL.map(|scenario| Cell { scenario, rtt_ms, loss_percent }));
            }
        }
        cells
    }

    /// All of a repetition before the next one, so that a temporary disturbance of the machine
    /// affects all cells; the longest first.
    pub fn jobs(&self) -> Vec<Job> {
        let mut cells = self.cells();
        cells.sort_by_key(|cell| std::cmp::Reverse(cell.rtt_ms * cell.scenario.cold_bound() * (1 + cell.loss_percent)));
        (0..self.repetitions).flat_map(|repetition| cells.iter().map(move |&cell| Job { cell, repetition })).collect()
    }
}

/// A chain under a condition of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Cell {
    pub scenario: Scenario,
    pub rtt_ms: u32,
    pub loss_percent: u32,
}

/// One repetition of a cell.
#[derive(Debug, Clone, Copy)]
pub struct Job {
    pub cell: Cell,
    pub repetition: u32,
}

impl Job {
    /// The seed is the same for all clients.
    pub fn conditions(self) -> Conditions {
        let Cell { scenario, rtt_ms, loss_percent } = self.cell;
        let seed = [scenario.requests(), rtt_ms, loss_percent, self.repetition];
        Conditions {
            rtt: Duration::from_millis(rtt_ms.into()),
            loss: f64::from(loss_percent) / 100.0,
            seed: seed.into_iter().fold(0, |seed, part| seed << 16 | u64::from(part)),
        }
    }
}

/// The outcome of one client in one repetition.
pub struct Sample {
    pub cell: Cell,
    pub subject: Subject,
    pub outcome: Outcome,
}

/// The measurement, or the reason of its failure.
pub type Outcome = Result<(Timing, Counts), String>;

/// All measurements, by condition and client.
#[derive(Default)]
pub struct Samples(BTreeMap<(Cell, Subject), Vec<Outcome>>);

impl Samples {
    pub fn add(&mut self, sample: Sample) {
        self.0.entry((sample.cell, sample.subject)).or_default().push(sample.outcome);
    }

    /// The milliseconds of the cellular leg.
    pub fn leg_ms(&self, cell: Cell, subject: Subject) -> Option<Summary> {
        let outcomes = self.0.get(&(cell, subject))?;
        Summary::of(outcomes.iter().map(|outcome| match outcome {
            Ok((timing, _)) => timing.leg.as_secs_f64() * 1e3,
            Err(_) => f64::INFINITY,
        }))
    }

    /// For the verifications that succeeded.
    pub fn summary(
        &self,
        cell: Cell,
        subject: Subject,
        of: impl Fn(&Timing, &Counts) -> Option<f64>,
    ) -> Option<Summary> {
        let outcomes = self.0.get(&(cell, subject))?;
        Summary::of(outcomes.iter().filter_map(|outcome| of(&outcome.as_ref().ok()?.0, &outcome.as_ref().ok()?.1)))
    }

    pub fn count(&self, cell: Cell, subject: Subject) -> usize {
        self.0.get(&(cell, subject)).map_or(0, Vec::len)
    }

    pub fn failures(&self, cell: Cell, subject: Subject) -> usize {
        self.0.get(&(cell, subject)).map_or(0, |outcomes| outcomes.iter().filter(|outcome| outcome.is_err()).count())
    }

    /// The faster of OkHttp's two cold configurations.
    pub fn best_okhttp(&self, cell: Cell) -> Option<Summary> {
        let configurations = Subject::OKHTTP_COLD.into_iter().filter_map(|subject| self.leg_ms(cell, subject));
        configurations.min_by(|one, other| one.median.total_cmp(&other.median))
    }
}
