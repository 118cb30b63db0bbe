//! `examples/verify` as a program: its flags, output and exit status.

#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use number_verify_simulator::{Delivery, Failure, Operator, Options, Outcome, Scenario, Simulator};
use serde_json::{Value, json};

/// Cargo builds it in `examples/`, next to the directory of the tests.
fn program() -> Command {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().unwrap().parent().unwrap().join("examples/verify");
    assert!(built.exists(), "{} does not exist: run cargo build --example verify", built.display());
    Command::new(built)
}

fn verify(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn flows(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn without_flags_verifies_against_the_simulator() {
    let output = verify(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "verified\n");
    for shown in
        ["start …", "acquire done", "hop 3 http://enrich.operator-b.simulator.test 302", "complete done", "total"]
    {
        assert!(stderr(&output).contains(shown), "{shown}: {}", stderr(&output));
    }
}

#[test]
fn other_number_is_not_verified() {
    let output = verify(&["--phone", "+14155550199"]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), "not verified\n"));
}

#[test]
fn invalid_number_is_explained() {
    let output = verify(&["--phone", "12"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stdout(&output).contains("E.164") && stdout(&output).contains("+12025550123"), "{}", stdout(&output));
}

#[test]
fn retrieve_prints_the_number_of_the_sim() {
    for delivery in ["relay", "follow-through"] {
        let output = verify(&["--retrieve", "--code-delivery", delivery]);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), "+14155550100\n"), "{delivery}");
        assert!(!stderr(&output).contains("5550100"), "{}", stderr(&output));
        let json = verify(&["--retrieve", "--json", "--code-delivery", delivery]);
        let [flow] = flows(&json).try_into().unwrap();
        assert_eq!(flow["phoneNumber"], "+14155550100", "{delivery}");
        assert!(!flow["trace"].to_string().contains("5550100"), "{flow}");
    }
}

#[test]
fn every_delivery_verifies_and_rejects() {
    for delivery in ["relay", "follow-through", "none"] {
        let verified = verify(&["--code-delivery", delivery]);
        assert_eq!((verified.status.code(), stdout(&verified).as_str()), (Some(0), "verified\n"), "{delivery}");
        let refused = verify(&["--code-delivery", delivery, "--phone", "+14155550199"]);
        assert_eq!((refused.status.code(), stdout(&refused).as_str()), (Some(1), "not verified\n"), "{delivery}");
    }
}

