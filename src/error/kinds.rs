//! The errors, one variant for each condition that an app can act on. None exposes a code, a
//! number, a cookie or a peer's text in `Debug` output or logs.

use std::fmt;
use std::sync::Arc;

use super::causes::{AuthorizationCause, BackendCause, CellularCause, Fallback};
use super::setting::Setting;
use crate::progress::Step;
use crate::secret::{ExposeSecret, SecretString};

/// Why a phone number could not be verified.
///
/// A mismatch is not an error: it is a [`Verification`](crate::Verification) that is not verified.
#[derive(Debug, Clone, uniffi::Error)]
#[uniffi(name = "CoreError")] // Set here because uniffi.toml does not rename what constructors throw (uniffi 0.32).
#[non_exhaustive]
pub enum VerifyError {
    /// The phone number is not in E.164 form: a plus sign, then 5 to 15 digits of which the first
    /// is not zero. Spaces, hyphens, dots and parentheses are allowed between them. Nothing was
    /// sent.
    InvalidPhoneNumber,
    /// A setting is invalid. Nothing was sent.
    InvalidConfig {
        /// The setting.
        setting: Setting,
    },
    /// The cellular network could not be used.
    CellularUnavailable {
        /// Why.
        reason: CellularCause,
    },
    /// A call to the app's backend failed.
    Backend {
        /// The call: `start` or `complete`.
        step: Step,
        /// What failed.
        reason: BackendCause,
        /// The HTTP status, if there was a response.
        status: Option<u16>,
        /// Seconds to wait before another attempt, from the backend's `Retry-After`.
        retry_after_s: Option<u32>,
        /// The recommended action; the backend's advice if it returned any.
        advice: Fallback,
    },
    /// The operator's side failed, on the cellular network.
    Authorization {
        /// The request that failed, counted from 1.
        hop: u32,
        /// The host that it was sent to.
        host: String,
        /// What failed.
        reason: AuthorizationCause,
        /// The HTTP status, if it is the cause.
        status: Option<u16>,
        /// The TLS alert that the server sent (RFC 8446, section 6), if it is the cause.
        alert: Option<String>,
        /// The recommended action.
        advice: Fallback,
    },
    /// The operator denied the request (RFC 6749, section 4.1.2.1, or a CAMARA error).
    DeniedByOperator {
        /// The error code, such as `access_denied`; absent if it was not a valid code.
        error: Option<String>,
        /// The operator's `error_description`, if any.
        description: Option<Arc<OperatorMessage>>,
        /// The request whose response was the denial, counted from 1.
        hop: u32,
        /// The host that it was sent to.
        host: String,
    },
    /// The `state` in the response does not match the request (RFC 6749, section 10.12): it belongs
    /// to another verification.
    StateMismatch {
        /// The request whose response carried the state, counted from 1.
        hop: u32,
        /// The host that it was sent to.
        host: String,
    },
    /// The overall deadline was exceeded.
    DeadlineExceeded {
        /// The step that was running.
        step: Step,
    },
    /// The app cancelled the verification.
    Cancelled,
    /// The library failed: a bug in it or in the app's Rust code (a panic), or the system could not
    /// start a thread. Please report it.
    Internal,
}

/// The operator's text about a denial, at most 200 characters, absent if it contains the phone
/// number or another secret of the verification. For diagnostics only: excluded from `Debug`,
/// `toString()` and logs.
#[derive(uniffi::Object)]
pub struct OperatorMessage(SecretString);

#[uniffi::export]
impl OperatorMessage {
    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.expose_secret().to_owned()
    }
}

impl OperatorMessage {
    pub(crate) fn new(text: SecretString) -> Arc<Self> {
        Arc::new(Self(text))
    }
}

impl fmt::Debug for OperatorMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperatorMessage(…)")
    }
}
