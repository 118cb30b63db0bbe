//! Listeners, TLS, and the selection of a host's routes.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener, UdpSocket as StdUdpSocket};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::server::Acceptor;
use tokio_rustls::rustls::{CipherSuite, ProtocolVersion, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::hosts::{self, SimHost};
use crate::providers::glide;
use crate::world::{Recorded, World};
use crate::{Options, backend, dns, observe, quirks};

/// RFC 8446, sections 5.1 and 6.
const ALERT_PROTOCOL_VERSION: [u8; 7] = [21, 3, 1, 0, 2, 2, 70];

/// The source address of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The listening sockets of a simulator in one network. They belong to the network namespace of the
/// thread that bound them.
#[derive(Debug)]
pub struct Sockets {
    pub(crate) https_port: u16,
    pub(crate) http_port: u16,
    pub(crate) other_https_port: u16,
    https: Vec<StdListener>,
    http: Vec<StdListener>,
    dns: Option<StdUdpSocket>,
    pub(crate) dns_address: Option<SocketAddr>,
}

impl Sockets {
    /// Binds the sockets that these options require.
    pub fn bind(options: &Options) -> io::Result<Self> {
        let mut addresses = vec![options.operator_address, options.backend_address];
        addresses.extend(options.operator_ipv6.map(IpAddr::V6));
        addresses.dedup();
        let (mut https, https_port) = listen(&addresses, options.https_port)?;
        let (other_https, other_https_port) = listen(&addresses, 0)?;
        https.extend(other_https);
        let (http, http_port) = listen(&addresses, options.http_port)?;
        let dns = options.dns.map(StdUdpSocket::bind).transpose()?;
        if let Some(socket) = &dns {
            socket.set_nonblocking(true)?;
        }
        let dns_address = dns.as_ref().map(StdUdpSocket::local_addr).transpose()?;
        Ok(Self { https_port, http_port, other_https_port, https, http, dns, dns_address })
    }
}

/// The same port on all addresses: this port, or any free one for 0.
fn listen(addresses: &[IpAddr], port: u16) -> io::Result<(Vec<StdListener>, u16)> {
    // A port that is free on the first address can be in use on the next one.
    let attempts = if port == 0 { 100 } else { 1 };
    let is_taken = |outcome: &io::Result<_>| matches!(outcome, Err(error) if error.kind() == io::ErrorKind::AddrInUse);
    let mut outcomes = (0..attempts).map(|_| listen_once(addresses, port)).skip_while(is_taken);
    outcomes.next().unwrap_or_else(|| Err(io::ErrorKind::AddrInUse.into()))
}

fn listen_once(addresses: &[IpAddr], port: u16) -> io::Result<(Vec<StdListener>, u16)> {
    let mut listeners: Vec<StdListener> = Vec::new();
    let mut port = port;
    for address in addresses {
        let listener = StdListener::bind(SocketAddr::new(*address, port))?;
        listener.set_nonblocking(true)?;
        port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok((listeners, port))
}

type Routes = Arc<HashMap<SimHost, Router>>;

pub(crate) async fn serve(networks: Vec<Sockets>, world: Arc<World>, tls: Arc<ServerConfig>) {
    let routes: Routes = Arc::new(hosts::all().map(|(host, router)| (host, router(world.clone()))).collect());
    let mut tasks = JoinSet::new();
    for sockets in networks {
        for listener in sockets.https {
            tasks.spawn(accept(listener, Some(tls.clone()), world.clone(), routes.clone()));
        }
        for listener in sockets.http {
            tasks.spawn(accept(listener, None, world.clone(), routes.clone()));
        }
        if let Some(socket) = sockets.dns {
            let world = world.clone();
            tasks.spawn(async move { dns::serve(UdpSocket::from_std(socket)?, &world).await });
        }
    }
    while let Some(ended) = tasks.join_next().await {
        if let Ok(Err(error)) = ended {
            eprintln!("simulator: {error}");
        }
    }
}

async fn accept(
    listener: StdListener,
    tls: Option<Arc<ServerConfig>>,
    world: Arc<World>,
    routes: Routes,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?.ip();
        let (tls, world, routes) = (tls.clone(), world.clone(), routes.clone());
        connections.spawn(async move {
            match tls {
                Some(tls) => {
                    let Some(stream) = handshake(stream, tls).await else { return };
                    let connection = stream.get_ref().1;
                    let host = connection.server_name().and_then(|name| named(name, true));
                    let tls_version = connection.protocol_version();
                    match host {
                        Some(host) if quirks::serves(host) && world.is_at(host, local) => {
                            quirks::converse(stream, host, peer.ip(), tls_version, &world).await;
                        }
                        _ => converse(stream, local, peer.ip(), tls_version, world, routes).await,
                    }
                }
                None => converse(stream, local, peer.ip(), None, world, routes).await,
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn handshake(stream: TcpStream, config: Arc<ServerConfig>) -> Option<TlsStream<TcpStream>> {
    let mut begun = LazyConfigAcceptor::new(Acceptor::default(), stream).await.ok()?;
    let hello = begun.client_hello();
    let offers_tls13 = hello.cipher_suites().contains(&CipherSuite::TLS13_AES_128_GCM_SHA256);
    if offers_tls13 && hello.server_name().is_some_and(quirks::fails_on_tls13) {
        let _ = begun.io.write_all(&ALERT_PROTOCOL_VERSION).await;
        return None;
    }
    begun.into_stream(config).await.ok()
}

/// Responds to the requests of one connection. A disconnecting client is not an error.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    local: IpAddr,
    peer: IpAddr,
    tls: Option<ProtocolVersion>,
    world: Arc<World>,
    routes: Routes,
) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (world, routes) = (world.clone(), routes.clone());
        async move { respond(request.map(Body::new), local, peer, tls, &world, &routes).await }
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn respond(
    mut request: Request,
    local: IpAddr,
    peer: IpAddr,
    tls: Option<ProtocolVersion>,
    world: &World,
    routes: &Routes,
) -> io::Result<Response> {
    let https = tls.is_some();
    let authority = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host).to_owned();
    world.lock().requests.push(Recorded {
        host: host.clone(),
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        https,
        peer,
        headers: request.headers().clone(),
    });
    let host = named(&host, https).filter(|host| world.is_at(*host, local) && host.serves(https));
    let Some((host, routes)) = host.and_then(|host| Some((host, routes.get(&host)?))) else {
        return Ok(StatusCode::MISDIRECTED_REQUEST.into_response());
    };
    request.extensions_mut().insert(Peer(peer));
    observe::handle(world, (host, peer, tls), request, routes.clone()).await
}

/// A bare local host is the auth server on https (Glide's client has one base URL for it) and the
/// backend on http.
fn named(name: &str, https: bool) -> Option<SimHost> {
    let local = name == "localhost" || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    match (local, https) {
        (true, true) => Some(glide::HOST),
        (true, false) => Some(backend::HOST),
        (false, _) => hosts::named(name),
    }
}
