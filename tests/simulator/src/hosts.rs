//! The simulated hosts: their names, their addresses, and what each serves.

use std::sync::Arc;

use axum::Router;

use crate::world::World;
use crate::{backend, operators, providers, quirks};

/// A simulated host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SimHost {
    pub(crate) name: &'static str,
    pub(crate) address: Address,
    schemes: Schemes,
}

/// Which of the simulator's addresses a host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Address {
    Backend,
    Operator,
    /// The host has no IPv4 address.
    OperatorIpv6,
    /// The host has IPv6 in addition, if the simulator has it.
    OperatorBoth,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Schemes {
    Https,
    /// Header enrichment needs plain http.
    Http,
    Both,
}

impl SimHost {
    pub(crate) const fn https(name: &'static str) -> Self {
        Self { name, address: Address::Operator, schemes: Schemes::Https }
    }

    pub(crate) const fn https_on_ipv6(name: &'static str) -> Self {
        Self { name, address: Address::OperatorIpv6, schemes: Schemes::Https }
    }

    pub(crate) const fn https_on_both(name: &'static str) -> Self {
        Self { name, address: Address::OperatorBoth, schemes: Schemes::Https }
    }

    pub(crate) const fn http(name: &'static str) -> Self {
        Self { name, address: Address::Operator, schemes: Schemes::Http }
    }

    pub(crate) const fn backend(name: &'static str) -> Self {
        Self { name, address: Address::Backend, schemes: Schemes::Both }
    }

    pub(crate) fn serves(self, https: bool) -> bool {
        match self.schemes {
            Schemes::Https => https,
            Schemes::Http => !https,
            Schemes::Both => true,
        }
    }
}

pub(crate) type MakeRouter = fn(Arc<World>) -> Router;

/// Every host, with its router.
pub(crate) fn all() -> impl Iterator<Item = (SimHost, MakeRouter)> {
    let backend: (SimHost, MakeRouter) = (backend::HOST, backend::router);
    [backend]
        .into_iter()
        .chain(operators::HOSTS)
        .chain(quirks::HOSTS)
        .chain(providers::ALL.map(|provider| (provider.host, provider.router)))
}

pub(crate) fn named(name: &str) -> Option<SimHost> {
    all().map(|(host, _)| host).find(|host| host.name == name)
}
