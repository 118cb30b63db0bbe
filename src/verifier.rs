//! The public entry point. The flow itself is in `flow/`; here it gets a thread, a handle and
//! cancellation.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::backend::Backend;
use crate::backend::call::{AppBackend, BackendClient};
use crate::cellular::{BoundNetwork, CellularProvider, CellularStatus, Options, SharedNetwork, ValidBinding};
use crate::clock::Clock;
use crate::config::Config;
use crate::delivery;
use crate::error::{CellularCause, Setting, VerifyError};
use crate::flow::{self, Prepared, Verifier};
use crate::flow_handle::{FlowHandle, Outcome, RetrievalFlow, VerificationFlow};
use crate::hop_memory::HopMemory;
use crate::limits;
use crate::logging::Event;
use crate::options::{Input, VerificationOptions, random_correlator};
use crate::phone_number::PhoneNumber;
use crate::progress::ProgressListener;
use crate::purpose::Purpose;
use crate::recorder::Recorder;
use crate::results::{Ended, RetrievedNumber, Verification};
use crate::runtime::{Running, Runtime, RuntimeGuard};
use crate::secret::Redactor;
use crate::server_trust::ServerTrust;
use crate::settings::Settings;
use crate::threads::Threads;
use crate::transport::certificates::{self, AppTrust};
use crate::transport::roots::NoRoots;
use crate::transport::tls::Tls;
use crate::transport::{Limits, Transport};

/// Verifies phone numbers. Create one per app: concurrent verifications share the cellular network.
#[derive(uniffi::Object)]
#[uniffi(name = "CoreVerifier")] // Set here because uniffi.toml does not rename it in its constructors (uniffi 0.32).
pub struct NumberVerifier {
    verifier: Arc<Verifier<BoundNetwork>>,
    cellular: Arc<dyn CellularProvider>,
    tls: Tls,
    runtime: Runtime,
    threads: Threads,
    prepared: Prepared,
}

#[uniffi::export(name = "CoreVerifier")]
impl NumberVerifier {
    /// Creates a verifier that calls the app's backend itself, at the base URL of the
    /// configuration. Starts no thread, opens no file and sends nothing yet. Fails with
    /// `InvalidConfig` if a setting is invalid or this build of the library has no HTTP client
    /// (Cargo feature `http-backend`, on by default). Android requires `server_trust`; on other
    /// platforms the library calls the platform itself.
    #[uniffi::constructor(default(server_trust = None))]
    pub fn new(
        config: Config,
        cellular: Arc<dyn CellularProvider>,
        server_trust: Option<Arc<dyn ServerTrust>>,
    ) -> Result<Arc<Self>, VerifyError> {
        Self::build(&config, cellular, server_trust, None)
    }

    /// Creates a verifier that calls the backend through the app's client. Of the configuration's
    /// backend URL only the origin is used, for delivery by follow-through.
    #[uniffi::constructor(default(server_trust = None))]
    pub fn with_backend(
        config: Config,
        cellular: Arc<dyn CellularProvider>,
        backend: Arc<dyn Backend>,
        server_trust: Option<Arc<dyn ServerTrust>>,
    ) -> Result<Arc<Self>, VerifyError> {
        Self::build(&config, cellular, server_trust, Some(backend))
    }

    /// Starts verifying that the SIM in this phone owns this number, in E.164 form, with these
    /// options. An invalid number or option is reported as the result: `InvalidPhoneNumber`, or
    /// `InvalidConfig` for the setting `headers`, `start_fields` or `correlator`.
    #[must_use]
    pub fn begin_with(
        &self,
        phone_number: String,
        options: VerificationOptions,
        listener: Option<Arc<dyn ProgressListener>>,
    ) -> Arc<VerificationFlow> {
        let number = PhoneNumber::parse(&phone_number.into());
        let input = number.and_then(|number| Input::check(Purpose::Verify(number), &options, &self.verifier.settings));
        Arc::new(VerificationFlow(self.begin_flow(input, listener)))
    }

    /// Starts retrieving the phone number of the SIM in this phone from its operator (CAMARA
    /// `device-phone-number`), with these options. An invalid option is reported as the result, as
    /// in a verification. Obtain the user's consent first: the number is sent to the app's backend.
    #[must_use]
    pub fn begin_retrieval(
        &self,
        options: VerificationOptions,
        listener: Option<Arc<dyn ProgressListener>>,
    ) -> Arc<RetrievalFlow> {
        let input = Input::check(Purpose::Retrieve, &options, &self.verifier.settings);
        Arc::new(RetrievalFlow(self.begin_flow(input, listener)))
    }

