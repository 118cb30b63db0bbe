//! The app's default network: DNS and connections as the system chooses them. The backend is reached over it; the cellular leg
//! never is, except in development without a binding.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::net::TcpStream;

use super::lookups::{Addresses, Lookups, Overrides, Scope};
use super::{Family, Network, NetworkError, Unusable};
use crate::threads::{Threads, Work};

/// Clones share their lookups.
#[derive(Clone)]
pub struct DefaultNetwork {
    threads: Threads,
    lookups: Arc<Lookups>,
}

impl DefaultNetwork {
    /// Nothing is looked up yet.
    pub fn new(overrides: Overrides, threads: Threads) -> Self {
        Self { threads, lookups: Arc::new(Lookups::new(Scope::BothFamilies, overrides)) }
    }
}

impl Network for DefaultNetwork {
    type Stream = TcpStream;

    async fn resolve(&self, host: &str, port: u16, family: Family) -> Addresses {
        let begin = || look_up(self.threads.clone(), host.to_owned()).boxed();
        self.lookups.resolve(host, port, family, begin).await
    }

    async fn connect(&self, address: SocketAddr) -> Result<TcpStream, NetworkError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn check(&self) -> Result<(), Unusable> {
        Ok(())
    }
}

async fn look_up(threads: Threads, host: String) -> Addresses {
    let look_up = move || (host, 0).to_socket_addrs();
    let found = threads.run(Work::DefaultNames, look_up).await.map_err(|_| NetworkError::Failed)?;
    Ok(found.map_err(|_| NetworkError::Failed)?.map(|address| address.ip()).collect())
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
