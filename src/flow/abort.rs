//! Informs the backend that a verification that began there ended without a result, so that it can
//! end the session and release what its provider holds for the number.
//!
//! At most once, in the background and without a retry: the result does not wait for it. A `start`
//! that is still running may have created a session too, so it is given the same time to end.

use std::future::{poll_fn, ready};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::backend::call::{BackendClient, Call};
use crate::backend::{AuthorizationStart, BackendError};
use crate::error::VerifyError;
use crate::limits;

type Response = Result<Arc<AuthorizationStart>, BackendError>;

/// A `start` call that can continue without its flow; clones share it.
#[derive(Clone, Default)]
pub(super) struct Start(Arc<Mutex<State>>);

#[derive(Default)]
enum State {
    /// Not started, or without a session to abort.
    #[default]
    Idle,
    Running(BoxFuture<'static, Response>),
    Succeeded(Arc<AuthorizationStart>),
}

impl Start {
    pub(super) async fn run(&self, call: BoxFuture<'static, Response>) -> Response {
        *self.lock() = State::Running(call);
        poll_fn(|cx| self.poll(cx)).await
    }

    /// A call that panics is not restored.
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Response> {
        let State::Running(mut call) = self.take() else { return Poll::Ready(Err(BackendError::Failed)) };
        let polled = call.poll_unpin(cx);
        *self.lock() = match &polled {
            Poll::Pending => State::Running(call),
            Poll::Ready(Ok(response)) => State::Succeeded(response.clone()),
            Poll::Ready(Err(_)) => State::Idle,
        };
        polled
    }

    fn take(&self) -> State {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls `abort` when dropped, if `start` succeeds and there is no result. A flow that is dropped
/// before it ends was cancelled.
pub(super) struct Abort<A: Send + 'static> {
    backend: Arc<dyn BackendClient>,
    start: Start,
    reason: Option<&'static str>,
    /// The call, and what is dropped when it ends.
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
        let (Some(reason), Some((call, alive)), Ok(runtime)) = (reason, self.call.take(), Handle::try_current()) else {
            return;
        };
        let start = match self.start.take() {
            State::Idle => return,
            State::Running(call) => call,
            State::Succeeded(response) => ready(Ok(response)).boxed(),
        };
        let backend = self.backend.clone();
        let call = async move {
            let _ = timeout(limits::ABORT, async {
                if let Ok(response) = start.await {
                    backend.abort(response.session.clone(), reason, call).await;
                }
            })
            .await;
            drop(alive);
        };
        runtime.spawn(call.boxed());
    }
}
