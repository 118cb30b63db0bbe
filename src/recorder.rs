//! Records a flow: the trace, the running step, and the events for the app.
//!
//! It is shared with the app's handle, so that the trace of a running, failed or cancelled flow can
//! be read.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::delivery::Events;
use crate::error::VerifyError;
use crate::logging::Event;
use crate::network::Family;
use crate::progress::{Progress, Step};
use crate::purpose::FlowValue;
use crate::secret::Redactor;
use crate::trace::{AddressFamily, Hop, NetworkKind, TlsVersion, Trace, TraceOutcome};
use crate::transport::tls::Version;
use crate::transport::{Destination, Timings};

/// The record of one flow.
pub struct Recorder {
    began: Instant,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    trace: Trace,
    /// In the order in which they began.
    running: Vec<(Step, Instant)>,
    ended: bool,
    /// Absent once the flow has ended.
    events: Option<Events>,
}

impl Recorder {
    /// The flow begins now.
    #[must_use]
    pub fn new(correlator: String, events: Option<Events>) -> Self {
        let trace = Trace { correlator, ..Trace::default() };
        Self { began: Instant::now(), inner: Mutex::new(Inner { trace, events, ..Inner::default() }) }
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
        self.emit(Progress::StepBegan { step, at_ms: self.at_ms() });
    }

    pub(crate) fn step_ended(&self, step: Step) {
        self.lock().end(step);
        self.emit(Progress::StepEnded { step, at_ms: self.at_ms() });
    }

    pub(crate) fn is_slow(&self) {
        self.emit(Progress::Slow { at_ms: self.at_ms() });
    }

    /// The step that the flow currently waits for.
    pub(crate) fn current_step(&self) -> Step {
        self.lock().running.first().map_or(Step::Start, |(step, _)| *step)
    }

    pub(crate) fn network(&self, kind: NetworkKind) {
        self.lock().trace.network = Some(kind);
    }

    pub(crate) fn opened_ahead(&self, destinations: &[Destination], redactor: &Redactor) {
        let hosts = destinations.iter().map(|destination| redactor.redact_host(&destination.host().to_string()));
        self.lock().trace.opened_ahead.extend(hosts);
    }

    /// Starts the record of a request. It is written to the trace when the returned record is
    /// dropped.
    pub(crate) fn hop_began(&self, scheme: &str, host: String) -> HopRecord<'_> {
        let hops = &mut self.lock().trace.hops;
        let index = u32::try_from(hops.len()).unwrap_or(u32::MAX).saturating_add(1);
        hops.push(Hop { index, scheme: scheme.to_owned(), host: host.clone(), ..Hop::default() });
        HopRecord {
            recorder: self,
            index,
            host,
            status: None,
            timings: Timings::default(),
            trace_ids: HashMap::new(),
            page_title: None,
        }
    }

    /// The flow has a result or an error; without either, it was cancelled.
    pub(crate) fn concluded(&self, conclusion: Result<TraceOutcome, &VerifyError>) {
        self.lock().conclude(conclusion);
    }

    /// Ends the record with the flow, also if the flow is cancelled.
    pub(crate) fn end_on_drop(&self, redactor: Redactor) -> impl Drop {
        struct End<'a>(&'a Recorder, Redactor);

        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.ended(&self.1);
            }
        }

        End(self, redactor)
    }

    /// The flow has ended; steps that are still running have failed, and their time is recorded.
    /// Values that turned out to contain a secret are removed or masked.
    pub(crate) fn ended(&self, redactor: &Redactor) {
        let mut inner = self.lock();
        if inner.ended {
            return;
        }
        if inner.trace.outcome.is_none() {
            inner.conclude(Err(&VerifyError::Cancelled));
        }
        if let Some(error) = &mut inner.trace.error {
            error.host = error.host.as_deref().map(|host| redactor.mask_number(host));
            error.message = redactor.mask_number(&error.message);
        }
        for hop in &mut inner.trace.hops {
            hop.trace_ids.retain(|_, id| !redactor.contains_secret(id));
            hop.page_title.take_if(|title| redactor.contains_secret(title));
            hop.host = redactor.mask_number(&hop.host);
        }
        for host in &mut inner.trace.opened_ahead {
            *host = redactor.mask_number(host);
        }
        for (step, _) in inner.running.clone() {
            inner.end(step);
        }
        inner.trace.total_ms = ms(self.began.elapsed());
        inner.ended = true;
        inner.events = None;
    }

    fn at_ms(&self) -> u64 {
        ms(self.began.elapsed())
    }

    fn emit(&self, progress: Progress) {
        Event::Progress(&progress).log();
        if let Some(events) = &self.lock().events {
            let _ = events.send(progress); // Fails only if the verifier and its thread were dropped.
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request, with what is known about it so far.
pub(crate) struct HopRecord<'a> {
    recorder: &'a Recorder,
    pub(crate) index: u32,
    pub(crate) host: String,
    pub(crate) status: Option<u16>,
    pub(crate) timings: Timings,
    pub(crate) trace_ids: HashMap<String, String>,
    pub(crate) page_title: Option<String>,
}

impl HopRecord<'_> {
    /// Reports the response to the app.
    pub(crate) fn report_response(&self) {
        if let Some(hop) = self.write() {
            self.recorder.emit(Progress::HopAnswered { hop, at_ms: self.recorder.at_ms() });
        }
    }

    fn write(&self) -> Option<Hop> {
        let mut inner = self.recorder.lock();
        let hop = inner.trace.hops.iter_mut().find(|hop| hop.index == self.index)?;
        hop.status = self.status;
        hop.dns_ms = self.timings.dns.map(ms);
        hop.connect_ms = self.timings.connect.map(ms);
        hop.tls_ms = self.timings.tls.map(ms);
        hop.first_byte_ms = self.timings.first_byte.map(ms);
        hop.reused = self.timings.reused;
        hop.opened_ahead = self.timings.opened_ahead;
        hop.tls_resumed = self.timings.tls_resumed;
        hop.bytes_in = self.timings.bytes_in();
        hop.bytes_out = self.timings.bytes_out();
        hop.family = self.timings.family.map(AddressFamily::from);
        hop.tls_version = self.timings.tls_version.map(TlsVersion::from);
        hop.trace_ids.clone_from(&self.trace_ids);
        hop.page_title.clone_from(&self.page_title);
        Some(hop.clone())
    }
}

impl From<&FlowValue> for TraceOutcome {
    fn from(value: &FlowValue) -> Self {
        match value {
            FlowValue::Verified(true) => Self::Verified,
            FlowValue::Verified(false) => Self::NotVerified,
            FlowValue::Number(_) => Self::Retrieved,
        }
    }
}

impl From<Family> for AddressFamily {
    fn from(family: Family) -> Self {
        match family {
            Family::V4 => Self::Ipv4,
            Family::V6 => Self::Ipv6,
        }
    }
}

impl From<Version> for TlsVersion {
    fn from(version: Version) -> Self {
        match version {
            Version::Tls12 => Self::Tls12,
            Version::Tls13 => Self::Tls13,
        }
    }
}

impl Drop for HopRecord<'_> {
    fn drop(&mut self) {
        self.write();
    }
}

impl Inner {
    fn conclude(&mut self, conclusion: Result<TraceOutcome, &VerifyError>) {
        self.trace.outcome = Some(conclusion.unwrap_or(TraceOutcome::Failed));
        self.trace.error = conclusion.err().map(VerifyError::in_trace);
    }

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
