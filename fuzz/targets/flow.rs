//! A whole verification through production code, over an in-memory network with TLS: which data
//! leaves the phone, and what is reported.
//!
//! The input is that of the target `walk`, with `retrieve` among the options, and with `$STATE`,
//! `$SESSION`, `$CODE` and `$NUMBER` for secrets. Every host sends the next response, over plain
//! http and over TLS. `loopback.test` and, from its second lookup on, `rebind.test` have a
//! forbidden address.
#![no_main]

#[path = "flow/hosts.rs"]
mod hosts;

use std::sync::{Arc, Mutex, Once, PoisonError};

use async_trait::async_trait;
use libfuzzer_sys::fuzz_target;
use log::{LevelFilter, Log, Metadata, Record};
use number_verify::internals::{
    AllowedHosts, AppBackend, Clock, HopMemory, Input, Limits, PhoneNumber, Purpose, Recorder, Settings, SharedNetwork,
    Transport, ValidBinding, Verifier, alphanumerics, auth_destination, parse_url, readings,
};
use number_verify::{
    AuthorizationStart, Backend, BackendError, CellularError, CellularProvider, CellularStatus, CodeDelivery,
    CompletionRequest, Config, Header, NetworkBinding, NetworkEvents, StartField, StartRequest, VerificationOptions,
};
use number_verify_fuzz::{first_line, run, text, twice};
use tokio::sync::oneshot;
use tokio::time::{Duration, Instant};
use url::Url;

use self::hosts::{Hosts, Memory, TLS};

const STATE: &str = "St4teCanary77";
const SESSION: &str = "SessionCanary42";
const CODE: &str = "C0deCanary99";
const NUMBER: &str = "+14155550100";
/// From the app's own options: for the backend only.
const TOKEN: &str = "t0kenCanary11";
const ATTESTATION: &str = "attest4tionCanary5";
const REDIRECTS: u8 = 8;

fuzz_target!(|data: &[u8]| {
    static LOG: Once = Once::new();
    LOG.call_once(|| log::set_logger(&Captured).map(|()| log::set_max_level(LevelFilter::Trace)).expect("a logger"));
    let script = text(data).replace("$STATE", STATE).replace("$SESSION", SESSION).replace("$CODE", CODE);
    let script = script.replace("$NUMBER", &NUMBER[1..]);
    // Handshakes are slow: one in eight inputs runs twice.
    if script.len().is_multiple_of(8) {
        twice(|| run(verify(&script)));
    } else {
        run(verify(&script));
    }
});

async fn verify(script: &str) -> String {
    let began = Instant::now();
    let (options, rest) = first_line(script);
    let (auth_url, rest) = first_line(rest);
    let has = |name: &str| options.split(' ').any(|option| option == name);
    let redirect_uri = options.split(' ').find_map(|option| option.strip_prefix("uri="));
    let mut config = Config::new("https://api.test/nv");
    config.redirect_limit = REDIRECTS;
    config.code_delivery = match options.split(' ').next() {
        Some("follow") => CodeDelivery::FollowThrough,
        Some("none") => CodeDelivery::NoCode,
        _ => CodeDelivery::Relay,
    };
    let settings = Settings::check(&config).expect("valid settings");
    let purpose = if has("retrieve") {
        Purpose::Retrieve
    } else {
        Purpose::Verify(PhoneNumber::parse(&NUMBER.into()).expect("a number"))
    };
    let input = Input::check(purpose, &app_options(), &settings).expect("valid options");
    let hosts = Arc::new(Hosts::new(rest));
    let backend = Arc::new(App {
        auth_url: auth_url.to_owned(),
        redirect_uri: redirect_uri.map(str::to_owned),
        retrieves: has("retrieve"),
        received: Mutex::default(),
    });
    let verifier = verifier(settings, hosts.clone(), backend.clone());
    let record = Recorder::new("correlator".to_owned(), None);
    logged();
    let (alive, released) = oneshot::channel::<()>();
    let result = verifier.run(input, &record, Arc::new(alive)).await;
    assert!(began.elapsed() <= Duration::from_secs(21), "it took {:?}", began.elapsed());
    drop(verifier);
    let _ = released.await;
    assert_eq!(hosts.released(), hosts.acquired(), "the network is released once");
    let requests = hosts.requests();
    // A request is sent again after a short Retry-After, and after a failed connection.
    assert!(requests.len() <= 4 * (usize::from(REDIRECTS) + 1), "{} requests", requests.len());
    // An operator does not know the app's secrets, and a host whose whole name is such a value is
    // not masked.
    let apps: Vec<_> = [TOKEN, ATTESTATION].into_iter().filter(|secret| !is_spelled(script, secret)).collect();
    for request in &requests {
        assert_allowed(request, &apps);
    }

    let trace = record.trace();
    let outcome = match &result {
        Ok(result) => format!("{:?}", result.value),
        Err(error) => format!("{} {error} {error:?} {:?}", error.to_json(), error.fallback()),
    };
    let shown = format!("{outcome} {trace:?} {} {} {}", trace.to_json(), trace.to_table(), trace.explain());
    // From a start response that contains it.
    let names_state = |url: &Url| url.query_pairs().any(|(name, value)| name == "state" && value == STATE);
    let own = parse_url(auth_url.trim(), None).ok().filter(names_state).map(|_| STATE);
    let secrets: Vec<_> = own.into_iter().chain([SESSION, &NUMBER[5..]]).chain(apps).collect();
    assert_absent(&shown, &secrets);
    assert_absent(&logged(), &secrets);
    let received = backend.received.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if received.as_deref() == Some(CODE) {
        let texts = trace.hops.iter().flat_map(|hop| hop.page_title.iter().chain(hop.trace_ids.values()));
        texts.for_each(|text| assert_absent(text, &[CODE]));
    }
    let hops: Vec<_> = trace.hops.iter().map(|hop| (&hop.host, hop.status, hop.reused, &hop.page_title)).collect();
    format!("{outcome} {hops:?} {received:?} {requests:?}")
}

