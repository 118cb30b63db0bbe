//! The environment of a verifier in which nothing happens on its own: each call waits until the
//! test lets it return.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use number_verify::internals::{Family, Network, NetworkError, Unusable};
use number_verify::{
    AuthorizationStart, Backend, BackendError, CellularCause, CellularError, CellularProvider, CellularStatus,
    CompletionRequest, NetworkBinding, NetworkEvents, StartRequest,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Duration;

use crate::network::Reachability;
use crate::pipe::{self, Nagle, Pipe, Wire};
use crate::server::{self, Hosts, HttpRequest, Reply};

pub const ORIGIN: &str = "https://auth.glide.test";
const HOST: &str = "auth.glide.test";

/// Pending calls, each with the caller's name.
pub struct Calls<T>(Mutex<Vec<(String, oneshot::Sender<T>)>>);

impl<T> Default for Calls<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Calls<T> {
    /// `None` once the environment ends.
    async fn wait(&self, caller: String) -> Option<T> {
        let (sender, response) = oneshot::channel();
        self.0.lock().unwrap().push((caller, sender));
        response.await.ok()
    }

    /// Calls whose callers still wait.
    pub fn waiting(&self) -> usize {
        let mut calls = self.0.lock().unwrap();
        calls.retain(|(_, sender)| !sender.is_closed());
        calls.len()
    }

    /// Lets the oldest call return; returns its caller's name.
    pub fn returns(&self, response: T) -> String {
        let (caller, sender) = self.0.lock().unwrap().remove(0);
        let _ = sender.send(response);
        caller
    }
}

/// The environment of the phone.
#[derive(Default)]
pub struct Surroundings {
    pub acquires: Calls<Result<(), CellularCause>>,
    pub releases: Calls<()>,
    pub starts: Calls<Result<(), BackendError>>,
    pub connects: Calls<bool>,
    /// Of the network that is acquired or being acquired, and not released.
    pub held: Mutex<Option<Arc<NetworkEvents>>>,
    pub acquired: AtomicUsize,
    pub released: AtomicUsize,
    /// The state of the interface.
    pub is_down: AtomicBool,
    /// Sockets open on the server.
    pub sockets: AtomicUsize,
    /// Violations.
    pub broken: Mutex<Vec<&'static str>>,
}

impl Surroundings {
    pub fn is_held(&self) -> bool {
        self.held.lock().unwrap().is_some()
    }

    pub fn is_down(&self) -> bool {
        self.is_down.load(Ordering::Relaxed)
    }
}

pub struct Surrounded(pub Arc<Surroundings>);

#[async_trait]
impl CellularProvider for Surrounded {
    async fn acquire(&self, events: Arc<NetworkEvents>) -> Result<NetworkBinding, CellularError> {
        self.0.acquired.fetch_add(1, Ordering::Relaxed);
        if self.0.held.lock().unwrap().replace(events).is_some() || self.0.releases.waiting() > 0 {
            self.0.broken.lock().unwrap().push("acquired before it is released");
        }
        match self.0.acquires.wait(String::new()).await {
            Some(Err(reason)) => Err(CellularError::Unavailable { reason }),
            _ => Ok(NetworkBinding::LinuxInterface { name: "memory".to_owned() }),
        }
    }

    async fn release(&self) -> Result<(), CellularError> {
        self.0.released.fetch_add(1, Ordering::Relaxed);
        if self.0.held.lock().unwrap().take().is_none() {
            self.0.broken.lock().unwrap().push("released twice");
        }
        self.0.releases.wait(String::new()).await;
        Ok(())
    }

    async fn status(&self) -> Result<CellularStatus, CellularError> {
        Ok(CellularStatus::Ready)
    }
}

#[async_trait]
impl Backend for Surrounded {
    async fn start(&self, request: Arc<StartRequest>) -> Result<Arc<AuthorizationStart>, BackendError> {
        self.0.starts.wait(request.correlator()).await.unwrap_or(Err(BackendError::Failed))?;
        let auth_url = format!("{ORIGIN}/?redirect_uri=https%3A%2F%2Fapp.example.test%2Fcb&state=st4te");
        Ok(AuthorizationStart::new(auth_url, None, None, None, Vec::new()))
    }

    async fn complete(&self, _: Arc<CompletionRequest>) -> Result<String, BackendError> {
        Ok(r#"{"verified":true}"#.to_owned())
    }
}

impl Network for Surrounded {
    type Stream = Pipe;

    async fn resolve(&self, _: &str, _: u16, family: Family) -> Result<Vec<IpAddr>, NetworkError> {
        Ok(if family == Family::V4 { vec![Ipv4Addr::new(198, 51, 100, 1).into()] } else { Vec::new() })
    }

    async fn connect(&self, _: SocketAddr) -> Result<Pipe, NetworkError> {
        if self.0.connects.wait(String::new()).await != Some(true) {
            return Err(NetworkError::Failed);
        }
        let (client, server) =
            pipe::connection(Duration::ZERO, Nagle::Off, Wire::default(), mpsc::unbounded_channel().0);
        let surroundings = self.0.clone();
        surroundings.sockets.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            server::converse(server, HOST.to_owned(), true, Arc::new(OneHop)).await;
            surroundings.sockets.fetch_sub(1, Ordering::Relaxed);
        });
        Ok(client)
    }

    fn check(&self) -> Result<(), Unusable> {
        if self.0.is_down() { Err(Unusable::InterfaceDown) } else { Ok(()) }
    }
}

/// Redirects immediately to the redirect URI.
struct OneHop;

impl Hosts for OneHop {
    fn names(&self) -> Vec<String> {
        vec![HOST.to_owned()]
    }

    fn reachability(&self, _: &str) -> Reachability {
        Reachability::Open
    }

    fn respond(&self, _: &HttpRequest) -> Reply {
        let location = "https://app.example.test/cb?code=c0de&state=st4te";
        Reply::Send(format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").into())
    }
}
