//! HTTP/1.1 on one connection: hyper's client over a stream with repaired heads.
//!
//! No task drives a connection: it is polled together with the exchange that uses it, so that
//! dropping the exchange closes the socket. Only the body of a redirect that is still arriving is
//! read to its end concurrently with the flow.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt;
use http::Request;
use http::response::Parts;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::ext::on_informational;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::error::TransportError;
use super::head_reader::{HeadNotes, HeadReader};
use super::meter::{Meter, Metered};
use super::tls::{self, TlsSession};
use crate::limits;
use crate::network::Family;

/// The transport below HTTP: TCP or TLS.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// The properties of the connection below HTTP.
#[derive(Debug, Clone, Copy)]
pub(super) struct Underlay {
    pub(super) family: Family,
    /// Absent on plain HTTP.
    pub(super) tls: Option<TlsSession>,
}

/// The earlier use of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum History {
    /// None: it was opened for the current request.
    New,
    /// None: it was opened before there was a request.
    OpenedAhead,
    /// Other requests.
    Used,
}

/// An open connection.
pub(super) struct Connection {
    sender: http1::SendRequest<Empty<Bytes>>,
    driver: Driver,
    /// Counts bytes on the socket.
    socket: Meter,
    /// Counts bytes above TLS: a session ticket or a `close_notify` is not a response.
    http: Meter,
    notes: HeadNotes,
    pub(super) underlay: Underlay,
    pub(super) history: History,
}

/// A request has no response.
pub(super) enum SendError {
    /// The connection was closed before the first byte of a response: if it was reused, the server
    /// may not have received the request.
    BeforeFirstByte {
        /// Whether any part of the request was sent.
        sent: bool,
    },
    Failed(TransportError),
}

impl From<SendError> for TransportError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::BeforeFirstByte { .. } => Self::Closed,
            SendError::Failed(error) => error,
        }
    }
}

impl Connection {
    pub(super) async fn new(io: Box<dyn Io>, socket: Meter, underlay: Underlay) -> Result<Self, TransportError> {
        let (io, http) = Metered::new(io);
        let (io, notes) = HeadReader::new(io);
        let io: Box<dyn Io> = Box::new(io);
        let (sender, connection) = http1::Builder::new()
            .max_headers(limits::HEADER_COUNT)
            // Middleboxes on plain http expect the usual spelling, although names are
            // case-insensitive (RFC 9110, section 5.1).
            .title_case_headers(true)
            .max_buf_size(2 * limits::HEADERS)
            .handshake(TokioIo::new(io))
            .await
            .map_err(|_| TransportError::Closed)?;
        let driver = Driver { connection: Some(connection), failure: None };
        Ok(Self { sender, driver, socket, http, notes, underlay, history: History::New })
    }

    pub(super) fn socket(&self) -> &Meter {
        &self.socket
    }

    /// Whether a pooled connection is still open. A connection with a repaired response is not
    /// reused.
    pub(super) fn is_open(&mut self) -> bool {
        !self.notes.is_repaired() && self.ready().now_or_never() == Some(true)
    }

