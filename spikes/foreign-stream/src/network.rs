//! The network adapter: a network whose connections are made by the foreign side.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use number_verify::internals::{AllowedHosts, Family, Network, NetworkError, Unusable, is_forbidden};

use crate::foreign::Connections;
use crate::names::Names;
use crate::stream::ForeignStream;

/// A network of foreign connections.
pub struct ForeignNetwork {
    connections: Arc<dyn Connections>,
    allowed: AllowedHosts,
    names: Names,
}

impl ForeignNetwork {
    /// `allowed` hosts may have any address.
    pub fn new(connections: Arc<dyn Connections>, allowed: AllowedHosts) -> Self {
        Self { connections, allowed, names: Names::default() }
    }

    /// Whether the peer reported by the foreign side is allowed. A text that is not an address is
    /// rejected.
    fn accepts(&self, host: &str, port: u16, peer: &str) -> bool {
        peer.parse().is_ok_and(|ip: IpAddr| self.allowed.contains(host, port) || !is_forbidden(ip))
    }
}

impl Network for ForeignNetwork {
    type Stream = ForeignStream;

    /// One placeholder per host name, in either family: the foreign side resolves it when it
    /// connects.
    async fn resolve(&self, host: &str, _: u16, family: Family) -> Result<Vec<IpAddr>, NetworkError> {
        Ok(match family {
            Family::V4 => Vec::new(),
            Family::V6 => vec![self.names.placeholder(host).into()],
        })
    }

    /// The address of the peer is checked after the TCP handshake and before the first byte.
    async fn connect(&self, address: SocketAddr) -> Result<ForeignStream, NetworkError> {
        let port = address.port();
        let host = self.names.host(address.ip()).ok_or(NetworkError::Unreachable)?;
        let (stream, peer) = ForeignStream::connect(self.connections.connection(host.clone(), port)?).await?;
        if self.accepts(&host, port, &peer) { Ok(stream) } else { Err(NetworkError::Failed) }
    }

    /// Always succeeds: the spike does not monitor the interface. The product would still check the
    /// binding of its provider.
    fn check(&self) -> Result<(), Unusable> {
        Ok(())
    }
}
