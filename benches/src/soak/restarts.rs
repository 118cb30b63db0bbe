//! Restarts each part repeatedly, in random order and sometimes two together, and monitors the
//! processes meanwhile.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use rustix::process::Signal;

use super::Pace;
use super::outages::{How, Outages, Part};
use super::provider::Provider;
use crate::process::status;
use crate::replica::{Deployment, Redis, Replica};

pub const REPLICAS: usize = 3;
const BETWEEN_SAMPLES: Duration = Duration::from_millis(500);

/// State shared by the generator and the restarts.
#[derive(Default)]
pub struct Progress {
    pub ended: AtomicU32,
    pub each_part_was_restarted: AtomicBool,
    pub has_ended: AtomicBool,
}

pub struct Parts {
    pub deployment: Deployment,
    pub replicas: Vec<Replica>,
    pub redis: Redis,
    pub redis_folder: PathBuf,
    pub provider: Provider,
    pub outages: Arc<Outages>,
    pub rng: Rng,
    pub pace: Pace,
    pub watched: Watched,
}

/// Of the first replica, which is not restarted after the first round: its open files at the
/// beginning, and its memory since then.
#[derive(Default)]
pub struct Watched {
    pub files: usize,
    pub rss_kib: Vec<u64>,
    pub most_keys: u64,
    /// The maximum start time of Redis, and the maximum time until all replicas serve after a
    /// restart.
    pub redis: Duration,
    pub recovery: Duration,
}

type Event = (Part, How);

impl Parts {
    /// Until the generator has finished.
    pub fn restart_all(&mut self, progress: &Progress) -> Result<()> {
        self.note_beginning()?;
        loop {
            let is_first = !progress.each_part_was_restarted.load(Relaxed);
            let mut round = self.round(usize::from(!is_first));
            while let Some(event) = round.pop() {
                let gap = self.pace.longest_gap.mul_f64(self.rng.f64());
                self.watch(gap, progress)?;
                if progress.has_ended.load(Relaxed) {
                    return Ok(());
                }
                let with_it = round.last().filter(|(part, _)| *part != event.0 && self.rng.u8(..4) == 0).copied();
                if with_it.is_some() {
                    round.pop();
                }
                self.restart(&[Some(event), with_it].into_iter().flatten().collect::<Vec<_>>())?;
            }
            progress.each_part_was_restarted.store(true, Relaxed);
            if self.pace.is_quick {
                return Ok(());
            }
        }
    }

    /// Each part in each way, in random order.
    fn round(&mut self, first_replica: usize) -> Vec<Event> {
        let parts = (first_replica..REPLICAS).map(Part::Replica).chain([Part::Redis]);
        let mut round: Vec<Event> = parts.flat_map(|part| [(part, How::Terminated), (part, How::Killed)]).collect();
        round.push((Part::Provider, How::Killed));
        self.rng.shuffle(&mut round);
        round
    }

    fn restart(&mut self, events: &[Event]) -> Result<()> {
        for &(part, how) in events {
            self.outages.begin(part, how);
            let signal = if how == How::Terminated { Signal::TERM } else { Signal::KILL };
            match part {
                Part::Replica(which) => {
                    let replica = &mut self.replicas[which];
                    replica.process.end(signal)?;
                    check_log(&replica.log)?;
                }
                Part::Redis => self.redis.process.end(signal)?,
                Part::Provider => self.provider.stop()?,
            }
        }
        thread::sleep(self.pace.longest_gap.mul_f64(self.rng.f64() / 4.0));
        // A replica is ready only with Redis.
        let mut events = events.to_vec();
        events.sort_by_key(|(part, _)| *part != Part::Redis);
        for &(part, _) in &events {
            let began = Instant::now();
            match part {
                Part::Replica(which) => self.replicas[which] = self.deployment.start(self.replicas[which].port)?,
                Part::Redis => self.redis = Redis::start(self.redis.port, Some(&self.redis_folder))?,
                Part::Provider => self.provider.start()?,
            }
            if part == Part::Redis {
                self.watched.redis = self.watched.redis.max(began.elapsed());
            }
        }
        let began = Instant::now();
        for replica in &self.replicas {
            replica.await_readiness()?;
        }
        self.watched.recovery = self.watched.recovery.max(began.elapsed());
        for (part, _) in events {
            self.outages.end(part);
            if part == Part::Replica(0) {
                self.note_beginning()?;
            }
        }
        Ok(())
    }

    fn note_beginning(&mut self) -> Result<()> {
        self.watched.files = files(&self.replicas[0])?;
        self.watched.rss_kib.clear();
        Ok(())
    }

    fn watch(&mut self, how_long: Duration, progress: &Progress) -> Result<()> {
        let until = Instant::now() + how_long;
        while Instant::now() < until && !progress.has_ended.load(Relaxed) {
            self.watched.rss_kib.push(status(&self.replicas[0].process.id(), "VmRSS")?);
            self.watched.most_keys = self.watched.most_keys.max(self.keys()?.0);
            if self.watched.rss_kib.len().is_multiple_of(60) {
                eprintln!("{} ended, {} restarts", progress.ended.load(Relaxed), self.outages.total());
            }
            thread::sleep(BETWEEN_SAMPLES.min(until.saturating_duration_since(Instant::now())));
        }
        Ok(())
    }

    /// The number of keys in Redis, and of those that expire.
    pub fn keys(&self) -> Result<(u64, u64)> {
        let info = self.redis.execute("INFO keyspace")?;
        let Some(line) = info.lines().find_map(|line| line.strip_prefix("db0:")) else { return Ok((0, 0)) };
        let number = |name: &str| line.split(',').find_map(|part| part.strip_prefix(name)?.parse().ok());
        number("keys=").zip(number("expires=")).with_context(|| info.clone())
    }

    /// Ends the replicas once all is idle. Returns for each how many more open files it had than
    /// the first one at its beginning.
    pub fn end(&mut self) -> Result<Vec<usize>> {
        self.provider.stop()?;
        thread::sleep(BETWEEN_SAMPLES);
        let mut more_files = Vec::new();
        for replica in &mut self.replicas {
            more_files.push(files(replica)?.saturating_sub(self.watched.files));
            replica.process.end(Signal::TERM)?;
            check_log(&replica.log)?;
        }
        Ok(more_files)
    }
}

fn files(replica: &Replica) -> Result<usize> {
    Ok(fs::read_dir(format!("/proc/{}/fd", replica.process.id()))?.count())
}

/// The log must contain only JSON, without panics or exceptions. The last line of a process that
/// was killed may be incomplete.
fn check_log(log: &Path) -> Result<()> {
    let mut reader = BufReader::new(File::open(log)?);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 && line.ends_with('\n') {
        let is_usual =
            line.starts_with('{') && !["panicked", "\"failed\"", "release_failed"].iter().any(|it| line.contains(it));
        ensure!(is_usual, "{}: {line}", log.display());
        line.clear();
    }
    if line.len() > 1000 {
        bail!("{}: a line of {} bytes", log.display(), line.len());
    }
    Ok(())
}
