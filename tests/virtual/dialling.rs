//! Happy Eyeballs (RFC 8305): which address is tried at which time, on the virtual clock, and the
//! outcome.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use http::HeaderMap;
use number_verify::internals::{
    AllowedHosts, Family, Limits, Network, NetworkError, Repeat, Restrictions, Threads, Timings, Tls, Transport,
    TransportError, Unusable,
};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant, sleep};
use url::Url;

use crate::pipe::{self, Nagle, Pipe, Wire};
use crate::server::CERTIFICATES;

/// The results of the lookups, and when they arrive, in milliseconds.
#[derive(Clone, Copy)]
struct LookupResults {
    v6: (u64, Result<&'static [&'static str], NetworkError>),
    v4: (u64, Result<&'static [&'static str], NetworkError>),
}

const NO_SUCH_NAME: Result<&[&str], NetworkError> = Err(NetworkError::Failed);
const NEVER: u64 = 3_600_000;

/// The last part of an address encodes how long connecting to it takes, in milliseconds; some
/// addresses refuse, some never respond.
fn connect_outcome(ip: IpAddr) -> (u64, Result<(), NetworkError>) {
    let last = match ip {
        IpAddr::V4(ip) => u64::from(ip.octets()[3]),
        IpAddr::V6(ip) => u64::from(ip.segments()[7]),
    };
    match last {
        1 => (20, Err(NetworkError::Failed)),
        2 => (NEVER, Ok(())),
        3 => (0, Err(NetworkError::Unreachable)),
        4 => (0, Err(NetworkError::Denied)),
        took => (took, Ok(())),
    }
}

struct Scripted {
    lookups: LookupResults,
    began: Instant,
    attempts: Arc<Mutex<Vec<String>>>,
}

impl Network for Scripted {
    type Stream = Pipe;

    async fn resolve(&self, host: &str, _: u16, family: Family) -> Result<Vec<IpAddr>, NetworkError> {
        if host == "ipv4only.arpa" {
            let translated = ["64:ff9b::c000:aa".parse().unwrap()];
            return Ok(if family == Family::V6 { translated.to_vec() } else { Vec::new() });
        }
        let (after, result) = if family == Family::V6 { self.lookups.v6 } else { self.lookups.v4 };
        sleep(Duration::from_millis(after)).await;
        Ok(result?.iter().map(|ip| ip.parse().unwrap()).collect())
    }

    async fn connect(&self, address: SocketAddr) -> Result<Pipe, NetworkError> {
        let at = self.began.elapsed().as_millis();
        self.attempts.lock().unwrap().push(format!("{at} {}", address.ip()));
        let (after, outcome) = connect_outcome(address.ip());
        sleep(Duration::from_millis(after)).await;
        outcome?;
        let (client, mut server) =
            pipe::connection(Duration::ZERO, Nagle::Off, Wire::default(), mpsc::unbounded_channel().0);
        tokio::spawn(async move {
            let _ = server.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
            std::future::pending::<()>().await;
        });
        Ok(client)
    }

    fn check(&self) -> Result<(), Unusable> {
        Ok(())
    }
}

/// The attempts with their times, and the outcome.
async fn dial(url: &str, lookups: LookupResults) -> (Vec<String>, Result<(), TransportError>, Timings) {
    dial_only(None, url, lookups).await
}

async fn dial_only(
    family: Option<Family>,
    url: &str,
    lookups: LookupResults,
) -> (Vec<String>, Result<(), TransportError>, Timings) {
    let attempts = Arc::<Mutex<Vec<String>>>::default();
    let network = Scripted { lookups, began: Instant::now(), attempts: attempts.clone() };
    let tls = Tls::new(std::slice::from_ref(&CERTIFICATES.root_pem), None, Threads::new()).unwrap();
    let limits = Limits { connect: Duration::from_secs(5), response: Duration::from_secs(8), body: 64 * 1024 };
    let transport = Transport::new(network, &tls, limits, AllowedHosts::default());
    let mut timings = Timings::default();
    let restrictions = Restrictions { family, max_tls: None };
    let url = Url::parse(url).unwrap();
    let outcome = transport.get(&url, restrictions, HeaderMap::new(), Repeat::Once, &mut timings).await;
    let attempts = attempts.lock().unwrap().clone();
    (attempts, outcome.map(drop), timings)
}

