//! Rate limits, and the client address: that of the connection, or the one that trusted proxies
//! report.

use std::net::IpAddr;
use std::str::FromStr;

use axum::http::{HeaderMap, StatusCode};
use ipnet::{IpNet, Ipv6Net};

use crate::problem::Problem;
use crate::store::Store;

/// At most `count` in every `seconds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    count: u64,
    seconds: u64,
}

impl FromStr for Limit {
    type Err = ();

    /// `COUNT/SECONDS`
    fn from_str(text: &str) -> Result<Self, ()> {
        let (count, seconds) = text.split_once('/').ok_or(())?;
        let (count, seconds) = (count.parse().map_err(|_| ())?, seconds.parse().map_err(|_| ())?);
        let is_usable = (1..1_000_000_000).contains(&count) && (1..1_000_000).contains(&seconds);
        if is_usable { Ok(Self { count, seconds }) } else { Err(()) }
    }
}

impl Limit {
    pub fn times(self, factor: u64) -> Self {
        Self { count: self.count * factor, ..self }
    }

    /// Counts a call under `name`.
    pub async fn check(self, store: &Store, name: &str) -> Result<(), Problem> {
        let (count, ends_in_s) = store.count(name, self.seconds).await?;
        if count <= self.count {
            return Ok(());
        }
        let problem = Problem::later(StatusCode::TOO_MANY_REQUESTS, "too many requests");
        Err(Problem { retry_after_s: Some(ends_in_s), ..problem })
    }
}

/// A /48 has ten times the limit of a /64, because an attacker often controls a whole /48.
const SLASH_48_FACTOR: u64 = 10;

/// The proxies whose `X-Forwarded-For` is trusted.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    networks: Vec<IpNet>,
    any_peer: bool,
}

impl FromStr for Proxies {
    type Err = ();

    /// Comma-separated addresses and networks; `*` trusts the last entry of any peer.
    fn from_str(text: &str) -> Result<Self, ()> {
        let any_peer = text.trim() == "*";
        let list = Some(text.trim()).filter(|text| !text.is_empty() && !any_peer);
        let networks: Result<Vec<_>, _> =
            list.into_iter().flat_map(|list| list.split(',')).map(|entry| network(entry.trim())).collect();
        Ok(Self { networks: networks.map_err(|_| ())?, any_peer })
    }
}

fn network(text: &str) -> Result<IpNet, ipnet::AddrParseError> {
    text.parse::<IpAddr>().map(IpNet::from).or_else(|_| text.parse())
}

impl Proxies {
    fn trust(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// The last address that is not a trusted proxy: each proxy appends its client, and clients can
    /// forge the beginning, which may be any bytes. If a trusted proxy reports a client as anything
    /// but an address, the request is rejected: otherwise it would be counted as the proxy.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Result<IpAddr, Problem> {
        let lines = headers.get_all("x-forwarded-for").iter().rev();
        let entries = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        let mut client = peer.to_canonical();
        for (index, entry) in entries.map(<[u8]>::trim_ascii).filter(|entry| !entry.is_empty()).enumerate() {
            let is_trusted = self.trust(client) || self.any_peer && index == 0;
            if !is_trusted {
                break;
            }
            let malformed = Problem::fix(StatusCode::BAD_REQUEST, "X-Forwarded-For is malformed");
            client = address(entry).ok_or(malformed)?;
        }
        Ok(client)
    }
}

/// Some proxies append the port.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(text).ok()?;
    let with_port = || text.parse().map(|address: std::net::SocketAddr| address.ip()).ok();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

