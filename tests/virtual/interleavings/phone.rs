//! The verifier whose events are ordered, and the state expected of it: which verifications run,
//! and which results they may or must have.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use number_verify::internals::{
    AllowedHosts, AppBackend, Clock, FlowValue, HopMemory, Input, Limits, PhoneNumber, Prepared, Purpose, Recorder,
    Settings, SharedNetwork, Transport, ValidBinding, Verifier, auth_destination,
};
use number_verify::{BackendError, CellularCause, Config, VerificationOptions, VerifyError};
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Duration, Instant, sleep};

use super::surroundings::{ORIGIN, Surrounded, Surroundings};
use super::{Event, MOMENT, Step};
use crate::flow::TLS;

/// Concurrent verifications.
const VERIFICATIONS: usize = 2;
/// A different cause for each loss, to show which loss ended a verification.
const LOSSES: [CellularCause; 3] = [CellularCause::Vpn, CellularCause::Airplane, CellularCause::NoSim];
const VERIFIED: &str = "verified";
const CANCELLED: &str = "cancelled";
const DOWN: &str = "cellular_unavailable/interface_down";
const TIMEOUTS: [&str; 3] = ["backend/timeout", "cellular_unavailable/timeout", "authorization/timeout"];

pub struct Phone {
    verifier: Arc<Verifier<Surrounded>>,
    prepared: Prepared,
    around: Arc<Surroundings>,
    running: Vec<Running>,
    begun: usize,
    /// Whether a preparation that no verification has taken over holds the network, or waits for
    /// it.
    held: Held,
    /// Begun since everything was polled last.
    is_held_anew: bool,
    /// Since everything was polled last.
    failures: Vec<CellularCause>,
    losses: usize,
    /// Now, or since everything was polled last.
    is_down: bool,
    /// A release has taken half a minute.
    is_stuck: bool,
    /// A clone for each flow and each network that has not ended.
    alive: Arc<()>,
}

/// A verification that begins at the moment of a failure may come before or after it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    No,
    Maybe,
    Yes,
}

struct Running {
    correlator: String,
    task: JoinHandle<Result<bool, VerifyError>>,
    is_new: bool,
    has_start: bool,
    /// Results that are possible because of recent events.
    may: Vec<String>,
    must_end: bool,
}

impl Running {
    fn ends(&mut self, result: &str) {
        self.may.push(result.to_owned());
        self.must_end = true;
    }
}

impl Phone {
    pub fn new() -> Self {
        let settings = Settings::check(&Config {
            auth_origin: Some(ORIGIN.to_owned()),
            ..Config::new("https://api.example.test")
        });
        let (settings, around) = (settings.unwrap(), Arc::<Surroundings>::default());
        let began = Instant::now();
        let clock = Clock::new(move || began.elapsed());
        let limits = Limits { connect: settings.connect, response: settings.response, body: 64 * 1024 };
        let open = {
            let around = around.clone();
            move |_: &ValidBinding| {
                Ok(Transport::new(Surrounded(around.clone()), &TLS, limits, AllowedHosts::default()))
            }
        };
        let surrounded = || Arc::new(Surrounded(around.clone()));
        let network = SharedNetwork::new(surrounded(), Arc::new(open), settings.acquire, clock.clone());
        let backend = Arc::new(AppBackend { backend: surrounded(), timeout: settings.backend });
        let memory = HopMemory::new(clock.clone(), auth_destination(&settings));
        Self {
            verifier: Arc::new(Verifier { settings, network, backend, clock, memory }),
            prepared: Prepared::default(),
            around,
            running: Vec::new(),
            begun: 0,
            held: Held::No,
            is_held_anew: false,
            failures: Vec::new(),
            losses: 0,
            is_down: false,
            is_stuck: false,
            alive: Arc::default(),
        }
    }

    pub fn is_possible(&self, event: Event, last: Option<&Step>) -> bool {
        let (around, running) = (&self.around, self.running.len());
        match event {
            Event::Begin => running < VERIFICATIONS,
            Event::CancelFirst => running > 0,
            Event::CancelLast => running > 1,
            Event::Starts | Event::StartFails => around.starts.waiting() > 0,
            Event::Prepare => !matches!(last, Some(Step(Event::Prepare, _))),
            Event::EndPrepared => self.held != Held::No,
            Event::Acquired | Event::Refused => around.acquires.waiting() > 0,
            Event::Lost => around.is_held() && self.failures.is_empty(),
            Event::Flips => around.is_held() || around.is_down(),
            Event::Released => around.releases.waiting() > 0,
            Event::Connected | Event::NotConnected => around.connects.waiting() > 0,
            Event::HalfMinute => last.is_some() && !matches!(last, Some(Step(Event::HalfMinute, _))),
        }
    }

