//! What the app hears while a flow runs.

use std::fmt;

use serde::Serialize;

use crate::trace::Hop;

/// A step of the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, uniffi::Enum)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The backend is asked for the auth URL.
    Start,
    /// The cellular network is brought up.
    Acquire,
    /// The auth URL is followed over the cellular network.
    Authorize,
    /// The backend is asked for the verdict.
    Complete,
}

/// One thing that happened in a running flow. Holds nothing secret.
#[derive(Debug, Clone, PartialEq, uniffi::Enum)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant)] // Bindings have no boxes, and one at a time exists.
pub enum Progress {
    /// A step began. `start` and `acquire` run at the same time.
    StepBegan {
        /// The step.
        step: Step,
        /// Milliseconds since the flow began.
        at_ms: u64,
    },
    /// A step ended well.
    StepEnded {
        /// The step.
        step: Step,
        /// Milliseconds since the flow began.
        at_ms: u64,
    },
    /// A host on the operator's side answered.
    HopAnswered {
        /// The request, as in the trace.
        hop: Hop,
        /// Milliseconds since the flow began.
        at_ms: u64,
    },
    /// The flow takes longer than `slow_after_ms`, and goes on: time to offer the user another channel beside it. Comes once at most.
    Slow {
        /// Milliseconds since the flow began.
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

/// Hears the progress of a flow.
#[uniffi::export(foreign)]
pub trait ProgressListener: Send + Sync {
    /// Called for each event, in order, on a thread that may block. The result waits until all events before it are delivered, but
    /// at most 500 ms: a slow listener gets the rest later. An error from here is logged and otherwise ignored.
    fn on_progress(&self, progress: Progress) -> Result<(), ListenerError>;
}

/// The listener failed.
#[derive(Debug, Clone, thiserror::Error, uniffi::Error)]
pub enum ListenerError {
    /// The listener threw something.
    #[error("the progress listener failed")]
    Failed,
}

impl From<uniffi::UnexpectedUniFFICallbackError> for ListenerError {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed
    }
}
