//! The delay line: reads IP packets from one TUN device, holds each for half the round-trip time,
//! and writes it to the other one. It drops packets at random, from a seed, and counts the packets
//! that cross.
//!
//! Round trips are also counted, independently of any clock: each packet carries the number of
//! round trips that its sender has seen completed, and the phone has completed one more than the
//! packet that it receives carries. The count is the longest chain of packets of which each was
//! sent after the previous one had arrived.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::namespaces::NAME_SERVER;

/// The traffic on the link.
#[derive(Debug, Clone, Copy, Default)]
pub struct Crossed {
    pub bytes: u64,
    pub packets: u64,
    pub lost: u64,
    /// TCP connections that the phone tried to open.
    pub connections: u64,
    /// DNS queries: each host name needs one per address family.
    pub queries: u64,
    pub round_trips: u32,
}

#[derive(Default)]
pub struct Link {
    one_way_us: AtomicU64,
    loss_per_million: AtomicU64,
    phone_depth: AtomicU32,
    server_depth: AtomicU32,
    count: Mutex<Count>,
}

#[derive(Default)]
struct Count {
    crossed: Crossed,
    /// Source port, destination address and port of each SYN, so that a retransmission is counted
    /// once.
    syns: HashSet<[u8; 8]>,
    random: fastrand::Rng,
    last_packet: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

impl Link {
    /// Starts the delay line between the phone's and the server's device.
    pub fn start(phone: File, server: File) -> std::io::Result<Arc<Self>> {
        let link = Arc::new(Self::default());
        link.clone().pump(Direction::Up, phone.try_clone()?, server.try_clone()?);
        link.clone().pump(Direction::Down, server, phone);
        Ok(link)
    }

    /// Sets the conditions. `loss` is the share of packets that are lost in each direction.
    pub fn set(&self, rtt: Duration, loss: f64, seed: u64) {
        self.one_way_us.store(rtt.as_micros() as u64 / 2, Relaxed);
        self.loss_per_million.store((loss * 1e6) as u64, Relaxed);
        self.count().random = fastrand::Rng::with_seed(seed);
    }

    pub fn rtt(&self) -> Duration {
        self.one_way() * 2
    }

    /// Resets the counters.
    pub fn reset(&self) {
        let mut count = self.count();
        count.crossed = Crossed::default();
        count.syns.clear();
        drop(count);
        self.reset_round_trips();
    }

    pub fn reset_round_trips(&self) {
        self.phone_depth.store(0, Relaxed);
        self.server_depth.store(0, Relaxed);
    }

    pub fn crossed(&self) -> Crossed {
        Crossed { round_trips: self.phone_depth.load(Relaxed), ..self.count().crossed }
    }

    /// Waits until no packet has been sent, and none can be in transit, for a while.
    pub fn await_silence(&self) {
        loop {
            let enough = self.rtt() + Duration::from_millis(25);
            let silent = self.count().last_packet.map_or(enough, |last| last.elapsed());
            match enough.checked_sub(silent) {
                None | Some(Duration::ZERO) => return,
                Some(rest) => thread::sleep(rest),
            }
        }
    }

    /// One packet of a DNS exchange over the link, simulated by the name server: whether it
    /// arrives.
    pub fn dns_packet(&self, bytes: usize, is_query: bool) -> bool {
        const IP_AND_UDP: usize = 28;
        let mut count = self.count();
        count.crossed.queries += u64::from(is_query);
        count.cross(bytes + IP_AND_UDP, self.loss_per_million.load(Relaxed))
    }

    pub fn phone_depth(&self) -> u32 {
        self.phone_depth.load(Relaxed)
    }

    /// The phone receives a response to a packet that it sent when it had completed this many round
    /// trips.
    pub fn complete_round_trip(&self, sent_at: u32) {
        self.phone_depth.fetch_max(sent_at + 1, Relaxed);
    }

    fn one_way(&self) -> Duration {
        Duration::from_micros(self.one_way_us.load(Relaxed))
    }

    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pump(self: Arc<Self>, direction: Direction, mut from: File, to: File) {
        let (held, due) = mpsc::channel::<(Instant, u32, Vec<u8>)>();
        let link = self.clone();
        let mut bypass = to.try_clone();
        thread::spawn(move || {
            raise_thread_priority();
            let mut buffer = vec![0; 65536];
            loop {
                let Ok(length @ 1..) = from.read(&mut buffer) else { return };
                let (now, packet) = (Instant::now(), &buffer[..length]);
                if packet[0] >> 4 != 4 || length < 20 {
                    continue; // IPv6's neighbour discovery
                }
                if is_of_name_server(packet) {
                    if let Ok(to) = &mut bypass {
                        let _ = to.write_all(packet);
                    }
                    continue;
                }
                if !link.take(direction, packet) {
                    continue;
                }
                let depth = match direction {
                    Direction::Up => link.phone_depth.load(Relaxed),
                    Direction::Down => link.server_depth.load(Relaxed),
                };
                if held.send((now + link.one_way(), depth, packet.to_vec())).is_err() {
                    return;
                }
            }
        });
        thread::spawn(move || self.deliver(direction, &due, to));
    }

    /// Counts a packet; returns whether it arrives.
    fn take(&self, direction: Direction, packet: &[u8]) -> bool {
        let mut count = self.count();
        if direction == Direction::Up
            && let Some(connection) = opened(packet)
            && count.syns.insert(connection)
        {
            count.crossed.connections += 1;
        }
        count.cross(packet.len(), self.loss_per_million.load(Relaxed))
    }

    fn deliver(&self, direction: Direction, due: &mpsc::Receiver<(Instant, u32, Vec<u8>)>, mut to: File) {
        raise_thread_priority();
        for (when, depth, packet) in due {
            thread::sleep(when.saturating_duration_since(Instant::now()));
            match direction {
                Direction::Up => self.server_depth.fetch_max(depth, Relaxed),
                Direction::Down => self.phone_depth.fetch_max(depth + 1, Relaxed),
            };
            let _ = to.write_all(&packet);
        }
    }
}

impl Count {
    fn cross(&mut self, bytes: usize, loss_per_million: u64) -> bool {
        self.last_packet = Some(Instant::now());
        self.crossed.bytes += bytes as u64;
        self.crossed.packets += 1;
        let is_lost = self.random.u64(..1_000_000) < loss_per_million;
        self.crossed.lost += u64::from(is_lost);
        !is_lost
    }
}

/// Gives the threads of the delay line priority over all others; the delay for the others is small,
/// because these threads only copy small packets. A missing permission is not an error; the times
/// are less exact then.
fn raise_thread_priority() {
    let _ = nix::sys::prctl::set_timerslack(1_000);
    let _ = rustix::process::nice(-15);
}

/// These packets are not delayed: the name server simulates the phone's resolver, see `dns.rs`.
fn is_of_name_server(packet: &[u8]) -> bool {
    let address = NAME_SERVER.octets();
    [&packet[12..16], &packet[16..20]].contains(&address.as_slice())
}

/// The connection that a TCP packet with SYN and without ACK opens.
fn opened(packet: &[u8]) -> Option<[u8; 8]> {
    const TCP: u8 = 6;
    let header = usize::from(packet[0] & 0xf) * 4;
    let tcp = packet.get(header..header + 20)?;
    let is_first = packet[9] == TCP && tcp[13] & 0x12 == 0x02;
    let [a, b, c, d] = Ipv4Addr::from(<[u8; 4]>::try_from(&packet[16..20]).ok()?).octets();
    is_first.then_some([tcp[0], tcp[1], a, b, c, d, tcp[2], tcp[3]])
}
