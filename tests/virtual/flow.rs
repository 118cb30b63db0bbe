//! A production flow over the in-memory network, with a backend and a provider whose delays the
//! test sets.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use async_trait::async_trait;
use number_verify::internals::{
    AppBackend, AppTrust, Clock, FlowValue, HopMemory, Input, Lease, Limits, PhoneNumber, Prepared, Purpose, Recorder,
    Settings, SharedNetwork, Threads, Tls, Transport, ValidBinding, Verifier, auth_destination,
};
use number_verify::{
    AuthorizationStart, Backend, BackendError, CellularCause, CellularError, CellularProvider, CellularStatus,
    CompletionRequest, Config, Header, Hint, NetworkBinding, NetworkEvents, StartField, StartRequest, Trace,
    VerificationOptions, VerifyError,
};
use secrecy::ExposeSecret;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, sleep, timeout};

use crate::network::{Attachment, Events, MemoryNetwork, Resolver};
use crate::pipe::Nagle;
use crate::server::{CERTIFICATES, Hosts};

/// The environment of the hosts.
pub struct Setting {
    pub hosts: Arc<dyn Hosts>,
    pub auth_url: String,
    pub nagle: Nagle,
    pub start_takes: Duration,
    pub acquire_takes: Duration,
    pub release_takes: Duration,
    pub complete_takes: Duration,
    /// Instead of an auth URL.
    pub start_fails: Option<BackendError>,
    /// Instead of `true` or the SIM's number.
    pub complete_returns: Option<Result<String, BackendError>>,
    /// The operator and the binding that the provider reports for each call of `acquire`.
    pub networks: Arc<dyn Fn(usize) -> (Option<&'static str>, NetworkBinding) + Send + Sync>,
    /// The losses that the provider reports, and how long after the call of `acquire`.
    pub losses: Vec<(Duration, CellularCause)>,
    pub trust: Option<Arc<dyn AppTrust>>,
    pub config: Config,
    /// Hints of the start response; a test may change them between flows.
    pub start_hints: Arc<Mutex<Vec<Hint>>>,
    pub resolver: Resolver,
    pub attachment: Arc<Mutex<Attachment>>,
    pub clock: Clock,
}

impl Setting {
    pub fn new(hosts: Arc<dyn Hosts>, auth_url: String) -> Self {
        let config = Config::new("https://api.example.test");
        let [start_takes, acquire_takes, release_takes, complete_takes] = [Duration::ZERO; 4];
        Self {
            hosts,
            auth_url,
            nagle: Nagle::Off,
            start_takes,
            acquire_takes,
            release_takes,
            complete_takes,
            start_fails: None,
            complete_returns: None,
            networks: Arc::new(|_| (None, NetworkBinding::LinuxInterface { name: "memory".to_owned() })),
            losses: Vec::new(),
            trust: None,
            config,
            start_hints: Arc::default(),
            resolver: Resolver::Async,
            attachment: Arc::default(),
            clock: Clock::system(),
        }
    }
}

/// The outcome of a flow.
pub struct Outcome {
    /// Whether the number was verified, or the retrieved one is the SIM's.
    pub result: Result<bool, VerifyError>,
    pub trace: Trace,
    pub completed_with: Option<String>,
    pub completions: usize,
    pub acquired: usize,
    pub released: usize,
    pub lookups: Vec<String>,
    pub connections: Vec<String>,
    /// The size of the first write on each connection.
    pub first_writes: Vec<usize>,
}

impl Outcome {
    pub fn error_json(&self) -> serde_json::Value {
        let error = self.result.as_ref().expect_err("an error");
        serde_json::from_str(&error.to_json()).unwrap()
    }
}

/// The number of the SIM.
const NUMBER: &str = "+14155550100";
/// Secrets in the options of every flow here.
pub const TOKEN: &str = "c4n4ry-t0ken";
pub const ATTESTATION: &str = "c4n4ry-attestation";

/// A verifier with its environment; its flows share the state that flows of a verifier share.
pub struct Phone {
    verifier: Arc<Verifier<MemoryNetwork>>,
    prepared: Prepared,
    provider: Arc<Provider>,
    backend: Arc<FixedBackend>,
    events: Arc<Mutex<Events>>,
    first_writes: Mutex<mpsc::UnboundedReceiver<usize>>,
}

pub static TLS: LazyLock<Tls> =
    LazyLock::new(|| Tls::new(std::slice::from_ref(&CERTIFICATES.root_pem), None, Threads::new()).unwrap());

impl Phone {
    pub fn new(setting: Setting) -> Self {
        let settings = Settings::check(&setting.config).unwrap();
        let events = Arc::<Mutex<Events>>::default();
        let (first_writes_sender, first_writes) = mpsc::unbounded_channel();
        let provider = Arc::new(Provider {
            acquire_takes: setting.acquire_takes,
            release_takes: setting.release_takes,
            networks: setting.networks,
            losses: setting.losses,
            attachment: setting.attachment.clone(),
            acquired: AtomicUsize::new(0),
            released: AtomicUsize::new(0),
        });
        let backend = Arc::new(FixedBackend {
            auth_url: setting.auth_url,
            start_takes: setting.start_takes,
            complete_takes: setting.complete_takes,
            start_fails: setting.start_fails,
            complete_returns: setting.complete_returns,
            hints: setting.start_hints,
            completed_with: Mutex::default(),
            completions: AtomicUsize::new(0),
            retrieves: AtomicBool::new(false),
        });
        let limits = Limits { connect: settings.connect, response: settings.response, body: 64 * 1024 };
        let open = {
            let (hosts, nagle, events) = (setting.hosts, setting.nagle, events.clone());
            let (resolver, attachment) = (setting.resolver, setting.attachment);
            let tls =
                setting.trust.map_or_else(|| TLS.clone(), |trust| Tls::new(&[], Some(trust), Threads::new()).unwrap());
            move |_: &ValidBinding| {
                let (hosts, events, first_writes) = (hosts.clone(), events.clone(), first_writes_sender.clone());
                let (resolver, attachment, names) = (resolver.clone(), attachment.clone(), Mutex::default());
                let network = MemoryNetwork { attachment, names, resolver, hosts, nagle, events, first_writes };
                Ok(Transport::new(network, &tls, limits, number_verify::internals::AllowedHosts::default()))
            }
        };
        let network = SharedNetwork::new(provider.clone(), Arc::new(open), settings.acquire, setting.clock.clone());
        let client = AppBackend { backend: backend.clone(), timeout: settings.backend };
        let memory = HopMemory::new(setting.clock.clone(), auth_destination(&settings));
        let verifier = Verifier { settings, network, backend: Arc::new(client), clock: setting.clock, memory };
        let (verifier, prepared) = (Arc::new(verifier), Prepared::default());
        Self { verifier, prepared, provider, backend, events, first_writes: Mutex::new(first_writes) }
    }

