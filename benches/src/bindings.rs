//! The overhead that the Kotlin and Swift layers add to a verification: the same app in three
//! languages, over a link without delay. Kotlin and Swift load the library as shipped; in Rust it
//! is linked in, with the same optimization.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use crate::clients::ours::Ours;
use crate::clients::{Worker, built};
use crate::lab::chain::{BACKEND_HOST, NUMBER, Scenario};
use crate::lab::namespaces::{BACKEND, CELL, NAME_SERVER};
use crate::lab::{Conditions, Lab};
use crate::statistics::Summary;

/// Verifications before the measurement, so that the JVM has compiled the code.
const WARM_UP: u32 = 1000;
/// The languages alternate, so that disturbances of the machine affect all of them.
const ROUNDS: u32 = 20;
const IN_A_ROUND: u32 = 25;

#[derive(Clone, Copy)]
pub enum Language {
    Rust,
    Kotlin,
    Swift,
}

/// The cost of one verification.
pub struct Cost {
    /// CPU time of the whole process.
    pub cpu_ms: Summary,
    /// From the call to its result.
    pub took_ms: Summary,
}

/// The costs, or the reason why they were not measured.
pub type Costs = Vec<(Language, Result<Cost, String>)>;

impl Language {
    const ALL: [Self; 3] = [Self::Rust, Self::Kotlin, Self::Swift];

    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Kotlin => "Kotlin, on the JVM",
            Self::Swift => "Swift, on Linux",
        }
    }

    /// Starts the app.
    fn start(self, lab: &Lab) -> Result<Worker> {
        let mut command = match self {
            Self::Rust => {
                let mut ours = Ours::start(&lab.root_ca)?;
                ours.new_verifier(Scenario::S1)?;
                return Ok(ours.into_worker());
            }
            Self::Kotlin => {
                let mut java = Command::new("java");
                let library = format!("-Djna.library.path={}", variable("BENCH_LIBRARY")?);
                java.args(["-Xmx256m", "-XX:+UseSerialGC", &library, "-cp", &variable("BENCH_KOTLIN")?, "PhoneKt"]);
                java
            }
            Self::Swift => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("exec {} \"$@\"", variable("BENCH_SWIFT")?), "sh"]);
                shell.env("LD_LIBRARY_PATH", variable("BENCH_LIBRARY")?);
                shell
            }
        };
        command.arg(format!("https://{BACKEND_HOST}/{}", Scenario::S1.name())).arg(&lab.root_ca).args([
            CELL.to_owned(),
            NAME_SERVER.to_string(),
            format!("{BACKEND_HOST}:443:{BACKEND}"),
            NUMBER.to_owned(),
        ]);
        Worker::start(&mut command)
    }

    /// The reason why `scripts/bench` could not build it.
    fn skipped(self) -> Option<String> {
        let name = match self {
            Self::Rust => return None,
            Self::Kotlin => "BENCH_KOTLIN",
            Self::Swift => "BENCH_SWIFT",
        };
        built(name).err()
    }
}

pub fn measure(lab: &Lab, is_quick: bool) -> Result<Costs> {
    eprintln!("Kotlin and Swift");
    lab.set(Conditions { rtt: Duration::ZERO, loss: 0.0, seed: 0 });
    let (warm_up, rounds) = if is_quick { (5, 3) } else { (WARM_UP, ROUNDS) };
    let mut apps = Vec::new();
    for language in Language::ALL {
        let app = match language.skipped() {
            Some(reason) => Err(reason),
            None => Ok(App::start(language, lab, warm_up).context(language.name())?),
        };
        apps.push((language, app));
    }
    for _ in 0..rounds {
        for app in apps.iter_mut().filter_map(|(_, app)| app.as_mut().ok()) {
            app.measure()?;
        }
    }
    let mut costs = Vec::new();
    for (language, app) in apps {
        let cost = match app {
            Ok(app) => Ok(app.finish()?),
            Err(reason) => Err(reason),
        };
        costs.push((language, cost));
    }
    Ok(costs)
}

/// The process of one language, and the results of its rounds: milliseconds per verification.
struct App {
    worker: Worker,
    cpu_ms: Vec<f64>,
    took_ms: Vec<f64>,
}

impl App {
    fn start(language: Language, lab: &Lab, warm_up: u32) -> Result<Self> {
        let mut worker = language.start(lab)?;
        worker.request(&format!("repeat {warm_up}"))?;
        Ok(Self { worker, cpu_ms: Vec::new(), took_ms: Vec::new() })
    }

    fn measure(&mut self) -> Result<()> {
        let before = self.worker.cpu()?;
        let report = self.worker.request(&format!("repeat {IN_A_ROUND}"))?;
        let cpu = self.worker.cpu()?.saturating_sub(before);
        self.cpu_ms.push(cpu.as_secs_f64() * 1e3 / f64::from(IN_A_ROUND));
        let total_us = report["total_us"].as_f64().context("no total_us")?;
        self.took_ms.push(total_us / 1e3 / f64::from(IN_A_ROUND));
        Ok(())
    }

    fn finish(self) -> Result<Cost> {
        self.worker.finish()?;
        let summary = |values| Summary::of(values).context("no round");
        Ok(Cost { cpu_ms: summary(self.cpu_ms)?, took_ms: summary(self.took_ms)? })
    }
}

fn variable(name: &str) -> Result<String> {
    built(name).map_err(|reason| anyhow!("{name} is not set: {reason}"))
}
