//! The page over real sockets: the requests of a verification arrive as events without anything
//! secret, faults change its outcome, and other sites cannot use it.

mod client;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};
use client::{NUMBER, Phone, Response, TIMEOUT, exchange, parameters, request};
use number_verify_simulator::{CLIENT_ID, CLIENT_SECRET, Fault, Operator, Options, Pending, Simulator, page};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

/// Quirks whose responses do not end for this client. It reads up to `Content-Length` or the end of
/// the connection.
const ENDLESS: [&str; 5] = [
    "chunked-with-trailers",
    "contradictory-framing-json",
    "large-redirect-page",
    "no-content-204",
    "redirect-without-length",
];
const OTHER: &str = "+14155550199";

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
    let clock = events.wait_for("clock", Value::is_u64).await;
    events.wait_for("fault", Value::is_null).await;
    assert_eq!(Phone::new(&simulator).verify_with_b().await, Ok(true));
    let verification = events.wait_for("verification", |it| !it["result"].is_null()).await;
    assert_eq!(verification["result"], json!({ "kind": "verified" }), "{verification}");
    assert!(verification["began_ms"].as_u64() >= clock.as_u64(), "{verification}");
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

/// The response to an authorization request of another backend. Its state is not one of the
/// simulator's ids.
async fn authorize(simulator: &Simulator, phone: &Phone<'_>) -> Value {
    let query = format!("client_id={CLIENT_ID}&response_type=code&scope=openid%20number-verification:verify");
    let url = format!("{}/oauth2/auth?{query}&state=xyz&dev_print=true", simulator.glide_url());
    follow(phone, &url).await
}

/// The response after all redirects.
async fn follow(phone: &Phone<'_>, url: &str) -> Value {
    let mut next = Url::parse(url).unwrap();
    loop {
        let response = phone.send("GET", &next, "", "").await.unwrap();
        match response.header("location") {
            Some(location) => next = next.join(location).unwrap(),
            None => return response.json(),
        }
    }
}

/// Other systems have no second loopback address.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn source_addresses_are_returned_once_for_a_correlator() {
    let simulator = simulator();
    let (wifi, mut cellular) = (Phone::new(&simulator), Phone::new(&simulator));
    cellular.address = Ipv4Addr::new(127, 0, 0, 2);
    let url = |path: &str| Url::parse(&format!("{}{path}", simulator.observed_url())).unwrap();
    let response = cellular.send("GET", &url(""), "", "").await.unwrap();
    assert_eq!(response.json(), json!({ "address": "127.0.0.2" }));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(wifi.send("GET", &url("/check:1"), "", "").await.unwrap().status, 404);

    let start = Url::parse(&format!("{}/start", simulator.backend_url_on_http(Operator::B))).unwrap();
    let body = json!({ "phoneNumber": NUMBER }).to_string();
    let mut started = Vec::new();
    for correlator in ["check:1", "check:2"] {
        let headers = format!("Content-Type: application/json\r\nx-correlator: {correlator}\r\n");
        started.push(wifi.send("POST", &start, &headers, &body).await.unwrap());
    }
    follow(&cellular, started[0].json()["authUrl"].as_str().unwrap()).await;
    let observed = wifi.send("GET", &url("/check:1"), "", "").await.unwrap();
    let expected = json!({ "address": "127.0.0.1", "backend": ["127.0.0.1"], "operator": ["127.0.0.2"] });
    assert_eq!(observed.json(), expected);
    assert_eq!(wifi.send("GET", &url("/check:1"), "", "").await.unwrap().status, 404, "only once");
    let observed = wifi.send("GET", &url("/check:2"), "", "").await.unwrap();
    assert_eq!(observed.json()["operator"], json!([]));

    let page = Page::start(&simulator);
    assert!(!page.get("/verifications/1.json").await.body.contains("127.0.0.2"), "the page shows no addresses");
}

#[tokio::test]
async fn verification_of_another_backend_is_recorded() {
    let simulator = simulator();
    let page = Page::start(&simulator);
    let phone = Phone::new(&simulator);
    let url = |path: &str| Url::parse(&format!("{}{path}", simulator.glide_url())).unwrap();
    let code = authorize(&simulator, &phone).await["code"].as_str().unwrap().to_owned();
    let client = BASE64_STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}"));
    let headers = format!("Authorization: Basic {client}\r\nContent-Type: application/x-www-form-urlencoded\r\n");
    let body = format!("grant_type=authorization_code&code={code}");
    let token = phone.send("POST", &url("/oauth2/token"), &headers, &body).await.unwrap().json();
    let token = token["access_token"].as_str().unwrap().to_owned();
    let headers = format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
    let claim = json!({ "phoneNumber": OTHER }).to_string();
    let verified = phone.send("POST", &url("/number-verification/verify"), &headers, &claim).await.unwrap();
    assert_eq!(verified.json(), json!({ "devicePhoneNumberVerified": false }));
    let shown = page.get("/verifications/1.json").await;
    assert_nothing_secret(&shown.body, &simulator);
    let verification = shown.json();
    assert_eq!((&verification["backend"], &verification["result"]["kind"]), (&Value::Null, &json!("not-verified")));
    let from: Vec<_> = verification["hops"].as_array().unwrap().iter().map(|hop| &hop["from"]).collect();
    assert_eq!(from, ["phone", "phone", "phone", "backend", "backend"]);
}

