//! The provider reports the loss of the network: in which cases this ends a verification, and in
//! which it does not. `matrix` has a loss at every step.

use std::sync::Arc;

use number_verify::CellularCause::{self, BlockedInBackground, DataOff, InterfaceDown, Vpn};
use number_verify::CodeDelivery;
use tokio::time::{Duration, sleep};

use crate::flow::{Outcome, Phone, Setting};
use crate::script::{Chain, Instead};
use crate::server::Reply;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The calls to the backend take one second each, and acquiring the network takes half a second.
async fn flow(chain: Chain, losses: &[(u64, CellularCause)]) -> (Outcome, usize) {
    let auth_url = chain.auth_url();
    let mut setting = Setting::new(Arc::new(chain), auth_url);
    setting.start_takes = ms(1_000);
    setting.acquire_takes = ms(500);
    setting.complete_takes = ms(1_000);
    setting.losses = losses.iter().map(|(after, reason)| (ms(*after), *reason)).collect();
    let phone = Phone::new(setting);
    let outcome = phone.verify().await;
    sleep(ms(1_000)).await; // until the servers notice
    (outcome, phone.open_connections())
}

#[tokio::test(start_paused = true)]
async fn loss_ends_verifications_that_need_the_network_immediately() {
    let stalled = || {
        let mut chain = Chain::new("S1");
        chain.instead(2, Instead::Always(Reply::SendAndStall(b"HTTP/1.1 3".to_vec())));
        chain
    };
    for (name, chain, losses, expected) in [
        ("before acquire returns", Chain::new("S1"), &[(200, Vpn)][..], (Vpn, 200)),
        ("at the same moment", Chain::new("S1"), &[(500, Vpn)], (Vpn, 500)),
        ("during start", Chain::new("S1"), &[(700, DataOff)], (DataOff, 700)),
        ("while it waits for a response", stalled(), &[(3_000, BlockedInBackground)], (BlockedInBackground, 3_000)),
        ("twice", stalled(), &[(2_500, DataOff), (2_600, Vpn)], (DataOff, 2_500)),
    ] {
        let (outcome, open) = flow(chain, losses).await;
        let error = outcome.error_json();
        let (cause, at_ms) = expected;
        assert_eq!(
            (&error["kind"], &error["cause"]),
            (&"cellular_unavailable".into(), &serde_json::to_value(cause).unwrap()),
            "{name}"
        );
        assert_eq!(outcome.trace.total_ms, at_ms, "{name}");
        assert_eq!((outcome.acquired, outcome.released, open), (1, 1, 0), "{name}");
        assert_eq!(outcome.completions, 0, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn loss_after_the_code_was_captured_is_ignored() {
    for after in [2_200, 60_000] {
        let (outcome, open) = flow(Chain::new("S1"), &[(after, InterfaceDown)]).await;
        assert_eq!(outcome.result.ok(), Some(true), "{after}");
        let (captured, ended) = (outcome.trace.total_ms - outcome.trace.complete_ms.unwrap(), outcome.trace.total_ms);
        assert!(captured < 2_200 && 2_200 < ended, "{captured} {ended}");
        assert_eq!((outcome.acquired, outcome.released, open), (1, 1, 0), "{after}");
    }
}

/// The callback was sent, so the backend may have the result: `complete` fetches it over the
/// default network.
#[tokio::test(start_paused = true)]
async fn loss_during_the_callback_lets_complete_fetch_the_result() {
    let mut chain = Chain::new("S1");
    chain.instead(4, Instead::Always(Reply::SendAndStall(Vec::new())));
    let auth_url = chain.auth_url();
    let mut setting = Setting::new(Arc::new(chain), auth_url);
    setting.config.code_delivery = CodeDelivery::FollowThrough;
    setting.losses = vec![(ms(3_000), InterfaceDown)];
    let outcome = Phone::new(setting).verify().await;
    assert_eq!(outcome.result.ok(), Some(true));
    assert_eq!((outcome.completions, outcome.completed_with, outcome.trace.total_ms), (1, None, 3_000));
    assert_eq!((outcome.acquired, outcome.released), (1, 1));
}

/// Each verification then acquires a new network, although the first one still holds the lost one.
#[tokio::test(start_paused = true)]
async fn lost_network_is_not_shared() {
    let chain = Chain::new("S1");
    let auth_url = chain.auth_url();
    let mut setting = Setting::new(Arc::new(chain), auth_url);
    setting.losses = vec![(ms(3_000), InterfaceDown)];
    let phone = Phone::new(setting);
    let held = phone.lease();
    held.acquired().await.unwrap();
    let joined = phone.verify_only().await;
    assert_eq!(joined.result.ok(), Some(true));
    sleep(ms(5_000)).await;
    assert!(held.acquired().await.is_err());
    let outcome = phone.verify().await;
    assert_eq!(outcome.result.ok(), Some(true));
    assert_eq!((outcome.acquired, outcome.released), (2, 2));
}