    pub async fn happens(&mut self, event: Event) {
        self.is_down |= event == Event::Flips;
        match event {
            Event::Begin => self.begin(),
            Event::CancelFirst => cancel(self.running.first_mut()),
            Event::CancelLast => cancel(self.running.last_mut()),
            Event::Starts => {
                let caller = self.around.starts.returns(Ok(()));
                self.find(&caller).has_start = true;
            }
            Event::StartFails => {
                let caller = self.around.starts.returns(Err(BackendError::Unreachable));
                self.find(&caller).ends("backend/unreachable");
            }
            Event::Prepare => {
                drop(self.prepared.begin(self.verifier.clone(), self.alive.clone()));
                self.held = if self.failures.is_empty() { Held::Yes } else { Held::Maybe };
                self.is_held_anew = true;
            }
            Event::EndPrepared => {
                drop(self.prepared.take());
                self.held = Held::No;
            }
            Event::Acquired => drop(self.around.acquires.returns(Ok(()))),
            Event::Refused => {
                self.around.acquires.returns(Err(CellularCause::DataOff));
                self.fails(CellularCause::DataOff);
            }
            Event::Lost => {
                let reason = LOSSES[self.losses % LOSSES.len()];
                self.losses += 1;
                if let Some(events) = &*self.around.held.lock().unwrap() {
                    events.lost(reason);
                }
                self.fails(reason);
            }
            Event::Flips => drop(self.around.is_down.fetch_xor(true, Relaxed)),
            Event::Released => drop(self.around.releases.returns(())),
            Event::Connected => drop(self.around.connects.returns(true)),
            Event::NotConnected => {
                self.around.connects.returns(false);
                self.running.iter_mut().for_each(|running| running.may.push("authorization/connect".to_owned()));
            }
            Event::HalfMinute => {
                let (released, is_releasing) = (self.released(), self.around.releases.waiting() > 0);
                sleep(Duration::from_secs(31)).await;
                for running in &mut self.running {
                    running.may.extend(TIMEOUTS.map(str::to_owned));
                    running.must_end = true;
                }
                self.held = Held::No;
                self.is_stuck = is_releasing && self.around.releases.waiting() > 0 && self.released() == released;
            }
        }
    }

    /// As in production, a verification takes over the prepared network.
    fn begin(&mut self) {
        let (verifier, prepared, alive) = (self.verifier.clone(), self.prepared.take(), self.alive.clone());
        self.held = Held::No;
        let correlator = format!("verification-{}", self.begun);
        self.begun += 1;
        let options = VerificationOptions { correlator: Some(correlator.clone()), ..VerificationOptions::default() };
        let task = tokio::spawn(async move {
            let purpose = Purpose::Verify(PhoneNumber::parse(&"+14155550100".into())?);
            let input = Input::check(purpose, &options, &verifier.settings)?;
            let record = Recorder::new(input.correlator.clone(), None);
            let result = verifier.run(input, &record, alive).await;
            drop(prepared);
            result.map(|result| matches!(result.value, FlowValue::Verified(true)))
        });
        self.running.push(Running {
            correlator,
            task,
            is_new: true,
            has_start: false,
            may: Vec::new(),
            must_end: false,
        });
    }

    fn released(&self) -> usize {
        self.around.released.load(Relaxed)
    }

    fn find(&mut self, correlator: &str) -> &mut Running {
        self.running.iter_mut().find(|running| running.correlator == correlator).unwrap()
    }

    fn fails(&mut self, reason: CellularCause) {
        let result = format!("cellular_unavailable/{}", serde_json::to_value(reason).unwrap().as_str().unwrap());
        for running in &mut self.running {
            running.may.push(result.clone());
            // A verification not yet polled may begin after the network has ended, and acquires
            // another.
            running.must_end |= !running.is_new;
        }
        self.held = if self.is_held_anew && self.held != Held::No { Held::Maybe } else { Held::No };
        self.failures.push(reason);
    }

