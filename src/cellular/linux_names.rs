//! The DNS client for Linux. Responses are cached by TTL, at most 5 minutes, as the system resolver
//! does per network on a phone.
//!
//! The hosts file and search domains are not used: they belong to the default network.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::RuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Resolver, ResponseCache, TtlConfig};

use crate::limits;
use crate::network::{Family, NetworkError};

/// Resolves host names over sockets that `P` creates.
pub(super) struct Names<P: RuntimeProvider> {
    provider: P,
    /// Replace the system's DNS servers.
    name_servers: Vec<SocketAddr>,
    cache: ResponseCache,
    /// Absent while it has no sockets. Its internal cache is dropped with them.
    resolver: Mutex<Option<Resolver<P>>>,
}

impl<P: RuntimeProvider> Names<P> {
    /// Uses these DNS servers, or the system's if empty.
    pub(super) fn new(provider: P, name_servers: &[SocketAddr]) -> Self {
        let cache = ResponseCache::new(limits::CACHED_NAMES, TtlConfig::from_opts(&options()));
        Self { provider, name_servers: name_servers.to_vec(), cache, resolver: Mutex::default() }
    }

    /// Without DNS servers only hosts with fixed addresses can be reached.
    pub(super) fn has_name_servers(&self) -> bool {
        !self.name_servers().is_empty()
    }

    /// The addresses of one family; empty if the host name has none.
    pub(super) async fn look_up(&self, host: &str, family: Family) -> Result<Vec<IpAddr>, NetworkError> {
        self.look_up_at(Instant::now(), host, family).await
    }

    /// A cached response is used if its TTL has not expired at `now`.
    async fn look_up_at(&self, now: Instant, host: &str, family: Family) -> Result<Vec<IpAddr>, NetworkError> {
        let mut name = Name::from_ascii(host).map_err(|_| NetworkError::Failed)?;
        name.set_fqdn(true);
        let record = match family {
            Family::V4 => RecordType::A,
            Family::V6 => RecordType::AAAA,
        };
        let query = Query::query(name.clone(), record);
        let mut response = self.cache.get(&query, now);
        if response.is_none() {
            let fresh = self.resolver()?.lookup(name, record).await.map(|lookup| lookup.message().clone());
            self.cache.insert(query, fresh.clone(), now);
            response = Some(fresh);
        }
        match response {
            Some(Ok(message)) => Ok(message.answers.iter().filter_map(|record| address(&record.data)).collect()),
            Some(Err(error)) if error.is_no_records_found() && !error.is_nx_domain() => Ok(Vec::new()),
            Some(Err(_)) | None => Err(NetworkError::Failed),
        }
    }

    /// A DNS server may still have a TCP connection. The next lookup opens new sockets, to the DNS
    /// servers that the system then has.
    pub(super) fn close_sockets(&self) {
        self.resolver.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn resolver(&self) -> Result<Resolver<P>, NetworkError> {
        let mut resolver = self.resolver.lock().unwrap_or_else(PoisonError::into_inner);
        if resolver.is_none() {
            let config = ResolverConfig::from_parts(None, Vec::new(), self.name_servers());
            let builder = Resolver::builder_with_config(config, self.provider.clone()).with_options(options());
            *resolver = builder.build().ok();
        }
        resolver.clone().ok_or(NetworkError::Failed)
    }

    fn name_servers(&self) -> Vec<NameServerConfig> {
        if self.name_servers.is_empty() {
            system_name_servers()
        } else {
            self.name_servers.iter().map(|address| name_server(*address)).collect()
        }
    }
}

fn options() -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.use_hosts_file = ResolveHosts::Never;
    // Old forwarders do not support EDNS; the caller applies the timeout; the client retransmits by
    // itself.
    options.edns0 = false;
    options.timeout = Duration::from_mins(1);
    options.attempts = 1;
    options.cache_size = 0;
    options.positive_max_ttl = Some(limits::CACHED_NAME);
    options.negative_max_ttl = Some(limits::CACHED_NAME);
    options
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.to_vec())
}

/// DNS servers on loopback belong to another network.
fn system_name_servers() -> Vec<NameServerConfig> {
    let Ok(text) = std::fs::read("/etc/resolv.conf") else { return Vec::new() };
    let (config, _) = resolv_conf::Config::parse_with_errors(&text);
    let addresses = config.nameservers.iter().map(IpAddr::from);
    addresses.filter(|ip| !ip.is_loopback()).map(NameServerConfig::udp_and_tcp).collect()
}

