//! A system on which no socket can be bound to a network yet: every attempt is an error, never an unbound socket.

use std::convert::Infallible;
use std::future::Ready;
use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpStream;

use super::ValidBinding;
use crate::error::CellularCause;
use crate::threads::Threads;
use crate::transport::{Family, NetworkError};

/// Cannot be made.
pub(super) struct Binding(Infallible);

impl Binding {
    pub(super) fn open(_: &ValidBinding, _: &[SocketAddr], _: &Threads) -> Result<Self, CellularCause> {
        Err(CellularCause::Unsupported)
    }

    pub(super) fn resolve(&self, _: &str, _: Family) -> Ready<Result<Vec<IpAddr>, NetworkError>> {
        match self.0 {}
    }

    pub(super) fn connect(&self, _: SocketAddr) -> Ready<Result<TcpStream, NetworkError>> {
        match self.0 {}
    }

    pub(super) fn check(&self) -> Result<(), CellularCause> {
        match self.0 {}
    }
}
