//! The foreign side in Rust: TCP over the default network, with host names from a table. It costs
//! what the bridge costs without the FFI.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::{Arc, OnceLock};

use socket2::SockRef;
use tokio::net::TcpStream;

use crate::foreign::{Connection, ConnectionError, Connections};

/// Connects to the hosts of a table, and to addresses.
pub struct TcpConnections(HashMap<(String, u16), IpAddr>);

impl TcpConnections {
    /// Hosts as `HOST:PORT:ADDRESS`, IPv6 in brackets. Entries in any other form are ignored.
    #[must_use]
    pub fn new(hosts: &[String]) -> Self {
        Self(hosts.iter().filter_map(|host| entry(host)).collect())
    }
}

fn entry(text: &str) -> Option<((String, u16), IpAddr)> {
    let (host, rest) = text.split_once(':')?;
    let (port, address) = rest.split_once(':')?;
    let address = address.trim_start_matches('[').trim_end_matches(']');
    Some(((host.to_owned(), port.parse().ok()?), address.parse().ok()?))
}

impl Connections for TcpConnections {
    fn connection(&self, host: String, port: u16) -> Result<Arc<dyn Connection>, ConnectionError> {
        let literal = host.parse().ok();
        let address = self.0.get(&(host, port)).copied().or(literal).ok_or(ConnectionError::Failed)?;
        Ok(Arc::new(TcpConnection { address: SocketAddr::new(address, port), stream: OnceLock::new() }))
    }
}

struct TcpConnection {
    address: SocketAddr,
    stream: OnceLock<TcpStream>,
}

impl TcpConnection {
    fn stream(&self) -> Result<&TcpStream, ConnectionError> {
        self.stream.get().ok_or(ConnectionError::Closed)
    }
}

#[async_trait::async_trait]
impl Connection for TcpConnection {
    async fn connect(&self) -> Result<String, ConnectionError> {
        let stream = TcpStream::connect(self.address).await.map_err(failure)?;
        stream.set_nodelay(true).map_err(failure)?;
        let peer = stream.peer_addr().map_err(failure)?;
        self.stream.set(stream).map_err(|_| ConnectionError::Failed)?;
        Ok(peer.ip().to_string())
    }

    async fn read(&self, max: u32) -> Result<Vec<u8>, ConnectionError> {
        let stream = self.stream()?;
        loop {
            stream.readable().await.map_err(failure)?;
            let mut bytes = vec![0; usize::try_from(max).map_err(|_| ConnectionError::Failed)?];
            match stream.try_read(&mut bytes) {
                Ok(length) => {
                    bytes.truncate(length);
                    return Ok(bytes);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(failure(error)),
            }
        }
    }

    async fn write(&self, bytes: Vec<u8>) -> Result<(), ConnectionError> {
        let stream = self.stream()?;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            stream.writable().await.map_err(failure)?;
            match stream.try_write(rest) {
                Ok(length) => rest = rest.get(length..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(failure(error)),
            }
        }
        Ok(())
    }

    fn close(&self) -> Result<(), ConnectionError> {
        self.stream.get().map_or(Ok(()), |stream| SockRef::from(stream).shutdown(Shutdown::Both).map_err(failure))
    }
}

fn failure(error: io::Error) -> ConnectionError {
    match error.kind() {
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => ConnectionError::Unreachable,
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::NotConnected => {
            ConnectionError::Closed
        }
        _ => ConnectionError::Failed,
    }
}
