//! The recorded traces in `tests/traces`: one per error, each written by the production flow over
//! the virtual network, and its explanation. They are the examples of `docs/diagnosis.md`, and the
//! input of the tests of the JSON schema and of `replay`.
//!
//! `UPDATE_TRACES=1 cargo test --all-features --test virtual recorded` accepts a change.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use number_verify::internals::{Clock, NetworkError};
use number_verify::{BackendError, CellularCause, Cleartext, Trace};
use serde_json::Value;
use tokio::time::{Duration, Instant};

use crate::flow::{Phone, Setting};
use crate::network::{Lookup, Reachability};
use crate::script::{CODE, Chain, Instead, STATE};
use crate::server::{Handshake, Hosts, HttpRequest, Reply, Tls13};

const OPERATOR: &str = "operator-a.test";
const ENRICHMENT: &str = "he.operator-a.test";

/// The long chain (scenario S2) with servers that send identifiers, one of which may be faulty.
struct Servers {
    chain: Chain,
    /// The faulty host.
    host: &'static str,
    lookup: Lookup,
    reachability: Reachability,
    handshake: Handshake,
}

impl Default for Servers {
    fn default() -> Self {
        let chain = Chain::new("S2");
        let (lookup, reachability, handshake) = (Lookup::Usual, Reachability::Open, Handshake::Usual);
        Self { chain, host: "", lookup, reachability, handshake }
    }
}

impl Servers {
    fn instead(hop: usize, reply: impl Into<Vec<u8>>) -> Self {
        Self::with(hop, Reply::Send(reply.into()))
    }

    fn with(hop: usize, reply: Reply) -> Self {
        let mut servers = Self::default();
        servers.chain.instead(hop, Instead::Always(reply));
        servers
    }

    /// The provider's last redirect, with these parameters.
    fn to_app(path_and_query: &str) -> Self {
        Self::instead(6, redirect(&format!("https://app.example.test{path_and_query}")))
    }
}

impl Hosts for Servers {
    fn names(&self) -> Vec<String> {
        self.chain.names()
    }

    fn reachability(&self, host: &str) -> Reachability {
        if host == self.host { self.reachability } else { Reachability::Open }
    }

    fn lookup(&self, host: &str) -> Lookup {
        if host == self.host { self.lookup.clone() } else { Lookup::Usual }
    }

    fn handshake(&self, host: &str) -> Handshake {
        if host == self.host { self.handshake.clone() } else { Handshake::Usual }
    }

    fn tls13(&self, host: &str) -> Tls13 {
        self.chain.tls13(host)
    }

    fn respond(&self, request: &HttpRequest) -> Reply {
        let identifier = match request.host.as_str() {
            "auth.glide.test" => format!("x-request-id: glide-{}", self.chain.requests().len() + 1),
            _ => format!("x-correlator: op-{}", self.chain.requests().len() + 1),
        };
        match self.chain.respond(request) {
            Reply::Send(bytes) => {
                let head = String::from_utf8(bytes).unwrap();
                Reply::Send(head.replacen("\r\n", &format!("\r\n{identifier}\r\n"), 1).into())
            }
            other => other,
        }
    }
}

