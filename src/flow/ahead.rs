//! Opens connections to the hosts that are likely next, while the flow waits for something else.
//!
//! They are polled with the flow and dropped with it; those that are open by then stay in the pool.
//! A flow opens at most one to an origin, and none to an origin that it has sent requests to. A
//! failure to open has no effect.

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::cellular::{Acquired, NetworkId};
use crate::hop_memory::HopMemory;
use crate::network::Network;
use crate::secret::Redactor;
use crate::transport::Destination;

/// The connections that one flow opens ahead.
pub(super) struct Ahead<'a> {
    memory: &'a HopMemory,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: Vec<BoxFuture<'static, ()>>,
    opened: Vec<Destination>,
    /// Origins that received requests, in the order of the first request.
    used: Vec<Destination>,
}

impl<'a> Ahead<'a> {
    pub(super) fn new(memory: &'a HopMemory) -> Self {
        Self { memory, state: Mutex::default() }
    }

    /// Starts opening connections to the hosts that came after this one, or first, and returns
    /// those that it started. They make progress while [`run`](Self::run) is polled.
    pub(super) fn open<N: Network>(&self, acquired: &Acquired<N>, after: Option<&Destination>) -> Vec<Destination> {
        let mut next = self.memory.next(&acquired.id, after);
        let State { running, opened, used } = &mut *self.state();
        next.retain(|destination| !opened.contains(destination) && !used.contains(destination));
        next.retain(|destination| {
            let opening = acquired.transport.open_ahead(destination.clone());
            let has_begun = opening.is_some();
            running.extend(opening);
            has_begun
        });
        opened.extend_from_slice(&next);
        next
    }

    /// Records that a request to this destination begins.
    pub(super) fn uses(&self, destination: &Destination) {
        let used = &mut self.state().used;
        if !used.contains(destination) {
            used.push(destination.clone());
        }
    }

    /// Records the hosts of a flow whose redirect chain has completed. A host name with a secret is
    /// not stored: a later flow cannot use it, and its trace would show it.
    pub(super) fn remember(&self, network: &NetworkId, redactor: &Redactor) {
        let mut used = std::mem::take(&mut self.state().used);
        used.retain(|destination| {
            let host = destination.host().to_string();
            redactor.mask_number(&redactor.redact_host(&host)) == host
        });
        self.memory.remember(network, used);
    }

    /// Closes what is not open yet: once nothing polls it, others must not wait for it.
    pub(super) fn stop(&self) {
        let running = std::mem::take(&mut self.state().running);
        drop(running); // Outside of the lock.
    }

    /// Never returns.
    pub(super) async fn run(&self) -> Infallible {
        poll_fn(|cx| {
            self.state().running.retain_mut(|opening| opening.poll_unpin(cx).is_pending());
            Poll::Pending
        })
        .await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
