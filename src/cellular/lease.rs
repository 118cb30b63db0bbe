//! Shares one acquired network among all concurrent flows.
//!
//! A keeper task acquires, holds and releases the network, so that each `acquire()` has exactly one
//! `release()` whatever happens to the flows or the provider: the keeper outlives them, and ends
//! when the last lease is dropped or the network is lost. Flows are notified of the loss
//! immediately. A session is checked before a new lease joins it, so that a lost network is not
//! handed out; a lease requested on another thread at the moment of the loss may still join, and is
//! then notified. Idle connections are closed before the release; those in use are closed when
//! their flows end. `last_network.rs` describes what outlives a release.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Mutex as AsyncMutex, oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::binding::ValidBinding;
use super::last_network::{LastNetwork, Open};
use super::provider::{CellularProvider, NetworkEvents};
use crate::clock::Clock;
use crate::error::{CellularCause, VerifyError};
use crate::limits;
use crate::logging::Event;
use crate::network::Network;
use crate::trace::NetworkKind;
use crate::transport::Transport;

/// The cellular network, shared by all flows.
pub struct SharedNetwork<N: Network> {
    provider: Arc<dyn CellularProvider>,
    open: Arc<Open<N>>,
    acquire_limit: Duration,
    current: Mutex<Weak<Session<N>>>,
    /// Locked until a network is released: only then is another acquired.
    last: Arc<AsyncMutex<LastNetwork<N>>>,
}

struct Session<N: Network> {
    outcome: watch::Receiver<Option<Outcome<N>>>,
    /// Dropped with the last lease, or when the network is lost: signals the keeper to release.
    held: Mutex<Option<oneshot::Sender<()>>>,
}

type Outcome<N> = Result<Acquired<N>, VerifyError>;

impl<N: Network> Clone for Acquired<N> {
    fn clone(&self) -> Self {
        Self { transport: self.transport.clone(), kind: self.kind, id: self.id.clone() }
    }
}

/// An acquired network.
pub struct Acquired<N: Network> {
    /// The connections over it.
    pub transport: Arc<Transport<N>>,
    /// How they are bound.
    pub kind: NetworkKind,
    /// Identifies the network.
    pub id: NetworkId,
}

/// Identifies the same network across acquisitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkId {
    /// The operator's mobile country and network code.
    Operator(u32),
    /// The binding, if the operator is not known.
    Binding(ValidBinding),
}

/// Holds the network until the last lease is dropped.
pub struct Lease<N: Network>(Arc<Session<N>>);

impl<N: Network> Clone for Lease<N> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<N: Network> SharedNetwork<N> {
    /// Acquires nothing yet.
    pub fn new(provider: Arc<dyn CellularProvider>, open: Arc<Open<N>>, acquire_limit: Duration, clock: Clock) -> Self {
        let last = Arc::new(AsyncMutex::new(LastNetwork::new(clock)));
        Self { provider, open, acquire_limit, current: Mutex::default(), last }
    }

    /// Joins the network that others hold, or starts to acquire it. Must be called in a tokio
    /// runtime; `alive` is held until the release has finished.
    pub fn lease(&self, alive: impl Send + 'static) -> Lease<N> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = current.upgrade() {
            if session.can_be_joined() {
                return Lease(session);
            }
            session.lose();
        }
        let (report, outcome) = watch::channel(None);
        let (held, released) = oneshot::channel();
        let session = Arc::new(Session { outcome, held: Mutex::new(Some(held)) });
        *current = Arc::downgrade(&session);
        let keeper = Keeper {
            provider: self.provider.clone(),
            open: self.open.clone(),
            acquire_by: Instant::now() + self.acquire_limit,
            last: self.last.clone(),
            report,
        };
        let keep = async move {
            keeper.run(released).await;
            drop(alive);
        };
        tokio::spawn(keep.boxed());
        Lease(session)
    }
}

impl<N: Network> Session<N> {
    /// A session that is still being acquired can be joined; one that failed, or whose network is
    /// lost, cannot.
    fn can_be_joined(&self) -> bool {
        match &*self.outcome.borrow() {
            None => true,
            Some(Ok(acquired)) => acquired.transport.is_usable(),
            Some(Err(_)) => false,
        }
    }

