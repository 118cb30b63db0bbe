//! OkHttp as an app would configure it: a cookie jar, and a redirect loop in the app that stops at
//! the redirect URI (`okhttp/`).

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{Timing, Worker, built, micros};
use crate::lab::chain::{REDIRECT_URI, Scenario, code, fresh_state};

pub struct OkHttp(Worker);

/// The origin of the connections and TLS sessions of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connections {
    /// A new client without any.
    New,
    /// The client of the previous chain, with its open connections.
    Reused,
}

impl OkHttp {
    pub fn start(class_path: &str, root_ca: &Path) -> Result<Self> {
        let mut java = Command::new("java");
        java.args(["-Xmx256m", "-XX:+UseSerialGC", "-cp", class_path, "Chain"]).arg(root_ca);
        Worker::start(&mut java).map(Self)
    }

    /// The class path built by `scripts/bench`, or the reason why it is missing.
    pub fn class_path() -> Result<String, String> {
        built("BENCH_OKHTTP")
    }

    /// Follows the chain and checks its code.
    pub fn follow(&mut self, scenario: Scenario, no_delay: bool, connections: Connections) -> Result<Timing> {
        let state = fresh_state();
        let reused = connections == Connections::Reused;
        let report = self.0.request(&format!("{reused} {no_delay} {} {REDIRECT_URI}", scenario.auth_url(&state)))?;
        let location = report["location"].as_str().context("no location")?;
        ensure!(location.contains(&code(&state)), "OkHttp arrived at {location}");
        Ok(Timing { leg: micros(&report, "leg_us")?, total: None, cpu: Some(micros(&report, "cpu_us")?) })
    }
}
