//! A spike: the cellular leg over connections that the foreign side makes, such as `NWConnection`
//! on iOS, with TLS and HTTP in Rust.
//!
//! `docs/adr/0010-plan-b-for-apple.md` has the results.

uniffi::setup_scaffolding!();

#[cfg(feature = "comparison")]
mod comparison;
mod foreign;
mod names;
mod network;
mod stream;
#[cfg(feature = "comparison")]
mod tcp;
mod verifier;

#[cfg(feature = "comparison")]
pub use comparison::SocketVerifier;
pub use foreign::{Connection, ConnectionError, Connections};
pub use network::ForeignNetwork;
pub use stream::{CHUNK, ForeignStream};
#[cfg(feature = "comparison")]
pub use tcp::TcpConnections;
pub use verifier::{ForeignVerifier, Report, Setup, SpikeError, shared_network};
