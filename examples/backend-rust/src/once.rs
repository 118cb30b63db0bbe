//! The same request with the same Idempotency-Key gets the same answer: later, on another replica, and while the first is still running.
//!
//! A request runs to its end, whether or not its client waits: the next one with its key gets the answer. What is kept is sealed. A
//! refusal that passes by itself (429, 503) is not kept: its client comes again with the same key.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::problem::{Answer, Problem};
use crate::session::{Keys, digest};
use crate::store::{ANSWERS, Store};

const LEASE_SLACK: Duration = Duration::from_secs(5);
pub const PAUSE: Duration = Duration::from_millis(50);

/// What makes the answer.
pub type Run = Pin<Box<dyn Future<Output = Result<Answer, Problem>> + Send>>;

#[derive(Serialize, Deserialize)]
struct Kept {
    request: String,
    answer: Option<Answer>,
}

pub struct Once {
    store: Arc<Store>,
    keys: Keys,
    lifetime_s: u64,
    longest_run: Duration,
}

impl Once {
    pub fn new(store: Arc<Store>, keys: Keys, lifetime_s: u64, longest_run: Duration) -> Self {
        Self { store, keys, lifetime_s, longest_run }
    }

    /// `identity` is all that makes two requests the same.
    pub async fn answer(self: &Arc<Self>, key: Option<&str>, identity: &str, run: Run) -> Result<Answer, Problem> {
        let Some(key) = key else { return to_its_end(run).await };
        let (name, request) = (format!("{ANSWERS}{}", digest(key)), digest(identity));
        let claim = self.seal(&request, None)?;
        let lease_s = (self.longest_run + LEASE_SLACK).as_secs();
        if let Some(there) = self.store.claim(&name, &claim, lease_s).await? {
            return self.answer_of_the_first(&name, there, &request).await;
        }
        let this = self.clone();
        to_its_end(Box::pin(async move {
            let answer = to_its_end(run).await.unwrap_or_else(Answer::from);
            let sealed = this.seal(&request, Some(answer.clone()))?;
            // The answer is right, whether or not it could be kept; the store has logged why not.
            let _ = if answer.is_passing() {
                this.store.remove(&name).await
            } else {
                this.store.put(&name, &sealed, this.lifetime_s).await
            };
            Ok(answer)
        }))
        .await
    }

    /// Waits for it. The first's replica may be gone; then its claim ends by itself.
    async fn answer_of_the_first(&self, name: &str, there: String, request: &str) -> Result<Answer, Problem> {
        let until = Instant::now() + self.longest_run;
        let mut there = there;
        loop {
            let first = self.keys.open::<Kept>("answer", &there).filter(|first| first.request == request);
            let Some(first) = first else {
                let title = "the Idempotency-Key was used for another request";
                return Err(Problem::fix(StatusCode::UNPROCESSABLE_ENTITY, title));
            };
            if let Some(answer) = first.answer {
                return Ok(answer);
            }
            let is_running = Problem::later(StatusCode::CONFLICT, "the same request is still running");
            if Instant::now() > until {
                return Err(is_running);
            }
            tokio::time::sleep(PAUSE).await;
            there = self.store.look(name).await?.ok_or(is_running)?;
        }
    }

    fn seal(&self, request: &str, answer: Option<Answer>) -> Result<String, Problem> {
        let kept = Kept { request: request.to_owned(), answer };
        self.keys.seal("answer", &kept).map_err(|_| failed())
    }
}

/// Also if the client hangs up meanwhile.
pub async fn to_its_end(run: Run) -> Result<Answer, Problem> {
    tokio::spawn(run).await.unwrap_or_else(|_| Err(failed()))
}

/// Nobody's fault but ours.
pub fn failed() -> Problem {
    Problem::later(StatusCode::INTERNAL_SERVER_ERROR, "this backend failed")
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

    /// Two, with one store.
    fn replicas(longest_run: Duration) -> Replicas {
        let keys = Keys::parse(&fernet::Fernet::generate_key()).unwrap();
        let store = Arc::new(Store::memory());
        let replica = || Arc::new(Once::new(store.clone(), keys.clone(), 300, longest_run));
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
    async fn the_same_request_runs_once() {
        let replicas = replicas(Duration::from_secs(6));
        let answers = tokio::join!(
            replicas.one.answer(Some("key"), "request", replicas.run(StatusCode::FORBIDDEN)),
            replicas.other.answer(Some("key"), "request", replicas.run(StatusCode::FORBIDDEN)),
        );
        let later = replicas.other.answer(Some("key"), "request", replicas.run(StatusCode::FORBIDDEN)).await;
        assert_eq!(answers.0, answers.1);
        assert_eq!(answers.0, later);
        assert_eq!(replicas.runs.load(Ordering::Relaxed), 1);
        let another = replicas.other.answer(Some("key"), "another", replicas.run(StatusCode::FORBIDDEN)).await;
        assert_eq!(another.unwrap_err().status, StatusCode::UNPROCESSABLE_ENTITY);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_told_to_come_again() {
        let replicas = replicas(Duration::from_millis(500));
        let (_, second) = tokio::join!(
            replicas.one.answer(Some("key"), "request", replicas.run(StatusCode::FORBIDDEN)),
            replicas.other.answer(Some("key"), "request", replicas.run(StatusCode::FORBIDDEN)),
        );
        assert_eq!(second.unwrap_err().status, StatusCode::CONFLICT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_that_passes_is_not_kept() {
        let replicas = replicas(Duration::from_secs(6));
        for _ in 0..2 {
            let answer = replicas.one.answer(Some("key"), "request", replicas.run(StatusCode::TOO_MANY_REQUESTS)).await;
            assert!(answer.unwrap().is_passing());
        }
        assert_eq!(replicas.runs.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_hangs_up_finds_the_answer_later() {
        let replicas = replicas(Duration::from_secs(6));
        let first = replicas.one.answer(Some("key"), "request", replicas.run(StatusCode::FORBIDDEN));
        assert!(tokio::time::timeout(Duration::from_millis(100), first).await.is_err());
        replicas.one.answer(Some("key"), "request", replicas.run(StatusCode::FORBIDDEN)).await.unwrap();
        assert_eq!(replicas.runs.load(Ordering::Relaxed), 1);
    }
}
