//! The cost of the measured redirect chains over foreign connections, on the virtual network of the
//! library's own tests: the same as over sockets, 9 and 14 round trips.

#![allow(dead_code)] // Parts of the virtual network are not needed.

#[path = "../../../tests/virtual/network.rs"]
mod network;
#[path = "../../../tests/virtual/pipe.rs"]
mod pipe;
#[path = "../../../tests/virtual/script.rs"]
mod script;
#[path = "../../../tests/virtual/server.rs"]
mod server;

use std::sync::{Arc, OnceLock};

use foreign_stream::{Connection, ConnectionError, Connections, shared_network};
use network::{MemoryNetwork, ROUND_TRIP, Resolver};
use number_verify::internals::{AppBackend, Clock, Family, Network, Recorder, Settings, Threads, Tls, Verifier};
use number_verify::{AuthorizationStart, Backend, BackendError, CompletionRequest, Config, StartRequest};
use pipe::{Nagle, Pipe};
use script::Chain;
use server::{CERTIFICATES, HttpRequest};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

/// A foreign side over the virtual network: a lookup and a connection cost a round trip each.
struct VirtualConnections(Arc<MemoryNetwork>);

struct VirtualConnection {
    network: Arc<MemoryNetwork>,
    host: String,
    port: u16,
    halves: OnceLock<Halves>,
    closed: CancellationToken,
}

type Halves = (Mutex<ReadHalf<Pipe>>, Mutex<WriteHalf<Pipe>>);

impl Connections for VirtualConnections {
    fn connection(&self, host: String, port: u16) -> Result<Arc<dyn Connection>, ConnectionError> {
        let (network, closed) = (self.0.clone(), CancellationToken::new());
        Ok(Arc::new(VirtualConnection { network, host, port, halves: OnceLock::new(), closed }))
    }
}

#[async_trait::async_trait]
impl Connection for VirtualConnection {
    async fn connect(&self) -> Result<String, ConnectionError> {
        let failed = |_| ConnectionError::Failed;
        let addresses = self.network.resolve(&self.host, self.port, Family::V4).await.map_err(failed)?;
        let ip = addresses.first().copied().ok_or(ConnectionError::Failed)?;
        let pipe = self.network.connect((ip, self.port).into()).await.map_err(failed)?;
        let (reader, writer) = tokio::io::split(pipe);
        self.halves.set((Mutex::new(reader), Mutex::new(writer))).map_err(|_| ConnectionError::Failed)?;
        Ok(ip.to_string())
    }

    async fn read(&self, max: u32) -> Result<Vec<u8>, ConnectionError> {
        let (reader, _) = self.halves.get().ok_or(ConnectionError::Closed)?;
        let mut reader = reader.lock().await;
        let mut bytes = vec![0; usize::try_from(max).unwrap()];
        tokio::select! {
            length = reader.read(&mut bytes) => bytes.truncate(length.map_err(|_| ConnectionError::Closed)?),
            () = self.closed.cancelled() => return Err(ConnectionError::Closed),
        }
        Ok(bytes)
    }

    async fn write(&self, bytes: Vec<u8>) -> Result<(), ConnectionError> {
        let (_, writer) = self.halves.get().ok_or(ConnectionError::Closed)?;
        writer.lock().await.write_all(&bytes).await.map_err(|_| ConnectionError::Closed)
    }

    fn close(&self) -> Result<(), ConnectionError> {
        self.closed.cancel();
        Ok(())
    }
}

struct FixedBackend(String);

#[async_trait::async_trait]
impl Backend for FixedBackend {
    async fn start(&self, _: Arc<StartRequest>) -> Result<Arc<AuthorizationStart>, BackendError> {
        Ok(AuthorizationStart::new(self.0.clone(), None, None, None, Vec::new()))
    }

    async fn complete(&self, _: Arc<CompletionRequest>) -> Result<String, BackendError> {
        Ok(r#"{"verified":true}"#.to_owned())
    }
}

/// The duration of the cellular leg in round trips, and its number of connections.
async fn cost(name: &str) -> (u64, usize) {
    let chain = Arc::new(Chain::new(name));
    let events = Arc::default();
    let network = Arc::new(MemoryNetwork {
        resolver: Resolver::Async,
        hosts: chain.clone(),
        nagle: Nagle::Off,
        events: Arc::clone(&events),
        first_writes: mpsc::unbounded_channel().0,
    });
    let settings = Settings::check(&Config::new("https://api.example.test")).unwrap();
    let tls = Tls::new(std::slice::from_ref(&CERTIFICATES.root_pem), None, Threads::new()).unwrap();
    let backend = Arc::new(AppBackend { backend: Arc::new(FixedBackend(chain.auth_url())), timeout: settings.backend });
    let network = shared_network(&settings, &tls, Arc::new(VirtualConnections(network)));
    let verifier = Verifier { settings, network, backend, clock: Clock::system() };
    let record = Recorder::new("correlator".to_owned(), None);
    assert!(verifier.verify("+14155550100".into(), &record, ()).await.unwrap().verified);
    assert_eq!(chain.requests().iter().map(HttpRequest::url).collect::<Vec<_>>(), chain.hops(), "{name}");
    let (round_trip, spent) = (ROUND_TRIP.as_millis(), record.trace().authorize_ms.unwrap());
    assert_eq!(u128::from(spent) % round_trip, 0, "{spent} ms is not a whole number of round trips");
    let connections = events.lock().unwrap().connections.len();
    (u64::try_from(u128::from(spent) / round_trip).unwrap(), connections)
}

#[tokio::test(start_paused = true)]
async fn cold_verifications_cost_9_and_14_round_trips() {
    assert_eq!(cost("S1").await, (9, 2));
    assert_eq!(cost("S2").await, (14, 3));
}
