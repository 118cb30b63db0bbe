//! One acquired network for all flows that run at the same time.
//!
//! A keeper task acquires, holds and releases, so that each `acquire()` has exactly one `release()` whatever becomes of the flows:
//! the keeper outlives them, and ends when the last lease is dropped. Connections are closed before the release.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Mutex as Turn, oneshot, watch};
use tokio::time::timeout;

use super::{CellularProvider, NetworkBinding};
use crate::error::{CellularCause, VerifyError};
use crate::logging::Event;
use crate::trace::NetworkKind;
use crate::transport::{Network, Transport};

/// A platform API that does not come back must not keep the next flow from the network.
const RELEASE_LIMIT: Duration = Duration::from_secs(5);

/// Makes connections over a binding, once it is there.
pub type Open<N> = dyn Fn(&NetworkBinding) -> Result<Transport<N>, VerifyError> + Send + Sync;

/// The cellular network as flows see it.
pub struct SharedNetwork<N: Network> {
    provider: Arc<dyn CellularProvider>,
    open: Arc<Open<N>>,
    acquire_limit: Duration,
    current: Mutex<Weak<Session<N>>>,
    /// A network is released before it is acquired again.
    turn: Arc<Turn<()>>,
}

struct Session<N: Network> {
    outcome: watch::Receiver<Option<Outcome<N>>>,
    /// Dropped with the last lease: the keeper's sign to release.
    _held: oneshot::Sender<()>,
}

type Outcome<N> = Result<Acquired<N>, VerifyError>;

struct Acquired<N: Network> {
    transport: Arc<Transport<N>>,
    kind: NetworkKind,
}

/// Holds the network. It is let go when the last lease is dropped.
pub struct Lease<N: Network>(Arc<Session<N>>);

impl<N: Network> SharedNetwork<N> {
    /// Nothing is acquired yet.
    pub fn new(provider: Arc<dyn CellularProvider>, open: Arc<Open<N>>, acquire_limit: Duration) -> Self {
        Self { provider, open, acquire_limit, current: Mutex::default(), turn: Arc::default() }
    }

    /// Joins the network that others hold, or begins to acquire it. Needs a tokio runtime; `alive` lives until the release is over.
    pub fn lease(&self, alive: impl Send + 'static) -> Lease<N> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = current.upgrade()
            && !matches!(*session.outcome.borrow(), Some(Err(_)))
        {
            return Lease(session);
        }
        let (report, outcome) = watch::channel(None);
        let (held, released) = oneshot::channel();
        let session = Arc::new(Session { outcome, _held: held });
        *current = Arc::downgrade(&session);
        let keeper =
            keep(self.provider.clone(), self.open.clone(), self.acquire_limit, self.turn.clone(), report, async {
                let _ = released.await;
            });
        tokio::spawn(async move {
            keeper.await;
            drop(alive);
        });
        Lease(session)
    }
}

impl<N: Network> Lease<N> {
    /// The connections over the network, as soon as it is there.
    pub async fn transport(&self) -> Result<(Arc<Transport<N>>, NetworkKind), VerifyError> {
        let mut outcome = self.0.outcome.clone();
        let outcome = outcome.wait_for(Option::is_some).await;
        match outcome.as_deref() {
            Ok(Some(Ok(acquired))) => Ok((acquired.transport.clone(), acquired.kind)),
            Ok(Some(Err(error))) => Err(error.clone()),
            Ok(None) | Err(_) => Err(VerifyError::CellularUnavailable { reason: CellularCause::InterfaceDown }),
        }
    }
}

async fn keep<N: Network>(
    provider: Arc<dyn CellularProvider>,
    open: Arc<Open<N>>,
    acquire_limit: Duration,
    turn: Arc<Turn<()>>,
    report: watch::Sender<Option<Outcome<N>>>,
    released: impl Future<Output = ()>,
) {
    tokio::pin!(released);
    let _turn = tokio::select! {
        biased;
        () = &mut released => return,
        turn = turn.lock() => turn,
    };
    let acquired = tokio::select! {
        biased;
        () = &mut released => None,
        acquired = timeout(acquire_limit, provider.acquire()) => Some(acquired),
    };
    if let Some(acquired) = acquired {
        let outcome = match acquired {
            Ok(Ok(binding)) => {
                open(&binding).map(|transport| Acquired { transport: Arc::new(transport), kind: binding.kind() })
            }
            Ok(Err(error)) => Err(VerifyError::CellularUnavailable { reason: error.reason() }),
            Err(_) => Err(VerifyError::CellularUnavailable { reason: CellularCause::Timeout }),
        };
        let failed = outcome.is_err();
        report.send_replace(Some(outcome));
        if !failed {
            released.await;
        }
    }
    drop(report);
    if !matches!(timeout(RELEASE_LIMIT, provider.release()).await, Ok(Ok(()))) {
        Event::NotReleased.log();
    }
}
