//! The simulator as a program, for a phone or another client. When it is ready it prints a summary,
//! or with `--json` one line of JSON, and serves the page.

mod summary;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use number_verify_simulator::{CLIENT_ID, CLIENT_SECRET, Fault, Operator, Options, Pending, Sim, Simulator, page};
use serde_json::{Value, json};

/// Operators, an auth server and a backend to verify phone numbers with.
#[derive(Parser)]
struct Arguments {
    /// The address of all hosts, unless overridden
    #[arg(long, default_value = "127.0.0.1")]
    address: IpAddr,
    /// The address of the backend, if different
    #[arg(long)]
    backend_address: Option<IpAddr>,
    /// The address of the auth server and the operators, if different
    #[arg(long)]
    operator_address: Option<IpAddr>,
    /// 0 for any free port
    #[arg(long, default_value = "0")]
    https_port: u16,
    /// 0 for any free port
    #[arg(long, default_value = "0")]
    http_port: u16,
    /// The address of a name server for the simulated hosts (port 0 for any free port)
    #[arg(long, value_name = "ADDR:PORT")]
    dns: Option<SocketAddr>,
    /// The SIM of connections from a network (repeatable); defaults to +14155550100 for all of
    /// loopback
    #[arg(long, value_name = "NETWORK/PREFIX=+NUMBER")]
    sim: Vec<Sim>,
    /// Print one line of JSON instead of the summary, for programs
    #[arg(long)]
    json: bool,
    /// The port of the page; 0 for any free port
    #[arg(long, default_value = "0")]
    page_port: u16,
    /// The address of the page, which is plain http without a login
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    page_address: IpAddr,
    /// A fault of all verifications, until it is switched off on the page
    #[arg(long, value_enum)]
    fault: Option<Fault>,
    /// The lifetime of access tokens, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "300")]
    token_lifetime: u64,
    /// The file to write the root certificate to
    #[arg(long, value_name = "FILE")]
    root_ca_out: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("number-verify-simulator: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> std::io::Result<()> {
    let mut options = Options {
        backend_address: arguments.backend_address.unwrap_or(arguments.address),
        operator_address: arguments.operator_address.unwrap_or(arguments.address),
        https_port: arguments.https_port,
        http_port: arguments.http_port,
        dns: arguments.dns,
        token_lifetime: Duration::from_secs(arguments.token_lifetime),
        ..Options::default()
    };
    if !options.operator_address.is_loopback() {
        options.operator_ipv6 = None;
    }
    if !arguments.sim.is_empty() {
        options.sims = arguments.sim;
        options.operator_ipv6 = None; // there is no SIM for IPv6
    }
    let simulator = Simulator::start(options)?;
    if let Some(file) = &arguments.root_ca_out {
        std::fs::write(file, simulator.root_ca_pem())?;
    }
    simulator.set_fault(Pending { fault: arguments.fault, repeat: true });
    let page = TcpListener::bind((arguments.page_address, arguments.page_port))?;
    let ready = ready(&simulator, arguments.root_ca_out, page.local_addr()?);
    if arguments.json {
        println!("{ready}");
    } else {
        print!("{}", summary::of(&ready, &simulator));
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        tokio::select! {
            ended = page::serve(page, &simulator, ready) => ended,
            ended = until_terminated() => ended,
        }
    })
}

/// All that a client needs.
fn ready(simulator: &Simulator, root_ca: Option<PathBuf>, mut page: SocketAddr) -> Value {
    if page.ip().is_unspecified() {
        page.set_ip(Ipv4Addr::LOCALHOST.into()); // one of them, and the one that a container publishes to
    }
    let backends: Value = Operator::ALL
        .map(|operator| (operator.to_string(), Value::from(simulator.backend_url(operator))))
        .into_iter()
        .collect();
    let scenarios: Vec<_> =
        simulator.scenarios().iter().map(|scenario| scenario.to_json(&simulator.scenario_url(scenario))).collect();
    let verify_errors: Vec<_> = simulator
        .verify_errors()
        .into_iter()
        .map(|(number, status, code)| json!({ "number": number, "status": status, "code": code }))
        .collect();
    json!({
        "backend": simulator.backend_url(Operator::A),
        "backends": backends,
        "scenarios": scenarios,
        "observed": simulator.observed_url(),
        "https_port": simulator.https_port(),
        "http_port": simulator.http_port(),
        "hosts": simulator.hosts(),
        "dns": simulator.dns_address(),
        "glide": { "base_url": simulator.glide_url(), "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET },
        "verify_errors": verify_errors,
        "camara": {
            "issuer": simulator.camara_issuer(),
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "client_private_key": simulator.camara_client_key_pem(),
            "verify_url": simulator.camara_verify_url(),
        },
        "root_ca": root_ca,
        "root_ca_pem": simulator.root_ca_pem(),
        "page": format!("http://{page}/"),
    })
}

async fn until_terminated() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}
