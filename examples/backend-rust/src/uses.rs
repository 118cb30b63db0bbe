//! A session is used once: by `complete` with a code, by the callback or by `abort`.
//!
//! The result of the callback is stored with the use, encrypted. If the response to the callback is
//! lost, `complete` without a code returns that result, on every replica.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::once::{POLL_INTERVAL, Run, internal_error, run_to_completion};
use crate::problem::{ApiResponse, Problem};
use crate::session::{Keys, Session, digest};
use crate::store::Store;

#[derive(Serialize, Deserialize)]
enum Use {
    Complete,
    /// No result while the callback still runs.
    Callback(Option<ApiResponse>),
    Abort,
}

pub struct Uses {
    store: Arc<Store>,
    keys: Keys,
    /// The longest time for which a replica accepts a session.
    max_lifetime_s: u64,
    max_run: Duration,
}

impl Uses {
    pub fn new(store: Arc<Store>, keys: Keys, max_lifetime_s: u64, max_run: Duration) -> Self {
        Self { store, keys, max_lifetime_s, max_run }
    }

    pub async fn by_complete(&self, session: &Session) -> Result<(), Problem> {
        self.use_once(session, &Use::Complete).await
    }

    /// Returns whether the session was unused. If not, the earlier use and its result are kept.
    pub async fn by_abort(&self, session: &Session) -> Result<bool, Problem> {
        self.claim(session, &Use::Abort).await
    }

    /// Runs to completion even if the client disconnects.
    pub async fn by_callback(self: &Arc<Self>, session: Session, run: Run) -> Result<ApiResponse, Problem> {
        let this = self.clone();
        run_to_completion(Box::pin(async move {
            this.use_once(&session, &Use::Callback(None)).await?;
            let response = run_to_completion(run).await.unwrap_or_else(ApiResponse::from);
            let result = this.seal(&Use::Callback(Some(response.clone())))?;
            // The response is valid even if it could not be stored; the store logs that failure.
            let _ = this.store.put(&name(&session), &result, this.max_lifetime_s).await;
            Ok(response)
        }))
        .await
    }

    /// The result of the callback. Waits for as long as the callback can take; then its replica has
    /// died.
    pub async fn result(&self, session: &Session) -> Result<ApiResponse, Problem> {
        let deadline = Instant::now() + self.max_run;
        while let Some(stored) = self.store.get(&name(session)).await? {
            match self.keys.open("use", &stored) {
                Some(Use::Callback(Some(response))) => return Ok(response),
                Some(Use::Callback(None)) if Instant::now() <= deadline => tokio::time::sleep(POLL_INTERVAL).await,
                _ => break,
            }
        }
        Err(Problem::refusal(StatusCode::CONFLICT, "the callback has brought no result"))
    }

    async fn use_once(&self, session: &Session, by: &Use) -> Result<(), Problem> {
        let used_before = Problem::refusal(StatusCode::CONFLICT, "the session was used before");
        if self.claim(session, by).await? { Ok(()) } else { Err(used_before) }
    }

    /// Marks the session as used, on all replicas. Returns false if it already was.
    async fn claim(&self, session: &Session, by: &Use) -> Result<bool, Problem> {
        Ok(self.store.claim(&name(session), &self.seal(by)?, self.max_lifetime_s).await?.is_none())
    }

    fn seal(&self, by: &Use) -> Result<String, Problem> {
        self.keys.seal("use", by).map_err(|_| internal_error())
    }
}

fn name(session: &Session) -> String {
    format!("spent:{}", digest(&session.nonce))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::session::Purpose;

    fn session() -> Session {
        Session { purpose: Purpose::Retrieval, nonce: "nonce".to_owned(), verifier: "verifier".to_owned() }
    }

    /// They share a store.
    fn two_replicas() -> [Arc<Uses>; 2] {
        let (store, keys) = (Arc::new(Store::memory()), Keys::parse(&fernet::Fernet::generate_key()).unwrap());
        [(); 2].map(|()| Arc::new(Uses::new(store.clone(), keys.clone(), 360, Duration::from_secs(6))))
    }

    fn verified() -> ApiResponse {
        ApiResponse::ok(&json!({ "verified": true }), None)
    }

    fn after(seconds: u64) -> Run {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Ok(verified())
        })
    }

    #[tokio::test(start_paused = true)]
    async fn result_of_finished_callback_is_returned_repeatedly() {
        let [one, other] = two_replicas();
        assert!(one.result(&session()).await.is_err());
        one.by_callback(session(), after(1)).await.unwrap();
        for replica in [&one, &other, &one] {
            assert_eq!(replica.result(&session()).await, Ok(verified()));
        }
        assert!(other.by_complete(&session()).await.is_err());
        assert!(other.by_callback(session(), after(1)).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn callback_completes_if_the_client_disconnects() {
        let [one, other] = two_replicas();
        let disconnected = tokio::time::timeout(Duration::from_secs(1), one.by_callback(session(), after(5))).await;
        assert!(disconnected.is_err());
        assert_eq!(other.result(&session()).await, Ok(verified()));
    }

    #[tokio::test(start_paused = true)]
    async fn callback_past_its_timeout_has_no_result() {
        let [one, other] = two_replicas();
        let run = one.by_callback(session(), after(3600));
        assert!(tokio::time::timeout(Duration::from_secs(1), run).await.is_err());
        assert_eq!(other.result(&session()).await.unwrap_err().status, StatusCode::CONFLICT);
    }

    #[tokio::test(start_paused = true)]
    async fn aborted_session_is_rejected_and_abort_keeps_an_existing_result() {
        let [one, other] = two_replicas();
        assert_eq!(one.by_abort(&session()).await, Ok(true));
        assert_eq!(other.by_abort(&session()).await, Ok(false));
        assert!(other.by_complete(&session()).await.is_err() && other.result(&session()).await.is_err());
        assert!(other.by_callback(session(), after(1)).await.is_err());
        let [one, other] = two_replicas();
        let (result, aborted) = tokio::join!(one.by_callback(session(), after(1)), async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            other.by_abort(&session()).await
        });
        assert_eq!((result, aborted), (Ok(verified()), Ok(false)));
        assert_eq!(other.result(&session()).await, Ok(verified()));
    }

    #[tokio::test(start_paused = true)]
    async fn session_used_by_complete_has_no_result() {
        let [one, other] = two_replicas();
        one.by_complete(&session()).await.unwrap();
        assert!(other.result(&session()).await.is_err());
        assert!(other.by_callback(session(), after(1)).await.is_err());
    }
}
