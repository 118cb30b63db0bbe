//! Open connections that wait for their next request, per destination.
//!
//! One that the peer closed is found out when it is taken; one that is not taken closes by itself.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::destination::Destination;
use super::http1::Connection;
use crate::limits;

#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<HashMap<Destination, Vec<(Connection, Instant)>>>,
    /// Drains, and the closing of what is idle.
    tasks: Mutex<JoinSet<()>>,
}

impl Pool {
    pub(super) fn take(&self, destination: &Destination) -> Option<Connection> {
        let mut idle = lock(&self.idle);
        let kept = idle.get_mut(destination)?;
        while let Some((mut connection, since)) = kept.pop() {
            if since.elapsed() < limits::IDLE_CONNECTION && connection.is_open() {
                return Some(connection);
            }
        }
        None
    }

    pub(super) fn put(self: &Arc<Self>, destination: Destination, connection: Connection) {
        let was_empty = {
            let mut idle = lock(&self.idle);
            let was_empty = idle.is_empty();
            idle.entry(destination).or_default().push((connection, Instant::now()));
            was_empty
        };
        if was_empty {
            self.spawn(close_idle(Arc::downgrade(self)));
        }
    }

    /// Runs concurrently with the flow; ends with the pool at the latest.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Closes what has been idle for too long, and returns when the next one will have been; nothing once all are closed.
    fn close_expired(&self) -> Option<Instant> {
        let mut idle = lock(&self.idle);
        idle.retain(|_, connections| {
            connections.retain(|(_, since)| since.elapsed() < limits::IDLE_CONNECTION);
            !connections.is_empty()
        });
        idle.values().flatten().map(|(_, since)| *since + limits::IDLE_CONNECTION).min()
    }
}

/// Runs while there are idle connections, or until the pool is gone.
async fn close_idle(pool: Weak<Pool>) {
    while let Some(next) = pool.upgrade().and_then(|pool| pool.close_expired()) {
        sleep_until(next).await;
    }
}

/// Nothing here can panic half-way through a change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
