//! Progress on its way to the app: in order, on a thread of its own kind, so that a listener that blocks delays only itself.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::timeout;

use crate::limits;
use crate::logging::Event;
use crate::progress::{Progress, ProgressListener};
use crate::threads::{Threads, Work};

/// Ends a delivery when it is dropped, after what was sent before.
pub type Events = UnboundedSender<Progress>;

/// The events of one flow for its listener, and the future that delivers them.
pub fn begin(listener: Arc<dyn ProgressListener>, threads: Threads) -> (Events, impl Future<Output = ()> + Send) {
    let (events, received) = mpsc::unbounded_channel();
    (events, deliver(received, Queue(Arc::default()), listener, threads))
}

/// Ends when all events are with a thread that delivers them, which need not have returned.
async fn deliver(
    mut received: UnboundedReceiver<Progress>,
    queue: Queue,
    listener: Arc<dyn ProgressListener>,
    threads: Threads,
) {
    let call = |turn: Turn| {
        let listener = listener.clone();
        threads.run(Work::Progress, move || turn.deliver_to(&*listener))
    };
    while let Some(event) = received.recv().await {
        queue.lock().events.push_back(event);
        if let Some(turn) = queue.turn() {
            let _ = timeout(limits::LISTENER_THREAD, call(turn)).await;
        }
    }
    if let Some(turn) = queue.turn() {
        let _ = call(turn).await;
    }
}

#[derive(Clone)]
struct Queue(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    events: VecDeque<Progress>,
    is_taken: bool,
}

/// The right to call the listener. There is one for each queue, so that events stay in order.
struct Turn {
    queue: Queue,
    is_over: bool,
}

impl Queue {
    /// None if it is taken, or if nothing waits.
    fn turn(&self) -> Option<Turn> {
        let mut waiting = self.lock();
        if waiting.is_taken || waiting.events.is_empty() {
            return None;
        }
        waiting.is_taken = true;
        Some(Turn { queue: self.clone(), is_over: false })
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    fn deliver_to(mut self, listener: &dyn ProgressListener) {
        while let Some(event) = self.next() {
            let called = catch_unwind(AssertUnwindSafe(|| listener.on_progress(event)));
            if !matches!(called, Ok(Ok(()))) {
                Event::ListenerFailed.log();
            }
        }
    }

    /// The turn is over with the last event, so that none can come between the two.
    fn next(&mut self) -> Option<Progress> {
        let mut waiting = self.queue.lock();
        let event = waiting.events.pop_front();
        if event.is_none() {
            waiting.is_taken = false;
            self.is_over = true;
        }
        event
    }
}

/// A turn for which there was no thread in time is given back.
impl Drop for Turn {
    fn drop(&mut self) {
        if !self.is_over {
            self.queue.lock().is_taken = false;
        }
    }
}
