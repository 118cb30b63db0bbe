//! Concurrent flows, the order of progress events, and calls that need no flow.

use std::sync::{Arc, Mutex, mpsc};

use futures_util::future::join_all;
use number_verify::{CellularStatus, Config, ListenerError, NumberVerifier, Progress, ProgressListener, Step};
use number_verify_simulator::{Operator, Options, Simulator};
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::phone::{Counts, HANGS, Loopback, NUMBER, OTHER_NUMBER, config, verifier, wait_an_hour};

#[tokio::test]
async fn concurrent_flows_share_the_network() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let mut config = config(&simulator, simulator.backend_url(Operator::B));
    wait_an_hour(&mut config);
    let network = Loopback::that_is_down();
    let verifier = NumberVerifier::new(config, network.clone(), None).unwrap();
    let numbers = [NUMBER, OTHER_NUMBER].into_iter().cycle().take(50);
    let flows: Vec<_> = numbers.clone().map(|number| verifier.begin(number.to_owned(), None)).collect();
    // A flow shares the network before it sends its first request: none ends before all share it.
    let starts = || simulator.requests().iter().filter(|request| request.path.ends_with("/start")).count();
    let all_share = async {
        while starts() < flows.len() {
            yield_now().await;
        }
    };
    timeout(HANGS, all_share).await.expect("the flows do not begin");
    network.come_up();
    let results = join_all(flows.iter().map(|flow| flow.result())).await;
    for (number, result) in numbers.zip(results) {
        assert_eq!(result.unwrap().verified(), number == NUMBER);
    }
    network.is_released().await;
    assert_eq!(network.counts(), Counts { acquired: 1, released: 1 });
}

/// A later flow acquires the network again, and reuses no connection of the earlier one; nor a TLS
/// session, because nothing identifies a loopback interface.
#[tokio::test]
async fn later_flow_starts_cold() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let (verifier, network) = verifier(config(&simulator, simulator.backend_url(Operator::A)));
    for flow in 1..=2 {
        let verification = verifier.verify(NUMBER.to_owned()).await.unwrap();
        let hop = &verification.trace().hops[0];
        assert!(!hop.reused && !hop.tls_resumed, "flow {flow}");
        network.is_released().await;
        assert_eq!(network.counts(), Counts { acquired: flow, released: flow });
    }
}

#[tokio::test]
async fn prepare_holds_the_network_for_the_next_flow() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let (verifier, network) = verifier(config(&simulator, simulator.backend_url(Operator::A)));
    verifier.prepare().await.unwrap();
    assert_eq!(network.counts(), Counts { acquired: 1, released: 0 });
    assert!(verifier.verify(NUMBER.to_owned()).await.unwrap().verified());
    network.is_released().await;
    assert_eq!(network.counts(), Counts { acquired: 1, released: 1 });
}

#[tokio::test]
async fn check_does_not_acquire_the_network() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let (verifier, network) = verifier(config(&simulator, simulator.backend_url(Operator::A)));
    assert_eq!(verifier.check().await.unwrap(), CellularStatus::Ready);
    assert_eq!(network.counts(), Counts::default());
    assert!(simulator.requests().is_empty());
}

struct Events(watch::Sender<Vec<String>>);

impl ProgressListener for Events {
    fn on_progress(&self, progress: Progress) -> Result<(), ListenerError> {
        let event = match progress {
            Progress::StepBegan { step, .. } => format!("{step} begins"),
            Progress::StepEnded { step, .. } => format!("{step} ends"),
            Progress::HopAnswered { hop, .. } => format!("hop {} {}", hop.index, hop.status.unwrap_or_default()),
            Progress::Slow { .. } => "slow".to_owned(),
            other => panic!("{other:?}"),
        };
        self.0.send_modify(|events| events.push(event));
        Err(ListenerError::Failed)
    }
}

