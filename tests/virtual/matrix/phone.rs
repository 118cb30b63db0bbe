//! The production verifier over the network of one cell, and a provider with the cell's fault.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::FutureExt;
use number_verify::internals::{
    AllowedHosts, AppBackend, AppTrust, BackendClient, HopMemory, Input, Limits, PhoneNumber, Purpose, Recorder,
    Settings, SharedNetwork, Threads, Tls, Transport, ValidBinding, Verifier, Work, auth_destination,
};
use number_verify::{
    AuthorizationStart, Backend, BackendError, CellularCause, CellularError, CellularProvider, CellularStatus,
    CodeDelivery, CompletionRequest, Config, NetworkBinding, NetworkEvents, StartRequest, Trace, VerificationOptions,
    VerifyError,
};
use tokio::sync::mpsc;
use tokio::task::unconstrained;
use tokio::time::{Duration, sleep};

use super::surroundings::Surroundings;
use super::world::{SESSION, World};
use super::{Call, Fault, Step};
use crate::network::{Events, MemoryNetwork, Resolver};
use crate::pipe::Nagle;
use crate::server::CERTIFICATES;

/// The overall deadline of cells that exceed it: longer than a chain takes, shorter than the
/// timeout of a step.
pub const SHORT_DEADLINE_MS: u64 = 4_000;
pub const NUMBER: &str = "+14155550100";

pub struct Phone {
    verifier: Verifier<MemoryNetwork>,
    provider: Arc<Provider>,
    events: Arc<Mutex<Events>>,
    threads: Threads,
}

/// Trusts only chains to the test's own root.
struct NoApp;

impl AppTrust for NoApp {
    fn is_trusted(&self, _: Vec<Vec<u8>>, _: String, _: Option<Vec<u8>>) -> bool {
        false
    }
}

impl Phone {
    /// With the backend that the closure creates.
    pub fn new(
        world: &Arc<World>,
        backend_url: &str,
        backend: impl FnOnce(&Settings, &Tls, &Threads) -> Arc<dyn BackendClient>,
    ) -> Self {
        let settings = Settings::check(&config(world, backend_url)).unwrap();
        let threads = Threads::new();
        let root = std::slice::from_ref(&CERTIFICATES.root_pem);
        let tls = Tls::new(root, Some(Arc::new(NoApp)), threads.clone()).unwrap();
        let backend = backend(&settings, &tls, &threads);
        let events = Arc::<Mutex<Events>>::default();
        let limits = Limits { connect: settings.connect, response: settings.response, body: 64 * 1024 };
        let open = {
            let (hosts, events) = (world.clone(), events.clone());
            move |_: &ValidBinding| {
                let network = MemoryNetwork {
                    attachment: hosts.surroundings.attachment.clone(),
                    names: Mutex::default(),
                    resolver: Resolver::Async,
                    hosts: hosts.clone(),
                    nagle: Nagle::Off,
                    events: events.clone(),
                    first_writes: mpsc::unbounded_channel().0,
                };
                Ok(Transport::new(network, &tls, limits, AllowedHosts::default()))
            }
        };
        let (acquired, released, is_held) = Default::default();
        let provider = Arc::new(Provider { world: world.clone(), acquired, released, is_held });
        let clock = world.surroundings.clock();
        let network = SharedNetwork::new(provider.clone(), Arc::new(open), settings.acquire, clock.clone());
        let memory = HopMemory::new(clock.clone(), auth_destination(&settings));
        let verifier = Verifier { settings, network, backend, clock, memory };
        Self { verifier, provider, events, threads }
    }

    /// With a custom backend that does not fail.
    pub fn with_custom_backend(world: &Arc<World>) -> Self {
        Self::new(world, "https://api.example.test", |settings, _, _| {
            let backend = Arc::new(CustomBackend { auth_url: world.auth_url() });
            Arc::new(AppBackend { backend, timeout: settings.backend })
        })
    }

    /// Opens a connection to the backend.
    #[cfg(target_os = "linux")]
    pub async fn warm_up(&self) {
        self.verifier.backend.warm_up().await;
    }

