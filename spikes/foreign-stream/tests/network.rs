//! The network adapter: host names and the peer's address.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use foreign_stream::{Connection, ConnectionError, Connections, ForeignNetwork};
use number_verify::internals::{AllowedHosts, Family, Network, NetworkError};

/// Every connection reports this peer; opened connections are recorded.
struct Recording {
    peer: &'static str,
    opened: Mutex<Vec<(String, u16)>>,
}

struct Reporting(&'static str);

impl Connections for Recording {
    fn connection(&self, host: String, port: u16) -> Result<Arc<dyn Connection>, ConnectionError> {
        self.opened.lock().unwrap().push((host, port));
        Ok(Arc::new(Reporting(self.peer)))
    }
}

#[async_trait::async_trait]
impl Connection for Reporting {
    async fn connect(&self) -> Result<String, ConnectionError> {
        Ok(self.0.to_owned())
    }

    async fn read(&self, _: u32) -> Result<Vec<u8>, ConnectionError> {
        Ok(Vec::new())
    }

    async fn write(&self, _: Vec<u8>) -> Result<(), ConnectionError> {
        Ok(())
    }

    fn close(&self) -> Result<(), ConnectionError> {
        Ok(())
    }
}

fn network(peer: &'static str, allowed: AllowedHosts) -> (ForeignNetwork, Arc<Recording>) {
    let recording = Arc::new(Recording { peer, opened: Mutex::default() });
    (ForeignNetwork::new(recording.clone(), allowed), recording)
}

async fn connect(network: &ForeignNetwork, host: &str, port: u16) -> Result<(), NetworkError> {
    assert_eq!(network.resolve(host, port, Family::V4).await, Ok(Vec::new()));
    let addresses = network.resolve(host, port, Family::V6).await?;
    let address = addresses.first().copied().ok_or(NetworkError::Failed)?;
    network.connect(SocketAddr::new(address, port)).await.map(drop)
}

#[tokio::test]
async fn host_names_and_literal_addresses_reach_the_foreign_side() {
    let (network, recording) = network("198.51.100.7", AllowedHosts::default());
    connect(&network, "op.test", 443).await.unwrap();
    network.connect("198.51.100.9:80".parse().unwrap()).await.unwrap();
    let opened = recording.opened.lock().unwrap().clone();
    assert_eq!(opened, [("op.test".to_owned(), 443), ("198.51.100.9".to_owned(), 80)]);
}

#[tokio::test]
async fn guessed_placeholder_is_unreachable() {
    let (network, recording) = network("198.51.100.7", AllowedHosts::default());
    let guessed: IpAddr = "100::1".parse().unwrap();
    let outcome = network.connect(SocketAddr::new(guessed, 80)).await;
    assert_eq!(outcome.err(), Some(NetworkError::Unreachable));
    assert!(recording.opened.lock().unwrap().is_empty());
}

#[tokio::test]
async fn peer_that_is_forbidden_or_not_an_address_is_rejected() {
    for peer in ["127.0.0.1", "fe80::1", "fe80::1%en0", "", "0.0.0.0", "op.test"] {
        let outcome = connect(&network(peer, AllowedHosts::default()).0, "op.test", 443).await;
        assert_eq!(outcome, Err(NetworkError::Failed), "{peer}");
    }
}

#[tokio::test]
async fn allowed_host_may_have_any_address_on_its_port() {
    let allowed = AllowedHosts::these([("op.test".to_owned(), 443)]);
    let (network, _) = network("127.0.0.1", allowed);
    connect(&network, "op.test", 443).await.unwrap();
    assert_eq!(connect(&network, "op.test", 80).await, Err(NetworkError::Failed));
}
