//! What opens before it is needed: exact costs, and that nothing opens which an earlier verification on the same network did not use.

use std::sync::{Arc, Mutex};

use number_verify::NetworkBinding;
use tokio::time::{Duration, sleep};

use crate::flow::{Outcome, Phone, Setting};
use crate::network::{Door, ROUND_TRIP};
use crate::script::{CODE, Chain, STATE};
use crate::server::{Asked, Hosts, Reply};

fn phone(chain: &str, change: impl FnOnce(&mut Setting)) -> Phone {
    let chain = Arc::new(Chain::new(chain));
    let mut setting = Setting::new(chain.clone(), chain.auth_url());
    change(&mut setting);
    Phone::new(setting)
}

/// The whole verification and its cellular leg, in round trips.
fn cost(outcome: &Outcome) -> (u64, u64) {
    assert_eq!(outcome.result.as_ref().ok(), Some(&true), "{:?}", outcome.result);
    let round_trip = u64::try_from(ROUND_TRIP.as_millis()).unwrap();
    let (total, cellular) = (outcome.trace.total_ms, outcome.trace.authorize_ms.unwrap());
    assert_eq!((total % round_trip, cellular % round_trip), (0, 0), "whole round trips");
    (total / round_trip, cellular / round_trip)
}

/// `start` and `complete` take two round trips each.
fn with_backend(setting: &mut Setting) {
    setting.start_takes = 2 * ROUND_TRIP;
    setting.complete_takes = 2 * ROUND_TRIP;
}

#[tokio::test(start_paused = true)]
async fn prepared_verification_costs_one_round_trip_per_request() {
    for (chain, cold, prepared) in [("S1", 9, 3), ("S2", 14, 6)] {
        let phone = phone(chain, with_backend);
        assert_eq!(cost(&phone.verify().await), (cold + 4, cold), "{chain}");
        for _ in 0..2 {
            phone.prepare().await.unwrap();
            sleep(3 * ROUND_TRIP).await;
            let outcome = phone.verify().await;
            assert_eq!(cost(&outcome), (prepared + 4, prepared), "{chain}");
            let hops = &outcome.trace.hops;
            assert!(hops.iter().all(|hop| hop.opened_ahead != hop.reused), "{}", outcome.trace.to_table());
        }
    }
}

/// Nothing is known of the hosts in a fresh process, so that there is nothing to connect to but the backend.
#[tokio::test(start_paused = true)]
async fn first_verification_opens_nothing_ahead_even_if_prepared() {
    for (chain, cold) in [("S1", 9), ("S2", 14)] {
        let phone = phone(chain, with_backend);
        phone.prepare().await.unwrap();
        sleep(3 * ROUND_TRIP).await;
        let outcome = phone.verify().await;
        assert_eq!(cost(&outcome), (cold + 4, cold), "{chain}");
        assert!(outcome.trace.opened_ahead.is_empty());
        assert!(outcome.trace.hops.iter().all(|hop| !hop.opened_ahead));
        let used: Vec<_> = outcome.trace.hops.iter().filter(|hop| !hop.reused).map(|hop| hop.host.as_str()).collect();
        assert_eq!(outcome.connections, used);
        assert_eq!(outcome.lookups, used);
    }
}

/// What the app has in its configuration may be connected to: three round trips less, and each other new host costs four as before.
#[tokio::test(start_paused = true)]
async fn configured_auth_host_opens_ahead_of_the_first_verification() {
    for (chain, prepared) in [("S1", 6), ("S2", 11)] {
        for prepares in [false, true] {
            let phone = phone(chain, |setting| {
                setting.start_takes = 3 * ROUND_TRIP;
                setting.config.auth_origin = Some("https://auth.glide.test".to_owned());
            });
            if prepares {
                phone.prepare().await.unwrap();
                sleep(3 * ROUND_TRIP).await;
            }
            let outcome = phone.verify().await;
            assert_eq!(cost(&outcome), (3 + prepared, prepared), "{chain}, prepared: {prepares}");
            let expected: &[&str] = if prepares { &[] } else { &["auth.glide.test"] };
            assert_eq!(outcome.trace.opened_ahead, expected);
        }
    }
    let off = phone("S1", |setting| {
        setting.config.auth_origin = Some("https://auth.glide.test".to_owned());
        setting.config.open_ahead = false;
    });
    assert_eq!(cost(&off.verify().await).1, 9);
}

/// The first connections open while `start` runs, the others while a hop responds.
#[tokio::test(start_paused = true)]
async fn repeated_verification_hides_connections_behind_start_and_earlier_hops() {
    for (chain, start_takes, expected) in
        [("S1", 0, 6), ("S1", 2, 4), ("S1", 3, 3), ("S2", 0, 9), ("S2", 2, 7), ("S2", 3, 6)]
    {
        let phone = phone(chain, |setting| setting.start_takes = start_takes * ROUND_TRIP);
        phone.verify().await;
        let outcome = phone.verify().await;
        assert_eq!(cost(&outcome), (u64::from(start_takes) + expected, expected), "{chain}, start {start_takes}");
    }
}

