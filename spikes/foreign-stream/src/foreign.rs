//! The interface that the foreign side implements: connections that it makes, one at a time, over
//! the network that it chose.

use std::io;
use std::sync::Arc;

use number_verify::internals::NetworkError;

/// Makes connections.
#[uniffi::export(foreign)]
pub trait Connections: Send + Sync {
    /// Returns an unconnected connection to a host, which is a name or an address. Does not block.
    ///
    /// An object that is returned immediately can be closed while it connects, as an `NWConnection`
    /// can be cancelled. An object that a cancelled call would return later is leaked by uniffi
    /// 0.32.
    fn connection(&self, host: String, port: u16) -> Result<Arc<dyn Connection>, ConnectionError>;
}

/// A TCP connection. At most one `read` and one `write` run at the same time.
#[uniffi::export(foreign)]
#[async_trait::async_trait]
pub trait Connection: Send + Sync {
    /// Resolves the name and connects, with `TCP_NODELAY`. Returns the IP address of the peer.
    async fn connect(&self) -> Result<String, ConnectionError>;

    /// Returns 1 to `max` bytes as soon as any are available; no bytes at the end of the stream.
    async fn read(&self, max: u32) -> Result<Vec<u8>, ConnectionError>;

    /// Returns once the system has accepted all bytes.
    async fn write(&self, bytes: Vec<u8>) -> Result<(), ConnectionError>;

    /// Ends the connection and every pending call on it. Idempotent. Does not block.
    fn close(&self) -> Result<(), ConnectionError>;
}

/// Why a connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum ConnectionError {
    /// There is no route to the host.
    #[error("the host is unreachable")]
    Unreachable,
    /// It was reset or closed.
    #[error("the connection was closed")]
    Closed,
    /// Any other reason.
    #[error("the connection failed")]
    Failed,
}

impl From<uniffi::UnexpectedUniFFICallbackError> for ConnectionError {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed
    }
}

impl From<ConnectionError> for NetworkError {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::Unreachable => Self::Unreachable,
            ConnectionError::Closed | ConnectionError::Failed => Self::Failed,
        }
    }
}

impl From<ConnectionError> for io::Error {
    fn from(error: ConnectionError) -> Self {
        let kind = match error {
            ConnectionError::Unreachable => io::ErrorKind::HostUnreachable,
            ConnectionError::Closed => io::ErrorKind::ConnectionReset,
            ConnectionError::Failed => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
