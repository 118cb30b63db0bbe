//! The operator's side in memory: every host sends the next response of the script.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use number_verify::internals::{Family, Network, NetworkError, Threads, Tls, Unusable, is_forbidden};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::version::TLS13;

const NAMES: [&str; 6] = ["op.test", "*.op.test", "cb.test", "api.test", "loopback.test", "rebind.test"];
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));

/// Of the client.
pub static TLS: LazyLock<Tls> =
    LazyLock::new(|| Tls::new(std::slice::from_ref(&CERTIFICATES.root), None, Threads::new()).expect("TLS"));

struct Certificates {
    root: String,
    server: TlsAcceptor,
}

static CERTIFICATES: LazyLock<Certificates> = LazyLock::new(|| {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a root");
    let key = KeyPair::generate().expect("a key");
    let leaf = CertificateParams::new(NAMES.map(str::to_owned).to_vec()).expect("names");
    let leaf = leaf.signed_by(&key, &root).expect("a certificate");
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13])
        .expect("a version")
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .expect("a certificate with its key");
    Certificates { root: root.pem(), server: TlsAcceptor::from(Arc::new(config)) }
});

/// A request that a host received.
#[derive(Debug, Clone)]
pub struct Request {
    pub https: bool,
    pub host: String,
    pub head: String,
}

pub struct Hosts(Mutex<State>);

struct State {
    responses: VecDeque<Vec<u8>>,
    requests: Vec<Request>,
    lookups: usize,
    acquired: usize,
    released: usize,
}

impl Hosts {
    /// Responses follow lines `--`: a status, headers, an empty line, a body.
    pub fn new(script: &str) -> Self {
        let responses = script.split("--\n").skip(1).map(response).collect();
        Self(Mutex::new(State { responses, requests: Vec::new(), lookups: 0, acquired: 0, released: 0 }))
    }

    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    pub fn acquired(&self) -> usize {
        self.state().acquired
    }

    pub fn acquire(&self) {
        self.state().acquired += 1;
    }

    pub fn released(&self) -> usize {
        self.state().released
    }

    pub fn release(&self) {
        self.state().released += 1;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(&self, mut stream: S, https: bool) {
        let mut head = Vec::new();
        while let Ok(byte) = stream.read_u8().await {
            head.push(byte);
            if !head.ends_with(b"\r\n\r\n") {
                continue;
            }
            let text = String::from_utf8_lossy(&head).into_owned();
            let host = text.lines().find_map(|line| line.strip_prefix("Host: ")).unwrap_or_default().to_owned();
            let response = {
                let mut state = self.state();
                state.requests.push(Request { https, host, head: text });
                state.responses.pop_front()
            };
            head.clear();
            let Some(response) = response else { return };
            if stream.write_all(&response).await.is_err() || stream.flush().await.is_err() {
                return;
            }
        }
    }
}

fn response(text: &str) -> Vec<u8> {
    let (status, rest) = text.split_once('\n').unwrap_or((text, ""));
    let (head, body) = match rest.strip_prefix('\n') {
        Some(body) => ("", body),
        None => rest.split_once("\n\n").unwrap_or((rest, "")),
    };
    let head: String = head.lines().flat_map(|line| [line, "\r\n"]).collect();
    format!("HTTP/1.1 {status} X\r\n{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

pub struct Memory(Arc<Hosts>);

impl Memory {
    pub fn new(hosts: Arc<Hosts>) -> Self {
        Self(hosts)
    }
}

impl Network for Memory {
    type Stream = DuplexStream;

    async fn resolve(&self, host: &str, _: u16, family: Family) -> Result<Vec<IpAddr>, NetworkError> {
        if family == Family::V6 {
            return Ok(Vec::new());
        }
        let mut state = self.0.state();
        let rebinds = host == "rebind.test" && state.lookups > 0;
        state.lookups += usize::from(host == "rebind.test");
        Ok(vec![if rebinds || host == "loopback.test" { Ipv4Addr::LOCALHOST.into() } else { ADDRESS }])
    }

    async fn connect(&self, address: SocketAddr) -> Result<DuplexStream, NetworkError> {
        assert!(!is_forbidden(address.ip()), "{address} is dialled");
        let (client, server) = duplex(64 * 1024);
        let hosts = self.0.clone();
        tokio::spawn(async move {
            if address.port() != 443 {
                hosts.serve(server, false).await;
            } else if let Ok(stream) = CERTIFICATES.server.accept(server).await {
                hosts.serve(stream, true).await;
            }
        });
        Ok(client)
    }

    fn check(&self) -> Result<(), Unusable> {
        Ok(())
    }
}
