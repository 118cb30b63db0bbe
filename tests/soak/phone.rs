//! The production verifier over the in-memory network, and the events that affect it.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use number_verify::internals::{
    AllowedHosts, AppBackend as WithTimeout, Clock, FlowValue, HopMemory, Input, Lease, Limits, LocalAddresses,
    PhoneNumber, Prepared, Purpose, Recorder, Settings, SharedNetwork, Threads, Tls, Transport, ValidBinding, Verifier,
    auth_destination,
};
use number_verify::{CellularCause, Config, VerificationOptions, VerifyError};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant, sleep, timeout};

use crate::backend::AppBackend;
use crate::faults::{NOT_VERIFIED, VERIFIED};
use crate::hosts::{self, Operator};
use crate::ledger::{CANCELLED, Ledger};
use crate::network::{Attachment, Events, MemoryNetwork, Resolver};
use crate::pipe::Nagle;
use crate::plan::{Event, Planned};
use crate::provider::Modem;
use crate::server::CERTIFICATES;

/// Three times the maximum duration of a verification.
const HANGS: Duration = Duration::from_mins(1);

pub struct Phone {
    verifier: Arc<Verifier<MemoryNetwork>>,
    prepared: Prepared,
    pub modem: Arc<Modem>,
    pub operator: Arc<Operator>,
    pub ledger: Arc<Ledger>,
    attachment: Arc<Mutex<Attachment>>,
    events: Arc<Mutex<Events>>,
    /// Seconds for which the process was suspended.
    suspended: Arc<AtomicU64>,
    /// A clone for each flow and each network that has not ended.
    alive: Arc<()>,
}

impl Phone {
    pub fn new(seed: u64) -> Arc<Self> {
        let settings = Settings::check(&Config::new("https://api.example.test")).unwrap();
        let (operator, ledger) = (Arc::<Operator>::default(), Arc::<Ledger>::default());
        let (attachment, events) = (Arc::<Mutex<Attachment>>::default(), Arc::<Mutex<Events>>::default());
        let (suspended, alive) = (Arc::<AtomicU64>::default(), Arc::default());
        let modem = Arc::new(Modem::new(ledger.clone(), seed));
        let (began, asleep) = (Instant::now(), suspended.clone());
        let clock = Clock::new(move || began.elapsed() + Duration::from_secs(asleep.load(Ordering::Relaxed)));
        let tls = Tls::new(std::slice::from_ref(&CERTIFICATES.root_pem), None, Threads::new()).unwrap();
        let limits = Limits { connect: settings.connect, response: settings.response, body: 64 * 1024 };
        let open = {
            let (hosts, attachment, events) = (operator.clone(), attachment.clone(), events.clone());
            move |_: &ValidBinding| {
                let network = MemoryNetwork {
                    attachment: attachment.clone(),
                    names: Mutex::default(),
                    resolver: Resolver::Caching,
                    hosts: hosts.clone(),
                    nagle: Nagle::Off,
                    events: events.clone(),
                    first_writes: mpsc::unbounded_channel().0,
                };
                Ok(Transport::new(network, &tls, limits, AllowedHosts::default()))
            }
        };
        let network = SharedNetwork::new(modem.clone(), Arc::new(open), settings.acquire, clock.clone());
        let client =
            WithTimeout { backend: Arc::new(AppBackend { ledger: ledger.clone() }), timeout: settings.backend };
        let memory = HopMemory::new(clock.clone(), auth_destination(&settings));
        let verifier = Arc::new(Verifier { settings, network, backend: Arc::new(client), clock, memory });
        let prepared = Prepared::default();
        Arc::new(Self { verifier, prepared, modem, operator, ledger, attachment, events, suspended, alive })
    }

