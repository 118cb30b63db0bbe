//! The HTTP client: takes a pooled connection or opens one, and sends one request on it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Request, header};
use http_body_util::Empty;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;
use url::{Host, Position, Url};

use super::destination::{Destination, Restrictions};
use super::dial;
use super::error::TransportError;
use super::http1::{Connection, History, Io, SendError, Underlay};
use super::limits::Limits;
use super::meter::{Bytes as BytesOnSocket, Meter, Metered, Stopwatch, Timings};
use super::pool::Pool;
use super::response::Response;
use super::tls::{HandshakeError, NetworkTls, Tls, Version};
use crate::limits;
use crate::network::address::AllowedHosts;
use crate::network::local_addresses::LocalAddresses;
use crate::network::{Family, Network, Unusable};

/// Whether a request may be repeated on a new connection if one was closed after a part of it was
/// sent and before a response arrived (RFC 9110, section 9.2.2): the server may have processed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Once: the request is safe to repeat.
    Once,
    /// Never: the request is not safe to repeat.
    Never,
}

/// The connections over one network attachment. Dropping it closes them all.
pub struct Transport<N: Network> {
    network: Arc<N>,
    tls: Arc<NetworkTls>,
    limits: Limits,
    allowed: AllowedHosts,
    pool: Arc<Pool>,
}

impl<N: Network> Transport<N> {
    /// A transport without connections and TLS sessions. `allowed` hosts may have any address.
    pub fn new(network: N, tls: &Tls, limits: Limits, allowed: AllowedHosts) -> Self {
        let (network, tls) = (Arc::new(network), Arc::new(NetworkTls::new(tls)));
        Self { network, tls, limits, allowed, pool: Arc::default() }
    }

    /// The same network with its TLS sessions and DNS, and without a connection: for use after a
    /// release.
    #[must_use]
    pub fn without_connections(&self) -> Self {
        self.network.close_sockets();
        let (network, tls) = (self.network.clone(), self.tls.clone());
        Self { network, tls, limits: self.limits, allowed: self.allowed.clone(), pool: Arc::default() }
    }