#[test]
fn invalid_flags_and_values_are_usage_errors() {
    let garbage = std::env::temp_dir().join(format!("number-verify-no-certificate-{}", std::process::id()));
    std::fs::write(&garbage, "no certificate").unwrap();
    for arguments in [
        &["--nonsense"][..],
        &["--deadline", "0"],
        &["--deadline", "-1"],
        &["--deadline", "0.0001"],
        &["--deadline", "soon"],
        &["--repeat", "0"],
        &["--code-delivery", "dance"],
        &["--header", "no colon"],
        &["--header", "Host: x"],
        &["--start-field", "nonsense"],
        &["--start-field", "attestation=text"],
        &["--start-field", "phoneNumber=1"],
        &["--start-field", "a=1", "--start-field", "a=2"],
        &["--correlator", "two words"],
        &["--correlator", "user-14155550100"],
        &["--abort-path", "https://evil.test/"],
        &["--hint", "nonsense"],
        &["--hint", "{}"],
        &["--hint", r#"{"host":"op.test"},{"host":"op.test"}"#],
        &["--hint", r#"{"host":"op.test","headers":{"Cookie":"a=b"}}"#],
        &["--resolve", "nonsense"],
        &["--resolve", "host:443:nonsense"],
        &["--dns", "nonsense"],
        &["--root-ca", "/nonexistent"],
        &["--root-ca", garbage.to_str().unwrap()],
        &["--interface", "lo", "--any-network"],
        &["--retrieve", "--phone", "+14155550100"],
        &["--retrieve", "--code-delivery", "none"],
        &["--backend", "https://api.example.com"],
        &["--backend", "http://api.example.com", "--any-network"],
        &["--backend", "nonsense", "--any-network"],
    ] {
        let output = verify(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}{}", stdout(&output), stderr(&output));
        assert!(stdout(&output).is_empty() && !stderr(&output).is_empty(), "{arguments:?}");
    }
    std::fs::remove_file(garbage).unwrap();
}

#[test]
fn json_prints_one_object_per_flow() {
    let output = verify(&["--json", "--repeat", "3", "--prepare"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let flows = flows(&output);
    assert_eq!(flows.len(), 3);
    for (index, flow) in flows.iter().enumerate() {
        assert_eq!(flow["verified"], true);
        assert_eq!(flow["trace"]["opened_ahead"].as_array().unwrap().is_empty(), index == 0, "{flow}");
        for name in ["start_ms", "acquire_ms", "authorize_ms", "complete_ms", "total_ms"] {
            assert!(flow["trace"][name].is_u64(), "{name}: {flow}");
        }
        for (index, hop) in flow["trace"]["hops"].as_array().unwrap().iter().enumerate() {
            assert_eq!(hop["index"], index + 1);
            for name in ["scheme", "host", "status", "first_byte_ms", "reused", "tls_resumed", "bytes_in", "bytes_out"]
            {
                assert!(!hop[name].is_null(), "{name}: {hop}");
            }
            assert!(hop["dns_ms"].is_null(), "the simulator's addresses are configured: {hop}");
            let (reused, opened_ahead) = (hop["reused"] == true, hop["opened_ahead"] == true);
            assert!(opened_ahead || hop["connect_ms"].is_null() == reused, "{hop}");
            assert_eq!(hop["tls_ms"].is_null(), reused || opened_ahead || hop["scheme"] == "http", "{hop}");
        }
    }
}

#[test]
fn with_working_ahead_disabled_nothing_opens_ahead() {
    let output = verify(&["--json", "--repeat", "2", "--prepare", "--no-open-ahead"]);
    for flow in flows(&output) {
        assert_eq!(flow["trace"]["opened_ahead"], serde_json::json!([]), "{flow}");
        assert!(flow["trace"]["hops"].as_array().unwrap().iter().all(|hop| hop["opened_ahead"] == false), "{flow}");
    }
}

#[test]
fn json_errors_have_all_fields() {
    for (arguments, kind, step, cause, fallback) in [
        (&["--phone", "12"][..], "invalid_phone_number", None, None, "fix_integration"),
        (
            &["--interface", "no-such-if0"],
            "cellular_unavailable",
            Some("acquire"),
            Some("no_interface"),
            "use_another_channel",
        ),
        (&["--no-cleartext"], "authorization", Some("authorize"), Some("forbidden_redirect"), "use_another_channel"),
    ] {
        let output = verify(&[&["--json"], arguments].concat());
        assert_eq!(output.status.code(), Some(3), "{arguments:?}");
        let [flow] = flows(&output).try_into().unwrap();
        let error = flow["error"].as_object().unwrap();
        let mut names: Vec<_> = error.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["cause", "detail", "fallback", "hop", "host", "kind", "message", "step"], "{arguments:?}");
        let text = |name: &str| error[name].as_str();
        assert_eq!((text("kind"), text("step"), text("cause")), (Some(kind), step, cause), "{arguments:?}");
        assert_eq!(text("fallback"), Some(fallback), "{arguments:?}");
        assert!(error["detail"].is_object() && flow["trace"].is_object(), "{arguments:?}");
    }
}

#[test]
fn repeat_runs_all_flows_and_exits_with_the_worst_status() {
    let output = verify(&["--json", "--repeat", "3", "--phone", "12"]);
    assert_eq!((output.status.code(), flows(&output).len()), (Some(3), 3));
}

#[test]
fn custom_backend_is_reached_over_the_interface() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let root = std::env::temp_dir().join(format!("number-verify-root-{}.pem", std::process::id()));
    std::fs::write(&root, simulator.root_ca_pem()).unwrap();
    let (backend, root) = (simulator.backend_url(Operator::B), root.to_str().unwrap().to_owned());
    let mut arguments =
        vec!["--backend", &backend, "--interface", "lo", "--root-ca", &root, "--header", "X-App: of the app"];
    let hosts = simulator.hosts();
    arguments.extend(hosts.iter().flat_map(|host| ["--resolve", host]));
    let output = verify(&arguments);
    std::fs::remove_file(&root).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let requests = simulator.requests();
    assert!(requests.iter().any(|request| request.host.starts_with("backend")));
    for request in requests {
        assert_eq!(request.headers.contains_key("x-app"), request.host.starts_with("backend"), "{}", request.host);
    }
}

#[test]
fn log_is_off_unless_enabled() {
    let output = verify(&[]);
    assert!(!stderr(&output).contains("number-verify DEBUG"), "{}", stderr(&output));
    let output = program().env("NUMBER_VERIFY_LOG", "1").output().unwrap();
    let log: Vec<String> =
        stderr(&output).lines().filter(|line| line.starts_with("number-verify ")).map(str::to_owned).collect();
    assert!(
        log.iter().any(|line| line.contains("hop 3, http://enrich.operator-b.simulator.test, answers 302")),
        "{log:?}"
    );
    assert_eq!(log.last().map(String::as_str), Some("number-verify INFO: verified"));
    assert!(!log.join("").contains("1415555"), "{log:?}");
}

#[test]
fn ctrl_c_cancels() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let backend = format!("http://{}/", silent.local_addr().unwrap());
    let mut arguments = program();
    arguments.args(["--json", "--backend", &backend, "--any-network", "--repeat", "2"]);
    let child = arguments.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let connection = silent.accept().unwrap();
    let id = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    drop(connection);
    assert_eq!(output.status.code(), Some(3));
    let [flow] = flows(&output).try_into().expect("one object");
    assert_eq!(flow["error"]["kind"], "cancelled");
}

/// Scenarios whose last response is a page, with its title.
const PAGES: [(&str, &str); 7] = [
    ("form-page", "Sign in"),
    ("script-page", "One moment"),
    ("meta-refresh-page", "Redirecting"),
    ("error-page-403", "403 Forbidden"),
    ("works-with-hints-only", "403 Forbidden"),
    ("error-page-501", "501 Not Implemented"),
    ("error-page-503", "503 Service Unavailable"),
];

/// Every provider behaviour and every operator quirk of the simulator ends with the expected
/// outcome.
#[test]
fn every_provider_and_quirk() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let root = std::env::temp_dir().join(format!("number-verify-scenarios-{}.pem", std::process::id()));
    std::fs::write(&root, simulator.root_ca_pem()).unwrap();
    let hosts = simulator.hosts();
    let has_ipv6 = simulator.scenarios().iter().any(|scenario| scenario.name == "ipv6-only-host");
    assert!(has_ipv6 || std::env::var_os("NUMBER_VERIFY_NO_SKIP").is_none(), "this machine has no IPv6 on loopback");
    for scenario in simulator.scenarios() {
        let (backend, delivery) = (simulator.scenario_url(&scenario), scenario.delivery.to_string());
        for (number, outcome) in &scenario.outcomes {
            let mut arguments = vec!["--json", "--any-network", "--backend", &backend, "--phone", number];
            arguments.extend(["--code-delivery", &delivery, "--root-ca", root.to_str().unwrap()]);
            arguments.extend(hosts.iter().flat_map(|host| ["--resolve", host]));
            let output = verify(&arguments);
            let flow = flows(&output).pop().unwrap_or_else(|| panic!("{}: {}", scenario.name, stderr(&output)));
            let (error, context) = (&flow["error"], format!("{} {number}: {flow}", scenario.name));
            let (status, expected) = match *outcome {
                Outcome::Verified(verified) => (i32::from(!verified), json!([verified, null, null, null, null])),
                Outcome::Error(Failure { kind, cause, detail, fallback }) => {
                    (3, json!([null, kind, cause, detail.to_json(), fallback]))
                }
            };
            let error = |name: &str| error.get(name).cloned().unwrap_or_default();
            let reported = json!([flow["verified"], error("kind"), error("cause"), error("detail"), error("fallback")]);
            assert_eq!((output.status.code(), reported), (Some(status), expected), "{context}");
            let hop = flow["trace"]["hops"].as_array().and_then(|hops| hops.last()).unwrap();
            let title = PAGES.iter().find(|(name, _)| *name == scenario.name).map(|(_, title)| *title);
            assert_eq!(hop["page_title"].as_str(), title, "{context}");
            let fetched = hop["host"].as_str().unwrap().starts_with("backend.");
            let may_fetch = scenario.delivery == Delivery::FollowThrough && matches!(outcome, Outcome::Verified(_));
            assert_eq!(fetched, may_fetch, "whether the callback was fetched: {context}");
        }
    }
    std::fs::remove_file(&root).unwrap();
}

