//! The lifetime of a preparation: alone, with verifications, repeated, and cancelled.

use std::sync::Arc;
use std::task::Poll;

use futures_util::poll;
use number_verify::CellularCause;
use proptest::prelude::*;
use tokio::runtime::Builder;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Duration, sleep};

use crate::flow::{Outcome, Phone, Setting};
use crate::network::ROUND_TRIP;
use crate::script::Chain;

fn phone(change: impl FnOnce(&mut Setting)) -> Arc<Phone> {
    let chain = Arc::new(Chain::new("S2"));
    let mut setting = Setting::new(chain.clone(), chain.auth_url());
    change(&mut setting);
    Arc::new(Phone::new(setting))
}

#[tokio::test(start_paused = true)]
async fn preparation_without_a_verification_ends_after_30_seconds() {
    let phone = phone(|_| {});
    phone.verify().await;
    phone.prepare().await.unwrap();
    sleep(Duration::from_millis(29_999)).await;
    assert_eq!((phone.acquired_and_released(), phone.open_connections()), ((2, 1), 2));
    sleep(Duration::from_millis(101)).await;
    assert_eq!((phone.acquired_and_released(), phone.open_connections()), ((2, 2), 0));
    sleep(Duration::from_hours(1)).await;
    assert_eq!(phone.acquired_and_released(), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn second_preparation_restarts_the_30_seconds_on_the_same_network() {
    let phone = phone(|_| {});
    phone.verify().await;
    for _ in 0..5 {
        phone.prepare().await.unwrap();
        sleep(Duration::from_secs(20)).await;
    }
    assert_eq!(phone.acquired_and_released(), (2, 1));
    sleep(Duration::from_secs(11)).await;
    assert_eq!((phone.acquired_and_released(), phone.open_connections()), ((2, 2), 0));
}

#[tokio::test(start_paused = true)]
async fn preparation_ends_with_next_verification_or_continues_if_begun_during_one() {
    let phone = phone(|_| {});
    phone.prepare().await.unwrap();
    assert_eq!(phone.verify_only().await.result.ok(), Some(true));
    sleep(ROUND_TRIP).await;
    assert_eq!(phone.acquired_and_released(), (1, 1));
    let running = tokio::spawn({
        let phone = phone.clone();
        async move { phone.verify_only().await }
    });
    sleep(ROUND_TRIP).await;
    phone.prepare().await.unwrap();
    assert_eq!(running.await.unwrap().result.ok(), Some(true));
    sleep(Duration::from_secs(20)).await;
    assert_eq!(phone.acquired_and_released(), (2, 1));
    sleep(Duration::from_secs(11)).await;
    assert_eq!((phone.acquired_and_released(), phone.open_connections()), ((2, 2), 0));
}

/// The caller may stop waiting for the network; the preparation continues.
#[tokio::test(start_paused = true)]
async fn preparation_continues_if_its_caller_does_not_wait() {
    let phone = phone(|setting| setting.acquire_takes = ROUND_TRIP);
    assert!(poll!(Box::pin(phone.prepare())).is_pending());
    sleep(2 * ROUND_TRIP).await;
    assert_eq!(phone.acquired_and_released(), (1, 0));
    assert_eq!(phone.verify_only().await.trace.acquire_ms, Some(0));
    sleep(ROUND_TRIP).await;
    assert_eq!(phone.acquired_and_released(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn preparation_ends_with_its_lost_network() {
    let phone = phone(|setting| setting.losses = vec![(Duration::from_secs(5), CellularCause::InterfaceDown)]);
    phone.verify().await;
    phone.prepare().await.unwrap();
    sleep(Duration::from_millis(5_200)).await;
    assert_eq!((phone.acquired_and_released(), phone.open_connections()), ((2, 2), 0));
}

#[derive(Debug, Clone)]
enum Action {
    Prepare,
    /// Without waiting for the network.
    PrepareAndGo,
    Begin,
    CancelLatest,
    Wait(u16),
    ForgetHosts,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        Just(Action::Prepare),
        Just(Action::PrepareAndGo),
        Just(Action::Begin),
        Just(Action::CancelLatest),
        (0..3_000_u16).prop_map(Action::Wait),
        Just(Action::Wait(20_000)),
        Just(Action::ForgetHosts),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_order_ends_with_one_release_per_acquire_and_no_connection(
        actions in prop::collection::vec(action(), 1..16),
        acquire_ms in 0..1_000_u64,
        release_ms in 0..1_000_u64,
        lost_after_ms in prop::option::of(0..60_000_u64),
    ) {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let phone = phone(|setting| {
                setting.acquire_takes = Duration::from_millis(acquire_ms);
                setting.release_takes = Duration::from_millis(release_ms);
                setting.losses = lost_after_ms
                    .map(|ms| (Duration::from_millis(ms), CellularCause::InterfaceDown))
                    .into_iter()
                    .collect();
            });
            let mut running: Vec<JoinHandle<Outcome>> = Vec::new();
            for action in actions {
                match action {
                    Action::Prepare => {
                        let prepared = phone.prepare().await;
                        assert!(prepared.is_ok() || lost_after_ms.is_some());
                    }
                    Action::PrepareAndGo => {
                        let polled = poll!(Box::pin(phone.prepare()));
                        assert!(matches!(polled, Poll::Pending | Poll::Ready(Ok(()))) || lost_after_ms.is_some());
                    }
                    Action::Begin => {
                        let phone = phone.clone();
                        running.push(tokio::spawn(async move { phone.verify_only().await }));
                        yield_now().await;
                    }
                    Action::CancelLatest => drop(running.pop().inspect(JoinHandle::abort)),
                    Action::Wait(ms) => sleep(Duration::from_millis(ms.into())).await,
                    Action::ForgetHosts => phone.forget_hosts(),
                }
                let (acquired, released) = phone.acquired_and_released();
                assert!(acquired == released || acquired == released + 1, "{acquired} {released}");
            }
            for verification in running {
                let outcome = verification.await.unwrap();
                assert!(outcome.result.is_ok() || lost_after_ms.is_some(), "{:?}", outcome.result);
            }
            sleep(Duration::from_mins(1)).await;
            let (acquired, released) = phone.acquired_and_released();
            assert_eq!((acquired, phone.open_connections()), (released, 0));
        });
    }
}
