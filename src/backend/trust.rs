//! Asks whether the backend's certificate chain is trusted, on each new connection of reqwest, before a request is put on it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use crate::transport::tls::Tls;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone)]
pub(super) struct ConfirmTrust {
    pub(super) tls: Tls,
    /// Plain http has no chain; https without one is refused.
    pub(super) https: bool,
}

impl<S> Layer<S> for ConfirmTrust {
    type Service = Confirmed<S>;

    fn layer(&self, connector: S) -> Confirmed<S> {
        Confirmed { connector, confirm: self.clone() }
    }
}

#[derive(Clone)]
pub(super) struct Confirmed<S> {
    connector: S,
    confirm: ConfirmTrust,
}

impl<S, Target> Service<Target> for Confirmed<S>
where
    S: Service<Target, Error = BoxError>,
    S::Response: Send,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(cx)
    }

    fn call(&mut self, target: Target) -> Self::Future {
        let connecting = self.connector.call(target);
        let ConfirmTrust { tls, https } = self.confirm.clone();
        Box::pin(async move { if https { tls.connect_confirmed(connecting).await } else { connecting.await } })
    }
}
