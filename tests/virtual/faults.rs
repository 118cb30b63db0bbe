//! Responses that violate the protocol, at the first hop and on a pooled connection: each maps to
//! its cause, the flow ends in bounded time, and the network is released once. Faults of DNS,
//! connections and TLS, and faults that are the same at every step, are in `matrix`.

use std::sync::Arc;

use number_verify::CodeDelivery;

use crate::flow::{Outcome, Phone, Setting};
use crate::script::{Chain, Instead};
use crate::server::Reply;

fn send(text: &str) -> Reply {
    Reply::Send(text.into())
}

fn send_and_vanish(text: &str) -> Reply {
    Reply::SendAndVanish(text.into())
}

const HALF_A_CHUNK: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{\"code\":\"half";
const UNTIL_CLOSE: &str = "HTTP/1.0 200 OK\r\n\r\n{\"code\":\"whole\"}";
const TWO_LENGTHS: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ";
const LENGTH_AND_CHUNKED: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
const OTHER_CODING: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n{}";
const NUL: &str = "HTTP/1.1 200 OK\r\nX: a\u{0}b\r\nContent-Length: 2\r\n\r\n{}";
const BROTLI: &str = "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\n{}";
const NO_GZIP: &str = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}";
const UPGRADE: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";
const EARLY_HINTS: &str = "HTTP/1.1 103 Early Hints\r\n\r\n";
const LIMIT: usize = 64 * 1024;

