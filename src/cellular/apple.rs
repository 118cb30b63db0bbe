//! Apple systems: binds each socket to an interface by its index (`IP_BOUND_IF`, `IPV6_BOUND_IF`),
//! and resolves host names on it with `DNSServiceGetAddrInfo` (`dns_sd.h`).
//!
//! Responses are not cached here: mDNSResponder caches them by TTL, per DNS server.
//!
//! Compiled and linked, not yet run on a device. `apple_rules.rs` interprets the system's results.

#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_int, c_void};
use std::future::{Pending, pending};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;
use std::sync::{Mutex, PoisonError};

use if_addrs::get_if_addrs;
use socket2::{Domain, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::timeout;

use super::apple_rules::{self as rules, Replies};
use super::binding::ValidBinding;
use super::bound::Options;
use super::local_addresses::local_addresses;
use super::provider::NetworkBinding;
use super::stream::{Bind, BoundStream};
use crate::error::VerifyError;
use crate::limits;
use crate::network::local_addresses::LocalAddresses;
use crate::network::lookups::Addresses;
use crate::network::{Family, NetworkError, Unusable};
use crate::threads::Threads;

const RETURN_INTERMEDIATES: u32 = 0x1000;
const PROTOCOL_IPV4: u32 = 0x1;
const PROTOCOL_IPV6: u32 = 0x2;
const BAD_REFERENCE: i32 = -65_541;

type DnsServiceRef = *mut c_void;
type Reply = unsafe extern "C" fn(
    DnsServiceRef,
    flags: u32,
    interface: u32,
    error: i32,
    host: *const c_char,
    address: *const libc::sockaddr,
    ttl: u32,
    context: *mut c_void,
);

unsafe extern "C" {
    fn DNSServiceGetAddrInfo(
        reference: *mut DnsServiceRef,
        flags: u32,
        interface: u32,
        protocol: u32,
        host: *const c_char,
        reply: Reply,
        context: *mut c_void,
    ) -> i32;
    fn DNSServiceRefSockFD(reference: DnsServiceRef) -> c_int;
    fn DNSServiceProcessResult(reference: DnsServiceRef) -> i32;
    fn DNSServiceRefDeallocate(reference: DnsServiceRef);
}

/// An interface by its index.
pub(super) struct Binding {
    interface: NonZeroU32,
    threads: Threads,
}

impl Binding {
    pub(super) fn open(binding: &ValidBinding, _: &Options, threads: &Threads) -> Result<Self, VerifyError> {
        let interface = match binding.get() {
            NetworkBinding::AppleInterface { index } => NonZeroU32::new(*index).ok_or(Unusable::NoInterface)?,
            NetworkBinding::AndroidNetwork { .. } | NetworkBinding::LinuxInterface { .. } | NetworkBinding::Unbound => {
                return Err(Unusable::Unsupported.into());
            }
        };
        let binding = Self { interface, threads: threads.clone() };
        binding.check()?;
        Ok(binding)
    }

    pub(super) async fn resolve(&self, host: &str, family: Family) -> Addresses {
        if rules::is_local(host) {
            return Err(NetworkError::Failed);
        }
        let mut outcome = self.look_up(host, family).await;
        if outcome.as_ref().is_err_and(|error| rules::is_temporary(*error)) {
            outcome = self.look_up(host, family).await;
        }
        outcome.map_err(|_| NetworkError::Failed)
    }

    /// Errors are `kDNSServiceErr_…` codes.
    async fn look_up(&self, host: &str, family: Family) -> Result<Vec<IpAddr>, i32> {
        // Blocks until the system's daemon has accepted the query, at most one minute.
        let (interface, host) = (self.interface, host.to_owned());
        let begin = self.threads.run(super::work(family), move || Query::begin(interface, &host, family));
        addresses(begin.await.map_err(|_| BAD_REFERENCE)??).await
    }

    pub(super) async fn connect(&self, address: SocketAddr) -> Result<BoundStream, NetworkError> {
        BoundStream::connect(self, address).await
    }

    /// The provider reports the loss.
    #[allow(clippy::unused_self)] // The binding of each system has it.
    pub(super) fn lost(&self) -> Pending<Unusable> {
        pending()
    }

    pub(super) fn check(&self) -> Result<(), Unusable> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).map_err(|_| Unusable::Unsupported)?;
        let bound = socket.bind_device_by_index_v4(Some(self.interface));
        bound.map_err(|error| rules::bind_error(error.raw_os_error().unwrap_or_default()))?;
        let entries = get_if_addrs().map_err(|_| Unusable::InterfaceDown)?;
        let matching = entries.iter().filter(|entry| entry.index == Some(self.interface.get()));
        let has_network = rules::has_network(matching.map(|entry| (entry.is_oper_up(), entry.ip())));
        if has_network { Ok(()) } else { Err(Unusable::InterfaceDown) }
    }

    pub(super) fn local_addresses(&self) -> Option<LocalAddresses> {
        local_addresses(self)
    }

    /// There are no sockets except the connections and lookups in progress.
    #[allow(clippy::unused_self)] // As above.
    pub(super) fn close_sockets(&self) {}
}

