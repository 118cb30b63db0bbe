//! State that replicas share: values that expire, and counters.
//!
//! It contains no personal data in plain text: keys are hashes, values are encrypted. If the store
//! is unavailable, calls fail.

mod memory;
mod redis;

use axum::http::StatusCode;
use serde_json::json;

use self::memory::Memory;
use self::redis::Redis;
use crate::log;
use crate::problem::Problem;

/// Prefix of the names of stored responses.
pub const RESPONSES: &str = "answer:";

/// The store that the settings select.
pub enum Store {
    Memory(Memory),
    Redis(Redis),
}

/// The store cannot be reached or is full.
#[derive(Debug)]
pub struct Unavailable(&'static str);

impl Store {
    /// For one process.
    pub fn memory() -> Self {
        Self::Memory(Memory::default())
    }

    /// In Redis, for any number of replicas. `None` if the URL is not a Redis URL.
    pub fn redis(url: &str) -> Option<Self> {
        Redis::new(url).ok().map(Self::Redis)
    }

    /// Sets a unique value if there is none, else returns the existing one. Atomic across replicas.
    pub async fn claim(&self, name: &str, value: &str, seconds: u64) -> Result<Option<String>, Problem> {
        to_problem(match self {
            Self::Memory(memory) => memory.claim(name, value, seconds),
            Self::Redis(redis) => redis.claim(name, value, seconds).await,
        })
    }

    /// Returns the value, if there is one.
    pub async fn get(&self, name: &str) -> Result<Option<String>, Problem> {
        to_problem(match self {
            Self::Memory(memory) => Ok(memory.get(name)),
            Self::Redis(redis) => redis.get(name).await,
        })
    }

    /// Sets a value and replaces an existing one.
    pub async fn put(&self, name: &str, value: &str, seconds: u64) -> Result<(), Problem> {
        to_problem(match self {
            Self::Memory(memory) => {
                memory.put(name, value, seconds);
                Ok(())
            }
            Self::Redis(redis) => redis.put(name, value, seconds).await,
        })
    }

    /// Removes a value.
    pub async fn remove(&self, name: &str) -> Result<(), Problem> {
        to_problem(match self {
            Self::Memory(memory) => {
                memory.remove(name);
                Ok(())
            }
            Self::Redis(redis) => redis.remove(name).await,
        })
    }

    /// Increments a counter whose window starts with its first call. Returns the count and the
    /// remaining seconds.
    pub async fn count(&self, name: &str, seconds: u64) -> Result<(u64, u64), Problem> {
        to_problem(match self {
            Self::Memory(memory) => memory.count(name, seconds),
            Self::Redis(redis) => redis.count(name, seconds).await,
        })
    }

    /// Whether the store is available.
    pub async fn check(&self) -> Result<(), Problem> {
        to_problem(match self {
            Self::Memory(_) => Ok(()),
            Self::Redis(redis) => redis.check().await,
        })
    }
}

/// Logs the failure.
fn to_problem<T>(result: Result<T, Unavailable>) -> Result<T, Problem> {
    result.map_err(|Unavailable(kind)| {
        log::warning("store_failed", json!({ "kind": kind }));
        let problem = Problem::later(StatusCode::SERVICE_UNAVAILABLE, "the store of this backend is unavailable");
        Problem { retry_after_s: Some(1), ..problem }
    })
}