/// Each `start` begins a verification, unless it is a retry with the same key.
#[tokio::test]
async fn start_does_not_belong_to_an_older_verification() {
    let simulator = simulator();
    let page = Page::start(&simulator);
    let phone = Phone::new(&simulator);
    let call = async |name: &str, headers: &str, body: Value| {
        let url = Url::parse(&format!("{}/{name}", simulator.backend_url(Operator::A))).unwrap();
        let headers = format!("Content-Type: application/json\r\n{headers}");
        phone.send("POST", &url, &headers, &body.to_string()).await.unwrap().json()
    };
    let start = async |headers: &str| call("start", headers, json!({ "phoneNumber": NUMBER })).await;
    let token = "Authorization: Bearer 0f343ca1b2d34e5f8a9b0c1d2e3f4a5b\r\n";
    let first = start(token).await;
    let second = start(token).await;
    let cookie = format!("Cookie: nvsess={}\r\n", first["session"].as_str().unwrap());
    start(&cookie).await;
    let key = "Idempotency-Key: 6dcd1d9a-5f0a-4b8c-9c38-0a5e8a1b2c3d\r\n";
    start(key).await;
    start(key).await;
    // The session in the body takes precedence.
    call("complete", &(cookie + token), json!({ "session": second["session"] })).await;
    let mut counts = Vec::new();
    for id in 1..=5 {
        let verification = page.get(&format!("/verifications/{id}.json")).await.json();
        counts.push(verification["hops"].as_array().map(Vec::len));
    }
    assert_eq!(counts, [Some(1), Some(2), Some(1), Some(2), None]);
}

#[tokio::test]
async fn nothing_secret_is_shown_of_any_scenario() {
    let simulator = simulator();
    let page = Page::start(&simulator);
    let mut texts = String::new();
    let mut phone = Phone::new(&simulator);
    let scenarios = simulator.scenarios();
    for (id, scenario) in (1..).zip(&scenarios) {
        let ends = !ENDLESS.contains(&scenario.name.as_str());
        phone.patience = if ends { Duration::from_secs(5) } else { Duration::from_secs(1) };
        let _ = timeout(Duration::from_secs(20), phone.verify(&simulator.scenario_url(scenario), OTHER)).await;
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
        // The SIM that the operator identifies, not the backend.
        let sim = match fault {
            Fault::NoSim => Value::Null,
            Fault::WrongSim => json!("…42"),
            _ => json!("…00"),
        };
        assert_eq!((&verification["hops"][0]["sim"], &verification["hops"][1]["sim"]), (&json!("…00"), &sim));
        assert_eq!(phone.verify_with_b().await, Ok(true), "after {fault:?}");
    }
    assert_nothing_secret(&events.text(), &simulator);
}

#[tokio::test]
async fn json_response_with_a_wrong_state_is_complete() {
    let simulator = simulator();
    simulator.set_fault(Pending { fault: Some(Fault::WrongState), repeat: false });
    let phone = Phone::new(&simulator);
    let response = authorize(&simulator, &phone).await;
    assert_eq!(response["state"].as_str().map(str::len), Some(32), "{response}");
    assert_eq!(authorize(&simulator, &phone).await["state"], "xyz");
}

#[tokio::test]
async fn quirks_have_faults_and_outcomes() {
    let simulator = simulator();
    let page = Page::start(&simulator);
    let mut phone = Phone::new(&simulator);
    phone.patience = Duration::from_secs(5);
    let backend = |quirk: &str| simulator.backend_url(Operator::A).replace("/a", &format!("/{quirk}"));
    simulator.set_fault(Pending { fault: Some(Fault::WrongState), repeat: false });
    let started = phone.start(&backend("label-that-is-no-coding"), NUMBER).await.unwrap();
    let auth_url = Url::parse(started["authUrl"].as_str().unwrap()).unwrap();
    let state = follow(&phone, auth_url.as_str()).await["state"].take();
    assert_ne!(state.as_str(), parameters(&auth_url).get("state").map(String::as_str));
    assert_eq!(state.as_str().map(str::len), Some(32));
    let mut events = page.events().await;
    let refused = phone.verify(&backend("refusal-without-state"), NUMBER).await;
    assert_eq!(refused, Err("access_denied".to_owned()));
    // Such a host records the end of a request after its response.
    let verification = events.wait_for("verification", |it| it["id"] == 2 && !it["result"].is_null()).await;
    assert_eq!(verification["result"], json!({ "kind": "denied", "detail": "access_denied" }), "{verification}");
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