    /// Runs a verification to its end and records its result. As in production, it takes over a
    /// prepared network when it begins.
    pub async fn verify(self: Arc<Self>, planned: Planned) {
        let (phone, prepared, began) = (self.clone(), self.prepared.take(), Instant::now());
        let mut running = tokio::spawn(async move {
            let result = phone.run(&planned).await;
            drop(prepared);
            result
        });
        let mut ended = None;
        if let Some(after) = planned.cancelled_after {
            ended = timeout(after, &mut running).await.ok();
            running.abort();
        }
        let ended = match ended {
            Some(ended) => Ok(ended),
            None => timeout(HANGS, running).await,
        };
        let result = match ended {
            Ok(Ok(result)) => summary(result),
            Ok(Err(error)) if error.is_cancelled() => CANCELLED.to_owned(),
            Ok(Err(_)) => "panicked".to_owned(),
            Err(_) => "hangs".to_owned(),
        };
        self.ledger.ended(&planned, began, result);
    }

    async fn run(&self, planned: &Planned) -> Result<bool, VerifyError> {
        let record = Recorder::new(hosts::name(planned), None);
        let options = VerificationOptions { correlator: Some(hosts::name(planned)), ..VerificationOptions::default() };
        let purpose = Purpose::Verify(PhoneNumber::parse(&"+14155550100".into())?);
        let input = Input::check(purpose, &options, &self.verifier.settings)?;
        let result = self.verifier.run(input, &record, self.alive.clone()).await?;
        Ok(matches!(result.value, FlowValue::Verified(true)))
    }

    pub async fn happens(&self, event: Event) {
        match event {
            Event::Prepare => {
                let (began, lease) = (Instant::now(), self.prepare());
                let prepared = timeout(HANGS, lease.acquired()).await.map(|acquired| acquired.map(|_| true));
                self.ledger.prepared(began, prepared.map_or_else(|_| "hangs".to_owned(), summary));
            }
            Event::PrepareAndGo => drop(self.prepare()),
            Event::Lost(reason) => self.modem.lose(reason),
            Event::Down(lasts) => {
                self.ledger.no_network(lasts, CellularCause::InterfaceDown);
                self.attachment.lock().unwrap().is_up = false;
                sleep(lasts).await;
                self.attachment.lock().unwrap().is_up = true;
            }
            Event::Suspended { seconds } => {
                self.ledger.suspended();
                self.suspended.fetch_add(seconds, Ordering::Relaxed);
            }
            Event::ForgetHosts => self.verifier.memory.clear(),
            Event::Moves(network) => {
                self.modem.moves(network);
                let address = Ipv4Addr::new(10, 20, 30, network);
                self.attachment.lock().unwrap().addresses = LocalAddresses::new(Some(address), None);
            }
        }
    }

    fn prepare(&self) -> Lease<MemoryNetwork> {
        self.prepared.begin(self.verifier.clone(), self.alive.clone())
    }

    /// Everything has ended: any remaining resource is a leak.
    pub fn is_at_rest(&self) -> bool {
        let (acquired, released) = self.modem.acquired_and_released();
        let (sockets, holders) = (self.open_sockets(), Arc::strong_count(&self.alive) - 1);
        let tasks = Handle::current().metrics().num_alive_tasks();
        if (acquired, sockets, holders, tasks) != (released, 0, 0, 0) {
            self.ledger.broke(format!(
                "left: {acquired} acquired, {released} released, {sockets} sockets, {holders} holders, {tasks} tasks"
            ));
        }
        self.ledger.forget();
        self.operator.forget();
        *self.events.lock().unwrap() = Events::default();
        !self.ledger.is_broken()
    }

    /// Sockets open on the servers.
    pub fn open_sockets(&self) -> usize {
        self.events.lock().unwrap().open
    }
}

/// The kind of an error and its cause, if it has one.
fn summary(result: Result<bool, VerifyError>) -> String {
    match result {
        Ok(true) => VERIFIED.to_owned(),
        Ok(false) => NOT_VERIFIED.to_owned(),
        Err(error) => {
            let error: serde_json::Value = serde_json::from_str(&error.to_json()).unwrap();
            let parts = [&error["kind"], &error["cause"]].into_iter().filter_map(serde_json::Value::as_str);
            parts.collect::<Vec<_>>().join("/")
        }
    }
}
