//! What the replicas of this backend have to know of each other: values that end by themselves, and counters.
//!
//! Nothing in it is personal in clear: names are hashes, values are sealed. Where the store cannot be asked, nothing is let through.

mod memory;
mod redis;

use axum::http::StatusCode;
use serde_json::json;

use self::memory::Memory;
use self::redis::Redis;
use crate::log;
use crate::problem::Problem;

/// How the names of kept answers begin.
pub const ANSWERS: &str = "answer:";

/// The one that the settings ask for.
pub enum Store {
    Memory(Memory),
    Redis(Redis),
}

/// The store cannot be asked, or is full.
#[derive(Debug)]
pub struct Unavailable(&'static str);

impl Store {
    /// Of this process alone.
    pub fn memory() -> Self {
        Self::Memory(Memory::default())
    }

    /// In Redis, for any number of replicas; none if the URL is not one of Redis.
    pub fn redis(url: &str) -> Option<Self> {
        Redis::new(url).ok().map(Self::Redis)
    }

    /// Puts a value, unlike any other, where there is none; else tells the one that is there. One step for all replicas.
    pub async fn claim(&self, name: &str, value: &str, seconds: u64) -> Result<Option<String>, Problem> {
        told(match self {
            Self::Memory(memory) => memory.claim(name, value, seconds),
            Self::Redis(redis) => redis.claim(name, value, seconds).await,
        })
    }

    /// Tells what is there.
    pub async fn look(&self, name: &str) -> Result<Option<String>, Problem> {
        told(match self {
            Self::Memory(memory) => Ok(memory.look(name)),
            Self::Redis(redis) => redis.look(name).await,
        })
    }

    /// Puts a value, whatever was there.
    pub async fn put(&self, name: &str, value: &str, seconds: u64) -> Result<(), Problem> {
        told(match self {
            Self::Memory(memory) => {
                memory.put(name, value, seconds);
                Ok(())
            }
            Self::Redis(redis) => redis.put(name, value, seconds).await,
        })
    }

    /// Takes a value away.
    pub async fn remove(&self, name: &str) -> Result<(), Problem> {
        told(match self {
            Self::Memory(memory) => {
                memory.remove(name);
                Ok(())
            }
            Self::Redis(redis) => redis.remove(name).await,
        })
    }

    /// Counts up, in a window that began with its first count: how many, and in how many seconds the window ends.
    pub async fn count(&self, name: &str, seconds: u64) -> Result<(u64, u64), Problem> {
        told(match self {
            Self::Memory(memory) => memory.count(name, seconds),
            Self::Redis(redis) => redis.count(name, seconds).await,
        })
    }

    /// Whether it answers.
    pub async fn check(&self) -> Result<(), Problem> {
        told(match self {
            Self::Memory(_) => Ok(()),
            Self::Redis(redis) => redis.check().await,
        })
    }
}

fn told<T>(outcome: Result<T, Unavailable>) -> Result<T, Problem> {
    outcome.map_err(|Unavailable(kind)| {
        log::warning("store_failed", json!({ "kind": kind }));
        let problem = Problem::later(StatusCode::SERVICE_UNAVAILABLE, "this backend's store does not answer");
        Problem { retry_after_s: Some(1), ..problem }
    })
}
