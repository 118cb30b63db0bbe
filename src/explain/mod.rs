//! A trace in words: what happened, which request failed, what to do, and whom to contact with
//! which identifiers. A pure function of the trace, so that the app, the command line and a web
//! page show the same text; `causes.rs` has the texts for each error.

mod causes;

use std::fmt::Write as _;

use self::causes::{Contact, Diagnosis};
use crate::trace::{Hop, NetworkKind, Trace, TraceError, TraceOutcome};

/// Where the page of each kind of error is published.
const ERROR_PAGES: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/errors/");

#[uniffi::export(name = "CoreTrace")]
impl Trace {
    /// The trace in words, in English, for developers and support: what happened, which request
    /// failed, what to do, and whom to contact with which identifiers. Several lines, each with a
    /// newline at its end. Contains no code, number, cookie or query.
    #[must_use]
    pub fn explain(&self) -> String {
        let mut text = String::new();
        match &self.error {
            Some(error) => failure(&mut text, self, error),
            None => success(&mut text, self),
        }
        if self.network == Some(NetworkKind::Unbound) {
            text.push_str("\nNote: the connections were not bound to the cellular network, which is for development only. Over Wi-Fi, an operator recognizes no SIM.\n");
        }
        course(&mut text, self);
        text
    }
}

fn failure(text: &mut String, trace: &Trace, error: &TraceError) {
    let _ = write!(text, "Failed after {} ms: kind {}", trace.total_ms, plain(&error.kind));
    for (name, part) in [("step", &error.step), ("cause", &error.cause)] {
        if let Some(part) = part {
            let _ = write!(text, ", {name} {}", plain(part));
        }
    }
    let Diagnosis { cause, action, contacts } = causes::of(error);
    let _ = write!(text, ".\n{}\n\nCause: {cause}", plain(&error.message));
    if let Some((phase, ms)) = failed_hop(trace, error).and_then(stopped_during) {
        let _ = write!(text, " It ended during {phase}, after {ms} ms.");
    }
    let _ = writeln!(text, "\nWhat to do: {action}");
    for whom in contacts {
        contact(text, trace, error, *whom);
    }
    let anchor = error.cause.as_deref().map(|cause| format!("#{}", plain(cause))).unwrap_or_default();
    let _ = writeln!(text, "Reference: {ERROR_PAGES}{}.md{anchor}", plain(&error.kind));
}

fn success(text: &mut String, trace: &Trace) {
    let total_ms = trace.total_ms;
    let _ = match trace.outcome {
        Some(TraceOutcome::Verified) => {
            writeln!(text, "Verified after {total_ms} ms: the SIM in this phone owns the number.")
        }
        Some(TraceOutcome::Retrieved) => {
            writeln!(text, "Retrieved the number of the SIM in this phone after {total_ms} ms.")
        }
        Some(TraceOutcome::NotVerified) => {
            let _ = writeln!(text, "Not verified after {total_ms} ms: the SIM that was used has another number.\n");
            text.push_str("Cause: The number was mistyped, or it belongs to another SIM: the second one of this phone, or a former one.\n");
            text.push_str("What to do: Show the number to the user for correction, or verify it in another way. On a phone with two SIMs, verify over the other one.\n");
            text.push_str(
                "Contact: the user of the phone. If the number is certainly that of the SIM, the operator. Send:\n",
            );
            return identifiers(text, trace, None);
        }
        Some(TraceOutcome::Failed) | None => {
            writeln!(text, "The trace has no result: it was written after {total_ms} ms, before the end.")
        }
    };
}

fn contact(text: &mut String, trace: &Trace, error: &TraceError, whom: Contact) {
    text.push_str("Contact: ");
    match whom {
        Contact::User => text.push_str("the user of the phone.\n"),
        Contact::App => text.push_str("the developers of the app. Send this text.\n"),
        Contact::Maintainers => {
            text.push_str("the maintainers of number-verify. Send the trace as JSON and the app's log.\n");
        }
        Contact::Backend => {
            text.push_str("the team of the app's backend. Send the time of the verification and:\n");
            let _ = writeln!(
                text,
                "- x-correlator {}, a header of all requests of this verification to the backend",
                plain(&trace.correlator)
            );
        }
        Contact::Host => {
            let host = plain(
                error.host.as_deref().or(trace.hops.last().map(|hop| hop.host.as_str())).unwrap_or("the last host"),
            );
            let is_first = trace.hops.first().is_none_or(|first| plain(&first.host) == host);
            let _ = if is_first {
                writeln!(
                    text,
                    "the provider of the auth URL (the aggregator or the operator), which runs {host}. Send:"
                )
            } else {
                writeln!(text, "the operator that runs {host}, through the aggregator if there is one. Send:")
            };
            identifiers(text, trace, failed_hop(trace, error));
        }
    }
}

