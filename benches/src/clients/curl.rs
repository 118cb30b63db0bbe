//! curl as one process for a whole redirect chain: `--location` with its cookie engine on, and a
//! redirect limit of one less than the number of requests, so that it stops before the redirect
//! URI. An app could not know that number; curl has no other way to stop there.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Timing;
use crate::lab::chain::{Scenario, code, fresh_state};

/// curl's exit status when it reaches the redirect limit.
const TOO_MANY_REDIRECTS: i32 = 47;

/// curl's version, or the reason why it cannot be run.
pub fn version() -> Result<String, String> {
    let failed = |error| format!("curl: {error} (Debian: apt-get install curl)");
    let output = Command::new("curl").arg("--version").output().map_err(failed)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().nth(1).map(str::to_owned).ok_or_else(|| "curl --version prints no version".to_owned())
}

/// Follows the chain and checks its code. The time is reported by curl, without the start of its
/// process.
pub fn follow(scenario: Scenario, root_ca: &Path) -> Result<Timing> {
    let state = fresh_state();
    let redirects = (scenario.requests() - 1).to_string();
    let output = Command::new("curl")
        .args(["--silent", "--location", "--max-redirs", &redirects, "--cookie", "", "--output", "/dev/null"])
        .args(["--max-time", "60", "--write-out", "%{time_total} %{redirect_url}", "--cacert"])
        .arg(root_ca)
        .arg(scenario.auth_url(&state))
        .stderr(Stdio::null())
        .output()?;
    ensure!(output.status.code() == Some(TOO_MANY_REDIRECTS), "curl ended with {}", output.status);
    let text = String::from_utf8(output.stdout)?;
    let (seconds, location) = text.split_once(' ').context("curl reported nothing")?;
    ensure!(location.contains(&code(&state)), "curl arrived at {location}");
    Ok(Timing { leg: Duration::from_secs_f64(seconds.parse()?), total: None, cpu: None })
}