fn body(length: usize) -> Reply {
    send(&format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{}", "x".repeat(length)))
}

fn headers(count: usize, length: usize) -> Reply {
    let line = format!("X-Filler: {}\r\n", "x".repeat(length));
    send(&format!("HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n", line.repeat(count)))
}

#[rustfmt::skip] // one row, one line
fn faults() -> Vec<(&'static str, Reply, &'static str)> {
    vec![
        ("truncated chunks", send_and_vanish(HALF_A_CHUNK), "closed"),
        ("truncated without close_notify", send_and_vanish(UNTIL_CLOSE), "closed"),
        ("NUL in a header", send(NUL), "unexpected_page"),
        ("two lengths", send(TWO_LENGTHS), "malformed_response"),
        ("length and chunked", send(LENGTH_AND_CHUNKED), "malformed_response"),
        ("other transfer coding", send(OTHER_CODING), "malformed_response"),
        ("switching protocols", send(UPGRADE), "malformed_response"),
        ("status 999", send("HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n"), "malformed_response"),
        ("unrequested coding", send(BROTLI), "malformed_response"),
        ("invalid gzip", send(NO_GZIP), "malformed_response"),
        ("headers over 64 KiB", headers(70, 1000), "too_large"),
        ("one endless header", headers(1, 200_000), "too_large"),
        ("endless reason", send(&format!("HTTP/1.1 200 {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(LIMIT))), "too_large"),
        ("informational flood", send(&format!("{}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", EARLY_HINTS.repeat(3000))), "too_large"),
        ("body over 64 KiB", body(LIMIT + 1), "too_large"),
        ("a page of just 64 KiB", body(LIMIT), "unexpected_page"),
        ("no content", send("HTTP/1.1 204 No Content\r\n\r\n"), "unexpected_page"),
        ("redirect to nowhere", send("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"), "bad_location"),
    ]
}

#[tokio::test(start_paused = true)]
async fn every_fault_maps_to_its_cause() {
    for (name, fault, cause) in faults() {
        for hop in [1, 3] {
            let mut chain = Chain::new("S1");
            chain.instead(hop, Instead::Always(fault.clone()));
            let outcome = flow(chain).await;
            let name = format!("{name} at hop {hop}");
            let error = outcome.error_json();
            assert_eq!((&error["kind"], &error["step"]), (&"authorization".into(), &"authorize".into()), "{name}");
            assert_eq!((&error["cause"], &error["hop"]), (&cause.into(), &hop.into()), "{name}: {error}");
            assert_eq!(error["fallback"], "use_another_channel", "{name}");
            assert_eq!((outcome.acquired, outcome.released), (1, 1), "{name}");
            assert_eq!(outcome.completed_with, None, "{name}");
            assert!(outcome.trace.total_ms <= 1_700, "{name} took {} ms", outcome.trace.total_ms);
        }
    }
}

/// The body of a redirect has no effect: the next hop does not wait for it and uses another
/// connection if necessary.
#[tokio::test(start_paused = true)]
async fn redirect_bodies_are_ignored() {
    const HEAD: &str = "HTTP/1.1 302 Found\r\nLocation: https://operator-a.test/consent?tx=9c1d77\r\nSet-Cookie: opsess=1b9d6bcd4f; Path=/";
    for (name, reply, connections) in [
        ("stalled", Reply::SendAndStall(format!("{HEAD}\r\nContent-Length: 10\r\n\r\nhalf").into()), 4),
        ("truncated", Reply::SendAndVanish(format!("{HEAD}\r\nContent-Length: 10\r\n\r\nhalf").into()), 4),
        (
            "over 64 KiB",
            Reply::Send(format!("{HEAD}\r\nContent-Length: 70000\r\n\r\n{}", "x".repeat(70_000)).into()),
            4,
        ),
        ("no body, and closed", Reply::SendAndClose(format!("{HEAD}\r\nContent-Length: 0\r\n\r\n").into()), 4),
        ("unusable", Reply::Send(format!("{HEAD}\r\nContent-Encoding: br\r\nContent-Length: 4\r\n\r\nfour").into()), 3),
    ] {
        let mut chain = Chain::new("S2");
        chain.instead(4, Instead::Always(reply));
        let outcome = flow(chain).await;
        assert_eq!(outcome.result.as_ref().ok(), Some(&true), "{name}: {:?}", outcome.result);
        assert_eq!(outcome.connections.len(), connections, "{name}");
        assert!(outcome.trace.total_ms < 2_500, "{name} took {} ms", outcome.trace.total_ms);
    }
}

/// Without a code to look for, the last page may have any size or be malformed; an error status
/// still fails the walk.
#[tokio::test(start_paused = true)]
async fn pages_without_an_expected_code_are_not_parsed() {
    let large = |status: u16| format!("HTTP/1.1 {status} X\r\nContent-Length: 70000\r\n\r\n{}", "x".repeat(70_000));
    let brotli = |status: u16| format!("HTTP/1.1 {status} X\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx");
    for (delivery, page, expected) in [
        (CodeDelivery::NoCode, large(200), None),
        (CodeDelivery::NoCode, brotli(200), None),
        (CodeDelivery::NoCode, large(503), Some("http_status")),
        (CodeDelivery::Relay, large(200), Some("too_large")),
        (CodeDelivery::Relay, large(503), Some("http_status")),
        (CodeDelivery::Relay, brotli(404), Some("http_status")),
    ] {
        let mut chain = Chain::new("S1");
        chain.instead(3, Instead::Always(Reply::Send(page.into())));
        let auth_url = chain.auth_url();
        let mut setting = Setting::new(Arc::new(chain), auth_url);
        setting.config.code_delivery = delivery;
        let outcome = Phone::new(setting).verify().await;
        let cause = outcome.result.is_err().then(|| outcome.error_json()["cause"].as_str().unwrap().to_owned());
        assert_eq!(cause.as_deref(), expected, "{delivery:?}");
    }
}

/// At `redirect_uri` a page may have any size, because `complete` returns the result; a truncated
/// result is an error.
#[tokio::test(start_paused = true)]
async fn callback_bodies() {
    for (name, reply, expected) in [
        (
            "a large page",
            Reply::Send(format!("HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n{}", "x".repeat(70_000)).into()),
            None,
        ),
        ("a result", Reply::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{\"verified\":true}".to_vec()), None),
        (
            "a truncated result",
            Reply::SendAndVanish(b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{\"verif".to_vec()),
            Some("closed"),
        ),
        ("a result in an unrequested coding", Reply::Send(BROTLI.into()), Some("malformed_response")),
    ] {
        let mut chain = Chain::new("S1");
        chain.instead(4, Instead::Always(reply));
        let auth_url = chain.auth_url();
        let mut setting = Setting::new(Arc::new(chain), auth_url);
        setting.config.code_delivery = CodeDelivery::FollowThrough;
        let outcome = Phone::new(setting).verify().await;
        let cause = outcome.result.is_err().then(|| outcome.error_json()["cause"].as_str().unwrap().to_owned());
        assert_eq!(cause.as_deref(), expected, "{name}: {:?}", outcome.result);
    }
}

/// The server may not have received the request: it is sent again on a new connection, and once
/// more if that one also fails.
#[tokio::test(start_paused = true)]
async fn connection_closed_before_a_response_is_replaced() {
    for (name, reply) in [
        ("reset", Reply::Reset),
        ("closed", Reply::SendAndClose(Vec::new())),
        ("vanished", Reply::SendAndVanish(Vec::new())),
    ] {
        let mut chain = Chain::new("S1");
        chain.instead(3, Instead::Once(reply.clone()));
        let outcome = flow(chain).await;
        assert_eq!(outcome.result.as_ref().ok(), Some(&true), "{name}: {:?}", outcome.result);
        assert_eq!(outcome.connections.len(), 3, "{name}");
        assert!(!outcome.trace.hops[2].reused, "{name}");

        let mut chain = Chain::new("S1");
        chain.instead(1, Instead::Once(reply.clone()));
        let outcome = flow(chain).await;
        assert_eq!(outcome.result.as_ref().ok(), Some(&true), "{name} on a new connection: {:?}", outcome.result);
        assert_eq!(outcome.connections.len(), 3, "{name} on a new connection");

        for (hop, connections) in [(1, 2), (3, 4)] {
            let mut chain = Chain::new("S1");
            chain.instead(hop, Instead::Always(reply.clone()));
            let outcome = flow(chain).await;
            assert_eq!(outcome.error_json()["cause"], "closed", "{name}, always, at hop {hop}");
            assert_eq!(outcome.connections.len(), connections, "{name}, always, at hop {hop}");
        }
    }
}

/// The limits are far beyond what real servers send.
#[tokio::test(start_paused = true)]
async fn headers_and_informational_responses_are_limited() {
    const JSON: &str = r#"{"code":"code-c0de"}"#;
    let fields = |count: usize| "x: y\r\n".repeat(count);
    let early = |count: usize| "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(count);
    let length = JSON.len();
    let response =
        |early: &str, fields: &str| format!("{early}HTTP/1.1 200 OK\r\n{fields}Content-Length: {length}\r\n\r\n{JSON}");
    for (name, reply, expected) in [
        ("1000 headers", response("", &fields(999)), None),
        ("1001 headers", response("", &fields(1000)), Some("malformed_response")),
        (
            "1001 headers of an informational response",
            response(&format!("HTTP/1.1 103 X\r\n{}\r\n", fields(1001)), ""),
            Some("malformed_response"),
        ),
        ("8 informational responses", response(&early(8), ""), None),
        ("9 informational responses", response(&early(9), ""), Some("too_large")),
        ("informational responses without end", early(1000), Some("too_large")),
    ] {
        let mut chain = Chain::new("S1");
        chain.instead(3, Instead::Always(Reply::Send(reply.into())));
        let outcome = flow(chain).await;
        let cause = outcome.result.is_err().then(|| outcome.error_json()["cause"].as_str().unwrap().to_owned());
        assert_eq!(cause.as_deref(), expected, "{name}: {:?}", outcome.result);
    }
}

/// Responses that are unusual but valid.
#[tokio::test(start_paused = true)]
async fn unusual_responses_are_accepted() {
    const JSON: &str = r#"{"code":"code-c0de"}"#;
    let length = JSON.len();
    for (name, reply) in [
        (
            "1xx first",
            format!(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{JSON}"
            ),
        ),
        (
            "chunked with trailers",
            format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nTrailer: X\r\n\r\n{length:x}\r\n{JSON}\r\n0\r\nX: 1\r\n\r\n"
            ),
        ),
        (
            "the same length twice",
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nContent-Length: {length}\r\n\r\n{JSON}"),
        ),
        (
            "identity",
            format!("HTTP/1.1 200 OK\r\nContent-Encoding: Identity\r\nContent-Length: {length}\r\n\r\n{JSON}"),
        ),
        (
            "an unknown content coding, and NUL at the end",
            format!(
                "HTTP/1.1 200 OK\r\nContent-Encoding: UTF-8, binary\r\nContent-Length: {}\r\n\r\n{JSON}\0",
                length + 1
            ),
        ),
    ] {
        let mut chain = Chain::new("S1");
        chain.instead(3, Instead::Always(Reply::Send(reply.into())));
        let outcome = flow(chain).await;
        assert_eq!(outcome.result.as_ref().ok(), Some(&true), "{name}: {:?}", outcome.result);
        assert_eq!(outcome.completed_with.as_deref(), Some("code-c0de"), "{name}");
    }
    let mut chain = Chain::new("S1");
    let until_close = format!("HTTP/1.0 200 OK\r\n\r\n{JSON}");
    chain.instead(3, Instead::Always(Reply::SendAndClose(until_close.into())));
    assert_eq!(flow(chain).await.result.ok(), Some(true), "HTTP/1.0 until close");
}

async fn flow(chain: Chain) -> Outcome {
    let auth_url = chain.auth_url();
    Phone::new(Setting::new(Arc::new(chain), auth_url)).verify().await
}
