//! Servers that cannot handle the TLS 1.3 offer: the handshake is retried once with TLS 1.2 only,
//! on a new connection.

use std::sync::Arc;

use crate::flow::{Outcome, Phone, Setting};
use crate::script::{Chain, Instead};
use crate::server::{Reply, Tls13};

/// The verification if the second hop's host, the operator's, behaves like this.
async fn operator(tls13: Tls13) -> Outcome {
    let mut chain = Chain::new("S1");
    chain.tls13(2, tls13);
    flow(chain).await
}

async fn flow(chain: Chain) -> Outcome {
    let auth_url = chain.auth_url();
    Phone::new(Setting::new(Arc::new(chain), auth_url)).verify().await
}

const PROTOCOL_VERSION: u8 = 70;

#[tokio::test(start_paused = true)]
async fn servers_that_fail_on_tls13_get_a_tls12_offer() {
    let connections = operator(Tls13::Spoken).await.connections.len();
    for (name, tls13, more) in [
        ("correct negotiation of TLS 1.2", Tls13::Declined, 0),
        ("protocol_version", Tls13::Alert(PROTOCOL_VERSION), 1),
        ("handshake_failure", Tls13::Alert(40), 1),
        ("illegal_parameter", Tls13::Alert(47), 1),
        ("closed", Tls13::Close, 1),
        ("reset", Tls13::Reset, 1),
    ] {
        let outcome = operator(tls13).await;
        assert_eq!(outcome.result.as_ref().ok(), Some(&true), "{name}: {:?}", outcome.result);
        assert_eq!(outcome.connections.len(), connections + more, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn other_tls_alerts_get_no_second_offer() {
    let connections = operator(Tls13::Spoken).await.connections.len();
    for (alert, name) in [(49, "access_denied"), (80, "internal_error"), (112, "unrecognized_name")] {
        let outcome = operator(Tls13::Alert(alert)).await;
        let error = outcome.error_json();
        assert_eq!((&error["cause"], &error["detail"]["alert"]), (&"tls".into(), &name.into()), "{error}");
        assert_eq!(outcome.connections.len(), connections, "{name}");
    }
}

/// A connection closed during the handshake is a rejection by the server, not a network failure.
#[tokio::test(start_paused = true)]
async fn server_that_closes_every_handshake_gets_one_more_offer() {
    let connections = operator(Tls13::Spoken).await.connections.len();
    let outcome = operator(Tls13::NoTls).await;
    let error = outcome.error_json();
    assert_eq!((&error["cause"], &error["fallback"]), (&"tls".into(), &"use_another_channel".into()), "{error}");
    assert_eq!(error["hop"], 2, "{error}");
    assert_eq!(outcome.connections.len(), connections + 1, "exactly one more offer");
}

/// While the network is held, the host is immediately offered TLS 1.2 only.
#[tokio::test(start_paused = true)]
async fn server_that_fails_on_tls13_is_remembered() {
    let mut chain = Chain::new("S1");
    chain.tls13(1, Tls13::Alert(PROTOCOL_VERSION));
    let location = "https://operator-a.test/authorize?client_id=glide";
    let head = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    chain.instead(1, Instead::Always(Reply::SendAndClose(head.into())));
    let outcome = flow(chain).await;
    assert_eq!(outcome.result.as_ref().ok(), Some(&true), "{:?}", outcome.result);
    assert_eq!(outcome.connections.len(), 4, "two for the first request, one for each other request");
}
