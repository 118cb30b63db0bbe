//! Records what disturbed the phone and when, and therefore which results are allowed.

use std::collections::BTreeMap;
use std::sync::Mutex;

use number_verify::CellularCause;
use tokio::time::{Duration, Instant};

use crate::faults::{FAULTS, VERIFIED};
use crate::plan::Planned;

pub const CANCELLED: &str = "cancelled";
const DEADLINE: &str = "deadline_exceeded";

#[derive(Default)]
pub struct Ledger {
    disturbances: Mutex<Vec<Disturbance>>,
    results: Mutex<BTreeMap<String, usize>>,
    /// Violations.
    broken: Mutex<Vec<String>>,
}

struct Disturbance {
    until: Instant,
    result: String,
}

impl Ledger {
    /// For this long, starting now, a verification cannot have the network, for this reason.
    pub fn no_network(&self, lasts: Duration, reason: CellularCause) {
        let reason = serde_json::to_value(reason).unwrap();
        self.disturbed(lasts, format!("cellular_unavailable/{}", reason.as_str().unwrap()));
    }

    pub fn suspended(&self) {
        self.disturbed(Duration::ZERO, DEADLINE.to_owned());
    }

    fn disturbed(&self, lasts: Duration, result: String) {
        self.disturbances.lock().unwrap().push(Disturbance { until: Instant::now() + lasts, result });
    }

    /// Records the result of a verification that began at this time.
    pub fn ended(&self, planned: &Planned, began: Instant, result: String) {
        let expected = planned.fault.map_or(VERIFIED, |fault| FAULTS[fault].2);
        let is_cancelled = planned.cancelled_after.is_some() && result == CANCELLED;
        if result != expected && !is_cancelled && !self.is_disturbed(began, &result) {
            let meets = planned.fault.map_or("nothing", |fault| FAULTS[fault].0);
            self.broke(format!("{planned:?} meets {meets}: {result}"));
        }
        *self.results.lock().unwrap().entry(result).or_default() += 1;
    }

    /// Records the result of a preparation that began at this time.
    pub fn prepared(&self, began: Instant, result: String) {
        if result != VERIFIED && !self.is_disturbed(began, &result) {
            self.broke(format!("prepare: {result}"));
        }
    }

    fn is_disturbed(&self, began: Instant, result: &str) -> bool {
        self.disturbances.lock().unwrap().iter().any(|it| it.until >= began && it.result == result)
    }

    pub fn broke(&self, what: String) {
        eprintln!("{what}");
        self.broken.lock().unwrap().push(what);
    }

    pub fn is_broken(&self) -> bool {
        !self.broken.lock().unwrap().is_empty()
    }

    /// Requires that no verification is running.
    pub fn forget(&self) {
        *self.disturbances.lock().unwrap() = Vec::new();
    }

    pub fn results(&self) -> BTreeMap<String, usize> {
        self.results.lock().unwrap().clone()
    }
}