/// `start`, acquiring and, right after that, connecting run at the same time.
#[tokio::test(start_paused = true)]
async fn connections_open_as_soon_as_the_network_is_there() {
    let phone = phone("S1", |setting| {
        setting.start_takes = 5 * ROUND_TRIP;
        setting.acquire_takes = 2 * ROUND_TRIP;
    });
    phone.verify().await;
    let outcome = phone.verify().await;
    assert_eq!(cost(&outcome), (5 + 3, 3));
    assert_eq!(outcome.trace.opened_ahead, ["auth.glide.test", "operator-a.test"]);
    assert_eq!(outcome.trace.acquire_ms, Some(200));
}

/// A verification that begins while the prepared connections open waits for them.
#[tokio::test(start_paused = true)]
async fn verification_waits_for_connections_that_are_opening() {
    for (head_start, expected) in [(0, 6), (1, 5), (2, 4), (3, 3)] {
        let phone = phone("S1", |_| {});
        phone.verify().await;
        phone.prepare().await.unwrap();
        sleep(head_start * ROUND_TRIP).await;
        let outcome = phone.verify().await;
        assert_eq!(cost(&outcome).1, expected, "{head_start}");
        assert_eq!(outcome.connections.len(), 2, "none opens twice");
        let waited = outcome.trace.hops[0].connect_ms.unwrap_or_default();
        assert_eq!(waited, u64::from(3 - head_start) * 100);
    }
}

