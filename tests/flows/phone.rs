//! A phone whose cellular network is the loopback interface, with the simulator behind it.

use std::sync::Arc;

use async_trait::async_trait;
use number_verify::{
    Backend, CellularError, CellularProvider, CellularStatus, Config, Deadlines, NetworkBinding, NetworkEvents,
    NumberVerifier, Verification, VerifyError,
};
use number_verify_simulator::Simulator;
use tokio::sync::watch;
use tokio::time::{Duration, timeout};

/// Belongs to the simulated SIM.
pub const NUMBER: &str = "+14155550100";
/// Does not belong to it.
pub const OTHER_NUMBER: &str = "+14155550199";
/// Nothing here takes a second on an idle machine; what takes this long hangs.
pub const HANGS: Duration = Duration::from_mins(1);

/// A configuration for this simulator.
pub fn config(simulator: &Simulator, backend_url: String) -> Config {
    // On a busy machine, any flow may be slow.
    let mut config = Config { slow_after_ms: 3_600_000, ..Config::new(backend_url) };
    config.development.root_certificates.push(simulator.root_ca_pem().to_owned());
    config.development.resolve.extend(simulator.hosts());
    config
}

/// No deadline ends the flow, however busy the machine is.
pub fn wait_an_hour(config: &mut Config) {
    let hour = 3_600_000;
    config.deadlines =
        Deadlines { overall_ms: hour, acquire_ms: hour, connect_ms: hour, answer_ms: hour, backend_ms: hour };
}

pub fn verifier(config: Config) -> (Arc<NumberVerifier>, Arc<Loopback>) {
    let network = Arc::<Loopback>::default();
    (NumberVerifier::new(config, network.clone(), None).unwrap(), network)
}

pub fn verifier_with(config: Config, backend: Arc<dyn Backend>) -> (Arc<NumberVerifier>, Arc<Loopback>) {
    let network = Arc::<Loopback>::default();
    (NumberVerifier::with_backend(config, network.clone(), backend, None).unwrap(), network)
}

/// Runs one flow; returns whether the number was verified.
pub async fn verify(config: Config, number: &str) -> Result<bool, VerifyError> {
    verification(config, number).await.map(|verification| verification.verified())
}

pub async fn verification(config: Config, number: &str) -> Result<Arc<Verification>, VerifyError> {
    let (verifier, network) = verifier(config);
    let outcome = timeout(HANGS, verifier.verify(number.to_owned())).await.expect("the flow hangs");
    network.is_released().await;
    assert_eq!(network.counts(), Counts { acquired: 1, released: 1 });
    outcome
}

pub fn json(error: &VerifyError) -> serde_json::Value {
    serde_json::from_str(&error.to_json()).unwrap()
}

/// Counts acquires and releases.
pub struct Loopback {
    counts: watch::Sender<Counts>,
    is_up: watch::Sender<bool>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub acquired: usize,
    pub released: usize,
}

impl Default for Loopback {
    fn default() -> Self {
        Self { counts: watch::channel(Counts::default()).0, is_up: watch::channel(true).0 }
    }
}

impl Loopback {
    /// Down until `come_up`.
    pub fn that_is_down() -> Arc<Self> {
        Arc::new(Self { is_up: watch::channel(false).0, ..Self::default() })
    }

    pub fn come_up(&self) {
        self.is_up.send_replace(true);
    }

    pub fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    /// Waits until it is released.
    pub async fn is_released(&self) {
        let mut counts = self.counts.subscribe();
        let released = counts.wait_for(|counts| counts.acquired == counts.released);
        timeout(HANGS, released).await.expect("the network is not released").unwrap();
    }

    /// Waits until it is acquired.
    pub async fn is_acquired(&self) {
        let mut counts = self.counts.subscribe();
        let acquired = counts.wait_for(|counts| counts.acquired > counts.released);
        timeout(HANGS, acquired).await.expect("the network is not acquired").unwrap();
    }
}

#[async_trait]
impl CellularProvider for Loopback {
    async fn acquire(&self, _: Arc<NetworkEvents>) -> Result<NetworkBinding, CellularError> {
        self.counts.send_modify(|counts| counts.acquired += 1);
        self.is_up.subscribe().wait_for(|is_up| *is_up).await.map_err(|_| CellularError::Failed)?;
        Ok(NetworkBinding::LinuxInterface { name: "lo".to_owned() })
    }

    async fn release(&self) -> Result<(), CellularError> {
        self.counts.send_modify(|counts| counts.released += 1);
        Ok(())
    }

    async fn status(&self) -> Result<CellularStatus, CellularError> {
        Ok(CellularStatus::Ready)
    }
}
