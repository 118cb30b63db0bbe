//! The state of the simulated environment: hosts, SIMs, sessions, codes.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use serde_json::Value;
use uuid::Uuid;

use crate::backend::{self, StoredResponse};
use crate::events::Events;
use crate::faults;
use crate::hops::masked_number;
use crate::hosts::{Address, SimHost};
use crate::providers::{Check, Provider};
use crate::scenarios::OWN;
use crate::{Options, Sockets, camara, verify};

/// The lifetime of codes and stored responses.
pub(crate) const LIFETIME: Duration = Duration::from_mins(5);

/// An operator and its quirks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// Two hops, https only.
    A,
    /// Header enrichment over plain http, a cookie round trip, a relative Location.
    B,
    /// A long chain over two hosts with all kinds of redirects, and a JSON response at its end.
    C,
    /// No code: only the auth server has the result.
    D,
}

impl Operator {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::A, Self::B, Self::C, Self::D];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
            Self::C => "c",
            Self::D => "d",
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Operator {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|operator| operator.name() == name).ok_or(())
    }
}

/// A SIM, identified by the source addresses of its connections.
#[derive(Debug, Clone)]
pub struct Sim {
    network: IpAddr,
    prefix: u8,
    number: String,
    operator: Option<String>,
}

impl Sim {
    /// Connections from this network belong to this number.
    #[must_use]
    pub fn new(network: IpAddr, prefix: u8, number: &str) -> Self {
        Self { network, prefix, number: number.to_owned(), operator: None }
    }

    fn covers(&self, peer: IpAddr) -> bool {
        let (one, other, bits) = match (self.network, peer.to_canonical()) {
            (IpAddr::V4(one), IpAddr::V4(other)) => (u128::from(one.to_bits()), u128::from(other.to_bits()), 32),
            (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits(), other.to_bits(), 128),
            _ => return false,
        };
        let host_bits = bits - u32::from(self.prefix).min(bits);
        one.checked_shr(host_bits) == other.checked_shr(host_bits)
    }
}

impl fmt::Display for Sim {
    /// With the number masked, unless it is the simulator's default.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masked = masked_number(&self.number);
        let number = if self.number == OWN { OWN } else { &masked };
        write!(f, "{number} ({}/{})", self.network, self.prefix)
    }
}

impl FromStr for Sim {
    type Err = String;

    /// `NETWORK/PREFIX=+NUMBER[@OPERATOR]`
    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (network, number) = text.split_once('=')?;
            let (network, prefix) = network.split_once('/')?;
            let (number, operator) =
                number.split_once('@').map_or((number, None), |(number, name)| (number, Some(name)));
            let sim = Self::new(network.parse().ok()?, prefix.parse().ok()?, number);
            Some(Self { operator: operator.map(str::to_owned), ..sim })
        };
        parse().ok_or_else(|| "must be NETWORK/PREFIX=+NUMBER[@OPERATOR]".to_owned())
    }
}

/// A received request.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The host without the port.
    pub host: String,
    /// The method.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// Whether it arrived over TLS.
    pub https: bool,
    /// Its source address.
    pub peer: IpAddr,
    /// All headers.
    pub headers: HeaderMap,
}

/// The configuration and the state of all parties.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) https_port: u16,
    pub(crate) http_port: u16,
    pub(crate) other_https_port: u16,
    pub(crate) dns_address: Option<SocketAddr>,
    pub(crate) camara: camara::Provider,
    pub(crate) events: Events,
    knowledge: Mutex<Knowledge>,
}

#[derive(Debug, Default)]
pub(crate) struct Knowledge {
    /// The backend's sessions, by id.
    pub(crate) sessions: HashMap<String, Session>,
    /// The reasons of the aborts so far.
    pub(crate) aborts: Vec<String>,
    /// The backend's stored responses, by Idempotency-Key.
    pub(crate) responses: HashMap<String, Stored>,
    /// The auth server's transactions, by the state that it passes to operators.
    pub(crate) transactions: HashMap<String, Transaction>,
    /// Codes of operators and of the auth server.
    pub(crate) grants: HashMap<String, Grant>,
    /// The auth server's access tokens.
    pub(crate) tokens: HashMap<String, Grant>,
    /// Operator B's cookie values.
    pub(crate) cookies: HashMap<String, String>,
    /// The verifications at providers that assign ids to them.
    pub(crate) checks: HashMap<String, Check>,
    pub(crate) secrets: Vec<String>,
    pub(crate) requests: Vec<Recorded>,
    pub(crate) dns_queries: Vec<(String, IpAddr)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// Absent in a retrieval.
    pub(crate) number: Option<String>,
    pub(crate) state: String,
    pub(crate) provider: Arc<dyn Provider>,
    /// The provider's id for this verification.
    pub(crate) check: String,
    pub(crate) stage: Stage,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    Started,
    /// The callback has delivered the result.
    Known(Value),
    /// The result was returned, or another client called the callback.
    Over,
}

#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) request: String,
    pub(crate) response: StoredResponse,
    pub(crate) at: Instant,
}

