//! The hosts: TLS on port 443, plain HTTP/1.1 on any other, and whatever bytes the test wants as an answer.

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

use crate::network::{Door, Lookup};
use crate::pipe::Pipe;

/// Who is on the network, and what they say.
pub trait Hosts: Send + Sync {
    fn names(&self) -> Vec<String>;
    fn door(&self, host: &str) -> Door;
    fn answer(&self, asked: &Asked) -> Reply;

    fn lookup(&self, host: &str) -> Lookup {
        if self.door(host) == Door::Unknown { Lookup::Fails(NetworkError::Failed) } else { Lookup::Usual }
    }

    /// What a host makes of a `ClientHello`.
    fn handshake(&self, _host: &str) -> Handshake {
        Handshake::Usual
    }

    /// What a host does when a request begins to come in, before it has read it.
    fn interruption(&self, _host: &str) -> Option<Reply> {
        None
    }

    /// What a host's TLS makes of the offer of TLS 1.3.
    fn tls13(&self, _host: &str) -> Tls13 {
        Tls13::Spoken
    }

    /// How many bytes TLS tickets are longer than they need to be.
    fn ticket_padding(&self) -> usize {
        0
    }
}

/// What a server makes of a `ClientHello`.
#[derive(Debug, Clone)]
pub enum Handshake {
    Usual,
    /// Later.
    Slow(Duration),
    /// With a certificate that leads to no trusted root.
    WrongCertificate,
    /// Something else, instead of TLS.
    Instead(Reply),
}

/// What a server makes of the offer of TLS 1.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls13 {
    Spoken,
    /// TLS 1.2 is taken instead, as it should be.
    Declined,
    /// This alert (RFC 8446, section 6), then the end.
    Alert(u8),
    Close,
    Reset,
    /// The end of every handshake.
    NoTls,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Asked {
    pub https: bool,
    pub host: String,
    /// With the query.
    pub target: String,
    pub cookie: Option<String>,
    /// As it came.
    pub head: String,
}

/// An answer, byte for byte.
#[derive(Debug, Clone)]
pub enum Reply {
    /// The connection stays.
    Send(Vec<u8>),
    /// The connection is closed after it, with `close_notify`.
    SendAndClose(Vec<u8>),
    /// The connection ends after it, as if the host had lost power.
    SendAndVanish(Vec<u8>),
    /// Nothing comes after it.
    SendAndStall(Vec<u8>),
    /// The rest comes in parts, after a pause each. Then the connection stays.
    SendSlowly { first: Vec<u8>, pause: Duration, rest: Vec<Vec<u8>> },
    /// This, and a reset of the connection.
    SendAndReset(Vec<u8>),
    /// The connection is reset.
    Reset,
}

/// The OCSP response that all servers staple; not a valid one.
pub const OCSP_RESPONSE: &[u8] = b"OCSP";

pub struct Certificates {
    pub root_pem: String,
    config: ServerConfig,
    tls12: ServerConfig,
    /// Of another issuer.
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
        // What a server remembers is no part of what `tests/soak` weighs.
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

/// Tickets that anybody can read, since nobody here is a secret's owner.
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

/// A server's end of a connection.
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
        let Some(asked) = read(first, &mut stream, host, https).await else { return };
        if perform(hosts.answer(&asked), &mut stream, &reset).await.is_none() {
            return;
        }
    }
}

/// Nothing if the connection ends with it.
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

async fn read(first: u8, stream: &mut (impl AsyncRead + Unpin), host: &str, https: bool) -> Option<Asked> {
    let mut head = vec![first];
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let target = head.split(' ').nth(1)?.to_owned();
    let header = |name: &str| {
        head.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| key.eq_ignore_ascii_case(name))
    };
    assert_eq!(header("host")?.1, host, "the request went to the wrong host");
    let cookie = header("cookie").map(|(_, value)| value.to_owned());
    // The body is of no interest.
    let length = header("content-length").map_or(0, |(_, length)| length.parse().unwrap());
    stream.read_exact(&mut vec![0; length]).await.ok()?;
    Some(Asked { https, host: host.to_owned(), target, cookie, head })
}
