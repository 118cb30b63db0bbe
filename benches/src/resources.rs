//! The resources of a verification on the phone: instructions, memory and threads; many concurrent
//! verifications; and the languages.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::bindings::{self, Costs};
use crate::clients::ours::{Memory, Ours};
use crate::lab::chain::Scenario;
use crate::lab::{Conditions, Lab};
use crate::plan::RTT_MS;

/// The number of verifications over which callgrind's figure is averaged.
const MEASURED: u64 = 10;
/// Runs of callgrind; the one with the fewest instructions is used: they differ by a few per cent.
const RUNS: u32 = 3;
const AT_ONCE: [usize; 4] = [1, 10, 100, 1000];

pub struct Resources {
    pub instructions: Result<Vec<(Scenario, Instructions)>, String>,
    pub memory: Vec<(Scenario, Memory)>,
    pub at_once: Vec<AtOnce>,
    pub bindings: Costs,
}

/// The number of instructions.
#[derive(Clone, Copy)]
pub struct Instructions {
    pub new_verifier: u64,
    /// The first verification of a verifier.
    pub first: u64,
    /// Each further verification.
    pub next: u64,
}

/// Concurrent verifications on one verifier.
pub struct AtOnce {
    pub count: usize,
    pub failed: u64,
    pub wall: Duration,
    /// In addition to earlier allocations.
    pub peak_heap_bytes: u64,
    /// Of the whole process.
    pub peak_rss_kib: u64,
    pub threads: u64,
}

/// In a separate thread, because it moves into the phone's namespace.
pub fn measure(folder: &Path, is_quick: bool) -> Result<Resources> {
    std::thread::scope(|scope| {
        let measured = scope.spawn(|| {
            let lab = Lab::enter(&folder.join("resources"))?;
            eprintln!("instructions");
            lab.set(Conditions { rtt: Duration::from_millis(1), loss: 0.0, seed: 0 });
            let instructions = instructions(&lab, folder, is_quick)?;
            eprintln!("memory");
            let memory = Scenario::ALL.into_iter().map(|scenario| Ok((scenario, memory(&lab, scenario)?)));
            let memory = memory.collect::<Result<_>>()?;
            lab.set(Conditions { rtt: Duration::from_millis(RTT_MS.into()), loss: 0.0, seed: 0 });
            let counts = AT_ONCE.into_iter().filter(|count| !is_quick || *count <= 10);
            let at_once = counts.map(|count| at_once(&lab, count)).collect::<Result<_>>()?;
            let bindings = bindings::measure(&lab, is_quick)?;
            Ok(Resources { instructions, memory, at_once, bindings })
        });
        measured.join().map_err(|_| anyhow::anyhow!("the lab panicked"))?
    })
}

fn instructions(lab: &Lab, folder: &Path, is_quick: bool) -> Result<Result<Vec<(Scenario, Instructions)>, String>> {
    if is_quick {
        return Ok(Err("not in a quick run".to_owned()));
    }
    let version = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    let failure = version.map_or_else(|error| Some(error.to_string()), |it| (!it.success()).then(|| it.to_string()));
    if let Some(failure) = failure {
        return Ok(Err(format!("valgrind: {failure} (Debian: apt-get install valgrind)")));
    }
    let of = |scenario| -> Result<Instructions> {
        let fewest = |verifications| -> Result<u64> {
            let runs = (0..RUNS).map(|_| callgrind(lab, folder, scenario, verifications));
            runs.collect::<Result<Vec<_>>>()?.into_iter().min().context("no run")
        };
        let (program, new_verifier) = (fewest(None)?, fewest(Some(0))?);
        let (one, more) = (fewest(Some(1))?, fewest(Some(1 + MEASURED))?);
        Ok(Instructions {
            new_verifier: new_verifier.saturating_sub(program),
            first: one.saturating_sub(new_verifier),
            next: more.saturating_sub(one) / MEASURED,
        })
    };
    let all = Scenario::ALL.into_iter().map(|scenario| Ok((scenario, of(scenario)?)));
    Ok(Ok(all.collect::<Result<_>>()?))
}

/// The instructions of a process that creates a verifier, if any, and runs this many verifications
/// with it.
fn callgrind(lab: &Lab, folder: &Path, scenario: Scenario, verifications: Option<u64>) -> Result<u64> {
    let out = folder.join("callgrind.out");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--quiet"]).arg(format!("--callgrind-out-file={}", out.display()));
    lab.forget()?;
    let mut ours = Ours::start_under(valgrind, &lab.root_ca)?;
    if let Some(count) = verifications {
        ours.new_verifier(scenario)?;
        for _ in 0..count {
            ours.verify()?;
            ours.await_release()?;
        }
    }
    ours.finish()?;
    let profile = std::fs::read_to_string(&out)?;
    let totals = profile.lines().find_map(|line| line.strip_prefix("totals:")).context("callgrind's totals")?;
    Ok(totals.trim().parse()?)
}

/// For the second verification: the first one also fills the verifier's caches.
fn memory(lab: &Lab, scenario: Scenario) -> Result<Memory> {
    let mut ours = Ours::start(&lab.root_ca)?;
    ours.new_verifier(scenario)?;
    ours.verify()?;
    ours.await_release()?;
    let memory = ours.verify_and_measure_memory()?;
    ours.finish()?;
    Ok(memory)
}

/// In a separate process, whose memory is otherwise unused.
fn at_once(lab: &Lab, count: usize) -> Result<AtOnce> {
    eprintln!("{count} concurrent verifications");
    lab.forget()?;
    let mut ours = Ours::start(&lab.root_ca)?;
    ours.new_verifier(Scenario::S1)?;
    let report = ours.verify_many(count)?;
    ours.finish()?;
    let number = |name: &str| report[name].as_u64().with_context(|| format!("no {name} in {report}"));
    if let Value::String(error) = &report["first_failure"] {
        eprintln!("{count} concurrent verifications: {error}");
    }
    Ok(AtOnce {
        count,
        failed: number("failed")?,
        wall: Duration::from_micros(number("wall_us")?),
        peak_heap_bytes: number("peak_bytes")?,
        peak_rss_kib: number("peak_rss_kib")?,
        threads: number("threads")?,
    })
}
