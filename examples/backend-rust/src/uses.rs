//! A session is used once: by `complete` with a code, by the callback or by `abort`. The callback's result is stored with that, so that
//! `complete` without a code returns it, on every replica, if the callback's response was lost. What is stored is sealed.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::once::{PAUSE, Run, failed, to_its_end};
use crate::problem::{Answer, Problem};
use crate::session::{Keys, Session, digest};
use crate::store::Store;

#[derive(Serialize, Deserialize)]
enum Use {
    Complete,
    /// The result is none yet while the callback runs.
    Callback(Option<Answer>),
    Abort,
}

pub struct Uses {
    store: Arc<Store>,
    keys: Keys,
    /// How long a session can be valid on any replica.
    longest_s: u64,
    longest_run: Duration,
}

impl Uses {
    pub fn new(store: Arc<Store>, keys: Keys, longest_s: u64, longest_run: Duration) -> Self {
        Self { store, keys, longest_s, longest_run }
    }

    pub async fn by_complete(&self, session: &Session) -> Result<(), Problem> {
        self.only_use(session, &Use::Complete).await
    }

    /// Returns whether the session was still unused. Otherwise the earlier use stays, and its result.
    pub async fn by_abort(&self, session: &Session) -> Result<bool, Problem> {
        self.claim(session, &Use::Abort).await
    }

    /// Runs to its end, whether or not the client waits.
    pub async fn by_callback(self: &Arc<Self>, session: Session, run: Run) -> Result<Answer, Problem> {
        let this = self.clone();
        to_its_end(Box::pin(async move {
            this.only_use(&session, &Use::Callback(None)).await?;
            let answer = to_its_end(run).await.unwrap_or_else(Answer::from);
            let result = this.seal(&Use::Callback(Some(answer.clone())))?;
            // The answer is right, whether or not it could be stored; the store has logged why not.
            let _ = this.store.put(&name(&session), &result, this.longest_s).await;
            Ok(answer)
        }))
        .await
    }

    /// The callback's. Waits for it as long as the callback can take; after that, its replica must have died.
    pub async fn result(&self, session: &Session) -> Result<Answer, Problem> {
        let until = Instant::now() + self.longest_run;
        while let Some(stored) = self.store.look(&name(session)).await? {
            match self.keys.open("use", &stored) {
                Some(Use::Callback(Some(answer))) => return Ok(answer),
                Some(Use::Callback(None)) if Instant::now() <= until => tokio::time::sleep(PAUSE).await,
                _ => break,
            }
        }
        Err(Problem::refusal(StatusCode::CONFLICT, "the callback has brought no result"))
    }

    async fn only_use(&self, session: &Session, by: &Use) -> Result<(), Problem> {
        let used_before = Problem::refusal(StatusCode::CONFLICT, "the session was used before");
        if self.claim(session, by).await? { Ok(()) } else { Err(used_before) }
    }

    /// The session is used from here on, on all replicas. Returns false if it was used before.
    async fn claim(&self, session: &Session, by: &Use) -> Result<bool, Problem> {
        Ok(self.store.claim(&name(session), &self.seal(by)?, self.longest_s).await?.is_none())
    }

    fn seal(&self, by: &Use) -> Result<String, Problem> {
        self.keys.seal("use", by).map_err(|_| failed())
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

    /// With one store.
    fn two_replicas() -> [Arc<Uses>; 2] {
        let (store, keys) = (Arc::new(Store::memory()), Keys::parse(&fernet::Fernet::generate_key()).unwrap());
        [(); 2].map(|()| Arc::new(Uses::new(store.clone(), keys.clone(), 360, Duration::from_secs(6))))
    }

    fn verified() -> Answer {
        Answer::ok(&json!({ "verified": true }), None)
    }

    fn after(seconds: u64) -> Run {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Ok(verified())
        })
    }

    #[tokio::test(start_paused = true)]
    async fn result_of_finished_callback_is_returned_every_time() {
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
    async fn callback_whose_client_hangs_up_runs_to_its_end_and_is_waited_for() {
        let [one, other] = two_replicas();
        let hung_up = tokio::time::timeout(Duration::from_secs(1), one.by_callback(session(), after(5))).await;
        assert!(hung_up.is_err());
        assert_eq!(other.result(&session()).await, Ok(verified()));
    }

    #[tokio::test(start_paused = true)]
    async fn callback_that_never_ends_has_no_result() {
        let [one, other] = two_replicas();
        let run = one.by_callback(session(), after(3600));
        assert!(tokio::time::timeout(Duration::from_secs(1), run).await.is_err());
        assert_eq!(other.result(&session()).await.unwrap_err().status, StatusCode::CONFLICT);
    }

    #[tokio::test(start_paused = true)]
    async fn aborted_session_is_refused_and_abort_keeps_the_result() {
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
