//! Connects reqwest to the backend: DNS through the default network, and a certificate chain that
//! is verified on each new connection before a request is sent on it.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::timeout;
use tokio_rustls::rustls::ClientConfig;
use tower_layer::Layer;
use tower_service::Service;
use url::Url;

use crate::network::default::DefaultNetwork;
#[cfg(feature = "internals")]
use crate::network::default::Resolver;
use crate::threads::Work;
use crate::transport::tls::Tls;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Which connection a request used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection {
    /// Opened for this request.
    New,
    /// Opened earlier: the server may have closed it in the meantime.
    Reused,
}

tokio::task_local! {
    static OPENED: Arc<AtomicBool>;
}

/// Runs one request and returns which connection it used.
pub(super) async fn observe<T>(request: impl Future<Output = T>) -> (T, Connection) {
    let opened = Arc::<AtomicBool>::default();
    let outcome = OPENED.scope(opened.clone(), request).await;
    (outcome, if opened.load(Ordering::Relaxed) { Connection::New } else { Connection::Reused })
}

/// The resolver and the connector of one backend.
#[derive(Clone)]
pub(super) struct VerifiedConnector {
    tls: Tls,
    network: DefaultNetwork,
    /// Plain http has no chain; https without one is rejected.
    is_https: bool,
    port: u16,
    /// The timeout of a connection whose request has used another one in the meantime: it continues
    /// to open. Longer than a call, so that it never interrupts one.
    limit: Duration,
}

impl VerifiedConnector {
    pub(super) fn new(tls: Tls, network: DefaultNetwork, backend: &Url, limit: Duration) -> Self {
        let port = backend.port_or_known_default().unwrap_or_default();
        Self { tls, network, is_https: backend.scheme() == "https", port, limit }
    }

    #[cfg(feature = "internals")]
    pub(super) fn with_resolver(self, resolver: Resolver) -> Self {
        Self { network: self.network.with_resolver(resolver), ..self }
    }

    pub(super) fn tls_config(&self) -> ClientConfig {
        self.tls.config()
    }
}

impl Resolve for VerifiedConnector {
    fn resolve(&self, name: Name) -> Resolving {
        let (network, port) = (self.network.clone(), self.port);
        Box::pin(async move {
            let resolved = network.resolve_both(name.as_str(), port).await;
            let ips = resolved.map_err(|_| BoxError::from("the host name could not be resolved"))?;
            let addresses: Addrs = Box::new(ips.into_iter().map(move |ip| SocketAddr::new(ip, port)));
            Ok(addresses)
        })
    }
}

impl<S> Layer<S> for VerifiedConnector {
    type Service = Verified<S>;

    fn layer(&self, connector: S) -> Verified<S> {
        Verified { connector, verifier: self.clone() }
    }
}

#[derive(Clone)]
pub(super) struct Verified<S> {
    connector: S,
    verifier: VerifiedConnector,
}

impl<S, Target> Service<Target> for Verified<S>
where
    S: Service<Target, Error = BoxError>,
    S::Response: Send + 'static,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(cx)
    }

    fn call(&mut self, target: Target) -> Self::Future {
        let _ = OPENED.try_with(|opened| opened.store(true, Ordering::Relaxed)); // Fails without an observer.
        let connecting = self.connector.call(target);
        let VerifiedConnector { tls, is_https, limit, .. } = self.verifier.clone();
        let connected: Self::Future = Box::pin(async move {
            if is_https { tls.verify_handshake(connecting, Work::BackendTrust).await } else { connecting.await }
        });
        Box::pin(async move { timeout(limit, connected).await.unwrap_or_else(|elapsed| Err(elapsed.into())) })
    }
}
