//! OkHttp as an app would configure it: a cookie jar, and a loop of the app's own that stops at the redirect URI (`okhttp/`).

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{Timing, Worker, built, micros};
use crate::lab::chain::{REDIRECT_URI, Scenario, code, fresh_state};

pub struct OkHttp(Worker);

/// Where the connections and TLS sessions of a chain come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connections {
    /// A new client has none.
    New,
    /// The client of the chain before, with its open connections.
    Reused,
}

impl OkHttp {
    pub fn start(class_path: &str, root_ca: &Path) -> Result<Self> {
        let mut java = Command::new("java");
        java.args(["-Xmx256m", "-XX:+UseSerialGC", "-cp", class_path, "Chain"]).arg(root_ca);
        Worker::start(&mut java).map(Self)
    }

    /// What `scripts/bench` has built, or why it has not.
    pub fn class_path() -> Result<String, String> {
        built("BENCH_OKHTTP")
    }

    /// Follows the chain and checks that its code is the right one.
    pub fn follow(&mut self, scenario: Scenario, no_delay: bool, connections: Connections) -> Result<Timing> {
        let state = fresh_state();
        let reused = connections == Connections::Reused;
        let report = self.0.ask(&format!("{reused} {no_delay} {} {REDIRECT_URI}", scenario.auth_url(&state)))?;
        let location = report["location"].as_str().context("no location")?;
        ensure!(location.contains(&code(&state)), "OkHttp arrived at {location}");
        Ok(Timing { leg: micros(&report, "leg_us")?, total: None, cpu: Some(micros(&report, "cpu_us")?) })
    }
}
