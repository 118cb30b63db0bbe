//! Where a connection leads, and over what it may.

use url::{Host, Url};

use super::tls::Version;
use crate::network::Family;

/// Scheme, host and port (RFC 6454), and how they may be reached: a connection of another kind is not reused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Destination {
    pub(super) https: bool,
    pub(super) host: Host,
    pub(super) port: u16,
    pub(super) restrictions: Restrictions,
}

/// What a connection may use of that which is there: for servers that do not work with all of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Restrictions {
    /// Only addresses of this family; absent: both.
    pub family: Option<Family>,
    /// The highest version of TLS to offer; absent: the highest there is.
    pub max_tls: Option<Version>,
}

impl Destination {
    pub(super) fn of(url: &Url, restrictions: Restrictions) -> Option<Self> {
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        Some(Self { https, host: url.host()?.to_owned(), port: url.port_or_known_default()?, restrictions })
    }
}
