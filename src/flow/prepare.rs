//! What can be done before there is a number: acquiring the network, and opening connections. Held for a while, or until a flow takes it over.

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

/// Where a flow begins, if the settings have that.
#[must_use]
pub fn auth_destination(settings: &Settings) -> Option<Destination> {
    let origin = settings.auth_origin.as_ref().filter(|_| settings.open_ahead)?;
    let steering = settings.hints.for_host(origin.host_str()?);
    Destination::of(origin, request::restrictions(&steering))
}

/// What was prepared last. Dropping it ends that.
#[derive(Default)]
pub struct Prepared(Mutex<JoinSet<()>>);

impl Prepared {
    /// Begins anew, and then ends the earlier preparation: the network is not released in between. The returned lease is for a caller that waits
    /// for the network. Needs a tokio runtime; `alive` lives until the network is released.
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

    /// For a flow, which drops it when it ends.
    pub fn take(&self) -> JoinSet<()> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<N: Network> Verifier<N> {
    /// Opens connections to the backend, and over the network, once it is there, to the hosts that the last verification on it began with.
    /// Holds those that are not open yet: returns when the network cannot be used, or no longer.
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
