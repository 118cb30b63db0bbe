//! Transport errors. Without free text, because they become part of errors and traces.

use crate::network::{NetworkError, Unusable};

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportError {
    /// The host name could not be resolved.
    Dns,
    /// All addresses of the host are forbidden.
    ForbiddenAddress,
    /// No address accepted a connection.
    Connect,
    /// TLS failed.
    Tls {
        /// The alert that the server sent, spelled as in the RFC.
        alert: Option<String>,
    },
    /// A timeout expired.
    Timeout,
    /// The connection was closed early.
    Closed,
    /// The URL cannot be written as a request line.
    BadUrl,
    /// The response is malformed.
    MalformedResponse,
    /// Headers larger than 64 KiB, or a body larger than its limit.
    TooLarge,
    /// The network can no longer be used.
    Unavailable(Unusable),
}

/// The network's `check` reports whether the network itself is the cause.
impl From<NetworkError> for TransportError {
    fn from(error: NetworkError) -> Self {
        match error {
            NetworkError::Failed | NetworkError::Unreachable => Self::Connect,
            NetworkError::Denied => Self::Unavailable(Unusable::Denied),
        }
    }
}
