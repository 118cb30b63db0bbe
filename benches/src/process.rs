//! Memory and threads of a process, as reported by the kernel (proc(5)).

use std::fs;

use anyhow::{Context, Result};

/// A field of `/proc/PID/status`: `VmRSS` and `VmHWM` in KiB, `Threads`.
pub fn status(process: &str, field: &str) -> Result<u64> {
    let file = format!("/proc/{process}/status");
    let text = fs::read_to_string(&file).context(file)?;
    let line =
        text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).context("a field of status")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
