//! The errors of a verification, with their text and recommended action.
//!
//! The parts of a flow (`authorization`, `transport`, `backend`) have their own small errors
//! without free text; `flow/errors.rs` and `backend/error.rs` map them to these.

mod causes;
mod json;
mod kinds;
mod setting;
mod text;

use std::fmt;

pub(crate) use self::causes::is_temporary;
pub use self::causes::{AuthorizationCause, BackendCause, CellularCause, Fallback};
pub use self::kinds::{OperatorMessage, VerifyError};
pub use self::setting::Setting;
use crate::trace::TraceError;

impl VerifyError {
    pub(crate) fn invalid_config(setting: Setting) -> Self {
        Self::InvalidConfig { setting }
    }

    /// The error as a part of the trace.
    pub(crate) fn in_trace(&self) -> TraceError {
        json::of(self)
    }

    /// The name of the kind in JSON.
    pub(crate) fn kind(&self) -> &'static str {
        json::kind(self)
    }
}

#[uniffi::export(name = "CoreError")]
impl VerifyError {
    /// The recommended action for the app.
    #[must_use]
    pub fn fallback(&self) -> Fallback {
        match self {
            Self::InvalidPhoneNumber | Self::InvalidConfig { .. } => Fallback::FixIntegration,
            Self::CellularUnavailable { reason } => reason.fallback(),
            Self::Backend { advice, .. } | Self::Authorization { advice, .. } => *advice,
            Self::DeniedByOperator { error, .. } => denial_fallback(error.as_deref()),
            Self::StateMismatch { .. } | Self::Internal => Fallback::UseAnotherChannel,
            Self::DeadlineExceeded { .. } | Self::Cancelled => Fallback::RetryLater,
        }
    }

    /// What happened, as an English sentence for developers, without a trailing period. Contains no
    /// code, number, cookie, query or text of a peer. `setting` is the spelling of an invalid
    /// setting in the app's language; defaults to the JSON name.
    #[must_use]
    pub fn message(&self, setting: Option<String>) -> String {
        text::message(self, setting)
    }

    /// The recommended action, as an English phrase for developers, without a trailing period.
    #[must_use]
    pub fn advice(&self) -> String {
        text::advice(self)
    }

    /// The error as a JSON object: `kind step cause hop host message fallback detail`, for logs and
    /// support. Contains no code, number, cookie, query or text of a peer.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::json!(self.in_trace()).to_string()
    }
}

/// RFC 6749, section 4.1.2.1, OpenID Connect Core, section 3.1.2.6, and RFC 9126: who can resolve
/// the denial.
fn denial_fallback(error: Option<&str>) -> Fallback {
    match error {
        Some("server_error" | "temporarily_unavailable") => Fallback::RetryLater,
        Some("unauthorized_client" | "request_not_supported" | "request_uri_not_supported") => Fallback::FixIntegration,
        Some(code) if code.starts_with("invalid_") || code.starts_with("unsupported_") => Fallback::FixIntegration,
        _ => Fallback::UseAnotherChannel,
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}.", self.message(None), self.advice())
    }
}

impl std::error::Error for VerifyError {}
