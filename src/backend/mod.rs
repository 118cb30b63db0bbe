//! The app's backend: its two calls, the types that an app's implementation receives and returns,
//! and its errors.

pub mod call;
#[cfg(feature = "http-backend")]
mod connector;
mod error;
#[cfg(feature = "http-backend")]
pub mod http;
#[cfg(feature = "http-backend")]
mod http_error;
pub mod result;
#[cfg(feature = "http-backend")]
pub mod retry;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use crate::error::Fallback;
use crate::hints::{Hint, Hints};
use crate::options::Extras;
use crate::purpose::Purpose;

/// Calls the app's backend, over the default network, not the cellular one.
#[uniffi::export(foreign)]
#[async_trait::async_trait]
pub trait Backend: Send + Sync {
    /// Requests the auth URL for this phone number, or for a retrieval.
    async fn start(&self, request: Arc<StartRequest>) -> Result<Arc<AuthorizationStart>, BackendError>;

    /// Sends the authorization code and returns the response: a JSON object with the boolean
    /// `verified` (or `devicePhoneNumberVerified`), or for a retrieval with the string
    /// `phoneNumber` (or `devicePhoneNumber`).
    async fn complete(&self, request: Arc<CompletionRequest>) -> Result<String, BackendError>;
}

/// The request to `start`.
#[derive(uniffi::Object)]
pub struct StartRequest {
    pub(crate) purpose: Purpose,
    pub(crate) call: CallInfo,
}

/// The request to `complete`. The phone number is not part of it: it belongs to the session that
/// `start` created.
#[derive(uniffi::Object)]
pub struct CompletionRequest {
    pub(crate) code: Option<SecretString>,
    pub(crate) state: Option<SecretString>,
    pub(crate) session: Option<SecretString>,
    pub(crate) call: CallInfo,
}

/// The response of `start`.
#[derive(uniffi::Object)]
pub struct AuthorizationStart {
    pub(crate) auth_url: SecretString,
    pub(crate) redirect_uri: Option<String>,
    pub(crate) session: Option<SecretString>,
    pub(crate) state: Option<SecretString>,
    pub(crate) hints: Hints,
}

/// The identifiers of a call, what the app adds to it, and its deadline.
pub(crate) struct CallInfo {
    pub(crate) extras: Arc<Extras>,
    pub(crate) idempotency_key: String,
    pub(crate) correlator: String,
    pub(crate) deadline: Instant,
}

#[uniffi::export]
impl StartRequest {
    /// The phone number, in E.164 form. Absent for a retrieval: send
    /// `"purpose": "device-phone-number"` instead.
    #[must_use]
    pub fn phone_number(&self) -> Option<String> {
        match &self.purpose {
            Purpose::Verify(number) => Some(number.expose_secret().to_owned()),
            Purpose::Retrieve => None,
        }
    }

    /// The headers in the options of this verification, by name in lower case. The values are
    /// secrets.
    #[must_use]
    pub fn headers(&self) -> HashMap<String, String> {
        self.call.extras.header_texts()
    }

    /// The additional members of the start request in the options of this verification: JSON texts
    /// by name. The values are secrets.
    #[must_use]
    pub fn start_fields(&self) -> HashMap<String, String> {
        self.call.extras.start_field_texts()
    }

    /// Send as `Idempotency-Key`. Retries reuse the same key.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        self.call.idempotency_key.clone()
    }

    /// Send as `x-correlator`. All calls of a verification use the same one.
    #[must_use]
    pub fn correlator(&self) -> String {
        self.call.correlator.clone()
    }

    /// Milliseconds until the overall deadline.
    #[must_use]
    pub fn time_left_ms(&self) -> u64 {
        self.call.time_left_ms()
    }
}

#[uniffi::export]
impl CompletionRequest {
    /// The authorization code; absent if there is none to relay.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        exposed(self.code.as_ref())
    }

    /// The `state` that came with the code.
    #[must_use]
    pub fn state(&self) -> Option<String> {
        exposed(self.state.as_ref())
    }

    /// The session from the response of `start`.
    #[must_use]
    pub fn session(&self) -> Option<String> {
        exposed(self.session.as_ref())
    }

    /// The headers in the options of this verification, by name in lower case. The values are
    /// secrets.
    #[must_use]
    pub fn headers(&self) -> HashMap<String, String> {
        self.call.extras.header_texts()
    }

    /// Send as `Idempotency-Key`. Retries reuse the same key.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        self.call.idempotency_key.clone()
    }

    /// Send as `x-correlator`. All calls of a verification use the same one.
    #[must_use]
    pub fn correlator(&self) -> String {
        self.call.correlator.clone()
    }

    /// Milliseconds until the overall deadline.
    #[must_use]
    pub fn time_left_ms(&self) -> u64 {
        self.call.time_left_ms()
    }
}

#[uniffi::export]
impl AuthorizationStart {
    /// Creates the backend's response. `redirect_uri` and `state` are needed only if they are not
    /// in the auth URL, as with signed request objects (RFC 9101). Invalid hints and those after
    /// the sixteenth are ignored.
    #[uniffi::constructor(default(redirect_uri = None, session = None, state = None, hints = []))]
    #[must_use]
    pub fn new(
        auth_url: String,
        redirect_uri: Option<String>,
        session: Option<String>,
        state: Option<String>,
        hints: Vec<Hint>,
    ) -> Arc<Self> {
        Arc::new(Self {
            auth_url: auth_url.into(),
            redirect_uri,
            session: session.map(SecretString::from),
            state: state.map(SecretString::from),
            hints: Hints::of(&hints),
        })
    }
}

impl CallInfo {
    fn time_left_ms(&self) -> u64 {
        let left = self.deadline.saturating_duration_since(Instant::now()).as_millis();
        u64::try_from(left).unwrap_or(u64::MAX)
    }
}

/// A call to the backend failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum BackendError {
    /// The connection failed or was interrupted.
    #[error("unreachable")]
    Unreachable,
    /// TLS failed.
    #[error("tls")]
    Tls,
    /// No response in time.
    #[error("timeout")]
    Timeout,
    /// The backend returned an HTTP error status.
    #[error("status {status}")]
    Status {
        /// The status.
        status: u16,
        /// The member `fallback` of the backend's problem document (RFC 9457), if present.
        advice: Option<Fallback>,
        /// Seconds from its `Retry-After`, if present.
        retry_after_s: Option<u32>,
    },
    /// The response does not follow the contract.
    #[error("malformed response")]
    MalformedAnswer {
        /// Its status.
        status: Option<u16>,
    },
    /// The app's implementation failed with an unexpected exception.
    #[error("failed")]
    Failed,
}

impl From<uniffi::UnexpectedUniFFICallbackError> for BackendError {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed
    }
}

fn exposed(secret: Option<&SecretString>) -> Option<String> {
    secret.map(|secret| secret.expose_secret().to_owned())
}

impl fmt::Debug for StartRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StartRequest(…)")
    }
}

impl fmt::Debug for CompletionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CompletionRequest(…)")
    }
}

impl fmt::Debug for AuthorizationStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthorizationStart(…)")
    }
}
