//! A client for these tests: a phone with the simulator's SIM, without the library.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use number_verify_simulator::{Operator, Simulator};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::Url;

pub const NUMBER: &str = "+14155550100";
/// A safeguard against hanging.
pub const TIMEOUT: Duration = Duration::from_mins(1);

pub struct Response {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// Sends a request and reads the response, for at most `patience`. `None` without a response.
pub async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &str,
    patience: Duration,
) -> Option<Response> {
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut received = Vec::new();
    let read = async { while !is_complete(&received) && matches!(stream.read_buf(&mut received).await, Ok(1..)) {} };
    let _ = timeout(patience, read).await;
    let text = String::from_utf8_lossy(&received).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split_whitespace().nth(1)?.parse().ok()?;
    let header = |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    Some(Response { status, headers: lines.filter_map(header).collect(), body: body.to_owned() })
}

/// Whether the body has the length that the head specifies.
fn is_complete(received: &[u8]) -> bool {
    let text = String::from_utf8_lossy(received).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    length.is_some_and(|length: usize| body.len() >= length)
}

pub fn request(method: &str, url: &Url, headers: &str, body: &str) -> String {
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let length = body.len();
    format!(
        "{method} {target} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
}

/// A phone with the simulator's SIM, as far as these tests need one.
pub struct Phone<'a> {
    simulator: &'a Simulator,
    tls: TlsConnector,
    pub patience: Duration,
    /// The source address.
    pub address: Ipv4Addr,
}

impl<'a> Phone<'a> {
    pub fn new(simulator: &'a Simulator) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(simulator.root_ca_pem().as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let tls = TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
        Self { simulator, tls, patience: TIMEOUT, address: Ipv4Addr::LOCALHOST }
    }

    pub async fn send(&self, method: &str, url: &Url, headers: &str, body: &str) -> Option<Response> {
        let socket = TcpSocket::new_v4().ok()?;
        socket.bind((self.address, 0).into()).ok()?;
        let stream = socket.connect((Ipv4Addr::LOCALHOST, url.port()?).into()).await.ok()?;
        let request = request(method, url, headers, body);
        if url.scheme() == "http" {
            return exchange(stream, &request, self.patience).await;
        }
        let name = ServerName::try_from(url.host_str()?.to_owned()).ok()?;
        exchange(self.tls.connect(name, stream).await.ok()?, &request, self.patience).await
    }

    async fn post(&self, url: &str, body: &Value) -> Option<Value> {
        let (url, body) = (Url::parse(url).ok()?, body.to_string());
        let response = self.send("POST", &url, "Content-Type: application/json\r\n", &body).await;
        Some(response?.json())
    }

    /// The backend's response to `start`.
    pub async fn start(&self, backend: &str, number: &str) -> Option<Value> {
        self.post(&format!("{backend}/start"), &json!({ "phoneNumber": number })).await
    }

    /// The backend's result, or why there is none.
    pub async fn verify(&self, backend: &str, number: &str) -> Result<Value, String> {
        let started = self.start(backend, number).await.ok_or("start")?;
        let auth_url = started["authUrl"].as_str().ok_or("no auth URL")?;
        let mut url = Url::parse(auth_url).map_err(|error| error.to_string())?;
        let state = parameters(&url).remove("state");
        let end = started["redirectUri"].as_str().unwrap_or("nowhere");
        let mut cookie = String::new();
        for _ in 0..20 {
            let response = self.send("GET", &url, &cookie, "").await.ok_or("closed")?;
            if let Some(set) = response.header("set-cookie").and_then(|set| set.split(';').next()) {
                cookie = format!("Cookie: {set}\r\n");
            }
            let Some(location) = response.header("location") else { return Err(format!("status {}", response.status)) };
            url = url.join(location).map_err(|error| error.to_string())?;
            if location.starts_with(end) {
                let mut received = parameters(&url);
                if let Some(error) = received.remove("error") {
                    return Err(error);
                }
                if received.get("state") != state.as_ref() {
                    return Err("another state".to_owned());
                }
                let body = json!({ "session": started["session"], "code": received.get("code"), "state": state });
                return self.post(&format!("{backend}/complete"), &body).await.ok_or_else(|| "complete".to_owned());
            }
        }
        Err("too many redirects".to_owned())
    }

    pub async fn verify_with_b(&self) -> Result<bool, String> {
        let result = self.verify(&self.simulator.backend_url(Operator::B), NUMBER).await?;
        result["verified"].as_bool().ok_or_else(|| result.to_string())
    }
}

pub fn parameters(url: &Url) -> HashMap<String, String> {
    url.query_pairs().into_owned().collect()
}
