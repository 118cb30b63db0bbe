//! Linux: `SO_BINDTODEVICE` on every socket (socket(7)), and a DNS client whose sockets are bound alike.
//!
//! The hosts file and search domains are not used: they belong to the default network.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use hickory_resolver::Resolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::iocompat::AsyncIoTokioAsStd;
use hickory_resolver::net::runtime::{RuntimeProvider, TokioHandle, TokioTime};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::time::timeout;

use super::{NetworkBinding, ValidBinding};
use crate::error::CellularCause;
use crate::threads::Threads;
use crate::transport::{Family, NetworkError};

pub(super) struct Binding {
    device: Device,
    resolver: Option<Resolver<Device>>,
}

impl Binding {
    pub(super) fn open(
        binding: &ValidBinding,
        name_servers: &[SocketAddr],
        _: &Threads,
    ) -> Result<Self, CellularCause> {
        let device = match binding.get() {
            NetworkBinding::LinuxInterface { name } => Device::interface(name)?,
            NetworkBinding::Unbound => Device::default(),
            NetworkBinding::AndroidNetwork { .. } | NetworkBinding::AppleInterface { .. } => {
                return Err(CellularCause::Unsupported);
            }
        };
        let resolver = resolver(&device, name_servers);
        Ok(Self { device, resolver })
    }

    pub(super) async fn resolve(&self, host: &str, family: Family) -> Result<Vec<IpAddr>, NetworkError> {
        let resolver = self.resolver.as_ref().ok_or(NetworkError::NoNameServer)?;
        let mut name = Name::from_ascii(host).map_err(|_| NetworkError::Failed)?;
        name.set_fqdn(true);
        let record = match family {
            Family::V4 => RecordType::A,
            Family::V6 => RecordType::AAAA,
        };
        match resolver.lookup(name, record).await {
            Ok(lookup) => Ok(lookup.answers().iter().filter_map(|record| address(&record.data)).collect()),
            Err(error) if error.is_no_records_found() && !error.is_nx_domain() => Ok(Vec::new()),
            Err(_) => Err(NetworkError::Failed),
        }
    }

    pub(super) async fn connect(&self, address: SocketAddr) -> Result<TcpStream, NetworkError> {
        Ok(self.device.tcp(address)?.connect(address).await?)
    }

    pub(super) fn check(&self) -> Result<(), CellularCause> {
        self.device.check()
    }
}

fn address(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    }
}

/// A DNS client over the device; none where no name server is known. On an interface, name servers on loopback belong to another network.
fn resolver(device: &Device, name_servers: &[SocketAddr]) -> Option<Resolver<Device>> {
    let servers: Vec<NameServerConfig> = if name_servers.is_empty() {
        let usable = |ip: &IpAddr| device.interface.is_none() || !ip.is_loopback();
        system_name_servers().into_iter().filter(usable).map(NameServerConfig::udp_and_tcp).collect()
    } else {
        name_servers.iter().map(|address| name_server(*address)).collect()
    };
    if servers.is_empty() {
        return None;
    }
    let mut options = ResolverOpts::default();
    options.use_hosts_file = ResolveHosts::Never;
    // Old forwarders know no EDNS; the caller has the time limit; the client sends again by itself.
    options.edns0 = false;
    options.timeout = Duration::from_mins(1);
    options.attempts = 1;
    Resolver::builder_with_config(ResolverConfig::from_parts(None, Vec::new(), servers), device.clone())
        .with_options(options)
        .build()
        .ok()
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.to_vec())
}

fn system_name_servers() -> Vec<IpAddr> {
    let Ok(text) = std::fs::read("/etc/resolv.conf") else { return Vec::new() };
    let (config, _) = resolv_conf::Config::parse_with_errors(&text);
    config.nameservers.iter().map(IpAddr::from).collect()
}

/// The interface that all sockets are bound to; none for development without a binding.
#[derive(Clone, Default)]
struct Device {
    interface: Option<Interface>,
    handle: TokioHandle,
}

/// The index tells an interface from a later one of the same name, which is another network.
#[derive(Clone, PartialEq)]
struct Interface {
    name: String,
    index: u32,
}

