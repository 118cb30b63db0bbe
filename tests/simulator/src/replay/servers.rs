//! The listeners of a replay on loopback: https, http, broken TLS, silent, a port that refuses
//! connections, and a name server that knows no name.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener, UdpSocket as StdUdpSocket};
use std::sync::Arc;
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::responses::Then;
use super::script::{self, BACKEND, Instead, Ports, Script};

const LONGEST_REQUEST: usize = 64 * 1024;

/// The running servers of a replay. Dropping it stops them.
#[derive(Debug)]
pub struct RunningReplay {
    root_pem: String,
    script: Arc<Script>,
    ports: Ports,
    dns_address: SocketAddr,
    /// Bound, and not listening.
    _refused: TcpSocket,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// What a listener does with a connection.
#[derive(Clone)]
enum Service {
    Http,
    Https(TlsAcceptor),
    /// Sends this alert in response to the `ClientHello`.
    Alert(u8),
    Silent,
}

impl RunningReplay {
    pub(super) fn start(script: Script) -> io::Result<Self> {
        let names = (0..script.hosts.len()).map(script::stand_in).chain([BACKEND.to_owned()]).collect();
        let (root_pem, trusted) = certificate(Vec::clone(&names))?;
        let (_, untrusted) = certificate(names)?;
        let broken = script.alert.map_or(Service::Https(untrusted), Service::Alert);
        let services = [Service::Https(trusted), Service::Http, broken, Service::Silent];
        let listeners = services.map(|service| listen().map(|(listener, port)| (listener, port, service)));
        let mut bound = Vec::new();
        for listener in listeners {
            bound.push(listener?);
        }
        let [https, http, broken_tls, silent] =
            [0, 1, 2, 3].map(|index| bound.get(index).map_or(0, |(_, port, _)| *port));
        let refused = TcpSocket::new_v4()?;
        refused.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let ports = Ports { https, http, broken_tls, silent, refused: refused.local_addr()?.port() };
        let dns = StdUdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        dns.set_nonblocking(true)?;
        let dns_address = dns.local_addr()?;
        let script = Arc::new(script);
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serving = script.clone();
        let thread = thread::Builder::new().name("replay".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(bound, dns, serving, ports) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        })?;
        Ok(Self { root_pem, script, ports, dns_address, _refused: refused, stop: Some(stop), thread: Some(thread) })
    }

    /// The base URL of the backend.
    #[must_use]
    pub fn backend_url(&self) -> String {
        let port = match self.script.start.instead {
            Some(Instead::Unreachable) => self.ports.refused,
            Some(Instead::Tls) => self.ports.broken_tls,
            Some(Instead::Silent | Instead::Response { .. }) | None => self.ports.https,
        };
        format!("https://{BACKEND}:{port}/nv")
    }

    /// The root certificate of all hosts, except the one with the recorded TLS failure.
    #[must_use]
    pub fn root_ca_pem(&self) -> &str {
        &self.root_pem
    }

    /// All hosts with their ports and addresses, as `HOST:PORT:ADDRESS`.
    #[must_use]
    pub fn resolve(&self) -> Vec<String> {
        let Ports { https, http, broken_tls, silent, refused } = self.ports;
        let names = (0..self.script.hosts.len()).map(script::stand_in).chain([BACKEND.to_owned()]);
        names
            .flat_map(|name| [https, http, broken_tls, silent, refused].map(|port| format!("{name}:{port}:127.0.0.1")))
            .collect()
    }

    /// The address of a name server that knows no name, for the lookup that must fail.
    #[must_use]
    pub fn dns_server(&self) -> String {
        self.dns_address.to_string()
    }
}

impl Drop for RunningReplay {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listen() -> io::Result<(StdListener, u16)> {
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

/// A generated root and a server with a certificate for these names.
fn certificate(names: Vec<String>) -> io::Result<(String, TlsAcceptor)> {
    let make = || -> Result<_, Box<dyn std::error::Error + Send + Sync>> {
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let leaf = CertificateParams::new(names)?.signed_by(&key, &root)?;
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))?;
        Ok((root.pem(), TlsAcceptor::from(Arc::new(config))))
    };
    make().map_err(io::Error::other)
}

/// Until all servers have ended: the failure of one does not end the others.
async fn serve(listeners: Vec<(StdListener, u16, Service)>, dns: StdUdpSocket, script: Arc<Script>, ports: Ports) {
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let _ = know_no_name(dns).await;
    });
    for (listener, _, service) in listeners {
        let Ok(listener) = TcpListener::from_std(listener) else { continue };
        let script = script.clone();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(converse(stream, service.clone(), script.clone(), ports));
                while connections.try_join_next().is_some() {}
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}

/// Responds to every query with `NXDOMAIN` (RFC 1035, section 4.1.1). A client that has disconnected
/// is not an error.
async fn know_no_name(socket: StdUdpSocket) -> io::Result<()> {
    let socket = UdpSocket::from_std(socket)?;
    let mut packet = [0; 1500];
    loop {
        let (length, peer) = socket.recv_from(&mut packet).await?;
        let [_, _, flags, code, ..] = &mut packet;
        (*flags, *code) = (*flags | 0x80, *code & 0xf0 | 3);
        let _ = socket.send_to(packet.get(..length).unwrap_or_default(), peer).await;
    }
}

/// A disconnecting client is not an error.
async fn converse(mut stream: TcpStream, service: Service, script: Arc<Script>, ports: Ports) {
    let _ = stream.set_nodelay(true);
    match service {
        Service::Http => respond(stream, &script, ports).await,
        Service::Https(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                respond(stream, &script, ports).await;
            }
        }
        Service::Alert(alert) => {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(&[21, 3, 3, 0, 2, 2, alert]).await;
            let _ = stream.shutdown().await;
        }
        Service::Silent => {
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        }
    }
}

/// Responds to the requests of one connection, one after another.
async fn respond(mut stream: impl AsyncRead + AsyncWrite + Unpin, script: &Script, ports: Ports) {
    while let Some(path) = next_request(&mut stream).await {
        let Some(reply) = script.respond(&path, ports) else { break };
        tokio::time::sleep(reply.delay).await;
        let sent = async {
            stream.write_all(&reply.bytes).await?;
            stream.flush().await
        };
        if sent.await.is_err() {
            return;
        }
        match reply.then {
            Then::KeepAlive => {}
            Then::Close => break,
            Then::Stall => {
                let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
                return;
            }
        }
    }
    let _ = stream.shutdown().await;
}

/// The path of the next request; its body is discarded.
async fn next_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < LONGEST_REQUEST {
        head.push(stream.read_u8().await.ok()?);
    }
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    request.parse(&head).ok()?;
    let path = request.path?.split('?').next()?.to_owned();
    let length = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length: u64 = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok()).unwrap_or(0);
    tokio::io::copy(&mut stream.take(length), &mut tokio::io::sink()).await.ok()?;
    Some(path)
}
