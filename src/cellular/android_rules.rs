//! What Android's answers mean. Pure, so that it is tested where there is no Android.

use std::net::IpAddr;

use crate::network::lookups::Addresses;
use crate::network::{NetworkError, Unusable};

const EPERM: i32 = 1;
const EACCES: i32 = 13;
/// bionic's `netdb.h`.
const EAI_AGAIN: i32 = 2;

/// An errno of `android_setsocknetwork`: netd refuses a network that a VPN covers (EPERM) or that needs a permission (EACCES), and
/// knows nothing of one that is gone (ENONET and others).
pub(super) fn bind_refusal(errno: i32) -> Unusable {
    match errno {
        EPERM => Unusable::Vpn,
        EACCES => Unusable::Permission,
        _ => Unusable::InterfaceDown,
    }
}

/// A lookup counts only where a socket can be bound to the network before and after it: else netd may have asked the default network,
/// without an error. One that failed for the moment is repeated once.
pub(super) fn resolve(
    mut bind: impl FnMut() -> Result<(), Unusable>,
    mut look_up: impl FnMut() -> Result<Vec<IpAddr>, i32>,
) -> Addresses {
    bind().map_err(|_| NetworkError::Failed)?;
    let mut answer = look_up();
    if answer == Err(EAI_AGAIN) {
        answer = look_up();
    }
    bind().map_err(|_| NetworkError::Failed)?;
    answer.map(in_order).map_err(|_| NetworkError::Failed)
}

/// As the system sorted them (RFC 6724), each once: it names an address for each socket type.
fn in_order(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut once = Vec::new();
    for address in addresses {
        if !once.contains(&address) {
            once.push(address);
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_refused_bind_means() {
        for (errno, reason) in [
            (EPERM, Unusable::Vpn),
            (EACCES, Unusable::Permission),
            (64, Unusable::InterfaceDown), // ENONET
            (22, Unusable::InterfaceDown), // EINVAL
        ] {
            assert_eq!(bind_refusal(errno), reason, "{errno}");
        }
    }

    /// What the system says, in order: binds and lookups.
    fn resolved(binds: [Result<(), Unusable>; 2], lookups: &[Result<Vec<IpAddr>, i32>]) -> (Addresses, usize) {
        let mut binds = binds.into_iter();
        let mut asked = 0;
        let answer = resolve(
            || binds.next().expect("two binds"),
            || {
                asked += 1;
                lookups[asked - 1].clone()
            },
        );
        (answer, asked)
    }

    #[test]
    fn lookups() {
        let (one, other): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let gone = Err(Unusable::InterfaceDown);
        let failed = || Err(NetworkError::Failed);
        let fine = [Ok(()), Ok(())];
        for (name, binds, lookups, answer, asked) in [
            ("an address", fine, vec![Ok(vec![one])], Ok(vec![one]), 1),
            ("order kept, each once", fine, vec![Ok(vec![other, one, other])], Ok(vec![other, one]), 1),
            ("no such name", fine, vec![Err(8)], failed(), 1),
            ("again", fine, vec![Err(EAI_AGAIN), Ok(vec![one])], Ok(vec![one]), 2),
            ("again, but once", fine, vec![Err(EAI_AGAIN), Err(EAI_AGAIN)], failed(), 2),
            ("gone before", [gone, Ok(())], vec![], failed(), 0),
            ("gone meanwhile: the answer is the default network's", [Ok(()), gone], vec![Ok(vec![one])], failed(), 1),
            ("a VPN came up", [Ok(()), Err(Unusable::Vpn)], vec![Ok(vec![one])], failed(), 1),
        ] {
            assert_eq!(resolved(binds, &lookups), (answer, asked), "{name}");
        }
    }
}
