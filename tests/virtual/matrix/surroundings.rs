//! Faults that are not caused by a host or server: events on the phone, its networks and its
//! process during a step.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use number_verify::internals::{Clock, LocalAddresses};
use number_verify::{CellularCause, NetworkEvents};
use tokio::sync::Notify;
use tokio::time::{Duration, Instant, sleep};

use super::Fault;
use crate::network::{Attachment, ROUND_TRIP};

/// The network on which the step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leg {
    Cellular,
    Backend,
}

impl Fault {
    pub fn is_of_surroundings(self) -> bool {
        matches!(self, Self::AddressChange | Self::InterfaceLost | Self::Cancelled | Self::Deadline | Self::Suspended)
    }
}

#[derive(Default)]
pub struct Surroundings {
    /// The connection to the cellular network.
    pub attachment: Arc<Mutex<Attachment>>,
    events: Mutex<Option<Arc<NetworkEvents>>>,
    hours_asleep: AtomicU64,
    cancelled: Notify,
}

impl Surroundings {
    /// How long a step continues after the fault began.
    pub fn continues_for(fault: Fault) -> Duration {
        match fault {
            Fault::Cancelled | Fault::Deadline => Duration::from_hours(1),
            _ => Duration::from_millis(300),
        }
    }

    pub fn clock(self: &Arc<Self>) -> Clock {
        let (began, surroundings) = (Instant::now(), self.clone());
        let asleep = move || Duration::from_secs(3600 * surroundings.hours_asleep.load(Ordering::Relaxed));
        Clock::new(move || began.elapsed() + asleep())
    }

    /// The receiver of the cellular network's reports, from one `acquire` to the next.
    pub fn report_to(&self, events: Arc<NetworkEvents>) {
        *self.events.lock().unwrap() = Some(events);
    }

    /// Waits until the app cancels the verification.
    pub async fn cancelled(&self) {
        self.cancelled.notified().await;
    }

    /// Applies the fault once earlier data has arrived. On the backend's network, the server
    /// applies the network faults.
    pub async fn change(self: Arc<Self>, fault: Fault, leg: Leg) {
        sleep(ROUND_TRIP / 2 + Duration::from_millis(10)).await;
        match fault {
            Fault::Suspended => {
                self.hours_asleep.fetch_add(1, Ordering::Relaxed);
            }
            Fault::Cancelled => self.cancelled.notify_one(),
            Fault::InterfaceLost if leg == Leg::Cellular => {
                let events = self.events.lock().unwrap().clone();
                events.unwrap().lost(CellularCause::InterfaceDown);
            }
            Fault::AddressChange if leg == Leg::Cellular => {
                let mut attachment = self.attachment.lock().unwrap();
                std::mem::take(&mut attachment.wire).cut();
                attachment.addresses = LocalAddresses::new(Some(Ipv4Addr::new(10, 99, 99, 99)), None);
            }
            _ => {}
        }
    }
}
