//! Handles of running verifications and retrievals: to wait, to cancel, to read the trace.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::error::VerifyError;
use crate::recorder::Recorder;
use crate::results::{Ended, RetrievedNumber, Verification};
use crate::secret::Redactor;
use crate::trace::Trace;

/// A verification in progress. Dropping it cancels it.
#[derive(uniffi::Object)]
pub struct VerificationFlow(pub(crate) FlowHandle);

/// A retrieval in progress. Dropping it cancels it.
#[derive(uniffi::Object)]
pub struct RetrievalFlow(pub(crate) FlowHandle);

/// What both handles have in common.
pub(crate) struct FlowHandle {
    outcome: watch::Receiver<Option<Outcome>>,
    /// Absent if it could not be started.
    task: Option<AbortHandle>,
    record: Arc<Recorder>,
}

pub(crate) type Outcome = Result<Arc<Ended>, VerifyError>;

#[uniffi::export]
impl VerificationFlow {
    /// Waits for the result. Cancelling this call cancels the verification.
    pub async fn result(&self) -> Result<Arc<Verification>, VerifyError> {
        Verification::of(self.0.outcome().await?)
    }

    /// Cancels the verification; its result is then `Cancelled`. No-op if it has finished.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// The trace so far; also of a failed or cancelled verification.
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.0.record.trace()
    }
}

#[uniffi::export]
impl RetrievalFlow {
    /// Waits for the number. Cancelling this call cancels the retrieval.
    pub async fn result(&self) -> Result<Arc<RetrievedNumber>, VerifyError> {
        RetrievedNumber::of(self.0.outcome().await?)
    }

    /// Cancels the retrieval; its result is then `Cancelled`. No-op if it has finished.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// The trace so far; also of a failed or cancelled retrieval.
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.0.record.trace()
    }
}

impl FlowHandle {
    pub(crate) fn new(
        outcome: watch::Receiver<Option<Outcome>>,
        task: Option<AbortHandle>,
        record: Arc<Recorder>,
    ) -> Self {
        Self { outcome, task, record }
    }

    fn cancel(&self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }

    async fn outcome(&self) -> Outcome {
        let mut cancel = CancelOnDrop(self.task.as_ref());
        let mut outcome = self.outcome.clone();
        let outcome = outcome.wait_for(Option::is_some).await;
        cancel.0 = None;
        if let Ok(Some(outcome)) = outcome.as_deref() {
            return outcome.clone();
        }
        self.record.ended(&Redactor::new()); // No-op unless it was cancelled before it began.
        Err(VerifyError::Cancelled)
    }
}

/// The result can no longer be requested.
impl Drop for FlowHandle {
    fn drop(&mut self) {
        self.cancel();
    }
}

struct CancelOnDrop<'a>(Option<&'a AbortHandle>);

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(task) = self.0 {
            task.abort();
        }
    }
}

impl fmt::Debug for VerificationFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerificationFlow(…)")
    }
}

impl fmt::Debug for RetrievalFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RetrievalFlow(…)")
    }
}