/// The networks whose calls count together with those of this address, each with the factor by
/// which the limit is multiplied: one IPv6 subscriber has a whole /64, and an attacker often a /48.
pub fn networks(address: IpAddr) -> Vec<(String, u64)> {
    let network = |address, bits| Ipv6Net::new_assert(address, bits).trunc().to_string();
    match address {
        IpAddr::V4(address) => vec![(address.to_string(), 1)],
        IpAddr::V6(address) => vec![(network(address, 64), 1), (network(address, 48), SLASH_48_FACTOR)],
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn client(proxies: &str, peer: &str, forwarded: &[&str]) -> String {
        let headers = forwarded
            .iter()
            .map(|line| (axum::http::HeaderName::from_static("x-forwarded-for"), line.parse().unwrap()))
            .collect();
        let client = proxies.parse::<Proxies>().unwrap().client(peer.parse().unwrap(), &headers);
        client.map_or_else(|problem| problem.status.to_string(), |client| client.to_string())
    }

    #[test]
    fn only_trusted_proxies_can_report_a_client() {
        let cases: [(&str, &str, &[&str], &str); 18] = [
            ("", "192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
            ("10.0.0.0/8", "192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
            ("10.0.0.0/8", "10.1.1.1", &["198.51.100.7"], "198.51.100.7"),
            ("10.0.0.0/8", "10.1.1.1", &["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
            ("10.0.0.0/8", "10.1.1.1", &["203.0.113.9, 198.51.100.7, 10.2.2.2"], "198.51.100.7"),
            ("10.0.0.0/8", "10.1.1.1", &["203.0.113.9", "198.51.100.7"], "198.51.100.7"),
            ("10.0.0.0/8", "10.1.1.1", &["nonsense"], "400 Bad Request"),
            ("10.0.0.0/8", "10.1.1.1", &["198.51.100.7, nonsense"], "400 Bad Request"),
            ("10.0.0.0/8", "10.1.1.1", &["nonsense, 10.2.2.2"], "400 Bad Request"),
            ("10.0.0.0/8", "10.1.1.1", &["nonsense, 198.51.100.7"], "198.51.100.7"),
            ("10.0.0.0/8", "10.1.1.1", &["\u{ff}, 198.51.100.7, ,"], "198.51.100.7"),
            ("10.0.0.0/8", "192.0.2.1", &["nonsense"], "192.0.2.1"),
            ("*", "192.0.2.1", &["203.0.113.9, \u{ff}"], "400 Bad Request"),
            ("*", "192.0.2.1", &["203.0.113.9, 192.0.2.1"], "192.0.2.1"),
            ("10.0.0.0/8", "10.1.1.1", &[], "10.1.1.1"),
            ("127.0.0.1, ::1", "::ffff:127.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            ("127.0.0.1", "127.0.0.1", &["198.51.100.7:4711"], "198.51.100.7"),
            ("*", "192.0.2.1", &["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
        ];
        for (proxies, peer, forwarded, expected) in cases {
            assert_eq!(client(proxies, peer, forwarded), expected, "{proxies} {peer} {forwarded:?}");
        }
        assert!("10.0.0.0/99".parse::<Proxies>().is_err() && "proxy.example".parse::<Proxies>().is_err());
    }

    #[test]
    fn ipv6_clients_are_counted_by_64_and_48() {
        let expected = [("2001:db8:1:2::/64".to_owned(), 1), ("2001:db8:1::/48".to_owned(), SLASH_48_FACTOR)];
        assert_eq!(networks("2001:db8:1:2:3:4:5:6".parse().unwrap()), expected);
        assert_eq!(networks("192.0.2.1".parse().unwrap()), [("192.0.2.1".to_owned(), 1)]);
    }

    #[test]
    fn malformed_limit_is_rejected() {
        assert_eq!("5/600".parse(), Ok(Limit { count: 5, seconds: 600 }));
        for bad in ["", "5", "/", "0/600", "5/0", "-5/600", "5/600s", "5/600/1"] {
            assert_eq!(bad.parse::<Limit>(), Err(()), "{bad}");
        }
    }

    #[tokio::test]
    async fn call_over_the_limit_returns_429_with_retry_after() {
        let (store, limit, began) = (Store::memory(), "2/600".parse::<Limit>().unwrap(), Instant::now());
        assert!(limit.check(&store, "a").await.is_ok() && limit.check(&store, "a").await.is_ok());
        let refused = limit.check(&store, "a").await.unwrap_err();
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
        let at_least = 600 - began.elapsed().as_secs() - 1;
        assert!(refused.retry_after_s.is_some_and(|seconds| (at_least..=601).contains(&seconds)));
        assert!(limit.check(&store, "b").await.is_ok());
    }
}
