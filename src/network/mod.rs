//! A network for DNS and connections: the only abstraction that the transport depends on.
//!
//! Implementations: the cellular network in `cellular/`, the app's default network here, and in
//! tests networks with a virtual clock.

pub mod address;
pub mod default;
pub mod local_addresses;
pub mod lookups;

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncRead, AsyncWrite};

use self::local_addresses::LocalAddresses;

/// A network for DNS lookups and connections, such as the cellular one.
pub trait Network: Send + Sync + 'static {
    /// A connection that is guaranteed to use this network.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// The addresses of one family; empty if the host name has none. The port selects the
    /// development overrides.
    fn resolve(
        &self,
        host: &str,
        port: u16,
        family: Family,
    ) -> impl Future<Output = Result<Vec<IpAddr>, NetworkError>> + Send;

    /// A TCP connection with `TCP_NODELAY`.
    fn connect(&self, address: SocketAddr) -> impl Future<Output = Result<Self::Stream, NetworkError>> + Send;

    /// Whether the network is still available. Sends nothing.
    fn check(&self) -> Result<(), Unusable>;

    /// Waits until the network is lost. Never resolves on a network that cannot detect it.
    fn lost(&self) -> impl Future<Output = Unusable> + Send {
        std::future::pending()
    }

    /// The phone's addresses on it, which identify the network. `None` if the network cannot report
    /// them. Sends nothing.
    fn local_addresses(&self) -> Option<LocalAddresses> {
        None
    }

    /// Closes the network's internal sockets, such as those to a DNS server: it will be released,
    /// and may be used again later.
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
    /// The addresses of this family.
    pub(crate) fn of(self, addresses: &[IpAddr]) -> Vec<IpAddr> {
        addresses.iter().filter(|ip| ip.is_ipv6() == (self == Self::V6)).copied().collect()
    }
}

/// Why a network cannot be used, or can no longer be used.
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
    /// The system denies this app the network, although it is available.
    Denied,
    /// This system cannot bind a socket to a network, or not to this kind of network.
    Unsupported,
}

/// Why a lookup or a connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkError {
    /// This lookup or connection failed. [`Network::check`] reports whether the network is the
    /// cause.
    Failed,
    /// There is no route to an address of this family.
    Unreachable,
    /// The system denied this app the connection.
    Denied,
}

/// Maps the operating system's error for a connection attempt.
impl From<io::Error> for NetworkError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable | io::ErrorKind::AddrNotAvailable => {
                Self::Unreachable
            }
            // EPERM or EACCES: a firewall of the system, which some vendors offer as a per-app
            // switch.
            io::ErrorKind::PermissionDenied => Self::Denied,
            _ => Self::Failed,
        }
    }
}
