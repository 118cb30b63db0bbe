//! The cellular network: who brings it up, and how a socket is bound to it.
//!
//! A [`BoundStream`] can be made only here, so a connection of the cellular leg is a bound one by construction. An operating
//! system without a binding is an error, never an unbound socket. Besides the platform's trust (`transport/trust.rs`) and its log
//! (`logging.rs`), this is the only place that asks which system it is.

mod binding;
mod shared;

#[cfg(any(target_os = "android", test))]
mod android_rules;
#[cfg(any(target_vendor = "apple", test))]
mod apple_rules;

#[cfg_attr(target_os = "android", path = "android.rs")]
#[cfg_attr(target_vendor = "apple", path = "apple.rs")]
#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(any(target_os = "android", target_vendor = "apple", target_os = "linux")), path = "unsupported.rs")]
mod system;

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::{fmt, io};

use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

pub use self::binding::ValidBinding;
pub use self::shared::{Lease, SharedNetwork};
use crate::error::{CellularCause, VerifyError};
use crate::lookups::Lookups;
use crate::settings::{Overrides, Settings, invalid};
use crate::threads::Threads;
use crate::trace::NetworkKind;
use crate::transport::{Family, Network, NetworkError};

/// Brings the cellular network up and lets it go, with the platform's own API.
///
/// Every `acquire()` is followed by exactly one `release()`, whatever its outcome, also when it was cancelled.
#[uniffi::export(foreign)]
#[async_trait::async_trait]
pub trait CellularProvider: Send + Sync {
    /// Brings the cellular network up and tells how a socket is bound to it. Return as soon as it is there; the verifier has the
    /// time limit.
    async fn acquire(&self) -> Result<NetworkBinding, CellularError>;

    /// Lets it go again. Has 5 seconds.
    async fn release(&self) -> Result<(), CellularError>;

    /// Whether a flow could run now, without any traffic.
    async fn status(&self) -> Result<CellularStatus, CellularError>;
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

/// Whether the platform's trust in certificates is reached only through the app.
pub(crate) const TRUST_NEEDS_THE_APP: bool = cfg!(target_os = "android");

/// The network behind a binding, with the development overrides in front of its name servers.
pub struct BoundNetwork {
    binding: Arc<system::Binding>,
    lookups: Lookups<(String, Family)>,
    overrides: Overrides,
}

impl BoundNetwork {
    /// Checks that the binding can be used; sends nothing.
    pub fn open(binding: &ValidBinding, settings: &Settings, threads: &Threads) -> Result<Self, VerifyError> {
        if *binding.get() == NetworkBinding::Unbound && !settings.allow_unbound {
            return Err(invalid("allow_unbound"));
        }
        let binding = system::Binding::open(binding, &settings.dns_servers, threads)
            .map_err(|reason| VerifyError::CellularUnavailable { reason })?;
        let overrides = settings.overrides.clone();
        Ok(Self { binding: Arc::new(binding), lookups: Lookups::default(), overrides })
    }
}

impl Network for BoundNetwork {
    type Stream = BoundStream;

    async fn resolve(&self, host: &str, port: u16, family: Family) -> Result<Vec<IpAddr>, NetworkError> {
        if let Some(addresses) = self.overrides.get(&(host.to_owned(), port)) {
            return Ok(family.of(addresses));
        }
        let begin = || {
            let (binding, host) = (self.binding.clone(), host.to_owned());
            async move { binding.resolve(&host, family).await }.boxed()
        };
        self.lookups.join((host.to_owned(), family), begin).await
    }

    async fn connect(&self, address: SocketAddr) -> Result<BoundStream, NetworkError> {
        self.binding.connect(address).await.map(BoundStream)
    }

    fn check(&self) -> Result<(), CellularCause> {
        self.binding.check()
    }
}

/// A TCP connection over the binding's network.
pub struct BoundStream(TcpStream);

impl fmt::Debug for BoundStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoundStream")
    }
}

impl AsyncRead for BoundStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for BoundStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
