//! A complete verification on the command line. Without `--backend` it runs against the simulator,
//! started in this process.
//!
//! Progress is written to stderr (with `NUMBER_VERIFY_LOG` set, the library's log as well), the
//! result to stdout: with `--retrieve`, the number. Exit status: 0 verified or retrieved, 1 not
//! verified, 2 usage, 3 error.

use std::io::Write;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use futures_util::FutureExt;
use number_verify::{
    CellularError, CellularProvider, CellularStatus, Cleartext, CodeDelivery, Config, Header, Hint, LogLevel,
    NetworkBinding, NetworkEvents, NumberVerifier, Progress, ProgressListener, RetrievalFlow, Setting, StartField,
    Trace, VerificationFlow, VerificationOptions, VerifyError, hints_from_json, log_to_system,
};
use number_verify_simulator::{Operator, Options, Simulator};
use tokio::time::timeout;

const SUCCEEDED: u8 = 0;
const NOT_VERIFIED: u8 = 1;
const USAGE: u8 = 2;
const FAILED: u8 = 3;
/// Timeout for background work after a flow. Ctrl-C ends the program within a second.
const BACKGROUND: Duration = Duration::from_millis(800);

/// Verifies a phone number over a bound network interface.
#[derive(Parser)]
#[allow(clippy::struct_excessive_bools)] // flags
struct Arguments {
    /// The phone number in E.164 format; defaults to the number of the simulator's SIM
    #[arg(long, value_name = "E164", default_value = "+14155550100")]
    phone: String,
    /// Retrieve the number of the SIM instead of verifying one
    #[arg(long, conflicts_with = "phone")]
    retrieve: bool,
    /// The base URL of the backend; defaults to the built-in simulator
    #[arg(long, value_name = "URL")]
    backend: Option<String>,
    /// The interface of the cellular network, such as wwan0
    #[arg(long, value_name = "NAME", conflicts_with = "any_network")]
    interface: Option<String>,
    /// Use the system's default network; for development
    #[arg(long)]
    any_network: bool,
    /// A name server for the cellular network (repeatable); defaults to those of resolv.conf
    #[arg(long, value_name = "ADDR")]
    dns: Vec<String>,
    /// An additional root certificate in PEM format, for both legs (repeatable)
    #[arg(long, value_name = "FILE")]
    root_ca: Vec<PathBuf>,
    /// A fixed address, as with curl; bypasses the address policy (repeatable)
    #[arg(long, value_name = "HOST:PORT:ADDR")]
    resolve: Vec<String>,
    /// The path of the abort call, relative to the base URL; without it, no abort is sent
    #[arg(long, value_name = "PATH")]
    abort_path: Option<String>,
    /// A header for the backend (repeatable)
    #[arg(long, value_name = "'Name: value'", value_parser = header)]
    header: Vec<(String, String)>,
    /// An additional field of the start request, such as attestation='"token"' (repeatable)
    #[arg(long, value_name = "NAME=JSON", value_parser = start_field)]
    start_field: Vec<(String, String)>,
    /// The x-correlator of the backend's calls and the trace; random by default
    #[arg(long, value_name = "TEXT")]
    correlator: Option<String>,
    /// Changes to the requests to some of the operator's hosts, as in a start response (repeatable)
    #[arg(long, value_name = "JSON", value_parser = hint)]
    hint: Vec<Hint>,
    /// How the code is delivered to the backend
    #[arg(long, value_enum, default_value = "relay")]
    code_delivery: Delivery,
    /// Reject plain http on the operator's side
    #[arg(long)]
    no_cleartext: bool,
    /// The overall deadline of a flow, in seconds; fractions are allowed
    #[arg(long, value_name = "SECONDS", value_parser = milliseconds)]
    deadline: Option<u64>,
    /// The number of flows, run one after another
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Call prepare() before the first flow
    #[arg(long)]
    prepare: bool,
    /// Do not open connections ahead of need
    #[arg(long)]
    no_open_ahead: bool,
    /// Print one JSON object per flow
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Delivery {
    Relay,
    FollowThrough,
    None,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if std::env::var_os("NUMBER_VERIFY_LOG").is_some() {
        log_to_system(LogLevel::Debug);
    }
    if arguments.backend.is_some() && arguments.interface.is_none() && !arguments.any_network {
        return usage("--backend needs --interface NAME, or --any-network for development");
    }
    if arguments.retrieve && arguments.backend.is_none() && matches!(arguments.code_delivery, Delivery::None) {
        return usage("the simulator's operator for retrieval uses codes: --retrieve needs another --code-delivery");
    }
    let mut config = match config(&arguments) {
        Ok(config) => config,
        Err(message) => return usage(&message),
    };
    let simulator = match arguments.backend {
        Some(_) => None,
        None => match simulator(&arguments, &mut config) {
            Ok(simulator) => Some(simulator),
            Err(error) => return usage(&format!("the simulator cannot be started: {error}")),
        },
    };
    let status = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run(&arguments, config)),
        Err(error) => return usage(&format!("no runtime: {error}")),
    };
    drop(simulator);
    status
}

