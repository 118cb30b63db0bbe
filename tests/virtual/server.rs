//! The hosts: TLS on port 443, plain HTTP/1.1 on any other port, and any bytes that the test
//! provides as a response.

use std::sync::{Arc, LazyLock};

use number_verify::internals::NetworkError;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Duration, sleep};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::{Acceptor, NoServerSessionStorage, ProducesTickets};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{CipherSuite, ServerConfig, SupportedProtocolVersion};

use crate::network::{Lookup, Reachability};
use crate::pipe::Pipe;

/// The hosts on the network, and their responses.
pub trait Hosts: Send + Sync {
    fn names(&self) -> Vec<String>;
    fn reachability(&self, host: &str) -> Reachability;
    fn respond(&self, request: &HttpRequest) -> Reply;

    fn lookup(&self, host: &str) -> Lookup {
        if self.reachability(host) == Reachability::Unknown {
            Lookup::Fails(NetworkError::Failed)
        } else {
            Lookup::Usual
        }
    }

    /// How a host handles a `ClientHello`.
    fn handshake(&self, _host: &str) -> Handshake {
        Handshake::Usual
    }

    /// What a host does when a request begins to arrive, before reading it.
    fn interruption(&self, _host: &str) -> Option<Reply> {
        None
    }

    /// How a host's TLS handles the TLS 1.3 offer.
    fn tls13(&self, _host: &str) -> Tls13 {
        Tls13::Spoken
    }

    /// By how many bytes TLS tickets are padded.
    fn ticket_padding(&self) -> usize {
        0
    }
}

/// How a server handles a `ClientHello`.
#[derive(Debug, Clone)]
pub enum Handshake {
    Usual,
    /// After a delay.
    Slow(Duration),
    /// With a certificate that does not chain to a trusted root.
    WrongCertificate,
    /// Other bytes instead of TLS.
    Instead(Reply),
}

/// How a server handles the TLS 1.3 offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls13 {
    Spoken,
    /// Negotiates TLS 1.2 as it should.
    Declined,
    /// Sends this alert (RFC 8446, section 6), then closes.
    Alert(u8),
    Close,
    Reset,
    /// Closes during every handshake.
    NoTls,
}

/// A received request.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    pub https: bool,
    pub host: String,
    /// With the query.
    pub target: String,
    pub cookie: Option<String>,
    /// As received.
    pub head: String,
}

/// A response, byte for byte.
#[derive(Debug, Clone)]
pub enum Reply {
    /// The connection stays open.
    Send(Vec<u8>),
    /// The connection is closed afterwards, with `close_notify`.
    SendAndClose(Vec<u8>),
    /// The connection ends afterwards, as if the host had lost power.
    SendAndVanish(Vec<u8>),
    /// Nothing follows.
    SendAndStall(Vec<u8>),
    /// The rest is sent in parts, each after a pause. Then the connection stays open.
    SendSlowly { first: Vec<u8>, pause: Duration, rest: Vec<Vec<u8>> },
    /// These bytes, and a reset of the connection.
    SendAndReset(Vec<u8>),
    /// The connection is reset.
    Reset,
}

/// The OCSP response that all servers staple; it is not valid.
pub const OCSP_RESPONSE: &[u8] = b"OCSP";

pub struct Certificates {
    pub root_pem: String,
    config: ServerConfig,
    tls12: ServerConfig,
    /// From another issuer.
    wrong: ServerConfig,
}

