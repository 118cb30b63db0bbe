//! A system that cannot bind sockets to a network: every attempt is an error, never an unbound
//! socket.

use std::convert::Infallible;
use std::future::Ready;
use std::net::SocketAddr;

use super::binding::ValidBinding;
use super::bound::Options;
use super::stream::BoundStream;
use crate::error::VerifyError;
use crate::network::local_addresses::LocalAddresses;
use crate::network::lookups::Addresses;
use crate::network::{Family, NetworkError, Unusable};
use crate::threads::Threads;

/// Has no values.
pub(super) struct Binding(Infallible);

impl Binding {
    pub(super) fn open(_: &ValidBinding, _: &Options, _: &Threads) -> Result<Self, VerifyError> {
        Err(Unusable::Unsupported.into())
    }

    pub(super) fn resolve(&self, _: &str, _: Family) -> Ready<Addresses> {
        match self.0 {}
    }

    pub(super) fn connect(&self, _: SocketAddr) -> Ready<Result<BoundStream, NetworkError>> {
        match self.0 {}
    }

    pub(super) fn lost(&self) -> Ready<Unusable> {
        match self.0 {}
    }

    pub(super) fn check(&self) -> Result<(), Unusable> {
        match self.0 {}
    }

    pub(super) fn local_addresses(&self) -> Option<LocalAddresses> {
        match self.0 {}
    }

    pub(super) fn close_sockets(&self) {
        match self.0 {}
    }
}