    /// Like [`NumberVerifier::prepare`](number_verify::NumberVerifier::prepare).
    pub async fn prepare(&self) -> Result<(), VerifyError> {
        self.prepared.begin(self.verifier.clone(), ()).acquired().await.map(|_| ())
    }

    pub fn forget_hosts(&self) {
        self.verifier.memory.clear();
    }

    /// How often the network was acquired and released.
    pub fn acquired_and_released(&self) -> (usize, usize) {
        let Provider { acquired, released, .. } = &*self.provider;
        (acquired.load(Ordering::Relaxed), released.load(Ordering::Relaxed))
    }

    /// Holds the network.
    pub fn lease(&self) -> Lease<MemoryNetwork> {
        self.verifier.network.lease(())
    }

    pub fn open_connections(&self) -> usize {
        self.events.lock().unwrap().open
    }

    /// Runs a verification without waiting for the release.
    pub async fn verify_only(&self) -> Outcome {
        self.run_holding(verify(), oneshot::channel().0).await
    }

    /// Runs a verification and waits until the network is released.
    pub async fn verify(&self) -> Outcome {
        self.run(verify()).await
    }

    /// The same for a retrieval.
    pub async fn retrieve(&self) -> Outcome {
        self.run(Purpose::Retrieve).await
    }

    /// The trace of a verification that the app cancels after this time.
    pub async fn cancel_after(&self, time: Duration) -> Trace {
        let record = Recorder::new("correlator".to_owned(), None);
        let input = Input::check(verify(), &options(), &self.verifier.settings).unwrap();
        assert!(timeout(time, self.verifier.run(input, &record, ())).await.is_err());
        record.trace()
    }

    async fn run(&self, purpose: Purpose) -> Outcome {
        let (alive, released) = oneshot::channel::<()>();
        let outcome = self.run_holding(purpose, alive).await;
        let _ = released.await;
        Outcome {
            acquired: self.provider.acquired.load(Ordering::Relaxed),
            released: self.provider.released.load(Ordering::Relaxed),
            ..outcome
        }
    }