fn redirect(location: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

fn page(status: &str, title: &str) -> String {
    let page = format!("<html><head><title>{title}</title></head></html>");
    format!("HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{page}", page.len())
}

fn denial(error: &str) -> Servers {
    Servers::to_app(&format!("/cb?error={error}&state={STATE}"))
}

fn setting(servers: Servers) -> Setting {
    let auth_url = servers.chain.auth_url();
    let mut setting = Setting::new(Arc::new(servers), auth_url);
    // A slow machine is not one that sleeps.
    let began = Instant::now();
    setting.clock = Clock::new(move || began.elapsed());
    setting.start_takes = Duration::from_millis(80);
    setting.acquire_takes = Duration::from_millis(40);
    setting.complete_takes = Duration::from_millis(120);
    setting
}

async fn trace(setting: Setting) -> Trace {
    Phone::new(setting).verify().await.trace
}

async fn with(servers: Servers) -> Trace {
    trace(setting(servers)).await
}

async fn changed(change: impl FnOnce(&mut Setting)) -> Trace {
    let mut setting = setting(Servers::default());
    change(&mut setting);
    trace(setting).await
}

/// Every trace, by the name of its file.
async fn all() -> Vec<(String, Trace)> {
    let mut traces = results().await;
    traces.extend(authorization().await);
    traces.extend(denials().await);
    traces.extend(backend().await);
    traces.extend(cellular().await);
    traces.extend(deadlines().await);
    traces.into_iter().map(|(name, trace)| (name.to_owned(), trace)).collect()
}

async fn results() -> Vec<(&'static str, Trace)> {
    let mismatch = |setting: &mut Setting| setting.complete_returns = Some(Ok(r#"{"verified":false}"#.to_owned()));
    let cancelled = Phone::new(setting(Servers::default())).cancel_after(Duration::from_millis(900)).await;
    vec![
        ("verified", changed(|_| {}).await),
        ("not_verified", changed(mismatch).await),
        ("retrieved", Phone::new(setting(Servers::default())).retrieve().await.trace),
        ("cancelled", cancelled),
    ]
}

async fn authorization() -> Vec<(&'static str, Trace)> {
    let unknown = Lookup::Fails(NetworkError::Failed);
    let alert = Reply::SendAndClose(vec![21, 3, 3, 0, 2, 2, 112]); // unrecognized_name
    let two_lengths = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ";
    let large = format!("HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n{}", "x".repeat(70_000));
    let to_itself = redirect("https://operator-a.test/session?tx=9c1d77&tok=he-51ab90");
    let at = |host, servers: Servers| Servers { host, ..servers };
    let dns = Servers { lookup: unknown, ..Servers::default() };
    let refused = Servers { reachability: Reachability::Refused, ..Servers::default() };
    let black_hole = Servers { reachability: Reachability::BlackHole, ..Servers::default() };
    let certificate = Servers { handshake: Handshake::WrongCertificate, ..Servers::default() };
    let alert = Servers { handshake: Handshake::Instead(alert), ..Servers::default() };
    vec![
        ("authorization.dns", with(at(ENRICHMENT, dns)).await),
        ("authorization.connect", with(at(OPERATOR, refused)).await),
        ("authorization.tls", with(at(OPERATOR, certificate)).await),
        ("authorization.tls.alert", with(at(OPERATOR, alert)).await),
        ("authorization.timeout", with(Servers::with(2, Reply::SendAndStall(Vec::new()))).await),
        ("authorization.timeout.connect", with(at(ENRICHMENT, black_hole)).await),
        ("authorization.closed", with(Servers::with(4, Reply::SendAndClose(Vec::new()))).await),
        ("authorization.http_status.400", with(Servers::instead(1, page("400 Bad Request", "Bad Request"))).await),
        ("authorization.http_status.403", with(Servers::instead(3, page("403 Forbidden", "Forbidden"))).await),
        ("authorization.http_status.404", with(Servers::instead(4, page("404 Not Found", ""))).await),
        ("authorization.http_status.429", with(Servers::instead(2, page("429 Too Many Requests", ""))).await),
        ("authorization.http_status.503", with(Servers::instead(4, page("503 Unavailable", "Maintenance"))).await),
        ("authorization.too_many_redirects", changed(|setting| setting.config.redirect_limit = 4).await),
        ("authorization.redirect_loop", with(Servers::instead(4, to_itself)).await),
        ("authorization.forbidden_redirect", changed(|setting| setting.config.cleartext = Cleartext::Never).await),
        (
            "authorization.bad_location",
            with(Servers::instead(4, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")).await,
        ),
        ("authorization.unexpected_page", with(Servers::instead(5, page("200 OK", "Sign in"))).await),
        ("authorization.malformed_response", with(Servers::instead(5, two_lengths)).await),
        (
            "authorization.malformed_response.redirect_uri",
            with(Servers::to_app(&format!("/other?code={CODE}&state={STATE}"))).await,
        ),
        ("authorization.too_large", with(Servers::instead(5, large)).await),
    ]
}

async fn denials() -> Vec<(&'static str, Trace)> {
    vec![
        ("denied_by_operator.access_denied", with(denial("access_denied")).await),
        ("denied_by_operator.login_required", with(denial("login_required")).await),
        ("denied_by_operator.invalid_scope", with(denial("invalid_scope")).await),
        ("denied_by_operator.server_error", with(denial("server_error")).await),
        ("denied_by_operator.no_code", with(denial("not+a+code")).await),
        ("state_mismatch", with(Servers::to_app(&format!("/cb?code={CODE}&state=other"))).await),
    ]
}

async fn backend() -> Vec<(&'static str, Trace)> {
    let start = |error: BackendError| changed(move |setting| setting.start_fails = Some(error));
    let complete = |result: Result<&'static str, BackendError>| {
        changed(move |setting| setting.complete_returns = Some(result.map(str::to_owned)))
    };
    let status = |status, retry_after_s| BackendError::Status { status, advice: None, retry_after_s };
    vec![
        ("backend.start.unreachable", start(BackendError::Unreachable).await),
        ("backend.start.tls", start(BackendError::Tls).await),
        ("backend.start.timeout", changed(|setting| setting.start_takes = Duration::from_secs(10)).await),
        ("backend.start.status.401", start(status(401, None)).await),
        ("backend.start.status.404", start(status(404, None)).await),
        ("backend.start.status.422", start(status(422, None)).await),
        ("backend.start.status.429", start(status(429, Some(60))).await),
        ("backend.start.malformed_answer", changed(|setting| setting.auth_url = String::from("/oauth2/auth")).await),
        ("backend.start.app_failed", start(BackendError::Failed).await),
        ("backend.complete.status.403", complete(Err(status(403, None))).await),
        ("backend.complete.status.502", complete(Err(status(502, None))).await),
        ("backend.complete.malformed_answer", complete(Ok(r#"{"verified":"true"}"#)).await),
    ]
}

async fn cellular() -> Vec<(&'static str, Trace)> {
    let refused = |cause| changed(move |setting| setting.attachment.lock().unwrap().refusal = Some(cause));
    let lost = |setting: &mut Setting| {
        setting.losses = vec![(Duration::from_millis(700), CellularCause::InterfaceDown)];
    };
    vec![
        ("cellular_unavailable.no_interface", refused(CellularCause::NoInterface).await),
        ("cellular_unavailable.interface_down", changed(lost).await),
        ("cellular_unavailable.vpn", refused(CellularCause::Vpn).await),
        ("cellular_unavailable.blocked_in_background", refused(CellularCause::BlockedInBackground).await),
        ("cellular_unavailable.data_off", refused(CellularCause::DataOff).await),
        ("cellular_unavailable.airplane", refused(CellularCause::Airplane).await),
        ("cellular_unavailable.no_sim", refused(CellularCause::NoSim).await),
        ("cellular_unavailable.not_data_sim", refused(CellularCause::NotDataSim).await),
        ("cellular_unavailable.permission", refused(CellularCause::Permission).await),
        ("cellular_unavailable.too_many_requests", refused(CellularCause::TooManyRequests).await),
        ("cellular_unavailable.system_fault", refused(CellularCause::SystemFault).await),
        ("cellular_unavailable.timeout", changed(|setting| setting.acquire_takes = Duration::from_secs(10)).await),
        ("cellular_unavailable.unsupported", refused(CellularCause::Unsupported).await),
    ]
}

/// The overall deadline is shorter than the named step.
async fn deadlines() -> Vec<(&'static str, Trace)> {
    let within = |overall_ms, change: fn(&mut Setting)| {
        changed(move |setting| {
            setting.config.deadlines.overall_ms = overall_ms;
            change(setting);
        })
    };
    vec![
        ("deadline_exceeded.start", within(3_000, |setting| setting.start_takes = Duration::from_secs(5)).await),
        ("deadline_exceeded.acquire", within(3_000, |setting| setting.acquire_takes = Duration::from_secs(5)).await),
        ("deadline_exceeded.authorize", within(1_000, |_| {}).await),
        ("deadline_exceeded.complete", within(5_000, |setting| setting.complete_takes = Duration::from_secs(6)).await),
    ]
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces")
}

/// Sizes of certificates and tickets vary.
fn without_bytes(trace: &Trace) -> Trace {
    let mut trace = trace.clone();
    for hop in &mut trace.hops {
        (hop.bytes_in, hop.bytes_out) = (0, 0);
    }
    trace
}

fn read(path: &Path) -> Trace {
    let json = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&json).unwrap()
}

#[tokio::test(start_paused = true)]
async fn recorded_traces_and_explanations_are_current() {
    let traces = all().await;
    let update = std::env::var_os("UPDATE_TRACES").is_some();
    let mut expected = BTreeSet::new();
    for (name, trace) in &traces {
        let [json, text] = ["json", "txt"].map(|extension| folder().join(format!("{name}.{extension}")));
        if update && !(json.exists() && without_bytes(&read(&json)) == without_bytes(trace)) {
            let value: Value = serde_json::from_str(&trace.to_json()).unwrap();
            fs::write(&json, format!("{value:#}\n")).unwrap();
        }
        if update {
            fs::write(&text, trace.explain()).unwrap();
        }
        assert_eq!(without_bytes(&read(&json)), without_bytes(trace), "{name}: meant? UPDATE_TRACES=1");
        let recorded = fs::read_to_string(&text).unwrap();
        assert_eq!(recorded, read(&json).explain(), "{name}: meant? UPDATE_TRACES=1");
        expected.extend([json, text]);
    }
    let found: BTreeSet<_> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(found, expected);
}

/// Each file is named after what happened.
#[tokio::test(start_paused = true)]
async fn names_are_the_outcomes() {
    for (name, trace) in all().await {
        let outcome = serde_json::to_value(trace.outcome).unwrap();
        let parts = match &trace.error {
            None => vec![outcome.as_str().unwrap().to_owned()],
            Some(error) => {
                let backend_step =
                    error.step.clone().filter(|_| ["backend", "deadline_exceeded"].contains(&error.kind.as_str()));
                [Some(error.kind.clone()), backend_step, error.cause.clone()].into_iter().flatten().collect()
            }
        };
        assert!(name.starts_with(&parts.join(".")), "{name}: {parts:?}");
        let status = trace.error.and_then(|error| error.detail.status.map(|status| status.to_string()));
        assert!(status.is_none_or(|status| name.ends_with(&status)), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn control_characters_of_a_file_are_replaced() {
    let mut trace = with(denial("access_denied")).await;
    trace.hops[0].trace_ids.insert("x-request-id".to_owned(), "a\nContact: x\u{1b}[2J".to_owned());
    let text = trace.explain();
    assert!(text.contains("x-request-id a\u{fffd}Contact: x\u{fffd}[2J\n"), "{text}");
}

#[test]
fn error_of_a_later_version_is_explained_as_far_as_known() {
    let json = r#"{"version":1,"outcome":"failed","error":{"kind":"new_kind","cause":"new","message":"It failed: wait.","fallback":"wait"},"new":1}"#;
    let trace: Trace = serde_json::from_str(json).unwrap();
    let text = trace.explain();
    assert!(
        text.starts_with("Failed after 0 ms: kind new_kind, cause new.\nIt failed: wait.\n\nCause: This version"),
        "{text}"
    );
}