impl Bind for Binding {
    fn bind(&self, socket: &Socket, family: SocketAddr) -> Result<(), NetworkError> {
        let bound = match family {
            SocketAddr::V4(_) => socket.bind_device_by_index_v4(Some(self.interface)),
            SocketAddr::V6(_) => socket.bind_device_by_index_v6(Some(self.interface)),
        };
        bound.map_err(|_| NetworkError::Failed)
    }
}

/// Errors are `kDNSServiceErr_…` codes.
async fn addresses(query: Query) -> Result<Vec<IpAddr>, i32> {
    // SAFETY: the query owns the socket, which stays the same and open until the query is dropped;
    // the result drops it last.
    let query = unsafe { AsyncFd::register_with_interest(query, Interest::READABLE) }.map_err(|_| BAD_REFERENCE)?;
    loop {
        let readable = query.readable();
        let readable = match query.get_ref().so_far() {
            None => readable.await,
            Some(addresses) => match timeout(limits::RESOLUTION_DELAY, readable).await {
                Ok(readable) => readable,
                Err(_) => return Ok(addresses),
            },
        };
        let mut ready = readable.map_err(|_| BAD_REFERENCE)?;
        query.get_ref().process();
        ready.clear_ready();
        if let Some(outcome) = query.get_ref().outcome() {
            return outcome;
        }
    }
}

/// A lookup in progress. Dropping it ends the lookup.
struct Query {
    reference: DnsServiceRef,
    /// Written by the callback: its address does not change while the query lives.
    replies: Box<Mutex<Replies>>,
}

// SAFETY: the reference is used only by its owner, one call at a time; dns_sd.h requires no
// particular thread.
unsafe impl Send for Query {}
// SAFETY: as above: it is shared only within one future, on the thread that polls it.
unsafe impl Sync for Query {}

impl Query {
    fn begin(interface: NonZeroU32, host: &str, family: Family) -> Result<Self, i32> {
        let host = CString::new(format!("{}.", host.trim_end_matches('.'))).map_err(|_| BAD_REFERENCE)?;
        let protocol = match family {
            Family::V4 => PROTOCOL_IPV4,
            Family::V6 => PROTOCOL_IPV6,
        };
        let mut query = Self { reference: ptr::null_mut(), replies: Box::default() };
        let context = ptr::from_ref::<Mutex<Replies>>(&query.replies).cast_mut().cast();
        // SAFETY: the name outlives the call, and the context outlives the reference (see `Drop`).
        let status = unsafe {
            DNSServiceGetAddrInfo(
                &raw mut query.reference,
                RETURN_INTERMEDIATES,
                interface.get(),
                protocol,
                host.as_ptr(),
                on_reply,
                context,
            )
        };
        if status == 0 { Ok(query) } else { Err(status) }
    }

    /// Reads what has arrived, which calls `on_reply`.
    fn process(&self) {
        // SAFETY: the reference is live; the socket is readable, so the call does not block.
        let status = unsafe { DNSServiceProcessResult(self.reference) };
        if status != 0 {
            self.replies.lock().unwrap_or_else(PoisonError::into_inner).fail(status);
        }
    }

    fn so_far(&self) -> Option<Vec<IpAddr>> {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner).so_far()
    }

    fn outcome(&self) -> Option<Result<Vec<IpAddr>, i32>> {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner).outcome()
    }
}

impl AsRawFd for Query {
    fn as_raw_fd(&self) -> RawFd {
        // SAFETY: the reference is live.
        unsafe { DNSServiceRefSockFD(self.reference) }
    }
}

impl Drop for Query {
    fn drop(&mut self) {
        if !self.reference.is_null() {
            // SAFETY: the reference is live and released once; no callback follows.
            unsafe { DNSServiceRefDeallocate(self.reference) }
        }
    }
}

unsafe extern "C" fn on_reply(
    _: DnsServiceRef,
    flags: u32,
    _: u32,
    error: i32,
    _: *const c_char,
    socket_address: *const libc::sockaddr,
    _: u32,
    context: *mut c_void,
) {
    // SAFETY: the context is the query's `replies`, which outlive its reference.
    let replies = unsafe { &*context.cast::<Mutex<Replies>>() };
    // SAFETY: the system's address is valid during the callback.
    let address = unsafe { address(socket_address) };
    replies.lock().unwrap_or_else(PoisonError::into_inner).add(flags, error, address);
}

/// # Safety
///
/// The pointer must be null or point to an address of the length required by its family.
unsafe fn address(socket_address: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: guaranteed by the caller.
    let family = unsafe { socket_address.as_ref() }?.sa_family;
    match c_int::from(family) {
        libc::AF_INET => {
            // SAFETY: the family determines the type of the address; no alignment is required.
            let address = unsafe { ptr::read_unaligned(socket_address.cast::<libc::sockaddr_in>()) };
            let ip = Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr));
            (!ip.is_unspecified()).then_some(ip.into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let address = unsafe { ptr::read_unaligned(socket_address.cast::<libc::sockaddr_in6>()) };
            let ip = Ipv6Addr::from(address.sin6_addr.s6_addr);
            (!ip.is_unspecified()).then_some(ip.into())
        }
        _ => None,
    }
}