fn app_options() -> VerificationOptions {
    VerificationOptions {
        headers: vec![Header::new("Authorization".to_owned(), format!("Bearer {TOKEN}"))],
        start_fields: vec![StartField::with_text("attestation".to_owned(), ATTESTATION.to_owned())],
        correlator: None,
    }
}

fn verifier(settings: Settings, hosts: Arc<Hosts>, backend: Arc<App>) -> Verifier<Memory> {
    let limits = Limits { connect: settings.connect, response: settings.response, body: 64 * 1024 };
    let provider = hosts.clone();
    let open =
        move |_: &ValidBinding| Ok(Transport::new(Memory::new(hosts.clone()), &TLS, limits, AllowedHosts::default()));
    let clock = Clock::new(|| Duration::ZERO);
    let network = SharedNetwork::new(provider, Arc::new(open), settings.acquire, clock.clone());
    let client = AppBackend { backend, timeout: settings.backend };
    let memory = HopMemory::new(clock.clone(), auth_destination(&settings));
    Verifier { settings, network, backend: Arc::new(client), clock, memory }
}

/// The data that leaves the phone over the cellular network.
fn assert_allowed(request: &hosts::Request, apps: &[&str]) {
    let hosts::Request { https, host, head } = request;
    let line = head.lines().next().unwrap_or_default();
    let query = line.split(' ').nth(1).and_then(|target| target.split_once('?')).map_or("", |(_, query)| query);
    let has = |name: &str| query.split('&').any(|pair| pair.starts_with(&format!("{name}=")));
    assert!(*https || !(has("code") && has("state")), "a code in cleartext: {line}");
    assert!(!apps.iter().any(|secret| head.contains(secret)), "the app's secrets at {host}: {head}");
    let sessions = head.lines().filter(|line| line.to_ascii_lowercase().starts_with("x-number-verify-session:"));
    assert!(
        sessions.count() == 0 || *https && matches!(host.as_str(), "cb.test" | "api.test"),
        "the session at {host}"
    );
}

/// In any characters that a host name may be written in.
fn is_spelled(script: &str, secret: &str) -> bool {
    let plain = |text: &str| alphanumerics(text).to_ascii_lowercase();
    readings(script).is_none_or(|readings| readings.iter().any(|text| plain(text).contains(&plain(secret))))
}

fn assert_absent(text: &str, secrets: &[&str]) {
    let lower = text.to_ascii_lowercase();
    for secret in secrets {
        assert!(!lower.contains(&secret.to_ascii_lowercase()), "{text} shows {secret}");
    }
}

/// The app's backend.
struct App {
    auth_url: String,
    redirect_uri: Option<String>,
    retrieves: bool,
    received: Mutex<Option<String>>,
}

#[async_trait]
impl Backend for App {
    async fn start(&self, _: Arc<StartRequest>) -> Result<Arc<AuthorizationStart>, BackendError> {
        let (state, session) = (None, Some(SESSION.to_owned()));
        Ok(AuthorizationStart::new(self.auth_url.clone(), self.redirect_uri.clone(), session, state, Vec::new()))
    }

    async fn complete(&self, request: Arc<CompletionRequest>) -> Result<String, BackendError> {
        *self.received.lock().unwrap_or_else(PoisonError::into_inner) = request.code();
        let number = format!(r#"{{"phoneNumber":"{NUMBER}"}}"#);
        Ok(if self.retrieves { number } else { r#"{"verified":true}"#.to_owned() })
    }
}

#[async_trait]
impl CellularProvider for Hosts {
    async fn acquire(&self, _: Arc<NetworkEvents>) -> Result<NetworkBinding, CellularError> {
        self.acquire();
        Ok(NetworkBinding::LinuxInterface { name: "memory".to_owned() })
    }

    async fn release(&self) -> Result<(), CellularError> {
        self.release();
        Ok(())
    }

    async fn status(&self) -> Result<CellularStatus, CellularError> {
        Ok(CellularStatus::Ready)
    }
}

/// Everything that this process logs.
struct Captured;

static LINES: Mutex<String> = Mutex::new(String::new());

fn logged() -> String {
    std::mem::take(&mut *LINES.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Log for Captured {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push_str(&record.args().to_string());
        lines.push('\n');
    }

    fn flush(&self) {}
}
