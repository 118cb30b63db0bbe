//! All orders, up to a given length, of events on a verifier's network: verifications that begin,
//! end and are cancelled, preparations, calls of the provider and the backend that return,
//! connections that open, losses, and passing time. The invariants are checked after each event,
//! and at the end that no resource is left.
//!
//! The library is polled entirely on one thread, with tokio's runtime for one thread, so that only
//! the order of events between its `.await`s can vary. An event occurs after everything has been
//! polled, or, at most [`AT_ONCE`] times, at the same moment as the previous one, so that neither
//! was polled before both occurred. Two aspects are not explored: what other threads do within a
//! poll, where locks and channels guard single steps; and the order in which tasks that wait for
//! the same thing are polled, which is tokio's choice.
//!
//! `INTERLEAVINGS` sets the maximum length. `docs/soak.md` has the figures.

mod phone;
mod surroundings;

use std::collections::BTreeMap;
use std::env;

use tokio::runtime::Builder;
use tokio::time::{Duration, sleep};

use self::phone::Phone;

/// Takes a few seconds in a debug build.
const LENGTH: usize = 4;
/// Events of one order that occur at the same moment as the previous one.
const AT_ONCE: usize = 2;
/// When several tasks wait for the network, which one is polled first is random
/// (`tokio::sync::watch`), so that an event that was possible may not be possible when the order is
/// repeated.
const REPETITIONS: usize = 100;
/// Enough for everything to be polled, too short for any timeout.
const MOMENT: Duration = Duration::from_millis(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Begin,
    CancelFirst,
    CancelLast,
    Starts,
    StartFails,
    Prepare,
    EndPrepared,
    Acquired,
    Refused,
    Lost,
    /// The interface goes down, or comes up again, without a report.
    Flips,
    Released,
    Connected,
    NotConnected,
    HalfMinute,
}

const EVENTS: [Event; 15] = [
    Event::Begin,
    Event::CancelFirst,
    Event::CancelLast,
    Event::Starts,
    Event::StartFails,
    Event::Prepare,
    Event::EndPrepared,
    Event::Acquired,
    Event::Refused,
    Event::Lost,
    Event::Flips,
    Event::Released,
    Event::Connected,
    Event::NotConnected,
    Event::HalfMinute,
];

/// An event, and whether everything is polled before the next one.
#[derive(Debug, Clone, Copy)]
struct Step(Event, bool);

#[test]
fn every_order_of_events_keeps_the_network_invariants() {
    let length = env::var("INTERLEAVINGS").map_or(LENGTH, |length| length.parse().expect("a number"));
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (mut open, mut orders) = (vec![Vec::new()], 0_usize);
        let mut results = BTreeMap::new();
        while let Some(order) = open.pop() {
            let next = run(&order, &mut results).await;
            orders += 1;
            if order.len() < length {
                open.extend(next.into_iter().map(|step| [order.as_slice(), &[step]].concat()));
            }
        }
        println!("{orders} orders of at most {length} events; results: {results:?}");
    });
}

/// Runs one order of events, and returns the events that can follow it.
async fn run(order: &[Step], results: &mut BTreeMap<String, usize>) -> Vec<Step> {
    for _ in 0..REPETITIONS {
        if let Some(next) = run_once(order, results).await {
            return next;
        }
    }
    panic!("{order:?} was possible before, and no longer is");
}

/// `None` if an event was not possible.
async fn run_once(order: &[Step], results: &mut BTreeMap<String, usize>) -> Option<Vec<Step>> {
    let mut phone = Phone::new();
    let mut last = None;
    for step @ Step(event, is_polled) in order {
        if !phone.is_possible(*event, last) {
            phone.end().await;
            return None;
        }
        phone.happens(*event).await;
        if *is_polled {
            sleep(MOMENT).await;
            let broken = phone.check(results).await;
            assert_eq!(broken, Vec::<String>::new(), "{order:?}");
        }
        last = Some(step);
    }
    let at_once = order.iter().filter(|Step(_, is_polled)| !is_polled).count();
    let possible = EVENTS.into_iter().filter(|event| phone.is_possible(*event, last));
    let next = possible.flat_map(|event| {
        let also_at_once = at_once < AT_ONCE && event != Event::HalfMinute;
        [Some(Step(event, true)), also_at_once.then_some(Step(event, false))].into_iter().flatten()
    });
    let next = next.collect();
    let left = phone.end().await;
    assert_eq!(left, Vec::<String>::new(), "left after {order:?}");
    Some(next)
}
