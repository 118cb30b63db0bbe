//! Repeats a recorded verification against servers that behave like the recorded ones, and compares
//! how both ended.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use number_verify::{
    CellularProvider, Config, Deadlines, NetworkBinding, NumberVerifier, Trace, TraceErrorDetail, TraceOutcome,
    VerificationOptions, VerifyError,
};
use number_verify_simulator::{ClientChanges, Replay, RunningReplay};

use crate::phone::{FixedNetwork, NoNetwork};
use crate::recorded::{self, Recorded};
use crate::report::{FAILED, NOT_VERIFIED, SUCCEEDED, plain, print};

const NUMBER: &str = "+14155550100";
/// Long for a server on the same machine, short for the person who waits.
const TIMEOUT_MS: u64 = 2_000;
/// No timeout of a step may pass before the overall deadline.
const NEVER_MS: u64 = 60_000;

pub fn replay(file: &Path) -> ExitCode {
    let recorded = match Recorded::read(file) {
        Ok(recorded) => recorded,
        Err(error) => return recorded::bad(file, &error),
    };
    match repeat(&recorded) {
        Ok(true) => ExitCode::from(SUCCEEDED),
        Ok(false) => ExitCode::from(NOT_VERIFIED),
        Err(error) => {
            let _ = print(&format!("Not replayed: {}.", plain(&error.to_string())));
            ExitCode::from(FAILED)
        }
    }
}

/// Whether it ended in the same way.
fn repeat(recorded: &Recorded) -> Result<bool, Box<dyn std::error::Error>> {
    print(&format!("Recorded: {}.", ending(&recorded.trace)))?;
    let replay = Replay::of_trace(&recorded.json).map_err(|why| why.to_string())?;
    for (host, stand_in) in replay.hosts() {
        print(&format!("  {} is replayed by {stand_in}", plain(&host)))?;
    }
    let client = replay.client_changes();
    let servers = replay.start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let trace = runtime.block_on(run(config(&servers, client), client))?;
    drop(servers);
    eprint!("{}", trace.to_table());
    print(&format!("Replayed: {}.", ending(&trace)))?;
    let is_same = ending(&trace) == ending(&recorded.trace);
    print(if is_same { "Reproduced." } else { "Not reproduced." })?;
    Ok(is_same)
}

async fn run(config: Config, client: ClientChanges) -> Result<Trace, VerifyError> {
    let provider: Arc<dyn CellularProvider> =
        if client.deadline == Some("acquire") { Arc::new(NoNetwork) } else { Arc::new(FixedNetwork(binding())) };
    let verifier = NumberVerifier::new(config, provider, None)?;
    // The result is in the trace.
    Ok(if client.retrieves {
        let flow = verifier.begin_retrieval(VerificationOptions::default(), None);
        let _ = flow.result().await;
        flow.trace()
    } else {
        let flow = verifier.begin(NUMBER.to_owned(), None);
        let _ = flow.result().await;
        flow.trace()
    })
}

fn config(servers: &RunningReplay, client: ClientChanges) -> Config {
    let mut config = Config::new(servers.backend_url());
    config.development.root_certificates.push(servers.root_ca_pem().to_owned());
    config.development.resolve = servers.resolve();
    config.development.allow_unbound = true;
    if cfg!(target_os = "linux") {
        config.development.dns_servers.push(servers.dns_server());
    }
    if let Some(limit) = client.redirect_limit {
        config.redirect_limit = limit;
    }
    let (overall_ms, each) = if client.deadline.is_some() { (TIMEOUT_MS, NEVER_MS) } else { (NEVER_MS, TIMEOUT_MS) };
    config.deadlines = Deadlines { overall_ms, acquire_ms: each, connect_ms: each, answer_ms: each, backend_ms: each };
    config
}

/// Loopback. Elsewhere than on Linux the system's name servers are used, and they know no name of a
/// replay either (RFC 2606, section 2).
fn binding() -> NetworkBinding {
    if cfg!(target_os = "linux") {
        NetworkBinding::LinuxInterface { name: "lo".to_owned() }
    } else {
        NetworkBinding::Unbound
    }
}

/// What a replay must reproduce: how it ended, at which request and in which phase of it, and what
/// the peer reported.
fn ending(trace: &Trace) -> String {
    let mut parts = vec![trace.outcome.and_then(name).unwrap_or_default()];
    if let Some(error) = &trace.error {
        parts.push(error.kind.clone());
        parts.extend(error.step.clone());
        parts.extend(error.cause.clone());
        parts.extend(error.hop.map(|hop| format!("hop {hop}")));
        let hop = error.hop.and_then(|index| trace.hops.iter().find(|hop| hop.index == index));
        // Whether a request was written to a connection that closes is a matter of time.
        let is_closed = error.cause.as_deref() == Some("closed");
        let is_unsent = !is_closed && hop.is_some_and(|hop| hop.first_byte_ms.is_none());
        parts.extend(is_unsent.then(|| "before the request".to_owned()));
        parts.extend(hop.and_then(|hop| hop.page_title.as_ref()).map(|title| format!("page \"{title}\"")));
        let is_status = error.cause.as_deref().is_some_and(|cause| cause.ends_with("status"));
        let TraceErrorDetail { status, alert, error, .. } = &error.detail;
        let status = status.filter(|_| is_status);
        parts.extend(status.map(|status| format!("status {status}")));
        parts.extend(alert.iter().chain(error).cloned());
    }
    plain(&parts.join(", "))
}

fn name(outcome: TraceOutcome) -> Option<String> {
    serde_json::to_value(outcome).ok()?.as_str().map(str::to_owned)
}
