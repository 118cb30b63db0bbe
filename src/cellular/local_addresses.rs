//! Returns the phone's addresses on a network without sending anything: `connect` on a UDP socket
//! only selects a route and, with it, the source address (RFC 6724).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

use super::stream::Bind;
use crate::network::NetworkError;
use crate::network::local_addresses::LocalAddresses;

/// Documentation addresses (RFC 5737, RFC 3849): routed like the rest of the internet, and not in
/// use.
const PEERS: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))];

/// The source addresses of sockets with this binding. `None` if the system does not report them, or
/// if they identify no network.
pub(super) fn local_addresses(binding: &impl Bind) -> Option<LocalAddresses> {
    let (mut v4, mut v6) = (None, None);
    for peer in PEERS {
        match source_address(binding, SocketAddr::new(peer, 443)) {
            Ok(SocketAddr::V4(address)) => v4 = Some(*address.ip()),
            Ok(SocketAddr::V6(address)) => v6 = Some(*address.ip()),
            // The network does not have this family.
            Err(NetworkError::Unreachable) => {}
            Err(NetworkError::Failed | NetworkError::Denied) => return None,
        }
    }
    LocalAddresses::new(v4, v6)
}

fn source_address(binding: &impl Bind, peer: SocketAddr) -> Result<SocketAddr, NetworkError> {
    let socket = Socket::new(Domain::for_address(peer), Type::DGRAM, Some(Protocol::UDP))?;
    binding.bind(&socket, peer)?;
    socket.connect(&peer.into())?;
    let address = socket.local_addr()?.as_socket();
    Ok(address.ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Denied;

    impl Bind for Denied {
        fn bind(&self, _: &Socket, _: SocketAddr) -> Result<(), NetworkError> {
            Err(NetworkError::Denied)
        }
    }

    #[test]
    fn network_that_cannot_be_bound_has_no_addresses() {
        assert_eq!(local_addresses(&Denied), None);
    }
}
