//! A network that consists of the loopback interface and can be lost.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use async_trait::async_trait;
use number_verify::{CellularCause, CellularError, CellularProvider, CellularStatus, NetworkBinding, NetworkEvents};

pub const LOSS: CellularCause = CellularCause::InterfaceDown;

#[derive(Default)]
pub struct Modem {
    /// The event sink of the network that is held.
    events: Mutex<Option<Arc<NetworkEvents>>>,
    acquired: AtomicUsize,
    released: AtomicUsize,
    last_loss: Mutex<Option<Instant>>,
}

impl Modem {
    pub fn lose(&self) {
        if let Some(events) = &*self.events.lock().unwrap() {
            *self.last_loss.lock().unwrap() = Some(Instant::now());
            events.lost(LOSS);
        }
    }

    pub fn was_lost_since(&self, then: Instant) -> bool {
        self.last_loss.lock().unwrap().is_some_and(|last| last > then)
    }

    pub fn counts(&self) -> (usize, usize) {
        (self.acquired.load(Ordering::SeqCst), self.released.load(Ordering::SeqCst))
    }
}

#[async_trait]
impl CellularProvider for Modem {
    async fn acquire(&self, events: Arc<NetworkEvents>) -> Result<NetworkBinding, CellularError> {
        self.acquired.fetch_add(1, Ordering::SeqCst);
        assert!(self.events.lock().unwrap().replace(events).is_none(), "acquired before the release");
        Ok(NetworkBinding::LinuxInterface { name: "lo".to_owned() })
    }

    async fn release(&self) -> Result<(), CellularError> {
        self.released.fetch_add(1, Ordering::SeqCst);
        assert!(self.events.lock().unwrap().take().is_some(), "released twice");
        Ok(())
    }

    async fn status(&self) -> Result<CellularStatus, CellularError> {
        Ok(CellularStatus::Ready)
    }
}