    /// The violated invariants, once everything was polled.
    pub async fn check(&mut self, results: &mut BTreeMap<String, usize>) -> Vec<String> {
        let mut broken: Vec<String> = self.around.broken.lock().unwrap().iter().map(|it| (*it).to_owned()).collect();
        for mut running in std::mem::take(&mut self.running) {
            if running.task.is_finished() {
                let result = summary(running.task.await);
                // The library may notice at any time that a network is down.
                let is_allowed = running.may.contains(&result)
                    || result == VERIFIED && running.has_start
                    || result == DOWN && self.is_down;
                if !is_allowed {
                    broken.push(format!("{} ends with {result}", running.correlator));
                }
                *results.entry(result).or_default() += 1;
            } else {
                if running.must_end {
                    broken.push(format!("{} does not end with {:?}", running.correlator, running.may));
                }
                (running.may, running.is_new) = (Vec::new(), false);
                self.running.push(running);
            }
        }
        // A verification that finds the network down ends the verifications that share it.
        if self.is_down && self.held == Held::Yes {
            self.held = Held::Maybe;
        }
        self.failures.clear();
        self.is_held_anew = false;
        self.is_down = self.around.is_down();
        let around = &self.around;
        let (acquired, released) = (around.acquired.load(Relaxed), self.released());
        let (is_held, releases) = (around.is_held(), around.releases.waiting());
        let may_be_needed = self.held != Held::No || !self.running.is_empty();
        let is_needed = self.held == Held::Yes || !self.running.is_empty();
        let others = around.starts.waiting() + around.acquires.waiting() + around.connects.waiting();
        for (rule, holds) in [
            ("one release for each acquire", acquired == released + usize::from(is_held)),
            ("a release has a timeout", !self.is_stuck),
            ("released once it is not needed", may_be_needed || !is_held),
            ("acquired as long as it is needed", !is_needed || is_held || releases > 0),
            (
                "no connection without a network",
                is_held || around.connects.waiting() + around.sockets.load(Relaxed) == 0,
            ),
            ("waits for something", self.running.is_empty() || releases + others > 0),
        ] {
            if !holds {
                broken.push(rule.to_owned());
            }
        }
        broken
    }

    /// Ends everything and returns the remaining resources; the network must still be acquirable
    /// afterwards.
    pub async fn end(self) -> Vec<String> {
        drop(self.prepared.take());
        self.running.iter().for_each(|running| running.task.abort());
        self.complete_calls().await;
        let lease = self.verifier.network.lease(self.alive.clone());
        self.complete_calls().await;
        let is_acquired = lease.acquired().await.is_ok();
        drop(lease);
        self.complete_calls().await;
        let around = &self.around;
        let (acquired, released) = (around.acquired.load(Relaxed), around.released.load(Relaxed));
        let rules = [
            ("acquired again", is_acquired),
            ("one release for each acquire", acquired == released && !around.is_held()),
            ("no connection", around.connects.waiting() + around.sockets.load(Relaxed) == 0),
            ("no task", Handle::current().metrics().num_alive_tasks() == 0),
            ("no flow and no network", Arc::strong_count(&self.alive) == 1),
        ];
        rules.into_iter().filter(|(_, holds)| !holds).map(|(rule, _)| rule.to_owned()).collect()
    }

    /// Lets all calls return.
    async fn complete_calls(&self) {
        sleep(MOMENT).await;
        let around = &self.around;
        loop {
            if around.acquires.waiting() > 0 {
                around.acquires.returns(Ok(()));
            } else if around.releases.waiting() > 0 {
                around.releases.returns(());
            } else {
                break;
            }
            sleep(MOMENT).await;
        }
    }
}

fn cancel(running: Option<&mut Running>) {
    if let Some(running) = running {
        running.task.abort();
        running.ends(CANCELLED);
    }
}

/// The kind of an error and its cause, if it has one.
fn summary(result: Result<Result<bool, VerifyError>, JoinError>) -> String {
    match result {
        Ok(Ok(true)) => VERIFIED.to_owned(),
        Ok(Ok(false)) => "not verified".to_owned(),
        Ok(Err(error)) => {
            let error: serde_json::Value = serde_json::from_str(&error.to_json()).unwrap();
            let parts = [&error["kind"], &error["cause"]].into_iter().filter_map(serde_json::Value::as_str);
            parts.collect::<Vec<_>>().join("/")
        }
        Err(error) if error.is_cancelled() => CANCELLED.to_owned(),
        Err(error) => error.to_string(),
    }
}