/// What an operator needs to find the requests in its logs: the failed one first.
fn identifiers(text: &mut String, trace: &Trace, failed: Option<&Hop>) {
    let index = failed.map(|hop| hop.index);
    let others = trace.hops.iter().rev().filter(|hop| Some(hop.index) != index && !hop.trace_ids.is_empty());
    for hop in failed.into_iter().chain(others) {
        let _ = write!(text, "- hop {}, {}, {}", hop.index, url(hop), status(hop));
        let mut ids: Vec<_> = hop.trace_ids.iter().collect();
        ids.sort_unstable();
        for (header, id) in ids {
            let _ = write!(text, ", {} {}", plain(header), plain(id));
        }
        text.push('\n');
    }
    text.push_str(
        "- the time of the verification, and the operator and country of the SIM, which are not in the trace\n",
    );
}

/// The hop that the error names; without one, the last request of a verification that ended while
/// requests were sent.
fn failed_hop<'a>(trace: &'a Trace, error: &TraceError) -> Option<&'a Hop> {
    match error.hop {
        Some(index) => trace.hops.iter().find(|hop| hop.index == index),
        None => trace.hops.last().filter(|_| error.step.as_deref() == Some("authorize")),
    }
}

/// The phase that a request without a response reached, and its duration.
fn stopped_during(hop: &Hop) -> Option<(&'static str, u64)> {
    let phases = [
        ("the wait for the response", hop.first_byte_ms),
        ("the TLS handshake", hop.tls_ms),
        ("the TCP connect", hop.connect_ms),
        ("the DNS lookup", hop.dns_ms),
    ];
    let mut reached = phases.into_iter().filter_map(|(phase, ms)| Some((phase, ms?)));
    reached.next().filter(|_| hop.status.is_none())
}

/// All steps and requests, in order.
fn course(text: &mut String, trace: &Trace) {
    text.push_str("\nWhat happened:\n");
    let failed = trace.error.as_ref();
    step(text, trace, "start", trace.start_ms);
    step(text, trace, "acquire", trace.acquire_ms);
    for hop in &trace.hops {
        let _ = write!(text, "- hop {}, {}: {}", hop.index, url(hop), status(hop));
        let times =
            [("DNS", hop.dns_ms), ("connect", hop.connect_ms), ("TLS", hop.tls_ms), ("response", hop.first_byte_ms)];
        for (phase, ms) in times {
            if let Some(ms) = ms {
                let _ = write!(text, ", {phase} {ms} ms");
            }
        }
        if let Some(title) = &hop.page_title {
            let _ = write!(text, ", page \"{}\"", plain(title));
        }
        let is_failed = failed.is_some_and(|error| error.hop == Some(hop.index));
        text.push_str(if is_failed { " (failed)\n" } else { "\n" });
    }
    step(text, trace, "authorize", trace.authorize_ms);
    step(text, trace, "complete", trace.complete_ms);
}

fn step(text: &mut String, trace: &Trace, name: &str, ms: Option<u64>) {
    let Some(ms) = ms else { return };
    let failed = trace.error.as_ref().and_then(|error| error.step.as_deref());
    let ended = match name {
        // A loss of the network belongs to this step, whenever it happens.
        "acquire" if trace.network.is_some() => "",
        _ if failed == Some(name) => " (failed)",
        // These two are concurrent, and the failure of one ends the other.
        "start" | "acquire" if failed.is_some() && ms.saturating_add(1) >= trace.total_ms => " (not complete)",
        _ => "",
    };
    let _ = writeln!(text, "- {name}: {ms} ms{ended}");
}

fn url(hop: &Hop) -> String {
    format!("{}://{}", plain(&hop.scheme), plain(&hop.host))
}

fn status(hop: &Hop) -> String {
    hop.status.map_or_else(|| "no response".to_owned(), |status| format!("status {status}"))
}

/// A value from a file may contain control characters: they could pass for lines of this text or
/// control the terminal.
fn plain(value: &str) -> String {
    value.replace(char::is_control, "\u{fffd}")
}
