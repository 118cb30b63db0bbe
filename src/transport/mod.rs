//! One request over a given network: names, connections, TLS and HTTP/1.1, with connections kept per origin.
//!
//! The network is a parameter ([`Network`]), so that the same code runs over a bound socket in a phone and over an in-memory
//! network with a virtual clock in tests. Nothing here knows of redirects, cookies or the flow; nothing here sleeps or retries,
//! but for the one repeat on a kept connection that turned out dead.

mod chain;
mod dial;
mod http1;
mod meter;
mod pool;
pub mod tls;
mod trust;

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, header};
use http_body_util::Full;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;
use url::{Host, Position, Url};

pub use self::http1::Response;
use self::http1::{Connection, Io, SendError};
use self::meter::{Bytes as BytesOnSocket, Metered, Stopwatch};
use self::pool::{Origin, Pool};
use self::tls::{NetworkTls, Tls};
use crate::address::AllowedHosts;
use crate::error::CellularCause;
use crate::threads::Work;

/// A network that can look up names and open connections, such as the cellular one.
pub trait Network: Send + Sync + 'static {
    /// A connection that is known to run over this network.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// The kind of work that validating a server's certificates is.
    const TRUST: Work = Work::CellularTrust;

    /// The addresses of one family; an empty list where the name has none. The port tells development overrides apart.
    fn resolve(
        &self,
        host: &str,
        port: u16,
        family: Family,
    ) -> impl Future<Output = Result<Vec<IpAddr>, NetworkError>> + Send;

    /// A TCP connection with `TCP_NODELAY`.
    fn connect(&self, address: SocketAddr) -> impl Future<Output = Result<Self::Stream, NetworkError>> + Send;

    /// Whether the network is still there. Sends nothing.
    fn check(&self) -> Result<(), CellularCause>;
}

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// A records.
    V4,
    /// AAAA records.
    V6,
}

impl Family {
    /// Those addresses that are of this family.
    pub(crate) fn of(self, addresses: &[IpAddr]) -> Vec<IpAddr> {
        addresses.iter().filter(|ip| ip.is_ipv6() == (self == Self::V6)).copied().collect()
    }
}

/// What a network says when it cannot look up or connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkError {
    /// This lookup or connection failed. Whether the network is to blame, [`Network::check`] tells.
    Failed,
    /// There is no route to an address of this family.
    Unreachable,
    /// No name server is known. Only Linux needs one.
    #[allow(dead_code)]
    NoNameServer,
}

/// How long one request may take, and how much its answer may bring.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Name, TCP and TLS of a new connection.
    pub connect: Duration,
    /// From the request to the end of the headers, and from there to the end of a body that is read.
    pub answer: Duration,
    /// Bytes of a body, as they come and decoded. More of one that is not read costs its connection.
    pub body: usize,
}

/// Why a request failed. Without free text: it goes into errors and traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportError {
    /// The name could not be resolved.
    Dns,
    /// All its addresses are of a kind that a flow must not connect to.
    ForbiddenAddress,
    /// No address accepted a connection.
    Connect,
    /// TLS failed.
    Tls {
        /// The alert that the server sent, in the RFC's spelling.
        alert: Option<String>,
    },
    /// A limit passed.
    Timeout,
    /// The connection ended early.
    Closed,
    /// The URL cannot be written as a request line.
    BadUrl,
    /// The answer breaks the protocol.
    MalformedResponse,
    /// Headers beyond 64 KiB, or a body beyond its limit.
    TooLarge,
    /// The network cannot be used any more.
    Unavailable(CellularCause),
    /// No name server is known.
    NoNameServer,
}

/// Whether a request may be sent again, on a fresh connection, if a reused one ended after a part of it went out and before a
/// response came: the server may have acted on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Once: it changes nothing, or carries a key by which the server knows it again.
    Once,
    /// It spends something.
    Never,
}

