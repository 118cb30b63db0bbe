//! A TCP connection without a kernel: bytes arrive half a round trip after they were written.
//!
//! `TCP_NODELAY` is the default. With Nagle's algorithm (RFC 9293, section 3.7.4) a small segment
//! waits until all earlier data is acknowledged; acknowledgements are not delayed, which favours
//! Nagle.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant, Sleep, sleep_until};

const SEGMENT: usize = 1400;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nagle {
    Off,
    On,
}

/// The medium of the connections. Once it is cut, nothing arrives, not even the end of a
/// connection.
#[derive(Debug, Clone, Default)]
pub struct Wire(Arc<AtomicBool>);

impl Wire {
    pub fn cut(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_cut(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

struct Segment {
    arrives: Instant,
    content: Content,
}

enum Content {
    Data(Bytes),
    Reset,
}

/// One end of a connection.
pub struct Pipe {
    one_way: Duration,
    nagle: Nagle,
    acknowledged: Instant,
    first_write: Option<mpsc::UnboundedSender<usize>>,
    outgoing: Option<mpsc::UnboundedSender<Segment>>,
    incoming: mpsc::UnboundedReceiver<Segment>,
    in_transit: Option<(Segment, Pin<Box<Sleep>>)>,
    arrived: Bytes,
    wire: Wire,
    end: End,
}

/// The end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Client,
    /// It notices that the client has closed the connection, even over a cut wire: tests count open
    /// connections.
    Server,
}

/// A connection: the client's end and the server's. The size of the client's first write is sent to
/// the channel.
pub fn connection(
    round_trip: Duration,
    nagle: Nagle,
    wire: Wire,
    first_write: mpsc::UnboundedSender<usize>,
) -> (Pipe, Pipe) {
    let (to_server, from_client) = mpsc::unbounded_channel();
    let (to_client, from_server) = mpsc::unbounded_channel();
    let pipe = |end, outgoing, incoming, nagle, first_write| Pipe {
        one_way: round_trip / 2,
        nagle,
        acknowledged: Instant::now(),
        first_write,
        outgoing: Some(outgoing),
        incoming,
        in_transit: None,
        arrived: Bytes::new(),
        wire: wire.clone(),
        end,
    };
    let client = pipe(End::Client, to_server, from_server, nagle, Some(first_write));
    (client, pipe(End::Server, to_client, from_client, Nagle::Off, None))
}

impl Pipe {
    /// The peer's next read fails.
    pub fn reset(&mut self) {
        let _ = self.send(Content::Reset, SEGMENT);
        self.outgoing = None;
    }

    fn send(&mut self, content: Content, length: usize) -> io::Result<()> {
        let now = Instant::now();
        let waits = self.nagle == Nagle::On && length < SEGMENT && self.acknowledged > now;
        let leaves = if waits { self.acknowledged } else { now };
        self.acknowledged = leaves + 2 * self.one_way;
        let segment = Segment { arrives: leaves + self.one_way, content };
        let sent = self.outgoing.as_ref().is_some_and(|peer| peer.send(segment).is_ok());
        if sent { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }
}

impl AsyncRead for Pipe {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if !self.arrived.is_empty() {
                let length = self.arrived.len().min(buffer.remaining());
                buffer.put_slice(&self.arrived[..length]);
                self.arrived.advance(length);
                return Poll::Ready(Ok(()));
            }
            if let Some((_, sleep)) = &mut self.in_transit {
                ready!(sleep.as_mut().poll(cx));
                if self.wire.is_cut() {
                    self.in_transit = None;
                    continue;
                }
                match self.in_transit.take().map(|(segment, _)| segment.content) {
                    Some(Content::Data(data)) => self.arrived = data,
                    _ => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                }
                continue;
            }
            match ready!(self.incoming.poll_recv(cx)) {
                Some(segment) => {
                    let sleep = Box::pin(sleep_until(segment.arrives));
                    self.in_transit = Some((segment, sleep));
                }
                None if self.wire.is_cut() && self.end == End::Client => return Poll::Pending,
                None => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    /// Data of one vectored write is sent in one segment.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let length = bytes.len();
        if let Some(first_write) = self.first_write.take() {
            let _ = first_write.send(length);
        }
        Poll::Ready(self.send(Content::Data(bytes.into()), length).map(|()| length))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing = None;
        Poll::Ready(Ok(()))
    }
}
