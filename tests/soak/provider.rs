//! The phone's modem: sometimes slow, rejecting or hanging, and strict about the order of its
//! calls.

use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use number_verify::{CellularCause, CellularError, CellularProvider, CellularStatus, NetworkBinding, NetworkEvents};
use tokio::time::{Duration, sleep};

use crate::ledger::Ledger;
use crate::random::Random;

/// The default of `Deadlines::acquire_ms`.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(8);

pub struct Modem {
    ledger: Arc<Ledger>,
    state: Mutex<State>,
}

struct State {
    random: Random,
    /// The event sink of the network that is held.
    events: Option<Arc<NetworkEvents>>,
    is_releasing: bool,
    network: u8,
    acquired: usize,
    released: usize,
}

/// Until the call returns or is dropped.
struct Releasing<'a>(&'a Modem);

impl Drop for Releasing<'_> {
    fn drop(&mut self) {
        self.0.state().is_releasing = false;
    }
}

enum Delay {
    After(Duration),
    Never,
}

impl Modem {
    pub fn new(ledger: Arc<Ledger>, seed: u64) -> Self {
        let state =
            State { random: Random(seed), events: None, is_releasing: false, network: 1, acquired: 0, released: 0 };
        Self { ledger, state: Mutex::new(state) }
    }

    pub fn acquired_and_released(&self) -> (usize, usize) {
        let state = self.state();
        (state.acquired, state.released)
    }

    /// Loses the network, if it is held.
    pub fn lose(&self, reason: CellularCause) {
        if let Some(events) = &self.state().events {
            self.ledger.no_network(Duration::ZERO, reason);
            events.lost(reason);
        }
    }

    /// Selects the next network.
    pub fn moves(&self, network: u8) {
        self.state().network = network;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    /// One in 200 calls hangs.
    fn delay(&mut self) -> Delay {
        match self.random.below(200) {
            0 => Delay::Never,
            1..50 => Delay::After(Duration::from_millis(50) * self.random.below(20)),
            _ => Delay::After(Duration::ZERO),
        }
    }
}

#[async_trait]
impl CellularProvider for Modem {
    async fn acquire(&self, events: Arc<NetworkEvents>) -> Result<NetworkBinding, CellularError> {
        let (delay, network, refuses) = {
            let mut state = self.state();
            state.acquired += 1;
            if state.events.replace(events.clone()).is_some() || state.is_releasing {
                self.ledger.broke("acquired before the release".to_owned());
            }
            (state.delay(), state.network, state.random.below(100) == 0)
        };
        match delay {
            Delay::After(Duration::ZERO) => {}
            Delay::After(duration) => sleep(duration).await,
            Delay::Never => {
                self.ledger.no_network(ACQUIRE_LIMIT, CellularCause::Timeout);
                std::future::pending::<()>().await;
            }
        }
        if refuses {
            self.ledger.no_network(Duration::ZERO, CellularCause::DataOff);
            return Err(CellularError::Unavailable { reason: CellularCause::DataOff });
        }
        if network % 2 == 0 {
            events.operated_by((310_000 + u32::from(network)).to_string());
        }
        Ok(NetworkBinding::AndroidNetwork { handle: u64::from(network) << 32 | 0xcafe_d00d })
    }

    async fn release(&self) -> Result<(), CellularError> {
        let (delay, fails) = {
            let mut state = self.state();
            state.released += 1;
            if state.events.take().is_none() {
                self.ledger.broke("released twice".to_owned());
            }
            state.is_releasing = true;
            (state.delay(), state.random.below(100) == 0)
        };
        let _releasing = Releasing(self);
        match delay {
            Delay::After(Duration::ZERO) => {}
            Delay::After(duration) => sleep(duration).await,
            Delay::Never => std::future::pending().await,
        }
        if fails { Err(CellularError::Failed) } else { Ok(()) }
    }

    async fn status(&self) -> Result<CellularStatus, CellularError> {
        Ok(CellularStatus::Ready)
    }
}
