//! A long life of the reference backends (docs/soak.md): three replicas, Redis and the provider, each of which is restarted again and
//! again, and verifications of all kinds meanwhile. No session is used twice, none that was confirmed is lost but in a call that was under
//! way where something was killed, and memory, open files and Redis's keys stay what they were.
//!
//! | file | what |
//! |---|---|
//! | `flow.rs`, `phones.rs` | a verification and what must be true of it; the calls |
//! | `restarts.rs`, `outages.rs` | who restarts what; what a call may have met |
//! | `provider.rs` | the provider, which counts |

mod flow;
mod outages;
mod phones;
mod provider;
mod restarts;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use fastrand::Rng;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::flow::World;
use self::outages::{How, Outages, Part};
use self::phones::{Phones, Wrong};
use self::provider::{Provider, open};
use self::restarts::{Parts, Progress, REPLICAS, Watched};
use crate::replica::{Backend, Deployment, Redis, free_port};

/// After so many wrongs it gives up.
const MOST_WRONGS: usize = 20;
/// What a replica's memory may grow by, between the first and the last third of its life.
const GROWTH_SHARE: f64 = 0.1;

/// Verifies through replicas of each reference backend and Redis, while all of them are restarted
#[derive(clap::Args)]
pub struct Arguments {
    /// Verifications of each backend
    #[arg(long, env = "SOAK_COUNT", default_value = "1000000", value_parser = clap::value_parser!(u32).range(1..10_000_000))]
    count: u32,
    /// For the order of events; a random one by default
    #[arg(long, env = "SOAK_SEED")]
    seed: Option<u64>,
    /// Short outages, and nothing is waited for that takes long; the memory is not judged
    #[arg(long)]
    quick: bool,
    /// For files of the run
    #[arg(long)]
    folder: PathBuf,
}

/// Whether all was as it must be.
pub fn run(arguments: &Arguments) -> Result<bool> {
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let mut is_well = true;
    for backend in Backend::ALL {
        match backend.program() {
            Err(reason) => println!("skipped: backends: soak of {}: {reason}", backend.name()),
            Ok(program) => is_well &= soak(backend, program, arguments, seed)?,
        }
    }
    Ok(is_well)
}

/// How fast all goes.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Whether each part is restarted once in each way, and nothing is waited for that takes long.
    pub is_quick: bool,
    pub at_once: usize,
    /// How long a call is repeated.
    pub patience: Duration,
    /// Between a start and its completion, at times.
    pub longest_pause: Duration,
    /// Between restarts.
    pub longest_gap: Duration,
    /// Of a session.
    pub lifetime: Duration,
}

impl Pace {
    fn of(backend: Backend, is_quick: bool) -> Self {
        // How long the Idempotency-Key of a call is taken after its replica was killed (`once.rs`, `once.py`), with the default timeouts.
        // At most so many at once that no call takes longer than the phone, or the provider timeout, allows.
        let (claim_s, at_once) = match backend {
            Backend::Rust => (11, 64),
            Backend::Python => (66, 16),
        };
        let seconds = |quick: u64, long: u64| Duration::from_secs(if is_quick { quick } else { long });
        let (patience, longest_pause) = (seconds(3, claim_s + 10), seconds(2, 20));
        Self {
            is_quick,
            at_once,
            patience,
            longest_pause,
            longest_gap: seconds(1, 8),
            lifetime: patience + 2 * longest_pause + Duration::from_mins(1),
        }
    }
}

/// Connections that a replica keeps to Redis.
fn spare_files(backend: Backend) -> usize {
    match backend {
        Backend::Rust => 0,
        Backend::Python => 64,
    }
}

fn soak(backend: Backend, program: PathBuf, arguments: &Arguments, seed: u64) -> Result<bool> {
    println!("{}: {} verifications, seed {seed}", backend.name(), arguments.count);
    let began = Instant::now();
    let pace = Pace::of(backend, arguments.quick);
    let mut parts = set_up(backend, program, &arguments.folder, seed, pace)?;
    let addresses = parts.replicas.iter().map(|replica| replica.port);
    let phones = Phones::new(addresses, parts.outages.clone(), pace.patience);
    let (books, at_once) = (parts.provider.books(), Arc::new(Semaphore::new(pace.at_once)));
    let world = Arc::new(World { phones, books: books.clone(), at_once, seed, pace });

    let progress = Progress::default();
    let (ended, mut wrongs) = thread::scope(|scope| {
        let restarts = scope.spawn(|| {
            let ended = parts.restart_all(&progress);
            progress.is_over.fetch_or(ended.is_err(), Relaxed);
            ended
        });
        let wrongs = generate(&world, arguments.count, &progress);
        progress.is_over.store(true, Relaxed);
        let ended = restarts.join().unwrap_or_else(|_| Err(anyhow!("the restarts panicked")));
        Ok::<_, anyhow::Error>((ended, wrongs?))
    })?;
    ended?;
    let took = began.elapsed();

    let most = open(&books).most();
    if most.exchanges > 1 || most.verifications > 1 {
        wrongs.push(format!("a session was used twice: {most:?}"));
    }
    wrongs.extend(open(&books).wrong.iter().map(|request| format!("at the provider: {request}")));
    let (keys, expiring) = parts.keys()?;
    if keys > expiring {
        wrongs.push(format!("of {keys} keys in Redis, {expiring} expire"));
    }
    if !pace.is_quick {
        wrongs.extend(await_expiry(&parts, pace.lifetime)?);
        wrongs.extend(growth(&parts.watched));
    }
    let more_files = parts.end()?;
    if more_files.iter().any(|more| *more > spare_files(backend)) {
        wrongs.push(format!("open files left: {more_files:?}"));
    }
    report(&world, &parts, &progress, took);
    println!("  most uses of one code: {}; most keys in Redis: {}", most.exchanges, parts.watched.most_keys);
    println!("  more open files at the end than at the beginning: {more_files:?}");
    for wrong in &wrongs {
        println!("  WRONG: {wrong}");
    }
    Ok(wrongs.is_empty())
}