/// A backend that rejects the start; the test checks what it received.
#[test]
fn start_field_and_correlator_are_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let backend = format!("http://{}", listener.local_addr().unwrap());
    let received = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"}}") {
            let mut bytes = [0; 4096];
            let count = stream.read(&mut bytes).unwrap();
            assert_ne!(count, 0, "{}", String::from_utf8_lossy(&request));
            request.extend_from_slice(&bytes[..count]);
        }
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").unwrap();
        String::from_utf8(request).unwrap()
    });
    let flags = ["--start-field", r#"attestation="a=b""#, "--start-field", r#"z={"level":1}"#, "--correlator", "run:7"];
    let output = verify(&[&["--json", "--any-network", "--backend", &backend], &flags[..]].concat());
    let flow = flows(&output).pop().unwrap();
    assert_eq!((&flow["error"]["detail"]["status"], &flow["trace"]["correlator"]), (&403.into(), &"run:7".into()));
    let request = received.join().unwrap();
    assert!(request.contains("\r\nx-correlator: run:7\r\n"), "{request}");
    let (_, body) = request.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, r#"{"attestation":"a=b","phoneNumber":"+14155550100","z":{"level":1}}"#);
}

#[test]
fn abort_path_sends_the_abort() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let root = std::env::temp_dir().join(format!("number-verify-abort-{}.pem", std::process::id()));
    std::fs::write(&root, simulator.root_ca_pem()).unwrap();
    let named = |name: &str| simulator.scenarios().into_iter().find(|scenario| scenario.name == name).unwrap();
    let hosts = simulator.hosts();
    let flow = |scenario: &str, flags: &[&str]| {
        let backend = simulator.scenario_url(&named(scenario));
        let mut arguments = vec!["--any-network", "--backend", &backend, "--root-ca", root.to_str().unwrap()];
        arguments.extend(hosts.iter().flat_map(|host| ["--resolve", host]));
        arguments.extend(flags);
        verify(&arguments).status.code()
    };
    assert_eq!(flow("works-with-hints-only", &[]), Some(3));
    assert_eq!(flow("hints-in-start-response", &["--abort-path", "abort"]), Some(0));
    assert_eq!(simulator.aborts(), [""; 0]);
    assert_eq!(flow("works-with-hints-only", &["--abort-path", "abort"]), Some(3));
    assert_eq!(simulator.aborts(), ["authorization"]);
    std::fs::remove_file(root).unwrap();
}

