//! `explain` and `replay` of `examples/verify`, with the recorded traces in `tests/traces`.

#![cfg(target_os = "linux")]

use std::collections::VecDeque;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::thread;

/// Replays wait for timeouts most of the time.
const THREADS: usize = 6;

fn program() -> Command {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().unwrap().parent().unwrap().join("examples/verify");
    assert!(built.exists(), "{} does not exist: run cargo build --example verify", built.display());
    Command::new(built)
}

fn verify(arguments: &[&str], stdin: &str) -> Output {
    let mut command = program();
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes()); // It may have ended already.
    child.wait_with_output().unwrap()
}

fn text(output: &[u8]) -> String {
    String::from_utf8(output.to_vec()).unwrap()
}

fn recorded() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    paths.sort();
    paths
}

#[test]
fn explain_prints_the_recorded_text() {
    for path in recorded() {
        let output = verify(&["explain", path.to_str().unwrap()], "");
        let expected = fs::read_to_string(path.with_extension("txt")).unwrap();
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), expected), "{}", path.display());
    }
}

/// A trace, the output of `--json`, or a text that a sample app shared.
#[test]
fn explain_reads_every_form_from_stdin() {
    let run = verify(&["--json", "--no-cleartext", "--repeat", "2"], "");
    assert_eq!(run.status.code(), Some(3), "{}", text(&run.stderr));
    let flows = text(&run.stdout);
    let last: serde_json::Value = serde_json::from_str(flows.lines().last().unwrap()).unwrap();
    let trace = last["trace"].to_string();
    let shared = format!("Failed after 1 ms\n\nhop table {{\n{trace}\n");
    let explanation = verify(&["explain", "-"], &trace);
    assert_eq!(explanation.status.code(), Some(0));
    let explanation = text(&explanation.stdout);
    assert!(explanation.contains("kind authorization, step authorize, cause forbidden_redirect"), "{explanation}");
    assert!(explanation.contains("\nNote: the connections were not bound"), "{explanation}");
    for input in [&flows, &format!("{last:#}"), &shared] {
        let output = verify(&["explain", "-"], input);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), explanation.clone()), "{input}");
    }
}

#[test]
fn file_that_is_not_a_trace_is_a_usage_error() {
    for (input, expected) in [
        ("", "it is not JSON"),
        ("hello", "it is not JSON"),
        ("{\"version\":1", "it is not JSON"),
        ("[]", "it has no number `version`"),
        ("{}", "it has no number `version`"),
        ("{\"version\":\"1\"}", "it has no number `version`"),
        ("{\"version\":2}", "its version is 2, and this program reads version 1"),
        ("{\"version\":1,\"hops\":{}}", "it is not a trace"),
        (
            "{\"version\":1,\"format\":\"number-verify-simulator/verification\"}",
            "it is a verification of the simulator",
        ),
        ("{\"version\":1,\"hops\":[{\"status\":-1}]}", "it is not a trace"),
        ("{\"trace\":{\"version\":1,\"total_ms\":\"now\"}}", "it is not a trace"),
        ("\u{0}", "it is not JSON"),
    ] {
        for command in ["explain", "replay"] {
            let output = verify(&[command, "-"], input);
            assert_eq!(output.status.code(), Some(2), "{command} {input}");
            let error = text(&output.stderr);
            assert!(error.starts_with("verify: -: ") && error.contains(expected), "{command} {input}: {error}");
            assert!(output.stdout.is_empty(), "{command} {input}");
        }
    }
    for arguments in [&["explain", "/nonexistent"][..], &["explain"], &["replay", "/"], &["--json", "explain", "-"]] {
        assert_eq!(verify(arguments, "").status.code(), Some(2), "{arguments:?}");
    }
}

/// A file may come from anyone: its text neither controls the terminal nor reaches a server.
#[test]
fn hostile_trace_is_harmless() {
    let path = recorded().into_iter().find(|path| path.ends_with("denied_by_operator.access_denied.json")).unwrap();
    let recorded = fs::read_to_string(path).unwrap();
    for (from, to) in [
        ("auth.glide.test", "\\u001b[2J\\nhost"),
        ("access_denied", "\\r\\nSet-Cookie: a=b\\r\\n&state="),
        ("\"hop\": 6", "\"hop\": 4000000000"),
        ("\"status\": 302", "\"status\": 65535"),
        ("\"first_byte_ms\": 100", "\"first_byte_ms\": 18446744073709551615"),
        ("\"total_ms\": 1480", "\"total_ms\": 0"),
        ("\"kind\": \"denied_by_operator\"", "\"kind\": \"\\u001b[2J\""),
        ("\"outcome\": \"failed\"", "\"outcome\": null"),
        ("\"scheme\": \"https\"", "\"scheme\": \"ftp\""),
    ] {
        assert!(recorded.contains(from), "{from}");
        let hostile = recorded.replace(from, to);
        for command in ["explain", "replay"] {
            let output = verify(&[command, "-"], &hostile);
            let shown = text(&output.stdout);
            assert!(output.status.code().is_some_and(|code| code <= 3), "{command} {to}: {}", text(&output.stderr));
            assert!(!shown.contains(['\u{1b}', '\r']) && !shown.contains("\nhost"), "{command} {to}: {shown}");
            assert!(!text(&output.stderr).contains("panicked"), "{command} {to}: {}", text(&output.stderr));
        }
    }
}

/// All delays together would exceed the replay's deadline in an earlier step.
#[test]
fn deadline_is_replayed_after_many_slow_requests() {
    let path = recorded().into_iter().find(|path| path.ends_with("deadline_exceeded.complete.json")).unwrap();
    let mut trace: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let mut hop = trace["hops"][0].clone();
    hop["first_byte_ms"] = 900.into();
    trace["hops"] = (1..=9)
        .map(|index| {
            hop["index"] = index.into();
            hop.clone()
        })
        .collect();
    let output = verify(&["replay", "-"], &trace.to_string());
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
}

/// Whether a server can reproduce it; the others are states of the phone or the app.
fn is_replayable(name: &str) -> bool {
    !["cellular_unavailable", "cancelled", "backend.start.app_failed"].iter().any(|prefix| name.starts_with(prefix))
}

#[test]
fn replay_reproduces_how_it_ended() {
    let paths = Mutex::new(VecDeque::from(recorded()));
    let findings = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(path) = { paths.lock().unwrap().pop_front() } {
                    let name = path.file_stem().unwrap().to_str().unwrap();
                    let output = verify(&["replay", path.to_str().unwrap()], "");
                    let stdout = text(&output.stdout);
                    let (status, end) = if is_replayable(name) {
                        (0, "\nReproduced.\n")
                    } else {
                        (3, ": no server can reproduce it.\n")
                    };
                    if output.status.code() != Some(status) || !stdout.ends_with(end) {
                        findings.lock().unwrap().push(format!("{name}: {stdout}{}", text(&output.stderr)));
                    }
                }
            });
        }
    });
    let findings = findings.into_inner().unwrap();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    assert!(recorded().iter().filter(|path| is_replayable(path.file_stem().unwrap().to_str().unwrap())).count() >= 20);
}
