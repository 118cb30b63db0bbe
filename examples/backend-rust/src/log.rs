//! The log: one JSON object a line, on stderr. It never holds a query, body, header, number, code, state, session or token, nor any text
//! that a peer chose, except the reason of an abort, in which there are no digits.

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
    // Standard error is not buffered: a line in one write cannot be read, or mixed with others, by halves.
    let text = format!("{}\n", Value::Object(line));
    // Where nobody reads the log, there is nobody to tell.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Panics are logged like everything else, without their text: it may quote what came in.
pub fn panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line()));
        error("panicked", json!({ "where": place }));
    }));
}
