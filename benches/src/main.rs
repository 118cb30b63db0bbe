//! The cost of a verification over a slow link, compared with OkHttp and curl in one run, with the
//! real kernel. Linux, as root; `make bench` builds what it needs and runs it.
//!
//! | file | subject |
//! |---|---|
//! | `lab/` | the phone's network: namespaces, delay line, name server, web servers |
//! | `clients/`, `phone.rs` | the clients; the process that represents an app with this library |
//! | `plan.rs`, `measure.rs` | the plan and the measurement |
//! | `resources.rs`, `allocations.rs`, `process.rs` | instructions, memory, threads |
//! | `bindings.rs` | overhead of Kotlin and Swift |
//! | `backends.rs`, `load.rs`, `http.rs`, `replica.rs` | the reference backends |
//! | `soak/` | long runs with restarts of each component; `make soak-backends` |
//! | `statistics.rs`, `thresholds.rs` | medians and noise; the thresholds |
//! | `report/` | tables, plots, the documents that contain them |

mod allocations;
mod backends;
mod bindings;
mod clients;
mod http;
mod lab;
mod load;
mod measure;
mod phone;
mod plan;
mod process;
mod replica;
mod report;
mod resources;
mod soak;
mod statistics;
mod thresholds;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::builder::{FalseyValueParser, RangedU64ValueParser};
use clap::{Parser, Subcommand};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::clients::curl;
use crate::clients::okhttp::OkHttp;
use crate::lab::chain::Scenario;
use crate::measure::Tools;
use crate::plan::Plan;
use crate::report::{document, history, plot, table};

/// The document with the figures.
const DOCUMENT: &str = "docs/performance.md";

/// Measures the cost of a verification, and writes docs/performance.md and its plots.
#[derive(Parser)]
#[command(subcommand_negates_reqs = true)]
struct Arguments {
    /// Two repetitions of a few conditions, as a smoke test; thresholds are not enforced
    #[arg(long, env = "BENCH_QUICK", value_parser = FalseyValueParser::new())]
    quick: bool,
    /// Repetitions of each condition
    #[arg(long, env = "BENCH_REPETITIONS", default_value = "20", value_parser = clap::value_parser!(u32).range(1..))]
    repetitions: u32,
    /// The number of links measured at the same time; defaults to 4 for each processor
    #[arg(long, env = "BENCH_LABS", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    labs: Option<usize>,
    /// The repository's folder, whose documents are written
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/.."))]
    repository: PathBuf,
    /// For files of the run, including the roots that its clients trust: other users must not have
    /// write access
    #[arg(long, required = true)]
    folder: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Inner>,
}

