//! A network that names are resolved and connections opened over: the one seam of the transport.
//!
//! The cellular network is one in `cellular/`, the app's default network is here, and tests bring their own with a virtual clock.

pub mod address;
pub mod default;
pub mod local_addresses;
pub mod lookups;

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncRead, AsyncWrite};

use self::local_addresses::LocalAddresses;

/// A network that can look up names and open connections, such as the cellular one.
pub trait Network: Send + Sync + 'static {
    /// A connection that is known to run over this network.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// The addresses of one family; an empty list where the name has none. The port tells development overrides apart.
    fn resolve(
        &self,
        host: &str,
        port: u16,
        family: Family,
    ) -> impl Future<Output = Result<Vec<IpAddr>, NetworkError>> + Send;

    /// A TCP connection with `TCP_NODELAY`.
    fn connect(&self, address: SocketAddr) -> impl Future<Output = Result<Self::Stream, NetworkError>> + Send;

    /// Whether the network is still there. Sends nothing.
    fn check(&self) -> Result<(), Unusable>;

    /// Waits until the network is lost. Pending forever on a network that cannot tell.
    fn lost(&self) -> impl Future<Output = Unusable> + Send {
        std::future::pending()
    }

    /// The phone's addresses on it, by which it can be recognised. Nothing on a network that cannot tell. Sends nothing.
    fn local_addresses(&self) -> Option<LocalAddresses> {
        None
    }

    /// Closes sockets of its own, such as those to a name server: it will be released, and may be used again later.
    fn close_sockets(&self) {}
}

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// A records.
    V4,
    /// AAAA records.
    V6,
}

impl Family {
    /// Those addresses that are of this family.
    pub(crate) fn of(self, addresses: &[IpAddr]) -> Vec<IpAddr> {
        addresses.iter().filter(|ip| ip.is_ipv6() == (self == Self::V6)).copied().collect()
    }
}

/// Why a network cannot be used, or no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// It does not exist.
    NoInterface,
    /// It is down, or was lost.
    InterfaceDown,
    /// A VPN captures the app's traffic.
    Vpn,
    /// A permission is missing.
    Permission,
    /// The system does not let this app send over it, though it is there.
    Denied,
    /// This system cannot bind a socket to a network, or not to this kind of network.
    Unsupported,
}

/// Why a lookup or a connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkError {
    /// This lookup or connection failed. Whether the network is to blame, [`Network::check`] tells.
    Failed,
    /// There is no route to an address of this family.
    Unreachable,
    /// The system did not let this app connect.
    Denied,
}

/// What an operating system says of an attempt to connect.
impl From<io::Error> for NetworkError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable | io::ErrorKind::AddrNotAvailable => {
                Self::Unreachable
            }
            // EPERM or EACCES: a firewall of the system, which a vendor may offer as a switch for each app.
            io::ErrorKind::PermissionDenied => Self::Denied,
            _ => Self::Failed,
        }
    }
}
