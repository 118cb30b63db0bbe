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
use crate::scripted::{Asked, ClosedPort, Scripted, answer, ok};

/// The calls to the backend in a verification that ends as the closure ends it, once the verifier's thread has ended.
async fn calls(
    answers: impl IntoIterator<Item = String>,
    change: impl FnOnce(&mut Config),
    end: impl AsyncFnOnce(&NumberVerifier, &VerificationFlow),
) -> Vec<Asked> {
    let simulator = Simulator::start(Options::default()).unwrap();
    let answers = answers.into_iter().map(|answer| answer.replace("START", &start(&simulator)));
    let backend = Scripted::answering(answers);
    let mut config = phone::config(&simulator, backend.url());
    config.abort_path = Some("abort".to_owned());
    change(&mut config);
    let (verifier, network) = phone::verifier(config);
    let flow = verifier.begin(NUMBER.to_owned(), None);
    end(&verifier, &flow).await;
    drop((verifier, flow));
    network.is_released().await;
    backend.connections();
    backend.asked()
}

async fn to_its_end(_: &NumberVerifier, flow: &VerificationFlow) {
    let _ = timeout(HANGS, flow.result()).await.expect("the verification hangs");
}

fn lines(calls: &[Asked]) -> Vec<&str> {
    calls.iter().map(|call| call.line.trim_start_matches("POST /nv/")).collect()
}

fn body(call: &Asked) -> Value {
    serde_json::from_str(&call.body).unwrap()
}