    /// Whether a verification could run now. Sends no traffic.
    pub async fn check(&self) -> Result<CellularStatus, VerifyError> {
        let cellular = self.cellular.clone();
        let status = self.running()?.spawn(async move { timeout(limits::CHECK, cellular.status()).await });
        let reason = match status.await {
            Ok(Ok(Ok(status))) => return Ok(status),
            Ok(Ok(Err(error))) => error.reason(),
            Ok(Err(_)) => CellularCause::Timeout,
            Err(_) => return Err(VerifyError::Internal),
        };
        Ok(CellularStatus::Unavailable { reason })
    }

    /// Prepares for a verification that follows within 30 seconds: call it when the phone-number
    /// screen appears. Acquires the cellular network and opens connections: to the backend, and
    /// over the cellular network to the first hosts of this verifier's last verification on it
    /// within an hour, or to `auth_origin`. Returns as soon as the network is available, while the
    /// connections are still being opened; a verification uses those that are open, and waits for
    /// those that are being opened over the cellular network. Fails as that verification would.
    ///
    /// After 30 seconds without a verification the network is released and its connections are
    /// closed; the connection to the backend closes within a minute. Another call holds the same
    /// network for another 30 seconds. The cost is holding the radio for that time, and the TLS
    /// handshakes of these connections. The backend receives a `HEAD` request for its base URL,
    /// without the app's headers; any response is accepted.
    pub async fn prepare(&self) -> Result<(), VerifyError> {
        let (tls, running) = (self.tls.clone(), self.running()?);
        let lease = {
            let _runtime = running.handle().enter();
            self.prepared.begin(self.verifier.clone(), running.alive())
        };
        let roots = running.spawn(async move { read_roots(&tls).await }).await.unwrap_or(Err(VerifyError::Internal));
        if roots.is_err() {
            drop(self.prepared.take());
        }
        roots?;
        lease.acquired().await.map(|_| ())
    }

    /// Clears the record of which hosts followed each other in earlier verifications: the next one
    /// opens no connection ahead, except to `auth_origin`. A verification that is still running
    /// records its hosts when it ends. TLS sessions and open connections are not affected.
    pub fn forget_hosts(&self) {
        self.verifier.memory.clear();
    }
}

impl NumberVerifier {
    /// [`begin_with`](Self::begin_with) without options.
    #[must_use]
    pub fn begin(&self, phone_number: String, listener: Option<Arc<dyn ProgressListener>>) -> Arc<VerificationFlow> {
        self.begin_with(phone_number, VerificationOptions::default(), listener)
    }

    /// Verifies that the SIM in this phone owns this number, in E.164 form. Cancelling the call
    /// cancels the verification and releases the network.
    ///
    /// # Errors
    ///
    /// [`VerifyError`] if there is no result; [`fallback`](VerifyError::fallback) is the
    /// recommended action.
    pub async fn verify(&self, phone_number: String) -> Result<Arc<Verification>, VerifyError> {
        self.begin(phone_number, None).result().await
    }

    /// Retrieves the phone number of the SIM in this phone from its operator. Cancelling the call
    /// cancels the retrieval and releases the network.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify), except `InvalidPhoneNumber`.
    pub async fn retrieve(&self) -> Result<Arc<RetrievedNumber>, VerifyError> {
        self.begin_retrieval(VerificationOptions::default(), None).result().await
    }