fn usage(message: &str) -> ExitCode {
    eprintln!("verify: {message}; see --help");
    ExitCode::from(USAGE)
}

fn config(arguments: &Arguments) -> Result<Config, String> {
    let mut config = Config::new(arguments.backend.clone().unwrap_or_default());
    config.code_delivery = match arguments.code_delivery {
        Delivery::Relay => CodeDelivery::Relay,
        Delivery::FollowThrough => CodeDelivery::FollowThrough,
        Delivery::None => CodeDelivery::NoCode,
    };
    config.open_ahead = !arguments.no_open_ahead;
    config.abort_path.clone_from(&arguments.abort_path);
    config.headers = arguments.header.iter().map(|(name, value)| Header::new(name.clone(), value.clone())).collect();
    config.hints.clone_from(&arguments.hint);
    if arguments.no_cleartext {
        config.cleartext = Cleartext::Never;
    }
    if let Some(deadline) = arguments.deadline {
        config.deadlines.overall_ms = deadline;
    }
    config.development.allow_unbound = arguments.interface.is_none();
    config.development.resolve.clone_from(&arguments.resolve);
    config.development.dns_servers.clone_from(&arguments.dns);
    for file in &arguments.root_ca {
        let pem = std::fs::read_to_string(file).map_err(|error| format!("--root-ca {}: {error}", file.display()))?;
        config.development.root_certificates.push(pem);
    }
    Ok(config)
}

