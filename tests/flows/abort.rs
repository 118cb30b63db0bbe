//! The call that informs the backend of a verification without a result.

use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt;
use number_verify::{
    CellularCause, CellularError, CellularProvider, CellularStatus, Config, NetworkBinding, NetworkEvents,
    NumberVerifier, VerificationFlow, VerifyError,
};
use number_verify_simulator::{Options, Simulator};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::backend::{VERIFIED, start};
use crate::phone::{self, HANGS, NUMBER};
use crate::scripted::{ClosedPort, Request, Scripted, ok, response};

/// Runs a verification that `end` ends. Returns its calls to the backend, after the verifier's
/// thread has ended.
async fn calls(
    responses: impl IntoIterator<Item = String>,
    change: impl FnOnce(&mut Config),
    end: impl AsyncFnOnce(&NumberVerifier, &VerificationFlow),
) -> Vec<Request> {
    let simulator = Simulator::start(Options::default()).unwrap();
    let responses = responses.into_iter().map(|response| response.replace("START", &start(&simulator)));
    let backend = Scripted::responding(responses);
    let mut config = phone::config(&simulator, backend.url());
    config.abort_path = Some("abort".to_owned());
    change(&mut config);
    let (verifier, network) = phone::verifier(config);
    let flow = verifier.begin(NUMBER.to_owned(), None);
    end(&verifier, &flow).await;
    drop((verifier, flow));
    network.is_released().await;
    backend.connections();
    backend.requests()
}

async fn wait_for_result(_: &NumberVerifier, flow: &VerificationFlow) {
    let _ = timeout(HANGS, flow.result()).await.expect("the verification hangs");
}

fn lines(calls: &[Request]) -> Vec<&str> {
    calls.iter().map(|call| call.line.trim_start_matches("POST /nv/")).collect()
}

fn body(call: &Request) -> Value {
    serde_json::from_str(&call.body).unwrap()
}

