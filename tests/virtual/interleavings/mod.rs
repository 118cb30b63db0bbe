//! All orders of what can happen to the network of a verifier, up to a length: verifications that begin, end and are cancelled,
//! preparations, the provider's and the backend's calls that return, connections that open, losses, and time that passes. After each event
//! what must always hold is checked, and at the end that nothing is left.
//!
//! The library polls all that it does on one thread, with tokio's runtime for one, so that the order of events between its `.await`s is
//! what can differ. An event comes when everything has been polled, or, at most [`AT_ONCE`] times, in the same moment as the one before it,
//! so that neither was polled when both have happened. Two things are not explored: what other threads do within a poll, where locks and
//! channels guard single steps; and in which order tasks are polled that wait for the same thing, which is tokio's choice.
//!
//! `INTERLEAVINGS` is the greatest length. `docs/soak.md` has the figures.

mod phone;
mod surroundings;

use std::collections::BTreeMap;
use std::env;

use tokio::runtime::Builder;
use tokio::time::{Duration, sleep};

use self::phone::Phone;

/// A few seconds in a debug build.
const LENGTH: usize = 4;
/// Events of one order that come in the same moment as the one before.
const AT_ONCE: usize = 2;
/// Who of several that wait for the network is polled first is random (`tokio::sync::watch`), so that what was possible after some events
/// may not be when they are repeated.
const REPETITIONS: usize = 100;
/// In which everything is polled, and nothing times out.
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
    /// The interface is down, or up again, and nothing reports it.
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
fn every_order_of_events_keeps_the_rules_of_the_network() {
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

/// Runs one order of events, and returns what can come after it.
async fn run(order: &[Step], results: &mut BTreeMap<String, usize>) -> Vec<Step> {
    for _ in 0..REPETITIONS {
        if let Some(next) = run_once(order, results).await {
            return next;
        }
    }
    panic!("{order:?} was possible once, and no longer is");
}

/// Nothing if an event was not possible.
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
