//! Verifications over real sockets, on one verifier that is called from many threads: with
//! cancellations, dropped flows, lost networks and preparations in random order. Each has an
//! allowed result; at the end every socket is closed, every thread has ended, and the network was
//! released as often as it was acquired.
//!
//! The simulator runs in the same process and records what it receives, so that the heap is
//! compared again once the simulator has ended. `SOAK_COUNT` is the number of verifications,
//! `SOAK_SEED` repeats the events.

#[path = "../soak/memory.rs"]
mod memory;
mod modem;
#[allow(dead_code, reason = "used in full by tests/soak")]
#[path = "../soak/process.rs"]
mod process;
#[allow(dead_code, reason = "used in full by tests/at_scale")]
#[path = "../at_scale/random.rs"]
mod random;

use std::env;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::iter;
use number_verify::{Config, NumberVerifier, VerificationOptions, VerifyError};
use number_verify_simulator::{Operator, Options, Simulator};
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};

use modem::{LOSS, Modem};
use process::Process;
use random::Random;

/// Fixed, so that a change does not fail because of unrelated events; `make soak` draws other
/// seeds.
const SEED: u64 = 20_261_128;
const COUNT: u32 = 300;
const AT_ONCE: usize = 16;
/// After this many, all end before the next begins.
const GROUP: usize = 40;
/// No operation takes a second on an idle machine.
const HANGS: Duration = Duration::from_mins(2);
/// Allowed heap growth: less than 14 bytes for each of 5,000 verifications.
const GROWTH: usize = 64 * 1024;
const LAG: Duration = Duration::from_secs(5);
/// The number of the simulator's SIM, and one of no SIM.
const NUMBERS: [&str; 2] = ["+14155550100", "+14155550199"];

/// One verification, and the event that accompanies its start.
#[derive(Debug, Clone, Copy)]
struct Planned {
    is_match: bool,
    ends: Ends,
    event: Event,
}

#[derive(Debug, Clone, Copy)]
enum Ends {
    ByItself,
    Cancelled(Duration),
    Dropped(Duration),
}

#[derive(Debug, Clone, Copy)]
enum Event {
    None,
    Prepare,
    Lost,
}

impl Planned {
    fn draw(random: &mut Random) -> Self {
        let moment = Duration::from_millis(random.below(60).into());
        let ends = match random.below(20) {
            0 => Ends::Cancelled(moment),
            1 => Ends::Dropped(moment),
            _ => Ends::ByItself,
        };
        let event = match random.below(20) {
            0 | 1 => Event::Prepare,
            2 => Event::Lost,
            _ => Event::None,
        };
        Self { is_match: random.below(4) > 0, ends, event }
    }
}

#[test]
fn verifications_from_many_threads_leak_no_sockets_or_threads() {
    let setting = |name| env::var(name).ok().map(|value| value.parse().expect("a number"));
    let seed: u64 = setting("SOAK_SEED").unwrap_or(SEED);
    let count = setting("SOAK_COUNT").map_or(COUNT, |count| u32::try_from(count).unwrap());
    println!("SOAK_SEED={seed} SOAK_COUNT={count}");
    let simulator = Simulator::start(Options::default()).unwrap();
    let runtime = Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async { sleep(Duration::from_millis(100)).await }); // Until its threads have started.
    let before = Process::now();
    runtime.block_on(soak(&simulator, seed, count));
    let mut after = Process::now();
    for _ in 0..100 {
        if (after.threads, after.files) == (before.threads, before.files) {
            break;
        }
        std::thread::sleep(Duration::from_millis(100)); // Until the simulator has closed its ends.
        after = Process::now();
    }
    println!("before: {before:?}, after: {after:?}");
    drop(simulator);
    let rest = Process::now();
    println!("without the simulator: {rest:?}");
    assert!(rest.heap_bytes < before.heap_bytes + GROWTH, "SOAK_SEED={seed}");
    assert_eq!((after.threads, after.files), (before.threads, before.files), "SOAK_SEED={seed}");
}

async fn soak(simulator: &Simulator, seed: u64, count: u32) {
    let mut random = Random(seed);
    let modem = Arc::<Modem>::default();
    let verifier = NumberVerifier::new(config(simulator), modem.clone(), None).unwrap();
    let mut results = Vec::new();
    for begins in (0..count).step_by(GROUP) {
        let planned: Vec<_> = (begins..count).take(GROUP).map(|_| Planned::draw(&mut random)).collect();
        let running = iter(planned).map(|planned| tokio::spawn(run(verifier.clone(), modem.clone(), planned)));
        results.extend(running.buffer_unordered(AT_ONCE).map(Result::unwrap).collect::<Vec<_>>().await);
    }
    let now = Process::now();
    let ended = verifier.ended();
    drop(verifier);
    timeout(HANGS, ended).await.expect("the verifier does not end");
    let (acquired, released) = modem.counts();
    assert_eq!(acquired, released, "SOAK_SEED={seed}");
    let times = |result| results.iter().filter(|it| **it == result).count();
    println!(
        "{} yes, {} no, {} cancelled, {} lost; acquired and released {acquired} times; at the end of the last one: {now:?}",
        times("yes"),
        times("no"),
        times("cancelled"),
        times("lost"),
    );
}

/// No timeout ends a verification, however busy the machine is.
fn config(simulator: &Simulator) -> Config {
    let mut config = Config::new(simulator.backend_url(Operator::B));
    let minutes = 120_000;
    let deadlines = &mut config.deadlines;
    deadlines.overall_ms = minutes;
    deadlines.acquire_ms = minutes;
    deadlines.connect_ms = minutes;
    deadlines.answer_ms = minutes;
    deadlines.backend_ms = minutes;
    config.abort_path = Some("abort".to_owned());
    config.development.root_certificates.push(simulator.root_ca_pem().to_owned());
    config.development.resolve.extend(simulator.hosts());
    config
}

async fn run(verifier: Arc<NumberVerifier>, modem: Arc<Modem>, planned: Planned) -> &'static str {
    // The verifier's thread may learn of a loss only after a verification that begins after it.
    let began = Instant::now().checked_sub(LAG).unwrap();
    match planned.event {
        Event::None => {}
        Event::Prepare => {
            let prepared = timeout(HANGS, verifier.prepare()).await.expect("prepare hangs");
            assert!(prepared.is_ok() || modem.was_lost_since(began), "{planned:?}: {prepared:?}");
        }
        Event::Lost => modem.lose(),
    }
    let number = NUMBERS[usize::from(!planned.is_match)].to_owned();
    let flow = verifier.begin_with(number, VerificationOptions::default(), None);
    match planned.ends {
        Ends::ByItself => {}
        Ends::Cancelled(after) => {
            sleep(after).await;
            flow.cancel();
        }
        Ends::Dropped(after) => {
            sleep(after).await;
            return "cancelled";
        }
    }
    match timeout(HANGS, flow.result()).await.expect("the verification hangs") {
        Ok(verification) if verification.verified() == planned.is_match => ["no", "yes"][usize::from(planned.is_match)],
        Err(VerifyError::Cancelled) if matches!(planned.ends, Ends::Cancelled(_)) => "cancelled",
        Err(VerifyError::CellularUnavailable { reason: LOSS }) if modem.was_lost_since(began) => "lost",
        other => panic!("{planned:?}: {other:?}"),
    }
}
