//! Verifications over foreign connections, assembled like `src/verifier.rs` of the library.

use std::sync::Arc;

use number_verify::internals::{
    Clock, HttpBackend, Limits, Recorder, Settings, SharedNetwork, Threads, Tls, Transport, ValidBinding, Verifier,
};
use number_verify::{CellularError, CellularProvider, CellularStatus, Config, NetworkBinding, Trace, VerifyError};
use tokio::runtime::{Builder, Runtime};
use tokio_util::task::AbortOnDropHandle;

use crate::foreign::Connections;
use crate::network::ForeignNetwork;

/// The maximum size of a body from the operator's side, as in the library.
const BODY: usize = 64 * 1024;

/// The parameters of a verification, and the simulator that it uses.
#[derive(Clone, uniffi::Record)]
pub struct Setup {
    /// The base URL of its backend.
    pub backend_url: String,
    /// Its hosts, each as `HOST:PORT:ADDRESS`. They may have any address; the backend is reached at
    /// its own.
    pub hosts: Vec<String>,
    /// The root certificate to trust, in PEM form.
    pub root_certificate: String,
    /// The phone number.
    pub phone_number: String,
}

impl Setup {
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::new(self.backend_url.clone());
        config.development.resolve.clone_from(&self.hosts);
        config.development.root_certificates.push(self.root_certificate.clone());
        config
    }
}

/// A completed verification.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Report {
    /// The result.
    pub verified: bool,
    /// The requests of the cellular leg.
    pub requests: u32,
    /// The connections of the cellular leg.
    pub connections: u32,
}

impl Report {
    pub(crate) fn new(verified: bool, trace: &Trace) -> Self {
        let count = |connections_only: bool| {
            let hops = trace.hops.iter().filter(|hop| !(connections_only && hop.reused)).count();
            u32::try_from(hops).unwrap_or(u32::MAX)
        };
        Self { verified, requests: count(false), connections: count(true) }
    }
}

/// The error of a verification.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum SpikeError {
    /// The library's error, without any secrets.
    #[error("{text}")]
    Verify {
        /// Its text.
        text: String,
    },
    /// The setup is invalid, or the I/O thread cannot be started.
    #[error("the verifier cannot be set up")]
    Setup,
}

impl From<VerifyError> for SpikeError {
    fn from(error: VerifyError) -> Self {
        Self::Verify { text: error.to_string() }
    }
}

/// The network that verifications share. Overridden hosts may have any address.
pub fn shared_network(
    settings: &Settings,
    tls: &Tls,
    connections: Arc<dyn Connections>,
) -> SharedNetwork<ForeignNetwork> {
    let limits = Limits { connect: settings.connect, response: settings.response, body: BODY };
    let (tls, allowed) = (tls.clone(), settings.allowed_hosts());
    let open = move |_: &ValidBinding| {
        let network = ForeignNetwork::new(connections.clone(), allowed.clone());
        Ok(Transport::new(network, &tls, limits, allowed.clone()))
    };
    SharedNetwork::new(Arc::new(AlwaysThere), Arc::new(open), settings.acquire, Clock::system())
}

/// Verifies over foreign connections.
#[derive(uniffi::Object)]
pub struct ForeignVerifier {
    verifier: Arc<Verifier<ForeignNetwork>>,
    phone_number: String,
    /// The I/O thread.
    runtime: Runtime,
}

#[uniffi::export]
impl ForeignVerifier {
    /// Sends nothing yet.
    #[uniffi::constructor]
    pub fn new(setup: Setup, connections: Arc<dyn Connections>) -> Result<Arc<Self>, SpikeError> {
        let settings = Settings::check(&setup.config())?;
        let threads = Threads::new();
        let tls = Tls::new(&settings.root_certificates, None, threads.clone()).map_err(|_| SpikeError::Setup)?;
        let backend = Arc::new(HttpBackend::new(&settings, &tls, &threads).map_err(|_| SpikeError::Setup)?);
        let network = shared_network(&settings, &tls, connections);
        let runtime =
            Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(|_| SpikeError::Setup)?;
        let verifier = Arc::new(Verifier { settings, network, backend, clock: Clock::system() });
        Ok(Arc::new(Self { verifier, phone_number: setup.phone_number, runtime }))
    }

    /// Runs one verification. Dropping the future cancels it; cancelling the task in Swift does
    /// not, with uniffi 0.32.
    pub async fn verify(&self) -> Result<Report, SpikeError> {
        let (verifier, phone_number) = (self.verifier.clone(), self.phone_number.clone());
        let verification = self.runtime.spawn(async move {
            let record = Recorder::new("spike".to_owned(), None);
            let result = verifier.verify(phone_number.into(), &record, ()).await?;
            Ok(Report::new(result.verified, &record.trace()))
        });
        AbortOnDropHandle::new(verification).await.unwrap_or(Err(SpikeError::Setup))
    }
}

/// The foreign side's connections choose the network; there is no network to acquire or bind.
struct AlwaysThere;

#[async_trait::async_trait]
impl CellularProvider for AlwaysThere {
    async fn acquire(&self) -> Result<NetworkBinding, CellularError> {
        Ok(NetworkBinding::Unbound)
    }

    async fn release(&self) -> Result<(), CellularError> {
        Ok(())
    }

    async fn status(&self) -> Result<CellularStatus, CellularError> {
        Ok(CellularStatus::Ready)
    }
}
