//! Progress events of a running verification.

use std::fmt;

use serde::Serialize;

use crate::trace::Hop;

/// A step of the verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, uniffi::Enum)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Requests the auth URL from the backend.
    Start,
    /// Acquires the cellular network.
    Acquire,
    /// Follows the auth URL over the cellular network.
    Authorize,
    /// Requests the result from the backend.
    Complete,
}

/// An event of a running verification. Contains no secrets.
#[derive(Debug, Clone, PartialEq, uniffi::Enum)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant)] // Bindings do not support boxes, and only one value exists at a time.
pub enum Progress {
    /// A step began. `start` and `acquire` run concurrently.
    StepBegan {
        /// The step.
        step: Step,
        /// Milliseconds since the verification began.
        at_ms: u64,
    },
    /// A step completed.
    StepEnded {
        /// The step.
        step: Step,
        /// Milliseconds since the verification began.
        at_ms: u64,
    },
    /// A host on the operator's side responded.
    HopAnswered {
        /// The request, as in the trace.
        hop: Hop,
        /// Milliseconds since the verification began.
        at_ms: u64,
    },
    /// The verification takes longer than `slow_after_ms`, and continues: offer the user another
    /// channel in addition. Reported at most once.
    Slow {
        /// Milliseconds since the verification began.
        at_ms: u64,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StepBegan { step, at_ms } => write!(f, "{at_ms} ms: {step} begins"),
            Self::StepEnded { step, at_ms } => write!(f, "{at_ms} ms: {step} is done"),
            Self::HopAnswered { hop, at_ms } => {
                let Hop { index, scheme, host, .. } = hop;
                write!(f, "{at_ms} ms: hop {index}, {scheme}://{host}, answers {}", hop.status.unwrap_or_default())
            }
            Self::Slow { at_ms } => write!(f, "{at_ms} ms: it takes longer than usual"),
        }
    }
}

/// Receives progress events.
#[uniffi::export(foreign)]
pub trait ProgressListener: Send + Sync {
    /// Called for each event, in order, on a thread that may block. The result waits until all
    /// earlier events are delivered, but at most 500 ms: a slow listener receives the rest later.
    /// An error thrown here is logged and otherwise ignored.
    fn on_progress(&self, progress: Progress) -> Result<(), ListenerError>;
}

/// The listener failed.
#[derive(Debug, Clone, thiserror::Error, uniffi::Error)]
pub enum ListenerError {
    /// The listener threw an error.
    #[error("the progress listener failed")]
    Failed,
}

impl From<uniffi::UnexpectedUniFFICallbackError> for ListenerError {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed
    }
}