#[tokio::test]
async fn an_error_after_start_is_followed_by_one_abort() {
    let cookie = "Set-Cookie: sid=cookie-1; Path=/\r\n";
    let closed = ClosedPort::take();
    let closed_host = format!("https://closed.test:{}/", closed.number());
    let resolve = format!("closed.test:{}:127.0.0.1", closed.number());
    let closed_host = ok(&format!(r#"{{"authUrl":"{closed_host}","session":"sess-1"}}"#));
    let bad_url = answer(200, cookie, r#"{"authUrl":"http://op.test/","session":"sess-1"}"#);
    for (name, answers, reason) in [
        ("complete is refused", vec!["START".to_owned(), answer(403, "", ""), answer(204, "", "")], "backend"),
        ("the result is malformed", vec!["START".to_owned(), ok("{}"), answer(204, "", "")], "backend"),
        ("the auth URL is refused", vec![bad_url, answer(204, "", "")], "backend"),
        ("the operator fails", vec![closed_host, answer(204, "", "")], "authorization"),
        (
            "the abort fails",
            vec!["START".to_owned(), answer(403, "", ""), answer(503, "Retry-After: 1\r\n", "")],
            "backend",
        ),
        ("no response to the abort", vec!["START".to_owned(), answer(403, "", "")], "backend"),
    ] {
        let calls = calls(answers, |config| config.development.resolve.push(resolve.clone()), to_its_end).await;
        let (abort, others) = calls.split_last().unwrap();
        assert_eq!(lines(&calls).iter().filter(|line| **line == "abort").count(), 1, "{name}: {calls:?}");
        assert_eq!(abort.line, "POST /nv/abort", "{name}");
        assert_eq!(body(abort), json!({ "session": "sess-1", "reason": reason }), "{name}");
        assert_eq!(abort.header("x-correlator"), others[0].header("x-correlator"), "{name}");
        assert_ne!(abort.header("idempotency-key"), others[0].header("idempotency-key"), "{name}");
        let cookie = (name == "the auth URL is refused").then_some("sid=cookie-1");
        assert_eq!(abort.header("cookie"), cookie, "{name}");
    }
}

/// While the operator's host does not respond.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verification_that_is_cancelled_or_late_is_followed_by_one_abort() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let start = ok(&format!(r#"{{"authUrl":"https://silent.test:{port}/","session":"sess-1"}}"#));
    let resolve = |config: &mut Config| config.development.resolve.push(format!("silent.test:{port}:127.0.0.1"));
    let cancelled = calls([start.clone(), answer(204, "", "")], resolve, async |_, flow| {
        let _connection = silent.accept().unwrap();
        flow.cancel();
        assert!(matches!(flow.result().await, Err(VerifyError::Cancelled)));
    });
    let dropped = calls([start.clone(), answer(204, "", "")], resolve, async |_, _| {
        silent.accept().unwrap();
    });
    let is_late = |config: &mut Config| {
        resolve(config);
        config.deadlines.overall_ms = 2_000;
    };
    let late = calls([start.clone(), answer(204, "", "")], is_late, to_its_end);
    for (calls, reason) in
        [(cancelled.await, "cancelled"), (dropped.await, "cancelled"), (late.await, "deadline_exceeded")]
    {
        assert_eq!(lines(&calls), ["start", "abort"], "{reason}");
        assert_eq!(body(&calls[1]), json!({ "session": "sess-1", "reason": reason }));
    }
}

#[tokio::test]
async fn no_abort_without_a_session_after_a_result_or_without_its_path() {
    for (name, answers, path, expected) in [
        ("start is refused", vec![answer(403, "", "")], Some("abort"), vec!["start"]),
        ("start is malformed", vec![ok("{}")], Some("abort"), vec!["start"]),
        ("a result", vec!["START".to_owned(), ok(VERIFIED)], Some("abort"), vec!["start", "complete"]),
        ("a mismatch", vec!["START".to_owned(), ok(r#"{"verified":false}"#)], Some("abort"), vec!["start", "complete"]),
        ("no path", vec!["START".to_owned(), answer(403, "", "")], None, vec!["start", "complete"]),
    ] {
        let calls = calls(answers, |config| config.abort_path = path.map(str::to_owned), to_its_end).await;
        assert_eq!(lines(&calls), expected, "{name}");
    }
}

/// The backend may have begun something at the provider already.
#[tokio::test]
async fn a_start_that_outlives_its_verification_is_aborted() {
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
    for (answers, expected) in [
        (vec![start(&simulator), answer(204, "", "")], &["start", "abort"][..]),
        (vec![answer(403, "", "")], &["start"]),
    ] {
        let backend = Scripted::answering(answers);
        let mut config = phone::config(&simulator, backend.url());
        config.abort_path = Some("abort".to_owned());
        let verifier = NumberVerifier::new(config, Arc::new(NoNetwork), None).unwrap();
        let result = timeout(HANGS, verifier.verify(NUMBER.to_owned())).await.expect("the verification hangs");
        assert!(matches!(result, Err(VerifyError::CellularUnavailable { reason: CellularCause::DataOff })));
        let ended = verifier.ended();
        drop(verifier);
        timeout(HANGS, ended).await.expect("the thread goes on");
        let calls = backend.asked();
        assert_eq!(lines(&calls), expected);
        if let Some(abort) = calls.get(1) {
            assert_eq!(body(abort), json!({ "session": "sess-1", "reason": "cellular_unavailable" }));
        }
    }
}

#[tokio::test]
async fn a_result_does_not_wait_for_the_abort() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let stalled = "HTTP/1.1 204 No Content\r\n".to_owned();
    let backend = Scripted::answering([start(&simulator), answer(403, "", ""), stalled]);
    let mut config = phone::config(&simulator, backend.url());
    config.abort_path = Some("abort".to_owned());
    let (verifier, _) = phone::verifier(config);
    let result = timeout(HANGS, verifier.verify(NUMBER.to_owned())).await.expect("the verification hangs");
    let mut ended = pin!(verifier.ended());
    drop(verifier);
    assert!(result.is_err());
    assert!(ended.as_mut().now_or_never().is_none(), "the abort is over already");
    timeout(HANGS, ended).await.expect("the abort has no time limit");
    assert_eq!(lines(&backend.asked()), ["start", "complete", "abort"]);
}