    /// Resolves once this verifier was dropped and its background work has finished: releasing the
    /// network, at most 5 s, and the abort call, at most 2 s. For programs that exit after their
    /// last verification.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        self.runtime.ended()
    }

    fn begin_flow(&self, input: Result<Input, VerifyError>, listener: Option<Arc<dyn ProgressListener>>) -> FlowHandle {
        let correlator = input.as_ref().map(|input| input.correlator.clone());
        let (events, delivery) = listener.map(|listener| delivery::begin(listener, self.threads.clone())).unzip();
        let record = Arc::new(Recorder::new(correlator.unwrap_or_else(|_| random_correlator()), events));
        let (report, outcome) = watch::channel(None);
        let running = match self.running() {
            Ok(running) => running,
            Err(error) => {
                record.concluded(Err(&error));
                record.ended(&Redactor::new());
                report.send_replace(Some(Err(error)));
                return FlowHandle::new(outcome, None, record);
            }
        };
        let delivery = delivery.map(|delivery| running.spawn(delivery));
        // An invalid input sends nothing: what was prepared stays for the next verification.
        let prepared = input.is_ok().then(|| self.prepared.take());
        let flow = run(self.verifier.clone(), self.tls.clone(), input, record.clone(), running.alive());
        let of_task = record.clone();
        let task = running.spawn(async move {
            let outcome = or_internal(flow, &of_task).await;
            if let Some(delivery) = delivery {
                let _ = timeout(limits::LISTENER, delivery).await;
            }
            report.send_replace(Some(outcome));
            drop(prepared);
        });
        FlowHandle::new(outcome, Some(task.abort_handle()), record)
    }

    fn running(&self) -> Result<Running, VerifyError> {
        self.runtime.running().map_err(|_| VerifyError::Internal)
    }

    fn build(
        config: &Config,
        cellular: Arc<dyn CellularProvider>,
        server_trust: Option<Arc<dyn ServerTrust>>,
        backend: Option<Arc<dyn Backend>>,
    ) -> Result<Arc<Self>, VerifyError> {
        let settings = Settings::check(config)?;
        if certificates::NEEDS_THE_APP && server_trust.is_none() {
            return Err(VerifyError::invalid_config(Setting::ServerTrust));
        }
        let threads = Threads::new();
        let app_trust = server_trust.map(|app| Arc::new(ThroughTheApp(app)) as Arc<dyn AppTrust>);
        let tls = Tls::new(&settings.root_certificates, app_trust, threads.clone())
            .map_err(|NoRoots| VerifyError::invalid_config(Setting::RootCertificates))?;
        let backend: Arc<dyn BackendClient> = match backend {
            Some(backend) => Arc::new(AppBackend { backend, timeout: settings.backend }),
            None => http_backend(&settings, &tls, &threads)?,
        };
        let limits = Limits { connect: settings.connect, response: settings.response, body: limits::OPERATOR_BODY };
        let acquire_limit = settings.acquire;
        let options = Options {
            allow_unbound: settings.allow_unbound,
            name_servers: settings.dns_servers.clone(),
            overrides: settings.overrides.clone(),
        };
        let (allowed_hosts, for_lookups, for_cellular) = (settings.allowed_hosts(), threads.clone(), tls.clone());
        let open = move |binding: &ValidBinding| {
            let network = BoundNetwork::open(binding, &options, &for_lookups)?;
            Ok(Transport::new(network, &for_cellular, limits, allowed_hosts.clone()))
        };
        let clock = Clock::system();
        let network = SharedNetwork::new(cellular.clone(), Arc::new(open), acquire_limit, clock.clone());
        let memory = HopMemory::new(clock.clone(), flow::auth_destination(&settings));
        let verifier = Arc::new(Verifier { settings, network, backend, clock, memory });
        let (runtime, prepared) = (Runtime::new(), Prepared::default());
        Ok(Arc::new(Self { verifier, cellular, tls, runtime, threads, prepared }))
    }
}

#[cfg(feature = "http-backend")]
#[expect(clippy::unnecessary_wraps)] // Fails without the feature.
fn http_backend(settings: &Settings, tls: &Tls, threads: &Threads) -> Result<Arc<dyn BackendClient>, VerifyError> {
    Ok(Arc::new(crate::backend::http::HttpBackend::new(settings, tls, threads)))
}

#[cfg(not(feature = "http-backend"))]
fn http_backend(_: &Settings, _: &Tls, _: &Threads) -> Result<Arc<dyn BackendClient>, VerifyError> {
    Err(VerifyError::invalid_config(Setting::Backend))
}

/// Only an explicit `true` from the app means trusted.
struct ThroughTheApp(Arc<dyn ServerTrust>);

impl AppTrust for ThroughTheApp {
    fn is_trusted(&self, chain: Vec<Vec<u8>>, host: String, ocsp_response: Option<Vec<u8>>) -> bool {
        matches!(self.0.check_server_trusted(chain, host, ocsp_response), Ok(true))
    }
}

/// A panic is reported as a separate error, never as a cancellation.
async fn or_internal<T>(
    work: impl Future<Output = Result<T, VerifyError>>,
    record: &Recorder,
) -> Result<T, VerifyError> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
        Event::Failed(&VerifyError::Internal).log();
        record.concluded(Err(&VerifyError::Internal));
        Err(VerifyError::Internal)
    })
}

async fn read_roots(tls: &Tls) -> Result<(), VerifyError> {
    tls.read_roots().await.map_err(|NoRoots| VerifyError::invalid_config(Setting::RootCertificates))
}

async fn run(
    verifier: Arc<Verifier<BoundNetwork>>,
    tls: Tls,
    input: Result<Input, VerifyError>,
    record: Arc<Recorder>,
    alive: RuntimeGuard,
) -> Outcome {
    let checked = match input {
        Ok(input) => read_roots(&tls).await.map(|()| input),
        Err(error) => Err(error),
    };
    let input = checked.inspect_err(|error| {
        record.concluded(Err(error));
        record.ended(&Redactor::new());
    })?;
    let result = verifier.run(input, &record, alive).await?;
    Ok(Arc::new(Ended { result, trace: record.trace() }))
}

impl fmt::Debug for NumberVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NumberVerifier(…)")
    }
}
