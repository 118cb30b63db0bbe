//! The app's backend: the two calls that it answers, and what its answers mean.
//!
//! Apps with an API client of their own implement [`Backend`]; [`http::HttpBackend`] is the built-in one.

pub mod http;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use ::http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::time::{Instant, timeout};

use crate::cookies::CookieJar;
use crate::error::{BackendCause, Fallback, Step, VerifyError};
use crate::json::JsonObject;
use crate::network::default::DefaultNetwork;
use crate::phone_number::PhoneNumber;
use crate::secret::Redactor;
use crate::transport::Transport;

/// Calls the app's backend. It runs on the default network, not on the cellular one.
#[uniffi::export(foreign)]
#[async_trait::async_trait]
pub trait Backend: Send + Sync {
    /// Asks for the auth URL of this phone number.
    async fn start(&self, request: Arc<StartRequest>) -> Result<Arc<AuthorizationStart>, BackendError>;

    /// Hands over the code and returns the answer: a JSON object with the boolean `verified` (or `devicePhoneNumberVerified`).
    async fn complete(&self, request: Arc<CompletionRequest>) -> Result<String, BackendError>;
}

/// An app's own backend, within the time limit that the built-in one has.
pub(crate) struct Limited {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) limit: Duration,
}

#[async_trait::async_trait]
impl Backend for Limited {
    async fn start(&self, request: Arc<StartRequest>) -> Result<Arc<AuthorizationStart>, BackendError> {
        timeout(self.limit, self.backend.start(request)).await.unwrap_or(Err(BackendError::Timeout))
    }

    async fn complete(&self, request: Arc<CompletionRequest>) -> Result<String, BackendError> {
        timeout(self.limit, self.backend.complete(request)).await.unwrap_or(Err(BackendError::Timeout))
    }
}

/// What `start` is asked.
#[derive(uniffi::Object)]
pub struct StartRequest {
    pub(crate) phone_number: PhoneNumber,
    pub(crate) call: Call,
}

/// What `complete` is asked. The phone number is not part of it: it belongs to the session that `start` made.
#[derive(uniffi::Object)]
pub struct CompletionRequest {
    pub(crate) code: Option<SecretString>,
    pub(crate) state: Option<SecretString>,
    pub(crate) session: Option<SecretString>,
    pub(crate) call: Call,
}

/// What `start` answered.
#[derive(uniffi::Object)]
pub struct AuthorizationStart {
    pub(crate) auth_url: SecretString,
    pub(crate) redirect_uri: Option<String>,
    pub(crate) session: Option<SecretString>,
    pub(crate) state: Option<SecretString>,
}

/// What both calls carry.
pub(crate) struct Call {
    pub(crate) idempotency_key: String,
    pub(crate) correlator: String,
    pub(crate) deadline: Instant,
    pub(crate) cookies: CookieJar,
    pub(crate) redactor: Redactor,
    pub(crate) connections: Arc<Connections>,
}

/// The built-in client's connections, a flow's own: they end with it, and no later flow meets one whose network is gone.
pub(crate) type Connections = OnceLock<Transport<DefaultNetwork>>;

#[uniffi::export]
impl StartRequest {
    /// The phone number, in E.164 form.
    #[must_use]
    pub fn phone_number(&self) -> String {
        self.phone_number.expose_secret().to_owned()
    }

    /// Send it as `Idempotency-Key`: a repeat of this call has the same one.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        self.call.idempotency_key.clone()
    }

    /// Send it as `x-correlator`: all calls of a flow have the same one.
    #[must_use]
    pub fn correlator(&self) -> String {
        self.call.correlator.clone()
    }

    /// Milliseconds until the flow's deadline.
    #[must_use]
    pub fn time_left_ms(&self) -> u64 {
        self.call.time_left_ms()
    }
}

#[uniffi::export]
impl CompletionRequest {
    /// The operator's one-time code; absent where the delivery has none.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        exposed(self.code.as_ref())
    }

    /// The `state` that came with the code.
    #[must_use]
    pub fn state(&self) -> Option<String> {
        exposed(self.state.as_ref())
    }

    /// The session of `start`'s answer.
    #[must_use]
    pub fn session(&self) -> Option<String> {
        exposed(self.session.as_ref())
    }

    /// Send it as `Idempotency-Key`: a repeat of this call has the same one.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        self.call.idempotency_key.clone()
    }

    /// Send it as `x-correlator`: all calls of a flow have the same one.
    #[must_use]
    pub fn correlator(&self) -> String {
        self.call.correlator.clone()
    }

    /// Milliseconds until the flow's deadline.
    #[must_use]
    pub fn time_left_ms(&self) -> u64 {
        self.call.time_left_ms()
    }
}

#[uniffi::export]
impl AuthorizationStart {
    /// The backend's answer. `redirect_uri` and `state` are needed only where the auth URL does not show them, as with
    /// signed request objects (RFC 9101).
    #[uniffi::constructor]
    #[must_use]
    pub fn new(
        auth_url: String,
        redirect_uri: Option<String>,
        session: Option<String>,
        state: Option<String>,
    ) -> Arc<Self> {
        Arc::new(Self {
            auth_url: auth_url.into(),
            redirect_uri,
            session: session.map(SecretString::from),
            state: state.map(SecretString::from),
        })
    }
}

impl Call {
    fn time_left_ms(&self) -> u64 {
        let left = self.deadline.saturating_duration_since(Instant::now()).as_millis();
        u64::try_from(left).unwrap_or(u64::MAX)
    }
}

