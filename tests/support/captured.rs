//! Everything that this process logs, through `log` or `tracing`, at trace level.

use std::io;
use std::sync::{Mutex, Once};

static TEXT: Mutex<String> = Mutex::new(String::new());

pub fn start() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).with_writer(|| Log).init();
        log::trace!("log is captured");
        tracing::trace!("tracing is captured");
    });
}

pub fn text() -> String {
    let text = TEXT.lock().unwrap().clone();
    assert!(text.contains("log is captured") && text.contains("tracing is captured"));
    text
}

/// Asserts that the text contains none of the secrets.
pub fn assert_without(text: &str, secrets: &[String], what: &str) {
    let lower = text.to_lowercase();
    for secret in secrets {
        if let Some(at) = lower.find(&secret.to_lowercase()) {
            let start = (0..=at.saturating_sub(200)).rev().find(|at| lower.is_char_boundary(*at)).unwrap_or_default();
            panic!("{what}: found {secret} in …{}", &lower[start..at + secret.len()]);
        }
    }
}

struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        TEXT.lock().unwrap().push_str(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
