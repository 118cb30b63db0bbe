//! Hints: they change the requests to their host only, and grant no additional permissions.

use std::sync::{Arc, Mutex};

use number_verify::{AddressFamily, CodeDelivery, Header, Hint, TlsVersion};

use crate::flow::{Outcome, Phone, Setting};
use crate::script::Chain;

const OPERATOR: &str = "operator-a.test";

fn accept(host: &str, accept: &str) -> Hint {
    Hint { host: host.to_owned(), headers: [("Accept".to_owned(), accept.to_owned())].into(), ..Hint::default() }
}

fn max_tls(host: &str, version: TlsVersion) -> Hint {
    Hint { host: host.to_owned(), max_tls: Some(version), ..Hint::default() }
}

/// A verification with these hints in the settings and in the start response.
async fn flow(chain: &Arc<Chain>, settings: &[Hint], start: &[Hint]) -> Outcome {
    let mut setting = Setting::new(chain.clone(), chain.auth_url());
    setting.config.hints = settings.to_vec();
    setting.start_hints = Arc::new(Mutex::new(start.to_vec()));
    Phone::new(setting).verify().await
}

/// The hosts whose requests contained this line.
fn hosts_with(chain: &Chain, line: &str) -> Vec<String> {
    let mut hosts: Vec<_> = chain
        .requests()
        .into_iter()
        .filter(|request| request.head.contains(line))
        .map(|request| request.host)
        .collect();
    hosts.dedup();
    hosts
}

