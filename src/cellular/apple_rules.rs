//! Interprets the results of Apple's functions. Pure, so that it is tested without an Apple system.

use std::net::IpAddr;

use crate::network::Unusable;

const EPERM: i32 = 1;
const EACCES: i32 = 13;

/// `dns_sd.h`: another reply is already queued.
const MORE_COMING: u32 = 0x1;
/// `dns_sd.h`: the address was added; without it, the address was removed.
const ADD: u32 = 0x2;
const NO_ERROR: i32 = 0;
const NO_SUCH_RECORD: i32 = -65_554;
const SERVICE_NOT_RUNNING: i32 = -65_563;
const DEFUNCT_CONNECTION: i32 = -65_569;

/// An errno of `IP_BOUND_IF` or `IPV6_BOUND_IF`.
pub(super) fn bind_error(errno: i32) -> Unusable {
    match errno {
        EPERM | EACCES => Unusable::Permission,
        _ => Unusable::InterfaceDown,
    }
}

/// Whether an interface has a network, by its entries in `getifaddrs`: whether it is running, and
/// an address. A socket can be bound to any existing interface, including one that has lost its
/// network.
pub(super) fn has_network(entries: impl IntoIterator<Item = (bool, IpAddr)>) -> bool {
    entries.into_iter().any(|(is_running, address)| {
        is_running
            && match address {
                IpAddr::V4(_) => true,
                IpAddr::V6(ip) => !ip.is_unicast_link_local(),
            }
    })
}

/// Names that would be resolved by multicast DNS, or with the search domains of another network
/// (RFC 6762, section 3).
pub(super) fn is_local(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    !host.contains('.') || host.rsplit('.').next() == Some("local")
}

/// The replies to one `DNSServiceGetAddrInfo`, in order of arrival.
#[derive(Debug, Default)]
pub(super) struct Replies {
    addresses: Vec<IpAddr>,
    outcome: Option<Result<(), i32>>,
}

impl Replies {
    /// Processes one reply. Intermediate names (CNAME) are not reported; their addresses are.
    pub(super) fn add(&mut self, flags: u32, error: i32, address: Option<IpAddr>) {
        match (error, address) {
            (NO_ERROR, Some(address)) if flags & ADD != 0 => {
                if !self.addresses.contains(&address) {
                    self.addresses.push(address);
                }
                if flags & MORE_COMING == 0 {
                    self.outcome = Some(Ok(()));
                }
            }
            (NO_ERROR, Some(address)) => self.addresses.retain(|known| *known != address),
            (NO_ERROR, None) => {}
            (NO_SUCH_RECORD, _) => self.outcome = Some(Ok(())),
            (error, _) => self.outcome = Some(Err(error)),
        }
    }

    /// The service itself failed.
    pub(super) fn fail(&mut self, error: i32) {
        self.outcome = Some(Err(error));
    }

    /// The addresses so far. Further announced replies may bring no address: a queued one may be a
    /// CNAME or a removed address.
    pub(super) fn so_far(&self) -> Option<Vec<IpAddr>> {
        (!self.addresses.is_empty()).then(|| self.addresses.clone())
    }

    /// All addresses, or the service's error, once it is known.
    pub(super) fn outcome(&self) -> Option<Result<Vec<IpAddr>, i32>> {
        self.outcome.map(|outcome| outcome.map(|()| self.addresses.clone()))
    }
}

/// The service was restarted: the same query may be sent once more.
pub(super) fn is_temporary(error: i32) -> bool {
    matches!(error, SERVICE_NOT_RUNNING | DEFUNCT_CONNECTION)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_SUCH_NAME: i32 = -65_538;

    #[test]
    fn bind_errno_maps_to_cause() {
        assert_eq!(bind_error(EPERM), Unusable::Permission);
        assert_eq!(bind_error(EACCES), Unusable::Permission);
        assert_eq!(bind_error(6), Unusable::InterfaceDown); // ENXIO
    }

    #[test]
    fn running_interface_with_routable_address_has_network() {
        let [v4, global, link_local]: [IpAddr; 3] =
            ["192.0.0.2", "2001:db8::1", "fe80::1"].map(|ip| ip.parse().unwrap());
        for (entries, expected) in [
            (vec![(true, v4)], true),
            (vec![(true, link_local), (true, global)], true),
            (vec![(true, link_local)], false),
            (vec![(false, v4), (false, global)], false),
            (vec![], false),
        ] {
            assert_eq!(has_network(entries.clone()), expected, "{entries:?}");
        }
    }

    #[test]
    fn single_label_and_dot_local_names_are_local() {
        for local in ["printer", "printer.", "printer.local", "Printer.LOCAL.", "", "."] {
            assert!(is_local(local), "{local}");
        }
        for global in ["op.test", "op.test.", "local.test", "op.xlocal"] {
            assert!(!is_local(global), "{global}");
        }
    }

    #[test]
    fn replies_are_collected_until_complete() {
        let (one, other): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        for (name, replies, outcome) in [
            ("nothing yet", vec![], None),
            ("an address", vec![(ADD, NO_ERROR, Some(one))], Some(Ok(vec![one]))),
            ("more is coming", vec![(ADD | MORE_COMING, NO_ERROR, Some(one))], None),
            (
                "two addresses",
                vec![(ADD | MORE_COMING, NO_ERROR, Some(one)), (ADD, NO_ERROR, Some(other))],
                Some(Ok(vec![one, other])),
            ),
            (
                "the same twice",
                vec![(ADD | MORE_COMING, NO_ERROR, Some(one)), (ADD, NO_ERROR, Some(one))],
                Some(Ok(vec![one])),
            ),
            ("an intermediate name", vec![(ADD, NO_ERROR, None)], None),
            ("and its address", vec![(ADD, NO_ERROR, None), (ADD, NO_ERROR, Some(one))], Some(Ok(vec![one]))),
            ("a removed address", vec![(0, NO_ERROR, Some(one))], None),
            (
                "one of two removed",
                vec![
                    (ADD | MORE_COMING, NO_ERROR, Some(one)),
                    (MORE_COMING, NO_ERROR, Some(one)),
                    (ADD, NO_ERROR, Some(other)),
                ],
                Some(Ok(vec![other])),
            ),
            ("no record of this family", vec![(ADD, NO_SUCH_RECORD, None)], Some(Ok(vec![]))),
            ("no such name", vec![(0, NO_SUCH_NAME, None)], Some(Err(NO_SUCH_NAME))),
        ] {
            let mut all = Replies::default();
            for (flags, error, address) in replies {
                all.add(flags, error, address);
            }
            assert_eq!(all.outcome(), outcome, "{name}");
        }
        let mut announced = Replies::default();
        assert_eq!(announced.so_far(), None);
        announced.add(ADD | MORE_COMING, NO_ERROR, Some(one));
        assert_eq!((announced.outcome(), announced.so_far()), (None, Some(vec![one])));
        announced.add(0, NO_ERROR, Some(one));
        assert_eq!(announced.so_far(), None);
        let mut failed = Replies::default();
        failed.fail(SERVICE_NOT_RUNNING);
        assert_eq!(failed.outcome(), Some(Err(SERVICE_NOT_RUNNING)));
    }

    #[test]
    fn service_restart_is_temporary() {
        assert!(is_temporary(SERVICE_NOT_RUNNING) && is_temporary(DEFUNCT_CONNECTION) && !is_temporary(NO_SUCH_NAME));
    }
}