#[tokio::test]
async fn error_after_start_sends_one_abort() {
    let cookie = "Set-Cookie: sid=cookie-1; Path=/\r\n";
    let closed = ClosedPort::take();
    let closed_host = format!("https://closed.test:{}/", closed.number());
    let resolve = format!("closed.test:{}:127.0.0.1", closed.number());
    let closed_host = ok(&format!(r#"{{"authUrl":"{closed_host}","session":"sess-1"}}"#));
    let bad_url = response(200, cookie, r#"{"authUrl":"http://op.test/","session":"sess-1"}"#);
    for (name, responses, reason) in [
        ("complete is rejected", vec!["START".to_owned(), response(403, "", ""), response(204, "", "")], "backend"),
        ("the result is malformed", vec!["START".to_owned(), ok("{}"), response(204, "", "")], "backend"),
        ("the auth URL is rejected", vec![bad_url, response(204, "", "")], "backend"),
        ("the operator fails", vec![closed_host, response(204, "", "")], "authorization"),
        (
            "the abort fails",
            vec!["START".to_owned(), response(403, "", ""), response(503, "Retry-After: 1\r\n", "")],
            "backend",
        ),
        ("no response to the abort", vec!["START".to_owned(), response(403, "", "")], "backend"),
    ] {
        let calls = calls(responses, |config| config.development.resolve.push(resolve.clone()), wait_for_result).await;
        let (abort, others) = calls.split_last().unwrap();
        assert_eq!(lines(&calls).iter().filter(|line| **line == "abort").count(), 1, "{name}: {calls:?}");
        assert_eq!(abort.line, "POST /nv/abort", "{name}");
        assert_eq!(body(abort), json!({ "session": "sess-1", "reason": reason }), "{name}");
        assert_eq!(abort.header("x-correlator"), others[0].header("x-correlator"), "{name}");
        assert_ne!(abort.header("idempotency-key"), others[0].header("idempotency-key"), "{name}");
        let cookie = (name == "the auth URL is rejected").then_some("sid=cookie-1");
        assert_eq!(abort.header("cookie"), cookie, "{name}");
    }
}

/// While the operator's host does not respond.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_or_late_verification_sends_one_abort() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let start = ok(&format!(r#"{{"authUrl":"https://silent.test:{port}/","session":"sess-1"}}"#));
    let resolve = |config: &mut Config| config.development.resolve.push(format!("silent.test:{port}:127.0.0.1"));
    let cancelled = calls([start.clone(), response(204, "", "")], resolve, async |_, flow| {
        let _connection = silent.accept().unwrap();
        flow.cancel();
        assert!(matches!(flow.result().await, Err(VerifyError::Cancelled)));
    });
    let dropped = calls([start.clone(), response(204, "", "")], resolve, async |_, _| {
        silent.accept().unwrap();
    });
    let is_late = |config: &mut Config| {
        resolve(config);
        config.deadlines.overall_ms = 2_000;
    };
    let late = calls([start.clone(), response(204, "", "")], is_late, wait_for_result);
    for (calls, reason) in
        [(cancelled.await, "cancelled"), (dropped.await, "cancelled"), (late.await, "deadline_exceeded")]
    {
        assert_eq!(lines(&calls), ["start", "abort"], "{reason}");
        assert_eq!(body(&calls[1]), json!({ "session": "sess-1", "reason": reason }));
    }
}

#[tokio::test]
async fn no_abort_without_session_or_path_or_after_a_result() {
    for (name, responses, path, expected) in [
        ("start is rejected", vec![response(403, "", "")], Some("abort"), vec!["start"]),
        ("start is malformed", vec![ok("{}")], Some("abort"), vec!["start"]),
        ("a result", vec!["START".to_owned(), ok(VERIFIED)], Some("abort"), vec!["start", "complete"]),
        ("a mismatch", vec!["START".to_owned(), ok(r#"{"verified":false}"#)], Some("abort"), vec!["start", "complete"]),
        ("no path", vec!["START".to_owned(), response(403, "", "")], None, vec!["start", "complete"]),
    ] {
        let calls = calls(responses, |config| config.abort_path = path.map(str::to_owned), wait_for_result).await;
        assert_eq!(lines(&calls), expected, "{name}");
    }
}

/// The backend may already have contacted the provider.
#[tokio::test]
async fn start_completed_after_its_verification_is_aborted() {
    struct NoNetwork;

    #[async_trait]
    impl CellularProvider for NoNetwork {
        async fn acquire(&self, _: Arc<NetworkEvents>) -> Result<NetworkBinding, CellularError> {
            Err(CellularError::Unavailable { reason: CellularCause::DataOff })
        }

        async fn release(&self) -> Result<(), CellularError> {
            Ok(())
        }

        async fn status(&self) -> Result<CellularStatus, CellularError> {
            Ok(CellularStatus::Ready)
        }
    }

    let simulator = Simulator::start(Options::default()).unwrap();
    for (responses, expected) in [
        (vec![start(&simulator), response(204, "", "")], &["start", "abort"][..]),
        (vec![response(403, "", "")], &["start"]),
    ] {
        let backend = Scripted::responding(responses);
        let mut config = phone::config(&simulator, backend.url());
        config.abort_path = Some("abort".to_owned());
        let verifier = NumberVerifier::new(config, Arc::new(NoNetwork), None).unwrap();
        let result = timeout(HANGS, verifier.verify(NUMBER.to_owned())).await.expect("the verification hangs");
        assert!(matches!(result, Err(VerifyError::CellularUnavailable { reason: CellularCause::DataOff })));
        let ended = verifier.ended();
        drop(verifier);
        timeout(HANGS, ended).await.expect("the thread does not end");
        let calls = backend.requests();
        assert_eq!(lines(&calls), expected);
        if let Some(abort) = calls.get(1) {
            assert_eq!(body(abort), json!({ "session": "sess-1", "reason": "cellular_unavailable" }));
        }
    }
}

#[tokio::test]
async fn result_does_not_wait_for_the_abort() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let stalled = "HTTP/1.1 204 No Content\r\n".to_owned();
    let backend = Scripted::responding([start(&simulator), response(403, "", ""), stalled]);
    let mut config = phone::config(&simulator, backend.url());
    config.abort_path = Some("abort".to_owned());
    let (verifier, _) = phone::verifier(config);
    let result = timeout(HANGS, verifier.verify(NUMBER.to_owned())).await.expect("the verification hangs");
    let mut ended = pin!(verifier.ended());
    drop(verifier);
    assert!(result.is_err());
    assert!(ended.as_mut().now_or_never().is_none(), "the abort has already ended");
    timeout(HANGS, ended).await.expect("the abort has no timeout");
    assert_eq!(lines(&backend.requests()), ["start", "complete", "abort"]);
}
