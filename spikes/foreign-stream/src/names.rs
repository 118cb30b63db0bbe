//! Placeholder addresses: the foreign side resolves host names itself, but the transport connects
//! to addresses.
//!
//! They are taken from the discard prefix 100::/64 (RFC 6666), which no host uses, with a keyed
//! hash of the host name, so that a server cannot redirect to a guessed one.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

const PREFIX: u128 = 0x0100 << 112;

/// The host names of one network.
#[derive(Default)]
pub struct Names {
    key: RandomState,
    known: Mutex<HashMap<Ipv6Addr, String>>,
}

impl Names {
    /// The placeholder for this host name.
    pub fn placeholder(&self, host: &str) -> Ipv6Addr {
        let placeholder = Ipv6Addr::from(PREFIX | u128::from(self.key.hash_one(host)));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(placeholder).or_insert_with(|| host.to_owned());
        placeholder
    }

    /// The host name of this placeholder, or the address itself as text. `None` if it only looks
    /// like a placeholder.
    pub fn host(&self, address: IpAddr) -> Option<String> {
        match address {
            IpAddr::V6(ip) if u128::from(ip) >> 64 == PREFIX >> 64 => {
                self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&ip).cloned()
            }
            address => Some(address.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use number_verify::internals::is_forbidden;

    use super::*;

    #[test]
    fn placeholder_maps_back_to_its_host_name() {
        let names = Names::default();
        let (one, other) = (names.placeholder("one.test"), names.placeholder("other.test"));
        assert_eq!(one, names.placeholder("one.test"));
        assert_eq!(names.host(one.into()).as_deref(), Some("one.test"));
        assert_eq!(names.host(other.into()).as_deref(), Some("other.test"));
        assert!(!is_forbidden(one.into()));
    }

    #[test]
    fn unknown_placeholder_is_rejected_and_literal_is_unchanged() {
        let names = Names::default();
        assert_eq!(names.host("100::1".parse().unwrap()), None);
        for literal in ["198.51.100.7", "2001:db8::7", "100:0:0:1::1"] {
            assert_eq!(names.host(literal.parse().unwrap()).as_deref(), Some(literal));
        }
    }
}
