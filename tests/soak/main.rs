//! Many verifications on one verifier, several at the same time, with faults, cancellations, lost
//! networks and preparations in random order: each has its only allowed result, and no resource is
//! left. The production flow runs over the in-memory network of `tests/virtual`, with real TLS and
//! a virtual clock; `docs/soak.md` has the figures.
//!
//! `SOAK_COUNT` is the number of verifications, `SOAK_SEED` repeats a run.

mod backend;
mod faults;
mod hosts;
mod ledger;
mod memory;
#[allow(dead_code, reason = "used in full by tests/virtual")]
#[path = "../virtual/network.rs"]
mod network;
mod phone;
#[allow(dead_code, reason = "used in full by tests/virtual")]
#[path = "../virtual/pipe.rs"]
mod pipe;
mod plan;
mod process;
mod provider;
#[allow(dead_code, reason = "used in full by tests/at_scale")]
#[path = "../at_scale/random.rs"]
mod random;
#[allow(dead_code, reason = "used in full by tests/virtual")]
#[path = "../virtual/server.rs"]
mod server;

use std::env;
use std::sync::Arc;
use std::time::Instant as RealInstant;

use futures_util::future::{join, join_all};
use tokio::runtime::Builder;
use tokio::time::sleep;

use phone::Phone;
use plan::{Batch, Then};
use process::Process;
use random::Random;

/// Fixed, so that a change does not fail because of unrelated events; `make soak` draws other
/// seeds.
const SEED: u64 = 20_261_128;
/// 13 s of processor time in a debug build.
const COUNT: usize = 2_000;
/// The heap at rest may grow by less than this once caches are full: less than one byte for each of
/// 100,000 verifications.
const GROWTH: usize = 64 * 1024;
/// The maximum for blocking work; idle threads live for ten seconds.
const THREADS: u64 = 16;
/// The first tenth fills the caches.
const WARM_UP: usize = 10;
/// The number of printed lines.
const REPORTS: usize = 10;

#[test]
fn verifications_in_any_order_leak_no_resources() {
    let setting = |name| env::var(name).ok().map(|value| value.parse().expect("a number"));
    let seed: u64 = setting("SOAK_SEED").unwrap_or(SEED);
    let count = setting("SOAK_COUNT").map_or(COUNT, |count| usize::try_from(count).unwrap());
    println!("SOAK_SEED={seed} SOAK_COUNT={count}");
    let runtime = || Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    drop(runtime()); // The first runtime of a process opens two files that stay open (tokio, signals).
    let (before, runtime) = (Process::now(), runtime());
    runtime.block_on(soak(count, seed));
    drop(runtime);
    let after = Process::now();
    println!("before: {before:?}, after: {after:?}");
    assert_eq!((after.threads, after.files), (before.threads, before.files), "SOAK_SEED={seed}");
}

async fn soak(count: usize, seed: u64) {
    let (mut random, phone, began) = (Random(seed), Phone::new(seed), RealInstant::now());
    let (before, mut warm, mut highest) = (Process::now(), None, 0);
    let (mut verifications, mut reported) = (0, 0);
    println!("verifications  heap KiB  RSS KiB  threads  files  acquired  released  seconds");
    while verifications < count {
        let batch = Batch::draw(&mut random, count - verifications, verifications);
        verifications += batch.verifications.len();
        if !run(&phone, batch).await {
            continue;
        }
        assert!(phone.is_at_rest(), "SOAK_SEED={seed}");
        let now = Process::now();
        assert!(now.threads <= before.threads + THREADS, "SOAK_SEED={seed}: {now:?}");
        assert_eq!(now.files, before.files, "SOAK_SEED={seed}");
        if verifications < count / WARM_UP {
            continue;
        }
        highest = now.heap_bytes.max(highest);
        let warm = warm.get_or_insert(now);
        assert!(highest < warm.heap_bytes + GROWTH, "SOAK_SEED={seed}: the heap grows: {warm:?} {now:?}");
        if verifications * REPORTS / count > reported {
            reported = verifications * REPORTS / count;
            let Process { heap_bytes, rss_kib, threads, files } = now;
            let ((acquired, released), heap_kib) = (phone.modem.acquired_and_released(), heap_bytes / 1024);
            let seconds = began.elapsed().as_secs();
            println!(
                "{verifications:13}  {heap_kib:8}  {rss_kib:7}  {threads:7}  {files:5}  {acquired:8}  {released:8}  {seconds:7}"
            );
        }
    }
    let warm = warm.expect("a rest after the warm-up").heap_bytes;
    println!("heap above that after the warm-up: {} bytes at most", highest - warm);
    for (result, times) in phone.ledger.results() {
        println!("{times:8} {result}");
    }
}

/// Returns whether everything has ended.
async fn run(phone: &Arc<Phone>, batch: Batch) -> bool {
    let verifications = batch.verifications.into_iter().map(|(after, planned)| async move {
        sleep(after).await;
        phone.clone().verify(planned).await;
    });
    let events = batch.events.into_iter().map(|(after, event)| async move {
        sleep(after).await;
        phone.happens(event).await;
    });
    join(join_all(verifications), join_all(events)).await;
    sleep(batch.then.lasts()).await;
    matches!(batch.then, Then::Settle(_))
}
