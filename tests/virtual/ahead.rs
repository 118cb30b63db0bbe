//! Connections that open ahead of need: exact costs, and nothing opens that an earlier verification
//! on the same network did not use.

use std::sync::{Arc, Mutex};

use number_verify::NetworkBinding;
use tokio::time::{Duration, sleep};

use crate::flow::{Outcome, Phone, Setting};
use crate::network::{ROUND_TRIP, Reachability};
use crate::script::{CODE, Chain, STATE};
use crate::server::{Hosts, HttpRequest, Reply};

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

/// A fresh process has no remembered hosts, so that there is nothing to connect to but the backend.
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

/// Hosts in the app's configuration may be connected to: this saves three round trips; each other
/// new host costs four as before.
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

/// `start` and acquiring the network run concurrently; connecting begins as soon as the network is
/// acquired.
#[tokio::test(start_paused = true)]
async fn connections_open_as_soon_as_the_network_is_acquired() {
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

/// A verification that begins while prepared connections are opening waits for them.
#[tokio::test(start_paused = true)]
async fn verification_waits_for_opening_connections() {
    for (head_start, expected) in [(0, 6), (1, 5), (2, 4), (3, 3)] {
        let phone = phone("S1", |_| {});
        phone.verify().await;
        phone.prepare().await.unwrap();
        sleep(head_start * ROUND_TRIP).await;
        let outcome = phone.verify().await;
        assert_eq!(cost(&outcome).1, expected, "{head_start}");
        assert_eq!(outcome.connections.len(), 2, "no connection opens twice");
        let waited = outcome.trace.hops[0].connect_ms.unwrap_or_default();
        assert_eq!(waited, u64::from(3 - head_start) * 100);
    }
}

#[tokio::test(start_paused = true)]
async fn verification_starts_cold_if_disabled_or_hosts_are_forgotten() {
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
async fn hosts_are_remembered_per_operator_or_network() {
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
async fn hosts_are_forgotten_after_one_hour() {
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
    closed: Mutex<Option<(usize, Reachability)>>,
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

    fn reachability(&self, host: &str) -> Reachability {
        match *self.closed.lock().unwrap() {
            Some((index, reachability)) if self.names()[index] == host => reachability,
            _ => Reachability::Open,
        }
    }

    fn respond(&self, request: &HttpRequest) -> Reply {
        let index = self.names().iter().position(|name| *name == request.host).unwrap();
        let route = self.route.lock().unwrap();
        let next = route.iter().position(|host| *host == index).and_then(|at| route.get(at + 1));
        let location = match next {
            None => format!("https://app.example.test/cb?code={CODE}&state={STATE}"),
            Some(next) => format!("https://{}/", self.names()[*next]),
        };
        Reply::Send(format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").into())
    }
}

/// The cost is limited to two connections that carry no request.
#[tokio::test(start_paused = true)]
async fn wrong_guess_costs_no_time_and_at_most_two_connections() {
    let hosts = Arc::<Routed>::default();
    let phone = hosts.phone();
    hosts.lead(&[0, 1, 2, 3]);
    assert_eq!(cost(&phone.verify().await).1, 16);
    hosts.lead(&[0, 4, 5]);
    let outcome = phone.verify().await;
    assert_eq!(cost(&outcome).1, 12, "the same as without a guess");
    assert_eq!(outcome.trace.opened_ahead, ["n0.glide.test", "n1.glide.test", "n2.glide.test"]);
    let wasted = outcome.connections.len() - outcome.trace.hops.len();
    assert_eq!(wasted, 2);
    // From here on, the latest chain is the remembered one.
    let outcome = phone.verify().await;
    assert_eq!((cost(&outcome).1, outcome.connections.len()), (6, 3));
}

/// Of the hosts opened ahead, one that is not needed and does not respond causes no delay; one that
/// is needed is tried once more.
#[tokio::test(start_paused = true)]
async fn failed_connection_ahead_has_no_effect() {
    for reachability in [Reachability::Refused, Reachability::BlackHole, Reachability::Unknown] {
        let hosts = Arc::<Routed>::default();
        let phone = hosts.phone();
        hosts.lead(&[0, 1, 2]);
        phone.verify().await;
        *hosts.closed.lock().unwrap() = Some((1, reachability));
        hosts.lead(&[0, 3]);
        assert_eq!(cost(&phone.verify().await).1, 8, "{reachability:?}");
        hosts.lead(&[0, 3, 1]);
        let error = phone.verify().await.error_json();
        let cause = match reachability {
            Reachability::Refused => "connect",
            Reachability::BlackHole => "timeout",
            Reachability::Unknown => "dns",
            Reachability::Open | Reachability::Unreachable | Reachability::Slow(_) => unreachable!(),
        };
        assert_eq!((&error["cause"], &error["hop"]), (&cause.into(), &3.into()), "{error}");
        // A chain that failed is not remembered.
        *hosts.closed.lock().unwrap() = None;
        hosts.lead(&[0, 3]);
        assert_eq!(phone.verify().await.trace.opened_ahead, ["n0.glide.test", "n3.glide.test"]);
    }
}

/// Each host has a single connect timeout, even if a request first waited for a connection attempt
/// that failed.
#[tokio::test(start_paused = true)]
async fn failed_connection_ahead_does_not_extend_the_timeout() {
    let hosts = Arc::<Routed>::default();
    let phone = hosts.phone();
    hosts.lead(&[0, 1]);
    phone.verify().await;
    *hosts.closed.lock().unwrap() = Some((1, Reachability::BlackHole));
    let outcome = phone.verify().await;
    assert_eq!(outcome.error_json()["cause"], "timeout");
    assert_eq!(outcome.trace.total_ms, 400 + 5_000, "the first host, and the timeout of the second");
}

/// A verification does not wait for a connection attempt that is no longer polled.
#[tokio::test(start_paused = true)]
async fn abandoned_connection_ahead_stalls_no_other_verification() {
    let hosts = Arc::<Routed>::default();
    let mut setting = hosts.setting();
    setting.complete_takes = Duration::from_secs(6);
    let phone = Arc::new(Phone::new(setting));
    hosts.lead(&[0, 1, 2, 3, 4]);
    assert_eq!(cost(&phone.verify().await).1, 20);
    // The first walk ends at the second host while the connection to the fourth one is opening.
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

/// Host names may contain the number or the state.
#[tokio::test(start_paused = true)]
async fn host_name_with_a_secret_is_not_remembered() {
    let hosts = Arc::<Routed>::default();
    let phone = hosts.phone();
    hosts.lead(&[0, 8, 1]);
    phone.verify().await;
    let outcome = phone.verify().await;
    assert_eq!(outcome.result.ok(), Some(true));
    assert_eq!(outcome.trace.opened_ahead, ["n0.glide.test", "n1.glide.test"]);
    assert_eq!(outcome.trace.hops.iter().map(|hop| hop.opened_ahead).collect::<Vec<_>>(), [true, false, true]);
}
