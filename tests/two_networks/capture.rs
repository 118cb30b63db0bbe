//! Every packet that passes the far end of a link, in both directions, counted by its owner.
//!
//! ARP is not counted: it carries no data of a flow. Any other unknown packet is a [`Kind::Stray`],
//! never ignored.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::Ipv4Addr;

use etherparse::{Ipv4Slice, NetSlice, SlicedPacket, TransportSlice};
use hickory_resolver::proto::op::Message;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::RcvBufForce;
use socket2::{Domain, Protocol, Socket, Type};

use crate::lab::PATIENCE;

pub const BACKEND: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
pub const OPERATORS: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 20);
pub const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 53);
pub const BACKEND_HOST: &str = "backend.simulator.test";
/// At the operators' address.
pub const BYSTANDER_PORT: u16 = 7;
/// At the far end's own address.
pub const MARKER_PORT: u16 = 9;

/// linux/if_ether.h
const ETH_P_ALL: u16 = 3;
/// Large, because nothing reads the socket while a flow runs.
const BUFFER: usize = 16 * 1024 * 1024;
/// An Ethernet header and the largest IPv4 packet; a link without hardware forwards TCP segments up
/// to that size.
const FRAME: usize = 14 + 65_535;

/// The owner of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// To or from the app's backend.
    Backend,
    /// A DNS query for the backend's host name, or its response.
    BackendLookup,
    /// To or from the operators: the cellular leg.
    Cellular,
    /// All other traffic with the name server.
    CellularLookup,
    /// A socket that does not belong to the flow.
    Bystander,
    /// The end of a count.
    Marker,
    /// Unknown.
    Stray,
}

pub type Packets = BTreeMap<Kind, usize>;

/// Captures all packets in the network namespace of the thread that started it.
pub struct Capture(Socket);

impl Capture {
    pub fn start() -> io::Result<Self> {
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(i32::from(ETH_P_ALL.to_be()))))?;
        setsockopt(&socket, RcvBufForce, &BUFFER)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(socket))
    }

    pub fn until_marker(&self) -> Packets {
        let mut packets = Packets::new();
        let mut frame = vec![0; FRAME];
        loop {
            let length = (&self.0).read(&mut frame).expect("a marker was sent, but not captured");
            match kind(&frame[..length]) {
                None => {}
                Some(Kind::Marker) => return packets,
                Some(kind) => *packets.entry(kind).or_default() += 1,
            }
        }
    }
}

/// Asserts that exactly these kinds of packets were seen, and no others.
pub fn expect_only(scenario: &str, packets: &Packets, kinds: &[Kind]) {
    println!("{scenario}: {packets:?}");
    assert!(packets.keys().eq(kinds), "{scenario}: {packets:?} instead of {kinds:?}");
}

fn kind(frame: &[u8]) -> Option<Kind> {
    let Ok(packet) = SlicedPacket::from_ethernet(frame) else { return Some(Kind::Stray) };
    match &packet.net {
        Some(NetSlice::Arp(_)) => None,
        Some(NetSlice::Ipv4(ip)) => Some(kind_of_ipv4(ip, packet.transport.as_ref())),
        _ => Some(Kind::Stray),
    }
}

fn kind_of_ipv4(ip: &Ipv4Slice, transport: Option<&TransportSlice>) -> Kind {
    let addresses = [ip.header().source_addr(), ip.header().destination_addr()];
    let (ports, payload) = match transport {
        Some(TransportSlice::Tcp(tcp)) => ([tcp.source_port(), tcp.destination_port()], tcp.payload()),
        Some(TransportSlice::Udp(udp)) => ([udp.source_port(), udp.destination_port()], udp.payload()),
        _ => ([0, 0], [].as_slice()),
    };
    if ports.contains(&MARKER_PORT) {
        Kind::Marker
    } else if addresses.contains(&NAME_SERVER) {
        kind_of_lookup(payload)
    } else if addresses.contains(&BACKEND) {
        Kind::Backend
    } else if addresses.contains(&OPERATORS) {
        if ports.contains(&BYSTANDER_PORT) { Kind::Bystander } else { Kind::Cellular }
    } else {
        Kind::Stray
    }
}

/// A lookup that is not clearly for the backend is counted for the cellular leg.
fn kind_of_lookup(payload: &[u8]) -> Kind {
    let message = Message::from_vec(payload).ok();
    let name = message.and_then(|message| Some(message.queries.first()?.name().to_ascii()));
    if name.is_some_and(|name| name.trim_end_matches('.') == BACKEND_HOST) {
        Kind::BackendLookup
    } else {
        Kind::CellularLookup
    }
}
