//! The simulator as a program: its ready line contains everything that a client needs, and it ends
//! on a signal.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

struct Program(Child);

impl Program {
    fn start(arguments: &[&str]) -> (Self, Value) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_number-verify-simulator"));
        let mut child = command.arg("--json").args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (Self(child), serde_json::from_str(&line).unwrap())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn post(port: &Value, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", u16::try_from(port.as_u64().unwrap()).unwrap())).unwrap();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

#[test]
fn ready_line_contains_addresses_and_root_certificate() {
    let root = std::env::temp_dir().join(format!("number-verify-simulator-{}.pem", std::process::id()));
    let (_program, ready) = Program::start(&["--root-ca-out", root.to_str().unwrap(), "--dns", "127.0.0.1:0"]);
    assert!(std::fs::read_to_string(&root).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    std::fs::remove_file(&root).unwrap();
    assert_eq!(ready["root_ca"], root.to_str().unwrap());
    assert!(ready["backend"].as_str().unwrap().starts_with("https://backend.simulator.test:"), "{ready}");
    let dns: SocketAddr = ready["dns"].as_str().unwrap().parse().unwrap();
    assert_ne!(dns.port(), 0, "{ready}");
    assert_eq!(ready["backends"].as_object().unwrap().len(), 4, "{ready}");
    let hosts = ready["hosts"].as_array().unwrap();
    let is_local = |host: &Value| {
        [":127.0.0.1", ":[::1]", ":127.0.0.1,[::1]"].iter().any(|end| host.as_str().unwrap().ends_with(end))
    };
    assert!(hosts.iter().all(is_local), "{ready}");
}

#[test]
fn backend_responds_to_start() {
    let (_program, ready) = Program::start(&["--sim", "127.0.0.0/8=+14155550123"]);
    let response = post(&ready["http_port"], "/number-verify/a/start", r#"{"phoneNumber":"+14155550123"}"#);
    assert!(
        response.starts_with("HTTP/1.1 200 OK") && response.contains(r#""authUrl":"https://auth.simulator.test:"#),
        "{response}"
    );
    let response = post(&ready["http_port"], "/number-verify/a/start", r#"{"phoneNumber":"12"}"#);
    assert!(response.starts_with("HTTP/1.1 400") && response.contains("application/problem+json"), "{response}");
}

#[test]
fn invalid_flags_are_rejected() {
    for arguments in [["--sim", "nonsense"], ["--address", "nonsense"], ["--address", "192.0.2.1"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_number-verify-simulator"));
        let output = command.args(arguments).output().unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn summary_is_printed_without_json() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_number-verify-simulator"));
    let arguments = ["--sim", "127.0.0.0/8=+14155550123", "--fault", "reset"];
    let mut program = Program(command.args(arguments).stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(program.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let page = lines.find_map(|line| line.trim().strip_prefix("Page").map(|url| url.trim().to_owned())).unwrap();
    assert!(lines.any(|line| line.contains("--root-ca target/root.pem --phone +NUMBER_OF_THE_SIM ")));
    let last = lines.find(|line| line.contains("--json")).unwrap();
    assert!(last.contains(&page), "{last}");
    let address: SocketAddr = page.trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(format!("GET /about HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())
        .unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200") && response.contains("…23 (127.0.0.0/8)"), "{response}");
    assert!(!response.contains("14155550123"), "{response}");
}
