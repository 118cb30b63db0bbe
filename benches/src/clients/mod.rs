//! The clients that are compared. Each is a process in the phone's namespace; it knows nothing of the lab.

pub mod curl;
pub mod okhttp;
pub mod ours;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::Value;

/// What is compared.
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
    /// What an app's own client costs when the number's screen opens for the first time.
    pub const OKHTTP_COLD: [Self; 2] = [Self::OkHttpCold, Self::OkHttpNoDelayCold];

    pub fn name(self) -> &'static str {
        match self {
            Self::OursCold => "number-verify, cold",
            Self::OursRepeated => "number-verify, repeated",
            Self::OursPrepared => "number-verify, prepared",
            Self::OkHttpCold => "OkHttp, cold",
            Self::OkHttpNoDelayCold => "OkHttp + TCP_NODELAY, cold",
            Self::OkHttpRepeated => "OkHttp, open connections kept",
            Self::OkHttpNoDelayRepeated => "OkHttp + TCP_NODELAY, kept",
            Self::CurlCold => "curl",
        }
    }
}

/// How long one chain took.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// The requests over the cellular link.
    pub leg: Duration,
    /// With the calls to the backend, if the client makes them.
    pub total: Option<Duration>,
    /// Of the whole process, meanwhile.
    pub cpu: Option<Duration>,
}

/// A process that takes a line and reports a line of JSON.
pub struct Worker {
    child: Child,
    requests: ChildStdin,
    reports: BufReader<ChildStdout>,
}

impl Worker {
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().with_context(|| format!("{command:?}"))?;
        let requests = child.stdin.take().context("a pipe")?;
        let reports = BufReader::new(child.stdout.take().context("a pipe")?);
        Ok(Self { child, requests, reports })
    }

    /// What the process reports; an error if that is one.
    pub fn ask(&mut self, line: &str) -> Result<Value> {
        writeln!(self.requests, "{line}")?;
        self.requests.flush()?;
        let mut report = String::new();
        ensure!(self.reports.read_line(&mut report)? > 0, "the client ended at {line:?}");
        let report: Value = serde_json::from_str(&report).with_context(|| report.clone())?;
        ensure!(report["error"].is_null(), "{}", report["error"]);
        Ok(report)
    }

    /// Waits until the process has ended by itself.
    pub fn finish(mut self) -> Result<()> {
        drop(self.requests);
        ensure!(self.child.wait()?.success(), "the client failed");
        Ok(())
    }
}

/// A member of a report, in microseconds.
fn micros(report: &Value, name: &str) -> Result<Duration> {
    let micros = report[name].as_u64().with_context(|| format!("no {name} in {report}"))?;
    Ok(Duration::from_micros(micros))
}