    pub(super) async fn send(mut self, mut request: Request<Empty<Bytes>>) -> Result<IncomingResponse, SendError> {
        let informational = Arc::<AtomicUsize>::default();
        let (count, http) = (informational.clone(), self.http.clone());
        on_informational(&mut request, move |_| {
            if count.fetch_add(1, Ordering::Relaxed) >= limits::INFORMATIONAL {
                http.limit(0);
            }
        });
        let (received_before, sent_before) = (self.http.received(), self.http.sent());
        // Until the headers are complete, all received bytes are part of them, including 1xx
        // responses and the reason phrase.
        self.http.limit(limits::HEADERS as u64);
        let (sender, notes) = (&mut self.sender, &self.notes);
        let exchange = async move {
            sender.ready().await?;
            notes.await_head();
            sender.send_request(request).await
        };
        let outcome = self.driver.drive(exchange).await;
        let received = self.http.received() - received_before;
        self.http.limit(u64::MAX);
        if informational.load(Ordering::Relaxed) > limits::INFORMATIONAL {
            return Err(SendError::Failed(TransportError::TooLarge));
        }
        match outcome {
            Ok(response) => {
                let (head, body) = response.into_parts();
                if !(200..=599).contains(&head.status.as_u16()) {
                    return Err(SendError::Failed(TransportError::MalformedResponse));
                }
                Ok(IncomingResponse { head, body, connection: self })
            }
            Err(error) => Err(match (received, self.driver.cause(&error)) {
                (0, TransportError::Closed) => SendError::BeforeFirstByte { sent: self.http.sent() > sent_before },
                (received, _) if received >= limits::HEADERS as u64 => SendError::Failed(TransportError::TooLarge),
                (_, failure) => SendError::Failed(failure),
            }),
        }
    }

    /// Waits until it is known whether another request can be sent.
    async fn ready(&mut self) -> bool {
        let sender = &mut self.sender;
        self.driver.drive(sender.ready()).await.is_ok() && self.driver.connection.is_some()
    }
}

type HttpConnection = http1::Connection<TokioIo<Box<dyn Io>>, Empty<Bytes>>;

/// Drives the I/O of a connection.
struct Driver {
    /// Absent once it has ended.
    connection: Option<HttpConnection>,
    /// Why it ended.
    failure: Option<hyper::Error>,
}

impl Driver {
    /// Polls the exchange and the connection below it until the exchange completes.
    async fn drive<T>(&mut self, exchange: impl Future<Output = T>) -> T {
        let mut exchange = pin!(exchange);
        poll_fn(|cx| {
            // The connection first: it may have to detect that the peer closed it before another
            // request is sent on it.
            self.poll(cx);
            if let Poll::Ready(done) = exchange.as_mut().poll(cx) {
                return Poll::Ready(done);
            }
            self.poll(cx);
            exchange.as_mut().poll(cx)
        })
        .await
    }

    fn poll(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && let Poll::Ready(ended) = Pin::new(connection).poll(cx)
        {
            self.connection = None;
            self.failure = ended.err();
        }
    }

    /// The connection may know the cause of a truncated exchange, which the exchange does not.
    fn cause(&self, error: &hyper::Error) -> TransportError {
        match (classify(error), &self.failure) {
            (TransportError::Closed, Some(failure)) => classify(failure),
            (failure, _) => failure,
        }
    }
}

/// The headers of a response; its body has not been read.
pub(super) struct IncomingResponse {
    pub(super) head: Parts,
    body: Incoming,
    pub(super) connection: Connection,
}

impl IncomingResponse {
    pub(super) async fn collect(&mut self, into: &mut Vec<u8>, limit: usize) -> Result<(), TransportError> {
        let Self { body, connection, .. } = self;
        if connection.notes.has_unusable_body() {
            return Err(TransportError::MalformedResponse);
        }
        while let Some(frame) = next_frame(body, connection).await {
            if let Ok(data) = frame.map_err(|error| connection.driver.cause(&error))?.into_data() {
                if into.len() + data.len() > limit {
                    return Err(TransportError::TooLarge);
                }
                into.extend_from_slice(&data);
            }
        }
        Ok(())
    }
}

async fn next_frame(
    body: &mut Incoming,
    connection: &mut Connection,
) -> Option<hyper::Result<hyper::body::Frame<Bytes>>> {
    if body.is_end_stream() {
        return None;
    }
    connection.driver.drive(body.frame()).await
}

fn classify(error: &hyper::Error) -> TransportError {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    if let Some(failure) = source.and_then(tls::failure) {
        return failure;
    }
    match source.map(io::Error::kind) {
        Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => TransportError::MalformedResponse,
        _ if error.is_parse() => TransportError::MalformedResponse,
        _ => TransportError::Closed,
    }
}
