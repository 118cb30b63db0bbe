//! For development, on a phone without cellular: names and connections over whatever network the system chooses.

use std::net::{SocketAddr, ToSocketAddrs};

use tokio::net::TcpStream;
use tokio::task::spawn_blocking;

use super::lookups::Answer;
use crate::transport::{Family, NetworkError};

pub(super) async fn resolve(host: &str, family: Family) -> Answer {
    let target = (host.to_owned(), 0);
    let found = spawn_blocking(move || target.to_socket_addrs()).await.map_err(|_| NetworkError::Failed)?;
    let all = found.map_err(|_| NetworkError::Failed)?.map(|address| address.ip());
    Ok(all.filter(|ip| ip.is_ipv6() == (family == Family::V6)).collect())
}

pub(super) async fn connect(address: SocketAddr) -> Result<TcpStream, NetworkError> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
