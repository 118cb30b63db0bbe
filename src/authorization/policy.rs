//! Where a flow may go: schemes, plain http, addresses, and what must never stand in a cleartext URL.

use std::net::IpAddr;

use url::{Host, Url};

use super::{Failure, Rules};
use crate::address::is_forbidden;

/// The first URL is https; what the redirects may add is in [`hop`].
pub(super) fn is_allowed_start(url: &Url, rules: &Rules) -> bool {
    url.scheme() == "https" && has_allowed_address(url, rules)
}

/// Whether a redirect may be followed there.
pub(super) fn hop(url: &Url, redirect_uri: Option<&Url>, rules: &Rules) -> Result<(), Failure> {
    let allowed = match url.scheme() {
        "https" => true,
        "http" => rules.cleartext && !carries_code(url) && !is_host_of(url, redirect_uri),
        _ => false,
    };
    if allowed && has_allowed_address(url, rules) { Ok(()) } else { Err(Failure::ForbiddenRedirect) }
}

/// The flow's own code comes with its state. A lone `code` is an operator's own affair.
fn carries_code(url: &Url) -> bool {
    let has = |name: &str| url.query_pairs().any(|(key, _)| key == name);
    has("code") && has("state")
}

fn is_host_of(url: &Url, redirect_uri: Option<&Url>) -> bool {
    redirect_uri
        .and_then(Url::host_str)
        .is_some_and(|host| url.host_str().is_some_and(|other| host.eq_ignore_ascii_case(other)))
}

fn has_allowed_address(url: &Url, rules: &Rules) -> bool {
    let ip = match url.host() {
        Some(Host::Domain(_)) => return url.port() != Some(0),
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
        None => return false,
    };
    let port = url.port_or_known_default().unwrap_or_default();
    port != 0 && (!is_forbidden(ip) || rules.allowed_hosts.contains(&ip.to_string(), port))
}