/// What one request cost. A time is absent where it was not spent.
#[derive(Debug, Clone, Default)]
pub struct Timings {
    /// Resolving the name.
    pub dns: Option<Duration>,
    /// Opening the TCP connection.
    pub connect: Option<Duration>,
    /// The TLS handshake.
    pub tls: Option<Duration>,
    /// From the request to the end of the headers.
    pub first_byte: Option<Duration>,
    /// Whether an open connection was used.
    pub reused: bool,
    /// Whether TLS resumed a session.
    pub tls_resumed: bool,
    bytes: BytesOnSocket,
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
        Self { network, tls: NetworkTls::new(tls, N::TRUST), limits, allowed, pool: Arc::default() }
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
        let request = request(Method::GET, url, headers, Bytes::new())?;
        self.send(&origin, request, repeat, timings).await.map_err(|error| self.explain(error))
    }

    /// Sends one POST, likewise.
    pub async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
        repeat: Repeat,
        timings: &mut Timings,
    ) -> Result<Response, TransportError> {
        let origin = Origin::of(url).ok_or(TransportError::BadUrl)?;
        let request = request(Method::POST, url, headers, body)?;
        self.send(&origin, request, repeat, timings).await.map_err(|error| self.explain(error))
    }

    /// The whole body of an answer, decoded. The connection is kept.
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
        request: Request<Full<Bytes>>,
        repeat: Repeat,
        timings: &mut Timings,
    ) -> Result<Response, TransportError> {
        if let Some(kept) = self.pool.take(origin) {
            timings.reused = true;
            match self.exchange(kept, origin, request.clone(), timings).await {
                Err(SendError::BeforeFirstByte { sent }) if !sent || repeat == Repeat::Once => {
                    *timings = Timings::default();
                }
                outcome => return outcome.map_err(TransportError::from),
            }
        }
        let connection =
            timeout(self.limits.connect, self.open(origin, timings)).await.map_err(|_| TransportError::Timeout)??;
        Ok(self.exchange(connection, origin, request, timings).await?)
    }

    async fn exchange(
        &self,
        connection: Connection,
        origin: &Origin,
        request: Request<Full<Bytes>>,
        timings: &mut Timings,
    ) -> Result<Response, SendError> {
        if timings.reused {
            timings.bytes = BytesOnSocket::from_now(connection.socket());
        }
        timings.tls_resumed = !timings.reused && connection.tls_resumed();
        let answer = {
            let _waiting = Stopwatch::start(&mut timings.first_byte);
            timeout(self.limits.answer, connection.send(request)).await
        };
        let answer = answer.map_err(|_| SendError::Failed(TransportError::Timeout))??;
        Ok(Response::new(answer, self.limits, origin.clone(), &self.pool))
    }

    async fn open(&self, origin: &Origin, timings: &mut Timings) -> Result<Connection, TransportError> {
        // From here on it does not matter what network it is, and the code need not be there twice.
        let stream: Box<dyn Io> = Box::new(dial::dial(&self.network, origin, &self.allowed, timings).await?);
        let first_write = if origin.https { tls::LONGEST_HELLO } else { u64::MAX };
        let (stream, meter) = Metered::with_first_write_of(stream, first_write);
        timings.bytes = BytesOnSocket::of_new(&meter);
        if !origin.https {
            return Connection::new(Box::new(stream), meter, false).await;
        }
        let name = server_name(&origin.host).ok_or(TransportError::BadUrl)?;
        let stream = {
            let _handshake = Stopwatch::start(&mut timings.tls);
            self.tls.connect(name, stream).await?
        };
        let resumed = tls::is_resumed(stream.get_ref().1);
        let stream: Box<dyn Io> = Box::new(stream);
        Connection::new(stream, meter, resumed).await
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
fn request(method: Method, url: &Url, headers: HeaderMap, body: Bytes) -> Result<Request<Full<Bytes>>, TransportError> {
    let mut request = Request::builder()
        .method(method)
        .uri(&url[Position::BeforePath..Position::AfterQuery])
        .body(Full::new(body))
        .map_err(|_| TransportError::BadUrl)?;
    let host =
        HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort]).map_err(|_| TransportError::BadUrl)?;
    request.headers_mut().insert(header::HOST, host);
    request.headers_mut().extend(headers);
    Ok(request)
}

impl From<SendError> for TransportError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::BeforeFirstByte { .. } => Self::Closed,
            SendError::Failed(error) => error,
        }
    }
}

impl From<NetworkError> for TransportError {
    fn from(error: NetworkError) -> Self {
        match error {
            NetworkError::Failed | NetworkError::Unreachable => Self::Connect,
            NetworkError::NoNameServer => Self::NoNameServer,
        }
    }
}

/// What an operating system says of an attempt to connect.
impl From<io::Error> for NetworkError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable => Self::Unreachable,
            _ => Self::Failed,
        }
    }
}
