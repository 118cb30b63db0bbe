//! HTTP/1.1 with a server that sends arbitrary bytes: the reader of heads, the client and its pool,
//! content codings.
//!
//! The first line has four numbers: the number of requests, the number of bytes that arrive at
//! once, how the connection ends (0 closes, 1 stalls, 2 resets), and for each request whether its
//! body is discarded (one bit each). The rest is what the server sends. It waits for the next
//! request at 0x1e, and for a second at 0x1f; a new connection continues where the previous one
//! ended.
#![no_main]

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use number_verify::internals::{
    AllowedHosts, Family, Limits, Network, NetworkError, Repeat, Restrictions, Threads, Timings, Tls, Transport,
    Unusable,
};
use number_verify_fuzz::{run, text, twice};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};
use url::Url;

const NEXT_REQUEST: u8 = 0x1e;
const SECOND: u8 = 0x1f;
const LIMIT: Duration = Duration::from_secs(5);
const BODY: usize = 2048;
/// Headers of one response.
const HEADERS: usize = 64 * 1024;

#[derive(Debug, Clone, Copy)]
struct Options {
    requests: usize,
    piece: usize,
    end: usize,
    discards: usize,
}

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let line = text(parts.next().unwrap_or_default());
    let mut numbers = line.split(' ').map(|number| number.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let options = Options { requests: next() % 4 + 1, piece: next(), end: next() % 3, discards: next() };
    let sent = parts.next().unwrap_or_default();
    twice(|| run(play(options, sent)));
});

async fn play(options: Options, sent: &[u8]) -> Vec<String> {
    static TLS: LazyLock<Tls> = LazyLock::new(|| Tls::new(&[], None, Threads::new()).expect("TLS"));
    let server = Server(Arc::new(Mutex::new(State {
        options,
        sent: sent.iter().copied().collect(),
        requests: 0,
        since_request: 0,
        open: 0,
        waker: None,
    })));
    let limits = Limits { connect: LIMIT, response: LIMIT, body: BODY };
    let transport = Transport::new(server.clone(), &TLS, limits, AllowedHosts::default());
    let mut course = Vec::new();
    for index in 0..options.requests {
        let began = Instant::now();
        course.push(exchange(&transport, &server, index, options.discards >> index & 1 == 1).await);
        assert!(began.elapsed() <= 6 * LIMIT, "a request took {:?}", began.elapsed());
    }
    // Reading the rest of a discarded body also ends.
    sleep(2 * LIMIT).await;
    drop(transport);
    tokio::task::yield_now().await;
    assert_eq!(server.state().open, 0, "a connection that stays open");
    course
}

async fn exchange(transport: &Transport<Server>, server: &Server, index: usize, discards: bool) -> String {
    let url = Url::parse(&format!("http://op.test/{index}")).expect("a URL");
    let mut headers = HeaderMap::new();
    headers.insert(http::header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    let mut timings = Timings::default();
    let repeat = if index.is_multiple_of(2) { Repeat::Once } else { Repeat::Never };
    let response = match transport.get(&url, Restrictions::default(), headers, repeat, &mut timings).await {
        Ok(response) => response,
        Err(error) => return format!("{error:?} {} {}", timings.bytes_in(), timings.bytes_out()),
    };
    assert!(server.state().since_request > 0, "a response that arrived before its request");
    let status = response.status().as_u16();
    assert!((200..=599).contains(&status));
    let size: usize = response.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    assert!(size <= HEADERS, "{size} bytes of headers");
    let head = format!("{status} {:?} {} {}", response.headers(), timings.bytes_in(), timings.reused);
    if discards {
        response.discard();
        return head;
    }
    let body = transport.read(response).await;
    assert!(body.as_ref().is_ok_and(|body| body.len() <= BODY) || body.is_err());
    format!("{head} {body:?}")
}

/// The data that the server still has to send, and the requests that it received.
struct State {
    options: Options,
    sent: VecDeque<u8>,
    /// Requests without a response yet.
    requests: usize,
    /// Bytes that arrived since the last request.
    since_request: usize,
    open: usize,
    waker: Option<Waker>,
}

#[derive(Clone)]
struct Server(Arc<Mutex<State>>);

impl Server {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("the state")
    }
}

impl Network for Server {
    type Stream = Stream;

    async fn resolve(&self, _: &str, _: u16, family: Family) -> Result<Vec<IpAddr>, NetworkError> {
        let address = (family == Family::V4).then_some(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)));
        Ok(address.into_iter().collect())
    }

    async fn connect(&self, _: SocketAddr) -> Result<Stream, NetworkError> {
        let mut state = self.state();
        state.requests = 0;
        state.open += 1;
        Ok(Stream { server: self.clone(), pause: None })
    }

    fn check(&self) -> Result<(), Unusable> {
        Ok(())
    }
}

struct Stream {
    server: Server,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.server.state().open -= 1;
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            let server = self.server.clone();
            let mut state = server.state();
            match state.sent.front() {
                None if state.options.end == 1 => return Poll::Pending,
                None if state.options.end == 2 => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                None => return Poll::Ready(Ok(())),
                Some(&SECOND) => {
                    state.sent.pop_front();
                    self.pause = Some(Box::pin(sleep(Duration::from_secs(1))));
                }
                Some(&NEXT_REQUEST) if state.requests == 0 => {
                    state.waker = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                Some(&NEXT_REQUEST) => {
                    state.sent.pop_front();
                    state.requests -= 1;
                }
                Some(_) => {
                    let most = state
                        .options
                        .piece
                        .checked_sub(1)
                        .map_or(usize::MAX, |piece| piece + 1)
                        .min(buffer.remaining());
                    let length = state
                        .sent
                        .iter()
                        .take(most)
                        .take_while(|byte| !matches!(**byte, SECOND | NEXT_REQUEST))
                        .count();
                    let piece: Vec<u8> = state.sent.drain(..length).collect();
                    buffer.put_slice(&piece);
                    state.since_request += length;
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.server.state();
        if bytes.starts_with(b"GET ") {
            state.requests += 1;
            state.since_request = 0;
        }
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
