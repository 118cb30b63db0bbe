//! The built-in backend client: its requests, and how it interprets each response.

use number_verify::{Config, FieldNames, Header, VerifyError};
use number_verify_simulator::{Options, Simulator};
use serde_json::Value;

use crate::phone::{self, NUMBER, json, verify};
use crate::scripted::{ClosedPort, LAST, Scripted, ok, response};

pub const VERIFIED: &str = r#"{"verified":true}"#;

/// A start response whose redirect chain through the simulator's operator A ends with a code.
pub fn start(simulator: &Simulator) -> String {
    ok(&format!(r#"{{"authUrl":"{}","session":"sess-1"}}"#, auth_url(simulator)))
}

pub fn auth_url(simulator: &Simulator) -> String {
    let auth = format!("https://auth.simulator.test:{}/oauth2/auth", simulator.https_port());
    format!("{auth}?client_id=SIMULATOR&response_type=code&state=state-1&operator=a&redirect_uri=myapp%3A%2F%2Fdone")
}

/// Runs a flow with these responses of the backend; `START` stands for a valid start response.
async fn flow(responses: Vec<String>, change: impl FnOnce(&mut Config)) -> (Result<bool, VerifyError>, Scripted) {
    let simulator = Simulator::start(Options::default()).unwrap();
    let responses = responses.into_iter().map(|response| response.replace("START", &start(&simulator)));
    let backend = Scripted::responding(responses);
    let mut config = phone::config(&simulator, backend.url());
    change(&mut config);
    (verify(config, NUMBER).await, backend)
}

fn default(_: &mut Config) {}

#[tokio::test]
async fn start_and_complete_have_the_expected_contents() {
    let cookie = "Set-Cookie: sid=cookie-1; Path=/; HttpOnly\r\n";
    let simulator = Simulator::start(Options::default()).unwrap();
    let first = response(200, cookie, &format!(r#"{{"authUrl":"{}","session":"sess-1"}}"#, auth_url(&simulator)));
    let backend = Scripted::responding([first, ok(VERIFIED)]);
    let mut config = phone::config(&simulator, backend.url());
    config.headers.push(Header::new("Authorization".to_owned(), "Bearer app".to_owned()));
    assert!(verify(config, NUMBER).await.unwrap());

    let [start, complete] = backend.requests().try_into().expect("two calls");
    assert_eq!((start.line.as_str(), complete.line.as_str()), ("POST /nv/start", "POST /nv/complete"));
    assert_eq!(start.body, format!(r#"{{"phoneNumber":"{NUMBER}"}}"#));
    let completion: Value = serde_json::from_str(&complete.body).unwrap();
    let names: Vec<_> = completion.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["code", "session", "state"]);
    assert_eq!((&completion["session"], &completion["state"]), (&"sess-1".into(), &"state-1".into()));
    assert!(!complete.body.contains("1415"), "complete carries the number");
    assert_eq!((start.header("cookie"), complete.header("cookie")), (None, Some("sid=cookie-1")));
    for call in [&start, &complete] {
        assert_eq!(call.header("authorization"), Some("Bearer app"));
        assert_eq!(call.header("content-type"), Some("application/json"));
        assert!(call.header("user-agent").unwrap().starts_with("number-verify/"));
        assert!(call.header("referer").is_none());
    }
    assert_eq!(start.header("x-correlator"), complete.header("x-correlator"));
    assert!(start.header("idempotency-key").is_some());
    assert_ne!(start.header("idempotency-key"), complete.header("idempotency-key"));
    let to_operators = simulator.requests();
    assert!(
        to_operators.iter().all(|request| request.headers.get("authorization").is_none()),
        "an operator received it"
    );
}

#[tokio::test]
async fn paths_and_field_names_are_configurable() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let first = ok(&format!(r#"{{"go":"{}","sid":"s"}}"#, auth_url(&simulator)));
    let backend = Scripted::responding([first, ok(r#"{"result":false}"#)]);
    let mut config = phone::config(&simulator, backend.url());
    config.start_path = "v2/begin".to_owned();
    config.complete_path = "/v2/end?x=1".to_owned();
    config.field_names = FieldNames {
        phone_number: "msisdn".to_owned(),
        auth_url: "go".to_owned(),
        session: "sid".to_owned(),
        code: "c".to_owned(),
        state: "s".to_owned(),
        verified: "result".to_owned(),
        ..FieldNames::default()
    };
    assert!(!verify(config, NUMBER).await.unwrap());
    let [start, complete] = backend.requests().try_into().expect("two calls");
    assert_eq!((start.line.as_str(), complete.line.as_str()), ("POST /nv/v2/begin", "POST /nv/v2/end?x=1"));
    assert!(start.body.starts_with(r#"{"msisdn":"#), "{}", start.body);
    assert!(complete.body.starts_with(r#"{"c":""#) && complete.body.contains(r#""sid":"s""#), "{}", complete.body);
}

#[tokio::test]
#[rustfmt::skip] // one row, one line
async fn start_response_maps_to_its_error() {
    let redirect = |to: &str| response(302, &format!("Location: {to}\r\n"), "");
    for (name, response, expected) in [
        ("not JSON", ok("<html>"), "malformed_answer fix_integration"),
        ("an array", ok("[]"), "malformed_answer fix_integration"),
        ("no auth URL", ok("{}"), "malformed_answer fix_integration"),
        ("auth URL is a number", ok(r#"{"authUrl":1}"#), "malformed_answer fix_integration"),
        ("auth URL is relative", ok(r#"{"authUrl":"/authorize"}"#), "malformed_answer fix_integration"),
        ("auth URL is http", ok(r#"{"authUrl":"http://op.test/"}"#), "malformed_answer fix_integration"),
        ("auth URL with userinfo", ok(r#"{"authUrl":"https://u@op.test/"}"#), "malformed_answer fix_integration"),
        ("auth URL on loopback", ok(r#"{"authUrl":"https://127.0.0.1/"}"#), "malformed_answer fix_integration"),
        ("two auth URLs", ok(r#"{"authUrl":"https://a.test/","authUrl":"https://b.test/"}"#), "malformed_answer fix_integration"),
        ("states differ", ok(r#"{"authUrl":"https://a.test/?state=1","state":"2"}"#), "malformed_answer fix_integration"),
        ("redirect without Location", response(302, "", ""), "malformed_answer fix_integration"),
        ("redirect to a relative URL", redirect("/authorize"), "malformed_answer fix_integration"),
        ("redirect to http", redirect("http://op.test/"), "malformed_answer fix_integration"),
        ("304", response(304, "", ""), "malformed_answer fix_integration"),
        ("202", response(202, "", r#"{"authUrl":"https://a.test/"}"#), "malformed_answer fix_integration"),
        ("400", response(400, "", ""), "status 400 fix_integration"),
        ("401", response(401, "", ""), "status 401 fix_integration"),
        ("403", response(403, "", ""), "status 403 use_another_channel"),
        ("409", response(409, "", ""), "status 409 use_another_channel"),
        ("422", response(422, "", ""), "status 422 use_another_channel"),
        ("429", response(429, "", ""), "status 429 retry_later"),
        ("500", response(500, "", ""), "status 500 retry_later"),
        ("advice of the backend", response(500, "", r#"{"fallback":"use_another_channel"}"#), "status 500 use_another_channel"),
        ("unknown advice", response(500, "", r#"{"fallback":"dance"}"#), "status 500 retry_later"),
        ("connection closed", String::new(), "unreachable retry_later"),
        ("truncated", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_owned(), "timeout retry_later"),
        ("1001 headers", response(200, &"x: y\r\n".repeat(1000), "{}"), "malformed_answer fix_integration"),
        ("1000 headers", response(403, &"x: y\r\n".repeat(999), ""), "status 403 use_another_channel"),
        ("over 256 KiB", ok(&format!(r#"{{"authUrl":"{}"}}"#, "x".repeat(256 * 1024))), "malformed_answer fix_integration"),
    ] {
        let responses = if response.is_empty() { Vec::new() } else { vec![response] };
        let hangs = name == "truncated";
        let (outcome, backend) = flow(responses, |config| config.deadlines.backend_ms = if hangs { 2_000 } else { 60_000 }).await;
        let error = json(&outcome.unwrap_err());
        assert_eq!((&error["kind"], &error["step"]), (&"backend".into(), &"start".into()), "{name}: {error}");
        assert_eq!(summary(&error), expected, "{name}");
        assert_eq!(backend.requests().len(), 1, "{name}: not repeated, not followed");
    }
}

#[tokio::test]
#[rustfmt::skip] // one row, one line
async fn complete_response_maps_to_result_or_error() {
    for (name, response, expected) in [
        ("yes", ok(VERIFIED), "verified"),
        ("no", ok(r#"{"verified":false}"#), "not verified"),
        ("yes, CAMARA's name", ok(r#"{"devicePhoneNumberVerified":true}"#), "verified"),
        ("yes, 201", response(201, "", VERIFIED), "verified"),
        ("text", ok(r#"{"verified":"true"}"#), "malformed_answer fix_integration"),
        ("a number", ok(r#"{"verified":1}"#), "malformed_answer fix_integration"),
        ("null", ok(r#"{"verified":null}"#), "malformed_answer fix_integration"),
        ("missing", ok("{}"), "malformed_answer fix_integration"),
        ("twice the same", ok(r#"{"verified":true,"verified":true}"#), "verified"),
        ("yes and no", ok(r#"{"verified":true,"verified":false}"#), "malformed_answer fix_integration"),
        ("contradiction", ok(r#"{"verified":true,"devicePhoneNumberVerified":false}"#), "malformed_answer fix_integration"),
        ("empty", ok(""), "malformed_answer fix_integration"),
        ("204", response(204, "", ""), "malformed_answer fix_integration"),
        ("a redirect", response(302, "Location: /elsewhere\r\n", VERIFIED), "malformed_answer fix_integration"),
        ("403", response(403, "", VERIFIED), "status 403 use_another_channel"),
        ("503 without Retry-After", response(503, "", ""), "status 503 retry_later"),
    ] {
        let (outcome, backend) = flow(vec!["START".to_owned(), response], default).await;
        let seen = match &outcome {
            Ok(true) => "verified".to_owned(),
            Ok(false) => "not verified".to_owned(),
            Err(error) => {
                assert_eq!((&json(error)["kind"], &json(error)["step"]), (&"backend".into(), &"complete".into()), "{name}");
                summary(&json(error))
            }
        };
        assert_eq!(seen, expected, "{name}");
        assert_eq!(backend.requests().len(), 2, "{name}: not repeated, not followed");
    }
}

fn summary(error: &Value) -> String {
    let status = match &error["detail"]["status"] {
        Value::Number(status) if error["cause"] == "status" => format!(" {status}"),
        _ => String::new(),
    };
    format!("{}{status} {}", error["cause"].as_str().unwrap(), error["fallback"].as_str().unwrap())
}

#[tokio::test]
#[rustfmt::skip] // one row, one line
async fn only_retryable_calls_are_retried_once() {
    let busy = |status, retry_after: &str| response(status, &format!("Retry-After: {retry_after}\r\n"), "");
    let past_date = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (name, responses, expected, calls) in [
        ("503 with Retry-After", vec![busy(503, "0"), "START".to_owned(), ok(VERIFIED)], "verified", 3),
        ("429 with Retry-After", vec![busy(429, "0"), "START".to_owned(), ok(VERIFIED)], "verified", 3),
        ("complete", vec!["START".to_owned(), busy(503, "0"), ok(VERIFIED)], "verified", 3),
        ("Retry-After as a date", vec![busy(503, past_date), "START".to_owned(), ok(VERIFIED)], "verified", 3),
        ("only once", vec![busy(503, "0"), busy(503, "0")], "status 503 retry_later", 2),
        ("not after 3 s", vec![busy(503, "3")], "status 503 retry_later", 1),
        ("not in a million years", vec![busy(503, "18446744073709551615")], "status 503 retry_later", 1),
        ("not with an invalid Retry-After", vec![busy(503, "soon")], "status 503 retry_later", 1),
        ("not a 500", vec![busy(500, "0")], "status 500 retry_later", 1),
        ("not if the backend may have processed it", vec![], "unreachable retry_later", 1),
        ("complete on a reused connection that is closed", vec!["START".to_owned(), LAST.to_owned(), ok(VERIFIED)], "verified", 3),
        ("not if it is closed within a response", vec!["START".to_owned(), format!("{LAST}HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{{")], "unreachable retry_later", 2),
        ("and that only once", vec!["START".to_owned()], "unreachable retry_later", 3),
    ] {
        let (outcome, backend) = flow(responses, default).await;
        let requests = backend.requests();
        assert_eq!(requests.len(), calls, "{name}: {requests:?}");
        let seen = outcome.map_or_else(|error| summary(&json(&error)), |_| "verified".to_owned());
        assert_eq!(seen, expected, "{name}");
        let repeated: Vec<_> = requests.windows(2).filter(|pair| pair[0].line == pair[1].line).collect();
        for pair in repeated {
            assert_eq!(pair[0].header("idempotency-key"), pair[1].header("idempotency-key"), "{name}");
            assert_eq!(pair[0].body, pair[1].body, "{name}");
        }
    }
}

#[tokio::test]
async fn verifications_share_one_connection() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let backend = Scripted::responding([start(&simulator), ok(VERIFIED), start(&simulator), ok(VERIFIED)]);
    let (verifier, _network) = phone::verifier(phone::config(&simulator, backend.url()));
    for _ in 1..=2 {
        assert!(verifier.verify(NUMBER.to_owned()).await.unwrap().verified());
    }
    drop(verifier);
    assert_eq!(backend.connections(), 1);
}

#[tokio::test]
async fn connection_lost_between_verifications_is_replaced() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let last = format!("{LAST}{}", ok(VERIFIED));
    let backend = Scripted::responding([start(&simulator), last, start(&simulator), ok(VERIFIED)]);
    let (verifier, _network) = phone::verifier(phone::config(&simulator, backend.url()));
    for _ in 1..=2 {
        assert!(verifier.verify(NUMBER.to_owned()).await.unwrap().verified());
    }
    drop(verifier);
    assert_eq!(backend.connections(), 2);
}

#[tokio::test]
async fn connection_closed_after_a_response_is_replaced() {
    let with_close = |response: String| response.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    let simulator = Simulator::start(Options::default()).unwrap();
    for first in [start(&simulator), with_close(start(&simulator))] {
        let backend = Scripted::responding([format!("{LAST}{first}"), ok(VERIFIED)]);
        assert!(verify(phone::config(&simulator, backend.url()), NUMBER).await.unwrap());
        assert_eq!(backend.connections(), 2);
    }
}

#[tokio::test]
async fn response_that_is_not_http_is_malformed() {
    for garbage in ["SSH-2.0-server\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}"] {
        let (outcome, _) = flow(vec![garbage.to_owned()], default).await;
        assert_eq!(summary(&json(&outcome.unwrap_err())), "malformed_answer fix_integration");
    }
}

#[tokio::test]
async fn retry_after_reaches_the_caller() {
    let (outcome, _) = flow(vec![response(429, "Retry-After: 60\r\n", "")], default).await;
    let error = json(&outcome.unwrap_err());
    assert_eq!(error["detail"], serde_json::json!({ "status": 429, "retry_after_s": 60 }));
}

#[tokio::test]
async fn closed_port_is_unreachable() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let closed = ClosedPort::take();
    let config = phone::config(&simulator, format!("http://127.0.0.1:{}", closed.number()));
    let error = verify(config, NUMBER).await.unwrap_err();
    assert_eq!(summary(&json(&error)), "unreachable retry_later");
}

#[tokio::test]
async fn untrusted_backend_is_a_tls_error() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let other = Simulator::start(Options::default()).unwrap();
    let mut config = phone::config(&simulator, simulator.backend_url(number_verify_simulator::Operator::A));
    config.development.root_certificates = vec![other.root_ca_pem().to_owned()];
    let error = verify(config, NUMBER).await.unwrap_err();
    assert_eq!(summary(&json(&error)), "tls fix_integration");
}

#[tokio::test]
async fn invalid_number_is_rejected_before_any_request() {
    let (outcome, backend) = (verify_number("12").await, Scripted::responding([]));
    assert!(matches!(outcome, Err(VerifyError::InvalidPhoneNumber)));
    assert!(backend.requests().is_empty());
}

async fn verify_number(number: &str) -> Result<bool, VerifyError> {
    let simulator = Simulator::start(Options::default()).unwrap();
    let (verifier, network) = phone::verifier(phone::config(&simulator, "https://unused.test".to_owned()));
    let outcome = verifier.verify(number.to_owned()).await;
    assert_eq!(network.counts(), phone::Counts::default(), "nothing was acquired");
    outcome.map(|verification| verification.verified())
}
