//! The calls of phones, to any replica at random. A call that was interrupted, or that this backend
//! could not serve, is repeated with the same Idempotency-Key. A response that is not allowed
//! without an outage is an error here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, RETRY_AFTER};
use hyper::http::request::Builder;
use hyper::{Request, Response};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::outages::{Met, Outages};
use crate::http::Connection;

/// No call takes longer.
const LONGEST: Duration = Duration::from_secs(30);
/// Shorter than the idle timeout of any replica.
const LONGEST_IDLE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(100);
pub const LATER: &str = "retry_later";
pub const ANOTHER: &str = "use_another_channel";
const FALLBACKS: [&str; 4] = [LATER, ANOTHER, "ask_to_enable_mobile_data", "fix_integration"];

/// A violated invariant.
pub type Violation = String;

pub struct Phones {
    replicas: Vec<Pool>,
    pub outages: Arc<Outages>,
    pub tally: Tally,
    /// How long a call is retried.
    patience: Duration,
}

/// Counts events by description.
#[derive(Default)]
pub struct Tally(Mutex<BTreeMap<&'static str, u64>>);

impl Tally {
    pub fn add(&self, what: &'static str) {
        *lock(&self.0).entry(what).or_default() += 1;
    }

    pub fn all(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.0).clone()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub fallback: Option<String>,
    pub body: Bytes,
}

impl Reply {
    /// An error must be a problem document of the contract.
    fn of(response: &Response<Bytes>) -> Result<Self, Violation> {
        let (status, body) = (response.status().as_u16(), response.body().clone());
        let malformed = || format!("{response:?}");
        if response.status().is_success() {
            return Ok(Self { status, fallback: None, body });
        }
        let problem: Value = serde_json::from_slice(&body).map_err(|_| malformed())?;
        let fallback = problem["fallback"].as_str().filter(|fallback| FALLBACKS.contains(fallback));
        let has_type = response.headers().get(CONTENT_TYPE).is_some_and(|it| it == "application/problem+json");
        if !has_type || problem["status"] != status || fallback.is_none() {
            return Err(malformed());
        }
        Ok(Self { status, fallback: fallback.map(str::to_owned), body })
    }

    pub fn is(&self, status: u16, fallback: &str) -> bool {
        self.status == status && self.fallback.as_deref() == Some(fallback)
    }
}

impl Phones {
    pub fn new(ports: impl Iterator<Item = u16>, outages: Arc<Outages>, patience: Duration) -> Self {
        let replicas = ports.map(|port| Pool { port, idle: Mutex::default() }).collect();
        Self { replicas, outages, tally: Tally::default(), patience }
    }

    pub fn hang_up(&self) {
        for pool in &self.replicas {
            lock(&pool.idle).clear();
        }
    }

    /// A POST with a new Idempotency-Key.
    pub fn call(&self, path: &'static str, body: &Value) -> Call<'_> {
        let key = format!("{:032x}", fastrand::u128(..));
        Call { phones: self, path, key, body: body.to_string(), met: Mutex::default() }
    }

    /// One request, and the outages that it met. No reply if the connection broke.
    pub async fn attempt(&self, request: Builder, body: String) -> Result<(Option<Reply>, Met), Violation> {
        let (which, began) = (fastrand::usize(..self.replicas.len()), Instant::now());
        let sent = timeout(LONGEST, self.replicas[which].send(request, body)).await;
        let met = self.outages.met(which, began);
        match sent {
            Err(_) => Err(format!("no response within {LONGEST:?}")),
            Ok(Err(error)) if met.replica.is_none() => Err(format!("a connection broke without a restart: {error:#}")),
            Ok(Err(_)) => {
                self.tally.add("requests interrupted by a restart");
                Ok((None, met))
            }
            Ok(Ok(response)) => {
                let reply = Reply::of(&response)?;
                let wait = response.headers().get(RETRY_AFTER).is_some_and(|seconds| seconds == "1");
                if reply.status == 503 && !(met.redis && wait && reply.fallback.as_deref() == Some(LATER)) {
                    return Err(format!("without an outage of Redis, or without Retry-After: {reply:?}"));
                }
                Ok((Some(reply), met))
            }
        }
    }
}

/// A call, for which several requests may be in progress; all are the same request.
pub struct Call<'a> {
    phones: &'a Phones,
    path: &'static str,
    key: String,
    body: String,
    met: Mutex<Met>,
}

impl Call<'_> {
    /// Retries until there is a final response; `None` if that takes too long although nothing is
    /// unavailable.
    pub async fn send(&self) -> Result<Option<Reply>, Violation> {
        let mut since = Instant::now();
        while since.elapsed() < self.phones.patience {
            let request = Request::post(self.path).header(CONTENT_TYPE, "application/json");
            let request = request.header("Idempotency-Key", &self.key);
            let (reply, now) = self.phones.attempt(request, self.body.clone()).await?;
            let met = self.met().and(now);
            *lock(&self.met) = met;
            if now.replica.is_some() || now.redis {
                since = Instant::now();
            }
            let pause = match reply {
                None => PAUSE,
                Some(reply) if reply.status == 503 => {
                    self.phones.tally.add("responses without Redis (503)");
                    Duration::from_secs(1)
                }
                Some(reply) if reply.is(409, LATER) => {
                    self.phones.tally.add("responses while the first request ran (409)");
                    if !(met.replica.is_some() || met.redis) {
                        return Err(format!("no request was interrupted: {reply:?}"));
                    }
                    PAUSE
                }
                Some(reply) => return Ok(Some(reply)),
            };
            sleep(pause).await;
        }
        Ok(None)
    }

    /// The outages met by any of its requests so far.
    pub fn met(&self) -> Met {
        *lock(&self.met)
    }
}

/// The connections to one replica.
struct Pool {
    port: u16,
    idle: Mutex<Vec<(Connection, Instant)>>,
}

impl Pool {
    async fn send(&self, request: Builder, body: String) -> Result<Response<Bytes>> {
        let mut connection = match self.idle().await {
            Some(connection) => connection,
            None => Connection::open(self.port).await?,
        };
        let response = connection.send(request, body).await?;
        lock(&self.idle).push((connection, Instant::now()));
        Ok(response)
    }

    async fn idle(&self) -> Option<Connection> {
        loop {
            let (mut connection, since) = lock(&self.idle).pop()?;
            if since.elapsed() < LONGEST_IDLE && connection.is_usable().await {
                return Some(connection);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