impl Device {
    fn interface(name: &str) -> Result<Self, CellularCause> {
        let index = if_nametoindex(name).map_err(|_| CellularCause::NoInterface)?;
        let interface = Interface { name: name.to_owned(), index };
        let device = Self { interface: Some(interface), handle: TokioHandle::default() };
        device.check()?;
        let probe = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP));
        match probe.and_then(|socket| device.bind(&socket)) {
            Ok(()) => Ok(device),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(CellularCause::Permission),
            Err(_) => Err(CellularCause::NoInterface),
        }
    }

    /// Whether the interface is there, the same one, and up.
    fn check(&self) -> Result<(), CellularCause> {
        let Some(Interface { name, index }) = &self.interface else { return Ok(()) };
        let mut interfaces = getifaddrs().map_err(|_| CellularCause::NoInterface)?;
        let found = interfaces.find(|interface| interface.interface_name == *name).ok_or(CellularCause::NoInterface)?;
        let is_up = found.flags.contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING);
        if is_up && if_nametoindex(name.as_str()) == Ok(*index) { Ok(()) } else { Err(CellularCause::InterfaceDown) }
    }

    fn bind(&self, socket: &Socket) -> io::Result<()> {
        match &self.interface {
            Some(interface) => socket.bind_device(Some(interface.name.as_bytes())),
            None => Ok(()),
        }
    }

    fn tcp(&self, peer: SocketAddr) -> io::Result<TcpSocket> {
        let socket = Socket::new(Domain::for_address(peer), Type::STREAM, Some(Protocol::TCP))?;
        self.bind(&socket)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        Ok(TcpSocket::from_std_stream(socket.into()))
    }

    fn udp(&self, local: SocketAddr) -> io::Result<UdpSocket> {
        let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
        self.bind(&socket)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SockAddr::from(local))?;
        UdpSocket::from_std(socket.into())
    }
}

impl RuntimeProvider for Device {
    type Handle = TokioHandle;
    type Timer = TokioTime;
    type Udp = UdpSocket;
    type Tcp = AsyncIoTokioAsStd<TcpStream>;

    fn create_handle(&self) -> Self::Handle {
        self.handle.clone()
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        _local: Option<SocketAddr>,
        limit: Option<Duration>,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<Self::Tcp>>>> {
        let device = self.clone();
        Box::pin(async move {
            let connect = async { device.tcp(server)?.connect(server).await };
            let limit = limit.unwrap_or(Duration::from_secs(5));
            let stream = timeout(limit, connect).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            Ok(AsyncIoTokioAsStd(stream))
        })
    }

    fn bind_udp(
        &self,
        local: SocketAddr,
        _server: SocketAddr,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<Self::Udp>>>> {
        let socket = self.udp(local);
        Box::pin(async move { socket })
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn open(binding: NetworkBinding) -> Result<Binding, CellularCause> {
        Binding::open(&ValidBinding::try_from(binding)?, &[], &Threads::new())
    }

    #[tokio::test]
    async fn a_connection_is_bound_and_does_not_wait_for_acknowledgements() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let binding = open(NetworkBinding::LinuxInterface { name: "lo".to_owned() }).unwrap();
        let stream = binding.connect(listener.local_addr().unwrap()).await.unwrap();
        assert_eq!(socket2::SockRef::from(&stream).device().unwrap().as_deref(), Some(b"lo".as_slice()));
        assert!(stream.nodelay().unwrap());
    }

    #[tokio::test]
    async fn what_cannot_be_bound_is_an_error() {
        for (binding, reason) in [
            (NetworkBinding::LinuxInterface { name: "no-such-if0".to_owned() }, CellularCause::NoInterface),
            (NetworkBinding::LinuxInterface { name: String::new() }, CellularCause::NoInterface),
            (NetworkBinding::LinuxInterface { name: "lo\0".to_owned() }, CellularCause::NoInterface),
            (NetworkBinding::AndroidNetwork { handle: 100 << 32 | 0xcafe_d00d }, CellularCause::Unsupported),
            (NetworkBinding::AppleInterface { index: 1 }, CellularCause::Unsupported),
        ] {
            assert_eq!(open(binding.clone()).err(), Some(reason), "{binding:?}");
        }
    }
}
