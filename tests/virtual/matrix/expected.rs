//! The expected outcome of each cell: rules by step and fault.

use super::Connection::{New, Reused};
use super::Fault::{
    AddressChange, BlackHole, Cancelled, ClosedEarly, Deadline, Garbage, InterfaceLost, OneBytePerSecond, Refused,
    Reset, Stalled, Suspended, TooLarge, Truncated, Unreachable, WrongCertificate,
};
use super::{Call, Cell, Fault, Hop, Io, Lasts, Step};

/// How the verification ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// The fault is harmless.
    Verified,
    /// Cancelled by the app, which gets no error.
    Cancelled,
    Error(Error),
}

/// The names are those of the error's JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error {
    pub kind: &'static str,
    pub cause: Option<&'static str>,
    pub step: &'static str,
    pub fallback: &'static str,
}

/// How long the verification waits before it ends, from the moment of the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// It does not wait, except for an immediate retry.
    No,
    /// `connect_ms`: DNS, connect and TLS of a host over cellular.
    Connect,
    /// `answer_ms`, `acquire_ms` or `backend_ms`.
    Response,
    /// One second, after which a flow checks the clock that includes sleep.
    SleepCheck,
    /// Until the overall deadline.
    Overall,
}

pub fn expected(cell: Cell) -> Expected {
    let Cell { step, fault, lasts } = cell;
    let name = step_name(step);
    match (step, fault) {
        // The verification has a result before the release, and its error before the abort.
        (Step::Release, _) => Expected::Verified,
        (Step::Io(Call::Abort, ..), _) => error("backend", Some("status"), "complete", "use_another_channel"),
        (_, Cancelled) => Expected::Cancelled,
        (_, Suspended) => error("deadline_exceeded", None, name, "retry_later"),
        (Step::Io(Call::Authorize(hop), _, Io::Body), fault) if is_redirect(hop) && fault != InterfaceLost => {
            body_of_redirect(fault)
        }
        (_, Deadline) => error("deadline_exceeded", None, name, "retry_later"),
        (Step::Acquire, fault) => acquire(fault),
        (Step::Io(..), _) if lasts == Lasts::Once => Expected::Verified,
        (Step::Io(Call::Authorize(Hop::Callback), _, io), fault) if is_sent(io) => callback(io, fault),
        (Step::Io(Call::Authorize(Hop::Callback), _, Io::Body), TooLarge) => Expected::Verified,
        (Step::Io(Call::Authorize(_), _, _), InterfaceLost) => unavailable("interface_down"),
        (Step::Io(Call::Authorize(_), _, io), fault) => over_cellular(io, fault),
        (Step::Io(Call::Start | Call::Complete, _, io), fault) => at_backend(name, io, fault),
    }
}

/// Whether a retry on a new connection, or with TLS 1.2, may succeed. Only requests that the server
/// cannot have processed are retried, or that it recognises: a GET that does not deliver a code,
/// and calls to the backend by their `Idempotency-Key`.
pub fn is_repeated(step: Step, fault: Fault) -> bool {
    let Step::Io(call, connection, io) = step else { return false };
    let is_cut = matches!(fault, Reset | ClosedEarly | Truncated);
    match (call, io) {
        (Call::Start | Call::Complete, Io::Dns | Io::Connect) => matches!(fault, Refused | Unreachable | TooLarge),
        (Call::Start | Call::Complete | Call::Authorize(_), Io::Tls) => is_cut,
        (Call::Start | Call::Complete, Io::Request | Io::Head) => is_cut && connection == Reused,
        (Call::Authorize(hop), Io::Request) => is_cut && hop != Hop::Callback,
        _ => false,
    }
}

/// The hop that an error of the operator's side refers to.
pub fn hop(cell: Cell) -> Option<u64> {
    let Step::Io(Call::Authorize(hop), connection, io) = cell.step else { return None };
    let at = match (hop, connection) {
        (Hop::First, _) => 1,
        (Hop::Middle | Hop::Last | Hop::Callback, New) => 2,
        (Hop::Middle | Hop::Callback, Reused) => 3,
        (Hop::Last, Reused) => 4,
    };
    Some(if io == Io::Body && is_redirect(hop) { at + 1 } else { at })
}

