//! A simulated environment to verify phone numbers: four operators with different quirks, an auth
//! server and verify API that follow Glide's protocol, and a backend. It runs inside a test or as a
//! program.
//!
//! An operator identifies a SIM by the source address of a connection, as a real one does, so that
//! a connection over the wrong network fails as it would in the field.
//!
//! | file | role |
//! |---|---|
//! | `auth.rs` | the aggregator: `/oauth2/auth`, `/oauth2/token` |
//! | `verify.rs` | CAMARA's verify and device-phone-number, of both |
//! | `camara.rs`, `jose.rs` | an operator without an aggregator: an OpenID provider |
//! | `operators.rs` | operators A to D |
//! | `quirks.rs` | what operators' servers do, byte for byte |
//! | `providers/` | Glide, CAMARA, Vonage, tru.ID, Twilio, IPification, as seen by a backend and a phone |
//! | `replay.rs` | servers that repeat a recorded verification |
//! | `scenarios.rs` | all behaviours of providers and operators, with the expected outcomes |
//! | `backend.rs` | the app's backend |
//! | `world.rs` | their state |
//! | `observe.rs`, `hops.rs`, `events.rs` | what happens, masked, for the page |
//! | `faults.rs` | faults to switch on |
//! | `page/` | the page |
//! | `hosts.rs`, `server.rs`, `certificates.rs`, `dns.rs` | addresses, TLS and DNS |

mod auth;
mod backend;
mod camara;
mod certificates;
mod dns;
mod events;
mod faults;
mod hops;
mod hosts;
mod jose;
mod observe;
mod operators;
pub mod page;
mod providers;
mod quirks;
mod replay;
mod scenarios;
mod server;
mod verify;
mod world;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

pub use crate::faults::{Fault, Pending};
pub use crate::replay::{ClientChanges, NotReplayable, Replay, RunningReplay};
pub use crate::scenarios::{Delivery, Detail, Failure, Outcome, Scenario};
pub use crate::server::Sockets;
use crate::world::World;
pub use crate::world::{Operator, Recorded, Sim};

/// The client id of the auth server's only client.
pub const CLIENT_ID: &str = "SIMULATOR";
/// Its client secret.
pub const CLIENT_SECRET: &str = "only-simulated";

/// The addresses, ports and SIMs of the simulator.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address of the backend.
    pub backend_address: IpAddr,
    /// The address of the auth server and of the operators.
    pub operator_address: IpAddr,
    /// The address of the one host without IPv4; if `None`, that host does not exist.
    pub operator_ipv6: Option<Ipv6Addr>,
    /// 0 for any free port.
    pub https_port: u16,
    /// 0 for any free port.
    pub http_port: u16,
    /// The address (UDP) of a name server for the simulated hosts, if needed.
    pub dns: Option<SocketAddr>,
    /// The operators' SIMs.
    pub sims: Vec<Sim>,
    /// The lifetime of the auth server's access tokens.
    pub token_lifetime: Duration,
}

impl Default for Options {
    /// Everything on loopback, where all connections come from the SIM +14155550100.
    fn default() -> Self {
        Self {
            backend_address: Ipv4Addr::LOCALHOST.into(),
            operator_address: Ipv4Addr::LOCALHOST.into(),
            operator_ipv6: TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).ok().map(|_| Ipv6Addr::LOCALHOST),
            https_port: 0,
            http_port: 0,
            dns: None,
            sims: vec![
                Sim::new(Ipv4Addr::new(127, 0, 0, 0).into(), 8, "+14155550100"),
                Sim::new(Ipv6Addr::LOCALHOST.into(), 128, "+14155550100"),
            ],
            token_lifetime: world::LIFETIME,
        }
    }
}

