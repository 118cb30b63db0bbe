//! Interprets the results of Android's functions. Pure, so that it is tested without Android.

use std::net::IpAddr;

use crate::network::lookups::Addresses;
use crate::network::{NetworkError, Unusable};

const EPERM: i32 = 1;
const EACCES: i32 = 13;
/// bionic's `netdb.h`.
const EAI_AGAIN: i32 = 2;

/// An errno of `android_setsocknetwork`: netd rejects a network that a VPN covers (EPERM) or that
/// needs a permission (EACCES), and returns ENONET and others for one that no longer exists.
pub(super) fn bind_error(errno: i32) -> Unusable {
    match errno {
        EPERM => Unusable::Vpn,
        EACCES => Unusable::Permission,
        _ => Unusable::InterfaceDown,
    }
}

/// A lookup is valid only if a socket can be bound to the network before and after it: otherwise
/// netd may have queried the default network, without an error. A temporary failure is retried
/// once.
pub(super) fn resolve(
    mut bind: impl FnMut() -> Result<(), Unusable>,
    mut look_up: impl FnMut() -> Result<Vec<IpAddr>, i32>,
) -> Addresses {
    bind().map_err(|_| NetworkError::Failed)?;
    let mut outcome = look_up();
    if outcome == Err(EAI_AGAIN) {
        outcome = look_up();
    }
    bind().map_err(|_| NetworkError::Failed)?;
    outcome.map(deduplicated).map_err(|_| NetworkError::Failed)
}

/// In the system's order (RFC 6724), without duplicates: the system returns an address once per
/// socket type.
fn deduplicated(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut unique = Vec::new();
    for address in addresses {
        if !unique.contains(&address) {
            unique.push(address);
        }
    }
    unique
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bind_errno_maps_to_cause() {
        for (errno, reason) in [
            (EPERM, Unusable::Vpn),
            (EACCES, Unusable::Permission),
            (64, Unusable::InterfaceDown), // ENONET
            (22, Unusable::InterfaceDown), // EINVAL
        ] {
            assert_eq!(bind_error(errno), reason, "{errno}");
        }
    }

    /// The results of the system, in order: binds and lookups.
    fn resolved(binds: [Result<(), Unusable>; 2], lookups: &[Result<Vec<IpAddr>, i32>]) -> (Addresses, usize) {
        let mut binds = binds.into_iter();
        let mut calls = 0;
        let outcome = resolve(
            || binds.next().expect("two binds"),
            || {
                calls += 1;
                lookups[calls - 1].clone()
            },
        );
        (outcome, calls)
    }

    #[test]
    fn lookup_is_valid_only_between_two_successful_binds() {
        let (one, other): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let lost = Err(Unusable::InterfaceDown);
        let failed = || Err(NetworkError::Failed);
        let fine = [Ok(()), Ok(())];
        for (name, binds, lookups, outcome, calls) in [
            ("an address", fine, vec![Ok(vec![one])], Ok(vec![one]), 1),
            ("order preserved, no duplicates", fine, vec![Ok(vec![other, one, other])], Ok(vec![other, one]), 1),
            ("no such name", fine, vec![Err(8)], failed(), 1),
            ("temporary failure", fine, vec![Err(EAI_AGAIN), Ok(vec![one])], Ok(vec![one]), 2),
            ("retried only once", fine, vec![Err(EAI_AGAIN), Err(EAI_AGAIN)], failed(), 2),
            ("lost before", [lost, Ok(())], vec![], failed(), 0),
            (
                "lost meanwhile: the result is from the default network",
                [Ok(()), lost],
                vec![Ok(vec![one])],
                failed(),
                1,
            ),
            ("a VPN came up", [Ok(()), Err(Unusable::Vpn)], vec![Ok(vec![one])], failed(), 1),
        ] {
            assert_eq!(resolved(binds, &lookups), (outcome, calls), "{name}");
        }
    }
}
