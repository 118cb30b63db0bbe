//! Open connections that wait for their next request, per origin.
//!
//! No task watches them: a connection that the peer closed is found out when it is taken.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use url::{Host, Url};

use super::http1::Connection;

/// Beyond this a server or a middlebox on the way has often forgotten the connection.
const IDLE: Duration = Duration::from_secs(30);

/// Where a connection leads: scheme, host and port (RFC 6454).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    pub(super) https: bool,
    pub(super) host: Host,
    pub(super) port: u16,
}

impl Origin {
    pub(super) fn of(url: &Url) -> Option<Self> {
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        Some(Self { https, host: url.host()?.to_owned(), port: url.port_or_known_default()? })
    }
}

#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<HashMap<Origin, Vec<(Connection, Instant)>>>,
    drains: Mutex<JoinSet<()>>,
}

impl Pool {
    pub(super) fn take(&self, origin: &Origin) -> Option<Connection> {
        let mut idle = lock(&self.idle);
        let kept = idle.get_mut(origin)?;
        while let Some((mut connection, since)) = kept.pop() {
            if since.elapsed() < IDLE && connection.is_open() {
                return Some(connection);
            }
        }
        None
    }

    pub(super) fn put(&self, origin: Origin, connection: Connection) {
        lock(&self.idle).entry(origin).or_default().push((connection, Instant::now()));
    }

    /// Runs beside the flow; ends with the pool at the latest.
    pub(super) fn beside(&self, drain: impl Future<Output = ()> + Send + 'static) {
        let mut drains = lock(&self.drains);
        while drains.try_join_next().is_some() {}
        drains.spawn(drain);
    }
}

/// Nothing here can panic half-way through a change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
