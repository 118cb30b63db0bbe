//! The phone's network: lookups and connections cost a round trip each.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use number_verify::CellularCause;
use number_verify::internals::{Family, LocalAddresses, Network, NetworkError, Threads, Unusable, Work};
use tokio::sync::mpsc;
use tokio::time::{Duration, sleep};

use crate::pipe::{self, Nagle, Pipe, Wire};
use crate::server::{self, Hosts};

pub const ROUND_TRIP: Duration = Duration::from_millis(100);

/// How a host responds to a connection attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reachability {
    Open,
    /// A reset instead of a SYN-ACK.
    Refused,
    /// No response.
    BlackHole,
    /// Its host name does not exist.
    Unknown,
    /// There is no route.
    Unreachable,
    /// Connecting takes this much longer.
    Slow(Duration),
}

/// The outcome of a lookup.
#[derive(Debug, Clone)]
pub enum Lookup {
    /// The host's address.
    Usual,
    /// The same, after this delay.
    Slow(Duration),
    Fails(NetworkError),
    Finds(Vec<IpAddr>),
}

/// Events on a network.
#[derive(Debug, Default)]
pub struct Events {
    pub lookups: Vec<String>,
    pub connections: Vec<String>,
    /// Connections that are still open on the servers.
    pub open: usize,
}

/// How host names are resolved.
#[derive(Clone, Default)]
pub enum Resolver {
    /// Each lookup takes a round trip and no thread.
    #[default]
    Async,
    /// The same, but only for the first lookup of a host name on a network, as with the system's
    /// cache.
    Caching,
    /// Each lookup occupies a thread, as on Android; lookups of the mute family do so for 20
    /// seconds, regardless of remaining waiters.
    Blocking { threads: Threads, mute: Family },
}

/// How the phone is attached to its network; a test may change it.
#[derive(Clone)]
pub struct Attachment {
    pub addresses: Option<LocalAddresses>,
    pub is_up: bool,
    /// The reason why it cannot be acquired.
    pub refusal: Option<CellularCause>,
    pub wire: Wire,
}

impl Default for Attachment {
    fn default() -> Self {
        let addresses = LocalAddresses::new(Some(Ipv4Addr::new(10, 20, 30, 40)), None);
        Self { addresses, is_up: true, refusal: None, wire: Wire::default() }
    }
}

pub struct MemoryNetwork {
    pub attachment: Arc<Mutex<Attachment>>,
    pub names: Mutex<HashSet<(String, Family)>>,
    pub resolver: Resolver,
    pub hosts: Arc<dyn Hosts>,
    pub nagle: Nagle,
    pub events: Arc<Mutex<Events>>,
    pub first_writes: mpsc::UnboundedSender<usize>,
}

impl MemoryNetwork {
    fn address_of(&self, name: &str) -> Option<IpAddr> {
        let index = self.hosts.names().iter().position(|host| *host == name)?;
        Some(Ipv4Addr::new(198, 51, 100, u8::try_from(index).ok()?).into())
    }

    fn name_of(&self, ip: IpAddr) -> Option<String> {
        self.hosts.names().into_iter().find(|name| self.address_of(name) == Some(ip))
    }

    fn wire(&self) -> Wire {
        self.attachment.lock().unwrap().wire.clone()
    }

    /// Waits; if the wire was cut meanwhile, never returns.
    async fn wait(&self, wire: &Wire, time: Duration) {
        sleep(time).await;
        if wire.is_cut() {
            std::future::pending::<()>().await;
        }
    }
}

impl Network for MemoryNetwork {
    type Stream = Pipe;

    async fn resolve(&self, host: &str, _: u16, family: Family) -> Result<Vec<IpAddr>, NetworkError> {
        let wire = self.wire();
        let is_new = self.names.lock().unwrap().insert((host.to_owned(), family));
        if family == Family::V4 && (is_new || !matches!(self.resolver, Resolver::Caching)) {
            self.events.lock().unwrap().lookups.push(host.to_owned());
        }
        match &self.resolver {
            Resolver::Caching if !is_new => {}
            Resolver::Async | Resolver::Caching => self.wait(&wire, ROUND_TRIP).await,
            Resolver::Blocking { threads, mute } => {
                let work = match family {
                    Family::V4 => Work::CellularV4,
                    Family::V6 => Work::CellularV6,
                };
                let (_share, thread) = threads.admit(work).await.unwrap();
                let takes = if family == *mute { Duration::from_secs(20) } else { ROUND_TRIP };
                let lookup = tokio::spawn(async move {
                    sleep(takes).await;
                    drop(thread);
                });
                lookup.await.unwrap();
            }
        }
        match if family == Family::V4 { self.hosts.lookup(host) } else { Lookup::Usual } {
            Lookup::Usual => {}
            Lookup::Slow(time) => self.wait(&wire, time).await,
            Lookup::Fails(error) => return Err(error),
            Lookup::Finds(addresses) => return Ok(addresses),
        }
        let address = self.address_of(host).ok_or(NetworkError::Failed)?;
        let serves_v6 = matches!(self.resolver, Resolver::Blocking { mute: Family::V4, .. });
        Ok(match (family, address) {
            (Family::V4, address) => vec![address],
            (Family::V6, IpAddr::V4(ip)) if serves_v6 => vec![ip.to_ipv6_mapped().into()],
            (Family::V6, _) => Vec::new(),
        })
    }

    async fn connect(&self, address: SocketAddr) -> Result<Pipe, NetworkError> {
        let name = self.name_of(address.ip().to_canonical()).ok_or(NetworkError::Unreachable)?;
        self.events.lock().unwrap().connections.push(name.clone());
        let wire = self.wire();
        match self.hosts.reachability(&name) {
            Reachability::Open => {}
            Reachability::Slow(time) => self.wait(&wire, time).await,
            Reachability::Unreachable => return Err(NetworkError::Unreachable),
            Reachability::BlackHole => std::future::pending().await,
            Reachability::Refused | Reachability::Unknown => {
                sleep(ROUND_TRIP).await;
                return Err(NetworkError::Failed);
            }
        }
        self.wait(&wire, ROUND_TRIP).await;
        let (client, server) = pipe::connection(ROUND_TRIP, self.nagle, wire, self.first_writes.clone());
        let (hosts, events) = (self.hosts.clone(), self.events.clone());
        events.lock().unwrap().open += 1;
        tokio::spawn(async move {
            server::converse(server, name, address.port() == 443, hosts).await;
            events.lock().unwrap().open -= 1;
        });
        Ok(client)
    }

    fn check(&self) -> Result<(), Unusable> {
        if self.attachment.lock().unwrap().is_up { Ok(()) } else { Err(Unusable::InterfaceDown) }
    }

    fn local_addresses(&self) -> Option<LocalAddresses> {
        self.attachment.lock().unwrap().addresses
    }
}
