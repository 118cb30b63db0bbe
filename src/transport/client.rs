//! The client: takes a pooled connection or opens one, and sends one request on it.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, header};
use http_body_util::Empty;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;
use url::{Host, Position, Url};

use super::dial;
use super::error::TransportError;
use super::http1::{Connection, Io, SendError, TlsSession};
use super::limits::Limits;
use super::meter::{Bytes as BytesOnSocket, Meter, Metered, Stopwatch, Timings};
use super::origin::Origin;
use super::pool::Pool;
use super::response::Response;
use super::tls::{self, HandshakeError, NetworkTls, Offer, Tls};
use crate::limits;
use crate::network::Network;
use crate::network::address::AllowedHosts;

/// Whether a request may be sent again, on a fresh connection, if one ended after a part of it went out and before a response came
/// (RFC 9110, section 9.2.2): the server may have acted on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Once: it changes nothing.
    Once,
    /// It spends something.
    Never,
}

/// The connections over one network at one time. Dropping it closes them all.
pub struct Transport<N: Network> {
    network: N,
    tls: NetworkTls,
    limits: Limits,
    allowed: AllowedHosts,
    pool: Arc<Pool>,
}

impl<N: Network> Transport<N> {
    /// A transport without connections and TLS sessions yet. `allowed` hosts may have any address.
    pub fn new(network: N, tls: &Tls, limits: Limits, allowed: AllowedHosts) -> Self {
        Self { network, tls: NetworkTls::new(tls), limits, allowed, pool: Arc::default() }
    }

    /// Whether the network is still there. Sends nothing.
    pub fn is_usable(&self) -> bool {
        self.network.check().is_ok()
    }

    /// Sends one GET and waits for the headers of its response. `timings` is filled as far as it went, also on failure.
    pub async fn get(
        &self,
        url: &Url,
        headers: HeaderMap,
        repeat: Repeat,
        timings: &mut Timings,
    ) -> Result<Response, TransportError> {
        let origin = Origin::of(url).ok_or(TransportError::BadUrl)?;
        let request = get(url, headers)?;
        self.send(&origin, request, repeat, timings).await.map_err(|error| self.explain(error))
    }

    /// The whole body of a response, decoded. The connection is pooled.
    pub async fn read(&self, response: Response) -> Result<Vec<u8>, TransportError> {
        response.read().await.map_err(|error| self.explain(error))
    }

    /// What failed on a network that is gone failed for that.
    fn explain(&self, error: TransportError) -> TransportError {
        self.network.check().map_or_else(TransportError::Unavailable, |()| error)
    }

    async fn send(
        &self,
        origin: &Origin,
        request: Request<Empty<Bytes>>,
        repeat: Repeat,
        timings: &mut Timings,
    ) -> Result<Response, TransportError> {
        let may_repeat = |outcome: &Result<Response, SendError>| matches!(outcome, Err(SendError::BeforeFirstByte { sent }) if !sent || repeat == Repeat::Once);
        if let Some(kept) = self.pool.take(origin) {
            timings.reused = true;
            let outcome = self.exchange(kept, origin, request.clone(), timings).await;
            if !may_repeat(&outcome) {
                return Ok(outcome?);
            }
            *timings = Timings::default();
        }
        let outcome = self.exchange_anew(origin, request.clone(), timings).await;
        if !may_repeat(&outcome) {
            return Ok(outcome?);
        }
        *timings = Timings::default();
        Ok(self.exchange_anew(origin, request, timings).await?)
    }

    async fn exchange_anew(
        &self,
        origin: &Origin,
        request: Request<Empty<Bytes>>,
        timings: &mut Timings,
    ) -> Result<Response, SendError> {
        let opened = timeout(self.limits.connect, self.open(origin, timings)).await;
        let connection = opened.unwrap_or(Err(TransportError::Timeout)).map_err(SendError::Failed)?;
        self.exchange(connection, origin, request, timings).await
    }

    async fn exchange(
        &self,
        connection: Connection,
        origin: &Origin,
        request: Request<Empty<Bytes>>,
        timings: &mut Timings,
    ) -> Result<Response, SendError> {
        if timings.reused {
            timings.bytes = BytesOnSocket::from_now(connection.socket());
        }
        timings.tls_resumed = !timings.reused && connection.tls_resumed();
        let response = {
            let _waiting = Stopwatch::start(&mut timings.first_byte);
            timeout(self.limits.answer, connection.send(request)).await
        };
        let response = response.map_err(|_| SendError::Failed(TransportError::Timeout))??;
        Ok(Response::new(response, self.limits, origin.clone(), &self.pool))
    }

    async fn open(&self, origin: &Origin, timings: &mut Timings) -> Result<Connection, TransportError> {
        if !origin.https {
            let (stream, meter) = self.dial(origin, u64::MAX, timings).await?;
            return Connection::new(Box::new(stream), meter, TlsSession::None).await;
        }
        let host = server_name(&origin.host).ok_or(TransportError::BadUrl)?;
        let offer = self.tls.offer(&host);
        match self.open_tls(origin, &host, offer, timings).await {
            Err(first) if first.may_be_the_offer && offer == Offer::Both => {
                *timings = Timings::default();
                let older = self.open_tls(origin, &host, Offer::Tls12, timings).await.map_err(|_| first.error)?;
                self.tls.remember_tls12(host);
                Ok(older)
            }
            outcome => outcome.map_err(|failed| failed.error),
        }
    }

    async fn open_tls(
        &self,
        origin: &Origin,
        host: &ServerName<'static>,
        offer: Offer,
        timings: &mut Timings,
    ) -> Result<Connection, HandshakeError> {
        let (stream, meter) = self.dial(origin, limits::CLIENT_HELLO, timings).await?;
        let stream = {
            let _handshake = Stopwatch::start(&mut timings.tls);
            self.tls.connect(host.clone(), offer, stream).await?
        };
        let session = if tls::is_resumed(stream.get_ref().1) { TlsSession::Resumed } else { TlsSession::New };
        Ok(Connection::new(Box::new(stream), meter, session).await?)
    }

    /// A TCP connection, with what counts its bytes. From here on it does not matter what network it is, and the code need not be
    /// there twice.
    async fn dial(
        &self,
        origin: &Origin,
        first_write: u64,
        timings: &mut Timings,
    ) -> Result<(Metered<Box<dyn Io>>, Meter), TransportError> {
        let stream: Box<dyn Io> = Box::new(dial::dial(&self.network, origin, &self.allowed, timings).await?);
        let (stream, meter) = Metered::with_first_write_of(stream, first_write);
        timings.bytes = BytesOnSocket::of_new(&meter);
        Ok((stream, meter))
    }
}

fn server_name(host: &Host) -> Option<ServerName<'static>> {
    match host {
        Host::Domain(name) => ServerName::try_from(name.trim_end_matches('.').to_owned()).ok(),
        Host::Ipv4(ip) => Some(ServerName::from(IpAddr::V4(*ip))),
        Host::Ipv6(ip) => Some(ServerName::from(IpAddr::V6(*ip))),
    }
}

/// Origin form (RFC 9112, section 3.2.1). The fragment is not sent.
fn get(url: &Url, headers: HeaderMap) -> Result<Request<Empty<Bytes>>, TransportError> {
    let mut request = Request::builder()
        .uri(&url[Position::BeforePath..Position::AfterQuery])
        .body(Empty::new())
        .map_err(|_| TransportError::BadUrl)?;
    let host =
        HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort]).map_err(|_| TransportError::BadUrl)?;
    request.headers_mut().insert(header::HOST, host);
    request.headers_mut().extend(headers);
    Ok(request)
}