    /// Whether the network is still available. Sends nothing.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.network.check().is_ok()
    }

    /// The phone's addresses on the network, which identify it. Sends nothing.
    #[must_use]
    pub fn local_addresses(&self) -> Option<LocalAddresses> {
        self.network.local_addresses()
    }

    /// Waits until the network is lost.
    pub async fn lost(&self) -> Unusable {
        self.network.lost().await
    }

    /// Opens a connection for a later request; returns `None` if one is idle or being opened. From
    /// now on, requests wait for it. Dropping the future closes the connection, unless it is open.
    #[must_use]
    pub fn open_ahead(self: &Arc<Self>, destination: Destination) -> Option<BoxFuture<'static, ()>> {
        let opening = self.pool.begin_opening(destination)?;
        let transport = self.clone();
        let opened = async move {
            let (limit, mut timings) = (transport.limits.connect, Timings::default());
            if let Ok(connection) = transport.opened(opening.destination(), limit, &mut timings).await {
                opening.succeeded(connection);
            }
        };
        Some(opened.boxed())
    }

    /// Sends one GET and waits for the response headers. `timings` is filled as far as the request
    /// got, also on failure.
    pub async fn get(
        &self,
        url: &Url,
        restrictions: Restrictions,
        headers: HeaderMap,
        repeat: Repeat,
        timings: &mut Timings,
    ) -> Result<Response, TransportError> {
        let destination = Destination::of(url, restrictions).ok_or(TransportError::BadUrl)?;
        let request = get(url, headers)?;
        self.send(&destination, request, repeat, timings).await.map_err(|error| self.or_unavailable(error))
    }

    /// The complete body of a response, decoded. The connection is returned to the pool.
    pub async fn read(&self, response: Response) -> Result<Vec<u8>, TransportError> {
        response.read().await.map_err(|error| self.or_unavailable(error))
    }

    /// Any failure on a network that is lost is reported as the loss of the network.
    fn or_unavailable(&self, error: TransportError) -> TransportError {
        self.network.check().map_or_else(TransportError::Unavailable, |()| error)
    }

    async fn send(
        &self,
        destination: &Destination,
        request: Request<Empty<Bytes>>,
        repeat: Repeat,
        timings: &mut Timings,
    ) -> Result<Response, TransportError> {
        let waiting = self.pool.take_or_wait(destination, &mut timings.connect);
        let mut pooled = timeout(self.limits.connect, waiting).await.unwrap_or_default();
        // Time spent waiting for a connection that failed to open is part of the timeout.
        let limit = self.limits.connect.saturating_sub(timings.connect.unwrap_or_default());
        let mut fresh_ones = 0;
        loop {
            let connection = if let Some(connection) = pooled.take() {
                connection
            } else {
                fresh_ones += 1;
                self.opened(destination, limit, timings).await?
            };
            match self.exchange(connection, destination, request.clone(), timings).await {
                Err(SendError::BeforeFirstByte { sent }) if fresh_ones < 2 && (!sent || repeat == Repeat::Once) => {
                    *timings = Timings::default();
                }
                outcome => return Ok(outcome?),
            }
        }
    }

    async fn exchange(
        &self,
        connection: Connection,
        destination: &Destination,
        request: Request<Empty<Bytes>>,
        timings: &mut Timings,
    ) -> Result<Response, SendError> {
        timings.bytes = match connection.history {
            History::Used => BytesOnSocket::from_now(connection.socket()),
            History::New | History::OpenedAhead => BytesOnSocket::of_new(connection.socket()),
        };
        timings.reused = connection.history == History::Used;
        timings.opened_ahead = connection.history == History::OpenedAhead;
        let Underlay { family, tls } = connection.underlay;
        timings.family = Some(family);
        timings.tls_version = tls.map(|session| session.version);
        timings.tls_resumed = !timings.reused && tls.is_some_and(|session| session.is_resumed);
        let response = {
            let _waiting = Stopwatch::start(&mut timings.first_byte);
            timeout(self.limits.response, connection.send(request)).await
        };
        let response = response.map_err(|_| SendError::Failed(TransportError::Timeout))??;
        Ok(Response::new(response, self.limits, destination.clone(), &self.pool))
    }

    /// Opens one connection within this time. Boxed, to generate the code once for both callers.
    fn opened<'a>(
        &'a self,
        destination: &'a Destination,
        limit: Duration,
        timings: &'a mut Timings,
    ) -> BoxFuture<'a, Result<Connection, TransportError>> {
        timeout(limit, self.open(destination, timings))
            .map(|opened| opened.unwrap_or(Err(TransportError::Timeout)))
            .boxed()
    }

    async fn open(&self, destination: &Destination, timings: &mut Timings) -> Result<Connection, TransportError> {
        if !destination.https {
            let (stream, meter, family) = self.dial(destination, u64::MAX, timings).await?;
            return Connection::new(Box::new(stream), meter, Underlay { family, tls: None }).await;
        }
        let host = server_name(&destination.host).ok_or(TransportError::BadUrl)?;
        let offer = match destination.restrictions.max_tls {
            Some(Version::Tls12) => Version::Tls12,
            Some(Version::Tls13) | None => self.tls.offer(&host),
        };
        match self.open_tls(destination, &host, offer, timings).await {
            Err(first) if first.may_be_the_offer && offer == Version::Tls13 => {
                *timings = Timings::default();
                let older =
                    self.open_tls(destination, &host, Version::Tls12, timings).await.map_err(|_| first.error)?;
                self.tls.remember_tls12(host);
                Ok(older)
            }
            outcome => outcome.map_err(|failed| failed.error),
        }
    }

    async fn open_tls(
        &self,
        destination: &Destination,
        host: &ServerName<'static>,
        offer: Version,
        timings: &mut Timings,
    ) -> Result<Connection, HandshakeError> {
        let (stream, meter, family) = self.dial(destination, limits::CLIENT_HELLO, timings).await?;
        let (stream, session) = {
            let _handshake = Stopwatch::start(&mut timings.tls);
            self.tls.connect(host.clone(), offer, stream).await?
        };
        Ok(Connection::new(Box::new(stream), meter, Underlay { family, tls: Some(session) }).await?)
    }

    /// A TCP connection with a byte counter. The type of the network is erased here, so that the
    /// code that uses the stream (TLS, HTTP) is generated only once.
    async fn dial(
        &self,
        destination: &Destination,
        first_write: u64,
        timings: &mut Timings,
    ) -> Result<(Metered<Box<dyn Io>>, Meter, Family), TransportError> {
        let (stream, family) = dial::dial(&*self.network, destination, &self.allowed, timings).await?;
        let (stream, meter) = Metered::with_first_write_of(Box::new(stream) as Box<dyn Io>, first_write);
        timings.bytes = BytesOnSocket::of_new(&meter);
        timings.family = Some(family);
        Ok((stream, meter, family))
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
