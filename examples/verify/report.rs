//! Reports the outcome of a flow.

use std::io::Write;

use number_verify::{Trace, VerifyError};

pub const SUCCEEDED: u8 = 0;
pub const NOT_VERIFIED: u8 = 1;
pub const USAGE: u8 = 2;
pub const FAILED: u8 = 3;

pub enum Outcome {
    Verified(bool),
    Number(String),
}

pub fn report(json: bool, result: Result<Outcome, VerifyError>, trace: &Trace) -> u8 {
    let written = if json {
        let trace = trace.to_json();
        print(&match &result {
            Ok(Outcome::Verified(verified)) => format!(r#"{{"verified":{verified},"trace":{trace}}}"#),
            Ok(Outcome::Number(number)) => format!(r#"{{"phoneNumber":"{number}","trace":{trace}}}"#),
            Err(error) => format!(r#"{{"error":{},"trace":{trace}}}"#, error.to_json()),
        })
    } else {
        eprint!("{}", trace.to_table());
        print(&match &result {
            Ok(Outcome::Verified(true)) => "verified".to_owned(),
            Ok(Outcome::Verified(false)) => "not verified".to_owned(),
            Ok(Outcome::Number(number)) => number.clone(),
            Err(error) => format!("error: {error} (recommended action: {})", error.fallback()),
        })
    };
    match result {
        _ if written.is_err() => FAILED,
        Ok(Outcome::Verified(false)) => NOT_VERIFIED,
        Ok(_) => SUCCEEDED,
        Err(_) => FAILED,
    }
}

pub fn print(line: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// A text from a file: its control characters could control the terminal, or pass for other lines.
pub fn plain(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}
