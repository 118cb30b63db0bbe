//! How long one request may take, and how much its response may bring.

use std::time::Duration;

/// The limits of one request.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Name, TCP and TLS of a new connection.
    pub connect: Duration,
    /// From the request to the end of the headers, and from there to the end of a body that is read.
    pub answer: Duration,
    /// Bytes of a body, as they come and decoded. More of one that is not read costs its connection.
    pub body: usize,
}
