//! Compares the medians of a run with those of the previous run on this machine, to show whether a
//! second run is within the noise of the first.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::clients::Subject;
use crate::plan::{Plan, Samples};

#[derive(Serialize, Deserialize)]
struct Median {
    ms: f64,
    noise_ms: f64,
}

/// A sentence about the previous run, if there was one, and this run's medians for the next one.
pub fn compare(samples: &Samples, plan: &Plan, file: &Path) -> Result<Option<String>> {
    let mut now = BTreeMap::new();
    for cell in plan.cells() {
        for subject in Subject::ALL {
            if let Some(summary) = samples.leg_ms(cell, subject).filter(|summary| summary.upper_quartile.is_finite()) {
                let name =
                    format!("{} {} ms {} %, {}", cell.scenario.name(), cell.rtt_ms, cell.loss_percent, subject.name());
                now.insert(name, Median { ms: summary.median, noise_ms: summary.noise() });
            }
        }
    }
    let before: Option<BTreeMap<String, Median>> =
        std::fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok());
    std::fs::write(file, serde_json::to_vec_pretty(&now)?)?;
    Ok(before.map(|before| sentence(&before, &now)))
}

fn sentence(before: &BTreeMap<String, Median>, now: &BTreeMap<String, Median>) -> String {
    let both: Vec<_> = now.iter().filter_map(|(name, new)| Some((name, before.get(name)?, new))).collect();
    let excess = |old: &Median, new: &Median| (new.ms - old.ms).abs() - old.noise_ms - new.noise_ms;
    let outside = both.iter().filter(|(_, old, new)| excess(old, new) > 0.0).count();
    let most = both.iter().max_by(|one, other| excess(one.1, one.2).total_cmp(&excess(other.1, other.2)));
    let most = most.map_or_else(String::new, |(name, old, new)| {
        format!(
            " The one that differs most beyond it, or comes nearest to that: {name}, {:.0} ms then and {:.0} ms now.",
            old.ms, new.ms
        )
    });
    format!("{} of {} medians are within the noise of the run before.{most}", both.len() - outside, both.len())
}
