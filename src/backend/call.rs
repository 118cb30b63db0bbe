//! The backend interface that the flow calls: the built-in client, or an app's [`Backend`] behind
//! an adapter that passes only what the app needs.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::timeout;

use super::{AuthorizationStart, Backend, BackendError, CallInfo, CompletionRequest, StartRequest};
use crate::cookies::CookieJar;
use crate::purpose::Purpose;
use crate::secret::Redactor;

/// A backend call of one flow.
#[cfg_attr(not(feature = "http-backend"), allow(dead_code))]
pub struct Call {
    pub(crate) info: CallInfo,
    /// Shared by both legs of the flow.
    pub(crate) cookies: CookieJar,
    pub(crate) redactor: Redactor,
}

/// The body of `complete`.
pub struct Proof {
    /// Absent if the delivery has no code.
    pub code: Option<SecretString>,
    /// The state that came with the code.
    pub state: Option<SecretString>,
    /// From the response of `start`.
    pub session: Option<SecretString>,
}

/// The backend, as the flow calls it.
#[async_trait::async_trait]
pub trait BackendClient: Send + Sync {
    /// Opens a connection for later calls, if possible. Best effort.
    async fn warm_up(&self);

    /// Requests the auth URL.
    async fn start(&self, purpose: Purpose, call: Call) -> Result<Arc<AuthorizationStart>, BackendError>;

    /// Whether `abort` has an effect.
    fn takes_aborts(&self) -> bool;

    /// Ends the session of a flow without a result. Best effort.
    async fn abort(&self, session: Option<SecretString>, reason: &'static str, call: Call);

    /// Sends the proof and returns the response body.
    async fn complete(&self, proof: Proof, call: Call) -> Result<Vec<u8>, BackendError>;
}

/// An app's backend, with the timeout of the built-in one.
pub struct AppBackend {
    /// The app's implementation.
    pub backend: Arc<dyn Backend>,
    /// Per call.
    pub timeout: Duration,
}

#[async_trait::async_trait]
impl BackendClient for AppBackend {
    /// The app's client manages its connections.
    async fn warm_up(&self) {}

    async fn start(&self, purpose: Purpose, call: Call) -> Result<Arc<AuthorizationStart>, BackendError> {
        let request = Arc::new(StartRequest { purpose, call: call.info });
        timeout(self.timeout, self.backend.start(request)).await.unwrap_or(Err(BackendError::Timeout))
    }

    /// The app receives the error and has its own client.
    fn takes_aborts(&self) -> bool {
        false
    }

    async fn abort(&self, _: Option<SecretString>, _: &'static str, _: Call) {}

    async fn complete(&self, proof: Proof, call: Call) -> Result<Vec<u8>, BackendError> {
        let Proof { code, state, session } = proof;
        let request = Arc::new(CompletionRequest { code, state, session, call: call.info });
        let response =
            timeout(self.timeout, self.backend.complete(request)).await.unwrap_or(Err(BackendError::Timeout))?;
        Ok(response.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use serde_json::Map;

    use super::*;
    use crate::options::Extras;

    struct UnusedBackend;

    #[async_trait::async_trait]
    impl Backend for UnusedBackend {
        async fn start(&self, _: Arc<StartRequest>) -> Result<Arc<AuthorizationStart>, BackendError> {
            panic!("start")
        }

        async fn complete(&self, _: Arc<CompletionRequest>) -> Result<String, BackendError> {
            panic!("complete")
        }
    }

    #[tokio::test]
    async fn app_backend_receives_no_abort() {
        let backend = AppBackend { backend: Arc::new(UnusedBackend), timeout: Duration::from_secs(1) };
        assert!(!backend.takes_aborts());
        let extras = Arc::new(Extras { headers: HeaderMap::new(), start_fields: Map::new() });
        let deadline = tokio::time::Instant::now();
        let info = CallInfo { extras, idempotency_key: String::new(), correlator: String::new(), deadline };
        let call = Call { info, cookies: CookieJar::new(), redactor: Redactor::new() };
        backend.abort(Some("session".into()), "cancelled", call).await;
    }
}
