//! Why a request failed. Without free text: it goes into errors and traces.

use crate::network::{NetworkError, Unusable};

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportError {
    /// The name could not be resolved.
    Dns,
    /// All its addresses are of a kind that a flow must not connect to.
    ForbiddenAddress,
    /// No address accepted a connection.
    Connect,
    /// TLS failed.
    Tls {
        /// The alert that the server sent, in the RFC's spelling.
        alert: Option<String>,
    },
    /// A limit passed.
    Timeout,
    /// The connection ended early.
    Closed,
    /// The URL cannot be written as a request line.
    BadUrl,
    /// The answer breaks the protocol.
    MalformedResponse,
    /// Headers beyond 64 KiB, or a body beyond its limit.
    TooLarge,
    /// The network cannot be used any more.
    Unavailable(Unusable),
}

/// Whether the network itself is the reason, its `check` tells.
impl From<NetworkError> for TransportError {
    fn from(error: NetworkError) -> Self {
        match error {
            NetworkError::Failed | NetworkError::Unreachable => Self::Connect,
            NetworkError::Denied => Self::Unavailable(Unusable::Denied),
        }
    }
}
