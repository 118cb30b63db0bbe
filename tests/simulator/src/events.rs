//! What happens in the simulator, for the page: the recent verifications with their requests, and a
//! channel with each change. Nothing in it is secret: numbers, codes, states, sessions and cookie
//! values are masked before they get here. Source addresses are kept for `GET /observed`; no change
//! contains them.
//!
//! Requests belong to the same verification if they share a token (`hops::tokens`): each
//! response contains the tokens of the requests that follow from it.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tokio::sync::broadcast;

use crate::faults::{self, Fault, Pending};
use crate::hops::{Hop, Outcome, Role, Sender, Summary, masked_number};

const FORMAT: &str = "number-verify-simulator/verification";
/// The number of verifications that are kept.
const RECENT: usize = 50;
/// A verification with more requests, such as endless redirects, is cut.
const MOST_HOPS: usize = 100;
const MOST_TOKENS: usize = 1000;
/// A page that is further behind receives all verifications again.
const CHANGES: usize = 256;

#[derive(Debug)]
pub(crate) struct Events {
    inner: Mutex<Inner>,
    changes: broadcast::Sender<Change>,
}

#[derive(Debug, Default)]
struct Inner {
    recent: VecDeque<Verification>,
    /// The verification of each token.
    owners: HashMap<String, u64>,
    count: u64,
    pending: Option<Pending>,
}

/// A change: its kind, and the new value as JSON.
pub(crate) type Change = (&'static str, String);

#[derive(Debug, Serialize)]
struct Verification {
    /// Distinguishes it from a trace.
    format: &'static str,
    /// Of this format.
    version: u8,
    id: u64,
    /// Since 1970.
    began_ms: u64,
    /// The path of the backend's base URL; absent for a backend outside the simulator.
    backend: Option<String>,
    /// Masked.
    number: Option<String>,
    fault: Option<Fault>,
    hops: Vec<Hop>,
    result: Option<Outcome>,
    #[serde(skip)]
    began: Instant,
    /// Their number is bounded.
    #[serde(skip)]
    tokens: usize,
    #[serde(skip)]
    redirect_uri: Option<String>,
    #[serde(skip)]
    correlator: Option<String>,
}

/// A request, as known when it arrives.
pub(crate) struct Arrival {
    /// Without its SIM.
    pub(crate) hop: Hop,
    /// The number of the SIM behind the connection.
    pub(crate) sim: Option<String>,
    pub(crate) tokens: Vec<String>,
    pub(crate) begins: Option<Beginning>,
    pub(crate) redirect_uri: Option<String>,
}

/// Of a request that begins a verification.
pub(crate) struct Beginning {
    pub(crate) backend: Option<String>,
    pub(crate) number: Option<String>,
    pub(crate) correlator: Option<String>,
}

/// The source addresses of a phone's requests in one verification, each once.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Sources {
    pub(crate) backend: BTreeSet<IpAddr>,
    pub(crate) operator: BTreeSet<IpAddr>,
}

/// A request of a verification, until its response.
#[derive(Debug)]
pub(crate) struct Visit {
    id: u64,
    hop: usize,
    began: Instant,
    pub(crate) fault: Option<Fault>,
    pub(crate) redirect_uri: Option<String>,
}

impl Default for Events {
    fn default() -> Self {
        Self { inner: Mutex::default(), changes: broadcast::channel(CHANGES).0 }
    }
}

impl Events {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// The simulator's clock and the current state, as changes.
    pub(crate) fn all(&self) -> Vec<Change> {
        let inner = self.lock();
        let (clock, fault) = (("clock", json(&now_ms())), ("fault", json(&inner.pending)));
        let recent = inner.recent.iter().map(|verification| ("verification", json(verification)));
        [clock].into_iter().chain(recent).chain([fault]).collect()
    }

    pub(crate) fn get(&self, id: u64) -> Option<String> {
        self.lock().recent.iter().find(|verification| verification.id == id).map(json)
    }

    /// Of the last verification with this correlator, once: the correlator in a shared trace must not
    /// reveal the phone's addresses.
    pub(crate) fn take_sources(&self, correlator: &str) -> Option<Sources> {
        let mut inner = self.lock();
        let has_correlator = |verification: &&mut Verification| verification.correlator.as_deref() == Some(correlator);
        let verification = inner.recent.iter_mut().rev().find(has_correlator)?;
        verification.correlator = None;
        let mut sources = Sources::default();
        for hop in verification.hops.iter().filter(|hop| hop.from == Sender::Phone) {
            let of_role = if hop.role == Role::Backend { &mut sources.backend } else { &mut sources.operator };
            of_role.insert(hop.peer);
        }
        Some(sources)
    }

