//! Stand-ins for addresses: the foreign side resolves names itself, and the transport connects to addresses.
//!
//! They are of the discard prefix 100::/64 (RFC 6666), which no host has, with a keyed hash of the name, so that a server cannot
//! redirect to one that it guessed.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

const PREFIX: u128 = 0x0100 << 112;

/// The names of one network.
#[derive(Default)]
pub struct Names {
    key: RandomState,
    known: Mutex<HashMap<Ipv6Addr, String>>,
}

impl Names {
    /// The stand-in for this host name.
    pub fn stand_in(&self, host: &str) -> Ipv6Addr {
        let stand_in = Ipv6Addr::from(PREFIX | u128::from(self.key.hash_one(host)));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(stand_in).or_insert_with(|| host.to_owned());
        stand_in
    }

    /// The name that this address stands in for, or the address itself as text. `None` if it only looks like a stand-in.
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
    fn a_stand_in_leads_back_to_its_name() {
        let names = Names::default();
        let (one, other) = (names.stand_in("one.test"), names.stand_in("other.test"));
        assert_eq!(one, names.stand_in("one.test"));
        assert_eq!(names.host(one.into()).as_deref(), Some("one.test"));
        assert_eq!(names.host(other.into()).as_deref(), Some("other.test"));
        assert!(!is_forbidden(one.into()));
    }

    #[test]
    fn an_unknown_stand_in_is_refused_and_a_literal_stays() {
        let names = Names::default();
        assert_eq!(names.host("100::1".parse().unwrap()), None);
        for literal in ["198.51.100.7", "2001:db8::7", "100:0:0:1::1"] {
            assert_eq!(names.host(literal.parse().unwrap()).as_deref(), Some(literal));
        }
    }
}
