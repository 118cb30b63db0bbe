//! From a host to a connection: the responses of name servers, their timing, and the outcomes of
//! connections. A name server may change its response between two lookups of a host name (DNS
//! rebinding), and return forbidden addresses in any form, including NAT64.
#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use std::{fmt, io};

use arbitrary::Arbitrary;
use http::HeaderMap;
use libfuzzer_sys::fuzz_target;
use number_verify::internals::{
    AllowedHosts, Family, Limits, Network, NetworkError, Repeat, Restrictions, Threads, Timings, Tls, Transport,
    Unusable, is_forbidden,
};
use number_verify_fuzz::{run, twice};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep};
use url::Url;

const LIMIT: Duration = Duration::from_secs(5);
/// For each family.
const ADDRESSES: usize = 4;

#[derive(Debug, Arbitrary)]
struct Case {
    requests: Vec<Destination>,
    is_exempt: bool,
    only: Option<bool>,
    lookups: Vec<Lookup>,
    connections: Vec<Connection>,
}

#[derive(Debug, Arbitrary)]
enum Destination {
    Name,
    Other,
    V4([u8; 4]),
    V6([u8; 16]),
}

/// A response of a name server; responses arrive in this order, regardless of the query.
#[derive(Debug, Clone, Arbitrary)]
struct Lookup {
    fails: bool,
    delay: u8,
    addresses: Vec<Address>,
}

#[derive(Debug, Clone, Arbitrary)]
enum Address {
    V4([u8; 4]),
    V6([u8; 16]),
    /// 192.0.0.170 with a prefix: a response for `ipv4only.arpa`.
    Nat64([u8; 12]),
    Mapped([u8; 4]),
    WellKnown([u8; 4]),
    Loopback,
    LinkLocal([u8; 2]),
    Public(u8),
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Outcome {
    Opens,
    Fails,
    Unreachable,
    Denied,
    Silent,
}

#[derive(Debug, Clone, Arbitrary)]
struct Connection {
    outcome: Outcome,
    delay: u8,
}

fuzz_target!(|case: Case| {
    twice(|| run(play(&case)));
});

async fn play(case: &Case) -> Vec<String> {
    static TLS: LazyLock<Tls> = LazyLock::new(|| Tls::new(&[], None, Threads::new()).expect("TLS"));
    let began = Instant::now();
    let events = Arc::<Mutex<Vec<String>>>::default();
    let exempt: Vec<_> = case.is_exempt.then(|| ("op.test".to_owned(), 80)).into_iter().collect();
    let network = Memory {
        began,
        may_forbidden: case.is_exempt,
        lookups: Mutex::new(case.lookups.iter().rev().cloned().collect()),
        connections: Mutex::new(case.connections.iter().rev().cloned().collect()),
        events: events.clone(),
    };
    let limits = Limits { connect: LIMIT, response: LIMIT, body: 64 * 1024 };
    let transport = Transport::new(network, &TLS, limits, AllowedHosts::these(exempt));
    let family = case.only.map(|is_v4| if is_v4 { Family::V4 } else { Family::V6 });
    for request in case.requests.iter().take(4) {
        let mut timings = Timings::default();
        let (before, sent) = (Instant::now(), format!("{request:?}"));
        let url = Url::parse(&request.url()).expect("a URL");
        let restrictions = Restrictions { family, max_tls: None };
        let outcome = transport.get(&url, restrictions, HeaderMap::new(), Repeat::Once, &mut timings).await;
        assert!(before.elapsed() <= 4 * LIMIT, "{sent} took {:?}", before.elapsed());
        let outcome = outcome.map(|response| response.status());
        events.lock().expect("events").push(format!("{sent} {outcome:?} {:?}", before.elapsed()));
    }
    let events = std::mem::take(&mut *events.lock().expect("events"));
    // At most two attempts per request, each with the addresses of both families, and a translated
    // one for each.
    let attempts = events.iter().filter(|event| event.starts_with("connect")).count();
    assert!(attempts <= case.requests.len() * 2 * (2 * ADDRESSES) * 2, "{events:?}");
    events
}

impl Destination {
    fn url(&self) -> String {
        match self {
            Self::Name => "http://op.test/".to_owned(),
            Self::Other => "http://other.test/".to_owned(),
            Self::V4(octets) => format!("http://{}/", Ipv4Addr::from(*octets)),
            Self::V6(octets) => format!("http://[{}]/", Ipv6Addr::from(*octets)),
        }
    }
}

impl Address {
    fn ip(&self) -> IpAddr {
        match self {
            Self::V4(octets) => Ipv4Addr::from(*octets).into(),
            Self::V6(octets) => Ipv6Addr::from(*octets).into(),
            Self::Nat64(prefix) => {
                let mut octets = [0; 16];
                octets[..12].copy_from_slice(prefix);
                octets[12..].copy_from_slice(&[192, 0, 0, 170]);
                Ipv6Addr::from(octets).into()
            }
            Self::Mapped(octets) => Ipv4Addr::from(*octets).to_ipv6_mapped().into(),
            Self::WellKnown([a, b, c, d]) => {
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]))
                    .into()
            }
            Self::Loopback => Ipv4Addr::LOCALHOST.into(),
            Self::LinkLocal([a, b]) => Ipv4Addr::new(169, 254, *a, *b).into(),
            Self::Public(last) => Ipv4Addr::new(198, 51, 100, *last).into(),
        }
    }
}

/// A network whose name servers and hosts behave as the case specifies.
struct Memory {
    began: Instant,
    may_forbidden: bool,
    lookups: Mutex<Vec<Lookup>>,
    connections: Mutex<Vec<Connection>>,
    events: Arc<Mutex<Vec<String>>>,
}

impl Memory {
    fn note(&self, event: fmt::Arguments<'_>) {
        self.events.lock().expect("events").push(format!("{event} {:?}", self.began.elapsed()));
    }
}

impl Network for Memory {
    type Stream = Closed;

    async fn resolve(&self, host: &str, _: u16, family: Family) -> Result<Vec<IpAddr>, NetworkError> {
        let Some(lookup) = self.lookups.lock().expect("lookups").pop() else { return Ok(Vec::new()) };
        self.note(format_args!("resolve {host} {family:?}"));
        sleep(Duration::from_millis(u64::from(lookup.delay) * 30)).await;
        if lookup.fails {
            return Err(NetworkError::Failed);
        }
        Ok(lookup.addresses.iter().map(Address::ip).collect())
    }

    async fn connect(&self, address: SocketAddr) -> Result<Closed, NetworkError> {
        self.note(format_args!("connect {address}"));
        assert!(self.may_forbidden || !is_forbidden(address.ip()), "{address} is dialled");
        let next = self.connections.lock().expect("connections").pop();
        let Some(connection) = next else { return Err(NetworkError::Failed) };
        sleep(Duration::from_millis(u64::from(connection.delay) * 30)).await;
        match connection.outcome {
            Outcome::Opens => Ok(Closed),
            Outcome::Fails => Err(NetworkError::Failed),
            Outcome::Unreachable => Err(NetworkError::Unreachable),
            Outcome::Denied => Err(NetworkError::Denied),
            Outcome::Silent => std::future::pending().await,
        }
    }

    fn check(&self) -> Result<(), Unusable> {
        Ok(())
    }
}

/// A connection that the peer closes immediately.
struct Closed;

impl AsyncRead for Closed {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Closed {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