    async fn run_holding(&self, purpose: Purpose, alive: oneshot::Sender<()>) -> Outcome {
        let record = Recorder::new("correlator".to_owned(), None);
        let input = Input::check(purpose, &options(), &self.verifier.settings).unwrap();
        let prepared = self.prepared.take();
        let result = self.verifier.run(input, &record, Arc::new(alive)).await;
        drop(prepared);
        let mut events = self.events.lock().unwrap();
        let mut first_writes = self.first_writes.lock().unwrap();
        Outcome {
            result: result.map(|result| match result.value {
                FlowValue::Verified(verified) => verified,
                FlowValue::Number(number) => number.expose_secret() == NUMBER,
            }),
            trace: record.trace(),
            completed_with: self.backend.completed_with.lock().unwrap().take(),
            completions: self.backend.completions.swap(0, Ordering::Relaxed),
            acquired: 0,
            released: 0,
            lookups: std::mem::take(&mut events.lookups),
            connections: std::mem::take(&mut events.connections),
            first_writes: std::iter::from_fn(|| first_writes.try_recv().ok()).collect(),
        }
    }
}

/// The options of every flow here.
fn options() -> VerificationOptions {
    VerificationOptions {
        headers: vec![Header::new("Authorization".to_owned(), format!("Bearer {TOKEN}"))],
        start_fields: vec![StartField::new("attestation".to_owned(), format!(r#"[{{"a":"{ATTESTATION}"}}]"#))],
        correlator: None,
    }
}

fn verify() -> Purpose {
    Purpose::Verify(PhoneNumber::parse(&NUMBER.into()).unwrap())
}

struct Provider {
    acquire_takes: Duration,
    release_takes: Duration,
    networks: Arc<dyn Fn(usize) -> (Option<&'static str>, NetworkBinding) + Send + Sync>,
    losses: Vec<(Duration, CellularCause)>,
    attachment: Arc<Mutex<Attachment>>,
    acquired: AtomicUsize,
    released: AtomicUsize,
}

#[async_trait]
impl CellularProvider for Provider {
    async fn acquire(&self, events: Arc<NetworkEvents>) -> Result<NetworkBinding, CellularError> {
        let (operator, binding) = (self.networks)(self.acquired.fetch_add(1, Ordering::Relaxed));
        if let Some(operator) = operator {
            events.operated_by(operator.to_owned());
        }
        for (after, reason) in self.losses.clone() {
            let events = events.clone();
            tokio::spawn(async move {
                sleep(after).await;
                events.lost(reason);
            });
        }
        sleep(self.acquire_takes).await;
        let refusal = self.attachment.lock().unwrap().refusal;
        refusal.map_or(Ok(binding), |reason| Err(CellularError::Unavailable { reason }))
    }

    async fn release(&self) -> Result<(), CellularError> {
        sleep(self.release_takes).await;
        self.released.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn status(&self) -> Result<CellularStatus, CellularError> {
        Ok(CellularStatus::Ready)
    }
}

struct FixedBackend {
    auth_url: String,
    start_takes: Duration,
    complete_takes: Duration,
    start_fails: Option<BackendError>,
    complete_returns: Option<Result<String, BackendError>>,
    hints: Arc<Mutex<Vec<Hint>>>,
    completed_with: Mutex<Option<String>>,
    completions: AtomicUsize,
    /// Whether the last flow is a retrieval.
    retrieves: AtomicBool,
}

#[async_trait]
impl Backend for FixedBackend {
    async fn start(&self, request: Arc<StartRequest>) -> Result<Arc<AuthorizationStart>, BackendError> {
        self.retrieves.store(request.phone_number().is_none(), Ordering::Relaxed);
        sleep(self.start_takes).await;
        if let Some(error) = &self.start_fails {
            return Err(error.clone());
        }
        Ok(AuthorizationStart::new(self.auth_url.clone(), None, None, None, self.hints.lock().unwrap().clone()))
    }

    async fn complete(&self, request: Arc<CompletionRequest>) -> Result<String, BackendError> {
        *self.completed_with.lock().unwrap() = request.code();
        self.completions.fetch_add(1, Ordering::Relaxed);
        sleep(self.complete_takes).await;
        if let Some(result) = &self.complete_returns {
            return result.clone();
        }
        Ok(if self.retrieves.load(Ordering::Relaxed) {
            format!(r#"{{"phoneNumber":"{NUMBER}"}}"#)
        } else {
            r#"{"verified":true}"#.to_owned()
        })
    }
}
