//! What `prepare()` opens, on real sockets: the backend's connection, and those to the hosts of the last verification.

use number_verify::{Config, Header, NumberVerifier};
use number_verify_simulator::{Operator, Options, Simulator};
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::phone::{Counts, HANGS, Loopback, NUMBER, config, verifier};
use crate::scripted::{ClosedPort, Scripted, answer};

/// Some attempts, since `start` may begin before the response of the first request has arrived, and then opens its own connection.
#[tokio::test]
async fn connection_to_the_backend_is_open_before_start() {
    for _ in 0..20 {
        if connections_of_a_prepared_start().await == 1 {
            return;
        }
    }
    panic!("start never used the connection that prepare() had opened");
}

/// The request that opens the connection has nothing of the app.
async fn connections_of_a_prepared_start() -> usize {
    let backend = Scripted::answering([answer(404, "", ""), answer(403, "", "")]);
    let config = Config {
        headers: vec![Header::new("Authorization".to_owned(), "Bearer c4n4ry".to_owned())],
        ..Config::new(backend.url())
    };
    let (verifier, network) = verifier(config);
    verifier.prepare().await.unwrap();
    let is_asked = async {
        while backend.asked().is_empty() {
            yield_now().await;
        }
    };
    timeout(HANGS, is_asked).await.expect("nothing is sent to the backend");
    verifier.verify(NUMBER.to_owned()).await.unwrap_err();
    network.is_released().await;
    drop(verifier);
    let asked = backend.asked();
    assert_eq!(asked.iter().map(|asked| asked.line.as_str()).collect::<Vec<_>>(), ["HEAD /nv/", "POST /nv/start"]);
    for name in ["authorization", "idempotency-key", "x-correlator", "cookie", "content-type"] {
        assert_eq!(asked[0].header(name), None, "{name}");
    }
    assert_eq!(asked[1].header("authorization"), Some("Bearer c4n4ry"));
    backend.connections()
}

#[tokio::test]
async fn nothing_is_sent_if_working_ahead_is_switched_off() {
    let backend = Scripted::answering([answer(403, "", "")]);
    let (verifier, network) = verifier(Config { open_ahead: false, ..Config::new(backend.url()) });
    verifier.prepare().await.unwrap();
    verifier.verify(NUMBER.to_owned()).await.unwrap_err();
    network.is_released().await;
    drop(verifier);
    assert_eq!(backend.connections(), 1);
    assert_eq!(backend.asked().iter().map(|asked| asked.line.as_str()).collect::<Vec<_>>(), ["POST /nv/start"]);
}

/// A backend that is not there is no reason why the network cannot be used.
#[tokio::test]
async fn backend_that_cannot_be_reached_does_not_fail_a_preparation() {
    let closed = ClosedPort::take();
    let (verifier, network) = verifier(Config::new(format!("http://127.0.0.1:{}/nv", closed.number())));
    verifier.prepare().await.unwrap();
    assert_eq!(network.counts(), Counts { acquired: 1, released: 0 });
    drop(verifier);
    network.is_released().await;
}

#[tokio::test]
async fn later_verification_uses_connections_that_opened_ahead() {
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
async fn preparation_that_another_one_replaces_waits_for_the_same_network() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let network = Loopback::that_is_down();
    let config = config(&simulator, simulator.backend_url(Operator::A));
    let verifier = NumberVerifier::new(config, network.clone(), None).unwrap();
    let both = async { tokio::join!(verifier.prepare(), verifier.prepare()) };
    let comes_up = async {
        network.is_acquired().await;
        network.come_up();
    };
    let ((first, second), ()) = timeout(HANGS, async { tokio::join!(both, comes_up) }).await.expect("it hangs");
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(network.counts(), Counts { acquired: 1, released: 0 });
}
