//! A complete verification on the command line. Without `--backend` it runs against the simulator,
//! started in this process. `explain` puts a recorded trace into words, `replay` repeats it against
//! servers that behave like the recorded ones.
//!
//! Progress is written to stderr (with `NUMBER_VERIFY_LOG` set, the library's log as well), the
//! result to stdout: with `--retrieve`, the number. Exit status: 0 verified, retrieved, explained or
//! reproduced, 1 not verified or not reproduced, 2 usage or a file that is not a trace, 3 error, or
//! a trace that no server can reproduce.

mod flags;
mod phone;
mod recorded;
mod replay;
mod report;
mod run;

use std::process::ExitCode;

use clap::Parser;
use number_verify::{Config, LogLevel, log_to_system};
use number_verify_simulator::{Operator, Options, Simulator};

use crate::flags::{Arguments, Command, Delivery};
use crate::report::USAGE;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if std::env::var_os("NUMBER_VERIFY_LOG").is_some() {
        log_to_system(LogLevel::Debug);
    }
    match &arguments.command {
        None => verify(&arguments),
        Some(Command::Explain { file }) => recorded::explain(file),
        Some(Command::Replay { file }) => replay::replay(file),
    }
}

fn verify(arguments: &Arguments) -> ExitCode {
    if arguments.backend.is_some() && arguments.interface.is_none() && !arguments.any_network {
        return usage("--backend needs --interface NAME, or --any-network for development");
    }
    if arguments.retrieve && arguments.backend.is_none() && matches!(arguments.code_delivery, Delivery::None) {
        return usage("the simulator's operator for retrieval uses codes: --retrieve needs another --code-delivery");
    }
    let mut config = match arguments.config() {
        Ok(config) => config,
        Err(message) => return usage(&message),
    };
    let simulator = match arguments.backend {
        Some(_) => None,
        None => match simulator(arguments, &mut config) {
            Ok(simulator) => Some(simulator),
            Err(error) => return usage(&format!("the simulator cannot be started: {error}")),
        },
    };
    let status = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run::run(arguments, config)),
        Err(error) => return usage(&format!("no runtime: {error}")),
    };
    drop(simulator);
    status
}

fn usage(message: &str) -> ExitCode {
    eprintln!("verify: {message}; see --help");
    ExitCode::from(USAGE)
}

/// The simulator's hosts get their addresses through the same override as `--resolve`.
fn simulator(arguments: &Arguments, config: &mut Config) -> std::io::Result<Simulator> {
    let simulator = Simulator::start(Options::default())?;
    let [with_retrieval, ..] = simulator.backend_urls_with_retrieval();
    config.backend_url = match arguments.code_delivery {
        _ if arguments.retrieve => with_retrieval,
        Delivery::None => simulator.backend_url(Operator::D),
        Delivery::Relay | Delivery::FollowThrough => simulator.backend_url(Operator::B),
    };
    config.development.root_certificates.push(simulator.root_ca_pem().to_owned());
    config.development.resolve.extend(simulator.hosts());
    Ok(simulator)
}
