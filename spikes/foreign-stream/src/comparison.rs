//! The baselines of the spike: the product's own path, and a foreign side in Rust.

use std::sync::Arc;

use number_verify::{CellularError, CellularProvider, CellularStatus, NetworkBinding, NumberVerifier};

use crate::tcp::TcpConnections;
use crate::verifier::{ForeignVerifier, Report, Setup, SpikeError};

/// The product's verifier: sockets in Rust, bound to the loopback interface.
#[derive(uniffi::Object)]
pub struct SocketVerifier {
    verifier: Arc<NumberVerifier>,
    phone_number: String,
}

#[uniffi::export]
impl SocketVerifier {
    /// Sends nothing yet.
    #[uniffi::constructor]
    pub fn new(setup: Setup) -> Result<Arc<Self>, SpikeError> {
        let verifier = NumberVerifier::new(setup.config(), Arc::new(Loopback), None)?;
        Ok(Arc::new(Self { verifier, phone_number: setup.phone_number }))
    }

    /// Runs one verification.
    pub async fn verify(&self) -> Result<Report, SpikeError> {
        let verification = self.verifier.verify(self.phone_number.clone()).await?;
        Ok(Report::new(verification.verified(), &verification.trace()))
    }
}

#[uniffi::export]
impl ForeignVerifier {
    /// Over a foreign side implemented in Rust.
    #[uniffi::constructor]
    pub fn over_rust(setup: Setup) -> Result<Arc<Self>, SpikeError> {
        let connections = Arc::new(TcpConnections::new(&setup.hosts));
        Self::new(setup, connections)
    }
}

struct Loopback;

#[async_trait::async_trait]
impl CellularProvider for Loopback {
    async fn acquire(&self) -> Result<NetworkBinding, CellularError> {
        Ok(NetworkBinding::LinuxInterface { name: "lo".to_owned() })
    }

    async fn release(&self) -> Result<(), CellularError> {
        Ok(())
    }

    async fn status(&self) -> Result<CellularStatus, CellularError> {
        Ok(CellularStatus::Ready)
    }
}
