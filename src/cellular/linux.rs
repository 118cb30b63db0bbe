//! Linux: `SO_BINDTODEVICE` on every socket (socket(7)), and a DNS client whose sockets are bound
//! to the same interface (`linux_names.rs`).

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use hickory_resolver::net::runtime::iocompat::AsyncIoTokioAsStd;
use hickory_resolver::net::runtime::{RuntimeProvider, TokioHandle, TokioTime};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};
use nix::sys::socket::SockaddrStorage;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::{sleep, timeout};

use super::binding::ValidBinding;
use super::bound::Options;
use super::linux_names::Names;
use super::local_addresses::local_addresses;
use super::provider::NetworkBinding;
use super::stream::{Bind, BoundStream};
use crate::error::{Setting, VerifyError};
use crate::limits;
use crate::network::local_addresses::LocalAddresses;
use crate::network::{Family, NetworkError, Unusable};
use crate::threads::Threads;

pub(super) struct Binding {
    device: Device,
    names: Names<Device>,
}

impl Binding {
    pub(super) fn open(binding: &ValidBinding, options: &Options, _: &Threads) -> Result<Self, VerifyError> {
        let device = match binding.get() {
            NetworkBinding::LinuxInterface { name } => Device::open(name)?,
            NetworkBinding::AndroidNetwork { .. } | NetworkBinding::AppleInterface { .. } | NetworkBinding::Unbound => {
                return Err(Unusable::Unsupported.into());
            }
        };
        let names = Names::new(device.clone(), &options.name_servers);
        if !names.has_name_servers() && options.overrides.is_empty() {
            return Err(VerifyError::invalid_config(Setting::DnsServers));
        }
        Ok(Self { device, names })
    }

    pub(super) async fn resolve(&self, host: &str, family: Family) -> Result<Vec<IpAddr>, NetworkError> {
        self.names.look_up(host, family).await
    }

    pub(super) async fn connect(&self, address: SocketAddr) -> Result<BoundStream, NetworkError> {
        BoundStream::connect(&self.device, address).await
    }

    /// Polls the interface, because nothing reports the loss on Linux.
    pub(super) async fn lost(&self) -> Unusable {
        loop {
            sleep(limits::INTERFACE_CHECK).await;
            if let Err(why) = self.check() {
                return why;
            }
        }
    }

    pub(super) fn check(&self) -> Result<(), Unusable> {
        self.device.check()
    }

    /// For an interface without an IPv4 address Linux uses an address of another interface, which
    /// does not identify this network.
    pub(super) fn local_addresses(&self) -> Option<LocalAddresses> {
        let addresses = self.device.addresses();
        local_addresses(&self.device)?.only(|address| addresses.contains(&address))
    }

    pub(super) fn close_sockets(&self) {
        self.names.close_sockets();
    }
}

/// The interface that all sockets are bound to. The index distinguishes it from a later interface
/// of the same name, which is another network.
#[derive(Clone)]
struct Device {
    name: String,
    index: u32,
    handle: TokioHandle,
}

impl Device {
    fn open(name: &str) -> Result<Self, Unusable> {
        let index = if_nametoindex(name).map_err(|_| Unusable::NoInterface)?;
        let device = Self { name: name.to_owned(), index, handle: TokioHandle::default() };
        device.check()?;
        let probe = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP));
        match probe.and_then(|socket| device.bind_device(&socket)) {
            Ok(()) => Ok(device),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(Unusable::Permission),
            Err(_) => Err(Unusable::NoInterface),
        }
    }

    /// Whether the interface exists, is the same one, and is up.
    fn check(&self) -> Result<(), Unusable> {
        let mut interfaces = getifaddrs().map_err(|_| Unusable::NoInterface)?;
        let found = interfaces.find(|interface| interface.interface_name == self.name).ok_or(Unusable::NoInterface)?;
        let is_up = found.flags.contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING);
        let is_same = if_nametoindex(self.name.as_str()) == Ok(self.index);
        if is_up && is_same { Ok(()) } else { Err(Unusable::InterfaceDown) }
    }

    fn addresses(&self) -> Vec<IpAddr> {
        let interfaces = getifaddrs().into_iter().flatten().filter(|interface| interface.interface_name == self.name);
        let addresses = interfaces.filter_map(|interface| interface.address);
        addresses.filter_map(|address| ip(&address)).collect()
    }

    fn bind_device(&self, socket: &Socket) -> io::Result<()> {
        socket.bind_device(Some(self.name.as_bytes()))
    }

    fn udp(&self, local: SocketAddr) -> io::Result<UdpSocket> {
        let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
        self.bind_device(&socket)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SockAddr::from(local))?;
        UdpSocket::from_std(socket.into())
    }
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| address.ip().into());
    v4.or_else(|| address.as_sockaddr_in6().map(|address| address.ip().into()))
}

