//! What an app implements to acquire the cellular network, with the platform's own API.

use std::fmt;
use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

use crate::error::CellularCause;
use crate::trace::NetworkKind;

/// Brings the cellular network up and lets it go, with the platform's own API.
///
/// Every `acquire()` is followed by exactly one `release()`, whatever its outcome, also when it was cancelled.
#[uniffi::export(foreign)]
#[async_trait::async_trait]
pub trait CellularProvider: Send + Sync {
    /// Acquires the cellular network and returns how to bind to it. Return as soon as it is there; the verifier has the timeout. From then
    /// on until `release`, report to `events` that the network was lost.
    async fn acquire(&self, events: Arc<NetworkEvents>) -> Result<NetworkBinding, CellularError>;

    /// Lets it go again. Has 5 seconds.
    async fn release(&self) -> Result<(), CellularError>;

    /// Whether a flow could run now, without any traffic.
    async fn status(&self) -> Result<CellularStatus, CellularError>;
}

/// Receives what happens to a network after `acquire`. Each `acquire` has its own.
#[derive(Default, uniffi::Object)]
pub struct NetworkEvents {
    operator: OnceLock<u32>,
    reason: OnceLock<CellularCause>,
    changed: Notify,
}

#[uniffi::export]
impl NetworkEvents {
    /// The network is this operator's: the mobile country and network code of the SIM, 5 or 6 digits such as `310260` (ITU-T E.212). To be
    /// called before `acquire` returns, if the platform provides it; only the first call has an effect, and anything else is ignored. What the
    /// verifier remembers of an operator's hosts is then kept for that operator, and not only for this one network.
    pub fn operated_by(&self, mcc_mnc: String) {
        if matches!(mcc_mnc.len(), 5..=6)
            && mcc_mnc.bytes().all(|digit| digit.is_ascii_digit())
            && let Ok(code) = mcc_mnc.parse()
        {
            let _ = self.operator.set(code);
        }
    }

    /// The network is lost, blocked or replaced by another: verifications that still need it end at once with `CellularUnavailable` and this
    /// cause, and the network is released. May be called at any time and from any thread; returns at once. Only the first call between
    /// `acquire` and `release` has an effect.
    pub fn lost(&self, reason: CellularCause) {
        if self.reason.set(reason).is_ok() {
            self.changed.notify_one();
        }
    }
}

impl NetworkEvents {
    /// A code of 5 digits is not one of 6 with a zero before it: no country code begins with one.
    pub(super) fn operator(&self) -> Option<u32> {
        self.operator.get().copied()
    }

    /// Waits until the network is lost. For one task.
    pub(super) async fn is_lost(&self) -> CellularCause {
        loop {
            if let Some(reason) = self.reason.get() {
                return *reason;
            }
            self.changed.notified().await;
        }
    }
}

impl fmt::Debug for NetworkEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NetworkEvents")
    }
}

/// One network at one time, in the words of its platform.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum NetworkBinding {
    /// Android: `Network.getNetworkHandle()`.
    AndroidNetwork {
        /// The handle.
        handle: u64,
    },
    /// Apple: the index of `NWInterface`.
    AppleInterface {
        /// The index.
        index: u32,
    },
    /// Linux: the name of the interface, such as `wwan0`.
    LinuxInterface {
        /// The name.
        name: String,
    },
    /// No binding: whatever network the system chooses. For development only, and refused unless it is allowed there.
    Unbound,
}

/// Whether a flow could run now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum CellularStatus {
    /// The cellular network is there.
    Ready,
    /// Wi-Fi is the default network; cellular will be brought up beside it.
    WifiActive,
    /// It could not.
    Unavailable {
        /// Why.
        reason: CellularCause,
    },
}

/// Why a provider could not bring up the network.
#[derive(Debug, Clone, thiserror::Error, uniffi::Error)]
pub enum CellularError {
    /// For a known reason.
    #[error("the cellular network is unavailable")]
    Unavailable {
        /// Why.
        reason: CellularCause,
    },
    /// The provider threw something unexpected.
    #[error("the cellular provider failed")]
    Failed,
}

impl From<uniffi::UnexpectedUniFFICallbackError> for CellularError {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed
    }
}

impl CellularError {
    pub(crate) fn reason(&self) -> CellularCause {
        match self {
            Self::Unavailable { reason } => *reason,
            Self::Failed => CellularCause::Unsupported,
        }
    }
}

impl NetworkBinding {
    /// How this binding is called in a trace.
    #[must_use]
    pub fn kind(&self) -> NetworkKind {
        match self {
            Self::AndroidNetwork { .. } => NetworkKind::AndroidNetwork,
            Self::AppleInterface { .. } => NetworkKind::AppleInterface,
            Self::LinuxInterface { .. } => NetworkKind::LinuxInterface,
            Self::Unbound => NetworkKind::Unbound,
        }
    }
}
