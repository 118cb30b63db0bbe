//! This library: a `NumberVerifier` whose cellular leg is bound to the lab's cellular interface,
//! with its own backend client.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Timing, Worker, micros};
use crate::lab::chain::Scenario;

pub struct Ours(Worker);

/// The allocations of one verification.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    pub allocations: u64,
    pub peak_bytes: u64,
}

impl Ours {
    pub fn start(root_ca: &Path) -> Result<Self> {
        Self::start_as(Command::new(std::env::current_exe()?), root_ca)
    }

    /// The same under a tool, such as valgrind, that takes the program as its next argument.
    pub fn start_under(mut tool: Command, root_ca: &Path) -> Result<Self> {
        tool.arg(std::env::current_exe()?);
        Self::start_as(tool, root_ca)
    }

    fn start_as(mut command: Command, root_ca: &Path) -> Result<Self> {
        Worker::start(command.arg("phone").arg(root_ca)).map(Self)
    }

    pub fn new_verifier(&mut self, scenario: Scenario) -> Result<()> {
        self.0.request(&format!("new {}", scenario.name())).map(drop)
    }

    pub fn verify(&mut self) -> Result<Timing> {
        let report = self.0.request("verify")?;
        Ok(Timing {
            leg: micros(&report, "leg_us")?,
            total: Some(micros(&report, "total_us")?),
            cpu: Some(micros(&report, "cpu_us")?),
        })
    }

    pub fn verify_and_measure_memory(&mut self) -> Result<Memory> {
        let report = self.0.request("verify")?;
        let number = |name: &str| report[name].as_u64().with_context(|| format!("no {name} in {report}"));
        Ok(Memory { allocations: number("allocations")?, peak_bytes: number("peak_bytes")? })
    }

    pub fn await_release(&mut self) -> Result<()> {
        self.0.request("release").map(drop)
    }

    pub fn prepare(&mut self) -> Result<()> {
        self.0.request("prepare").map(drop)
    }

    pub fn verify_many(&mut self, count: usize) -> Result<Value> {
        self.0.request(&format!("many {count}"))
    }

    /// For other commands.
    pub fn into_worker(self) -> Worker {
        self.0
    }

    pub fn finish(self) -> Result<()> {
        self.0.finish()
    }
}