#[tokio::test(start_paused = true)]
async fn hinted_headers_are_sent_to_matching_hosts_only() {
    for (pattern, hosts) in [
        (OPERATOR, vec!["operator-a.test"]),
        ("OPERATOR-A.test.", vec!["operator-a.test"]),
        ("*.operator-a.test", vec!["he.operator-a.test"]),
        (
            "*.test",
            vec!["auth.glide.test", "operator-a.test", "he.operator-a.test", "operator-a.test", "auth.glide.test"],
        ),
        ("a.test", vec![]),
        ("*.a.test", vec![]),
        ("operator-a.test.example.test", vec![]),
    ] {
        for in_start in [false, true] {
            let (chain, hint) = (Arc::new(Chain::new("S2")), [accept(pattern, "hinted")]);
            let outcome = if in_start { flow(&chain, &[], &hint).await } else { flow(&chain, &hint, &[]).await };
            assert_eq!(outcome.result.as_ref().ok(), Some(&true), "{pattern}: {:?}", outcome.result);
            assert_eq!(hosts_with(&chain, "\r\nAccept: hinted\r\n"), hosts, "{pattern}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn start_response_takes_precedence_over_settings_and_operator_headers() {
    let chain = Arc::new(Chain::new("S1"));
    let mut setting = Setting::new(chain.clone(), chain.auth_url());
    setting.config.operator_headers = ["Accept", "User-Agent", "X-Box"]
        .map(|name| Header::new(name.to_owned(), "operator_headers".to_owned()))
        .to_vec();
    let headers = |headers: &[&str], value: &str| Hint {
        host: "*.glide.test".to_owned(),
        headers: headers.iter().map(|name| ((*name).to_owned(), value.to_owned())).collect(),
        ..Hint::default()
    };
    setting.config.hints = vec![headers(&["accept", "X-BOX"], "settings")];
    setting.start_hints = Arc::new(Mutex::new(vec![headers(&["x-box"], "start")]));
    let outcome = Phone::new(setting).verify().await;
    assert_eq!(outcome.result.as_ref().ok(), Some(&true), "{:?}", outcome.result);
    let head = &chain.requests()[0].head;
    for line in ["\r\nAccept: settings\r\n", "\r\nUser-Agent: operator_headers\r\n", "\r\nX-Box: start\r\n"] {
        assert!(head.contains(line), "{head}");
    }
    for name in ["Accept: ", "User-Agent: ", "X-Box: "] {
        assert_eq!(head.matches(&format!("\r\n{name}")).count(), 1, "{head}");
    }
}

#[tokio::test(start_paused = true)]
async fn trace_contains_the_tls_version() {
    for (hint, expected) in [
        (None, [Some(TlsVersion::Tls13), Some(TlsVersion::Tls13), None]),
        (Some(max_tls(OPERATOR, TlsVersion::Tls12)), [Some(TlsVersion::Tls13), Some(TlsVersion::Tls12), None]),
        (Some(max_tls("*.test", TlsVersion::Tls12)), [Some(TlsVersion::Tls12), Some(TlsVersion::Tls12), None]),
        (Some(max_tls("*.test", TlsVersion::Tls13)), [Some(TlsVersion::Tls13), Some(TlsVersion::Tls13), None]),
    ] {
        let chain = Arc::new(Chain::new("S2"));
        let outcome = flow(&chain, &hint.clone().into_iter().collect::<Vec<_>>(), &[]).await;
        assert_eq!(outcome.result.as_ref().ok(), Some(&true), "{hint:?}: {:?}", outcome.result);
        let hops = &outcome.trace.hops;
        let versions: Vec<_> = hops.iter().take(3).map(|hop| hop.tls_version).collect();
        assert_eq!(versions, expected, "{hint:?}");
        assert!(hops.iter().all(|hop| hop.family == Some(AddressFamily::Ipv4)), "also on reused connections");
        assert_eq!(outcome.connections.len(), 3, "{hint:?}: no TLS offer is refused");
    }
}

/// If a host lacks the requested family, the other family is not used.
#[tokio::test(start_paused = true)]
async fn hinted_family_that_the_host_lacks_fails() {
    let chain = Arc::new(Chain::new("S1"));
    let hint = Hint { host: OPERATOR.to_owned(), address_family: Some(AddressFamily::Ipv6), ..Hint::default() };
    let error = flow(&chain, &[hint], &[]).await.error_json();
    assert_eq!((&error["cause"], &error["hop"]), (&"dns".into(), &2.into()), "{error}");
}

/// A connection that a hint excludes is not reused from another verification, and a connection made
/// with a hint is not used without it.
#[tokio::test(start_paused = true)]
async fn connections_with_different_hints_are_not_shared() {
    let chain = Arc::new(Chain::new("S1"));
    let setting = Setting::new(chain.clone(), chain.auth_url());
    let hints = setting.start_hints.clone();
    let phone = Phone::new(setting);
    let lease = phone.lease();
    for (version, new_connections) in
        [(None, 2), (None, 0), (Some(TlsVersion::Tls12), 1), (Some(TlsVersion::Tls12), 0), (None, 0)]
    {
        *hints.lock().unwrap() = version.map(|version| max_tls(OPERATOR, version)).into_iter().collect();
        let outcome = phone.verify_only().await;
        assert_eq!(outcome.connections.len(), new_connections, "{version:?}");
        assert_eq!(outcome.trace.hops[1].tls_version, version.or(Some(TlsVersion::Tls13)));
    }
    drop(lease);
}

/// An invalid hint is ignored and the verification continues.
#[tokio::test(start_paused = true)]
async fn invalid_hints_of_a_start_response_are_ignored() {
    let cookie =
        Hint { headers: [("Cookie".to_owned(), "a=b".to_owned())].into(), ..max_tls(OPERATOR, TlsVersion::Tls12) };
    let chain = Arc::new(Chain::new("S1"));
    let outcome = flow(&chain, &[], &[cookie, accept("*", "x"), accept(OPERATOR, "hinted")]).await;
    assert_eq!(outcome.result.as_ref().ok(), Some(&true), "{:?}", outcome.result);
    assert_eq!(outcome.trace.hops[1].tls_version, Some(TlsVersion::Tls13));
    assert_eq!(hosts_with(&chain, "\r\nAccept: hinted\r\n"), [OPERATOR]);
    assert_eq!(hosts_with(&chain, "a=b"), [""; 0]);
}

/// The backend, which the phone reaches here by follow-through, receives its usual request.
#[tokio::test(start_paused = true)]
async fn backend_requests_ignore_hints() {
    let chain = Arc::new(Chain::new("S1"));
    let mut setting = Setting::new(chain.clone(), chain.auth_url());
    "https://app.example.test".clone_into(&mut setting.config.backend_url);
    setting.config.code_delivery = CodeDelivery::FollowThrough;
    setting.config.hints = vec![accept("*.test", "hinted")];
    let outcome = Phone::new(setting).verify().await;
    assert!(chain.requests().iter().any(|request| request.host == "app.example.test"), "{:?}", outcome.result);
    assert!(!hosts_with(&chain, "\r\nAccept: hinted\r\n").contains(&"app.example.test".to_owned()));
    assert_eq!(hosts_with(&chain, "\r\nAccept: hinted\r\n").len(), 3);
}
