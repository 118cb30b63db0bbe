//! A system on which no socket can be bound to a network yet: every attempt is an error, never an unbound socket.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpStream;

use super::NetworkBinding;
use crate::error::CellularCause;
use crate::transport::{Family, NetworkError};

/// Cannot be made.
pub(super) struct Binding(Infallible);

impl Binding {
    pub(super) fn open(_: &NetworkBinding, _: &[SocketAddr]) -> Result<Self, CellularCause> {
        Err(CellularCause::Unsupported)
    }

    pub(super) async fn resolve(&self, _: &str, _: Family) -> Result<Vec<IpAddr>, NetworkError> {
        match self.0 {}
    }

    pub(super) async fn connect(&self, _: SocketAddr) -> Result<TcpStream, NetworkError> {
        match self.0 {}
    }
}