#[derive(Debug, Clone)]
pub(crate) struct Transaction {
    pub(crate) redirect_uri: Option<String>,
    pub(crate) state: String,
    pub(crate) json: bool,
    pub(crate) permits: Permits,
    /// The number reported by an operator without codes.
    pub(crate) number: Option<String>,
}

/// A code or token, and the time when it was issued.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) authorization: Authorization,
    pub(crate) at: Instant,
}

#[derive(Debug)]
pub(crate) struct Authorization {
    pub(crate) subject: Subject,
    pub(crate) permits: Permits,
}

/// The operations of Number Verification that a scope permits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Permits {
    pub(crate) verify: bool,
    pub(crate) device_phone_number: bool,
}

impl Permits {
    pub(crate) fn of(scope: &str) -> Self {
        let has = |name: &str| scope.split(' ').any(|one| one == name);
        Self { verify: has(verify::VERIFY_SCOPE), device_phone_number: has(verify::DEVICE_PHONE_NUMBER_SCOPE) }
    }
}

/// The subject of a code or token.
#[derive(Debug)]
pub(crate) enum Subject {
    /// Identified by the network: this is the number.
    Sim(String),
    /// Identified by a password.
    Password,
    /// The client itself.
    Client,
}

impl World {
    pub(crate) fn new(options: Options, sockets: &Sockets, camara: camara::Provider) -> Self {
        let Sockets { https_port, http_port, other_https_port, dns_address, .. } = *sockets;
        let (events, knowledge) = Default::default();
        Self { options, https_port, http_port, other_https_port, dns_address, camara, events, knowledge }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Knowledge> {
        self.knowledge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the SIM behind a connection.
    pub(crate) fn sim(&self, peer: IpAddr) -> Option<String> {
        faults::identified(faults::current(), self.sim_of(peer)?.number.clone())
    }

    /// The operator of that SIM, if it is fixed.
    pub(crate) fn operator(&self, peer: IpAddr) -> Option<String> {
        self.sim_of(peer)?.operator.clone()
    }

    fn sim_of(&self, peer: IpAddr) -> Option<&Sim> {
        self.options.sims.iter().find(|sim| sim.covers(peer))
    }

    pub(crate) fn addresses_of(&self, host: SimHost) -> Vec<IpAddr> {
        let ipv6 = self.options.operator_ipv6.map(IpAddr::V6);
        let addresses = match host.address {
            Address::Backend => [Some(self.options.backend_address), None],
            Address::Operator => [Some(self.options.operator_address), None],
            Address::OperatorIpv6 => [ipv6, None],
            Address::OperatorBoth => [Some(self.options.operator_address), ipv6],
        };
        addresses.into_iter().flatten().collect()
    }

    pub(crate) fn is_at(&self, host: SimHost, address: IpAddr) -> bool {
        self.addresses_of(host).contains(&address)
    }

    pub(crate) fn https(&self, host: SimHost) -> String {
        format!("https://{}", self.authority(host))
    }

    pub(crate) fn http(&self, host: SimHost) -> String {
        match self.http_port {
            80 => format!("http://{}", host.name),
            port => format!("http://{}:{port}", host.name),
        }
    }

    pub(crate) fn authority(&self, host: SimHost) -> String {
        match self.https_port {
            443 => host.name.to_owned(),
            port => format!("{}:{port}", host.name),
        }
    }

    pub(crate) fn backend_url(&self, kind: &str, scenario: &str) -> String {
        format!("{}/{kind}/{scenario}", self.https(backend::HOST))
    }
}

impl Knowledge {
    /// Creates a new secret.
    pub(crate) fn mint(&mut self) -> String {
        let secret = Uuid::new_v4().simple().to_string();
        self.secrets.push(secret.clone());
        secret
    }

    /// Creates a new code for the SIM with this number.
    pub(crate) fn grant(&mut self, number: String) -> String {
        self.authorize(Authorization { subject: Subject::Sim(number), permits: Permits::of(verify::VERIFY_SCOPE) })
    }

    /// The number behind a code, which works once.
    pub(crate) fn redeem(&mut self, code: &str) -> Option<String> {
        match self.take(code)?.subject {
            Subject::Sim(number) => Some(number),
            Subject::Password | Subject::Client => None,
        }
    }

    /// Creates a new code.
    pub(crate) fn authorize(&mut self, authorization: Authorization) -> String {
        let code = self.mint();
        self.grants.insert(code.clone(), Grant { authorization, at: Instant::now() });
        code
    }

    /// The authorization of a code, which works once.
    pub(crate) fn take(&mut self, code: &str) -> Option<Authorization> {
        self.grants.remove(code).filter(|grant| grant.at.elapsed() < LIFETIME).map(|grant| grant.authorization)
    }

    /// Creates a new access token.
    pub(crate) fn token(&mut self, authorization: Authorization) -> String {
        let token = self.mint();
        self.tokens.insert(token.clone(), Grant { authorization, at: Instant::now() });
        token
    }
}
