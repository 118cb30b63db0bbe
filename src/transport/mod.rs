//! One request over a given network: DNS, connections, TLS and HTTP/1.1, with pooled connections
//! per destination.
//!
//! The network is a parameter ([`Network`](crate::network::Network)), so that the same code runs
//! over a bound socket on a phone and over an in-memory network with a virtual clock in tests.
//! Redirects, cookies and the flow are handled elsewhere. Nothing here sleeps or retries, except
//! for one repeat after a pooled connection that turned out closed, and one after a new one. A
//! connection can be opened ahead of the request that will need it: that request then waits for it
//! instead of opening another.

pub mod certificates;
pub mod chain;
mod client;
mod content_coding;
mod destination;
mod dial;
mod error;
mod head;
mod head_reader;
mod http1;
mod limits;
mod meter;
mod pool;
mod response;
pub mod roots;
pub mod tls;

pub use self::client::{Repeat, Transport};
pub use self::destination::{Destination, Restrictions};
pub use self::error::TransportError;
pub use self::limits::Limits;
pub use self::meter::Timings;
pub use self::response::Response;
