//! The interface through which an app acquires the cellular network with the platform's API.

use std::fmt;
use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

use crate::error::CellularCause;
use crate::trace::NetworkKind;

/// Acquires and releases the cellular network with the platform's API.
///
/// Every `acquire()` is followed by exactly one `release()`, whatever its outcome, including
/// cancellation.
#[uniffi::export(foreign)]
#[async_trait::async_trait]
pub trait CellularProvider: Send + Sync {
    /// Acquires the cellular network and returns how to bind to it. Return as soon as it is
    /// available; the verifier applies the timeout. Until `release`, report the loss of the network
    /// to `events`.
    async fn acquire(&self, events: Arc<NetworkEvents>) -> Result<NetworkBinding, CellularError>;

    /// Releases it; must finish within 5 seconds.
    async fn release(&self) -> Result<(), CellularError>;

    /// Whether a verification could run now. Sends no traffic.
    async fn status(&self) -> Result<CellularStatus, CellularError>;
}

/// Receives events of a network after `acquire`. Each `acquire` has a separate instance.
#[derive(Default, uniffi::Object)]
pub struct NetworkEvents {
    operator: OnceLock<u32>,
    reason: OnceLock<CellularCause>,
    changed: Notify,
}

#[uniffi::export]
impl NetworkEvents {
    /// Sets the operator of the network: the mobile country and network code of the SIM, 5 or 6
    /// digits such as `310260` (ITU-T E.212). Call it before `acquire` returns, if the platform
    /// provides the code; only the first call has an effect, and an invalid code is ignored. The
    /// verifier then stores its record of an operator's hosts for that operator instead of for this
    /// network only.
    pub fn operated_by(&self, mcc_mnc: String) {
        if matches!(mcc_mnc.len(), 5..=6)
            && mcc_mnc.bytes().all(|digit| digit.is_ascii_digit())
            && let Ok(code) = mcc_mnc.parse()
        {
            let _ = self.operator.set(code);
        }
    }

    /// Reports that the network is lost, blocked or replaced by another: verifications that still
    /// need it fail immediately with `CellularUnavailable` and this cause, and the network is
    /// released. Does not block; may be called at any time and from any thread. Only the first call
    /// between `acquire` and `release` has an effect.
    pub fn lost(&self, reason: CellularCause) {
        if self.reason.set(reason).is_ok() {
            self.changed.notify_one();
        }
    }
}

impl NetworkEvents {
    /// A 5-digit code cannot equal a 6-digit one with a leading zero: no country code begins with
    /// zero.
    pub(super) fn operator(&self) -> Option<u32> {
        self.operator.get().copied()
    }

    /// Waits until the network is lost. For a single task.
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

/// A reference to one network, in the platform's terms.
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
    /// No binding: the system chooses the network. For development only; rejected unless
    /// `allow_unbound` is set.
    Unbound,
}

/// Whether a verification could run now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum CellularStatus {
    /// The cellular network is available.
    Ready,
    /// Wi-Fi is the default network; the cellular network will be acquired in addition.
    WifiActive,
    /// Unavailable.
    Unavailable {
        /// Why.
        reason: CellularCause,
    },
}

/// Why a provider could not acquire the network.
#[derive(Debug, Clone, thiserror::Error, uniffi::Error)]
pub enum CellularError {
    /// A known cause.
    #[error("the cellular network is unavailable")]
    Unavailable {
        /// Why.
        reason: CellularCause,
    },
    /// The provider failed with an unexpected exception.
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
    /// The kind of this binding in a trace.
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
