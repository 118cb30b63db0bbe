//! The page over real sockets: the requests of a verification arrive as events without anything
//! secret, faults change its outcome, and other sites cannot use it.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use number_verify_simulator::{Fault, Operator, Options, Pending, Simulator, page};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::Url;

const NUMBER: &str = "+14155550100";
const OTHER: &str = "+14155550199";
/// A safeguard against hanging.
const TIMEOUT: Duration = Duration::from_mins(1);

struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Response {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// Sends a request and reads the response, for at most `patience`. `None` without a response.
async fn exchange(
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

fn request(method: &str, url: &Url, headers: &str, body: &str) -> String {
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let length = body.len();
    format!(
        "{method} {target} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
}

/// A phone with the simulator's SIM, as far as these tests need one.
struct Phone<'a> {
    simulator: &'a Simulator,
    tls: TlsConnector,
    patience: Duration,
}

impl<'a> Phone<'a> {
    fn new(simulator: &'a Simulator) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(simulator.root_ca_pem().as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let tls = TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
        Self { simulator, tls, patience: TIMEOUT }
    }

    async fn send(&self, method: &str, url: &Url, headers: &str, body: &str) -> Option<Response> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, url.port()?)).await.ok()?;
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

    /// The backend's result, or why there is none.
    async fn verify(&self, backend: &str, number: &str) -> Result<Value, String> {
        let started = self.post(&format!("{backend}/start"), &json!({ "phoneNumber": number })).await.ok_or("start")?;
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

    async fn verify_with_b(&self) -> Result<bool, String> {
        let result = self.verify(&self.simulator.backend_url(Operator::B), NUMBER).await?;
        result["verified"].as_bool().ok_or_else(|| result.to_string())
    }
}

fn parameters(url: &Url) -> HashMap<String, String> {
    url.query_pairs().into_owned().collect()
}

struct Page(SocketAddr);

impl Page {
    fn start(simulator: &Simulator) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let ready = json!({ "page": format!("http://{address}/"), "hosts": simulator.hosts() });
        tokio::spawn(page::serve(listener, simulator, ready));
        Self(address)
    }

    async fn call(&self, request: &str) -> Response {
        exchange(TcpStream::connect(self.0).await.unwrap(), request, TIMEOUT).await.unwrap()
    }

    async fn get(&self, path: &str) -> Response {
        self.call(&request("GET", &Url::parse(&format!("http://{}{path}", self.0)).unwrap(), "", "")).await
    }

    /// Switches on a fault as the page does, but with these headers.
    async fn post_fault(&self, headers: &str, body: &str) -> u16 {
        let url = Url::parse(&format!("http://{}/fault", self.0)).unwrap();
        self.call(&request("POST", &url, headers, body)).await.status
    }

    async fn events(&self) -> Events {
        let mut stream = TcpStream::connect(self.0).await.unwrap();
        let url = Url::parse(&format!("http://{}/events", self.0)).unwrap();
        stream.write_all(request("GET", &url, "", "").as_bytes()).await.unwrap();
        Events { stream, received: Vec::new() }
    }
}

/// The stream of events, and all that was read of it.
struct Events {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Events {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }

    /// Reads until the last event of this kind suffices.
    async fn wait_for(&mut self, kind: &str, suffices: impl Fn(&Value) -> bool) -> Value {
        let start = format!("event: {kind}\ndata: ");
        loop {
            let text = self.text();
            let last = text.rfind(&start).and_then(|at| text[at + start.len()..].split_once("\n\n"));
            if let Some(value) = last.and_then(|(json, _)| serde_json::from_str(json).ok()).filter(&suffices) {
                return value;
            }
            let length = timeout(TIMEOUT, self.stream.read_buf(&mut self.received)).await.unwrap().unwrap();
            assert_ne!(length, 0, "the stream has ended: {text}");
        }
    }
}

fn simulator() -> Simulator {
    Simulator::start(Options::default()).unwrap()
}

