//! The app's default network: DNS and connections as the system routes them. Used for the backend,
//! never for the cellular leg, except in development without a binding.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::net::TcpStream;

use super::lookups::{Addresses, Lookups, Overrides, Scope};
use super::{Family, Network, NetworkError, Unusable};
use crate::threads::{Threads, Work};

/// Replaces the system's resolver in tests.
#[cfg(feature = "internals")]
pub type Resolver = Arc<dyn Fn(String) -> BoxFuture<'static, Addresses> + Send + Sync>;

/// Clones share their lookups.
#[derive(Clone)]
pub struct DefaultNetwork {
    threads: Threads,
    lookups: Arc<Lookups>,
    #[cfg(feature = "internals")]
    resolver: Option<Resolver>,
}

impl DefaultNetwork {
    /// Starts no lookup.
    pub fn new(overrides: Overrides, threads: Threads) -> Self {
        let lookups = Arc::new(Lookups::new(Scope::BothFamilies, overrides));
        Self {
            threads,
            lookups,
            #[cfg(feature = "internals")]
            resolver: None,
        }
    }

    #[cfg(all(feature = "internals", feature = "http-backend"))]
    pub(crate) fn with_resolver(self, resolver: Resolver) -> Self {
        Self { resolver: Some(resolver), ..self }
    }

    /// The addresses of both families, in the order that the system prefers (RFC 6724).
    #[cfg(feature = "http-backend")]
    pub async fn resolve_both(&self, host: &str, port: u16) -> Addresses {
        self.lookups.resolve_both(host, port, || self.look_up(host)).await
    }

    fn look_up(&self, host: &str) -> BoxFuture<'static, Addresses> {
        #[cfg(feature = "internals")]
        if let Some(resolver) = &self.resolver {
            return resolver(host.to_owned());
        }
        look_up(self.threads.clone(), host.to_owned()).boxed()
    }
}

impl Network for DefaultNetwork {
    type Stream = TcpStream;

    async fn resolve(&self, host: &str, port: u16, family: Family) -> Addresses {
        self.lookups.resolve(host, port, family, || self.look_up(host)).await
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
    async fn system_name_resolves_and_connection_has_nodelay() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let network = DefaultNetwork::new(Overrides::default(), Threads::new());
        let resolve = |family| network.resolve("localhost", address.port(), family);
        let (v4, v6) = join(resolve(Family::V4), resolve(Family::V6)).await;
        assert!(v4.unwrap().contains(&address.ip()));
        assert!(v6.unwrap().iter().all(std::net::IpAddr::is_ipv6));
        assert!(network.connect(address).await.unwrap().nodelay().unwrap());
    }

    #[cfg(feature = "http-backend")]
    #[tokio::test]
    async fn both_families_keep_their_order() {
        let addresses = ["10.0.0.1", "2001:db8::1", "10.0.0.2"].map(|address| address.parse().unwrap());
        let overrides = [(("api.test".to_owned(), 443), addresses.to_vec())].into();
        let network = DefaultNetwork::new(overrides, Threads::new());
        assert_eq!(network.resolve_both("api.test", 443).await.unwrap(), addresses);
        let localhost = network.resolve_both("localhost", 443).await.unwrap();
        let system: Vec<_> = ("localhost", 443).to_socket_addrs().unwrap().map(|address| address.ip()).collect();
        assert_eq!(localhost, system);
    }
}
