//! Measures the plan. Several labs work at the same time, because each of them is idle most of the time: it waits for its link.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Barrier, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::clients::okhttp::{Connections, OkHttp};
use crate::clients::ours::Ours;
use crate::clients::{Subject, Timing, curl};
use crate::lab::chain::Scenario;
use crate::lab::{Conditions, Counts, Lab};
use crate::plan::{Job, Plan, Sample, Samples};

/// Chains that OkHttp follows before anything is measured, so that the JVM has compiled what it runs.
const WARM_UP: u32 = 120;

/// What there is to be compared on this machine.
pub struct Tools {
    pub okhttp: Option<String>,
    pub has_curl: bool,
}

pub fn run(plan: &Plan, tools: &Tools, labs: usize, folder: &Path) -> Result<Samples> {
    let jobs = plan.jobs();
    let total = jobs.len();
    let queue = Mutex::new(VecDeque::from(jobs));
    let warm = Barrier::new(labs);
    let (report, samples) = mpsc::channel();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..labs)
            .map(|lab| {
                let (queue, warm, report) = (&queue, &warm, report.clone());
                let folder = folder.join(format!("lab-{lab}"));
                scope.spawn(move || work(queue, warm, tools, &folder, &report))
            })
            .collect();
        drop(report);
        let (mut all, mut done) = (Samples::default(), 0);
        for message in samples {
            match message {
                Message::Sample(sample) => all.add(sample),
                Message::JobDone => {
                    done += 1;
                    eprint!("\r{done} of {total} repetitions");
                }
            }
        }
        eprintln!();
        for worker in workers {
            worker.join().map_err(|_| anyhow::anyhow!("a lab panicked"))??;
        }
        Ok(all)
    })
}

enum Message {
    Sample(Sample),
    JobDone,
}

fn work(
    queue: &Mutex<VecDeque<Job>>,
    warm: &Barrier,
    tools: &Tools,
    folder: &Path,
    report: &mpsc::Sender<Message>,
) -> Result<()> {
    let bench = Bench::start(tools, folder);
    // Also after a failure: the others wait.
    warm.wait();
    let mut bench = bench?;
    loop {
        let Some(job) = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front() else { return Ok(()) };
        bench.measure(job, |subject, outcome| {
            let outcome = outcome.map_err(|error| format!("{error:#}"));
            if let (Err(error), 0) = (&outcome, job.cell.loss_percent) {
                eprintln!("\n{}, {:?}: {error}", subject.name(), job.cell);
            }
            let _ = report.send(Message::Sample(Sample { cell: job.cell, subject, outcome }));
        })?;
        let _ = report.send(Message::JobDone);
    }
}

/// A lab with its clients.
struct Bench {
    lab: Lab,
    ours: Ours,
    okhttp: Option<OkHttp>,
    has_curl: bool,
}

impl Bench {
    fn start(tools: &Tools, folder: &Path) -> Result<Self> {
        let lab = Lab::enter(folder)?;
        let ours = Ours::start(&lab.root_ca)?;
        let okhttp = tools.okhttp.as_ref().map(|class_path| OkHttp::start(class_path, &lab.root_ca)).transpose()?;
        let mut bench = Self { lab, ours, okhttp, has_curl: tools.has_curl };
        bench.warm_up()?;
        Ok(bench)
    }

    fn warm_up(&mut self) -> Result<()> {
        self.lab.set(Conditions { rtt: Duration::ZERO, loss: 0.0, seed: 0 });
        self.ours.new_verifier(Scenario::S2)?;
        self.ours.verify()?;
        if let Some(okhttp) = &mut self.okhttp {
            for nth in 0..WARM_UP {
                okhttp.follow(Scenario::S2, nth % 8 > 0, Connections::New)?;
            }
        }
        Ok(())
    }

    /// All clients, one after another, under the same conditions.
    fn measure(&mut self, job: Job, mut report: impl FnMut(Subject, Result<(Timing, Counts)>)) -> Result<()> {
        let (lab, scenario) = (&self.lab, job.cell.scenario);
        let conditions = job.conditions();
        let begin_cold = || {
            lab.forget()?;
            lab.set(conditions);
            Ok::<_, anyhow::Error>(())
        };
        let begin_next = || {
            lab.reset();
            lab.set(conditions);
        };
        let with_counts = |timing: Result<Timing>| timing.map(|timing| (timing, lab.counts()));

        self.ours.new_verifier(scenario)?;
        begin_cold()?;
        report(Subject::OursCold, with_counts(self.ours.verify()));
        self.ours.await_release()?;
        begin_next();
        report(Subject::OursRepeated, with_counts(self.ours.verify()));
        self.ours.await_release()?;
        begin_next();
        report(Subject::OursPrepared, with_counts(prepared(&mut self.ours, lab, conditions)));
        self.ours.await_release()?;

        if let Some(okhttp) = &mut self.okhttp {
            for (no_delay, cold, repeated) in [
                (false, Subject::OkHttpCold, Subject::OkHttpRepeated),
                (true, Subject::OkHttpNoDelayCold, Subject::OkHttpNoDelayRepeated),
            ] {
                begin_cold()?;
                report(cold, with_counts(okhttp.follow(scenario, no_delay, Connections::New)));
                begin_next();
                report(repeated, with_counts(okhttp.follow(scenario, no_delay, Connections::Kept)));
            }
        }
        if self.has_curl {
            begin_cold()?;
            report(Subject::CurlCold, with_counts(curl::follow(scenario, &lab.root_ca)));
        }
        Ok(())
    }
}

/// The next verification after `prepare()` and a pause, as between a screen that asks for the number and its button. What prepare costs is
/// counted too, but for the round trips: nobody waits for those.
fn prepared(ours: &mut Ours, lab: &Lab, Conditions { rtt, loss, .. }: Conditions) -> Result<Timing> {
    let began = Instant::now();
    ours.prepare()?;
    // Enough for a connection that loses a packet.
    let pause = if loss > 0.0 { Duration::from_secs(3) } else { Duration::from_millis(300) } + rtt * 6;
    thread::sleep(pause.saturating_sub(began.elapsed()));
    lab.link.await_silence();
    lab.link.reset_round_trips();
    ours.verify()
}
