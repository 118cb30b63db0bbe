//! A verification that began at the backend and ends without a result: the backend is informed, so that it can end the session and release
//! what its provider holds for the number.
//!
//! At most once, in the background and without a repeat: nobody who waits for the result waits for this.

use std::sync::{Arc, OnceLock};

use secrecy::SecretString;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::backend::call::{BackendClient, Call};
use crate::error::VerifyError;
use crate::limits;

/// The session of a flow, if the backend has one; not set before `start` has succeeded.
pub(super) type Started = Arc<OnceLock<Option<SecretString>>>;

/// Calls `abort` when it is dropped, if `start` has succeeded and there is no result. A flow that is dropped before it ends was cancelled.
pub(super) struct Abort<A: Send + 'static> {
    backend: Arc<dyn BackendClient>,
    started: Started,
    reason: Option<&'static str>,
    /// The call, and what is dropped once that is over.
    call: Option<(Call, A)>,
}

impl<A: Send + 'static> Abort<A> {
    pub(super) fn new(backend: Arc<dyn BackendClient>, started: Started, call: Call, alive: A) -> Self {
        Self { backend, started, reason: Some(VerifyError::Cancelled.kind()), call: Some((call, alive)) }
    }

    pub(super) fn ended<T>(&mut self, outcome: &Result<T, VerifyError>) {
        self.reason = outcome.as_ref().err().map(VerifyError::kind);
    }
}

impl<A: Send + 'static> Drop for Abort<A> {
    fn drop(&mut self) {
        let (Some(reason), Some(session), Some((call, alive)), Ok(runtime)) =
            (self.reason, self.started.get(), self.call.take(), Handle::try_current())
        else {
            return;
        };
        let (backend, session) = (self.backend.clone(), session.clone());
        runtime.spawn(async move {
            let _ = timeout(limits::ABORT, backend.abort(session, reason, call)).await;
            drop(alive);
        });
    }
}
