//! Shared code of the fuzz targets: parsing of inputs, and the invariants of requests.
//!
//! Most inputs are text, so that a seed or a finding can be read and edited. Every input is a valid
//! case.

use std::borrow::Cow;
use std::fmt::Debug;
use std::future::Future;
use std::net::IpAddr;

use number_verify::internals::{AllowedHosts, Delivery, Request, Rules, is_forbidden};
use tokio::runtime::{Builder, Runtime};
use url::{Host, Url};

/// The input as text; bytes that are not UTF-8 are replaced.
#[must_use]
pub fn text(data: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(data)
}

/// The first line, and the rest.
#[must_use]
pub fn first_line(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}

/// The result, after checking that a second run with the same input returns the same.
pub fn twice<T: PartialEq + Debug>(run: impl Fn() -> T) -> T {
    let (first, second) = (run(), run());
    assert_eq!(first, second, "equal input returns equal output");
    first
}

/// Runs a future on the only runtime of this process, whose clock does not wait: it advances to the
/// next timer.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: Runtime =
            Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// The ASCII digits of a text.
#[must_use]
pub fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// The rules of a walk with a backend at <https://api.test> and one address exempt from the policy.
#[must_use]
pub fn rules(delivery: Delivery) -> Rules {
    Rules {
        delivery,
        cleartext: true,
        redirect_limit: 15,
        allowed_hosts: AllowedHosts::these([("127.0.0.1".to_owned(), 8443)]),
        configured_redirect_uri: None,
        backend_origin: Url::parse("https://api.test").ok().map(|url| url.origin()),
    }
}

/// The invariants of every request of a walk, for any input from peers.
pub fn assert_allowed(request: &Request, rules: &Rules, redirect_uri: Option<&Url>) {
    let url = &request.url;
    let has = |name: &str| url.query_pairs().any(|(key, _)| key == name);
    let ip = match url.host() {
        Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
        Some(Host::Domain(name)) => {
            assert!(name.is_ascii() && !name.contains('%'), "host of {url}");
            None
        }
        None => panic!("{url} without a host"),
    };
    let is_https = url.scheme() == "https";
    assert!(is_https || url.scheme() == "http" && rules.cleartext, "scheme of {url}");
    assert!(is_https || !(has("code") && has("state")), "a code in cleartext: {url}");
    assert!(is_https || !same_host(url, redirect_uri), "redirect_uri's host in cleartext: {url}");
    assert!(is_https || url.host_str() != Some("api.test"), "the backend's host in cleartext: {url}");
    assert!(is_https || request.session.is_none(), "the session in cleartext: {url}");
    assert!(url.username().is_empty() && url.password().is_none(), "userinfo in {url}");
    let is_exempt =
        |ip: IpAddr| rules.allowed_hosts.contains(&ip.to_string(), url.port_or_known_default().unwrap_or(0));
    assert!(ip.is_none_or(|ip| !is_forbidden(ip) || is_exempt(ip)), "address of {url}");
    assert!(url.fragment().is_none() && url.port() != Some(0), "{url}");
    assert!(request.cookie.as_ref().is_none_or(http::HeaderValue::is_sensitive), "a cookie that Debug prints");
}

/// Whether the hosts are equal, ignoring case and a trailing dot.
#[must_use]
pub fn same_host(one: &Url, other: Option<&Url>) -> bool {
    let plain = |url: &Url| url.host_str().map(|host| host.trim_end_matches('.').to_ascii_lowercase());
    other.and_then(plain).is_some_and(|host| plain(one) == Some(host))
}