/// A call to the backend failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum BackendError {
    /// No connection, or it broke.
    #[error("unreachable")]
    Unreachable,
    /// TLS failed.
    #[error("tls")]
    Tls,
    /// No answer in time.
    #[error("timeout")]
    Timeout,
    /// The HTTP status says no.
    #[error("status {status}")]
    Status {
        /// The status.
        status: u16,
        /// What the backend's problem document (RFC 9457) advises in its member `fallback`, if it does.
        advice: Option<Fallback>,
        /// Seconds of its `Retry-After`, if it had one.
        retry_after_s: Option<u32>,
    },
    /// The answer does not follow the contract.
    #[error("malformed answer")]
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

impl BackendError {
    pub(crate) fn at(self, step: Step) -> VerifyError {
        let (reason, status, retry_after_s, advice) = match self {
            Self::Unreachable => (BackendCause::Unreachable, None, None, Fallback::RetryLater),
            Self::Tls => (BackendCause::Tls, None, None, Fallback::FixIntegration),
            Self::Timeout => (BackendCause::Timeout, None, None, Fallback::RetryLater),
            Self::Status { status, advice, retry_after_s } => {
                (BackendCause::Status, Some(status), retry_after_s, advice.unwrap_or_else(|| usual_advice(status)))
            }
            Self::MalformedAnswer { status } => (BackendCause::MalformedAnswer, status, None, Fallback::FixIntegration),
            Self::Failed => (BackendCause::AppFailed, None, None, Fallback::FixIntegration),
        };
        VerifyError::Backend { step, reason, status, retry_after_s, advice }
    }

    /// The error that a status of 400 or more, with this body, means.
    pub(crate) fn status(status: u16, body: &[u8], retry_after_s: Option<u32>) -> Self {
        let advice = JsonObject::parse(body)
            .and_then(|problem| problem.get("fallback").ok().flatten().cloned())
            .and_then(|name| serde_json::from_value(name).ok());
        Self::Status { status, advice, retry_after_s }
    }
}

fn usual_advice(status: u16) -> Fallback {
    match status {
        403 | 409 | 410 | 422 => Fallback::UseAnotherChannel,
        429 | 500..=599 => Fallback::RetryLater,
        _ => Fallback::FixIntegration,
    }
}

/// RFC 9110, section 10.2.3: seconds or a date.
pub(crate) fn retry_after(value: &HeaderValue) -> Option<Duration> {
    let value = value.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// The same in whole seconds, for the caller.
pub(crate) fn retry_after_s(value: &HeaderValue) -> Option<u32> {
    u32::try_from(retry_after(value)?.as_secs()).ok()
}

/// The verdict in a backend's answer, if it has one. Only one boolean is a verdict, however often and by whichever name it is said.
pub(crate) fn verdict(body: &[u8], name: &str) -> Result<Option<bool>, NoVerdict> {
    let Some(answer) = JsonObject::parse(body) else { return Ok(None) };
    let mut verdict = None;
    for name in [name, "devicePhoneNumberVerified"] {
        match (answer.get(name).map_err(|_| NoVerdict)?, verdict) {
            (None, _) => {}
            (Some(Value::Bool(said)), None) => verdict = Some(*said),
            (Some(Value::Bool(said)), Some(before)) if *said == before => {}
            (Some(_), _) => return Err(NoVerdict),
        }
    }
    Ok(verdict)
}

/// Something stands where the verdict should, and it is not one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoVerdict;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        for (body, expected) in [
            (r#"{"verified":true}"#, Ok(Some(true))),
            (r#"{"verified":false,"more":1}"#, Ok(Some(false))),
            (r#"{"devicePhoneNumberVerified":true}"#, Ok(Some(true))),
            (r#"{"verified":true,"devicePhoneNumberVerified":true}"#, Ok(Some(true))),
            (r#"{"verified":true,"verified":true}"#, Ok(Some(true))),
            (r#"{"verified":true,"verified":false}"#, Err(NoVerdict)),
            (r#"{"verified":true,"devicePhoneNumberVerified":false}"#, Err(NoVerdict)),
            (r#"{"verified":"true"}"#, Err(NoVerdict)),
            (r#"{"verified":1}"#, Err(NoVerdict)),
            (r#"{"verified":null}"#, Err(NoVerdict)),
            (r"{}", Ok(None)),
            (r"[true]", Ok(None)),
            ("true", Ok(None)),
            ("", Ok(None)),
        ] {
            assert_eq!(verdict(body.as_bytes(), "verified"), expected, "{body}");
        }
    }

    #[test]
    fn advice_for_a_status() {
        let fallback =
            |status, body: &str| BackendError::status(status, body.as_bytes(), None).at(Step::Start).fallback();
        for status in [400, 401, 404, 405, 415] {
            assert_eq!(fallback(status, ""), Fallback::FixIntegration, "{status}");
        }
        for status in [403, 409, 410, 422] {
            assert_eq!(fallback(status, ""), Fallback::UseAnotherChannel, "{status}");
        }
        for status in [429, 500, 503, 599] {
            assert_eq!(fallback(status, ""), Fallback::RetryLater, "{status}");
        }
        assert_eq!(fallback(500, r#"{"fallback":"use_another_channel"}"#), Fallback::UseAnotherChannel);
        assert_eq!(fallback(500, r#"{"fallback":"dance"}"#), Fallback::RetryLater);
        assert_eq!(fallback(403, r#"{"fallback":1}"#), Fallback::UseAnotherChannel);
    }
}
