//! The clients that are compared. Each is a process in the phone's namespace; it does not depend on
//! the lab.

pub mod curl;
pub mod okhttp;
pub mod ours;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::time::ClockId;
use nix::unistd::Pid;
use serde::Serialize;
use serde_json::Value;

/// The clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Subject {
    OursCold,
    OursRepeated,
    OursPrepared,
    OkHttpCold,
    OkHttpNoDelayCold,
    OkHttpRepeated,
    OkHttpNoDelayRepeated,
    CurlCold,
}

impl Subject {
    pub const ALL: [Self; 8] = [
        Self::OursCold,
        Self::OursRepeated,
        Self::OursPrepared,
        Self::OkHttpCold,
        Self::OkHttpNoDelayCold,
        Self::OkHttpRepeated,
        Self::OkHttpNoDelayRepeated,
        Self::CurlCold,
    ];
    /// The configurations of an app's own client when the phone-number screen opens for the first
    /// time.
    pub const OKHTTP_COLD: [Self; 2] = [Self::OkHttpCold, Self::OkHttpNoDelayCold];

    pub fn name(self) -> &'static str {
        match self {
            Self::OursCold => "number-verify, cold",
            Self::OursRepeated => "number-verify, repeated",
            Self::OursPrepared => "number-verify, prepared",
            Self::OkHttpCold => "OkHttp, cold",
            Self::OkHttpNoDelayCold => "OkHttp + TCP_NODELAY, cold",
            Self::OkHttpRepeated => "OkHttp, reused connections",
            Self::OkHttpNoDelayRepeated => "OkHttp + TCP_NODELAY, reused",
            Self::CurlCold => "curl",
        }
    }
}

/// The duration of one redirect chain.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// The requests over the cellular link.
    pub leg: Duration,
    /// Including the calls to the backend, if the client makes them.
    pub total: Option<Duration>,
    /// CPU time of the whole process during that time.
    pub cpu: Option<Duration>,
}

/// Longer than any verification takes, including one that fails by its own timeouts.
const TIMEOUT: Duration = Duration::from_mins(2);

/// A process that reads a line and reports a line of JSON.
pub struct Worker {
    child: Child,
    requests: ChildStdin,
    reports: mpsc::Receiver<String>,
}

/// The client's process does not work. This is not the result of a verification: the run cannot
/// continue.
#[derive(Debug)]
pub struct Broken(String);

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

impl Worker {
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().with_context(|| format!("{command:?}"))?;
        let requests = child.stdin.take().context("a pipe")?;
        let lines = BufReader::new(child.stdout.take().context("a pipe")?).lines();
        let (report, reports) = mpsc::channel();
        // A pipe has no timeout.
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| report.send(line)));
        Ok(Self { child, requests, reports })
    }

    /// The CPU time of all threads of the process so far.
    pub fn cpu(&self) -> Result<Duration> {
        let process = Pid::from_raw(self.child.id().try_into()?);
        Ok(ClockId::pid_cpu_clock_id(process)?.now()?.into())
    }

    /// The process's report; an error if it reports one, [`Broken`] if it reports nothing.
    pub fn request(&mut self, line: &str) -> Result<Value> {
        let broken = |why: &str| Broken(format!("the client {why} at {line:?}"));
        writeln!(self.requests, "{line}").map_err(|error| broken(&error.to_string()))?;
        let report = match self.reports.recv_timeout(TIMEOUT) {
            Ok(report) => report,
            Err(RecvTimeoutError::Disconnected) => return Err(broken("ended").into()),
            Err(RecvTimeoutError::Timeout) => {
                // Otherwise it would outlive the benchmark.
                let _ = self.child.kill();
                return Err(broken(&format!("hung for {} s", TIMEOUT.as_secs())).into());
            }
        };
        let report: Value = serde_json::from_str(&report).map_err(|_| broken(&format!("reported {report:?}")))?;
        ensure!(report["error"].is_null(), "{}", report["error"]);
        Ok(report)
    }

    /// Waits until the process has ended on its own.
    pub fn finish(mut self) -> Result<()> {
        drop(self.requests);
        if self.reports.recv_timeout(TIMEOUT) != Err(RecvTimeoutError::Disconnected) {
            let _ = self.child.kill();
        }
        ensure!(self.child.wait()?.success(), "the client failed");
        Ok(())
    }
}

/// The artefact that `scripts/bench` has built, by the name of its variable, or the reason why it
/// is missing.
pub fn built(name: &str) -> Result<String, String> {
    let reason = || std::env::var(format!("{name}_SKIPPED")).unwrap_or_else(|_| "scripts/bench builds it".to_owned());
    std::env::var(name).map_err(|_| reason())
}

/// A member of a report, in microseconds.
fn micros(report: &Value, name: &str) -> Result<Duration> {
    let micros = report[name].as_u64().with_context(|| format!("no {name} in {report}"))?;
    Ok(Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_that_ends_or_reports_no_json_is_broken() {
        let ended = Worker::start(&mut Command::new("true")).unwrap().request("verify").unwrap_err();
        assert!(ended.is::<Broken>());
        let mut echo = Worker::start(&mut Command::new("cat")).unwrap();
        assert!(echo.request("verify").unwrap_err().is::<Broken>());
        assert!(!echo.request(r#"{"error": "not verified"}"#).unwrap_err().is::<Broken>());
        assert!(echo.request("{}").is_ok());
        echo.finish().unwrap();
    }
}