impl Bind for Device {
    fn bind(&self, socket: &Socket, _: SocketAddr) -> Result<(), NetworkError> {
        Ok(self.bind_device(socket)?)
    }
}

impl RuntimeProvider for Device {
    type Handle = TokioHandle;
    type Timer = TokioTime;
    type Udp = UdpSocket;
    type Tcp = AsyncIoTokioAsStd<BoundStream>;

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
            let limit = limit.unwrap_or(Duration::from_secs(5));
            let connect = timeout(limit, BoundStream::connect(&device, server));
            let connected = connect.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
            let stream = connected.map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
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
    use std::net::Ipv4Addr;

    use super::*;
    use crate::error::CellularCause;

    fn open(binding: NetworkBinding) -> Result<Binding, VerifyError> {
        let options = Options { name_servers: vec![([127, 0, 0, 1], 53).into()], ..Options::default() };
        Binding::open(&ValidBinding::try_from(binding).unwrap(), &options, &Threads::new())
    }

    #[tokio::test]
    async fn socket_is_bound_to_the_interface() {
        let binding = open(NetworkBinding::LinuxInterface { name: "lo".to_owned() }).unwrap();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        binding.device.bind(&socket, ([127, 0, 0, 1], 443).into()).unwrap();
        assert_eq!(socket.device().unwrap().as_deref(), Some(b"lo".as_slice()));
    }

    /// Needed for responses that do not fit into a datagram.
    #[tokio::test]
    async fn dns_server_is_reachable_over_tcp() {
        let binding = open(NetworkBinding::LinuxInterface { name: "lo".to_owned() }).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        assert!(binding.device.connect_tcp(server, None, None).await.is_ok());
        let (_, client) = listener.accept().await.unwrap();
        assert_eq!(client.ip(), Ipv4Addr::LOCALHOST);
        drop(listener);
        let refused = binding.device.connect_tcp(server, None, None).await.err();
        assert_eq!(refused.map(|error| error.kind()), Some(io::ErrorKind::ConnectionRefused));
    }

    #[tokio::test]
    async fn loopback_has_no_address_that_identifies_it() {
        let binding = open(NetworkBinding::LinuxInterface { name: "lo".to_owned() }).unwrap();
        let addresses = binding.device.addresses();
        assert!(addresses.contains(&Ipv4Addr::LOCALHOST.into()), "{addresses:?}");
        let unfiltered = local_addresses(&binding.device);
        assert_eq!(binding.local_addresses(), None, "{unfiltered:?}");
    }

    #[tokio::test]
    async fn invalid_or_foreign_binding_is_an_error() {
        for (binding, expected) in [
            (NetworkBinding::LinuxInterface { name: "no-such-if0".to_owned() }, CellularCause::NoInterface),
            (NetworkBinding::AndroidNetwork { handle: 100 << 32 | 0xcafe_d00d }, CellularCause::Unsupported),
            (NetworkBinding::AppleInterface { index: 1 }, CellularCause::Unsupported),
            (NetworkBinding::Unbound, CellularCause::Unsupported),
        ] {
            let error = open(binding.clone()).err();
            assert!(
                matches!(error, Some(VerifyError::CellularUnavailable { reason }) if reason == expected),
                "{binding:?}: {error:?}"
            );
        }
    }
}
