//! The app's default network: names and connections as the system chooses them. The backend is reached over it; the cellular leg
//! never is, but for development without a binding.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::net::TcpStream;

use crate::error::CellularCause;
use crate::lookups::{Answer, Lookups};
use crate::settings::Overrides;
use crate::threads::{Threads, Work};
use crate::transport::{Family, Network, NetworkError};

/// Clones share their lookups.
#[derive(Clone)]
pub struct DefaultNetwork {
    overrides: Arc<Overrides>,
    threads: Threads,
    /// By host: the system answers for both families at once.
    lookups: Arc<Lookups<String>>,
}

impl DefaultNetwork {
    pub fn new(overrides: Overrides, threads: Threads) -> Self {
        Self { overrides: Arc::new(overrides), threads, lookups: Arc::default() }
    }
}

impl Network for DefaultNetwork {
    type Stream = TcpStream;
    const TRUST: Work = Work::BackendTrust;

    async fn resolve(&self, host: &str, port: u16, family: Family) -> Answer {
        let host = host.to_owned();
        if let Some(addresses) = self.overrides.get(&(host.clone(), port)) {
            return Ok(family.of(addresses));
        }
        let begin = || {
            let (threads, host) = (self.threads.clone(), host.clone());
            async move { look_up(&threads, &host).await }.boxed()
        };
        Ok(family.of(&self.lookups.join(host.clone(), begin).await?))
    }

    async fn connect(&self, address: SocketAddr) -> Result<TcpStream, NetworkError> {
        connect(address).await
    }

    fn check(&self) -> Result<(), CellularCause> {
        Ok(())
    }
}

/// All addresses of a host.
pub async fn look_up(threads: &Threads, host: &str) -> Answer {
    let target = (host.to_owned(), 0);
    let look_up = move || target.to_socket_addrs();
    let found = threads.run(Work::DefaultNames, look_up).await.map_err(|_| NetworkError::Failed)?;
    Ok(found.map_err(|_| NetworkError::Failed)?.map(|address| address.ip()).collect())
}

/// A TCP connection with `TCP_NODELAY`.
pub async fn connect(address: SocketAddr) -> Result<TcpStream, NetworkError> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use futures_util::future::join;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_name_of_the_system_and_a_connection_that_does_not_wait_for_acknowledgements() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let network = DefaultNetwork::new(Overrides::default(), Threads::new());
        let resolve = |family| network.resolve("localhost", address.port(), family);
        let (v4, v6) = join(resolve(Family::V4), resolve(Family::V6)).await;
        assert!(v4.unwrap().contains(&address.ip()));
        assert!(v6.unwrap().iter().all(std::net::IpAddr::is_ipv6));
        assert!(network.connect(address).await.unwrap().nodelay().unwrap());
    }
}
