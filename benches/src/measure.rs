//! Measures the plan. Several labs run concurrently, because each of them is idle most of the time,
//! waiting for its link.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Barrier, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::clients::okhttp::{Connections, OkHttp};
use crate::clients::ours::Ours;
use crate::clients::{Broken, Subject, Timing, curl};
use crate::lab::chain::Scenario;
use crate::lab::{Conditions, Lab};
use crate::plan::{Job, Outcome, Plan, Sample, Samples};

/// Chains that OkHttp follows before the measurement, so that the JVM has compiled the code.
const WARM_UP: u32 = 120;

/// The clients that are available on this machine.
pub struct Tools {
    pub okhttp: Option<String>,
    pub has_curl: bool,
}

/// Ends at the first error. The remaining labs end with the program.
pub fn run(plan: &Plan, tools: Tools, labs: usize, folder: &Path) -> Result<Samples> {
    let jobs = plan.jobs();
    let total = jobs.len();
    let shared = Arc::new(Shared { queue: Mutex::new(VecDeque::from(jobs)), warm: Barrier::new(labs), tools });
    let (report, messages) = mpsc::channel();
    for lab in 0..labs {
        let (shared, report) = (shared.clone(), report.clone());
        let folder = folder.join(format!("lab-{lab}"));
        thread::spawn(move || {
            let ended = catch_unwind(AssertUnwindSafe(|| work(&shared, &folder, &report)));
            let ended = ended.unwrap_or_else(|_| Err(anyhow!("a lab panicked")));
            let _ = report.send(Message::LabDone(ended));
        });
    }
    drop(report);
    let (mut all, mut done) = (Samples::default(), 0);
    for message in messages {
        match message {
            Message::Sample(sample) => all.add(sample),
            Message::JobDone => {
                done += 1;
                eprint!("\r{done} of {total} repetitions");
            }
            Message::LabDone(ended) => ended?,
        }
    }
    eprintln!();
    Ok(all)
}

/// State shared by all labs.
struct Shared {
    queue: Mutex<VecDeque<Job>>,
    /// Nothing is measured before this barrier, because a JVM that warms up uses all processors.
    warm: Barrier,
    tools: Tools,
}

enum Message {
    Sample(Sample),
    JobDone,
    LabDone(Result<()>),
}

fn work(shared: &Shared, folder: &Path, report: &mpsc::Sender<Message>) -> Result<()> {
    let mut bench = Bench::start(&shared.tools, folder)?;
    shared.warm.wait();
    loop {
        let Some(job) = shared.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front() else { return Ok(()) };
        bench.measure(job, &|subject, outcome| {
            if let Err(error) = &outcome
                && job.cell.loss_percent == 0
            {
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

    /// Runs all clients, one after another, under the same conditions. The order varies, so that no
    /// client always finds the machine in the same state.
    fn measure(&mut self, job: Job, report: &dyn Fn(Subject, Outcome)) -> Result<()> {
        let mut clients = vec![Client::Ours];
        if self.okhttp.is_some() {
            clients.extend([Client::OkHttp { no_delay: false }, Client::OkHttp { no_delay: true }]);
        }
        if self.has_curl {
            clients.push(Client::Curl);
        }
        let first = job.repetition as usize % clients.len();
        clients.rotate_left(first);
        clients.into_iter().try_for_each(|client| self.measure_client(client, job, report))
    }

    fn measure_client(&mut self, client: Client, job: Job, report: &dyn Fn(Subject, Outcome)) -> Result<()> {
        let Self { lab, ours, okhttp, .. } = self;
        let (scenario, conditions) = (job.cell.scenario, job.conditions());
        let add = |subject: Subject, timing: Result<Timing>| match timing {
            Err(error) if error.is::<Broken>() => Err(error.context(subject.name())),
            timing => {
                let outcome = timing.map(|timing| (timing, lab.counts())).map_err(|error| format!("{error:#}"));
                report(subject, outcome);
                Ok(())
            }
        };
        match (client, okhttp) {
            (Client::Ours, _) => {
                ours.new_verifier(scenario)?;
                lab.begin_cold(conditions)?;
                add(Subject::OursCold, ours.verify())?;
                ours.await_release()?;
                lab.begin_next(conditions);
                add(Subject::OursRepeated, ours.verify())?;
                ours.await_release()?;
                lab.begin_next(conditions);
                add(Subject::OursPrepared, prepared(ours, lab, conditions))?;
                ours.await_release()
            }
            (Client::OkHttp { no_delay }, Some(okhttp)) => {
                let (cold, repeated) = if no_delay {
                    (Subject::OkHttpNoDelayCold, Subject::OkHttpNoDelayRepeated)
                } else {
                    (Subject::OkHttpCold, Subject::OkHttpRepeated)
                };
                lab.begin_cold(conditions)?;
                add(cold, okhttp.follow(scenario, no_delay, Connections::New))?;
                lab.begin_next(conditions);
                add(repeated, okhttp.follow(scenario, no_delay, Connections::Reused))
            }
            (Client::OkHttp { .. }, None) => Ok(()),
            (Client::Curl, _) => {
                lab.begin_cold(conditions)?;
                add(Subject::CurlCold, curl::follow(scenario, &lab.root_ca))
            }
        }
    }
}

/// Measured as one unit, without another client in between.
#[derive(Clone, Copy)]
enum Client {
    Ours,
    OkHttp { no_delay: bool },
    Curl,
}

/// The next verification after `prepare()` and a pause, as between the phone-number screen and its
/// button. The cost of prepare is included except for its round trips: the user does not wait for
/// those.
fn prepared(ours: &mut Ours, lab: &Lab, Conditions { rtt, loss, .. }: Conditions) -> Result<Timing> {
    let began = Instant::now();
    ours.prepare()?;
    // Long enough for a connection that loses a packet.
    let pause = if loss > 0.0 { Duration::from_secs(3) } else { Duration::from_millis(300) } + rtt * 6;
    thread::sleep(pause.saturating_sub(began.elapsed()));
    lab.link.await_silence();
    lab.link.reset_round_trips();
    ours.verify()
}
