//! Idempotency-Key: a repeated request gets the response of the first one, on every replica, also
//! while the first one still runs.
//!
//! A request runs to completion even if its client disconnects, so that a retry with the same key
//! gets the response. Stored responses are encrypted. Temporary errors (429, 503) are not stored,
//! because clients retry with the same key.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::problem::{ApiResponse, Problem};
use crate::session::{Keys, digest};
use crate::store::{RESPONSES, Store};

/// For the store calls of the request itself.
const CLAIM_SLACK: Duration = Duration::from_secs(5);
pub const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Produces the response.
pub type Run = Pin<Box<dyn Future<Output = Result<ApiResponse, Problem>> + Send>>;

#[derive(Serialize, Deserialize)]
struct Stored {
    request: String,
    #[serde(rename = "answer")]
    response: Option<ApiResponse>,
}

pub struct Once {
    store: Arc<Store>,
    keys: Keys,
    lifetime_s: u64,
    max_run: Duration,
}

impl Once {
    pub fn new(store: Arc<Store>, keys: Keys, lifetime_s: u64, max_run: Duration) -> Self {
        Self { store, keys, lifetime_s, max_run }
    }

    /// Two requests are the same if their `identity` is equal.
    pub async fn respond(
        self: &Arc<Self>,
        key: Option<&str>,
        identity: &str,
        run: Run,
    ) -> Result<ApiResponse, Problem> {
        let Some(key) = key else { return run_to_completion(run).await };
        let (name, request) = (format!("{RESPONSES}{}", digest(key)), digest(identity));
        let claim = self.seal(&request, None)?;
        let claim_s = (self.max_run + CLAIM_SLACK).as_secs();
        if let Some(existing) = self.store.claim(&name, &claim, claim_s).await? {
            return self.wait_for_response(&name, existing, &request).await;
        }
        let this = self.clone();
        run_to_completion(Box::pin(async move {
            let response = run_to_completion(run).await.unwrap_or_else(ApiResponse::from);
            let sealed = this.seal(&request, Some(response.clone()))?;
            // The response is valid even if it could not be stored; the store logs that failure.
            let _ = if response.is_temporary() {
                this.store.remove(&name).await
            } else {
                this.store.put(&name, &sealed, this.lifetime_s).await
            };
            Ok(response)
        }))
        .await
    }

    /// Waits for the response of the first request. If its replica has died, its claim expires.
    async fn wait_for_response(&self, name: &str, existing: String, request: &str) -> Result<ApiResponse, Problem> {
        let deadline = Instant::now() + self.max_run;
        let mut existing = existing;
        loop {
            let stored = self.keys.open::<Stored>("answer", &existing).filter(|stored| stored.request == request);
            let Some(stored) = stored else {
                let title = "the Idempotency-Key was used for another request";
                return Err(Problem::fix(StatusCode::UNPROCESSABLE_ENTITY, title));
            };
            if let Some(response) = stored.response {
                return Ok(response);
            }
            let is_running = Problem::later(StatusCode::CONFLICT, "the same request is still running");
            if Instant::now() > deadline {
                return Err(is_running);
            }
            tokio::time::sleep(POLL_INTERVAL).await;
            existing = self.store.get(name).await?.ok_or(is_running)?;
        }
    }

    fn seal(&self, request: &str, response: Option<ApiResponse>) -> Result<String, Problem> {
        let stored = Stored { request: request.to_owned(), response };
        self.keys.seal("answer", &stored).map_err(|_| internal_error())
    }
}

/// Continues if the client disconnects.
pub async fn run_to_completion(run: Run) -> Result<ApiResponse, Problem> {
    tokio::spawn(run).await.unwrap_or_else(|_| Err(internal_error()))
}

pub fn internal_error() -> Problem {
    Problem::later(StatusCode::INTERNAL_SERVER_ERROR, "internal error of this backend")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    struct Replicas {
        one: Arc<Once>,
        other: Arc<Once>,
        runs: Arc<AtomicUsize>,
    }

    /// Two replicas that share a store.
    fn replicas(max_run: Duration) -> Replicas {
        let keys = Keys::parse(&fernet::Fernet::generate_key()).unwrap();
        let store = Arc::new(Store::memory());
        let replica = || Arc::new(Once::new(store.clone(), keys.clone(), 300, max_run));
        Replicas { one: replica(), other: replica(), runs: Arc::default() }
    }

    impl Replicas {
        fn run(&self, status: StatusCode) -> Run {
            let runs = self.runs.clone();
            Box::pin(async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                runs.fetch_add(1, Ordering::Relaxed);
                Err(Problem::refusal(status, "no"))
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn repeated_request_runs_once() {
        let replicas = replicas(Duration::from_secs(6));
        let responses = tokio::join!(
            replicas.one.respond(Some("key"), "request", replicas.run(StatusCode::FORBIDDEN)),
            replicas.other.respond(Some("key"), "request", replicas.run(StatusCode::FORBIDDEN)),
        );
        let later = replicas.other.respond(Some("key"), "request", replicas.run(StatusCode::FORBIDDEN)).await;
        assert_eq!(responses.0, responses.1);
        assert_eq!(responses.0, later);
        assert_eq!(replicas.runs.load(Ordering::Relaxed), 1);
        let another = replicas.other.respond(Some("key"), "another", replicas.run(StatusCode::FORBIDDEN)).await;
        assert_eq!(another.unwrap_err().status, StatusCode::UNPROCESSABLE_ENTITY);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_past_timeout_returns_409() {
        let replicas = replicas(Duration::from_millis(500));
        let (_, second) = tokio::join!(
            replicas.one.respond(Some("key"), "request", replicas.run(StatusCode::FORBIDDEN)),
            replicas.other.respond(Some("key"), "request", replicas.run(StatusCode::FORBIDDEN)),
        );
        assert_eq!(second.unwrap_err().status, StatusCode::CONFLICT);
    }

    #[tokio::test(start_paused = true)]
    async fn temporary_error_is_not_stored() {
        let replicas = replicas(Duration::from_secs(6));
        for _ in 0..2 {
            let response = replicas.one.respond(Some("key"), "request", replicas.run(StatusCode::TOO_MANY_REQUESTS));
            assert!(response.await.unwrap().is_temporary());
        }
        assert_eq!(replicas.runs.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn response_is_stored_if_the_client_disconnects() {
        let replicas = replicas(Duration::from_secs(6));
        let first = replicas.one.respond(Some("key"), "request", replicas.run(StatusCode::FORBIDDEN));
        assert!(tokio::time::timeout(Duration::from_millis(100), first).await.is_err());
        replicas.one.respond(Some("key"), "request", replicas.run(StatusCode::FORBIDDEN)).await.unwrap();
        assert_eq!(replicas.runs.load(Ordering::Relaxed), 1);
    }
}