    pub async fn verify(&self) -> (Result<(), VerifyError>, Trace) {
        let record = Recorder::new("correlator".to_owned(), None);
        let purpose = Purpose::Verify(PhoneNumber::parse(&NUMBER.into()).unwrap());
        let input = Input::check(purpose, &VerificationOptions::default(), &self.verifier.settings).unwrap();
        let result = self.verifier.run(input, &record, ()).await;
        (result.map(drop), record.trace())
    }

    pub fn acquired_and_released(&self) -> (usize, usize) {
        let Provider { acquired, released, .. } = &*self.provider;
        (acquired.load(Ordering::Relaxed), released.load(Ordering::Relaxed))
    }

    /// Connections that the chain's hosts still have.
    pub fn open_connections(&self) -> usize {
        self.events.lock().unwrap().open
    }

    /// Kinds of work that occupy a thread.
    pub fn busy_threads(&self) -> Vec<Work> {
        use Work::{BackendTrust, CellularTrust, CellularV4, CellularV6, DefaultNames, Progress};
        let is_busy = |work: &Work| {
            let admitted: Vec<_> = (0..4).map(|_| unconstrained(self.threads.admit(*work)).now_or_never()).collect();
            admitted.iter().any(Option::is_none)
        };
        [BackendTrust, CellularTrust, CellularV4, CellularV6, DefaultNames, Progress]
            .into_iter()
            .filter(is_busy)
            .collect()
    }
}

fn config(world: &World, backend_url: &str) -> Config {
    let mut config = Config::new(backend_url);
    if world.cell.fault == Fault::Deadline {
        config.deadlines.overall_ms = SHORT_DEADLINE_MS;
    }
    if world.has_a_callback() {
        config.code_delivery = CodeDelivery::FollowThrough;
    }
    if let Step::Io(Call::Abort, ..) = world.cell.step {
        config.abort_path = Some("abort".to_owned());
    }
    config
}

struct Provider {
    world: Arc<World>,
    acquired: AtomicUsize,
    released: AtomicUsize,
    is_held: AtomicBool,
}

#[async_trait]
impl CellularProvider for Provider {
    async fn acquire(&self, events: Arc<NetworkEvents>) -> Result<NetworkBinding, CellularError> {
        self.acquired.fetch_add(1, Ordering::Relaxed);
        assert!(!self.is_held.swap(true, Ordering::Relaxed), "acquired again without a release");
        self.world.surroundings.report_to(events);
        let mut name = "memory".to_owned();
        match self.world.occurs(Step::Acquire) {
            None => {}
            Some(Fault::Refused) => return Err(CellularError::Unavailable { reason: CellularCause::DataOff }),
            Some(Fault::Unreachable) => return Err(CellularError::Failed),
            Some(Fault::BlackHole) => std::future::pending().await,
            Some(Fault::Garbage) => name.clear(),
            Some(fault) => sleep(Surroundings::continues_for(fault)).await,
        }
        Ok(NetworkBinding::LinuxInterface { name })
    }

    async fn release(&self) -> Result<(), CellularError> {
        self.released.fetch_add(1, Ordering::Relaxed);
        assert!(self.is_held.swap(false, Ordering::Relaxed), "released without an acquire");
        match self.world.occurs(Step::Release) {
            None => {}
            Some(Fault::Refused) => return Err(CellularError::Failed),
            Some(Fault::BlackHole) => std::future::pending().await,
            Some(Fault::Stalled) => sleep(Duration::from_secs(3)).await,
            Some(Fault::Garbage) => std::panic::resume_unwind(Box::new("the app's code panics")),
            Some(fault) => sleep(Surroundings::continues_for(fault)).await,
        }
        Ok(())
    }

    async fn status(&self) -> Result<CellularStatus, CellularError> {
        Ok(CellularStatus::Ready)
    }
}

struct CustomBackend {
    auth_url: String,
}

#[async_trait]
impl Backend for CustomBackend {
    async fn start(&self, _: Arc<StartRequest>) -> Result<Arc<AuthorizationStart>, BackendError> {
        Ok(AuthorizationStart::new(self.auth_url.clone(), None, Some(SESSION.to_owned()), None, Vec::new()))
    }

    async fn complete(&self, _: Arc<CompletionRequest>) -> Result<String, BackendError> {
        Ok(r#"{"verified":true}"#.to_owned())
    }
}
