//! The system log, which is stderr on Linux. Each level runs in a separate process, because a
//! process has a single logger.
#![cfg(all(target_os = "linux", feature = "http-backend"))]

use std::env;
use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use number_verify::{
    CellularCause, CellularError, CellularProvider, CellularStatus, Config, ListenerError, LogLevel, NetworkBinding,
    NetworkEvents, NumberVerifier, Progress, ProgressListener, log_to_system,
};

const LEVEL: &str = "NUMBER_VERIFY_LEVEL";
const NUMBER: &str = "+14155550100";

struct NoSim;

#[async_trait]
impl CellularProvider for NoSim {
    async fn acquire(&self, _: Arc<NetworkEvents>) -> Result<NetworkBinding, CellularError> {
        Err(CellularError::Unavailable { reason: CellularCause::NoSim })
    }

    async fn release(&self) -> Result<(), CellularError> {
        Err(CellularError::Failed)
    }

    async fn status(&self) -> Result<CellularStatus, CellularError> {
        Ok(CellularStatus::Ready)
    }
}

struct Throws;

impl ProgressListener for Throws {
    fn on_progress(&self, _: Progress) -> Result<(), ListenerError> {
        Err(ListenerError::Failed)
    }
}

#[test]
fn each_level_logs_its_lines_and_never_the_number() {
    if let Ok(level) = env::var(LEVEL) {
        return in_child_process(&level);
    }
    for (level, warns, ends, steps) in [
        ("none", false, false, false),
        ("warn", true, false, false),
        ("info", true, true, false),
        ("debug", true, true, true),
    ] {
        let this = ["--exact", "each_level_logs_its_lines_and_never_the_number", "--nocapture"];
        let child = Command::new(env::current_exe().unwrap()).args(this).env(LEVEL, level).output().unwrap();
        let log = String::from_utf8(child.stderr).unwrap();
        assert!(child.status.success(), "{log}");
        assert_eq!(log.contains("number-verify WARN: the progress listener failed\n"), warns, "{level}: {log}");
        let not_released = "number-verify WARN: the cellular provider did not release the network\n";
        assert_eq!(log.contains(not_released), warns, "{level}: {log}");
        assert_eq!(log.contains("number-verify INFO: "), ends, "{level}: {log}");
        assert_eq!(log.contains("number-verify DEBUG: "), steps, "{level}: {log}");
        assert!(!log.contains("4155550100") && !log.contains("of another library"), "{level}: {log}");
    }
}

fn in_child_process(level: &str) {
    // The first call installs the logger; every call sets the level.
    match level {
        "warn" => log_to_system(LogLevel::Warn),
        "info" => log_to_system(LogLevel::Info),
        "debug" => {
            log_to_system(LogLevel::Warn);
            log_to_system(LogLevel::Debug);
        }
        _ => {}
    }
    log::error!(target: "another", "of another library");
    // Nothing listens on this port.
    let config = Config::new("https://127.0.0.1:9".to_owned());
    let verifier = NumberVerifier::new(config, Arc::new(NoSim), None).unwrap();
    let test = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let flow = verifier.begin(NUMBER.to_owned(), Some(Arc::new(Throws)));
    assert!(test.block_on(flow.result()).is_err());
    // Nothing is released or logged after this.
    let ended = verifier.ended();
    drop((flow, verifier));
    test.block_on(ended);
    log::logger().flush();
}
