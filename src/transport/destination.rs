//! The destination of a connection, and the restrictions that apply to it.

use url::{Host, Url};

use super::tls::Version;
use crate::network::Family;

/// Scheme, host and port (RFC 6454), and the restrictions: a connection with other restrictions is
/// not reused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Destination {
    pub(super) https: bool,
    pub(super) host: Host,
    pub(super) port: u16,
    pub(super) restrictions: Restrictions,
}

/// Restricts the address family and the TLS version, for servers that do not support all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Restrictions {
    /// Only addresses of this family; absent: both.
    pub family: Option<Family>,
    /// The highest TLS version to offer; absent: the highest supported one.
    pub max_tls: Option<Version>,
}

impl Destination {
    /// The destination of requests to this URL; `None` if it is not http or https.
    #[must_use]
    pub fn of(url: &Url, restrictions: Restrictions) -> Option<Self> {
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        Some(Self { https, host: url.host()?.to_owned(), port: url.port_or_known_default()?, restrictions })
    }

    /// The host, as it is written in a URL.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_and_https_urls_have_a_destination() {
        let of = |url: &str| Destination::of(&Url::parse(url).unwrap(), Restrictions::default());
        for (url, https, port) in
            [("https://op.test/a", true, 443), ("http://op.test/?b", false, 80), ("https://op.test:8443/", true, 8443)]
        {
            let destination = of(url).unwrap();
            assert_eq!((destination.https, destination.port), (https, port), "{url}");
            assert_eq!(destination.host().to_string(), "op.test");
        }
        for url in ["ftp://op.test/", "ws://op.test/", "myapp://done", "data:,a"] {
            assert_eq!(of(url), None, "{url}");
        }
    }
}
