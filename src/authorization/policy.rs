//! Which URLs a flow may visit: schemes, plain http, addresses, and what a cleartext URL must never
//! contain.

use std::net::IpAddr;

use url::{Host, Origin, Url};

use super::{Failure, Rules};
use crate::network::address::is_forbidden;

/// Whether a redirect to this URL may be followed. `redirect_uri` itself, if it is fetched, must be
/// https.
pub(super) fn check_hop(url: &Url, redirect_uri: Option<&Url>, rules: &Rules) -> Result<(), Failure> {
    let allowed = match url.scheme() {
        "https" => true,
        "http" => {
            let is_protected = is_host_of(url, redirect_uri) || is_insecure_backend(url, rules);
            rules.cleartext && !carries_code(url) && !is_protected
        }
        _ => false,
    };
    if allowed && has_allowed_address(url, rules) { Ok(()) } else { Err(Failure::ForbiddenRedirect) }
}

/// A literal address must not be forbidden. The addresses of a host name are checked when
/// connecting.
pub(super) fn has_allowed_address(url: &Url, rules: &Rules) -> bool {
    let port = url.port_or_known_default().unwrap_or_default();
    let address = match url.host() {
        None => return false,
        Some(Host::Domain(_)) => None,
        Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
    };
    port != 0 && address.is_none_or(|ip| !is_forbidden(ip) || rules.allowed_hosts.contains(&ip.to_string(), port))
}

/// This flow's code comes with its state. A `code` without `state` belongs to the operator.
fn carries_code(url: &Url) -> bool {
    let has = |name: &str| url.query_pairs().any(|(key, _)| key == name);
    has("code") && has("state")
}

fn is_host_of(url: &Url, redirect_uri: Option<&Url>) -> bool {
    let host = redirect_uri.and_then(Url::host_str);
    host.is_some_and(|host| has_host(url, host))
}

/// Whether this is the backend's host on any port, except the backend's origin itself: an http
/// backend in development.
fn is_insecure_backend(url: &Url, rules: &Rules) -> bool {
    match &rules.backend_origin {
        Some(origin @ Origin::Tuple(_, host, _)) => has_host(url, &host.to_string()) && url.origin() != *origin,
        _ => false,
    }
}

/// With or without a trailing dot (RFC 3986, section 3.2.2).
fn has_host(url: &Url, host: &str) -> bool {
    let plain = |host: &str| host.trim_end_matches('.').to_ascii_lowercase();
    url.host_str().is_some_and(|url_host| plain(url_host) == plain(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorization::Delivery;
    use crate::network::address::AllowedHosts;

    fn is_allowed(cleartext: bool, url: &str) -> bool {
        let rules = Rules {
            delivery: Delivery::Relay,
            cleartext,
            redirect_limit: 15,
            allowed_hosts: AllowedHosts::these([("127.0.0.1".to_owned(), 8443), ("::1".to_owned(), 443)]),
            configured_redirect_uri: None,
            backend_origin: None,
        };
        let redirect_uri = Url::parse("https://cb.test/cb").unwrap();
        check_hop(&Url::parse(url).unwrap(), Some(&redirect_uri), &rules).is_ok()
    }

    #[test]
    fn allowed_hop_is_accepted() {
        for url in [
            "https://op.test/?code=1&state=2",
            "https://cb.test/other",
            "https://10.0.0.1/",
            "https://100.64.0.1/",
            "https://[2001:db8::1]/",
            "https://127.0.0.1:8443/",
            "https://[::1]/",
        ] {
            assert!(is_allowed(false, url), "{url}");
        }
        for url in ["http://op.test/he", "http://op.test/?code=1", "http://192.168.1.1/"] {
            assert!(is_allowed(true, url), "{url}");
            assert!(!is_allowed(false, url), "{url} without cleartext");
        }
    }

    #[test]
    fn forbidden_hop_is_rejected() {
        for url in [
            "http://op.test/?code=1&state=2",
            "http://op.test/?c%6fde=1&st%61te=2",
            "http://cb.test/",
            "http://CB.test.:8080/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::1]:8443/",
            "https://[::ffff:169.254.169.254]/",
            "https://0.0.0.0/",
            "https://op.test:0/",
            "ftp://op.test/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "myapp://cb?code=1",
        ] {
            assert!(!is_allowed(true, url), "{url}");
        }
    }
}
