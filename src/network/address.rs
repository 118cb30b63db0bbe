//! The addresses that a flow must not connect to, as a literal or as a DNS result.
//!
//! Private ranges and carrier-grade NAT are allowed: operators' hosts use them, and the socket is
//! bound to the operator's network.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Hosts and ports that bypass the address policy: the fixed addresses of development.
#[derive(Debug, Clone, Default)]
pub struct AllowedHosts(HashSet<(String, u16)>);

impl AllowedHosts {
    /// Hosts without brackets.
    pub fn these(hosts: impl IntoIterator<Item = (String, u16)>) -> Self {
        Self(hosts.into_iter().map(|(host, port)| (host.to_ascii_lowercase(), port)).collect())
    }

    /// Whether this host and port bypasses the address policy.
    #[must_use]
    pub fn contains(&self, host: &str, port: u16) -> bool {
        self.0.contains(&(host.to_ascii_lowercase(), port))
    }
}

/// Loopback, link-local, multicast, broadcast, unspecified and reserved addresses, also if embedded
/// in IPv6.
#[must_use]
pub fn is_forbidden(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_forbidden_v4(ip),
        IpAddr::V6(ip) => is_forbidden_v6(ip),
    }
}

/// Whether a URL's host is this machine, by its literal address or as `localhost` (RFC 6761,
/// section 6.3).
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn is_forbidden_v4(ip: Ipv4Addr) -> bool {
    let [first, ..] = ip.octets();
    ip.is_loopback() || ip.is_link_local() || ip.is_multicast() || first == 0 || first >= 240
}

fn is_forbidden_v6(ip: Ipv6Addr) -> bool {
    const SITE_LOCAL: u16 = 0xfec0;
    let [first, ..] = ip.segments();
    ip.is_loopback()
        || ip.is_unspecified()
        || ip.is_multicast()
        || ip.is_unicast_link_local()
        || first & 0xffc0 == SITE_LOCAL
        || embedded(ip).is_some_and(is_forbidden_v4)
}

/// IPv4-mapped and -compatible (RFC 4291, section 2.5.5), IPv4-translated (RFC 7915), NAT64
/// (RFC 6052, RFC 8215), 6to4 (RFC 3056).
fn embedded(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    match ip.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, .., high, low]
        | [0x2002, high, low, ..] => Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_forbidden_and_private_ones_allowed() {
        for text in [
            "127.0.0.1",
            "127.255.255.254",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b:1::169.254.1.1",
            "2002:7f00:1::1",
        ] {
            assert!(is_forbidden(text.parse().unwrap()), "{text}");
        }
        for text in [
            "8.8.8.8",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "198.51.100.1",
            "2001:db8::1",
            "fd00::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ] {
            assert!(!is_forbidden(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn exemption_applies_to_one_host_and_port() {
        let allowed = AllowedHosts::these([("Op.test".to_owned(), 443)]);
        assert!(allowed.contains("OP.test", 443));
        assert!(!allowed.contains("op.test", 80));
        assert!(!allowed.contains("a.op.test", 443));
    }
}
