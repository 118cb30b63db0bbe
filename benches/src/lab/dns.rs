//! The name server, which simulates a phone's caching resolver: a host name that is not
//! in its cache costs one round trip of the link, a cached one costs none. The packets between a
//! client and the name server are not delayed.
//!
//! All clients use it, so that none benefits from a cache of its own. A lost query is sent again
//! after a second.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use tokio::net::UdpSocket;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::chain;
use super::link::Link;
use super::namespaces::NAME_SERVER;

const RETRY: Duration = Duration::from_secs(1);
const A: u16 = 1;
const NXDOMAIN: u8 = 3;

pub struct NameServer {
    link: Arc<Link>,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    /// Responses by host name and type. Their first two bytes (the id) are replaced by the query's.
    responses: HashMap<Vec<u8>, Vec<u8>>,
    /// Generation of the queries. Queries of an earlier generation are abandoned: they would be
    /// counted in a run that did not send them.
    generation: u64,
}

impl NameServer {
    pub fn new(link: Arc<Link>) -> Arc<Self> {
        Arc::new(Self { link, cache: Mutex::default() })
    }

    pub fn forget(&self) {
        let mut cache = self.cache();
        cache.responses.clear();
        cache.generation += 1;
    }

    /// Pending queries get no response.
    pub fn abandon_queries(&self) {
        self.cache().generation += 1;
    }

    /// Serves in the calling thread's namespace, on its runtime.
    pub async fn serve(self: Arc<Self>) -> Result<()> {
        let socket = Arc::new(UdpSocket::bind((NAME_SERVER, 53)).await?);
        let mut buffer = [0; 1500];
        loop {
            let (length, peer) = socket.recv_from(&mut buffer).await?;
            let query = buffer[..length].to_vec();
            tokio::spawn(self.clone().respond(query, peer, socket.clone()));
        }
    }

    async fn respond(self: Arc<Self>, query: Vec<u8>, peer: SocketAddr, socket: Arc<UdpSocket>) {
        let Some((key, mut response)) = response(&query) else { return };
        let (generation, is_cached) = {
            let cache = self.cache();
            (cache.generation, cache.responses.contains_key(&key))
        };
        if !is_cached {
            self.cross(query.len(), response.len(), generation).await;
            let mut cache = self.cache();
            if cache.generation != generation {
                return;
            }
            cache.responses.insert(key, response.clone());
        }
        response[..2].copy_from_slice(&query[..2]);
        let _ = socket.send_to(&response, peer).await;
    }

    /// Sends a query and its response over the link, until both arrive or the query is abandoned.
    async fn cross(&self, query: usize, response: usize, generation: u64) {
        while let Some((depth, arrives)) = self.send(query, response, generation) {
            if arrives {
                let rtt = self.link.rtt();
                // The runtime's own timers are a millisecond late.
                let _ = spawn_blocking(move || thread::sleep(rtt)).await;
                if self.cache().generation == generation {
                    self.link.complete_round_trip(depth);
                }
                return;
            }
            sleep(RETRY).await;
        }
    }

    /// The round trips that the phone has completed, and whether both packets arrive; `None` if the
    /// query is abandoned.
    fn send(&self, query: usize, response: usize, generation: u64) -> Option<(u32, bool)> {
        // Held until both are sent, so that the query is not abandoned in between.
        let cache = self.cache();
        let depth = self.link.phone_depth();
        (cache.generation == generation)
            .then(|| (depth, self.link.dns_packet(query, true) && self.link.dns_packet(response, false)))
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The question, and the response: the address of a host, no records for other types, NXDOMAIN for
/// other host names (RFC 1035, section 4.1).
fn response(query: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (mut at, mut labels) = (12, Vec::new());
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(query.get(at..at + length)?).to_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes([*query.get(at)?, *query.get(at + 1)?]);
    let question = query.get(12..at + 4)?.to_vec();
    let host = chain::address(&labels.join("."));
    let address: Option<Ipv4Addr> = host.filter(|_| kind == A);
    let code = if host.is_some() { 0 } else { NXDOMAIN };
    let mut response = vec![query[0], query[1], 0x85, 0x80 | code, 0, 1, 0, u8::from(address.is_some()), 0, 0, 0, 0];
    response.extend_from_slice(&question);
    if let Some(address) = address {
        response.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4]);
        response.extend_from_slice(&address.octets());
    }
    Some((question, response))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_of_an_earlier_generation_is_abandoned() {
        let link = Arc::new(Link::default());
        let names = NameServer::new(link.clone());
        assert_eq!(names.send(30, 46, 0), Some((0, true)));
        names.abandon_queries();
        assert_eq!(names.send(30, 46, 0), None);
        assert_eq!(names.send(30, 46, 1), Some((0, true)));
        names.forget();
        assert_eq!(names.send(30, 46, 1), None);
        assert_eq!(link.crossed().queries, 2);
    }
}
