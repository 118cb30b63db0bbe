//! How often somebody may call, and who somebody is: the address of the connection, or what trusted proxies say of it.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use axum::http::{HeaderMap, StatusCode};
use ipnet::IpNet;

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
    /// Counts a call by `name`.
    pub async fn check(self, store: &Store, name: &str) -> Result<(), Problem> {
        let (count, ends_in_s) = store.count(name, self.seconds).await?;
        if count <= self.count {
            return Ok(());
        }
        let problem = Problem::later(StatusCode::TOO_MANY_REQUESTS, "too many calls");
        Err(Problem { retry_after_s: Some(ends_in_s), ..problem })
    }
}

/// Whose `X-Forwarded-For` is believed.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    networks: Vec<IpNet>,
    whoever_connects: bool,
}

impl FromStr for Proxies {
    type Err = ();

    /// Addresses and networks with commas between them; `*` for whoever connects, whose word is then the last one.
    fn from_str(text: &str) -> Result<Self, ()> {
        let whoever_connects = text.trim() == "*";
        let some = Some(text.trim()).filter(|text| !text.is_empty() && !whoever_connects);
        let networks: Result<Vec<_>, _> =
            some.into_iter().flat_map(|some| some.split(',')).map(|one| network(one.trim())).collect();
        Ok(Self { networks: networks.map_err(|_| ())?, whoever_connects })
    }
}

fn network(text: &str) -> Result<IpNet, ipnet::AddrParseError> {
    text.parse::<IpAddr>().map(IpNet::from).or_else(|_| text.parse())
}

impl Proxies {
    fn trust(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// The last address that no trusted proxy stands for: each proxy adds its client at the end, and anybody may invent the beginning.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let lines = headers.get_all("x-forwarded-for").iter().rev();
        for line in lines {
            for hop in line.to_str().unwrap_or_default().rsplit(',') {
                let is_told = self.trust(client) || self.whoever_connects && client == peer.to_canonical();
                let Some(before) = address(hop.trim()).filter(|_| is_told) else { return client };
                client = before;
            }
        }
        client
    }
}

/// Some proxies add the port.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse().map(|address: std::net::SocketAddr| address.ip()).ok();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

/// One subscriber has a whole /64 of IPv6.
pub fn subscriber(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{}/64", Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(proxies: &str, peer: &str, forwarded: &[&str]) -> String {
        let headers = forwarded
            .iter()
            .map(|line| (axum::http::HeaderName::from_static("x-forwarded-for"), line.parse().unwrap()))
            .collect();
        proxies.parse::<Proxies>().unwrap().client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let cases: [(&str, &str, &[&str], &str); 11] = [
            ("", "192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
            ("10.0.0.0/8", "192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
            ("10.0.0.0/8", "10.1.1.1", &["198.51.100.7"], "198.51.100.7"),
            ("10.0.0.0/8", "10.1.1.1", &["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
            ("10.0.0.0/8", "10.1.1.1", &["203.0.113.9, 198.51.100.7, 10.2.2.2"], "198.51.100.7"),
            ("10.0.0.0/8", "10.1.1.1", &["203.0.113.9", "198.51.100.7"], "198.51.100.7"),
            ("10.0.0.0/8", "10.1.1.1", &["nonsense"], "10.1.1.1"),
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
    fn a_subscriber_of_ipv6_has_a_network() {
        assert_eq!(subscriber("2001:db8:1:2:3:4:5:6".parse().unwrap()), "2001:db8:1:2::/64");
        assert_eq!(subscriber("192.0.2.1".parse().unwrap()), "192.0.2.1");
    }

    #[test]
    fn limits_are_counts_in_seconds() {
        assert_eq!("5/600".parse(), Ok(Limit { count: 5, seconds: 600 }));
        for bad in ["", "5", "/", "0/600", "5/0", "-5/600", "5/600s", "5/600/1"] {
            assert_eq!(bad.parse::<Limit>(), Err(()), "{bad}");
        }
    }

    #[tokio::test]
    async fn one_more_than_the_limit_is_told_when_to_come_back() {
        let (store, limit) = (Store::memory(), "2/600".parse::<Limit>().unwrap());
        assert!(limit.check(&store, "a").await.is_ok() && limit.check(&store, "a").await.is_ok());
        let refused = limit.check(&store, "a").await.unwrap_err();
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(refused.retry_after_s.is_some_and(|seconds| (590..=601).contains(&seconds)));
        assert!(limit.check(&store, "b").await.is_ok());
    }
}
