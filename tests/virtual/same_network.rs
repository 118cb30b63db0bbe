//! TLS sessions and DNS results are preserved across the release of a network that is acquired
//! again, and are never used on a different network.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use number_verify::internals::{Clock, LocalAddresses};
use number_verify::{CellularCause, NetworkBinding};
use tokio::task::yield_now;
use tokio::time::{Duration, Instant, sleep};

use crate::flow::{Outcome, Phone, Setting};
use crate::network::{Attachment, ROUND_TRIP, Resolver};
use crate::script::Chain;

const MINUTE: Duration = Duration::from_mins(1);

/// A phone, and the network that it is attached to.
fn phone(change: impl FnOnce(&mut Setting)) -> (Phone, AttachedNetwork) {
    let chain = Arc::new(Chain::new("S1"));
    let mut setting = Setting::new(chain.clone(), chain.auth_url());
    change(&mut setting);
    let attached =
        AttachedNetwork { network: Arc::new(Mutex::new(network(100))), attachment: setting.attachment.clone() };
    let network = attached.network.clone();
    setting.networks = Arc::new(move |_| network.lock().unwrap().clone());
    (Phone::new(setting), attached)
}

struct AttachedNetwork {
    /// The operator and the handle.
    network: Arc<Mutex<(Option<&'static str>, NetworkBinding)>>,
    attachment: Arc<Mutex<Attachment>>,
}

/// By its id. The operator is unknown.
fn network(id: u64) -> (Option<&'static str>, NetworkBinding) {
    (None, NetworkBinding::AndroidNetwork { handle: id << 32 | 0xcafe_d00d })
}

fn addresses(v4: &str, v6: &str) -> Option<LocalAddresses> {
    LocalAddresses::new(v4.parse().ok(), v6.parse().ok())
}

/// Whether the handshakes resumed sessions: all of them, or none.
fn is_resumed(outcome: &Outcome) -> bool {
    assert_eq!(outcome.result.as_ref().ok(), Some(&true), "{:?}", outcome.result);
    let handshakes: Vec<_> = outcome.trace.hops.iter().filter(|hop| !hop.reused).collect();
    assert_eq!(handshakes.len(), 2, "every verification opens its own connections");
    assert_eq!(handshakes[0].tls_resumed, handshakes[1].tls_resumed);
    handshakes[0].tls_resumed
}

fn bytes(outcome: &Outcome) -> u64 {
    outcome.trace.hops.iter().map(|hop| hop.bytes_in + hop.bytes_out).sum()
}

#[tokio::test(start_paused = true)]
async fn network_acquired_again_resumes_its_sessions() {
    let (phone, _) = phone(|_| {});
    let cold = phone.verify().await;
    assert!(!is_resumed(&cold));
    assert_eq!((cold.acquired, cold.released, phone.open_connections()), (1, 1, 0));
    sleep(10 * MINUTE).await;
    let warm = phone.verify().await;
    assert!(is_resumed(&warm));
    assert!(bytes(&warm) < bytes(&cold), "{} {}", bytes(&warm), bytes(&cold));
    assert_eq!((warm.acquired, warm.released, phone.open_connections()), (2, 2, 0));
}

/// The difference is in DNS: TLS 1.3 takes a round trip in both cases. Without remembered hosts, no
/// connection opens ahead.
#[tokio::test(start_paused = true)]
async fn names_cached_by_the_system_cost_no_round_trip() {
    let (phone, attached) = phone(|setting| setting.resolver = Resolver::Caching);
    let spent = |outcome: &Outcome| (Duration::from_millis(outcome.trace.authorize_ms.unwrap()), outcome.lookups.len());
    let (cold, warm) = ((9 * ROUND_TRIP, 2), (7 * ROUND_TRIP, 0));
    assert_eq!(spent(&phone.verify().await), cold);
    phone.forget_hosts();
    assert_eq!(spent(&phone.verify().await), warm);
    *attached.network.lock().unwrap() = network(101);
    assert_eq!(spent(&phone.verify().await), cold);
}

#[tokio::test(start_paused = true)]
async fn different_network_starts_cold() {
    let dual = || addresses("10.20.30.40", "2a00:1:2:3::7");
    for (name, before, after, resumes) in [
        ("the same", dual(), (100, dual()), true),
        ("another handle, as of another SIM", dual(), (101, dual()), false),
        ("another IPv4 address", dual(), (100, addresses("10.20.30.41", "2a00:1:2:3::7")), false),
        ("another IPv6 address", dual(), (100, addresses("10.20.30.40", "2a00:1:2:4::7")), false),
        ("IPv6 removed", dual(), (100, addresses("10.20.30.40", "")), false),
        ("IPv6 in addition", addresses("10.20.30.40", ""), (100, dual()), false),
        ("addresses unknown later", dual(), (100, None), false),
        ("addresses never known", None, (100, None), false),
        (
            "IPv6 only, which gives every phone this IPv4 address",
            addresses("192.0.0.4", ""),
            (100, addresses("192.0.0.4", "")),
            false,
        ),
    ] {
        let (phone, attached) = phone(|_| {});
        attached.attachment.lock().unwrap().addresses = before;
        assert!(!is_resumed(&phone.verify().await), "{name}");
        *attached.network.lock().unwrap() = network(after.0);
        attached.attachment.lock().unwrap().addresses = after.1;
        assert_eq!(is_resumed(&phone.verify().await), resumes, "{name}");
    }
}

/// A SIM of a different operator behind the same interface, with the addresses of the first.
#[tokio::test(start_paused = true)]
async fn different_operator_starts_cold() {
    let (phone, attached) = phone(|_| {});
    for (operator, resumes) in
        [(Some("31026"), false), (Some("31026"), true), (Some("310410"), false), (None, false), (Some("310410"), false)]
    {
        attached.network.lock().unwrap().0 = operator;
        assert_eq!(is_resumed(&phone.verify().await), resumes, "{operator:?}");
    }
}

/// Only the last network is remembered.
#[tokio::test(start_paused = true)]
async fn network_used_before_another_starts_cold() {
    let (phone, attached) = phone(|_| {});
    for id in [100, 101, 100] {
        *attached.network.lock().unwrap() = network(id);
        assert!(!is_resumed(&phone.verify().await), "{id}");
    }
    assert!(is_resumed(&phone.verify().await));
}

#[tokio::test(start_paused = true)]
async fn lost_network_drops_its_sessions() {
    let (phone, _) = phone(|setting| setting.losses = vec![(Duration::from_secs(5), CellularCause::InterfaceDown)]);
    let held = phone.lease();
    assert!(!is_resumed(&phone.verify_only().await));
    sleep(Duration::from_secs(6)).await;
    drop(held);
    assert!(!is_resumed(&phone.verify().await));
    assert!(is_resumed(&phone.verify().await), "that network was released before its loss");
}

#[tokio::test(start_paused = true)]
async fn network_down_or_changed_at_release_drops_its_sessions() {
    type Change = fn(&mut Attachment);
    let down: Change = |network| network.is_up = false;
    let renumbered: Change = |network| network.addresses = LocalAddresses::new(Some(Ipv4Addr::new(10, 9, 9, 9)), None);
    for change in [down, renumbered] {
        let (phone, attached) = phone(|setting| setting.release_takes = Duration::from_secs(1));
        let before = attached.attachment.lock().unwrap().clone();
        let held = phone.lease();
        assert!(!is_resumed(&phone.verify_only().await));
        change(&mut attached.attachment.lock().unwrap());
        drop(held);
        sleep(Duration::from_secs(2)).await;
        *attached.attachment.lock().unwrap() = before;
        assert!(!is_resumed(&phone.verify().await));
    }
}

#[tokio::test(start_paused = true)]
async fn failed_acquisition_drops_the_sessions_and_cancelled_does_not() {
    let (phone, attached) = phone(|setting| setting.acquire_takes = Duration::from_secs(1));
    assert!(!is_resumed(&phone.verify().await));
    let cancelled = phone.lease();
    yield_now().await;
    drop(cancelled);
    assert!(is_resumed(&phone.verify().await));
    attached.attachment.lock().unwrap().refusal = Some(CellularCause::DataOff);
    assert_eq!(phone.verify().await.error_json()["cause"], "data_off");
    attached.attachment.lock().unwrap().refusal = None;
    assert!(!is_resumed(&phone.verify().await));
}

/// Measured from the first acquisition, regardless of what happens in between.
#[tokio::test(start_paused = true)]
async fn sessions_expire_after_one_hour() {
    let (phone, _) = phone(|_| {});
    for (pause, resumes) in [(0, false), (30, true), (29, true), (2, false), (59, true), (2, false)] {
        sleep(pause * MINUTE).await;
        assert_eq!(is_resumed(&phone.verify().await), resumes, "after {pause} minutes");
    }
}

/// The time asleep is included.
#[tokio::test(start_paused = true)]
async fn sessions_expire_after_an_hour_of_sleep() {
    let asleep = Arc::<AtomicU64>::default();
    let (began, minutes) = (Instant::now(), asleep.clone());
    let clock = Clock::new(move || began.elapsed() + u32::try_from(minutes.load(Ordering::Relaxed)).unwrap() * MINUTE);
    let (phone, _) = phone(|setting| setting.clock = clock);
    for (minutes, resumes) in [(0, false), (50, true), (20, false)] {
        asleep.fetch_add(minutes, Ordering::Relaxed);
        assert_eq!(is_resumed(&phone.verify().await), resumes, "{minutes} minutes asleep");
    }
}
