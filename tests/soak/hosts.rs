//! The operator's side: four hops on three hosts, one of them on plain http, one that requires a
//! cookie. The query of a request contains the fault that it is to meet.

use std::collections::HashSet;
use std::sync::Mutex;

use crate::faults::{FAULTS, Fault, Hop};
use crate::network::Reachability;
use crate::plan::Planned;
use crate::server::{Hosts, HttpRequest, Reply, Tls13};

/// The hops of each verification: the first and third are the http hop's neighbours.
const HOPS: [&str; 4] = [
    "https://auth.glide.test/1",
    "https://operator-a.test/2",
    "http://he.operator-a.test/3",
    "https://operator-a.test/4",
];
const NAMES: [&str; 8] = [
    "auth.glide.test",
    "operator-a.test",
    "he.operator-a.test",
    "refused.example.test",
    "silent.example.test",
    "no-tls.example.test",
    "old.example.test",
    "elsewhere.test",
];
/// RFC 8446, section 6.
const PROTOCOL_VERSION: u8 = 70;

#[derive(Default)]
pub struct Operator {
    /// Verifications that have met a fault that occurs once.
    met: Mutex<HashSet<usize>>,
}

impl Operator {
    /// Requires that no verification is running.
    pub fn forget(&self) {
        *self.met.lock().unwrap() = HashSet::new();
    }
}

pub fn auth_url(planned: &Planned) -> String {
    let (state, name) = (state(planned.id), name(planned));
    format!("{}?redirect_uri=https%3A%2F%2Fapp.example.test%2Fcb&state={state}&meets={name}", HOPS[0])
}

pub fn code(id: usize) -> String {
    format!("c0de-{id}")
}

pub fn state(id: usize) -> String {
    format!("st4te-{id}")
}

/// Encodes the verification and its fault.
pub fn name(planned: &Planned) -> String {
    let fault = planned.fault.map(|fault| fault.to_string()).unwrap_or_default();
    format!("{}_{fault}_{}", planned.id, planned.hop)
}

/// The verification encoded in this name.
pub fn named(name: &str) -> Option<Planned> {
    let mut parts = name.split('_');
    let (id, fault, hop) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok(), parts.next()?.parse().ok()?);
    Some(Planned { id, fault, hop, cancelled_after: None })
}

impl Hosts for Operator {
    fn names(&self) -> Vec<String> {
        NAMES.map(str::to_owned).to_vec()
    }

    fn reachability(&self, host: &str) -> Reachability {
        match host {
            "refused.example.test" => Reachability::Refused,
            "silent.example.test" => Reachability::BlackHole,
            _ => Reachability::Open,
        }
    }

    fn tls13(&self, host: &str) -> Tls13 {
        match host {
            "no-tls.example.test" => Tls13::NoTls,
            "old.example.test" => Tls13::Alert(PROTOCOL_VERSION),
            _ => Tls13::Spoken,
        }
    }

    fn respond(&self, request: &HttpRequest) -> Reply {
        let (path, query) = request.target.split_once('?').unwrap_or_default();
        let (_, name) = query.rsplit_once("meets=").unwrap_or_default();
        let (Some(planned), Some(Ok(number))) = (named(name), path.strip_prefix('/').map(str::parse)) else {
            return Reply::Send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into());
        };
        let scheme = if request.https { "https" } else { "http" };
        let state = state(planned.id);
        let (query, url) = (format!("meets={name}"), format!("{scheme}://{}{path}", request.host));
        let hop = Hop { number, url: &url, query: &query, state: &state };
        match planned.fault.filter(|_| number == planned.hop).map(|fault| &FAULTS[fault].1) {
            Some(Fault::Hop(reply)) => reply(),
            Some(Fault::HopOnce(reply)) if self.met.lock().unwrap().insert(planned.id) => reply(),
            Some(Fault::Redirect(location)) => redirect(&location(&hop), ""),
            _ => normal_response(request, &planned, &hop),
        }
    }
}

fn normal_response(request: &HttpRequest, planned: &Planned, hop: &Hop<'_>) -> Reply {
    let cookie = format!("session={}", planned.id);
    if request.host == "operator-a.test" && hop.number == 4 && request.cookie.as_ref() != Some(&cookie) {
        return Reply::Send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".into());
    }
    let set_cookie =
        if hop.number == 3 { format!("Set-Cookie: {cookie}; Domain=operator-a.test\r\n") } else { String::new() };
    let location = match HOPS.get(usize::from(hop.number)) {
        Some(next) => format!("{next}?{}", hop.query),
        None => format!("https://app.example.test/cb?code={}&state={}", code(planned.id), hop.state),
    };
    redirect(&location, &set_cookie)
}

fn redirect(location: &str, set_cookie: &str) -> Reply {
    Reply::Send(
        format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n{set_cookie}Content-Length: 5\r\n\r\nMoved").into(),
    )
}
