//! Listeners, TLS, and the choice of a host's routes.

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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tower::ServiceExt;

use crate::providers::{self, ipification, tru_id, twilio, vonage};
use crate::world::{Place, Recorded, World};
use crate::{Options, auth, backend, camara, dns, habits, operators};

/// Where a request came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The listening sockets of a simulator in one network. They belong to the network namespace of the thread that bound them.
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
    /// Binds what these options ask for.
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

/// The same port on all addresses: this one, or any free one for 0.
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

type Routes = Arc<HashMap<Place, Router>>;

pub(crate) async fn serve(networks: Vec<Sockets>, world: Arc<World>, tls: Arc<ServerConfig>) {
    let routes: Routes = Arc::new(Place::all().map(|place| (place, router(place, &world))).collect());
    let mut tasks = JoinSet::new();
    for sockets in networks {
        for listener in sockets.https {
            tasks.spawn(accept(listener, Some(TlsAcceptor::from(tls.clone())), world.clone(), routes.clone()));
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

fn router(place: Place, world: &Arc<World>) -> Router {
    match place {
        Place::Backend => backend::router(world.clone()),
        Place::Auth => auth::router(world.clone()).merge(camara::backend_router(world.clone())),
        Place::Camara => camara::authorization_router(world.clone()),
        Place::Operator => providers::operator(world.clone()),
        Place::Vonage => vonage::router(world.clone()),
        Place::TruId => tru_id::router(world.clone()),
        Place::Twilio => twilio::router(world.clone()),
        Place::Ipification => ipification::router(world.clone()),
        _ => operators::router(place, world.clone()),
    }
}

async fn accept(listener: StdListener, tls: Option<TlsAcceptor>, world: Arc<World>, routes: Routes) -> io::Result<()> {
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
                    let Ok(stream) = tls.accept(stream).await else { return };
                    let host = stream.get_ref().1.server_name().and_then(|name| place(name, true));
                    match host {
                        Some(place @ (Place::Habits | Place::HabitsIdn | Place::HabitsIpv6))
                            if world.address_of(place) == Some(local) =>
                        {
                            habits::converse(stream, peer.ip(), &world).await;
                        }
                        _ => converse(stream, local, peer.ip(), true, world, routes).await,
                    }
                }
                None => converse(stream, local, peer.ip(), false, world, routes).await,
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Answers the requests of one connection. A client that hangs up is none of our business.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    local: IpAddr,
    peer: IpAddr,
    https: bool,
    world: Arc<World>,
    routes: Routes,
) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (world, routes) = (world.clone(), routes.clone());
        async move { answer(request.map(Body::new), local, peer, https, &world, &routes).await }
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    mut request: Request,
    local: IpAddr,
    peer: IpAddr,
    https: bool,
    world: &World,
    routes: &Routes,
) -> Result<Response, std::convert::Infallible> {
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
    let place = place(&host, https).filter(|place| world.address_of(*place) == Some(local) && lives_on(*place, https));
    let Some(routes) = place.and_then(|place| routes.get(&place)) else {
        return Ok(StatusCode::MISDIRECTED_REQUEST.into_response());
    };
    request.extensions_mut().insert(Peer(peer));
    routes.clone().oneshot(request).await
}

/// A bare local host is the auth server on https (Glide's client has one base URL for it) and the backend on http.
fn place(host: &str, https: bool) -> Option<Place> {
    let local = host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    match (local, https) {
        (true, true) => Some(Place::Auth),
        (true, false) => Some(Place::Backend),
        (false, _) => Place::all().find(|place| place.host() == host),
    }
}

/// Header enrichment lives on plain http, everything else on https; the backend is on both.
fn lives_on(place: Place, https: bool) -> bool {
    match place {
        Place::Backend => true,
        Place::EnrichB | Place::Operator => !https,
        _ => https,
    }
}