#[tokio::test(start_paused = true)]
#[rustfmt::skip] // one row, one line
async fn addresses_and_attempts() {
    let both = |v6, v4| LookupResults { v6, v4 };
    let none: Result<&[&str], NetworkError> = Ok(&[]);
    for (name, lookups, attempts, outcome) in [
        ("IPv6 first", both((30, Ok(&["2001:db8::40"])), (30, Ok(&["192.0.2.40"]))), vec!["30 2001:db8::40"], Ok(())),
        ("IPv4 waits 50 ms for IPv6", both((NEVER, none), (30, Ok(&["192.0.2.40"]))), vec!["80 192.0.2.40"], Ok(())),
        ("no wait if IPv6 has no address", both((30, none), (30, Ok(&["192.0.2.40"]))), vec!["30 192.0.2.40"], Ok(())),
        ("no wait if IPv6 failed", both((40, NO_SUCH_NAME), (30, Ok(&["192.0.2.40"]))), vec!["40 192.0.2.40"], Ok(())),
        ("IPv6 within the 50 ms", both((60, Ok(&["2001:db8::40"])), (30, Ok(&["192.0.2.40"]))), vec!["60 2001:db8::40"], Ok(())),
        ("IPv6 does not wait", both((30, Ok(&["2001:db8::40"])), (NEVER, none)), vec!["30 2001:db8::40"], Ok(())),
        ("IPv6 alone", both((30, Ok(&["2001:db8::40"])), (30, NO_SUCH_NAME)), vec!["30 2001:db8::40"], Ok(())),
        ("the next starts after 250 ms", both((0, Ok(&["2001:db8::2"])), (0, Ok(&["192.0.2.40"]))), vec!["0 2001:db8::2", "250 192.0.2.40"], Ok(())),
        ("a refused connection starts the next immediately", both((0, Ok(&["2001:db8::1"])), (0, Ok(&["192.0.2.40"]))), vec!["0 2001:db8::1", "20 192.0.2.40"], Ok(())),
        ("families alternate", both((0, Ok(&["2001:db8::3", "2001:db8::1"])), (0, Ok(&["192.0.2.1", "192.0.2.40"]))), vec!["0 2001:db8::3", "0 192.0.2.1", "20 2001:db8::1", "40 192.0.2.40"], Ok(())),
        ("four of each family", both((0, Ok(&["2001:db8::3", "2001:db8::1:3", "2001:db8::2:3", "2001:db8::3:3", "2001:db8::28"])), (0, Ok(&["192.0.2.3", "192.0.3.3", "192.0.4.3", "192.0.5.3", "192.0.2.40"]))), vec!["0 2001:db8::3", "0 192.0.2.3", "0 2001:db8::1:3", "0 192.0.3.3", "0 2001:db8::2:3", "0 192.0.4.3", "0 2001:db8::3:3", "0 192.0.5.3"], Err(TransportError::Connect)),
        ("only allowed addresses are counted", both((0, none), (0, Ok(&["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "192.0.2.40"]))), vec!["0 192.0.2.40"], Ok(())),
        ("a slow one may still win", both((0, Ok(&["2001:db8::2bc"])), (0, Ok(&["192.0.2.2"]))), vec!["0 2001:db8::2bc", "250 192.0.2.2"], Ok(())),
        ("all refused", both((0, Ok(&["2001:db8::1"])), (0, Ok(&["192.0.2.1"]))), vec!["0 2001:db8::1", "20 192.0.2.1"], Err(TransportError::Connect)),
        ("forbidden by the system", both((0, Ok(&["2001:db8::4"])), (0, Ok(&["192.0.2.4"]))), vec!["0 2001:db8::4", "0 192.0.2.4"], Err(TransportError::Unavailable(Unusable::Denied))),
        ("one family forbidden by the system", both((0, Ok(&["2001:db8::4"])), (0, Ok(&["192.0.2.40"]))), vec!["0 2001:db8::4", "0 192.0.2.40"], Ok(())),
        ("no response", both((0, Ok(&["2001:db8::2"])), (0, Ok(&["192.0.2.2"]))), vec!["0 2001:db8::2", "250 192.0.2.2"], Err(TransportError::Timeout)),
        ("no such name", both((30, NO_SUCH_NAME), (30, NO_SUCH_NAME)), vec![], Err(TransportError::Dns)),
        ("no address", both((30, none), (30, none)), vec![], Err(TransportError::Dns)),
        ("silent name server", both((NEVER, none), (NEVER, none)), vec![], Err(TransportError::Timeout)),
        ("only forbidden addresses", both((0, Ok(&["::1", "fe80::40"])), (0, Ok(&["127.0.0.1"]))), vec![], Err(TransportError::ForbiddenAddress)),
        ("forbidden addresses are skipped", both((0, Ok(&["::1"])), (0, Ok(&["127.0.0.1", "10.0.0.40"]))), vec!["0 10.0.0.40"], Ok(())),
    ] {
        let (attempted, got, _) = dial("http://op.test/", lookups).await;
        assert_eq!((attempted, got), (attempts.iter().map(|&attempt| attempt.to_owned()).collect(), outcome), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn address_literals() {
    let lookups = LookupResults { v6: (0, NO_SUCH_NAME), v4: (0, NO_SUCH_NAME) };
    for (url, attempts, outcome) in [
        ("http://192.0.2.40/", vec!["0 192.0.2.40"], Ok(())),
        ("http://[2001:db8::40]/", vec!["0 2001:db8::40"], Ok(())),
        ("http://192.0.2.1/", vec!["0 192.0.2.1"], Err(TransportError::Connect)),
        ("http://127.0.0.1/", vec![], Err(TransportError::ForbiddenAddress)),
        // No route to IPv4: connects through the network's NAT64 (RFC 7050).
        ("http://192.0.2.3/", vec!["0 192.0.2.3", "0 64:ff9b::c000:203"], Ok(())),
    ] {
        let (attempted, got, _) = dial(url, lookups).await;
        assert_eq!((attempted, got), (attempts.iter().map(|&attempt| attempt.to_owned()).collect(), outcome), "{url}");
    }
}

/// The other family is not looked up; an address without a route is still reached through NAT64.
#[tokio::test(start_paused = true)]
#[rustfmt::skip] // one row, one line
async fn one_family_is_used_exclusively() {
    let both = |v6, v4| LookupResults { v6, v4 };
    let (v4, v6) = (Family::V4, Family::V6);
    for (name, only, url, lookups, attempts, reached) in [
        ("IPv4", v4, "http://op.test/", both((0, Ok(&["2001:db8::28"])), (30, Ok(&["192.0.2.40"]))), vec!["30 192.0.2.40"], Ok(v4)),
        ("IPv6", v6, "http://op.test/", both((30, Ok(&["2001:db8::28"])), (0, Ok(&["192.0.2.40"]))), vec!["30 2001:db8::28"], Ok(v6)),
        ("IPv6, host has no IPv6", v6, "http://op.test/", both((0, Ok(&[])), (0, Ok(&["192.0.2.40"]))), vec![], Err(TransportError::Dns)),
        ("IPv6 connection refused", v6, "http://op.test/", both((0, Ok(&["2001:db8::1"])), (0, Ok(&["192.0.2.40"]))), vec!["0 2001:db8::1"], Err(TransportError::Connect)),
        ("IPv4, phone has no IPv4", v4, "http://op.test/", both((0, Ok(&["2001:db8::28"])), (0, Ok(&["192.0.2.3"]))), vec!["0 192.0.2.3", "0 64:ff9b::c000:203"], Ok(v6)),
        ("forbidden IPv4", v4, "http://op.test/", both((0, Ok(&["2001:db8::28"])), (0, Ok(&["127.0.0.1"]))), vec![], Err(TransportError::ForbiddenAddress)),
        ("a literal keeps its family", v4, "http://[2001:db8::28]/", both((0, NO_SUCH_NAME), (0, NO_SUCH_NAME)), vec!["0 2001:db8::28"], Ok(v6)),
    ] {
        let (attempted, outcome, timings) = dial_only(Some(only), url, lookups).await;
        let expected = attempts.iter().map(|&attempt| attempt.to_owned()).collect();
        assert_eq!((attempted, outcome.map(|()| timings.family.unwrap())), (expected, reached), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn trace_has_the_times() {
    let lookups = LookupResults { v6: (30, Ok(&["2001:db8::1"])), v4: (30, Ok(&["192.0.2.40"])) };
    let ms = Duration::from_millis;
    let (_, _, timings) = dial("http://op.test/", lookups).await;
    assert_eq!((timings.dns, timings.connect), (Some(ms(30)), Some(ms(20 + 40))));
    let known = LookupResults { v6: (0, Ok(&[])), v4: (0, Ok(&["192.0.2.40"])) };
    let (_, _, timings) = dial("http://192.0.2.40/", known).await;
    assert_eq!((timings.dns, timings.connect), (None, Some(ms(40))));
    let silent = LookupResults { v6: (NEVER, Ok(&[])), v4: (NEVER, Ok(&[])) };
    let (_, _, timings) = dial("http://op.test/", silent).await;
    assert_eq!((timings.dns, timings.connect), (Some(ms(5000)), None));
}
