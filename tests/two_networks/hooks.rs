//! Lets a test act at a defined moment of a flow: between two of its hops.
//!
//! Log lines are written by the thread that drives the flow, which blocks meanwhile. A progress
//! listener is not suitable: it runs on a separate thread, and the flow continues.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, Once};

use log::{LevelFilter, Log, Metadata, Record};

/// Receives the index of each hop that received a response.
pub type Hook = Arc<dyn Fn(u32) + Send + Sync>;

/// By network namespace: each phone has its own.
static HOOKS: LazyLock<Mutex<HashMap<PathBuf, Hook>>> = LazyLock::new(Mutex::default);

/// Sets the hook of the calling thread's phone.
pub fn set(hook: impl Fn(u32) + Send + Sync + 'static) {
    static LOGGER: Once = Once::new();
    LOGGER.call_once(|| {
        log::set_logger(&Logger).expect("the only logger");
        log::set_max_level(LevelFilter::Debug);
    });
    HOOKS.lock().unwrap().insert(phone(), Arc::new(hook));
}

fn phone() -> PathBuf {
    fs::read_link("/proc/thread-self/ns/net").expect("a network namespace")
}

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "number_verify"
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        if let Some(hop) = hop(&record.args().to_string()) {
            let hook = HOOKS.lock().unwrap().get(&phone()).cloned();
            hook.expect("a hook for each phone")(hop);
        }
    }

    fn flush(&self) {}
}

fn hop(line: &str) -> Option<u32> {
    line.split_once(": hop ")?.1.split_once(',')?.0.parse().ok()
}