#[derive(Subcommand)]
enum Inner {
    /// The process that represents an app; started by the benchmark
    #[command(hide = true)]
    Phone {
        root_ca: PathBuf,
    },
    SoakBackends(soak::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match &arguments.command {
        Some(Inner::Phone { root_ca }) => phone::run(root_ca).map(|()| true),
        Some(Inner::SoakBackends(arguments)) => raise_open_file_limit().and_then(|()| soak::run(arguments)),
        None => run(&arguments),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all thresholds are met.
fn run(arguments: &Arguments) -> Result<bool> {
    let began = Instant::now();
    let folder = arguments.folder.as_deref().context("--folder is missing")?;
    raise_open_file_limit()?;
    std::fs::create_dir_all(folder)?;
    let plan = if arguments.quick { Plan::quick() } else { Plan::full(arguments.repetitions) };
    let processors = std::thread::available_parallelism()?.get();
    let labs = arguments.labs.unwrap_or(processors * 4);
    let (okhttp, curl) = (OkHttp::class_path(), curl::version());
    let skipped = [("OkHttp", okhttp.as_ref().err()), ("curl", curl.as_ref().err())];
    let skipped = skipped.into_iter().filter_map(|(what, reason)| Some(format!("skipped: {what}: {}", reason?)));
    let skipped: Vec<String> = skipped.collect();
    for line in &skipped {
        println!("{line}");
    }

    let how_long = Duration::from_secs(if arguments.quick { 2 } else { 10 });
    let backends = backends::measure(folder, how_long)?;
    let resources = resources::measure(folder, arguments.quick)?;
    let tools = Tools { okhttp: okhttp.ok(), has_curl: curl.is_ok() };
    let samples = measure::run(&plan, tools, labs, folder)?;

    let checks = thresholds::check(&samples, &plan, &resources);
    let last = folder.join("medians.json");
    let against = if arguments.quick { None } else { history::compare(&samples, &plan, &last)? };
    let mut parts = vec![("run", about(&plan, labs, processors, began, &skipped, against.as_deref())?)];
    for (name, of, scenario) in [("costs-s1", "legs-s1", Scenario::S1), ("costs-s2", "legs-s2", Scenario::S2)] {
        parts.push((name, table::costs(&samples, &plan, scenario)));
        parts.push((of, table::legs(&samples, &plan, scenario)));
    }
    parts.push(("checks", table::checks(&checks)));
    parts.push(("resources", table::resources(&resources)));
    parts.push(("at-once", table::at_once(&resources)));
    parts.push(("bindings", table::bindings(&resources)));
    parts.push(("backends", table::backends(&backends)));
    parts.push(("summary", table::summary(&samples, &plan)));
    for (name, part) in &parts {
        println!("\n{name}\n\n{}", part.trim());
    }
    let documents =
        if arguments.quick { copy_document(&arguments.repository, folder)? } else { arguments.repository.clone() };
    document::update(&documents.join(DOCUMENT), &parts)?;
    plot::draw(&samples, &plan, &documents.join("docs/performance"))?;
    println!("\nwritten in {}: {}, docs/performance/*.svg", documents.display(), DOCUMENT);
    let holds = checks.iter().all(|check| check.holds);
    if !holds {
        println!("a threshold is not met; see \"checks\"");
    }
    Ok(holds || arguments.quick)
}

/// The figures of a quick run are meaningless, so that they are not written to the repository.
fn copy_document(repository: &Path, folder: &Path) -> Result<PathBuf> {
    let folder = folder.join("quick");
    std::fs::create_dir_all(folder.join("docs"))?;
    std::fs::copy(repository.join(DOCUMENT), folder.join(DOCUMENT)).context(DOCUMENT)?;
    Ok(folder)
}

/// The conditions of the measurement.
fn about(
    plan: &Plan,
    labs: usize,
    processors: usize,
    began: Instant,
    skipped: &[String],
    against: Option<&str>,
) -> Result<String> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, model)| model);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let text = format!(
        "{}, {} repetitions of each condition, {labs} links at a time, in {} minutes. {processors} processors ({}), Linux {}.",
        today()?,
        plan.repetitions,
        began.elapsed().as_secs() / 60,
        model.unwrap_or("unknown"),
        kernel.trim()
    );
    let more = skipped.iter().map(String::as_str).chain(against);
    Ok(std::iter::once(text.as_str()).chain(more).collect::<Vec<_>>().join("\n\n"))
}

fn today() -> Result<String> {
    let output = std::process::Command::new("date").arg("+%Y-%m-%d").output().context("date")?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// A thousand concurrent verifications have several thousand sockets.
fn raise_open_file_limit() -> Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_is_required_except_for_phone() {
        let parse = |arguments: &str| Arguments::try_parse_from(arguments.split(' '));
        assert!(parse("bench phone root.pem").is_ok());
        assert!(parse("bench --folder f --repetitions 1 --labs 1").is_ok());
        assert!(parse("bench --repetitions 1").is_err());
    }

    #[test]
    fn zero_repetitions_are_rejected() {
        for option in ["--repetitions", "--labs"] {
            assert!(Arguments::try_parse_from(["bench", "--folder", "f", option, "0"]).is_err());
        }
    }
}
