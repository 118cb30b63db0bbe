//! Idle connections per destination, and connections that are being opened ahead of a request.
//!
//! A connection that the peer closed is detected when it is taken; one that is not taken is closed
//! after a time. A request waits for a connection that is being opened to its destination; if that
//! fails, it opens another.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::destination::Destination;
use super::http1::{Connection, History};
use super::meter::Stopwatch;
use crate::limits;

#[derive(Default)]
pub(super) struct Pool {
    connections: Mutex<Connections>,
    /// Notified when an opening ends.
    opened: Notify,
    /// Drains, and the task that closes idle connections.
    tasks: Mutex<JoinSet<()>>,
}

#[derive(Default)]
struct Connections {
    idle: HashMap<Destination, Vec<(Connection, Instant)>>,
    opening: Vec<Destination>,
}

impl Pool {
    /// An idle connection, or one that is being opened, once it is open.
    pub(super) async fn take_or_wait(
        &self,
        destination: &Destination,
        waited: &mut Option<Duration>,
    ) -> Option<Connection> {
        let mut waited = Some(waited);
        let mut _waiting = None;
        loop {
            let mut opened = pin!(self.opened.notified());
            opened.as_mut().enable();
            {
                let mut connections = lock(&self.connections);
                let idle = connections.take(destination);
                if idle.is_some() || !connections.opening.contains(destination) {
                    return idle;
                }
            }
            if let Some(waited) = waited.take() {
                _waiting = Some(Stopwatch::start(waited));
            }
            opened.await;
        }
    }

    pub(super) fn put(self: &Arc<Self>, destination: Destination, mut connection: Connection, history: History) {
        connection.history = history;
        let was_empty = {
            let idle = &mut lock(&self.connections).idle;
            let was_empty = idle.is_empty();
            idle.entry(destination).or_default().push((connection, Instant::now()));
            was_empty
        };
        if was_empty {
            self.spawn(close_idle(Arc::downgrade(self)));
        }
    }

    /// The permission to open a connection ahead; `None` if one is idle or being opened.
    pub(super) fn begin_opening(self: &Arc<Self>, destination: Destination) -> Option<Opening> {
        let mut connections = lock(&self.connections);
        if connections.opening.contains(&destination) || connections.has_idle(&destination) {
            return None;
        }
        connections.opening.push(destination.clone());
        Some(Opening { pool: self.clone(), destination })
    }

    /// Runs concurrently with the flow; ends at the latest with the pool. Boxed: the code that runs
    /// a task is generated once per type.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task.boxed());
    }

    /// Closes connections that have been idle for too long, and returns when the next one expires;
    /// `None` once all are closed.
    fn close_expired(&self) -> Option<Instant> {
        let idle = &mut lock(&self.connections).idle;
        idle.retain(|_, connections| {
            connections.retain(|(_, since)| is_fresh(*since));
            !connections.is_empty()
        });
        idle.values().flatten().map(|(_, since)| *since + limits::IDLE_CONNECTION).min()
    }
}

impl Connections {
    fn take(&mut self, destination: &Destination) -> Option<Connection> {
        let idle = self.idle.get_mut(destination)?;
        while let Some((mut connection, since)) = idle.pop() {
            if is_fresh(since) && connection.is_open() {
                return Some(connection);
            }
        }
        None
    }

    fn has_idle(&mut self, destination: &Destination) -> bool {
        let idle = self.idle.get_mut(destination);
        idle.is_some_and(|idle| idle.iter_mut().any(|(connection, since)| is_fresh(*since) && connection.is_open()))
    }
}

/// A connection that is being opened ahead of a request. Dropping it ends the opening, whatever its
/// outcome.
pub(super) struct Opening {
    pool: Arc<Pool>,
    destination: Destination,
}

impl Opening {
    pub(super) fn destination(&self) -> &Destination {
        &self.destination
    }

    pub(super) fn succeeded(self, connection: Connection) {
        self.pool.put(self.destination.clone(), connection, History::OpenedAhead);
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        lock(&self.pool.connections).opening.retain(|destination| *destination != self.destination);
        self.pool.opened.notify_waiters();
    }
}

fn is_fresh(since: Instant) -> bool {
    since.elapsed() < limits::IDLE_CONNECTION
}

/// Runs while there are idle connections, or until the pool is dropped.
async fn close_idle(pool: Weak<Pool>) {
    while let Some(next) = pool.upgrade().and_then(|pool| pool.close_expired()) {
        sleep_until(next).await;
    }
}

/// A lock cannot be poisoned in an inconsistent state: no change can panic halfway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
