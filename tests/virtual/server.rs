//! The hosts: TLS on port 443, plain HTTP/1.1 on any other, and whatever bytes the test wants as an answer.

use std::sync::{Arc, LazyLock};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::{Acceptor, ProducesTickets};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{CipherSuite, ServerConfig, SupportedProtocolVersion};

use crate::network::Door;
use crate::pipe::Pipe;

/// Who is on the network, and what they say.
pub trait Hosts: Send + Sync {
    fn names(&self) -> Vec<String>;
    fn door(&self, host: &str) -> Door;
    fn answer(&self, asked: &Asked) -> Reply;

    /// What a host's TLS makes of the offer of TLS 1.3.
    fn tls13(&self, _host: &str) -> Tls13 {
        Tls13::Spoken
    }

    /// How many bytes TLS tickets are longer than they need to be.
    fn ticket_padding(&self) -> usize {
        0
    }
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
    /// The connection is reset.
    Reset,
}

/// The OCSP response that all servers staple; not a valid one.
pub const OCSP_RESPONSE: &[u8] = b"OCSP";

pub struct Certificates {
    pub root_pem: String,
    config: ServerConfig,
    tls12: ServerConfig,
}

pub static CERTIFICATES: LazyLock<Certificates> = LazyLock::new(|| {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = ["*.glide.test", "*.example.test", "operator-a.test", "*.operator-a.test"].map(str::to_owned).to_vec();
    let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &root).unwrap();
    let config = |versions: &[&'static SupportedProtocolVersion]| {
        ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert_with_ocsp(
                vec![leaf.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
                OCSP_RESPONSE.to_vec(),
            )
            .unwrap()
    };
    Certificates { root_pem: root.pem(), config: config(&[&TLS13, &TLS12]), tls12: config(&[&TLS12]) }
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

pub async fn converse(pipe: Pipe, host: String, https: bool, hosts: Arc<dyn Hosts>) {
    if !https {
        return serve(pipe, &host, https, &*hosts, Pipe::reset).await;
    }
    let mut config = CERTIFICATES.config.clone();
    config.ticketer = Arc::new(PlainTickets { padding: hosts.ticket_padding() });
    let Ok(mut begun) = LazyConfigAcceptor::new(Acceptor::default(), pipe).await else { return };
    if hosts.tls13(&host) == Tls13::NoTls {
        return;
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
    while let Some(asked) = read(&mut stream, host, https).await {
        let reply = hosts.answer(&asked);
        let (Reply::Send(bytes)
        | Reply::SendAndClose(bytes)
        | Reply::SendAndVanish(bytes)
        | Reply::SendAndStall(bytes)) = &reply
        else {
            return reset(&mut stream);
        };
        if stream.write_all(bytes).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        match reply {
            Reply::Send(_) => {}
            Reply::SendAndClose(_) => return stream.shutdown().await.unwrap_or_default(),
            Reply::SendAndStall(_) => {
                // Until the client closes the connection.
                let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
                return;
            }
            Reply::SendAndVanish(_) | Reply::Reset => return,
        }
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin), host: &str, https: bool) -> Option<Asked> {
    let mut head = Vec::new();
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
    Some(Asked { https, host: host.to_owned(), target, cookie, head })
}
