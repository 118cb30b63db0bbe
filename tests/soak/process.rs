//! Resources of this process at one moment, as counted by its allocator and the kernel (proc(5)).

use std::fs;

use crate::memory;

#[derive(Debug, Clone, Copy)]
pub struct Process {
    pub heap_bytes: usize,
    /// Values that only Linux counts in this way are zero elsewhere.
    pub rss_kib: u64,
    pub threads: u64,
    pub files: usize,
}

impl Process {
    pub fn now() -> Self {
        let heap_bytes = memory::live_bytes();
        // The directory being read is one of the open files.
        let files = fs::read_dir("/proc/self/fd").map_or(0, |files| files.count().saturating_sub(1));
        Self { heap_bytes, rss_kib: status("VmRSS"), threads: status("Threads"), files }
    }
}

fn status(field: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value.and_then(|value| value.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}
