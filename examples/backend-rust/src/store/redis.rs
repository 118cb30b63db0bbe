//! The store of all replicas. One connection, which is made again when it breaks.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, FromRedisValue, Pipeline, RedisError, RedisResult, cmd, pipe};
use tokio::sync::OnceCell;

use super::Unavailable;

const TIMEOUT: Duration = Duration::from_secs(2);
const PREFIX: &str = "number-verify:";

pub struct Redis {
    client: Client,
    connection: OnceCell<ConnectionManager>,
}

impl Redis {
    pub fn new(url: &str) -> RedisResult<Self> {
        Ok(Self { client: Client::open(url)?, connection: OnceCell::new() })
    }

    pub async fn claim(&self, name: &str, value: &str, seconds: u64) -> Result<Option<String>, Unavailable> {
        let name = format!("{PREFIX}{name}");
        let mut all = pipe(); // Redis 6 has no `SET … NX GET`.
        all.atomic().cmd("SET").arg(&name).arg(value).arg("NX").arg("EX").arg(seconds).ignore().cmd("GET").arg(&name);
        let (there,): (String,) = self.ask(&Question::Atomic(all)).await?;
        Ok(Some(there).filter(|there| there != value)) // Our own, also if the response to the first try was lost.
    }

    pub async fn look(&self, name: &str) -> Result<Option<String>, Unavailable> {
        let mut get = cmd("GET");
        get.arg(format!("{PREFIX}{name}"));
        self.ask(&Question::One(get)).await
    }

    pub async fn put(&self, name: &str, value: &str, seconds: u64) -> Result<(), Unavailable> {
        let mut set = cmd("SET");
        set.arg(format!("{PREFIX}{name}")).arg(value).arg("EX").arg(seconds);
        self.ask(&Question::One(set)).await
    }

    pub async fn remove(&self, name: &str) -> Result<(), Unavailable> {
        let mut delete = cmd("DEL");
        delete.arg(format!("{PREFIX}{name}"));
        self.ask(&Question::One(delete)).await
    }

    pub async fn count(&self, name: &str, seconds: u64) -> Result<(u64, u64), Unavailable> {
        let name = format!("{PREFIX}{name}");
        let mut all = pipe();
        all.atomic().cmd("SET").arg(&name).arg(0).arg("NX").arg("EX").arg(seconds).ignore().incr(&name, 1).ttl(&name);
        let (count, left): (u64, i64) = self.ask(&Question::Atomic(all)).await?;
        Ok((count, u64::try_from(left).unwrap_or_default().max(1)))
    }

    pub async fn check(&self) -> Result<(), Unavailable> {
        self.ask(&Question::One(cmd("PING"))).await
    }

    /// Asks again once where the connection had gone: then it is a new one.
    async fn ask<T: FromRedisValue>(&self, question: &Question) -> Result<T, Unavailable> {
        let ask = || async {
            let mut connection = self.connection.get_or_try_init(|| self.connect()).await?.clone();
            match question {
                Question::One(command) => command.query_async(&mut connection).await,
                Question::Atomic(commands) => commands.query_async(&mut connection).await,
            }
        };
        match ask().await {
            Err(error) if error.is_connection_dropped() => ask().await.map_err(|error| unavailable(&error)),
            outcome => outcome.map_err(|error| unavailable(&error)),
        }
    }

    async fn connect(&self) -> RedisResult<ConnectionManager> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT))
            .set_number_of_retries(1);
        ConnectionManager::new_with_config(self.client.clone(), config).await
    }
}

enum Question {
    One(Cmd),
    Atomic(Pipeline),
}

/// Of the error only the kind: its text may quote names and values.
fn unavailable(error: &RedisError) -> Unavailable {
    Unavailable(if error.is_timeout() {
        "timeout"
    } else if error.is_io_error() || error.is_connection_dropped() {
        "unreachable"
    } else {
        "refused"
    })
}