/// How long the verification waits from the moment of the fault.
pub fn waits(cell: Cell) -> Waits {
    let begins_to_connect = match cell.step {
        Step::Io(Call::Authorize(_), _, Io::Dns | Io::Connect | Io::Tls) => true,
        // To the next host.
        Step::Io(Call::Authorize(hop), connection, Io::Body) => is_redirect(hop) && connection == New,
        _ => false,
    };
    match (cell.step, cell.fault) {
        (Step::Release | Step::Io(Call::Abort, ..), _) => Waits::No,
        (_, Deadline) => Waits::Overall,
        (_, Suspended) => Waits::SleepCheck,
        (_, fault) if is_silent(fault) && begins_to_connect => Waits::Connect,
        (_, fault) if is_silent(fault) => Waits::Response,
        _ => Waits::No,
    }
}

fn is_silent(fault: Fault) -> bool {
    matches!(fault, BlackHole | Stalled | OneBytePerSecond | AddressChange)
}

fn is_redirect(hop: Hop) -> bool {
    matches!(hop, Hop::First | Hop::Middle)
}

/// The server has the request, and the client no response.
fn is_sent(io: Io) -> bool {
    matches!(io, Io::Request | Io::Head)
}

/// No hop waits for it; but an address change affects the lookup or the request of the next hop.
fn body_of_redirect(fault: Fault) -> Expected {
    if fault == AddressChange { over_cellular(Io::Body, fault) } else { Expected::Verified }
}

fn acquire(fault: Fault) -> Expected {
    match fault {
        Refused => error("cellular_unavailable", Some("data_off"), "acquire", "ask_to_enable_mobile_data"),
        Unreachable => unavailable("unsupported"),
        BlackHole => unavailable("timeout"),
        Garbage => unavailable("no_interface"),
        InterfaceLost => unavailable("interface_down"),
        AddressChange => Expected::Verified,
        fault => panic!("{fault:?} is not a fault of acquire"),
    }
}

fn over_cellular(io: Io, fault: Fault) -> Expected {
    let failed = |cause| error("authorization", Some(cause), "authorize", "use_another_channel");
    match (io, fault) {
        (_, fault) if is_silent(fault) => failed("timeout"),
        (Io::Dns, Garbage) => failed("forbidden_redirect"),
        (Io::Dns, TooLarge) | (Io::Connect, _) => failed("connect"),
        (Io::Dns, _) => failed("dns"),
        (Io::Tls, _) => failed("tls"),
        (Io::Head, Refused) => error("authorization", Some("http_status"), "authorize", "retry_later"),
        (_, Reset | ClosedEarly | Truncated) => failed("closed"),
        (_, Garbage) => failed("malformed_response"),
        (_, TooLarge) => failed("too_large"),
        (io, fault) => panic!("{fault:?} is not a fault of {io:?}"),
    }
}

/// The backend may have the result once the callback was sent: `complete` fetches it. A malformed
/// response is an error.
fn callback(io: Io, fault: Fault) -> Expected {
    match fault {
        Refused => error("backend", Some("status"), "complete", "retry_later"),
        Garbage | TooLarge => over_cellular(io, fault),
        _ => Expected::Verified,
    }
}

fn at_backend(step: &'static str, io: Io, fault: Fault) -> Expected {
    let failed = |cause, fallback| error("backend", Some(cause), step, fallback);
    match (io, fault) {
        (_, fault) if is_silent(fault) => failed("timeout", "retry_later"),
        (Io::Tls, Refused | Garbage | TooLarge | WrongCertificate) => failed("tls", "fix_integration"),
        (Io::Head, Refused) => failed("status", "retry_later"),
        (Io::Request | Io::Head | Io::Body, Garbage | TooLarge) => failed("malformed_answer", "fix_integration"),
        _ => failed("unreachable", "retry_later"),
    }
}

fn error(kind: &'static str, cause: Option<&'static str>, step: &'static str, fallback: &'static str) -> Expected {
    Expected::Error(Error { kind, cause, step, fallback })
}

fn unavailable(cause: &'static str) -> Expected {
    error("cellular_unavailable", Some(cause), "acquire", "use_another_channel")
}

fn step_name(step: Step) -> &'static str {
    match step {
        Step::Acquire => "acquire",
        Step::Io(Call::Start, ..) => "start",
        Step::Io(Call::Authorize(_), ..) => "authorize",
        Step::Io(Call::Complete | Call::Abort, ..) | Step::Release => "complete",
    }
}
