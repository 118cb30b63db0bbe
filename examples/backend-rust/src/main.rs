//! A backend for number-verify, for any OpenID provider with CAMARA Number Verification. Its settings are environment variables.
//!
//! `POST /start` makes a session for a phone number and answers with the auth URL. `POST /complete` exchanges the code and answers whether
//! the number is the SIM's. `GET /callback` does the same where the phone follows the last redirect, and only for the client that called
//! start. `POST /abort` ends a session without a result. `GET /health` is for load balancers. If retrieval is on, a session can also be for
//! the SIM's number, which `complete` or the callback then returns.
//!
//! No replica remembers a session: it travels with the phone, sealed. What replicas have to know of each other is in the store.
//!
//! | file | what |
//! |---|---|
//! | `app.rs` | the calls |
//! | `contract.rs`, `problem.rs` | what requests and answers look like |
//! | `session.rs` | what only the keys can make and read |
//! | `once.rs`, `limits.rs` | the same answer for the same request; how often one may call |
//! | `uses.rs` | that a session is used once; the result of its callback |
//! | `store/` | what replicas share: in memory, or in Redis |
//! | `attestation.rs` | whether a `start` comes from a genuine copy of the app |
//! | `provider.rs`, `token.rs`, `jwt.rs`, `http.rs` | the provider |
//! | `hints.rs` | hints for the phone's requests to an operator's hosts |
//! | `settings.rs`, `log.rs` | what goes in, and what is told |

mod app;
mod attestation;
mod contract;
mod hints;
mod http;
mod jwt;
mod limits;
mod log;
mod once;
mod problem;
mod provider;
mod session;
mod settings;
mod store;
mod token;
mod uses;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::App;
use crate::attestation::Attestation;
use crate::provider::Provider;
use crate::settings::Settings;

/// For calls that are under way when the program is told to stop.
const GRACE: Duration = Duration::from_secs(10);
/// Also how long an idle connection is kept: longer than load balancers keep theirs (60 s), which must not write to one that has just
/// been closed.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(75);
const HEADERS_SIZE: usize = 32 * 1024;
const HEADERS_COUNT: usize = 256;

fn main() -> ExitCode {
    log::panics();
    // A value that is not UTF-8 is invalid, not unset.
    let variable = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let settings = match settings::read(variable) {
        Ok(settings) => settings,
        Err(wrong) => return complain(&wrong),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(serve(settings))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error),
    }
}

fn complain(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("number-verify-backend: {error}");
    ExitCode::FAILURE
}

async fn serve(settings: Settings) -> io::Result<()> {
    let provider = Provider::new(settings.registration).map_err(io::Error::other)?;
    let attestation = settings.app.attestation.map_or("none", Attestation::name);
    let retrieval = match settings.app.attestation {
        _ if !provider.retrieves_numbers() => "off",
        Some(_) => "on",
        None => "without-attestation",
    };
    if retrieval == "without-attestation" {
        log::warning("retrieval_without_attestation", json!({}));
    }
    let app = Arc::new(App::new(settings.app, settings.store, provider));
    let service = app::router(app).into_make_service_with_connect_info::<SocketAddr>();
    let handle = Handle::new();
    let listener = std::net::TcpListener::bind(settings.listen)?;
    let listen = listener.local_addr()?;
    log::info("started", json!({ "listen": listen, "attestation": attestation, "retrieval": retrieval }));
    tokio::spawn(stop_when_told(handle.clone()));
    let mut server = axum_server::from_tcp(listener)?.handle(handle).http1_only();
    let mut http = server.http_builder().http1();
    http.header_read_timeout(HEADERS_TIMEOUT).max_buf_size(HEADERS_SIZE).max_headers(HEADERS_COUNT);
    server.serve(service).await?;
    log::info("stopped", json!({}));
    Ok(())
}

/// Takes no more connections, and ends when the calls that are under way have been answered.
async fn stop_when_told(handle: Handle<SocketAddr>) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    log::info("stopping", json!({}));
    handle.graceful_shutdown(Some(GRACE));
    Ok(())
}