pub static CERTIFICATES: LazyLock<Certificates> = LazyLock::new(|| {
    let issuer = || {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (root, other) = (issuer(), issuer());
    let key = KeyPair::generate().unwrap();
    let names = ["*.glide.test", "*.example.test", "operator-a.test", "*.operator-a.test"].map(str::to_owned).to_vec();
    let config = |versions: &[&'static SupportedProtocolVersion], issuer: &CertifiedIssuer<'_, KeyPair>| {
        let leaf = CertificateParams::new(names.clone()).unwrap().signed_by(&key, issuer).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert_with_ocsp(
                vec![leaf.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
                OCSP_RESPONSE.to_vec(),
            )
            .unwrap();
        // Server-side session state must not be part of the memory that `tests/soak` measures.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config
    };
    let both = [&TLS13, &TLS12];
    Certificates {
        root_pem: root.pem(),
        config: config(&both, &root),
        tls12: config(&[&TLS12], &root),
        wrong: config(&both, &other),
    }
});

/// Unencrypted tickets: the test servers have no secrets to protect.
#[derive(Debug)]
struct PlainTickets {
    padding: usize,
}

impl ProducesTickets for PlainTickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        3600
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        Some([plain, &vec![0; self.padding]].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        Some(ticket.get(..ticket.len().checked_sub(self.padding)?)?.to_vec())
    }
}

/// The server's end of a connection.
pub trait Socket: AsyncRead + AsyncWrite + Unpin {
    /// The client's next read fails.
    fn reset(&mut self);
}

impl Socket for Pipe {
    fn reset(&mut self) {
        Self::reset(self);
    }
}

pub async fn converse<S: Socket>(pipe: S, host: String, https: bool, hosts: Arc<dyn Hosts>) {
    if !https {
        return serve(pipe, &host, https, &*hosts, S::reset).await;
    }
    let mut config = CERTIFICATES.config.clone();
    config.ticketer = Arc::new(PlainTickets { padding: hosts.ticket_padding() });
    let Ok(mut begun) = LazyConfigAcceptor::new(Acceptor::default(), pipe).await else { return };
    if hosts.tls13(&host) == Tls13::NoTls {
        return;
    }
    match hosts.handshake(&host) {
        Handshake::Usual => {}
        Handshake::Slow(time) => sleep(time).await,
        Handshake::WrongCertificate => config = CERTIFICATES.wrong.clone(),
        Handshake::Instead(reply) => {
            perform(reply, &mut begun.io, &S::reset).await;
            return;
        }
    }
    let suites = begun.client_hello().cipher_suites().to_vec();
    if suites.contains(&CipherSuite::TLS13_AES_128_GCM_SHA256) {
        match hosts.tls13(&host) {
            Tls13::Spoken | Tls13::Declined | Tls13::NoTls => {}
            Tls13::Alert(alert) => {
                let _ = begun.io.write_all(&[21, 3, 1, 0, 2, 2, alert]).await;
                return;
            }
            Tls13::Close => return,
            Tls13::Reset => return begun.io.reset(),
        }
    }
    if hosts.tls13(&host) != Tls13::Spoken {
        config = CERTIFICATES.tls12.clone();
    }
    if let Ok(stream) = begun.into_stream(Arc::new(config)).await {
        serve(stream, &host, https, &*hosts, |stream| stream.get_mut().0.reset()).await;
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    host: &str,
    https: bool,
    hosts: &dyn Hosts,
    reset: impl Fn(&mut S),
) {
    while let Ok(first) = stream.read_u8().await {
        if let Some(reply) = hosts.interruption(host)
            && perform(reply, &mut stream, &reset).await.is_none()
        {
            return;
        }
        let Some(request) = read(first, &mut stream, host, https).await else { return };
        if perform(hosts.respond(&request), &mut stream, &reset).await.is_none() {
            return;
        }
    }
}

/// `None` if the connection ends with it.
async fn perform<S: AsyncRead + AsyncWrite + Unpin>(
    reply: Reply,
    stream: &mut S,
    reset: &impl Fn(&mut S),
) -> Option<()> {
    match reply {
        Reply::Send(bytes) => send(stream, &bytes).await,
        Reply::SendAndClose(bytes) => {
            send(stream, &bytes).await?;
            let _ = stream.shutdown().await;
            None
        }
        Reply::SendAndStall(bytes) => {
            send(stream, &bytes).await?;
            // Until the client closes the connection.
            let _ = tokio::io::copy(stream, &mut tokio::io::sink()).await;
            None
        }
        Reply::SendAndVanish(bytes) => {
            send(stream, &bytes).await?;
            None
        }
        Reply::SendSlowly { first, pause, rest } => {
            send(stream, &first).await?;
            for part in rest {
                sleep(pause).await;
                send(stream, &part).await?;
            }
            Some(())
        }
        Reply::SendAndReset(bytes) => {
            send(stream, &bytes).await?;
            reset(stream);
            None
        }
        Reply::Reset => {
            reset(stream);
            None
        }
    }
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Option<()> {
    stream.write_all(bytes).await.ok()?;
    stream.flush().await.ok()
}

async fn read(first: u8, stream: &mut (impl AsyncRead + Unpin), host: &str, https: bool) -> Option<HttpRequest> {
    let mut head = vec![first];
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let target = head.split(' ').nth(1)?.to_owned();
    let header = |name: &str| {
        head.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| key.eq_ignore_ascii_case(name))
    };
    assert_eq!(header("host")?.1, host, "the request was sent to the wrong host");
    let cookie = header("cookie").map(|(_, value)| value.to_owned());
    // The body is not needed.
    let length = header("content-length").map_or(0, |(_, length)| length.parse().unwrap());
    stream.read_exact(&mut vec![0; length]).await.ok()?;
    Some(HttpRequest { https, host: host.to_owned(), target, cookie, head })
}
