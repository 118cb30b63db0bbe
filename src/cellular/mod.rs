//! The cellular network: acquiring it, and binding sockets to it.
//!
//! Every connection of the cellular leg is bound ([`stream::BoundStream`]), except in development
//! without a binding, which only `bound.rs` handles. On an operating system without a binding there
//! is an error, never an unbound socket. Apart from this module, only certificates and roots
//! (`transport/`), the clock, the log, local addresses and limits distinguish operating systems.

mod binding;
mod bound;
mod last_network;
mod lease;
mod local_addresses;
mod provider;
mod stream;

#[cfg(any(target_os = "android", test))]
mod android_rules;
#[cfg(any(target_vendor = "apple", test))]
mod apple_rules;
#[cfg(target_os = "linux")]
mod linux_names;

#[cfg_attr(target_os = "android", path = "android.rs")]
#[cfg_attr(target_vendor = "apple", path = "apple.rs")]
#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(any(target_os = "android", target_vendor = "apple", target_os = "linux")), path = "unsupported.rs")]
mod system;

#[cfg(any(target_os = "android", target_vendor = "apple"))]
use crate::{network::Family, threads::Work};

pub use self::binding::ValidBinding;
pub use self::bound::{BoundNetwork, Options};
pub use self::lease::{Acquired, Lease, NetworkId, SharedNetwork};
pub use self::provider::{CellularError, CellularProvider, CellularStatus, NetworkBinding, NetworkEvents};

/// The threads for DNS calls to the system, or for starting them: its daemon may hang.
#[cfg(any(target_os = "android", target_vendor = "apple"))]
fn work(family: Family) -> Work {
    match family {
        Family::V4 => Work::CellularV4,
        Family::V6 => Work::CellularV6,
    }
}
