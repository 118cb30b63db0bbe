//! The trace contains the request ids that an operator's support needs, and no secrets.

use std::sync::Arc;

use crate::flow::{Phone, Setting};
use crate::script::{CODE, Chain, Instead, STATE};
use crate::server::Reply;

/// The trace ids of the second hop, whose response has these lines, as text.
async fn ids(lines: &str) -> Vec<String> {
    let mut chain = Chain::new("S1");
    let location = format!("https://auth.glide.test/callback?code=op-7f3e2a&state=op-{STATE}&n=1");
    let head = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n{lines}Content-Length: 0\r\n\r\n");
    chain.instead(2, Instead::Always(Reply::Send(head.into())));
    let auth_url = chain.auth_url();
    let outcome = Phone::new(Setting::new(Arc::new(chain), auth_url)).verify().await;
    assert_eq!(outcome.result.as_ref().ok(), Some(&true), "{lines}: {:?}", outcome.result);
    let mut ids: Vec<_> = outcome.trace.hops[1].trace_ids.iter().map(|(name, id)| format!("{name}: {id}")).collect();
    ids.sort();
    let hops = serde_json::from_str::<serde_json::Value>(&outcome.trace.to_json()).unwrap()["hops"].take();
    for id in &ids {
        let (name, value) = id.split_once(": ").unwrap();
        assert_eq!(hops[1]["trace_ids"][name], value);
        assert!(outcome.trace.to_table().contains(&format!("\n    {id}\n")), "{}", outcome.trace.to_table());
    }
    ids
}

#[tokio::test(start_paused = true)]
async fn listed_headers_with_plain_values_are_recorded() {
    for line in [
        "x-correlator: 3f1b-77",
        "x-request-id: 0123456789abcdef",
        "x-correlation-id: A.b_c:d/e=f+g",
        "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "x-orange-trace-id: 7",
        "x-vig-trace-id: vig",
        "x-amz-cf-id: ZqS0==",
        "cf-ray: 8f2a1b-FRA",
    ] {
        assert_eq!(ids(&format!("{line}\r\n")).await, [line]);
    }
    assert_eq!(ids("X-REQUEST-ID: one\r\nCF-Ray: two\r\n").await, ["cf-ray: two", "x-request-id: one"]);
    assert_eq!(ids("X-Request-Id: not this one\r\nX-Request-Id: this\r\n").await, ["x-request-id: this"]);
    let longest = "a".repeat(128);
    assert_eq!(ids(&format!("cf-ray: {longest}\r\n")).await, [format!("cf-ray: {longest}")]);
}

#[tokio::test(start_paused = true)]
async fn other_headers_and_values_are_not_recorded() {
    for line in [
        "x-trace: different name".to_owned(),
        "x-request-id: with spaces".to_owned(),
        "x-request-id: <b>".to_owned(),
        "x-request-id: ä".to_owned(),
        "x-request-id: a@b".to_owned(),
        "x-request-id: a;b".to_owned(),
        "x-request-id:".to_owned(),
        format!("x-request-id: {}", "a".repeat(129)),
        // Secrets: known before, from this response, and from a later one.
        "x-request-id: 14155550100".to_owned(),
        "x-request-id: n-1-415-555-0100".to_owned(),
        format!("x-request-id: {STATE}"),
        format!("x-request-id: a:{STATE}:b"),
        "x-request-id: 4f1c9a7be0d24c55a9".to_owned(),
        "Set-Cookie: sid=c00k1e-value\r\nx-request-id: c00k1e-value".to_owned(),
        "x-request-id: op-7f3e2a".to_owned(),
        format!("x-request-id: {CODE}"),
        format!("traceparent: 00-{CODE}-01"),
    ] {
        assert_eq!(ids(&format!("{line}\r\n")).await, [""; 0], "{line}");
    }
}
