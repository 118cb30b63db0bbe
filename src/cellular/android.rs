//! Android: binds each socket to a network by its handle (`android/multinetwork.h`, API 23) and
//! resolves host names on it.
//!
//! Lookups block and cannot be cancelled, so each family has a budget of threads (`threads.rs`): an
//! abandoned lookup occupies its thread until the system gives up, and does not delay lookups of
//! the other family. `android_res_nquery` (API 29) would need no thread. It is not used: it must be
//! loaded at run time in addition to this function, which Android 7 to 9 need anyway, the library
//! would need a DNS message parser, and whether its raw responses pass netd's checks for VPNs and
//! NAT64 (RFC 7050) in the same way can only be tested on devices.
//!
//! Responses are not cached here: netd caches them per network and by TTL, and drops them with the
//! network.
//!
//! Compiled and linked, not yet run on a device. `android_rules.rs` interprets the system's
//! results.

#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_int};
use std::future::{Pending, pending};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::ptr;

use socket2::{Domain, Socket, Type};

use super::android_rules as rules;
use super::binding::ValidBinding;
use super::bound::Options;
use super::local_addresses::local_addresses;
use super::provider::NetworkBinding;
use super::stream::{Bind, BoundStream};
use crate::error::VerifyError;
use crate::network::local_addresses::LocalAddresses;
use crate::network::lookups::Addresses;
use crate::network::{Family, NetworkError, Unusable};
use crate::threads::Threads;

#[link(name = "android")]
unsafe extern "C" {
    fn android_setsocknetwork(network: u64, fd: c_int) -> c_int;
    fn android_getaddrinfofornetwork(
        network: u64,
        node: *const c_char,
        service: *const c_char,
        hints: *const libc::addrinfo,
        result: *mut *mut libc::addrinfo,
    ) -> c_int;
}

/// A network by its handle.
pub(super) struct Binding {
    network: Handle,
    threads: Threads,
}

impl Binding {
    pub(super) fn open(binding: &ValidBinding, _: &Options, threads: &Threads) -> Result<Self, VerifyError> {
        let network = match binding.get() {
            NetworkBinding::AndroidNetwork { handle } => Handle(*handle),
            NetworkBinding::AppleInterface { .. } | NetworkBinding::LinuxInterface { .. } | NetworkBinding::Unbound => {
                return Err(Unusable::Unsupported.into());
            }
        };
        network.check()?;
        Ok(Self { network, threads: threads.clone() })
    }

    pub(super) async fn resolve(&self, host: &str, family: Family) -> Addresses {
        let network = self.network;
        let host = CString::new(host).map_err(|_| NetworkError::Failed)?;
        let lookup = move || rules::resolve(|| network.check(), || network.look_up(&host, family));
        self.threads.run(super::work(family), lookup).await.unwrap_or(Err(NetworkError::Failed))
    }

    pub(super) async fn connect(&self, address: SocketAddr) -> Result<BoundStream, NetworkError> {
        BoundStream::connect(&self.network, address).await
    }

    /// The provider reports the loss.
    #[allow(clippy::unused_self)] // The binding of each system has it.
    pub(super) fn lost(&self) -> Pending<Unusable> {
        pending()
    }

    pub(super) fn check(&self) -> Result<(), Unusable> {
        self.network.check()
    }

    pub(super) fn local_addresses(&self) -> Option<LocalAddresses> {
        local_addresses(&self.network)
    }

    /// There are no sockets except the connections and lookups in progress.
    #[allow(clippy::unused_self)] // As above.
    pub(super) fn close_sockets(&self) {}
}

/// `net_handle_t`.
#[derive(Clone, Copy)]
struct Handle(u64);

impl Bind for Handle {
    fn bind(&self, socket: &Socket, _: SocketAddr) -> Result<(), NetworkError> {
        self.bind_socket(socket).map_err(|_| NetworkError::Failed)
    }
}

impl Handle {
    fn bind_socket(self, socket: &Socket) -> Result<(), Unusable> {
        // SAFETY: takes two numbers; the descriptor is open during the call, because the socket is
        // borrowed.
        let status = unsafe { android_setsocknetwork(self.0, socket.as_raw_fd()) };
        if status == 0 {
            return Ok(());
        }
        Err(rules::bind_error(io::Error::last_os_error().raw_os_error().unwrap_or_default()))
    }

    /// Whether a socket can be bound to this network now. Sends nothing.
    fn check(self) -> Result<(), Unusable> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).map_err(|_| Unusable::Unsupported)?;
        self.bind_socket(&socket)
    }

    /// Blocks. Errors are `EAI_…` codes.
    fn look_up(self, host: &CString, family: Family) -> Result<Vec<IpAddr>, i32> {
        // SAFETY: a plain C structure, for which all zeroes is a valid value.
        let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
        hints.ai_socktype = libc::SOCK_STREAM;
        hints.ai_family = match family {
            Family::V4 => libc::AF_INET,
            Family::V6 => libc::AF_INET6,
        };
        let mut found = ptr::null_mut();
        // SAFETY: the name and the hints outlive the call; the result is a pointer to a local
        // variable.
        let status = unsafe {
            android_getaddrinfofornetwork(self.0, host.as_ptr(), ptr::null(), &raw const hints, &raw mut found)
        };
        if status != 0 {
            return Err(status);
        }
        let found = Found(found);
        Ok(found.addresses())
    }
}

/// A list of addresses allocated by the system.
struct Found(*mut libc::addrinfo);

impl Found {
    fn addresses(&self) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        let mut next = self.0;
        // SAFETY: the system allocated the list, it ends with a null pointer, and is freed only
        // when `self` is dropped.
        while let Some(entry) = unsafe { next.as_ref() } {
            addresses.extend(address(entry));
            next = entry.ai_next;
        }
        addresses
    }
}

impl Drop for Found {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: returned by the system's lookup, and freed once.
            unsafe { libc::freeaddrinfo(self.0) }
        }
    }
}

fn address(entry: &libc::addrinfo) -> Option<IpAddr> {
    let has =
        |length| !entry.ai_addr.is_null() && usize::try_from(entry.ai_addrlen).is_ok_and(|actual| actual >= length);
    match entry.ai_family {
        libc::AF_INET if has(size_of::<libc::sockaddr_in>()) => {
            // SAFETY: the family determines the type of the address, and it is long enough; no
            // alignment is required.
            let address = unsafe { ptr::read_unaligned(entry.ai_addr.cast::<libc::sockaddr_in>()) };
            Some(Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr)).into())
        }
        libc::AF_INET6 if has(size_of::<libc::sockaddr_in6>()) => {
            // SAFETY: as above.
            let address = unsafe { ptr::read_unaligned(entry.ai_addr.cast::<libc::sockaddr_in6>()) };
            Some(Ipv6Addr::from(address.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}
