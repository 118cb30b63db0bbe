//! The phone's addresses on a network. Together with the network's handle they identify one
//! attachment: another network, or a later one under the same handle, assigned the phone other
//! addresses.

#[cfg(target_os = "linux")]
use std::net::IpAddr;
use std::net::{Ipv4Addr, Ipv6Addr};

/// At least one of the addresses identifies the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalAddresses {
    v4: Option<Ipv4Addr>,
    v6: Option<Ipv6Addr>,
}

impl LocalAddresses {
    /// `None` if many networks assign these same addresses.
    #[must_use]
    pub fn new(v4: Option<Ipv4Addr>, v6: Option<Ipv6Addr>) -> Option<Self> {
        (v4.is_some_and(identifies_v4) || v6.is_some_and(identifies_v6)).then_some(Self { v4, v6 })
    }

    /// Whether at least one of them is globally unique: not private (RFC 1918), and not shared
    /// (RFC 6598).
    pub(crate) fn are_global(self) -> bool {
        let is_shared = |[first, second, ..]: [u8; 4]| first == 100 && second & 0xc0 == 64;
        let is_global_v4 = |ip: Ipv4Addr| identifies_v4(ip) && !ip.is_private() && !is_shared(ip.octets());
        self.v4.is_some_and(is_global_v4) || self.v6.is_some_and(identifies_v6)
    }

    /// The addresses for which the predicate returns `true`.
    #[cfg(target_os = "linux")]
    pub(crate) fn only(self, is_included: impl Fn(IpAddr) -> bool) -> Option<Self> {
        Self::new(self.v4.filter(|ip| is_included((*ip).into())), self.v6.filter(|ip| is_included((*ip).into())))
    }
}

/// 192.0.0.0/24 (RFC 6890) contains the address that every phone has on a network without IPv4
/// (464XLAT, RFC 7335).
fn identifies_v4(ip: Ipv4Addr) -> bool {
    !(ip.is_unspecified() || ip.is_loopback() || ip.is_link_local() || ip.octets().starts_with(&[192, 0, 0]))
}

/// Global unicast, 2000::/3.
fn identifies_v6(ip: Ipv6Addr) -> bool {
    ip.segments()[0] & 0xe000 == 0x2000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn non_unique_addresses_identify_no_network() {
        for (v4, v6, identifies) in [
            (None, None, false),
            (Some("0.0.0.0"), Some("::"), false),
            (Some("127.0.0.1"), Some("::1"), false),
            (Some("169.254.7.7"), Some("fe80::7"), false),
            (Some("192.0.0.4"), None, false),
            (Some("192.0.0.2"), Some("fd00::7"), false),
            (Some("192.0.0.2"), Some("2a00:1:2:3::7"), true),
            (Some("192.0.1.4"), None, true),
            (Some("10.20.30.40"), None, true),
            (Some("100.64.1.2"), Some("fe80::7"), true),
            (None, Some("2a00:1:2:3::7"), true),
        ] {
            let addresses =
                LocalAddresses::new(v4.map(|ip: &str| ip.parse().unwrap()), v6.map(|ip: &str| ip.parse().unwrap()));
            assert_eq!(addresses.is_some(), identifies, "{v4:?} {v6:?}");
        }
    }

    #[test]
    fn private_and_shared_addresses_are_not_global() {
        for (v4, v6, is_global) in [
            ("10.20.30.40", None, false),
            ("172.31.1.1", None, false),
            ("192.168.1.1", None, false),
            ("100.127.1.2", None, false),
            ("100.128.1.2", None, true),
            ("198.51.100.1", None, true),
            ("10.20.30.40", Some("2a00:1:2:3::7"), true),
        ] {
            let v6 = v6.map(|ip: &str| ip.parse().unwrap());
            let addresses = LocalAddresses::new(Some(v4.parse().unwrap()), v6).unwrap();
            assert_eq!(addresses.are_global(), is_global, "{v4} {v6:?}");
        }
    }
}
