//! The networks of the command line, and its progress output.

use std::sync::Arc;

use number_verify::{
    CellularError, CellularProvider, CellularStatus, NetworkBinding, NetworkEvents, Progress, ProgressListener,
};

/// A network that is always available, such as a modem connected by another program.
pub struct FixedNetwork(pub NetworkBinding);

#[async_trait::async_trait]
impl CellularProvider for FixedNetwork {
    async fn acquire(&self, _: Arc<NetworkEvents>) -> Result<NetworkBinding, CellularError> {
        Ok(self.0.clone())
    }

    async fn release(&self) -> Result<(), CellularError> {
        Ok(())
    }

    async fn status(&self) -> Result<CellularStatus, CellularError> {
        Ok(CellularStatus::Ready)
    }
}

/// A network that never becomes available.
pub struct NoNetwork;

#[async_trait::async_trait]
impl CellularProvider for NoNetwork {
    async fn acquire(&self, _: Arc<NetworkEvents>) -> Result<NetworkBinding, CellularError> {
        std::future::pending().await
    }

    async fn release(&self) -> Result<(), CellularError> {
        Ok(())
    }

    async fn status(&self) -> Result<CellularStatus, CellularError> {
        Ok(CellularStatus::Ready)
    }
}

/// Prints the progress for the user.
pub struct ProgressPrinter;

impl ProgressListener for ProgressPrinter {
    fn on_progress(&self, progress: Progress) -> Result<(), number_verify::ListenerError> {
        match progress {
            Progress::StepBegan { step, at_ms } => eprintln!("{at_ms:>6} ms  {step} …"),
            Progress::StepEnded { step, at_ms } => eprintln!("{at_ms:>6} ms  {step} done"),
            Progress::HopAnswered { hop, at_ms } => {
                let status = hop.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
                eprintln!("{at_ms:>6} ms    hop {} {}://{} {status}", hop.index, hop.scheme, hop.host);
            }
            Progress::Slow { at_ms } => eprintln!("{at_ms:>6} ms  slower than usual"),
            _ => {}
        }
        Ok(())
    }
}
