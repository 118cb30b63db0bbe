//! The timeouts of one request, and the size limits of its response.

use std::time::Duration;

/// The limits of one request.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// DNS, TCP connect and TLS handshake of a new connection.
    pub connect: Duration,
    /// From the request to the end of the headers; then again until the end of a body that is read.
    pub response: Duration,
    /// Bytes of a body, encoded and decoded. If a discarded body is larger, its connection is
    /// closed.
    pub body: usize,
}
