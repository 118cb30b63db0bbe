//! A backend for number-verify, for any OpenID provider with CAMARA Number Verification, configured
//! through environment variables.
//!
//! `POST /start` creates a session for a phone number and returns the auth URL. `POST /complete`
//! exchanges the code and returns whether the number belongs to the SIM. `GET /callback` does the
//! same if the phone follows the last redirect, and only for the client that called start.
//! `POST /abort` ends a session without a result. `GET /health` is for load balancers. If retrieval
//! is enabled, a session can also be for the number of the SIM, which `complete` or the callback
//! then returns.
//!
//! Replicas do not store sessions: the phone holds its session, encrypted. State that replicas
//! share is in the store.
//!
//! | file | content |
//! |---|---|
//! | `app.rs` | the endpoints |
//! | `contract.rs`, `problem.rs` | requests and responses |
//! | `session.rs` | sessions and encryption |
//! | `once.rs`, `limits.rs` | idempotency; rate limits |
//! | `uses.rs` | single use of a session, and the result of its callback |
//! | `store/` | state that replicas share: in memory, or in Redis |
//! | `attestation.rs` | app attestation |
//! | `provider.rs`, `token.rs`, `jwt.rs`, `http.rs` | the provider |
//! | `hints.rs` | hints for the phone's requests to an operator's hosts |
//! | `settings.rs`, `log.rs` | configuration; logging |

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

/// For calls that are running when the program is stopped.
const GRACE_PERIOD: Duration = Duration::from_secs(10);
/// Also the idle timeout of connections. Longer than that of load balancers (60 s), so that they do
/// not send a request on a connection that was just closed.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(75);
const HEADERS_SIZE: usize = 32 * 1024;
const HEADERS_COUNT: usize = 256;

fn main() -> ExitCode {
    log::panics();
    // A value that is not UTF-8 is invalid, not unset.
    let variable = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let settings = match settings::read(variable) {
        Ok(settings) => settings,
        Err(error) => return fail(&error),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(serve(settings))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
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
    tokio::spawn(shut_down_on_signal(handle.clone()));
    let mut server = axum_server::from_tcp(listener)?.handle(handle).http1_only();
    let mut http = server.http_builder().http1();
    http.header_read_timeout(HEADERS_TIMEOUT).max_buf_size(HEADERS_SIZE).max_headers(HEADERS_COUNT);
    server.serve(service).await?;
    log::info("stopped", json!({}));
    Ok(())
}

/// Accepts no more connections, and exits when the running calls have their responses.
async fn shut_down_on_signal(handle: Handle<SocketAddr>) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    log::info("stopping", json!({}));
    handle.graceful_shutdown(Some(GRACE_PERIOD));
    Ok(())
}
