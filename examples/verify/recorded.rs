//! Reads a recorded trace, and puts it into words.

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::{fs, io};

use number_verify::Trace;
use serde_json::Value;

use crate::report::{FAILED, SUCCEEDED, plain, print};
use crate::usage;

/// The version of the JSON that this program reads (`docs/trace.schema.json`).
const VERSION: u64 = 1;

/// The format of a file that the simulator's page saves (`docs/simulator.md`).
const DOWNLOAD: &str = "number-verify-simulator/verification";

/// A trace, and the JSON that it was read from.
pub struct Recorded {
    pub trace: Trace,
    pub json: Value,
}

#[derive(Debug, thiserror::Error)]
pub enum BadFile {
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("it is not JSON: {0}")]
    NotJson(serde_json::Error),
    #[error("it is JSON and not a trace: it has no number `version` (docs/trace.schema.json)")]
    NoVersion,
    #[error("it is a verification of the simulator and not a trace: open it on the simulator's page")]
    Download,
    #[error("its version is {0}, and this program reads version {VERSION}")]
    OtherVersion(u64),
    #[error("it is not a trace (docs/trace.schema.json): {0}")]
    NotATrace(serde_json::Error),
}

impl Recorded {
    /// Reads a trace from a file, or from stdin for `-`.
    pub fn read(file: &Path) -> Result<Self, BadFile> {
        let text = if file == Path::new("-") {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text)?;
            text
        } else {
            fs::read_to_string(file)?
        };
        let mut json = parse(&text)?;
        // The output of `--json`.
        if json.get("trace").is_some_and(Value::is_object) {
            json = json["trace"].take();
        }
        if json.get("format").is_some_and(|format| format == DOWNLOAD) {
            return Err(BadFile::Download);
        }
        match json.get("version").and_then(Value::as_u64) {
            None => return Err(BadFile::NoVersion),
            Some(VERSION) => {}
            Some(other) => return Err(BadFile::OtherVersion(other)),
        }
        let trace = serde_json::from_value(json.clone()).map_err(BadFile::NotATrace)?;
        Ok(Self { trace, json })
    }
}

/// The whole text, or the last line that begins an object: that of the last flow with `--repeat`,
/// or of a text that a sample app shared.
fn parse(text: &str) -> Result<Value, BadFile> {
    serde_json::from_str(text).or_else(|error| {
        let line = text.lines().rev().find(|line| line.starts_with('{'));
        line.and_then(|line| serde_json::from_str(line).ok()).ok_or(BadFile::NotJson(error))
    })
}

pub fn explain(file: &Path) -> ExitCode {
    match Recorded::read(file) {
        Ok(recorded) => match print(recorded.trace.explain().trim_end()) {
            Ok(()) => ExitCode::from(SUCCEEDED),
            Err(_) => ExitCode::from(FAILED),
        },
        Err(error) => bad(file, &error),
    }
}

pub fn bad(file: &Path, error: &BadFile) -> ExitCode {
    usage(&format!("{}: {}", file.display(), plain(&error.to_string())))
}