fn address(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use hickory_resolver::net::runtime::TokioRuntimeProvider;
    use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
    use hickory_resolver::proto::rr::Record;
    use hickory_resolver::proto::rr::rdata::{A, SOA};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, UdpSocket};
    use tokio::sync::watch;
    use tokio::time::timeout;

    use super::*;

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

    /// A DNS server that counts queries and connections.
    #[derive(Default)]
    struct Server {
        queries: AtomicUsize,
        tcp: watch::Sender<usize>,
    }

    impl Server {
        /// Starts a server and a client for it. A UDP response is truncated if it is for
        /// `truncated.test`.
        async fn start(ttl: u32) -> (Arc<Self>, Names<TokioRuntimeProvider>) {
            let server = Arc::new(Self::default());
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let socket = UdpSocket::bind(address).await.unwrap();
            let (over_udp, over_tcp) = (server.clone(), server.clone());
            tokio::spawn(async move {
                let mut packet = [0; 1500];
                loop {
                    let (length, peer) = socket.recv_from(&mut packet).await.unwrap();
                    let mut response = over_udp.respond(&packet[..length], ttl);
                    response.metadata.truncation = response.queries[0].name().to_ascii() == "truncated.test.";
                    socket.send_to(&response.to_vec().unwrap(), peer).await.unwrap();
                }
            });
            tokio::spawn(async move {
                loop {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    let server = over_tcp.clone();
                    server.tcp.send_modify(|open| *open += 1);
                    tokio::spawn(async move {
                        while let Ok(length) = stream.read_u16().await {
                            let mut query = vec![0; length.into()];
                            stream.read_exact(&mut query).await.unwrap();
                            let response = server.respond(&query, ttl).to_vec().unwrap();
                            stream.write_u16(response.len().try_into().unwrap()).await.unwrap();
                            stream.write_all(&response).await.unwrap();
                        }
                        server.tcp.send_modify(|open| *open -= 1);
                    });
                }
            });
            (server, Names::new(TokioRuntimeProvider::default(), &[address]))
        }

        /// Only names that begin with `no-` have no address.
        fn respond(&self, query: &[u8], ttl: u32) -> Message {
            self.queries.fetch_add(1, Ordering::Relaxed);
            let query = Message::from_vec(query).unwrap();
            let question = query.queries[0].clone();
            let name = question.name().clone();
            let mut response = Message::new(query.metadata.id, MessageType::Response, OpCode::Query);
            if name.to_ascii().starts_with("no-") {
                response.metadata.response_code = ResponseCode::NXDomain;
                let soa = SOA::new(name.clone(), name.clone(), 1, 1, 1, 1, ttl);
                response.add_authority(Record::from_rdata(name, ttl, RData::SOA(soa)));
            } else {
                response.add_answer(Record::from_rdata(name, ttl, RData::A(A(ADDRESS))));
            }
            response.add_query(question);
            response
        }

        fn queries(&self) -> usize {
            self.queries.load(Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn name_is_queried_again_only_after_its_ttl() {
        let (server, names) = Server::start(60).await;
        let now = Instant::now();
        for (host, expected) in [("op.test", Ok(vec![ADDRESS.into()])), ("no-op.test", Err(NetworkError::Failed))] {
            let before = server.queries();
            for seconds in [0, 1, 58] {
                let later = now + Duration::from_secs(seconds);
                assert_eq!(names.look_up_at(later, host, Family::V4).await, expected);
            }
            names.close_sockets();
            assert_eq!(names.look_up_at(now + Duration::from_secs(59), host, Family::V4).await, expected);
            assert_eq!(server.queries() - before, 1, "{host}");
            assert_eq!(names.look_up_at(now + Duration::from_secs(61), host, Family::V4).await, expected);
            assert_eq!(server.queries() - before, 2, "{host}");
        }
    }

    #[tokio::test]
    async fn response_is_cached_for_at_most_5_minutes() {
        let (_, names) = Server::start(86_400).await;
        for host in ["op.test.", "no-op.test."] {
            let _ = names.look_up(host, Family::V4).await;
            let query = Query::query(Name::from_ascii(host).unwrap(), RecordType::A);
            let later = |seconds| names.cache.get(&query, Instant::now() + Duration::from_secs(seconds)).is_some();
            assert!(later(290) && !later(301), "{host}");
        }
    }

    #[tokio::test]
    async fn socket_to_dns_server_is_closed_and_reopened() {
        let (server, names) = Server::start(0).await;
        let mut connections = server.tcp.subscribe();
        for _ in 0..2 {
            assert_eq!(names.look_up("truncated.test", Family::V4).await, Ok(vec![ADDRESS.into()]));
            assert_eq!(*connections.borrow(), 1);
            names.close_sockets();
            let closed = connections.wait_for(|open| *open == 0);
            timeout(Duration::from_mins(1), closed).await.expect("the socket stays open").unwrap();
        }
    }
}