/// The operator that rejects requests without hints.
#[test]
fn hints_are_applied() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let root = std::env::temp_dir().join(format!("number-verify-hints-{}.pem", std::process::id()));
    std::fs::write(&root, simulator.root_ca_pem()).unwrap();
    let scenario = simulator.scenarios().into_iter().find(|scenario| scenario.name == "works-with-hints-only").unwrap();
    let (backend, hosts) = (simulator.scenario_url(&scenario), simulator.hosts());
    let flow = |hints: &[&str]| {
        let mut arguments = vec!["--json", "--any-network", "--backend", &backend, "--root-ca", root.to_str().unwrap()];
        arguments.extend(hosts.iter().flat_map(|host| ["--resolve", host]));
        arguments.extend(hints.iter().flat_map(|hint| ["--hint", hint]));
        flows(&verify(&arguments)).pop().unwrap()
    };
    let host = r#""host":"old.simulator.test""#;
    let accept = format!(r#"{{{host},"headers":{{"Accept":"application/json"}}}}"#);
    let family = format!(r#"{{{host},"addressFamily":"ipv4"}}"#);
    let tls = format!(r#"{{{host},"maxTls":"1.2"}}"#);
    let hinted = flow(&[&accept, &family, &tls]);
    assert_eq!(hinted["verified"], true, "{hinted}");
    let hop = &hinted["trace"]["hops"][2];
    assert_eq!(
        (&hop["host"], &hop["family"], &hop["tls_version"]),
        (&"old.simulator.test".into(), &"ipv4".into(), &"1.2".into())
    );
    assert_eq!(hinted["trace"]["hops"][1]["tls_version"], "1.3", "another host");
    for without_one in [&[&family, &tls], &[&accept, &tls], &[&accept, &family]] {
        let refused = flow(&without_one.map(String::as_str));
        let has_ipv6 = simulator.scenarios().iter().any(|scenario| scenario.name == "ipv6-only-host");
        assert!(refused["error"]["detail"]["status"] == 403 || !has_ipv6, "{without_one:?}: {refused}");
    }
    std::fs::remove_file(&root).unwrap();
}

/// The documentation's tables must list every scenario.
#[test]
fn every_provider_and_quirk_is_documented() {
    let page = include_str!("../docs/providers.md");
    let missing: Vec<_> =
        Scenario::all().map(|scenario| scenario.name).filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
