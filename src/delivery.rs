//! Delivers progress events in order, on a separate kind of thread, so that a listener that blocks
//! delays only itself.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::timeout;

use crate::limits;
use crate::logging::Event;
use crate::progress::{Progress, ProgressListener};
use crate::threads::{Threads, Work};

/// Dropping it ends the delivery, after the events sent before.
pub type Events = UnboundedSender<Progress>;

/// Creates the event channel of one flow for its listener, and the future that delivers the events.
pub fn begin(listener: Arc<dyn ProgressListener>, threads: Threads) -> (Events, impl Future<Output = ()> + Send) {
    let (events, received) = mpsc::unbounded_channel();
    (events, deliver(received, Queue(Arc::default()), listener, threads))
}

/// Completes when all events are passed to a thread that delivers them, which need not have
/// returned.
async fn deliver(
    mut received: UnboundedReceiver<Progress>,
    queue: Queue,
    listener: Arc<dyn ProgressListener>,
    threads: Threads,
) {
    let call = |delivery: Delivery| {
        let listener = listener.clone();
        threads.run(Work::Progress, move || delivery.deliver_to(&*listener))
    };
    while let Some(event) = received.recv().await {
        queue.lock().events.push_back(event);
        if let Some(delivery) = queue.begin_delivery() {
            let _ = timeout(limits::LISTENER_THREAD, call(delivery)).await;
        }
    }
    if let Some(delivery) = queue.begin_delivery() {
        let _ = call(delivery).await;
    }
}

#[derive(Clone)]
struct Queue(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    events: VecDeque<Progress>,
    is_delivering: bool,
}

/// The permission to call the listener. There is one per queue, so that events stay in order.
struct Delivery {
    queue: Queue,
    is_done: bool,
}

impl Queue {
    /// `None` if a delivery is running or no event is waiting.
    fn begin_delivery(&self) -> Option<Delivery> {
        let mut waiting = self.lock();
        if waiting.is_delivering || waiting.events.is_empty() {
            return None;
        }
        waiting.is_delivering = true;
        Some(Delivery { queue: self.clone(), is_done: false })
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Delivery {
    fn deliver_to(mut self, listener: &dyn ProgressListener) {
        while let Some(event) = self.next() {
            let called = catch_unwind(AssertUnwindSafe(|| listener.on_progress(event)));
            if !matches!(called, Ok(Ok(()))) {
                Event::ListenerFailed.log();
            }
        }
    }

    /// The delivery ends together with the last event, so that no event can be added in between.
    fn next(&mut self) -> Option<Progress> {
        let mut waiting = self.queue.lock();
        let event = waiting.events.pop_front();
        if event.is_none() {
            waiting.is_delivering = false;
            self.is_done = true;
        }
        event
    }
}

/// Releases the permission if no thread was available in time.
impl Drop for Delivery {
    fn drop(&mut self) {
        if !self.is_done {
            self.queue.lock().is_delivering = false;
        }
    }
}
