//! Writes down what a flow does: the trace, the running step, and the events for the listener.
//!
//! It is shared with the app's handle, so that the trace of a running, failed or cancelled flow can be read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::Step;
use crate::progress::{Progress, ProgressListener};
use crate::trace::{Hop, NetworkKind, Trace};
use crate::transport::Timings;

/// The record of one flow.
pub struct Recorder {
    began: Instant,
    listener: Option<Arc<dyn ProgressListener>>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    trace: Trace,
    /// In the order in which they began.
    running: Vec<(Step, Instant)>,
    ended: bool,
}

impl Recorder {
    /// The flow begins now.
    #[must_use]
    pub fn new(correlator: String, listener: Option<Arc<dyn ProgressListener>>) -> Self {
        let trace = Trace { correlator, ..Trace::default() };
        Self { began: Instant::now(), listener, inner: Mutex::new(Inner { trace, ..Inner::default() }) }
    }

    /// The trace so far.
    #[must_use]
    pub fn trace(&self) -> Trace {
        let inner = self.lock();
        let mut trace = inner.trace.clone();
        if !inner.ended {
            trace.total_ms = ms(self.began.elapsed());
        }
        trace
    }

    pub(crate) fn step_began(&self, step: Step) {
        self.lock().running.push((step, Instant::now()));
        self.tell(Progress::StepBegan { step, at_ms: self.at_ms() });
    }

    pub(crate) fn step_ended(&self, step: Step) {
        self.lock().end(step);
        self.tell(Progress::StepEnded { step, at_ms: self.at_ms() });
    }

    /// The step that everything waits for.
    pub(crate) fn current_step(&self) -> Step {
        self.lock().running.first().map_or(Step::Start, |(step, _)| *step)
    }

    pub(crate) fn network(&self, kind: NetworkKind) {
        self.lock().trace.network = Some(kind);
    }

    /// Returns the index of the request.
    pub(crate) fn hop_began(&self, scheme: &str, host: String) -> u32 {
        let hops = &mut self.lock().trace.hops;
        let index = u32::try_from(hops.len()).unwrap_or(u32::MAX).saturating_add(1);
        hops.push(Hop { index, scheme: scheme.to_owned(), host, ..Hop::default() });
        index
    }

    /// What is known of the last request, whether it was answered or not.
    pub(crate) fn hop(&self, status: Option<u16>, timings: &Timings, page_title: Option<String>) {
        if let Some(hop) = self.lock().trace.hops.last_mut() {
            hop.status = status;
            hop.dns_ms = timings.dns.map(ms);
            hop.connect_ms = timings.connect.map(ms);
            hop.tls_ms = timings.tls.map(ms);
            hop.first_byte_ms = timings.first_byte.map(ms);
            hop.reused = timings.reused;
            hop.tls_resumed = timings.tls_resumed;
            hop.bytes_in = timings.bytes_in;
            hop.bytes_out = timings.bytes_out;
            hop.page_title = page_title;
        }
    }

    /// Tells the listener of the last request.
    pub(crate) fn hop_answered(&self) {
        let hop = self.lock().trace.hops.last().cloned();
        if let Some(hop) = hop {
            self.tell(Progress::HopAnswered { hop, at_ms: self.at_ms() });
        }
    }

    /// The flow is over; steps that still run have failed, and their time is kept.
    pub(crate) fn ended(&self) {
        let mut inner = self.lock();
        for (step, _) in inner.running.clone() {
            inner.end(step);
        }
        inner.trace.total_ms = ms(self.began.elapsed());
        inner.ended = true;
    }

    fn at_ms(&self) -> u64 {
        ms(self.began.elapsed())
    }

    fn tell(&self, progress: Progress) {
        if let Some(listener) = &self.listener
            && listener.on_progress(progress).is_err()
        {
            log::debug!("the progress listener failed");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn end(&mut self, step: Step) {
        let Some(at) = self.running.iter().position(|(running, _)| *running == step) else { return };
        let (_, began) = self.running.remove(at);
        let time = Some(ms(began.elapsed()));
        match step {
            Step::Start => self.trace.start_ms = time,
            Step::Acquire => self.trace.acquire_ms = time,
            Step::Authorize => self.trace.authorize_ms = time,
            Step::Complete => self.trace.complete_ms = time,
        }
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
