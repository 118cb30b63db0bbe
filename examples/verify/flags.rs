//! The flags, and the settings that they stand for.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use number_verify::{Cleartext, CodeDelivery, Config, Header, Hint, StartField, VerificationOptions, hints_from_json};

/// Verifies a phone number over a bound network interface.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
#[allow(clippy::struct_excessive_bools)] // flags
pub struct Arguments {
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The phone number in E.164 format; defaults to the number of the simulator's SIM
    #[arg(long, value_name = "E164", default_value = "+14155550100")]
    pub phone: String,
    /// Retrieve the number of the SIM instead of verifying one
    #[arg(long, conflicts_with = "phone")]
    pub retrieve: bool,
    /// The base URL of the backend; defaults to the built-in simulator
    #[arg(long, value_name = "URL")]
    pub backend: Option<String>,
    /// The interface of the cellular network, such as wwan0
    #[arg(long, value_name = "NAME", conflicts_with = "any_network")]
    pub interface: Option<String>,
    /// Use the system's default network; for development
    #[arg(long)]
    pub any_network: bool,
    /// A name server for the cellular network (repeatable); defaults to those of resolv.conf
    #[arg(long, value_name = "ADDR")]
    pub dns: Vec<String>,
    /// An additional root certificate in PEM format, for both legs (repeatable)
    #[arg(long, value_name = "FILE")]
    pub root_ca: Vec<PathBuf>,
    /// A fixed address, as with curl; bypasses the address policy (repeatable)
    #[arg(long, value_name = "HOST:PORT:ADDR")]
    pub resolve: Vec<String>,
    /// The path of the abort call, relative to the base URL; without it, no abort is sent
    #[arg(long, value_name = "PATH")]
    pub abort_path: Option<String>,
    /// A header for the backend (repeatable)
    #[arg(long, value_name = "'Name: value'", value_parser = header)]
    pub header: Vec<(String, String)>,
    /// An additional field of the start request, such as attestation='"token"' (repeatable)
    #[arg(long, value_name = "NAME=JSON", value_parser = start_field)]
    pub start_field: Vec<(String, String)>,
    /// The x-correlator of the backend's calls and the trace; random by default
    #[arg(long, value_name = "TEXT")]
    pub correlator: Option<String>,
    /// Changes to the requests to some of the operator's hosts, as in a start response (repeatable)
    #[arg(long, value_name = "JSON", value_parser = hint)]
    pub hint: Vec<Hint>,
    /// How the code is delivered to the backend
    #[arg(long, value_enum, default_value = "relay")]
    pub code_delivery: Delivery,
    /// Reject plain http on the operator's side
    #[arg(long)]
    pub no_cleartext: bool,
    /// The overall deadline of a flow, in seconds; fractions are allowed
    #[arg(long, value_name = "SECONDS", value_parser = milliseconds)]
    pub deadline: Option<u64>,
    /// The number of flows, run one after another
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    pub repeat: u32,
    /// Call prepare() before the first flow
    #[arg(long)]
    pub prepare: bool,
    /// Do not open connections ahead of need
    #[arg(long)]
    pub no_open_ahead: bool,
    /// Print one JSON object per flow
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Delivery {
    Relay,
    FollowThrough,
    None,
}

/// What to do with a recorded trace.
#[derive(Subcommand)]
pub enum Command {
    /// Put a recorded trace into words: what happened, what to do, whom to contact
    Explain {
        /// A trace as JSON, the output of --json, or a text shared by a sample app; - is stdin
        file: PathBuf,
    },
    /// Repeat a recorded trace against servers that behave like the recorded ones
    Replay {
        /// As with explain
        file: PathBuf,
    },
}

impl Arguments {
    pub fn config(&self) -> Result<Config, String> {
        let mut config = Config::new(self.backend.clone().unwrap_or_default());
        config.code_delivery = match self.code_delivery {
            Delivery::Relay => CodeDelivery::Relay,
            Delivery::FollowThrough => CodeDelivery::FollowThrough,
            Delivery::None => CodeDelivery::NoCode,
        };
        config.open_ahead = !self.no_open_ahead;
        config.abort_path.clone_from(&self.abort_path);
        config.headers = self.header.iter().map(|(name, value)| Header::new(name.clone(), value.clone())).collect();
        config.hints.clone_from(&self.hint);
        if self.no_cleartext {
            config.cleartext = Cleartext::Never;
        }
        if let Some(deadline) = self.deadline {
            config.deadlines.overall_ms = deadline;
        }
        config.development.allow_unbound = self.interface.is_none();
        config.development.resolve.clone_from(&self.resolve);
        config.development.dns_servers.clone_from(&self.dns);
        for file in &self.root_ca {
            let pem =
                std::fs::read_to_string(file).map_err(|error| format!("--root-ca {}: {error}", file.display()))?;
            config.development.root_certificates.push(pem);
        }
        Ok(config)
    }

    pub fn options(&self) -> VerificationOptions {
        let fields = self.start_field.iter().map(|(name, json)| StartField::new(name.clone(), json.clone()));
        VerificationOptions {
            start_fields: fields.collect(),
            correlator: self.correlator.clone(),
            ..VerificationOptions::default()
        }
    }
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