#[tokio::test(start_paused = true)]
async fn switched_off_or_forgotten_a_verification_begins_cold() {
    let off = phone("S2", |setting| setting.config.open_ahead = false);
    let forgotten = phone("S2", |_| {});
    for _ in 0..2 {
        for phone in [&off, &forgotten] {
            phone.prepare().await.unwrap();
            sleep(3 * ROUND_TRIP).await;
            let outcome = phone.verify().await;
            assert_eq!(cost(&outcome).1, 14);
            assert!(outcome.trace.opened_ahead.is_empty());
            phone.forget_hosts();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn hosts_are_remembered_for_one_operator_or_else_for_one_network() {
    let index = |index| NetworkBinding::AppleInterface { index };
    for (first, second, is_remembered) in [
        ((None, index(1)), (None, index(1)), true),
        ((None, index(1)), (None, index(2)), false),
        ((Some("310260"), index(1)), (Some("310260"), index(1)), true),
        ((Some("310260"), index(1)), (Some("310260"), index(2)), true),
        ((Some("310260"), index(1)), (Some("310150"), index(1)), false),
        ((Some("310260"), index(1)), (Some("31026"), index(1)), false),
        ((Some("310260"), index(1)), (None, index(1)), false),
        ((None, index(1)), (Some("310260"), index(1)), false),
        ((Some(""), index(1)), (Some("+10260"), index(1)), true),
        ((Some(""), index(1)), (Some("3102600"), index(2)), false),
    ] {
        let networks = [first, second];
        let phone = phone("S1", |setting| setting.networks = Arc::new(move |acquired| networks[acquired].clone()));
        phone.verify().await;
        phone.prepare().await.unwrap();
        sleep(3 * ROUND_TRIP).await;
        let expected = if is_remembered { 3 } else { 9 };
        assert_eq!(cost(&phone.verify().await).1, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn hosts_are_forgotten_after_an_hour() {
    for (minutes, expected) in [(59, 3), (61, 9)] {
        let phone = phone("S1", |_| {});
        phone.verify().await;
        sleep(Duration::from_mins(minutes)).await;
        phone.prepare().await.unwrap();
        sleep(3 * ROUND_TRIP).await;
        assert_eq!(cost(&phone.verify().await).1, expected, "{minutes}");
    }
}

/// Each host of the route redirects to the next one.
#[derive(Default)]
struct Routed {
    route: Mutex<Vec<usize>>,
    closed: Mutex<Option<(usize, Door)>>,
}

impl Routed {
    fn phone(self: &Arc<Self>) -> Phone {
        Phone::new(self.setting())
    }

    fn setting(self: &Arc<Self>) -> Setting {
        let auth_url = format!("https://n0.glide.test/?state={STATE}&redirect_uri=https%3A%2F%2Fapp.example.test%2Fcb");
        Setting::new(self.clone(), auth_url)
    }

    fn lead(&self, route: &[usize]) {
        *self.route.lock().unwrap() = route.to_vec();
    }
}

impl Hosts for Routed {
    fn names(&self) -> Vec<String> {
        (0..8).map(|index| format!("n{index}.glide.test")).chain([format!("{STATE}.glide.test")]).collect()
    }

    fn door(&self, host: &str) -> Door {
        match *self.closed.lock().unwrap() {
            Some((index, door)) if self.names()[index] == host => door,
            _ => Door::Open,
        }
    }

    fn answer(&self, asked: &Asked) -> Reply {
        let index = self.names().iter().position(|name| *name == asked.host).unwrap();
        let route = self.route.lock().unwrap();
        let next = route.iter().position(|host| *host == index).and_then(|at| route.get(at + 1));
        let location = match next {
            None => format!("https://app.example.test/cb?code={CODE}&state={STATE}"),
            Some(next) => format!("https://{}/", self.names()[*next]),
        };
        Reply::Send(format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").into())
    }
}

/// It costs nothing but two connections that nothing is sent on.
#[tokio::test(start_paused = true)]
async fn wrong_guess_costs_no_time_and_two_connections_at_most() {
    let hosts = Arc::<Routed>::default();
    let phone = hosts.phone();
    hosts.lead(&[0, 1, 2, 3]);
    assert_eq!(cost(&phone.verify().await).1, 16);
    hosts.lead(&[0, 4, 5]);
    let outcome = phone.verify().await;
    assert_eq!(cost(&outcome).1, 12, "as without any guess");
    assert_eq!(outcome.trace.opened_ahead, ["n0.glide.test", "n1.glide.test", "n2.glide.test"]);
    let wasted = outcome.connections.len() - outcome.trace.hops.len();
    assert_eq!(wasted, 2);
    // The latest chain counts from now on.
    let outcome = phone.verify().await;
    assert_eq!((cost(&outcome).1, outcome.connections.len()), (6, 3));
}

/// Of the hosts that are opened ahead, one that is not needed and does not respond delays nothing; one that is needed is tried once more.
#[tokio::test(start_paused = true)]
async fn opening_that_fails_has_no_effect_of_its_own() {
    for door in [Door::Refused, Door::BlackHole, Door::Unknown] {
        let hosts = Arc::<Routed>::default();
        let phone = hosts.phone();
        hosts.lead(&[0, 1, 2]);
        phone.verify().await;
        *hosts.closed.lock().unwrap() = Some((1, door));
        hosts.lead(&[0, 3]);
        assert_eq!(cost(&phone.verify().await).1, 8, "{door:?}");
        hosts.lead(&[0, 3, 1]);
        let error = phone.verify().await.error_json();
        let cause = match door {
            Door::Refused => "connect",
            Door::BlackHole => "timeout",
            Door::Unknown => "dns",
            Door::Open | Door::Unreachable | Door::Slow(_) => unreachable!(),
        };
        assert_eq!((&error["cause"], &error["hop"]), (&cause.into(), &3.into()), "{error}");
        // A chain that failed is not remembered.
        *hosts.closed.lock().unwrap() = None;
        hosts.lead(&[0, 3]);
        assert_eq!(phone.verify().await.trace.opened_ahead, ["n0.glide.test", "n3.glide.test"]);
    }
}

/// A host gets its time for connecting once, also if a request first waited for an opening that failed.
#[tokio::test(start_paused = true)]
async fn opening_in_vain_does_not_prolong_the_timeout() {
    let hosts = Arc::<Routed>::default();
    let phone = hosts.phone();
    hosts.lead(&[0, 1]);
    phone.verify().await;
    *hosts.closed.lock().unwrap() = Some((1, Door::BlackHole));
    let outcome = phone.verify().await;
    assert_eq!(outcome.error_json()["cause"], "timeout");
    assert_eq!(outcome.trace.total_ms, 400 + 5_000, "the first host, and the timeout of the second");
}

/// An opening that nothing polls any more is not waited for.
#[tokio::test(start_paused = true)]
async fn opening_of_a_verification_that_no_longer_needs_it_stalls_no_other() {
    let hosts = Arc::<Routed>::default();
    let mut setting = hosts.setting();
    setting.complete_takes = Duration::from_secs(6);
    let phone = Arc::new(Phone::new(setting));
    hosts.lead(&[0, 1, 2, 3, 4]);
    assert_eq!(cost(&phone.verify().await).1, 20);
    // The first one ends its walk at the second host, while the connection to the fourth one opens.
    hosts.lead(&[0, 1]);
    let first = tokio::spawn({
        let phone = phone.clone();
        async move { phone.verify_only().await }
    });
    sleep(5 * ROUND_TRIP + ROUND_TRIP / 2).await;
    hosts.lead(&[0, 3]);
    let second = phone.verify_only().await;
    assert_eq!(second.result.ok(), Some(true));
    assert!(second.trace.authorize_ms.unwrap() <= 500, "{}", second.trace.to_table());
    assert_eq!(first.await.unwrap().result.ok(), Some(true));
}

/// Hosts may have the number or the state in their names.
#[tokio::test(start_paused = true)]
async fn host_with_a_secret_in_its_name_is_not_remembered() {
    let hosts = Arc::<Routed>::default();
    let phone = hosts.phone();
    hosts.lead(&[0, 8, 1]);
    phone.verify().await;
    let outcome = phone.verify().await;
    assert_eq!(outcome.result.ok(), Some(true));
    assert_eq!(outcome.trace.opened_ahead, ["n0.glide.test", "n1.glide.test"]);
    assert_eq!(outcome.trace.hops.iter().map(|hop| hop.opened_ahead).collect::<Vec<_>>(), [true, false, true]);
}
