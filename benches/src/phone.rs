//! The process that represents an app with this library: it reads commands from standard input and
//! reports in JSON, one line each.
//!
//! | line | effect |
//! |---|---|
//! | `new SCENARIO` | creates a new verifier, replacing the previous one |
//! | `verify` | runs one verification |
//! | `repeat N` | runs N verifications, one after another, and waits for the release after each |
//! | `release` | waits until the verifier has released the network |
//! | `prepare` | calls `prepare()` |
//! | `many N` | runs N verifications concurrently |

use std::io::{self, BufRead, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::time::ClockId;
use number_verify::{
    CellularError, CellularProvider, CellularStatus, Config, NetworkBinding, NetworkEvents, NumberVerifier,
};
use serde_json::{Value, json};

use crate::allocations;
use crate::lab::chain::{BACKEND_HOST, NUMBER};
use crate::lab::namespaces::{BACKEND, CELL, NAME_SERVER};
use crate::process::status;

pub fn run(root_ca: &Path) -> Result<()> {
    let root_ca = std::fs::read_to_string(root_ca)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut phone = Phone { root_ca, modem: Arc::default(), verifier: None };
    for line in io::stdin().lock().lines() {
        let line = line?;
        let report =
            runtime.block_on(phone.execute(&line)).unwrap_or_else(|error| json!({"error": format!("{error:#}")}));
        let mut out = io::stdout().lock();
        writeln!(out, "{report}")?;
        out.flush()?;
    }
    Ok(())
}

struct Phone {
    root_ca: String,
    modem: Arc<Modem>,
    verifier: Option<Arc<NumberVerifier>>,
}

impl Phone {
    async fn execute(&mut self, line: &str) -> Result<Value> {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("new", scenario) => self.renew(scenario).await,
            ("verify", _) => self.verify().await,
            ("repeat", count) => self.repeat(count.parse()?).await,
            ("release", _) => self.release(),
            ("prepare", _) => {
                self.verifier()?.prepare().await?;
                Ok(json!({}))
            }
            ("many", count) => self.many(count.parse()?).await,
            _ => bail!("unknown: {line}"),
        }
    }

    async fn renew(&mut self, scenario: &str) -> Result<Value> {
        if let Some(old) = self.verifier.take() {
            let ended = old.ended();
            drop(old);
            ended.await;
        }
        let mut config = Config::new(format!("https://{BACKEND_HOST}/{scenario}"));
        config.development.root_certificates = vec![self.root_ca.clone()];
        config.development.dns_servers = vec![NAME_SERVER.to_string()];
        config.development.resolve = vec![format!("{BACKEND_HOST}:443:{BACKEND}")];
        let began = Instant::now();
        self.verifier = Some(NumberVerifier::new(config, self.modem.clone(), None)?);
        Ok(json!({"took_us": micros(began)}))
    }

    async fn verify(&self) -> Result<Value> {
        let (mark, cpu_before) = (allocations::begin(), cpu_micros()?);
        let began = Instant::now();
        let flow = self.verifier()?.begin(NUMBER.to_owned(), None);
        let result = flow.result().await;
        let (took_us, cpu_us, allocated) = (micros(began), cpu_micros()? - cpu_before, mark.end());
        if !result?.verified() {
            bail!("not verified");
        }
        let leg_ms = flow.trace().authorize_ms.context("no time of the cellular leg")?;
        Ok(json!({
            "leg_us": leg_ms * 1000,
            "total_us": took_us,
            "cpu_us": cpu_us,
            "allocations": allocated.allocations,
            "peak_bytes": allocated.peak_bytes,
        }))
    }

    async fn repeat(&self, count: usize) -> Result<Value> {
        let mut total = Duration::ZERO;
        for _ in 0..count {
            let began = Instant::now();
            let result = self.verifier()?.begin(NUMBER.to_owned(), None).result().await;
            total += began.elapsed();
            if !result?.verified() {
                bail!("not verified");
            }
            self.release()?;
        }
        Ok(json!({"total_us": total.as_micros() as u64}))
    }

    fn release(&self) -> Result<Value> {
        let give_up = Instant::now() + Duration::from_mins(1);
        while self.modem.released.load(Relaxed) < self.modem.acquired.load(Relaxed) {
            if Instant::now() > give_up {
                bail!("the network is not released");
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(json!({}))
    }

    async fn many(&self, count: usize) -> Result<Value> {
        let threads = Threads::watch();
        let mark = allocations::begin();
        let began = Instant::now();
        let flows: Vec<_> = (0..count).map(|_| self.verifier().map(|it| it.begin(NUMBER.to_owned(), None))).collect();
        let mut failures = Vec::new();
        for flow in flows {
            match flow?.result().await {
                Ok(result) if result.verified() => {}
                Ok(_) => failures.push("not verified".to_owned()),
                Err(error) => failures.push(error.to_string()),
            }
        }
        let (wall_us, allocated) = (micros(began), mark.end());
        Ok(json!({
            "wall_us": wall_us,
            "failed": failures.len(),
            "first_failure": failures.first(),
            "peak_bytes": allocated.peak_bytes,
            "threads": threads.maximum(),
            "peak_rss_kib": status("self", "VmHWM")?,
        }))
    }

    fn verifier(&self) -> Result<&NumberVerifier> {
        self.verifier.as_deref().context("there is no verifier")
    }
}

fn micros(since: Instant) -> u64 {
    since.elapsed().as_micros() as u64
}

/// CPU time of all threads of this process.
fn cpu_micros() -> Result<u64> {
    let time = ClockId::CLOCK_PROCESS_CPUTIME_ID.now()?;
    Ok(Duration::from(time).as_micros() as u64)
}

/// A network that is always available, over the bound interface.
#[derive(Default)]
struct Modem {
    acquired: AtomicUsize,
    released: AtomicUsize,
}

#[async_trait::async_trait]
impl CellularProvider for Modem {
    async fn acquire(&self, events: Arc<NetworkEvents>) -> Result<NetworkBinding, CellularError> {
        self.acquired.fetch_add(1, Relaxed);
        events.operated_by("00101".to_owned()); // A test network, reported as by Android's provider.
        Ok(NetworkBinding::LinuxInterface { name: CELL.to_owned() })
    }

    async fn release(&self) -> Result<(), CellularError> {
        self.released.fetch_add(1, Relaxed);
        Ok(())
    }

    async fn status(&self) -> Result<CellularStatus, CellularError> {
        Ok(CellularStatus::Ready)
    }
}

/// The maximum number of threads of the process, without the main thread and the watching one.
struct Threads {
    maximum: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Threads {
    fn watch() -> Self {
        let watch = Self { maximum: Arc::default(), over: Arc::default() };
        let (maximum, over) = (watch.maximum.clone(), watch.over.clone());
        thread::spawn(move || {
            while !over.load(Relaxed) {
                maximum.fetch_max(status("self", "Threads").unwrap_or(0), Relaxed);
                thread::sleep(Duration::from_millis(5));
            }
        });
        watch
    }

    fn maximum(self) -> u64 {
        self.over.store(true, Relaxed);
        self.maximum.load(Relaxed).saturating_sub(2)
    }
}