#[tokio::test]
async fn slow_flow_is_reported_once_and_continues() {
    let simulator = Simulator::start(Options::default()).unwrap();
    for (slow_after_ms, reports) in [(1, 1), (60 * 60 * 1000, 0)] {
        let config = Config { slow_after_ms, ..config(&simulator, simulator.backend_url(Operator::B)) };
        let (verifier, _) = verifier(config);
        let events = Arc::new(Events(watch::channel(Vec::new()).0));
        let flow = verifier.begin(NUMBER.to_owned(), Some(events.clone()));
        assert!(flow.result().await.unwrap().verified());
        let mut events = events.0.subscribe();
        let all = events.wait_for(|events| events.last().is_some_and(|event| event == "complete ends"));
        let events = timeout(HANGS, all).await.expect("the last event is missing").unwrap().clone();
        assert_eq!(events.iter().filter(|event| *event == "slow").count(), reports);
    }
}

/// A listener's error is ignored.
#[tokio::test]
async fn progress_events_arrive_in_order() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let (verifier, _) = verifier(config(&simulator, simulator.backend_url(Operator::A)));
    let events = Arc::new(Events(watch::channel(Vec::new()).0));
    let flow = verifier.begin(NUMBER.to_owned(), Some(events.clone()));
    assert!(flow.result().await.unwrap().verified());
    let mut events = events.0.subscribe();
    let all = events.wait_for(|events| events.last().is_some_and(|event| event == "complete ends"));
    let mut events = timeout(HANGS, all).await.expect("the last event is missing").unwrap().clone();
    assert_eq!(events[..2], ["start begins", "acquire begins"]);
    events[2..4].sort();
    assert_eq!(events[2..4], ["acquire ends", "start ends"]);
    assert_eq!(
        events[4..],
        [
            "authorize begins",
            "hop 1 302",
            "hop 2 302",
            "hop 3 302",
            "authorize ends",
            "complete begins",
            "complete ends"
        ]
    );
    let trace = flow.trace();
    let steps = [Step::Start, Step::Acquire, Step::Authorize, Step::Complete];
    let times = [trace.start_ms, trace.acquire_ms, trace.authorize_ms, trace.complete_ms];
    for (step, time) in steps.iter().zip(times) {
        assert!(time.is_some_and(|time| time <= trace.total_ms), "{step}: {time:?}");
    }
}

/// Blocks at its first event until it is released.
struct Blocking {
    released: Mutex<mpsc::Receiver<()>>,
    received: mpsc::Sender<Progress>,
}

impl ProgressListener for Blocking {
    fn on_progress(&self, progress: Progress) -> Result<(), ListenerError> {
        let _ = self.released.lock().unwrap().recv();
        self.received.send(progress).map_err(|_| ListenerError::Failed)
    }
}

/// There are more of them than threads for progress events.
#[tokio::test]
async fn blocking_listeners_delay_no_others() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let (verifier, _) = verifier(config(&simulator, simulator.backend_url(Operator::A)));
    let mut blocked = Vec::new();
    for _ in 0..6 {
        let (release, released) = mpsc::channel();
        let (received, events) = mpsc::channel();
        let listener = Arc::new(Blocking { released: Mutex::new(released), received });
        let flow = verifier.begin(NUMBER.to_owned(), Some(listener));
        assert!(timeout(HANGS, flow.result()).await.expect("it waits for its listener").unwrap().verified());
        blocked.push((release, events));
    }
    let events = Arc::new(Events(watch::channel(Vec::new()).0));
    let flow = verifier.begin(NUMBER.to_owned(), Some(events.clone()));
    assert!(timeout(HANGS, flow.result()).await.expect("it waits for another flow's listener").unwrap().verified());
    let mut events = events.0.subscribe();
    let all = events.wait_for(|events| events.len() == 11);
    timeout(HANGS, all).await.expect("the events of another listener are missing").unwrap();
    for (release, events) in blocked {
        assert!(events.try_recv().is_err(), "it still blocks");
        drop(release);
        let late = tokio::task::spawn_blocking(move || events.iter().take(11).count());
        assert_eq!(timeout(HANGS, late).await.expect("the delayed events are missing").unwrap(), 11);
    }
}