    /// Sets the fault of the next verification, or of all from now on.
    pub(crate) fn set_fault(&self, pending: Pending) {
        let mut inner = self.lock();
        inner.pending = Some(pending).filter(|pending| pending.fault.is_some());
        self.publish("fault", &inner.pending);
    }

    /// `None` for a request that belongs to no verification.
    pub(crate) fn arrive(&self, arrival: Arrival) -> Option<Visit> {
        let mut inner = self.lock();
        let id = match (inner.owner(&arrival.tokens), arrival.begins) {
            (Some(id), _) => id,
            (None, None) => return None,
            (None, Some(beginning)) => {
                let fault = inner.pending.and_then(|pending| pending.fault);
                if inner.pending.is_some_and(|pending| !pending.repeat) {
                    inner.pending = None;
                    self.publish("fault", &inner.pending);
                }
                inner.begin(beginning, fault)
            }
        };
        inner.learn(id, arrival.tokens);
        let verification = inner.find(id)?;
        if verification.hops.len() == MOST_HOPS {
            return None;
        }
        let hop = Hop { at_ms: milliseconds(verification.began), ..arrival.hop };
        let is_affected = hop.from == Sender::Phone && hop.role != Role::Backend;
        let is_first = is_affected && verification.hops.iter().all(|hop| hop.role == Role::Backend);
        let fault = verification.fault.filter(|fault| match fault {
            Fault::SlowHop | Fault::Denied => is_first,
            _ => is_affected,
        });
        let sim = arrival.sim.and_then(|sim| faults::identified(fault, sim)).map(|number| masked_number(&number));
        let hop = Hop { sim, ..hop };
        // Later ones are of operators.
        if is_first {
            verification.redirect_uri = arrival.redirect_uri;
        }
        verification.hops.push(hop);
        let (hop, redirect_uri) = (verification.hops.len() - 1, verification.redirect_uri.clone());
        self.publish("verification", &*verification);
        Some(Visit { id, hop, began: Instant::now(), fault, redirect_uri })
    }

    /// The tokens of the response, before it is sent.
    pub(crate) fn learn(&self, visit: &Visit, tokens: Vec<String>) {
        self.lock().learn(visit.id, tokens);
    }

    pub(crate) fn leave(&self, visit: &Visit, response: Summary, outcome: Option<Outcome>) {
        let mut inner = self.lock();
        let Some(verification) = inner.find(visit.id) else { return };
        if let Some(hop) = verification.hops.get_mut(visit.hop) {
            hop.duration_ms = Some(milliseconds(visit.began));
            hop.response = response;
        }
        let is_final = matches!(outcome, Some(Outcome::Verified | Outcome::NotVerified | Outcome::Retrieved(_)));
        if is_final || verification.result.is_none() {
            verification.result = outcome.or(verification.result.take());
        }
        self.publish("verification", &*verification);
    }

    fn publish(&self, kind: &'static str, value: &impl Serialize) {
        if self.changes.receiver_count() > 0 {
            let _ = self.changes.send((kind, json(value)));
        }
    }
}

impl Inner {
    fn owner(&self, tokens: &[String]) -> Option<u64> {
        tokens.iter().find_map(|token| self.owners.get(token)).copied()
    }

    fn find(&mut self, id: u64) -> Option<&mut Verification> {
        self.recent.iter_mut().rev().find(|verification| verification.id == id)
    }

    fn begin(&mut self, Beginning { backend, number, correlator }: Beginning, fault: Option<Fault>) -> u64 {
        self.count += 1;
        self.recent.push_back(Verification {
            format: FORMAT,
            version: 1,
            id: self.count,
            began_ms: now_ms(),
            backend,
            number,
            fault,
            hops: Vec::new(),
            result: None,
            began: Instant::now(),
            tokens: 0,
            redirect_uri: None,
            correlator,
        });
        if self.recent.len() > RECENT
            && let Some(old) = self.recent.pop_front()
        {
            self.owners.retain(|_, owner| *owner != old.id);
        }
        self.count
    }

    /// A token belongs to the last verification that had it.
    fn learn(&mut self, id: u64, tokens: Vec<String>) {
        for token in tokens {
            let is_new = self.owners.get(&token) != Some(&id);
            if let Some(verification) = self.find(id).filter(|it| is_new && it.tokens < MOST_TOKENS) {
                verification.tokens += 1;
                self.owners.insert(token, id);
            }
        }
    }
}

/// Since 1970.
fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or_default()
}

/// Rounded to a tenth.
fn milliseconds(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 10_000.0).round() / 10.0
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