fn options(arguments: &Arguments) -> VerificationOptions {
    let fields = arguments.start_field.iter().map(|(name, json)| StartField::new(name.clone(), json.clone()));
    VerificationOptions {
        start_fields: fields.collect(),
        correlator: arguments.correlator.clone(),
        ..VerificationOptions::default()
    }
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

async fn run(arguments: &Arguments, config: Config) -> ExitCode {
    let mut interrupted = pin!(tokio::signal::ctrl_c());
    // Installs the signal handler.
    let _ = (&mut interrupted).now_or_never();
    let binding = match &arguments.interface {
        Some(name) => NetworkBinding::LinuxInterface { name: name.clone() },
        None => NetworkBinding::Unbound,
    };
    let verifier = match NumberVerifier::new(config, Arc::new(FixedNetwork(binding)), None) {
        Ok(verifier) => verifier,
        Err(error) if is_bad_flag(&error, arguments) => return usage(&error.to_string()),
        Err(error) => return ExitCode::from(report(arguments, Err(error), &Trace::default())),
    };
    if arguments.prepare {
        let prepared = tokio::select! {
            prepared = verifier.prepare() => prepared,
            _ = &mut interrupted => {
                return ExitCode::from(report(arguments, Err(VerifyError::Cancelled), &Trace::default()));
            }
        };
        if let Err(error) = prepared {
            eprintln!("prepare: {error}");
        }
    }
    let ended = verifier.ended();
    let status = flows(arguments, verifier, interrupted).await;
    let _ = timeout(BACKGROUND, ended).await; // For the release of the network and the abort.
    status
}

async fn flows(
    arguments: &Arguments,
    verifier: Arc<NumberVerifier>,
    mut interrupted: Pin<&mut impl Future<Output = std::io::Result<()>>>,
) -> ExitCode {
    let mut worst = SUCCEEDED;
    for _ in 0..arguments.repeat {
        let flow = Flow::begin(&verifier, arguments);
        let result = tokio::select! {
            result = flow.result() => result,
            _ = &mut interrupted => {
                flow.cancel();
                flow.result().await
            }
        };
        if let Err(error @ VerifyError::InvalidConfig { setting: Setting::StartFields | Setting::Correlator }) = &result
        {
            return usage(&error.to_string());
        }
        let cancelled = matches!(result, Err(VerifyError::Cancelled));
        let status = report(arguments, result, &flow.trace());
        worst = worst.max(status);
        if cancelled {
            break;
        }
    }
    ExitCode::from(worst)
}

enum Flow {
    Verification(Arc<VerificationFlow>),
    Retrieval(Arc<RetrievalFlow>),
}

enum Outcome {
    Verified(bool),
    Number(String),
}

impl Flow {
    fn begin(verifier: &NumberVerifier, arguments: &Arguments) -> Self {
        let (options, progress) = (options(arguments), Some(Arc::new(ProgressPrinter) as Arc<dyn ProgressListener>));
        if arguments.retrieve {
            Self::Retrieval(verifier.begin_retrieval(options, progress))
        } else {
            Self::Verification(verifier.begin_with(arguments.phone.clone(), options, progress))
        }
    }

    async fn result(&self) -> Result<Outcome, VerifyError> {
        Ok(match self {
            Self::Verification(flow) => Outcome::Verified(flow.result().await?.verified()),
            Self::Retrieval(flow) => Outcome::Number(flow.result().await?.phone_number()),
        })
    }

    fn cancel(&self) {
        match self {
            Self::Verification(flow) => flow.cancel(),
            Self::Retrieval(flow) => flow.cancel(),
        }
    }

    fn trace(&self) -> Trace {
        match self {
            Self::Verification(flow) => flow.trace(),
            Self::Retrieval(flow) => flow.trace(),
        }
    }
}

/// A platform without any trusted root is not the caller's mistake.
fn is_bad_flag(error: &VerifyError, arguments: &Arguments) -> bool {
    match error {
        VerifyError::InvalidConfig { setting } => {
            *setting != Setting::RootCertificates || !arguments.root_ca.is_empty()
        }
        _ => false,
    }
}

fn report(arguments: &Arguments, result: Result<Outcome, VerifyError>, trace: &Trace) -> u8 {
    let written = if arguments.json {
        let trace = trace.to_json();
        print(&match &result {
            Ok(Outcome::Verified(verified)) => format!(r#"{{"verified":{verified},"trace":{trace}}}"#),
            Ok(Outcome::Number(number)) => format!(r#"{{"phoneNumber":"{number}","trace":{trace}}}"#),
            Err(error) => format!(r#"{{"error":{},"trace":{trace}}}"#, error.to_json()),
        })
    } else {
        eprint!("{}", trace.to_table());
        print(&match &result {
            Ok(Outcome::Verified(true)) => "verified".to_owned(),
            Ok(Outcome::Verified(false)) => "not verified".to_owned(),
            Ok(Outcome::Number(number)) => number.clone(),
            Err(error) => format!("error: {error} (recommended action: {})", error.fallback()),
        })
    };
    match result {
        _ if written.is_err() => FAILED,
        Ok(Outcome::Verified(false)) => NOT_VERIFIED,
        Ok(_) => SUCCEEDED,
        Err(_) => FAILED,
    }
}

fn print(line: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("must be 'Name: value'")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn start_field(text: &str) -> Result<(String, String), String> {
    let (name, json) = text.split_once('=').ok_or("must be NAME=JSON")?;
    serde_json::from_str::<serde_json::Value>(json).map_err(|error| format!("the value is not JSON: {error}"))?;
    Ok((name.to_owned(), json.to_owned()))
}

fn hint(json: &str) -> Result<Hint, String> {
    let hints = hints_from_json(&format!("[{json}]")).map_err(|error| error.to_string())?;
    <[Hint; 1]>::try_from(hints).map(|[hint]| hint).map_err(|_| "must be one JSON object".to_owned())
}

fn milliseconds(text: &str) -> Result<u64, String> {
    let seconds: f64 = text.parse().map_err(|_| "must be a number of seconds")?;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|_| "must be a positive number of seconds")?;
    match u64::try_from(duration.as_millis()) {
        Ok(milliseconds) if milliseconds > 0 => Ok(milliseconds),
        _ => Err("must be at least one millisecond".to_owned()),
    }
}

/// A network that is always available, such as a modem connected by another program.
struct FixedNetwork(NetworkBinding);

#[async_trait::async_trait]
impl CellularProvider for FixedNetwork {
    async fn acquire(&self, _: Arc<NetworkEvents>) -> Result<NetworkBinding, CellularError> {
        Ok(self.0.clone())
    }

    async fn release(&self) -> Result<(), CellularError> {
        Ok(())
    }

    async fn status(&self) -> Result<CellularStatus, CellularError> {
        Ok(CellularStatus::Ready)
    }
}

/// Prints the progress for the user.
struct ProgressPrinter;

impl ProgressListener for ProgressPrinter {
    fn on_progress(&self, progress: Progress) -> Result<(), number_verify::ListenerError> {
        match progress {
            Progress::StepBegan { step, at_ms } => eprintln!("{at_ms:>6} ms  {step} …"),
            Progress::StepEnded { step, at_ms } => eprintln!("{at_ms:>6} ms  {step} done"),
            Progress::HopAnswered { hop, at_ms } => {
                let status = hop.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
                eprintln!("{at_ms:>6} ms    hop {} {}://{} {status}", hop.index, hop.scheme, hop.host);
            }
            Progress::Slow { at_ms } => eprintln!("{at_ms:>6} ms  slower than usual"),
            _ => {}
        }
        Ok(())
    }
}