/// A running simulator. Dropping it stops it.
#[derive(Debug)]
pub struct Simulator {
    world: Arc<World>,
    root_ca_pem: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Simulator {
    /// Starts the simulator on a separate thread; it is ready when this returns.
    pub fn start(options: Options) -> io::Result<Self> {
        let sockets = Sockets::bind(&options)?;
        Self::start_in(options, vec![sockets])
    }

    /// The same in several networks at once, with the same addresses and ports in each.
    pub fn start_in(options: Options, networks: Vec<Sockets>) -> io::Result<Self> {
        let certificates = certificates::make().map_err(io::Error::other)?;
        let first = networks.first().ok_or_else(|| io::Error::other("no network"))?;
        let camara = camara::Provider::new().map_err(io::Error::other)?;
        let world = Arc::new(World::new(options, first, camara));
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = {
            let world = world.clone();
            thread::Builder::new().name("simulator".to_owned()).spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = server::serve(networks, world, certificates.config) => {}
                        _ = stopped => {}
                    }
                });
                runtime.shutdown_background();
            })?
        };
        Ok(Self { world, root_ca_pem: certificates.root_pem, stop: Some(stop), thread: Some(thread) })
    }

    /// The base URL of the backend whose numbers are verified by this operator. Its start response
    /// is JSON, and its callback returns the result.
    #[must_use]
    pub fn backend_url(&self, operator: Operator) -> String {
        self.world.backend_url("number-verify", operator.name())
    }

    /// The same, but start responds with a redirect to the auth URL and identifies the session by
    /// its cookie.
    #[must_use]
    pub fn backend_url_redirecting(&self, operator: Operator) -> String {
        self.world.backend_url("number-verify-302", operator.name())
    }

    /// The same, but the callback returns a page, and complete returns the result.
    #[must_use]
    pub fn backend_url_with_page(&self, operator: Operator) -> String {
        self.world.backend_url("number-verify-page", operator.name())
    }

    /// The base URLs of a backend that also retrieves numbers: those of
    /// [`backend_url`](Self::backend_url),
    /// [`backend_url_redirecting`](Self::backend_url_redirecting) and
    /// [`backend_url_with_page`](Self::backend_url_with_page), with CAMARA's operator.
    #[must_use]
    pub fn backend_urls_with_retrieval(&self) -> [String; 3] {
        ["number-verify", "number-verify-302", "number-verify-page"].map(|kind| self.world.backend_url(kind, "camara"))
    }

    /// The base URL of the backend of [`backend_url`](Self::backend_url) on plain http.
    #[must_use]
    pub fn backend_url_on_http(&self, operator: Operator) -> String {
        let (address, port) = (self.world.options.backend_address, self.world.http_port);
        format!("http://{}/number-verify/{operator}", SocketAddr::new(address, port))
    }

    /// The URL of the backend that returns the client's source address as JSON and, with the
    /// `x-correlator` of a verification as another path segment, those of its requests.
    #[must_use]
    pub fn observed_url(&self) -> String {
        let (address, port) = (self.world.options.backend_address, self.world.http_port);
        format!("http://{}/observed", SocketAddr::new(address, port))
    }

    /// The scenarios that a client of this simulator must handle.
    #[must_use]
    pub fn scenarios(&self) -> Vec<Scenario> {
        let has_ipv6 = self.world.options.operator_ipv6.is_some();
        Scenario::all().filter(|scenario| has_ipv6 || scenario.name != "ipv6-only-host").collect()
    }

    /// The base URL of the backend for this scenario.
    #[must_use]
    pub fn scenario_url(&self, scenario: &Scenario) -> String {
        self.world.backend_url("number-verify", &scenario.name)
    }

    /// The root certificate of all hosts' certificates.
    #[must_use]
    pub fn root_ca_pem(&self) -> &str {
        &self.root_ca_pem
    }

    /// The base URL of the auth server and of the verify API for Glide's own client, which has to
    /// trust the root certificate.
    #[must_use]
    pub fn glide_url(&self) -> String {
        format!("https://localhost:{}", self.world.https_port)
    }

    /// The issuer of the operator that apps use directly (OpenID Connect).
    #[must_use]
    pub fn camara_issuer(&self) -> String {
        camara::issuer(&self.world)
    }

    /// The URL of its `verify` (CAMARA Number Verification).
    #[must_use]
    pub fn camara_verify_url(&self) -> String {
        camara::verify_url(&self.world)
    }

    /// The private key of its only client, in PEM form, for `private_key_jwt`.
    #[must_use]
    pub fn camara_client_key_pem(&self) -> String {
        self.world.camara.client_key_pem()
    }

    /// The SIMs with their networks; numbers other than the default one are masked.
    #[must_use]
    pub fn sims(&self) -> Vec<String> {
        self.world.options.sims.iter().map(ToString::to_string).collect()
    }

    /// Sets the fault of the next verification, or of all from now on.
    pub fn set_fault(&self, pending: Pending) {
        self.world.events.set_fault(pending);
    }

    /// The numbers for which the verify API returns an error, each with the error's status and
    /// code.
    #[must_use]
    pub fn verify_errors(&self) -> Vec<(String, u16, &'static str)> {
        verify::errors()
    }

    /// All hosts with their ports and addresses, as `HOST:PORT:ADDRESS[,ADDRESS]`, IPv6 in
    /// brackets. `localhost` is the auth server.
    #[must_use]
    pub fn hosts(&self) -> Vec<String> {
        let World { https_port, http_port, other_https_port, .. } = *self.world;
        let named = |name: &str, port: u16, host| {
            let addresses = self.world.addresses_of(host).into_iter().map(|address| match address {
                IpAddr::V4(address) => address.to_string(),
                IpAddr::V6(address) => format!("[{address}]"),
            });
            let addresses = addresses.collect::<Vec<_>>().join(",");
            (!addresses.is_empty()).then(|| format!("{name}:{port}:{addresses}"))
        };
        let ports = [https_port, http_port, other_https_port];
        hosts::all()
            .flat_map(|(host, _)| ports.map(|port| named(host.name, port, host)))
            .chain([named("localhost", https_port, providers::glide::HOST)])
            .flatten()
            .collect()
    }

    /// The port of all https hosts.
    #[must_use]
    pub fn https_port(&self) -> u16 {
        self.world.https_port
    }

    /// The port of all http hosts.
    #[must_use]
    pub fn http_port(&self) -> u16 {
        self.world.http_port
    }

    /// The address of the name server, if there is one.
    #[must_use]
    pub fn dns_address(&self) -> Option<SocketAddr> {
        self.world.dns_address
    }

    /// The reasons of the aborts that the backend has received.
    #[must_use]
    pub fn aborts(&self) -> Vec<String> {
        self.world.lock().aborts.clone()
    }

    /// All codes, states, nonces, sessions, cookie values and tokens issued so far: none of them
    /// must leak.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        self.world.lock().secrets.clone()
    }

    /// All requests received so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.world.lock().requests.clone()
    }

    /// All DNS queries received so far: host name and source address.
    #[must_use]
    pub fn dns_queries(&self) -> Vec<(String, IpAddr)> {
        self.world.lock().dns_queries.clone()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
