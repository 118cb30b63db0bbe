//! Happy Eyeballs (RFC 8305): which address is tried when, on the virtual clock, and what comes of it.

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

/// When the lookups of a name are answered, in milliseconds, and with what.
#[derive(Clone, Copy)]
struct Answers {
    v6: (u64, Result<&'static [&'static str], NetworkError>),
    v4: (u64, Result<&'static [&'static str], NetworkError>),
}

const NO_SUCH_NAME: Result<&[&str], NetworkError> = Err(NetworkError::Failed);
const NEVER: u64 = 3_600_000;

/// An address ends with how long a connection to it takes, in milliseconds; some refuse, some never answer.
fn door(ip: IpAddr) -> (u64, Result<(), NetworkError>) {
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
    answers: Answers,
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
        let (after, answer) = if family == Family::V6 { self.answers.v6 } else { self.answers.v4 };
        sleep(Duration::from_millis(after)).await;
        Ok(answer?.iter().map(|ip| ip.parse().unwrap()).collect())
    }

    async fn connect(&self, address: SocketAddr) -> Result<Pipe, NetworkError> {
        let at = self.began.elapsed().as_millis();
        self.attempts.lock().unwrap().push(format!("{at} {}", address.ip()));
        let (after, outcome) = door(address.ip());
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

/// The attempts, each with its time, and the outcome.
async fn dial(url: &str, answers: Answers) -> (Vec<String>, Result<(), TransportError>, Timings) {
    dial_only(None, url, answers).await
}

async fn dial_only(
    family: Option<Family>,
    url: &str,
    answers: Answers,
) -> (Vec<String>, Result<(), TransportError>, Timings) {
    let attempts = Arc::<Mutex<Vec<String>>>::default();
    let network = Scripted { answers, began: Instant::now(), attempts: attempts.clone() };
    let tls = Tls::new(std::slice::from_ref(&CERTIFICATES.root_pem), None, Threads::new()).unwrap();
    let limits = Limits { connect: Duration::from_secs(5), answer: Duration::from_secs(8), body: 64 * 1024 };
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
async fn names() {
    let both = |v6, v4| Answers { v6, v4 };
    let none: Result<&[&str], NetworkError> = Ok(&[]);
    for (name, answers, attempts, outcome) in [
        ("IPv6 first", both((30, Ok(&["2001:db8::40"])), (30, Ok(&["192.0.2.40"]))), vec!["30 2001:db8::40"], Ok(())),
        ("IPv4 waits 50 ms for IPv6", both((NEVER, none), (30, Ok(&["192.0.2.40"]))), vec!["80 192.0.2.40"], Ok(())),
        ("and not when IPv6 has none", both((30, none), (30, Ok(&["192.0.2.40"]))), vec!["30 192.0.2.40"], Ok(())),
        ("and not when IPv6 failed", both((40, NO_SUCH_NAME), (30, Ok(&["192.0.2.40"]))), vec!["40 192.0.2.40"], Ok(())),
        ("IPv6 within the 50 ms", both((60, Ok(&["2001:db8::40"])), (30, Ok(&["192.0.2.40"]))), vec!["60 2001:db8::40"], Ok(())),
        ("IPv6 waits for nothing", both((30, Ok(&["2001:db8::40"])), (NEVER, none)), vec!["30 2001:db8::40"], Ok(())),
        ("IPv6 alone", both((30, Ok(&["2001:db8::40"])), (30, NO_SUCH_NAME)), vec!["30 2001:db8::40"], Ok(())),
        ("the next begins after 250 ms", both((0, Ok(&["2001:db8::2"])), (0, Ok(&["192.0.2.40"]))), vec!["0 2001:db8::2", "250 192.0.2.40"], Ok(())),
        ("a refusal begins the next at once", both((0, Ok(&["2001:db8::1"])), (0, Ok(&["192.0.2.40"]))), vec!["0 2001:db8::1", "20 192.0.2.40"], Ok(())),
        ("families take turns", both((0, Ok(&["2001:db8::3", "2001:db8::1"])), (0, Ok(&["192.0.2.1", "192.0.2.40"]))), vec!["0 2001:db8::3", "0 192.0.2.1", "20 2001:db8::1", "40 192.0.2.40"], Ok(())),
        ("four of each family", both((0, Ok(&["2001:db8::3", "2001:db8::1:3", "2001:db8::2:3", "2001:db8::3:3", "2001:db8::28"])), (0, Ok(&["192.0.2.3", "192.0.3.3", "192.0.4.3", "192.0.5.3", "192.0.2.40"]))), vec!["0 2001:db8::3", "0 192.0.2.3", "0 2001:db8::1:3", "0 192.0.3.3", "0 2001:db8::2:3", "0 192.0.4.3", "0 2001:db8::3:3", "0 192.0.5.3"], Err(TransportError::Connect)),
        ("of those that may be connected to", both((0, none), (0, Ok(&["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "192.0.2.40"]))), vec!["0 192.0.2.40"], Ok(())),
        ("a slow one may still win", both((0, Ok(&["2001:db8::2bc"])), (0, Ok(&["192.0.2.2"]))), vec!["0 2001:db8::2bc", "250 192.0.2.2"], Ok(())),
        ("all refused", both((0, Ok(&["2001:db8::1"])), (0, Ok(&["192.0.2.1"]))), vec!["0 2001:db8::1", "20 192.0.2.1"], Err(TransportError::Connect)),
        ("the system forbids it", both((0, Ok(&["2001:db8::4"])), (0, Ok(&["192.0.2.4"]))), vec!["0 2001:db8::4", "0 192.0.2.4"], Err(TransportError::Unavailable(Unusable::Denied))),
        ("it forbids one family", both((0, Ok(&["2001:db8::4"])), (0, Ok(&["192.0.2.40"]))), vec!["0 2001:db8::4", "0 192.0.2.40"], Ok(())),
        ("nobody answers", both((0, Ok(&["2001:db8::2"])), (0, Ok(&["192.0.2.2"]))), vec!["0 2001:db8::2", "250 192.0.2.2"], Err(TransportError::Timeout)),
        ("no such name", both((30, NO_SUCH_NAME), (30, NO_SUCH_NAME)), vec![], Err(TransportError::Dns)),
        ("no address", both((30, none), (30, none)), vec![], Err(TransportError::Dns)),
        ("silent name server", both((NEVER, none), (NEVER, none)), vec![], Err(TransportError::Timeout)),
        ("only addresses that are refused", both((0, Ok(&["::1", "fe80::40"])), (0, Ok(&["127.0.0.1"]))), vec![], Err(TransportError::ForbiddenAddress)),
        ("those are left out", both((0, Ok(&["::1"])), (0, Ok(&["127.0.0.1", "10.0.0.40"]))), vec!["0 10.0.0.40"], Ok(())),
    ] {
        let (attempted, got, _) = dial("http://op.test/", answers).await;
        assert_eq!((attempted, got), (attempts.iter().map(|&attempt| attempt.to_owned()).collect(), outcome), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn literals() {
    let answers = Answers { v6: (0, NO_SUCH_NAME), v4: (0, NO_SUCH_NAME) };
    for (url, attempts, outcome) in [
        ("http://192.0.2.40/", vec!["0 192.0.2.40"], Ok(())),
        ("http://[2001:db8::40]/", vec!["0 2001:db8::40"], Ok(())),
        ("http://192.0.2.1/", vec!["0 192.0.2.1"], Err(TransportError::Connect)),
        ("http://127.0.0.1/", vec![], Err(TransportError::ForbiddenAddress)),
        // No route to IPv4: by the network's NAT64 (RFC 7050).
        ("http://192.0.2.3/", vec!["0 192.0.2.3", "0 64:ff9b::c000:203"], Ok(())),
    ] {
        let (attempted, got, _) = dial(url, answers).await;
        assert_eq!((attempted, got), (attempts.iter().map(|&attempt| attempt.to_owned()).collect(), outcome), "{url}");
    }
}

/// The other family's name is not even asked for; one that has no route is reached through NAT64 nevertheless.
#[tokio::test(start_paused = true)]
#[rustfmt::skip] // one row, one line
async fn one_family() {
    let both = |v6, v4| Answers { v6, v4 };
    let (v4, v6) = (Family::V4, Family::V6);
    for (name, only, url, answers, attempts, reached) in [
        ("IPv4", v4, "http://op.test/", both((0, Ok(&["2001:db8::28"])), (30, Ok(&["192.0.2.40"]))), vec!["30 192.0.2.40"], Ok(v4)),
        ("IPv6", v6, "http://op.test/", both((30, Ok(&["2001:db8::28"])), (0, Ok(&["192.0.2.40"]))), vec!["30 2001:db8::28"], Ok(v6)),
        ("IPv6 that the host has not", v6, "http://op.test/", both((0, Ok(&[])), (0, Ok(&["192.0.2.40"]))), vec![], Err(TransportError::Dns)),
        ("IPv6 that refuses", v6, "http://op.test/", both((0, Ok(&["2001:db8::1"])), (0, Ok(&["192.0.2.40"]))), vec!["0 2001:db8::1"], Err(TransportError::Connect)),
        ("IPv4 that the phone has not", v4, "http://op.test/", both((0, Ok(&["2001:db8::28"])), (0, Ok(&["192.0.2.3"]))), vec!["0 192.0.2.3", "0 64:ff9b::c000:203"], Ok(v6)),
        ("IPv4 that is refused", v4, "http://op.test/", both((0, Ok(&["2001:db8::28"])), (0, Ok(&["127.0.0.1"]))), vec![], Err(TransportError::ForbiddenAddress)),
        ("a literal keeps its family", v4, "http://[2001:db8::28]/", both((0, NO_SUCH_NAME), (0, NO_SUCH_NAME)), vec!["0 2001:db8::28"], Ok(v6)),
    ] {
        let (attempted, outcome, timings) = dial_only(Some(only), url, answers).await;
        let expected = attempts.iter().map(|&attempt| attempt.to_owned()).collect();
        assert_eq!((attempted, outcome.map(|()| timings.family.unwrap())), (expected, reached), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn times() {
    let answers = Answers { v6: (30, Ok(&["2001:db8::1"])), v4: (30, Ok(&["192.0.2.40"])) };
    let ms = Duration::from_millis;
    let (_, _, timings) = dial("http://op.test/", answers).await;
    assert_eq!((timings.dns, timings.connect), (Some(ms(30)), Some(ms(20 + 40))));
    let known = Answers { v6: (0, Ok(&[])), v4: (0, Ok(&["192.0.2.40"])) };
    let (_, _, timings) = dial("http://192.0.2.40/", known).await;
    assert_eq!((timings.dns, timings.connect), (None, Some(ms(40))));
    let silent = Answers { v6: (NEVER, Ok(&[])), v4: (NEVER, Ok(&[])) };
    let (_, _, timings) = dial("http://op.test/", silent).await;
    assert_eq!((timings.dns, timings.connect), (Some(ms(5000)), None));
}
