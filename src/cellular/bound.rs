//! The network of a binding, and development's [`NetworkBinding::Unbound`], which uses the default
//! network and is rejected unless the settings allow it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::net::TcpStream;
use tokio_util::either::Either;

use super::binding::ValidBinding;
use super::provider::NetworkBinding;
use super::stream::BoundStream;
use super::system;
use crate::error::{CellularCause, Setting, VerifyError};
use crate::network::default::DefaultNetwork;
use crate::network::local_addresses::LocalAddresses;
use crate::network::lookups::{Lookups, Overrides, Scope};
use crate::network::{Family, Network, NetworkError, Unusable};
use crate::threads::Threads;

/// Settings of the cellular network.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Allows an unbound network for development.
    pub allow_unbound: bool,
    /// DNS servers that replace the system's. Used only on Linux.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    pub name_servers: Vec<SocketAddr>,
    /// Fixed addresses per host.
    pub overrides: Overrides,
}

/// The cellular network.
pub struct BoundNetwork(Kind);

enum Kind {
    /// Every socket is bound, and DNS uses the same network.
    Bound {
        binding: Arc<system::Binding>,
        lookups: Lookups,
    },
    Unbound(DefaultNetwork),
}

impl BoundNetwork {
    /// Checks that the binding can be used. Sends nothing.
    pub fn open(binding: &ValidBinding, options: &Options, threads: &Threads) -> Result<Self, VerifyError> {
        let overrides = options.overrides.clone();
        if *binding.get() == NetworkBinding::Unbound {
            return if options.allow_unbound {
                Ok(Self(Kind::Unbound(DefaultNetwork::new(overrides, threads.clone()))))
            } else {
                Err(VerifyError::invalid_config(Setting::AllowUnbound))
            };
        }
        let binding = Arc::new(system::Binding::open(binding, options, threads)?);
        Ok(Self(Kind::Bound { binding, lookups: Lookups::new(Scope::OneFamily, overrides) }))
    }
}

impl Network for BoundNetwork {
    type Stream = Either<BoundStream, TcpStream>;

    async fn resolve(&self, host: &str, port: u16, family: Family) -> Result<Vec<IpAddr>, NetworkError> {
        match &self.0 {
            Kind::Bound { binding, lookups } => {
                let begin = || {
                    let (binding, host) = (binding.clone(), host.to_owned());
                    async move { binding.resolve(&host, family).await }.boxed()
                };
                lookups.resolve(host, port, family, begin).await
            }
            Kind::Unbound(network) => network.resolve(host, port, family).await,
        }
    }

    async fn connect(&self, address: SocketAddr) -> Result<Self::Stream, NetworkError> {
        match &self.0 {
            Kind::Bound { binding, .. } => binding.connect(address).await.map(Either::Left),
            Kind::Unbound(network) => network.connect(address).await.map(Either::Right),
        }
    }

    fn check(&self) -> Result<(), Unusable> {
        match &self.0 {
            Kind::Bound { binding, .. } => binding.check(),
            Kind::Unbound(network) => network.check(),
        }
    }

    async fn lost(&self) -> Unusable {
        match &self.0 {
            Kind::Bound { binding, .. } => binding.lost().await,
            Kind::Unbound(network) => network.lost().await,
        }
    }

    fn local_addresses(&self) -> Option<LocalAddresses> {
        match &self.0 {
            Kind::Bound { binding, .. } => binding.local_addresses(),
            // The system may choose another network for each socket.
            Kind::Unbound(_) => None,
        }
    }

    fn close_sockets(&self) {
        match &self.0 {
            Kind::Bound { binding, .. } => binding.close_sockets(),
            Kind::Unbound(network) => network.close_sockets(),
        }
    }
}

impl From<Unusable> for CellularCause {
    fn from(why: Unusable) -> Self {
        match why {
            Unusable::NoInterface => Self::NoInterface,
            Unusable::InterfaceDown => Self::InterfaceDown,
            Unusable::Vpn => Self::Vpn,
            Unusable::Permission => Self::Permission,
            Unusable::Denied => Self::DataOff,
            Unusable::Unsupported => Self::Unsupported,
        }
    }
}

impl From<Unusable> for VerifyError {
    fn from(why: Unusable) -> Self {
        Self::CellularUnavailable { reason: why.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn unbound_network_requires_allow_unbound() {
        let unbound = ValidBinding::try_from(NetworkBinding::Unbound).unwrap();
        let open = |allow_unbound| {
            let options = Options { allow_unbound, ..Options::default() };
            BoundNetwork::open(&unbound, &options, &Threads::new())
        };
        assert!(matches!(open(false).err(), Some(VerifyError::InvalidConfig { setting: Setting::AllowUnbound })));
        let network = open(true).unwrap();
        assert_eq!((network.check(), network.local_addresses()), (Ok(()), None));
    }

    #[test]
    fn unusable_network_maps_to_cause() {
        for (why, cause) in [
            (Unusable::NoInterface, CellularCause::NoInterface),
            (Unusable::InterfaceDown, CellularCause::InterfaceDown),
            (Unusable::Vpn, CellularCause::Vpn),
            (Unusable::Permission, CellularCause::Permission),
            (Unusable::Denied, CellularCause::DataOff),
            (Unusable::Unsupported, CellularCause::Unsupported),
        ] {
            assert!(matches!(why.into(), VerifyError::CellularUnavailable { reason } if reason == cause), "{why:?}");
        }
    }
}
