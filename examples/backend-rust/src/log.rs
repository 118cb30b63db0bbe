//! The log: one JSON object per line, on stderr. Never a query, body, header, number, code, state,
//! session or token. The only text from a request is the reason of an abort, which has no digits.

use std::io::Write;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

pub fn info(event: &str, members: Value) {
    line("info", event, members);
}

pub fn warning(event: &str, members: Value) {
    line("warning", event, members);
}

pub fn error(event: &str, members: Value) {
    line("error", event, members);
}

fn line(level: &str, event: &str, members: Value) {
    let mut line = Map::new();
    line.insert("time".to_owned(), format!("{:.3}", Timestamp::now()).into());
    line.insert("level".to_owned(), level.into());
    line.insert("event".to_owned(), event.into());
    if let Value::Object(members) = members {
        line.extend(members);
    }
    // Standard error is not buffered: a single write keeps the line whole.
    let text = format!("{}\n", Value::Object(line));
    // A closed stderr must not fail the request.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Logs panics without their text, which may quote a request.
pub fn panics() {
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(|location| format!("{}:{}", location.file(), location.line()));
        error("panicked", json!({ "where": location }));
    }));
}
