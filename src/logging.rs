//! Log output: off by default.
//!
//! Every line is one [`Event`]: a closed list whose parts are progress, errors and results, none of
//! which can hold a secret.

use std::fmt;
use std::sync::OnceLock;

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::error::VerifyError;
use crate::progress::Progress;
use crate::purpose::FlowValue;

const TARGET: &str = "number_verify";

/// The log level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum LogLevel {
    /// Errors in the app's own code.
    Warn,
    /// Also the end of each verification.
    Info,
    /// Also each step and each intermediate response.
    Debug,
}

/// Enables logging to the system log: logcat on Android, the unified log on Apple systems, stderr
/// elsewhere. Off by default. Call it again to change the level. Contains no code, number, cookie
/// or query.
///
/// A Rust app that has installed a logger keeps it; that logger receives the levels it enables.
#[uniffi::export]
pub fn log_to_system(level: LogLevel) {
    static OURS: OnceLock<bool> = OnceLock::new();
    if *OURS.get_or_init(|| log::set_boxed_logger(Box::new(System::new())).is_ok()) {
        log::set_max_level(match level {
            LogLevel::Warn => LevelFilter::Warn,
            LogLevel::Info => LevelFilter::Info,
            LogLevel::Debug => LevelFilter::Debug,
        });
    }
}

/// One line of the log.
pub(crate) enum Event<'a> {
    Progress(&'a Progress),
    Ended(&'a FlowValue),
    Failed(&'a VerifyError),
    ListenerFailed,
    NotReleased,
    HintsIgnored { count: usize },
}

impl Event<'_> {
    pub(crate) fn log(&self) {
        log::log!(target: TARGET, self.level(), "{self}");
    }

    fn level(&self) -> Level {
        match self {
            Self::Progress(_) => Level::Debug,
            Self::Ended(_) | Self::Failed(_) => Level::Info,
            Self::ListenerFailed | Self::NotReleased | Self::HintsIgnored { .. } => Level::Warn,
        }
    }
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Progress(progress) => progress.fmt(f),
            Self::Ended(FlowValue::Verified(true)) => f.write_str("verified"),
            Self::Ended(FlowValue::Verified(false)) => f.write_str("not verified"),
            Self::Ended(FlowValue::Number(_)) => f.write_str("number retrieved"),
            Self::Failed(error) => write!(f, "{error} ({})", error.fallback()),
            Self::ListenerFailed => f.write_str("the progress listener failed"),
            Self::NotReleased => f.write_str("the cellular provider did not release the network"),
            Self::HintsIgnored { count } => {
                write!(f, "{count} hints of the start response are ignored: invalid, or more than the limit")
            }
        }
    }
}

/// The system log, for this library's lines only.
struct System(Sink);

impl System {
    fn new() -> Self {
        Self(Sink::new())
    }
}

impl Log for System {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.write(record);
        }
    }

    fn flush(&self) {}
}

#[cfg(target_os = "android")]
struct Sink(android_logger::AndroidLogger);

#[cfg(target_os = "android")]
impl Sink {
    fn new() -> Self {
        let config = android_logger::Config::default().with_tag("number-verify").with_max_level(LevelFilter::Trace);
        Self(android_logger::AndroidLogger::new(config))
    }

    fn write(&self, record: &Record<'_>) {
        self.0.log(record);
    }
}

#[cfg(target_vendor = "apple")]
struct Sink(oslog::OsLog);

#[cfg(target_vendor = "apple")]
impl Sink {
    fn new() -> Self {
        Self(oslog::OsLog::new("number-verify", "flow"))
    }

    fn write(&self, record: &Record<'_>) {
        let level = match record.level() {
            Level::Error | Level::Warn => oslog::Level::Error,
            Level::Info => oslog::Level::Default,
            Level::Debug | Level::Trace => oslog::Level::Debug,
        };
        self.0.with_level(level, &record.args().to_string());
    }
}

#[cfg(not(any(target_os = "android", target_vendor = "apple")))]
struct Sink;

#[cfg(not(any(target_os = "android", target_vendor = "apple")))]
impl Sink {
    fn new() -> Self {
        Self
    }

    #[allow(clippy::unused_self)]
    fn write(&self, record: &Record<'_>) {
        eprintln!("number-verify {}: {}", record.level(), record.args());
    }
}
