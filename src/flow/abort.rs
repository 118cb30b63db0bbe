//! A verification that began at the backend and ends without a result: the backend is informed, so that it can end the session and release
//! what its provider holds for the number.
//!
//! At most once, in the background and without a repeat: the result does not wait for it. A `start` that is still running may have begun
//! something, too, so it gets the same time to end.

use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use secrecy::SecretString;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::backend::call::{BackendClient, Call};
use crate::backend::{AuthorizationStart, BackendError};
use crate::error::VerifyError;
use crate::limits;

type Session = Option<SecretString>;

/// A `start` that outlives its flow, as a task; clones are the same one.
#[derive(Clone, Default)]
pub(super) struct Start(Arc<Mutex<Option<Running>>>);

struct Running {
    task: AbortHandle,
    /// Resolves with the session, if the backend has one, once `start` has succeeded.
    session: oneshot::Receiver<Session>,
}

impl Start {
    /// Dropping this future does not end the call.
    pub(super) async fn run(
        &self,
        call: impl Future<Output = Result<Arc<AuthorizationStart>, BackendError>> + Send + 'static,
    ) -> Result<Arc<AuthorizationStart>, BackendError> {
        let (succeeded, session) = oneshot::channel();
        let task = tokio::spawn(async move {
            let response = call.await?;
            let _ = succeeded.send(response.session.clone()); // Fails only if nobody aborts.
            Ok(response)
        });
        *self.lock() = Some(Running { task: task.abort_handle(), session });
        match task.await {
            Ok(response) => response,
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_) => Err(BackendError::Failed),
            },
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls `abort` when it is dropped, if `start` succeeds and there is no result. A flow that is dropped before it ends was cancelled.
pub(super) struct Abort<A: Send + 'static> {
    backend: Arc<dyn BackendClient>,
    start: Start,
    reason: Option<&'static str>,
    /// The call, and what is dropped once that is over.
    call: Option<(Call, A)>,
}

impl<A: Send + 'static> Abort<A> {
    pub(super) fn new(backend: Arc<dyn BackendClient>, start: Start, call: Call, alive: A) -> Self {
        Self { backend, start, reason: Some(VerifyError::Cancelled.kind()), call: Some((call, alive)) }
    }

    pub(super) fn ended<T>(&mut self, outcome: &Result<T, VerifyError>) {
        self.reason = outcome.as_ref().err().map(VerifyError::kind);
    }
}

impl<A: Send + 'static> Drop for Abort<A> {
    fn drop(&mut self) {
        let reason = if thread::panicking() { Some(VerifyError::Internal.kind()) } else { self.reason };
        let (Some(reason), Some(start), Some((call, alive)), Ok(runtime)) =
            (reason, self.start.lock().take(), self.call.take(), Handle::try_current())
        else {
            return;
        };
        let backend = self.backend.clone();
        runtime.spawn(async move {
            let abort = async {
                if let Ok(session) = start.session.await {
                    backend.abort(session, reason, call).await;
                }
            };
            let _ = timeout(limits::ABORT, abort).await;
            start.task.abort();
            drop(alive);
        });
    }
}
