//! The connections that `prepare()` opens, on real sockets: to the backend, and to the hosts of the
//! last verification.

use number_verify::{Config, Header, NumberVerifier};
use number_verify_simulator::{Operator, Options, Simulator};
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::phone::{Counts, HANGS, Loopback, NUMBER, config, verifier};
use crate::scripted::{ClosedPort, Scripted, response};

/// Retries, because `start` may begin before the response to the first request has arrived, and
/// then opens another connection.
#[tokio::test]
async fn connection_to_the_backend_is_open_before_start() {
    for _ in 0..20 {
        if connections_of_a_prepared_start().await == 1 {
            return;
        }
    }
    panic!("start never used the connection that prepare() had opened");
}

/// The request that opens the connection carries no data of the app.
async fn connections_of_a_prepared_start() -> usize {
    let backend = Scripted::responding([response(404, "", ""), response(403, "", "")]);
    let config = Config {
        headers: vec![Header::new("Authorization".to_owned(), "Bearer c4n4ry".to_owned())],
        ..Config::new(backend.url())
    };
    let (verifier, network) = verifier(config);
    verifier.prepare().await.unwrap();
    let is_requested = async {
        while backend.requests().is_empty() {
            yield_now().await;
        }
    };
    timeout(HANGS, is_requested).await.expect("nothing is sent to the backend");
    verifier.verify(NUMBER.to_owned()).await.unwrap_err();
    network.is_released().await;
    drop(verifier);
    let requests = backend.requests();
    assert_eq!(
        requests.iter().map(|request| request.line.as_str()).collect::<Vec<_>>(),
        ["HEAD /nv/", "POST /nv/start"]
    );
    for name in ["authorization", "idempotency-key", "x-correlator", "cookie", "content-type"] {
        assert_eq!(requests[0].header(name), None, "{name}");
    }
    assert_eq!(requests[1].header("authorization"), Some("Bearer c4n4ry"));
    backend.connections()
}

#[tokio::test]
async fn nothing_is_sent_ahead_if_open_ahead_is_off() {
    let backend = Scripted::responding([response(403, "", "")]);
    let (verifier, network) = verifier(Config { open_ahead: false, ..Config::new(backend.url()) });
    verifier.prepare().await.unwrap();
    verifier.verify(NUMBER.to_owned()).await.unwrap_err();
    network.is_released().await;
    drop(verifier);
    assert_eq!(backend.connections(), 1);
    assert_eq!(backend.requests().iter().map(|request| request.line.as_str()).collect::<Vec<_>>(), ["POST /nv/start"]);
}

/// The network is usable without the backend.
#[tokio::test]
async fn unreachable_backend_does_not_fail_prepare() {
    let closed = ClosedPort::take();
    let (verifier, network) = verifier(Config::new(format!("http://127.0.0.1:{}/nv", closed.number())));
    verifier.prepare().await.unwrap();
    assert_eq!(network.counts(), Counts { acquired: 1, released: 0 });
    drop(verifier);
    network.is_released().await;
}

#[tokio::test]
async fn later_verification_uses_connections_opened_ahead() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let (verifier, network) = verifier(config(&simulator, simulator.backend_url(Operator::A)));
    let mut traces = Vec::new();
    for prepares in [false, false, true] {
        if prepares {
            verifier.prepare().await.unwrap();
        }
        traces.push(verifier.verify(NUMBER.to_owned()).await.unwrap().trace());
        network.is_released().await;
    }
    assert!(traces[0].opened_ahead.is_empty() && traces[0].hops.iter().all(|hop| !hop.opened_ahead));
    for trace in &traces[1..] {
        let new: Vec<_> = trace.hops.iter().filter(|hop| !hop.reused).collect();
        assert!(new.iter().all(|hop| hop.opened_ahead && hop.tls_ms.is_none()), "{}", trace.to_table());
        assert_eq!(trace.hops.len(), traces[0].hops.len());
    }
    verifier.forget_hosts();
    let trace = verifier.verify(NUMBER.to_owned()).await.unwrap().trace();
    assert!(trace.opened_ahead.is_empty() && trace.hops.iter().all(|hop| !hop.opened_ahead));
}

#[tokio::test]
async fn replaced_preparation_waits_for_the_same_network() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let network = Loopback::that_is_down();
    let config = config(&simulator, simulator.backend_url(Operator::A));
    let verifier = NumberVerifier::new(config, network.clone(), None).unwrap();
    let both = async { tokio::join!(verifier.prepare(), verifier.prepare()) };
    let connect = async {
        network.is_acquired().await;
        network.come_up();
    };
    let ((first, second), ()) = timeout(HANGS, async { tokio::join!(both, connect) }).await.expect("it hangs");
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(network.counts(), Counts { acquired: 1, released: 0 });
}
