//! The web servers: HTTP/1.1 and HTTP/2, over TLS or plain, on all addresses of the server's
//! namespace. They respond immediately.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::HOST;
use hyper::service::service_fn;
use hyper::{Request, Response, server};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{HandshakeKind, ServerConfig};
use url::Url;

use super::certificates::Certificates;
use super::chain;
use super::namespaces::BACKEND;

/// The TLS handshakes of the cellular hosts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Handshakes {
    pub full: u64,
    pub resumed: u64,
}

pub struct Web {
    certificates: Certificates,
    configs: Mutex<HashMap<Ipv4Addr, Arc<ServerConfig>>>,
    /// The number of times that all connections were closed.
    ended: watch::Sender<u64>,
    full: AtomicU64,
    resumed: AtomicU64,
}

impl Web {
    pub fn new() -> Result<Arc<Self>> {
        let certificates = Certificates::new()?;
        let configs = Mutex::new(certificates.fresh_configs()?);
        Ok(Arc::new(Self {
            certificates,
            configs,
            ended: watch::channel(0).0,
            full: AtomicU64::new(0),
            resumed: AtomicU64::new(0),
        }))
    }

    pub fn root_pem(&self) -> &str {
        &self.certificates.root_pem
    }

    /// Closes all connections, and rejects earlier TLS sessions.
    pub fn forget(&self) -> Result<()> {
        *self.configs.lock().unwrap_or_else(PoisonError::into_inner) = self.certificates.fresh_configs()?;
        self.ended.send_modify(|count| *count += 1);
        Ok(())
    }

    pub fn reset(&self) {
        self.full.store(0, Relaxed);
        self.resumed.store(0, Relaxed);
    }

    pub fn handshakes(&self) -> Handshakes {
        Handshakes { full: self.full.load(Relaxed), resumed: self.resumed.load(Relaxed) }
    }

    /// Serves in the calling thread's namespace, on its runtime.
    pub async fn serve(self: Arc<Self>) -> Result<()> {
        let https = listen(443)?;
        let http = listen(80)?;
        loop {
            let (accepted, is_tls) = tokio::select! {
                accepted = https.accept() => (accepted, true),
                accepted = http.accept() => (accepted, false),
            };
            let Ok((stream, _)) = accepted else { continue };
            let web = self.clone();
            let mut ended = self.ended.subscribe();
            tokio::spawn(async move {
                tokio::select! {
                    _ = ended.changed() => {}
                    _ = web.converse(stream, is_tls) => {}
                }
            });
        }
    }

    async fn converse(&self, stream: TcpStream, is_tls: bool) -> Result<()> {
        stream.set_nodelay(true)?;
        // A closed connection must not send packets: they would be counted for the next client.
        stream.set_zero_linger()?;
        let IpAddr::V4(address) = stream.local_addr()?.ip() else { return Ok(()) };
        if !is_tls {
            return http1(stream, "http").await;
        }
        let config = self.configs.lock().unwrap_or_else(PoisonError::into_inner).get(&address).cloned();
        let stream = TlsAcceptor::from(config.context("a host without a certificate")?).accept(stream).await?;
        let connection = stream.get_ref().1;
        if address != BACKEND {
            let is_resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
            if is_resumed { &self.resumed } else { &self.full }.fetch_add(1, Relaxed);
        }
        if connection.alpn_protocol() == Some(b"h2") { http2(stream).await } else { http1(stream, "https").await }
    }
}

/// With a queue for a thousand simultaneous connections.
fn listen(port: u16) -> Result<TcpListener> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::UNSPECIFIED, port).into())?;
    Ok(socket.listen(4096)?)
}

async fn http1(stream: impl AsyncRead + AsyncWrite + Unpin, scheme: &'static str) -> Result<()> {
    let service = service_fn(move |request| respond(request, scheme));
    Ok(server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await?)
}

async fn http2(stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<()> {
    let service = service_fn(|request| respond(request, "https"));
    Ok(server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await?)
}

async fn respond(request: Request<Incoming>, scheme: &str) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let named = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = head.uri.authority().map(hyper::http::uri::Authority::as_str).or(named).unwrap_or_default();
    let target = head.uri.path_and_query().map_or("/", hyper::http::uri::PathAndQuery::as_str);
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let url = Url::parse(&format!("{scheme}://{host}{target}"));
    Ok(url.map_or_else(|_| chain::bad_request(), |url| chain::respond(&url, &head.headers, &body)))
}
