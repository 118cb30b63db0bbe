//! The store of several replicas. One connection, which is reopened if it breaks.

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
        let mut batch = pipe(); // Redis 6 has no `SET … NX GET`.
        batch.atomic().cmd("SET").arg(&name).arg(value).arg("NX").arg("EX").arg(seconds).ignore().cmd("GET").arg(&name);
        let (stored,): (String,) = self.query(&Query::Atomic(batch)).await?;
        // An equal value is our own claim: the response to the first attempt was lost.
        Ok(Some(stored).filter(|stored| stored != value))
    }

    pub async fn get(&self, name: &str) -> Result<Option<String>, Unavailable> {
        let mut get = cmd("GET");
        get.arg(format!("{PREFIX}{name}"));
        self.query(&Query::One(get)).await
    }

    pub async fn put(&self, name: &str, value: &str, seconds: u64) -> Result<(), Unavailable> {
        let mut set = cmd("SET");
        set.arg(format!("{PREFIX}{name}")).arg(value).arg("EX").arg(seconds);
        self.query(&Query::One(set)).await
    }

    pub async fn remove(&self, name: &str) -> Result<(), Unavailable> {
        let mut delete = cmd("DEL");
        delete.arg(format!("{PREFIX}{name}"));
        self.query(&Query::One(delete)).await
    }

    pub async fn count(&self, name: &str, seconds: u64) -> Result<(u64, u64), Unavailable> {
        let name = format!("{PREFIX}{name}");
        let mut batch = pipe();
        batch.atomic().cmd("SET").arg(&name).arg(0).arg("NX").arg("EX").arg(seconds).ignore().incr(&name, 1).ttl(&name);
        let (count, left): (u64, i64) = self.query(&Query::Atomic(batch)).await?;
        Ok((count, u64::try_from(left).unwrap_or_default().max(1)))
    }

    pub async fn check(&self) -> Result<(), Unavailable> {
        self.query(&Query::One(cmd("PING"))).await
    }

    /// Retries once on a new connection if the connection was dropped.
    async fn query<T: FromRedisValue>(&self, query: &Query) -> Result<T, Unavailable> {
        let run = || async {
            let mut connection = self.connection.get_or_try_init(|| self.connect()).await?.clone();
            match query {
                Query::One(command) => command.query_async(&mut connection).await,
                Query::Atomic(commands) => commands.query_async(&mut connection).await,
            }
        };
        match run().await {
            Err(error) if error.is_connection_dropped() => run().await.map_err(|error| unavailable(&error)),
            result => result.map_err(|error| unavailable(&error)),
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

enum Query {
    One(Cmd),
    Atomic(Pipeline),
}

/// Keeps only the kind of the error: its text may quote names and values.
fn unavailable(error: &RedisError) -> Unavailable {
    Unavailable(if error.is_timeout() {
        "timeout"
    } else if error.is_io_error() || error.is_connection_dropped() {
        "unreachable"
    } else {
        "refused"
    })
}