fn set_up(backend: Backend, program: PathBuf, folder: &Path, seed: u64, pace: Pace) -> Result<Parts> {
    let folder = folder.join(backend.name());
    let _ = std::fs::remove_dir_all(&folder); // an earlier run's
    std::fs::create_dir_all(&folder)?;
    let redis_folder = folder.join("redis");
    let redis = Redis::start(free_port()?, Some(&redis_folder))?;
    let mut provider = Provider::new()?;
    provider.start()?;
    let roots = folder.join("root.pem");
    std::fs::write(&roots, &provider.root_pem)?;
    let mut settings = backend.provider(&provider.url(), &format!("{}/verify", provider.url()));
    settings.extend([
        ("OIDC_SCOPE", "number-verification:verify".to_owned()),
        ("REDIS_URL", redis.url()),
        ("NUMBER_VERIFY_DELIVERY", "follow-through".to_owned()),
        ("NUMBER_VERIFY_LIFETIME_S", pace.lifetime.as_secs().to_string()),
    ]);
    let deployment = Deployment { backend, program, roots, folder, settings };
    let replicas = (0..REPLICAS).map(|_| deployment.start(free_port()?)).collect::<Result<Vec<_>>>()?;
    for replica in &replicas {
        replica.await_readiness()?;
    }
    let (outages, rng, watched) = (Arc::new(Outages::default()), Rng::with_seed(seed), Watched::default());
    Ok(Parts { deployment, replicas, redis, redis_folder, provider, outages, rng, pace, watched })
}

/// Runs so many verifications, and more until each part was restarted. Returns what was wrong.
fn generate(world: &Arc<World>, count: u32, progress: &Progress) -> Result<Vec<Wrong>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut flows, mut wrongs, mut begun) = (JoinSet::new(), Vec::new(), 0);
        let goes_on = |begun| begun < count || !progress.each_part_was_restarted.load(Relaxed);
        while goes_on(begun) && wrongs.len() < MOST_WRONGS && !progress.is_over.load(Relaxed) {
            let permit = world.at_once.clone().acquire_owned().await?;
            flows.spawn(flow::run(world.clone(), begun, permit));
            begun += 1;
            while let Some(ended) = flows.try_join_next() {
                progress.ended.fetch_add(1, Relaxed);
                wrongs.extend(ended?.err().inspect(|wrong| eprintln!("WRONG: {wrong}")));
            }
        }
        progress.is_over.store(true, Relaxed);
        while let Some(ended) = flows.join_next().await {
            progress.ended.fetch_add(1, Relaxed);
            wrongs.extend(ended?.err().inspect(|wrong| eprintln!("WRONG: {wrong}")));
        }
        world.phones.hang_up();
        tokio::task::yield_now().await; // their connections end
        Ok(wrongs)
    })
}

/// Everything in Redis ends by itself.
fn await_expiry(parts: &Parts, lifetime: Duration) -> Result<Option<Wrong>> {
    let until = Instant::now() + lifetime + Duration::from_secs(70);
    while parts.keys()?.0 > 0 {
        if Instant::now() > until {
            return Ok(Some(format!("{:?} keys are still in Redis", parts.keys()?)));
        }
        thread::sleep(Duration::from_secs(1));
    }
    Ok(None)
}

fn growth(watched: &Watched) -> Option<Wrong> {
    let third = watched.rss_kib.len() / 3;
    let most = |samples: &[u64]| samples.iter().copied().max();
    let (early, late) = (most(&watched.rss_kib[..third])?, most(&watched.rss_kib[2 * third..])?);
    let has_grown = late as f64 > early as f64 * (1.0 + GROWTH_SHARE);
    has_grown.then(|| format!("the memory of a replica has grown from {early} to {late} KiB"))
}

fn report(world: &World, parts: &Parts, progress: &Progress, took: Duration) {
    println!("  {} verifications in {} s", progress.ended.load(Relaxed), took.as_secs());
    for (what, count) in world.phones.tally.all() {
        println!("  {what}: {count}");
    }
    let all = (0..REPLICAS).map(Part::Replica).chain([Part::Redis, Part::Provider]);
    for part in all {
        let (told, killed) = (parts.outages.count(part, How::Told), parts.outages.count(part, How::Killed));
        println!("  {part:?}: ended {told} times, killed {killed} times");
    }
    let rss = &parts.watched.rss_kib;
    let tenths = (0..=10).filter_map(|tenth| rss.get(rss.len().saturating_sub(1) * tenth / 10));
    println!(
        "  longest start of Redis: {:?}; then until all replicas serve: {:?}",
        parts.watched.redis, parts.watched.recovery
    );
    println!("  memory of the first replica since its restart, in tenths, KiB: {:?}", tenths.collect::<Vec<_>>());
}
