//! Measures requests: a stream that counts and limits its bytes, and a stopwatch. The values are
//! available at any time, also if the request is interrupted.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::tls::Version;
use crate::network::Family;

/// The measurements of one request. A phase that did not occur is absent.
#[derive(Debug, Clone, Default)]
pub struct Timings {
    /// DNS resolution.
    pub dns: Option<Duration>,
    /// Opening the TCP connection, or waiting for one that is being opened ahead.
    pub connect: Option<Duration>,
    /// The TLS handshake.
    pub tls: Option<Duration>,
    /// From the request to the end of the headers.
    pub first_byte: Option<Duration>,
    /// Whether the connection was used by earlier requests.
    pub reused: bool,
    /// Whether the connection was opened ahead of the request.
    pub opened_ahead: bool,
    /// Whether TLS resumed a session.
    pub tls_resumed: bool,
    /// The family of the connection's address.
    pub family: Option<Family>,
    /// The TLS version; absent for plain http.
    pub tls_version: Option<Version>,
    pub(super) bytes: Bytes,
}

impl Timings {
    /// Bytes received on the socket since this request began.
    #[must_use]
    pub fn bytes_in(&self) -> u64 {
        self.bytes.received()
    }

    /// Bytes sent on the socket since this request began.
    #[must_use]
    pub fn bytes_out(&self) -> u64 {
        self.bytes.sent()
    }
}

/// The byte counters of a stream; clones share them.
#[derive(Debug, Clone)]
pub(super) struct Meter(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    received: AtomicU64,
    sent: AtomicU64,
    /// How many bytes may be received in total.
    receivable: AtomicU64,
    /// The maximum length of the first write.
    first_write: u64,
}

impl Meter {
    pub(super) fn received(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }

    pub(super) fn sent(&self) -> u64 {
        self.0.sent.load(Ordering::Relaxed)
    }

    /// Reading fails beyond this many further bytes.
    pub(super) fn limit(&self, more: u64) {
        self.0.receivable.store(self.received().saturating_add(more), Ordering::Relaxed);
    }

    fn receivable(&self) -> usize {
        let left = self.0.receivable.load(Ordering::Relaxed).saturating_sub(self.received());
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    fn add_received(&self, length: usize) {
        self.0.received.fetch_add(length as u64, Ordering::Relaxed);
    }

    fn add_sent(&self, length: usize) {
        self.0.sent.fetch_add(length as u64, Ordering::Relaxed);
    }
}

/// A stream with a meter.
pub(super) struct Metered<S> {
    stream: S,
    meter: Meter,
}

impl<S> Metered<S> {
    pub(super) fn new(stream: S) -> (Self, Meter) {
        Self::with_first_write_of(stream, u64::MAX)
    }

    /// A first write of more bytes fails and sends nothing.
    pub(super) fn with_first_write_of(stream: S, first_write: u64) -> (Self, Meter) {
        let (received, sent) = (AtomicU64::default(), AtomicU64::default());
        let meter = Meter(Arc::new(Counts { received, sent, receivable: AtomicU64::new(u64::MAX), first_write }));
        (Self { stream, meter: meter.clone() }, meter)
    }

    fn check_first_write(&self, length: usize) -> io::Result<()> {
        let too_long = self.meter.sent() == 0 && length as u64 > self.meter.0.first_write;
        if too_long { Err(io::ErrorKind::InvalidInput.into()) } else { Ok(()) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let receivable = self.meter.receivable();
        if receivable == 0 {
            return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
        }
        let length = buffer.remaining().min(receivable);
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(length));
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut part))?;
        let length = part.filled().len();
        buffer.advance(length);
        self.meter.add_received(length);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check_first_write(bytes.len())?;
        let length = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.meter.add_sent(length);
        Poll::Ready(Ok(length))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_first_write(slices.iter().map(|slice| slice.len()).sum())?;
        let length = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices))?;
        self.meter.add_sent(length);
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Bytes on a connection since a request began.
#[derive(Debug, Clone, Default)]
pub(super) struct Bytes {
    connection: Option<(Meter, u64, u64)>,
}

impl Bytes {
    /// All bytes of a new connection.
    pub(super) fn of_new(meter: &Meter) -> Self {
        Self { connection: Some((meter.clone(), 0, 0)) }
    }

    /// The bytes of a reused connection from now on.
    pub(super) fn from_now(meter: &Meter) -> Self {
        Self { connection: Some((meter.clone(), meter.received(), meter.sent())) }
    }

    pub(super) fn received(&self) -> u64 {
        self.connection.as_ref().map_or(0, |(meter, before, _)| meter.received() - before)
    }

    pub(super) fn sent(&self) -> u64 {
        self.connection.as_ref().map_or(0, |(meter, _, before)| meter.sent() - before)
    }
}

/// Stores the elapsed time when it is dropped.
pub(super) struct Stopwatch<'a> {
    began: Instant,
    into: &'a mut Option<Duration>,
}

impl<'a> Stopwatch<'a> {
    pub(super) fn start(into: &'a mut Option<Duration>) -> Self {
        Self { began: Instant::now(), into }
    }
}

impl Drop for Stopwatch<'_> {
    fn drop(&mut self) {
        *self.into = Some(self.began.elapsed());
    }
}
