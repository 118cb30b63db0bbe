//! Preparation without a phone number: acquires the network and opens connections. Held for a
//! limited time, or until a flow takes it over.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::join;
use tokio::task::JoinSet;

use super::ahead::Ahead;
use super::{Verifier, request};
use crate::cellular::Lease;
use crate::clock::Deadline;
use crate::limits;
use crate::network::Network;
use crate::settings::Settings;
use crate::transport::Destination;

/// The destination of the auth URL, if it is in the settings.
#[must_use]
pub fn auth_destination(settings: &Settings) -> Option<Destination> {
    let origin = settings.auth_origin.as_ref().filter(|_| settings.open_ahead)?;
    let steering = settings.hints.for_host(origin.host_str()?);
    Destination::of(origin, request::restrictions(&steering))
}

/// The last preparation. Dropping it ends the preparation.
#[derive(Default)]
pub struct Prepared(Mutex<JoinSet<()>>);

impl Prepared {
    /// Starts a new preparation, then ends the earlier one: the network is not released in between.
    /// The returned lease is for a caller that waits for the network. Must be called in a tokio
    /// runtime; `alive` is held until the network is released.
    pub fn begin<N: Network>(&self, verifier: Arc<Verifier<N>>, alive: impl Send + 'static) -> Lease<N> {
        let lease = verifier.network.lease(alive);
        let held = lease.clone();
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.abort_all();
        while tasks.try_join_next().is_some() {}
        let holding = async move {
            Deadline::after(limits::PREPARED, &verifier.clock).limit(verifier.warm_up(&held)).await;
        };
        tasks.spawn(holding.boxed());
        lease
    }

    /// Takes the preparation over for a flow, which drops it when it ends.
    pub fn take(&self) -> JoinSet<()> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<N: Network> Verifier<N> {
    /// Opens connections to the backend and, once the network is available, to the first hosts of
    /// the last verification on it. Keeps opening those that are not open yet; returns when the
    /// network cannot be used or is lost.
    async fn warm_up(&self, lease: &Lease<N>) {
        let ahead = Ahead::new(&self.memory);
        let over_cellular = async {
            let Ok(acquired) = lease.acquired().await else { return };
            ahead.open(&acquired, None);
            tokio::select! {
                _ = lease.lost() => {}
                never = ahead.run() => match never {},
            }
        };
        let to_backend = async {
            if self.settings.open_ahead {
                self.backend.warm_up().await;
            }
        };
        join(over_cellular, to_backend).await;
    }
}
