//! What runs concurrently, and which timeout ends which step, on the virtual clock.

use std::sync::Arc;

use tokio::time::{Duration, sleep};

use crate::flow::{Outcome, Phone, Setting};
use crate::script::Chain;

async fn flow(change: impl FnOnce(&mut Setting)) -> Outcome {
    let chain = Arc::new(Chain::new("S1"));
    let mut setting = Setting::new(chain.clone(), chain.auth_url());
    change(&mut setting);
    Phone::new(setting).verify().await
}

#[tokio::test(start_paused = true)]
async fn start_and_acquire_run_concurrently() {
    let outcome = flow(|setting| {
        setting.start_takes = Duration::from_secs(1);
        setting.acquire_takes = Duration::from_secs(1);
    })
    .await;
    let trace = &outcome.trace;
    assert_eq!((trace.start_ms, trace.acquire_ms), (Some(1000), Some(1000)));
    assert_eq!(trace.total_ms - trace.authorize_ms.unwrap(), 1000, "start and acquire overlap");
}

#[tokio::test(start_paused = true)]
async fn slower_of_start_and_acquire_determines_the_time() {
    for (start, acquire) in [(300, 2000), (2000, 300)] {
        let outcome = flow(|setting| {
            setting.start_takes = Duration::from_millis(start);
            setting.acquire_takes = Duration::from_millis(acquire);
        })
        .await;
        assert_eq!(outcome.trace.total_ms - outcome.trace.authorize_ms.unwrap(), 2000);
    }
}

/// The overall deadline reports the step that it ended; a step's own timeout is reported as a
/// timeout of that step.
#[tokio::test(start_paused = true)]
async fn each_timeout_ends_its_step() {
    for (name, start, acquire, overall, expected, at_ms) in [
        ("overall, in start", 60_000, 0, 3_000, ("deadline_exceeded", "start", None), 3_000),
        ("overall, in acquire", 0, 60_000, 3_000, ("deadline_exceeded", "acquire", None), 3_000),
        ("overall, in authorize", 0, 0, 450, ("deadline_exceeded", "authorize", None), 450),
        ("timeout of start", 60_000, 0, 20_000, ("backend", "start", Some("timeout")), 8_000),
        ("timeout of acquire", 0, 60_000, 20_000, ("cellular_unavailable", "acquire", Some("timeout")), 8_000),
    ] {
        let outcome = flow(|setting| {
            setting.start_takes = Duration::from_millis(start);
            setting.acquire_takes = Duration::from_millis(acquire);
            setting.config.deadlines.overall_ms = overall;
        })
        .await;
        let error = outcome.error_json();
        let (kind, step, cause) = expected;
        assert_eq!((error["kind"].as_str(), error["step"].as_str()), (Some(kind), Some(step)), "{name}");
        assert_eq!(error["cause"].as_str(), cause, "{name}");
        assert_eq!(outcome.trace.total_ms, at_ms, "{name}");
        assert_eq!((outcome.acquired, outcome.released), (1, 1), "{name}");
    }
}

/// A slow release delays the next verification, but not beyond the timeout of acquire.
#[tokio::test(start_paused = true)]
async fn acquire_timeout_includes_the_wait_for_an_earlier_release() {
    for (acquire_ms, is_in_time) in [(1_000, false), (4_000, true)] {
        let chain = Arc::new(Chain::new("S1"));
        let mut setting = Setting::new(chain.clone(), chain.auth_url());
        setting.release_takes = Duration::from_secs(3);
        setting.config.deadlines.acquire_ms = acquire_ms;
        let phone = Phone::new(setting);
        assert_eq!(phone.verify_only().await.result.ok(), Some(true));
        let second = phone.verify().await;
        if is_in_time {
            assert_eq!(second.result.as_ref().ok(), Some(&true), "{:?}", second.result);
            assert_eq!(second.trace.acquire_ms, Some(3_000));
            assert_eq!((second.acquired, second.released), (2, 2));
        } else {
            let error = second.error_json();
            assert_eq!(
                (&error["kind"], &error["cause"]),
                (&"cellular_unavailable".into(), &"timeout".into()),
                "{error}"
            );
            assert_eq!(second.trace.total_ms, acquire_ms);
            assert_eq!(second.acquired, 1, "nothing is acquired before the earlier release has finished");
        }
    }
}

/// The network may be held for longer than a server keeps a connection open.
#[tokio::test(start_paused = true)]
async fn idle_connections_are_closed() {
    let chain = Arc::new(Chain::new("S1"));
    let phone = Phone::new(Setting::new(chain.clone(), chain.auth_url()));
    let _lease = phone.lease();
    assert_eq!(phone.verify_only().await.result.ok(), Some(true));
    assert!(phone.open_connections() > 0, "they are pooled for the next verification");
    sleep(Duration::from_secs(29)).await;
    assert!(phone.open_connections() > 0);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(phone.open_connections(), 0);
    assert_eq!(phone.verify_only().await.result.ok(), Some(true), "new connections open");
    assert!(phone.open_connections() > 0);
}

/// The trace contains the cost of a hop, even if the deadline interrupted it.
#[tokio::test(start_paused = true)]
async fn trace_contains_the_interrupted_hop() {
    let outcome = flow(|setting| setting.config.deadlines.overall_ms = 250).await;
    let [hop] = outcome.trace.hops.as_slice() else { panic!("one hop") };
    assert_eq!((hop.dns_ms, hop.connect_ms, hop.tls_ms, hop.status), (Some(100), Some(100), Some(50), None));
}
