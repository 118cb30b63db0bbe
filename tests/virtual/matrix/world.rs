//! The hosts of one cell, and its fault at its step. The backend is one of them, on the loopback
//! interface.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use number_verify::internals::NetworkError;
use tokio::time::{Duration, Instant};

use super::surroundings::{Leg, Surroundings};
use super::{Call, Cell, Connection, Fault, Hop, Io, Lasts, Step};
use crate::network::{Lookup, Reachability};
use crate::script::{CODE, STATE};
use crate::server::{Handshake, Hosts, HttpRequest, Reply};

pub const BACKEND: &str = "api.example.test";
pub const SESSION: &str = "c4n4ry-session";
pub const COOKIE: &str = "c4n4ry-cookie";
const ONE: &str = "one.example.test";
const TWO: &str = "two.example.test";
const THREE: &str = "three.example.test";
const APP: &str = "app.example.test";
const FOREVER: Duration = Duration::from_hours(1);
/// The first bytes of a `ServerHello`.
const HALF_A_SERVER_HELLO: &[u8] =
    &[22, 3, 3, 0, 90, 2, 0, 0, 86, 3, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const ACCESS_DENIED: &[u8] = &[21, 3, 3, 0, 2, 2, 49];
/// A record has at most 16 KiB and 256 bytes (RFC 8446, section 5.2).
const LARGE_RECORD: &[u8] = &[22, 3, 3, 0xff, 0xff, 2, 0, 0];

pub struct World {
    pub cell: Cell,
    pub surroundings: Arc<Surroundings>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_armed: bool,
    occurred_at: Option<Instant>,
    /// The backend's network is lost.
    is_offline: bool,
    /// How many requests each host has responded to.
    served: HashMap<String, usize>,
    /// Hosts that have not responded since the last handshake.
    fresh: HashSet<String>,
}

impl World {
    pub fn new(cell: Cell) -> Arc<Self> {
        let (surroundings, state) = Default::default();
        Arc::new(Self { cell, surroundings, state })
    }

    /// Activates the fault.
    pub fn arm(&self) {
        let mut state = self.state.lock().unwrap();
        state.is_armed = true;
        state.served.clear();
    }

    /// Deactivates the fault. Returns when it first occurred.
    pub fn disarm(&self) -> Option<Instant> {
        let mut state = self.state.lock().unwrap();
        (state.is_armed, state.is_offline) = (false, false);
        state.occurred_at
    }

    /// The fault, if it occurs at this step now.
    pub fn occurs(&self, step: Step) -> Option<Fault> {
        let Cell { fault, lasts, .. } = self.cell;
        let mut state = self.state.lock().unwrap();
        if !state.is_armed || step != self.cell.step {
            return None;
        }
        state.occurred_at.get_or_insert_with(Instant::now);
        state.is_armed = lasts == Lasts::Stays && !fault.is_of_surroundings();
        state.is_offline = fault == Fault::InterfaceLost && self.leg() == Leg::Backend;
        if fault.is_of_surroundings() {
            tokio::spawn(self.surroundings.clone().change(fault, self.leg()));
        }
        Some(fault)
    }

    fn occurs_at_host(&self, host: &str, io: Io) -> Option<Fault> {
        let Step::Io(call, connection, _) = self.cell.step else { return None };
        let (target, after) = match (call, connection) {
            (Call::Start, _) => (BACKEND, 0),
            (Call::Complete, _) => (BACKEND, 1),
            (Call::Abort, _) => (BACKEND, 2),
            (Call::Authorize(Hop::First), _) => (ONE, 0),
            (Call::Authorize(Hop::Middle), Connection::New) => (TWO, 0),
            (Call::Authorize(Hop::Middle | Hop::Callback), Connection::Reused) => (TWO, 1),
            (Call::Authorize(Hop::Last), Connection::New) => (THREE, 0),
            (Call::Authorize(Hop::Last), Connection::Reused) => (ONE, 1),
            (Call::Authorize(Hop::Callback), Connection::New) => (APP, 0),
        };
        let is_there = {
            let state = self.state.lock().unwrap();
            let is_on_it = matches!(io, Io::Dns | Io::Connect | Io::Tls)
                || state.occurred_at.is_some()
                || state.fresh.contains(target) == (connection == Connection::New);
            name(host) == target && state.served.get(target).copied().unwrap_or_default() == after && is_on_it
        };
        if is_there { self.occurs(Step::Io(call, connection, io)) } else { None }
    }

    pub fn leg(&self) -> Leg {
        match self.cell.step {
            Step::Io(Call::Start | Call::Complete | Call::Abort, ..) => Leg::Backend,
            Step::Io(Call::Authorize(_), ..) | Step::Acquire | Step::Release => Leg::Cellular,
        }
    }

    fn is_about(&self, call: Call, connection: Connection) -> bool {
        matches!(self.cell.step, Step::Io(of, on, _) if (of, on) == (call, connection))
    }

    /// The hosts of the chain, hop by hop: only as many as the step needs, because handshakes are
    /// slow.
    fn chain(&self) -> &'static [&'static str] {
        let Step::Io(Call::Authorize(hop), connection, _) = self.cell.step else { return &[ONE] };
        match (hop, connection) {
            // A callback is an additional hop after these.
            (Hop::First, _) | (Hop::Callback, Connection::Reused) => &[ONE, TWO],
            (Hop::Middle, Connection::New) => &[ONE, TWO, THREE],
            (Hop::Middle | Hop::Last, Connection::Reused) => &[ONE, TWO, TWO, ONE],
            (Hop::Last, Connection::New) => &[ONE, THREE],
            (Hop::Callback, Connection::New) => &[ONE],
        }
    }

    pub fn has_a_callback(&self) -> bool {
        matches!(self.cell.step, Step::Io(Call::Authorize(Hop::Callback), ..))
    }

    /// The host of `redirect_uri`.
    fn app(&self) -> &'static str {
        if self.is_about(Call::Authorize(Hop::Callback), Connection::Reused) { TWO } else { APP }
    }

    pub fn auth_url(&self) -> String {
        let redirect_uri = format!("https%3A%2F%2F{}%2Fcb", self.app());
        format!("https://{ONE}/0?state={STATE}&redirect_uri={redirect_uri}&login_hint=tel%3A%2B14155550100")
    }

    fn start_response(&self) -> String {
        format!(r#"{{"authUrl":"{}","session":"{SESSION}"}}"#, self.auth_url())
    }

    /// Head and body of the normal response.
    fn usual(&self, request: &HttpRequest) -> (String, String) {
        let path = request.target.split('?').next().unwrap_or_default();
        let is_last_call = |call| self.is_about(call, Connection::New);
        let (status, headers, body) = match path {
            "/start" => ("200 OK", closes(is_last_call(Call::Complete)), self.start_response()),
            "/complete" if self.is_about_an_abort() => {
                ("403 Forbidden", closes(is_last_call(Call::Abort)), r#"{"title":"no"}"#.to_owned())
            }
            "/complete" | "/cb" => ("200 OK", String::new(), r#"{"verified":true}"#.to_owned()),
            _ if name(&request.host) == BACKEND => ("200 OK", String::new(), r#"{"is":"over"}"#.to_owned()),
            path => {
                let hop: usize = path.trim_start_matches('/').parse().unwrap();
                match self.chain().get(hop + 1) {
                    Some(next) => {
                        let location = format!("Location: https://{next}/{}?state=op-{STATE}\r\n", hop + 1);
                        ("302 Found", location, "<html><body>Moved</body></html>".to_owned())
                    }
                    None if self.has_a_callback() => {
                        let location = format!("Location: https://{}/cb?code={CODE}&state={STATE}\r\n", self.app());
                        ("302 Found", location, String::new())
                    }
                    None => ("200 OK", String::new(), format!(r#"{{"code":"{CODE}","state":"{STATE}"}}"#)),
                }
            }
        };
        let cookie = format!("Set-Cookie: sid={COOKIE}; Path=/\r\n");
        let head = format!("HTTP/1.1 {status}\r\n{headers}{cookie}Content-Length: {}\r\n\r\n", body.len());
        (head, body)
    }

    /// While the fault of an abort is active, `complete` is rejected.
    fn is_about_an_abort(&self) -> bool {
        let Step::Io(Call::Abort, ..) = self.cell.step else { return false };
        let state = self.state.lock().unwrap();
        state.is_armed
    }

    /// A response that stops in the middle, and what follows.
    fn halfway(&self, fault: Fault, whole: &[u8], half: usize) -> Reply {
        let (first, rest) = whole.split_at(half);
        let first = first.to_vec();
        match fault {
            Fault::Reset => Reply::SendAndReset(first),
            Fault::ClosedEarly => Reply::SendAndClose(first),
            Fault::Truncated => Reply::SendAndVanish(first),
            Fault::OneBytePerSecond => {
                let rest = rest.iter().map(|byte| vec![*byte]).collect();
                Reply::SendSlowly { first, pause: Duration::from_secs(1), rest }
            }
            Fault::InterfaceLost if self.leg() == Leg::Backend => Reply::SendAndReset(first),
            Fault::AddressChange if self.leg() == Leg::Backend => Reply::SendAndStall(first),
            Fault::AddressChange | Fault::InterfaceLost | Fault::Suspended => {
                let (pause, rest) = (Surroundings::continues_for(fault), vec![rest.to_vec()]);
                Reply::SendSlowly { first, pause, rest }
            }
            _ => Reply::SendAndStall(first),
        }
    }
}

impl Hosts for World {
    fn names(&self) -> Vec<String> {
        [ONE, TWO, THREE, APP].map(str::to_owned).to_vec()
    }

    fn lookup(&self, host: &str) -> Lookup {
        if name(host) == BACKEND && self.state.lock().unwrap().is_offline {
            return Lookup::Fails(NetworkError::Unreachable);
        }
        let Some(fault) = self.occurs_at_host(host, Io::Dns) else { return Lookup::Usual };
        match fault {
            Fault::Refused => Lookup::Fails(NetworkError::Failed),
            Fault::Unreachable => Lookup::Fails(NetworkError::Unreachable),
            Fault::InterfaceLost if self.leg() == Leg::Backend => Lookup::Fails(NetworkError::Unreachable),
            Fault::AddressChange if self.leg() == Leg::Backend => Lookup::Slow(FOREVER),
            Fault::BlackHole => Lookup::Slow(FOREVER),
            // Addresses that an operator's server must not have.
            Fault::Garbage => Lookup::Finds(vec![Ipv4Addr::LOCALHOST.into(), Ipv4Addr::UNSPECIFIED.into()]),
            // Nothing listens at any of them.
            Fault::TooLarge if self.leg() == Leg::Backend => {
                Lookup::Finds((10..110).map(|last| Ipv4Addr::new(127, 0, 0, last).into()).collect())
            }
            Fault::TooLarge => {
                Lookup::Finds((0..100).map(|last| IpAddr::from(Ipv4Addr::new(203, 0, 113, last))).collect())
            }
            fault => Lookup::Slow(Surroundings::continues_for(fault)),
        }
    }

    fn reachability(&self, host: &str) -> Reachability {
        let Some(fault) = self.occurs_at_host(host, Io::Connect) else { return Reachability::Open };
        match fault {
            Fault::Refused => Reachability::Refused,
            Fault::Unreachable => Reachability::Unreachable,
            Fault::InterfaceLost if self.leg() == Leg::Backend => Reachability::Unreachable,
            Fault::BlackHole => Reachability::BlackHole,
            fault => Reachability::Slow(Surroundings::continues_for(fault)),
        }
    }

    fn handshake(&self, host: &str) -> Handshake {
        self.state.lock().unwrap().fresh.insert(name(host).to_owned());
        let Some(fault) = self.occurs_at_host(host, Io::Tls) else { return Handshake::Usual };
        Handshake::Instead(match fault {
            Fault::WrongCertificate => return Handshake::WrongCertificate,
            Fault::Refused => Reply::SendAndVanish(ACCESS_DENIED.to_vec()),
            Fault::Garbage => Reply::SendAndStall(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
            Fault::TooLarge => Reply::SendAndStall(LARGE_RECORD.to_vec()),
            Fault::Reset | Fault::ClosedEarly | Fault::BlackHole | Fault::Cancelled | Fault::Deadline => {
                self.halfway(fault, &[], 0)
            }
            Fault::InterfaceLost | Fault::AddressChange if self.leg() == Leg::Backend => self.halfway(fault, &[], 0),
            Fault::Truncated | Fault::Stalled => self.halfway(fault, HALF_A_SERVER_HELLO, HALF_A_SERVER_HELLO.len()),
            Fault::OneBytePerSecond => self.halfway(fault, HALF_A_SERVER_HELLO, 0),
            fault => return Handshake::Slow(Surroundings::continues_for(fault)),
        })
    }

    fn interruption(&self, host: &str) -> Option<Reply> {
        let fault = self.occurs_at_host(host, Io::Request)?;
        Some(match fault {
            Fault::Garbage => Reply::SendAndStall(garbage()),
            fault => self.halfway(fault, &[], 0),
        })
    }

    fn respond(&self, request: &HttpRequest) -> Reply {
        let (head, body) = self.usual(request);
        let whole = [head.as_bytes(), body.as_bytes()].concat();
        if let Some(fault) = self.occurs_at_host(&request.host, Io::Head) {
            return match fault {
                Fault::Refused => Reply::Send(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".to_vec()),
                Fault::Garbage => Reply::Send(garbage()),
                Fault::TooLarge => {
                    let filler = format!("X-Filler: {}\r\n", "x".repeat(1000));
                    Reply::Send(head.replacen("\r\n", &format!("\r\n{}", filler.repeat(600)), 1).into())
                }
                fault => self.halfway(fault, &whole, head.len() / 2),
            };
        }
        if let Some(fault) = self.occurs_at_host(&request.host, Io::Body) {
            let without_length = head.split("Content-Length").next().unwrap_or_default();
            return match fault {
                Fault::Garbage => {
                    Reply::Send(format!("{without_length}Transfer-Encoding: chunked\r\n\r\nzz\r\n").into())
                }
                Fault::TooLarge => {
                    let body = "x".repeat(300_000);
                    Reply::Send(format!("{without_length}Content-Length: {}\r\n\r\n{body}", body.len()).into())
                }
                fault => self.halfway(fault, &whole, head.len() + body.len() / 2),
            };
        }
        let mut state = self.state.lock().unwrap();
        state.fresh.remove(name(&request.host));
        // A HEAD request is not a call, and its response has no body.
        if request.head.starts_with("HEAD ") {
            return Reply::Send(head.into());
        }
        *state.served.entry(name(&request.host).to_owned()).or_default() += 1;
        if head.contains("Connection: close") { Reply::SendAndClose(whole) } else { Reply::Send(whole) }
    }
}

/// Contains secrets, which must not appear in any output.
fn garbage() -> Vec<u8> {
    format!("\u{1}\u{2} {CODE} {STATE} {SESSION}\r\n\r\n").into()
}

fn closes(closes: bool) -> String {
    if closes { "Connection: close\r\n".to_owned() } else { String::new() }
}

/// The host without the port.
fn name(host: &str) -> &str {
    host.split(':').next().unwrap_or_default()
}
