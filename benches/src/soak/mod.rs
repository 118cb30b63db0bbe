//! A long run of the reference backends (docs/soak.md): three replicas, Redis and the provider,
//! each of which is restarted repeatedly, with concurrent verifications of all kinds. No session is
//! used twice, no confirmed session is lost except in a call that was in progress when a process
//! was killed, and memory, open files and Redis's keys do not grow.
//!
//! | file | subject |
//! |---|---|
//! | `flow.rs`, `phones.rs` | a verification and its invariants; the calls |
//! | `restarts.rs`, `outages.rs` | the restarts; the outages that a call may have met |
//! | `provider.rs` | the provider, which counts requests |

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
use self::phones::{Phones, Violation};
use self::provider::{Provider, open};
use self::restarts::{Parts, Progress, REPLICAS, Watched};
use crate::replica::{Backend, Deployment, Redis, free_port};

/// The run is aborted after this many violations.
const MAX_VIOLATIONS: usize = 20;
/// The allowed growth of a replica's memory, between the first and the last third of its life.
const GROWTH_SHARE: f64 = 0.1;

/// Verifies through replicas of each reference backend and Redis, while all of them are restarted
#[derive(clap::Args)]
pub struct Arguments {
    /// Verifications of each backend
    #[arg(long, env = "SOAK_COUNT", default_value = "1000000", value_parser = clap::value_parser!(u32).range(1..10_000_000))]
    count: u32,
    /// The seed of the order of events; random by default
    #[arg(long, env = "SOAK_SEED")]
    seed: Option<u64>,
    /// Short outages and no long waits; the memory is not checked
    #[arg(long)]
    quick: bool,
    /// For files of the run
    #[arg(long)]
    folder: PathBuf,
}

/// Whether all invariants held.
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

/// The timing of a run.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Whether each part is restarted once in each way, without long waits.
    pub is_quick: bool,
    pub at_once: usize,
    /// How long a call is retried.
    pub patience: Duration,
    /// The occasional pause between a start and its completion.
    pub longest_pause: Duration,
    /// The pause between restarts.
    pub longest_gap: Duration,
    /// The lifetime of a session.
    pub lifetime: Duration,
}

impl Pace {
    fn of(backend: Backend, is_quick: bool) -> Self {
        // How long the Idempotency-Key of a call stays claimed after its replica was killed
        // (`once.rs`, `once.py`), with the default timeouts.
        // The concurrency is limited so that no call exceeds the phone's timeout or the provider
        // timeout.
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

/// Connections that a replica keeps open to Redis.
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
    let (ended, mut violations) = thread::scope(|scope| {
        let restarts = scope.spawn(|| {
            let ended = parts.restart_all(&progress);
            progress.has_ended.fetch_or(ended.is_err(), Relaxed);
            ended
        });
        let violations = generate(&world, arguments.count, &progress);
        progress.has_ended.store(true, Relaxed);
        let ended = restarts.join().unwrap_or_else(|_| Err(anyhow!("the restarts panicked")));
        Ok::<_, anyhow::Error>((ended, violations?))
    })?;
    ended?;
    let took = began.elapsed();

    let most = open(&books).most();
    if most.exchanges > 1 || most.verifications > 1 {
        violations.push(format!("a session was used twice: {most:?}"));
    }
    violations.extend(open(&books).wrong.iter().map(|request| format!("at the provider: {request}")));
    let (keys, expiring) = parts.keys()?;
    if keys > expiring {
        violations.push(format!("of {keys} keys in Redis, {expiring} expire"));
    }
    if !pace.is_quick {
        violations.extend(await_expiry(&parts, pace.lifetime)?);
        violations.extend(growth(&parts.watched));
    }
    let more_files = parts.end()?;
    if more_files.iter().any(|more| *more > spare_files(backend)) {
        violations.push(format!("open files left: {more_files:?}"));
    }
    report(&world, &parts, &progress, took);
    println!("  most uses of one code: {}; most keys in Redis: {}", most.exchanges, parts.watched.most_keys);
    println!("  more open files at the end than at the beginning: {more_files:?}");
    for wrong in &violations {
        println!("  VIOLATION: {wrong}");
    }
    Ok(violations.is_empty())
}

fn set_up(backend: Backend, program: PathBuf, folder: &Path, seed: u64, pace: Pace) -> Result<Parts> {
    let folder = folder.join(backend.name());
    let _ = std::fs::remove_dir_all(&folder); // from an earlier run
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

/// Runs this many verifications, and more until each part was restarted. Returns the violations.
fn generate(world: &Arc<World>, count: u32, progress: &Progress) -> Result<Vec<Violation>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut flows, mut violations, mut begun) = (JoinSet::new(), Vec::new(), 0);
        let must_continue = |begun| begun < count || !progress.each_part_was_restarted.load(Relaxed);
        while must_continue(begun) && violations.len() < MAX_VIOLATIONS && !progress.has_ended.load(Relaxed) {
            let permit = world.at_once.clone().acquire_owned().await?;
            flows.spawn(flow::run(world.clone(), begun, permit));
            begun += 1;
            while let Some(ended) = flows.try_join_next() {
                progress.ended.fetch_add(1, Relaxed);
                violations.extend(ended?.err().inspect(|violation| eprintln!("VIOLATION: {violation}")));
            }
        }
        progress.has_ended.store(true, Relaxed);
        while let Some(ended) = flows.join_next().await {
            progress.ended.fetch_add(1, Relaxed);
            violations.extend(ended?.err().inspect(|violation| eprintln!("VIOLATION: {violation}")));
        }
        world.phones.hang_up();
        tokio::task::yield_now().await; // until their connections have ended
        Ok(violations)
    })
}

/// All keys in Redis must expire.
fn await_expiry(parts: &Parts, lifetime: Duration) -> Result<Option<Violation>> {
    let until = Instant::now() + lifetime + Duration::from_secs(70);
    while parts.keys()?.0 > 0 {
        if Instant::now() > until {
            return Ok(Some(format!("{:?} keys are still in Redis", parts.keys()?)));
        }
        thread::sleep(Duration::from_secs(1));
    }
    Ok(None)
}

fn growth(watched: &Watched) -> Option<Violation> {
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
        let (terminated, killed) = (parts.outages.count(part, How::Terminated), parts.outages.count(part, How::Killed));
        println!("  {part:?}: ended {terminated} times, killed {killed} times");
    }
    let rss = &parts.watched.rss_kib;
    let tenths = (0..=10).filter_map(|tenth| rss.get(rss.len().saturating_sub(1) * tenth / 10));
    println!(
        "  longest start of Redis: {:?}; then until all replicas serve: {:?}",
        parts.watched.redis, parts.watched.recovery
    );
    println!("  memory of the first replica since its restart, in tenths, KiB: {:?}", tenths.collect::<Vec<_>>());
}