fn assert_nothing_secret(text: &str, simulator: &Simulator) {
    let secrets = simulator.secrets();
    assert!(!secrets.is_empty());
    for secret in secrets.iter().map(String::as_str).chain([NUMBER, OTHER, &NUMBER[1..], &OTHER[1..]]) {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
}

#[tokio::test]
async fn hops_of_a_verification_are_streamed() {
    let simulator = simulator();
    let page = Page::start(&simulator);
    let mut events = page.events().await;
    events.wait_for("fault", Value::is_null).await;
    assert_eq!(Phone::new(&simulator).verify_with_b().await, Ok(true));
    let verification = events.wait_for("verification", |it| !it["result"].is_null()).await;
    assert_eq!(verification["result"], json!({ "kind": "verified" }), "{verification}");
    assert_eq!(verification["number"], "…00", "{verification}");
    assert_eq!(verification["backend"], "/number-verify/b", "{verification}");
    let hops = verification["hops"].as_array().unwrap();
    let all = |name: &str| hops.iter().map(|hop| hop[name].clone()).collect::<Vec<_>>();
    let paths = [
        "/number-verify/b/start",
        "/oauth2/auth",
        "/authorize",
        "/enrich",
        "/session",
        "/consent",
        "/callback",
        "/number-verify/b/complete",
    ];
    assert_eq!(all("path"), paths.map(Value::from));
    assert_eq!(all("status"), [200, 302, 302, 302, 302, 302, 302, 200].map(Value::from));
    assert_eq!(hops[3]["tls"], Value::Null);
    assert_eq!(hops[4]["cookies"], json!(["opsess"]));
    assert_eq!((&hops[4]["tls"], &hops[4]["family"]), (&json!("TLS 1.3"), &json!("IPv4")));
    assert_eq!((&hops[4]["network"], &hops[4]["sim"]), (&json!("loopback"), &json!("…00")));
    assert_eq!(hops[4]["redirect"], "consent");
    assert_eq!(hops[6]["redirect"], "https://backend.simulator.test/number-verify/b/callback");
    assert!(hops.iter().all(|hop| hop["from"] == "phone" && hop["duration_ms"].is_f64()), "{verification}");
    // Each request and each response is an event.
    assert_eq!(events.text().matches("event: verification").count(), 2 * paths.len());
    assert_nothing_secret(&events.text(), &simulator);
    let again = page.events().await.wait_for("verification", |_| true).await;
    assert_eq!(again, verification);
    let download = page.get("/verifications/1.json").await;
    assert_eq!(download.json(), verification);
    assert_eq!(download.header("content-disposition"), Some("attachment; filename=\"verification-1.json\""));
}

#[tokio::test]
async fn nothing_secret_is_shown_of_any_scenario() {
    let simulator = simulator();
    let page = Page::start(&simulator);
    let mut texts = String::new();
    // Some quirks never end a response.
    let phone = Phone { patience: Duration::from_millis(200), ..Phone::new(&simulator) };
    let scenarios = simulator.scenarios();
    for (id, scenario) in (1..).zip(&scenarios) {
        let _ = timeout(Duration::from_secs(3), phone.verify(&simulator.scenario_url(scenario), OTHER)).await;
        let shown = page.get(&format!("/verifications/{id}.json")).await;
        assert_eq!(shown.status, 200, "{}: a request was not assigned", scenario.name);
        let hosts = shown.json()["hops"].as_array().map(Vec::len);
        assert!(hosts > Some(1), "{}: {}", scenario.name, shown.body);
        texts += &shown.body;
    }
    assert_nothing_secret(&texts, &simulator);
    assert_eq!(page.get(&format!("/verifications/{}.json", scenarios.len() + 1)).await.status, 404);
    assert_eq!(page.get("/verifications/1.json").await.status, 404, "only the last 50 are kept");
}

#[tokio::test]
async fn faults_change_the_outcome_of_the_next_verification() {
    let simulator = simulator();
    let phone = Phone::new(&simulator);
    let page = Page::start(&simulator);
    let headers = format!("Origin: http://{}\r\nContent-Type: application/json\r\n", page.0);
    let denied = || Err("access_denied".to_owned());
    let cases = [
        (Fault::Reset, Err("closed".to_owned()), Value::Null),
        (Fault::WrongState, Err("another state".to_owned()), Value::Null),
        (Fault::Denied, denied(), json!({ "kind": "denied", "detail": "access_denied" })),
        (Fault::NoSim, denied(), json!({ "kind": "denied", "detail": "access_denied" })),
        (Fault::WrongSim, Ok(false), json!({ "kind": "not-verified" })),
    ];
    let mut events = page.events().await;
    for (id, (fault, outcome, result)) in (1..).step_by(2).zip(cases) {
        assert_eq!(page.post_fault(&headers, &json!({ "fault": fault }).to_string()).await, 204);
        events.wait_for("fault", |pending| pending["fault"] == json!(fault)).await;
        assert_eq!(phone.verify_with_b().await, outcome, "{fault:?}");
        events.wait_for("fault", Value::is_null).await;
        let verification = page.get(&format!("/verifications/{id}.json")).await.json();
        assert_eq!((&verification["fault"], &verification["result"]), (&json!(fault), &result), "{verification}");
        assert_eq!(phone.verify_with_b().await, Ok(true), "after {fault:?}");
    }
    assert_nothing_secret(&events.text(), &simulator);
}

#[tokio::test]
async fn slow_hop_delays_the_verification() {
    let simulator = simulator();
    simulator.set_fault(Pending { fault: Some(Fault::SlowHop), repeat: false });
    let began = Instant::now();
    assert_eq!(Phone::new(&simulator).verify_with_b().await, Ok(true));
    assert!(began.elapsed() >= Duration::from_secs(5));
}

#[tokio::test]
async fn fault_stays_until_switched_off() {
    let simulator = simulator();
    let phone = Phone::new(&simulator);
    simulator.set_fault(Pending { fault: Some(Fault::WrongSim), repeat: true });
    assert_eq!([phone.verify_with_b().await, phone.verify_with_b().await], [Ok(false), Ok(false)]);
    simulator.set_fault(Pending { fault: None, repeat: false });
    assert_eq!(phone.verify_with_b().await, Ok(true));
}

#[tokio::test]
async fn other_sites_are_refused() {
    let simulator = simulator();
    let page = Page::start(&simulator);
    let address = page.0;
    for host in ["evil.test", &format!("evil.test:{}", address.port()), "127.0.0.1.evil.test", ""] {
        let response = page.call(&format!("GET /events HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await;
        assert_eq!(response.status, 403, "{host}");
    }
    for host in [format!("localhost:{}", address.port()), "192.0.2.1".to_owned(), "[::1]:8080".to_owned()] {
        let response = page.call(&format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await;
        assert_eq!(response.status, 200, "{host}");
    }
    let json = "Content-Type: application/json\r\n";
    let (fault, same) = (r#"{"fault":"reset"}"#, format!("Origin: http://{address}\r\n"));
    for origin in ["", "Origin: null\r\n", "Origin: http://evil.test\r\n", "Origin: http://127.0.0.1\r\n"] {
        assert_eq!(page.post_fault(&format!("{origin}{json}"), fault).await, 403, "{origin}");
    }
    assert_eq!(page.post_fault(&format!("{same}Content-Type: text/plain\r\n"), fault).await, 415);
    for invalid in ["", "{", r#"{"fault":"none such"}"#, r#"{"fault":"reset","more":1}"#, "[]"] {
        let status = page.post_fault(&format!("{same}{json}"), invalid).await;
        assert!((400..500).contains(&status), "{invalid}: {status}");
    }
    let mut events = page.events().await;
    events.wait_for("fault", Value::is_null).await;
    assert_eq!(page.post_fault(&format!("{same}{json}"), fault).await, 204);
    events.wait_for("fault", |pending| pending["fault"] == "reset").await;
}

#[tokio::test]
async fn page_has_what_a_client_needs() {
    let simulator = simulator();
    let page = Page::start(&simulator);
    for path in ["/", "/page.css", "/page.js", "/icon.svg", "/about", "/qr.svg"] {
        let response = page.get(path).await;
        assert_eq!(response.status, 200, "{path}");
        let policy = response.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
    assert_eq!(page.get("/root.pem").await.body, simulator.root_ca_pem());
    let resolve = page.get("/resolve").await.body;
    assert_eq!(resolve.matches("--resolve ").count(), simulator.hosts().len(), "{resolve}");
    let about = page.get("/about").await.json();
    assert_eq!(about["root_sha256"].as_str().map(str::len), Some(95), "{about}");
    assert!(page.get("/qr.svg").await.body.starts_with("<svg "));
    for path in
        ["/verifications/1.json", "/verifications/1", "/verifications/x.json", "/verifications/-1.json", "/none"]
    {
        assert_eq!(page.get(path).await.status, 404, "{path}");
    }
}
