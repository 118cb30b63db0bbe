//! The app's default network: names and connections as the system chooses them. The backend is reached over it; the cellular leg
//! never is, but for development without a binding.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use crate::error::CellularCause;
use crate::settings::Overrides;
use crate::transport::{Family, Network, NetworkError};

/// Keeps what it has looked up, and lives as long as a flow.
pub struct DefaultNetwork {
    overrides: Overrides,
    /// The system answers for both families at once: who asks for one waits for the other's answer.
    known: Mutex<HashMap<String, Vec<IpAddr>>>,
}

impl DefaultNetwork {
    pub fn new(overrides: Overrides) -> Self {
        Self { overrides, known: Mutex::default() }
    }
}

impl Network for DefaultNetwork {
    type Stream = TcpStream;

    async fn resolve(&self, host: &str, port: u16, family: Family) -> Result<Vec<IpAddr>, NetworkError> {
        if let Some(addresses) = self.overrides.get(&(host.to_owned(), port)) {
            return Ok(family.of(addresses));
        }
        let mut known = self.known.lock().await;
        if let Some(addresses) = known.get(host) {
            return Ok(family.of(addresses));
        }
        let addresses = look_up(host).await?;
        let of_family = family.of(&addresses);
        known.insert(host.to_owned(), addresses);
        Ok(of_family)
    }

    async fn connect(&self, address: SocketAddr) -> Result<TcpStream, NetworkError> {
        connect(address).await
    }

    fn check(&self) -> Result<(), CellularCause> {
        Ok(())
    }
}

/// All addresses of a host.
pub async fn look_up(host: &str) -> Result<Vec<IpAddr>, NetworkError> {
    let target = (host.to_owned(), 0);
    let found = spawn_blocking(move || target.to_socket_addrs()).await.map_err(|_| NetworkError::Failed)?;
    Ok(found.map_err(|_| NetworkError::Failed)?.map(|address| address.ip()).collect())
}

/// A TCP connection with `TCP_NODELAY`.
pub async fn connect(address: SocketAddr) -> Result<TcpStream, NetworkError> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