    /// Ends the session, even if leases still hold it: its network is released.
    fn lose(&self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl<N: Network> Lease<N> {
    /// The network, as soon as it is available.
    pub async fn acquired(&self) -> Outcome<N> {
        self.outcome(Option::is_some).await
    }

    /// Waits until the network cannot be used or is lost, and returns the error.
    pub async fn lost(&self) -> VerifyError {
        self.outcome(|outcome| matches!(outcome, Some(Err(_)))).await.err().unwrap_or(VerifyError::Internal)
    }

    async fn outcome(&self, is_awaited: fn(&Option<Outcome<N>>) -> bool) -> Outcome<N> {
        let mut outcome = self.0.outcome.clone();
        let outcome = outcome.wait_for(is_awaited).await;
        outcome.ok().and_then(|outcome| outcome.clone()).unwrap_or(Err(VerifyError::Internal))
    }
}

/// Acquires, holds and releases one network.
struct Keeper<N: Network> {
    provider: Arc<dyn CellularProvider>,
    open: Arc<Open<N>>,
    /// The timeout includes the wait for an earlier release.
    acquire_by: Instant,
    last: Arc<AsyncMutex<LastNetwork<N>>>,
    report: watch::Sender<Option<Outcome<N>>>,
}

impl<N: Network> Keeper<N> {
    /// Runs until `released` resolves, then releases the network.
    async fn run(self, mut released: oneshot::Receiver<()>) {
        let locked = tokio::select! {
            biased;
            _ = &mut released => return,
            locked = timeout_at(self.acquire_by, self.last.lock()) => locked,
        };
        let Ok(mut last) = locked else {
            self.report.send_replace(Some(Err(unavailable(CellularCause::Timeout))));
            return;
        };
        let events = Arc::<NetworkEvents>::default();
        let acquired = tokio::select! {
            biased;
            _ = &mut released => None,
            reason = events.is_lost() => Some(Err(unavailable(reason))),
            acquired = timeout_at(self.acquire_by, self.acquire(events.clone(), &mut last)) => {
                Some(acquired.unwrap_or_else(|_| Err(unavailable(CellularCause::Timeout))))
            }
        };
        if let Some(outcome) = acquired {
            let network = outcome.as_ref().ok().map(|acquired| acquired.transport.clone());
            self.report.send_replace(Some(outcome));
            if let Some(network) = network {
                let loss = tokio::select! {
                    biased;
                    reason = events.is_lost() => Some(reason),
                    reason = network.lost() => Some(reason.into()),
                    _ = released => None,
                };
                // Remaining leases must not use the network, and its idle connections are closed.
                self.report.send_replace(Some(Err(unavailable(loss.unwrap_or(CellularCause::InterfaceDown)))));
                if loss.is_none() { last.released(&network) } else { last.lost() }
            } else {
                last.lost();
            }
        }
        let release = AssertUnwindSafe(async { self.provider.release().await }).catch_unwind();
        if !matches!(timeout(limits::RELEASE, release).await, Ok(Ok(Ok(())))) {
            Event::NotReleased.log();
        }
    }

    async fn acquire(&self, events: Arc<NetworkEvents>, last: &mut LastNetwork<N>) -> Outcome<N> {
        let acquire = async {
            let binding = self.provider.acquire(events.clone()).await.map_err(|error| unavailable(error.reason()))?;
            let binding = ValidBinding::try_from(binding)?;
            let operator = events.operator();
            let transport = Arc::new(last.acquired(&binding, operator, &*self.open)?);
            let kind = binding.get().kind();
            let id = operator.map_or(NetworkId::Binding(binding), NetworkId::Operator);
            Ok(Acquired { transport, kind, id })
        };
        AssertUnwindSafe(acquire).catch_unwind().await.unwrap_or(Err(VerifyError::Internal))
    }
}

fn unavailable(reason: CellularCause) -> VerifyError {
    VerifyError::CellularUnavailable { reason }
}
