//! Android: each socket is bound to a network by its handle (`android/multinetwork.h`, API 23), and names are looked up on it.
//!
//! Compiled and linked, not yet run on a device. What the system's answers mean stands in `android_rules.rs`.

#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_int};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::spawn_blocking;

use super::{NetworkBinding, android_rules as rules};
use crate::default_network;
use crate::error::CellularCause;
use crate::lookups::Answer;
use crate::transport::{Family, NetworkError};

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

/// A network by its handle; none for development without a binding.
pub(super) struct Binding(Option<u64>);

impl Binding {
    pub(super) fn open(binding: &NetworkBinding, _: &[SocketAddr]) -> Result<Self, CellularCause> {
        match binding {
            NetworkBinding::AndroidNetwork { handle } => {
                can_bind(*handle)?;
                Ok(Self(Some(*handle)))
            }
            NetworkBinding::Unbound => Ok(Self(None)),
            NetworkBinding::AppleInterface { .. } | NetworkBinding::LinuxInterface { .. } => {
                Err(CellularCause::Unsupported)
            }
        }
    }

    pub(super) async fn resolve(&self, host: &str, family: Family) -> Answer {
        let Some(handle) = self.0 else { return Ok(family.of(&default_network::look_up(host).await?)) };
        let host = CString::new(host).map_err(|_| NetworkError::Failed)?;
        let lookup = spawn_blocking(move || rules::resolve(|| can_bind(handle), || look_up(handle, &host, family)));
        lookup.await.unwrap_or(Err(NetworkError::Failed))
    }

    pub(super) async fn connect(&self, address: SocketAddr) -> Result<TcpStream, NetworkError> {
        let Some(handle) = self.0 else { return default_network::connect(address).await };
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        bind(handle, socket.as_fd()).map_err(|_| NetworkError::Failed)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        Ok(TcpSocket::from_std_stream(socket.into()).connect(address).await?)
    }

    pub(super) fn check(&self) -> Result<(), CellularCause> {
        self.0.map_or(Ok(()), can_bind)
    }
}

fn bind(handle: u64, socket: BorrowedFd<'_>) -> Result<(), CellularCause> {
    // SAFETY: takes two numbers; the descriptor is open for the time of the call, since it is borrowed.
    let status = unsafe { android_setsocknetwork(handle, socket.as_raw_fd()) };
    if status == 0 {
        return Ok(());
    }
    Err(rules::bind_refusal(io::Error::last_os_error().raw_os_error().unwrap_or_default()))
}

/// Whether a socket can be bound to this network now. Sends nothing.
fn can_bind(handle: u64) -> Result<(), CellularCause> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).map_err(|_| CellularCause::Unsupported)?;
    bind(handle, socket.as_fd())
}

/// Blocks. An error is one of `EAI_…`.
fn look_up(handle: u64, host: &CString, family: Family) -> Result<Vec<IpAddr>, i32> {
    // SAFETY: a plain C structure, for which all zeroes is a valid value.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_socktype = libc::SOCK_STREAM;
    hints.ai_family = match family {
        Family::V4 => libc::AF_INET,
        Family::V6 => libc::AF_INET6,
    };
    let mut found = ptr::null_mut();
    // SAFETY: the name and the hints live until the call returns; the result is a pointer of our own.
    let status =
        unsafe { android_getaddrinfofornetwork(handle, host.as_ptr(), ptr::null(), &raw const hints, &raw mut found) };
    if status != 0 {
        return Err(status);
    }
    let found = Found(found);
    Ok(found.addresses())
}

/// A list of addresses that the system made.
struct Found(*mut libc::addrinfo);

impl Found {
    fn addresses(&self) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        let mut next = self.0;
        // SAFETY: the list is the system's, ends with a null pointer, and is freed only when `self` is dropped.
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
            // SAFETY: came from the system's lookup, and is freed once.
            unsafe { libc::freeaddrinfo(self.0) }
        }
    }
}

fn address(entry: &libc::addrinfo) -> Option<IpAddr> {
    let has = |length| !entry.ai_addr.is_null() && usize::try_from(entry.ai_addrlen).is_ok_and(|given| given >= length);
    match entry.ai_family {
        libc::AF_INET if has(size_of::<libc::sockaddr_in>()) => {
            // SAFETY: the family says what the address is, and it is long enough; it may stand anywhere.
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
