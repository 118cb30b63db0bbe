//! The page: what happens in the simulator, live, and the faults to switch on. Plain http; it makes
//! no request to another server.
//!
//! Another site must not be able to use it through the user's browser: a Host must be an address or
//! `localhost`, because another name can be made to resolve to this server (DNS rebinding), and a
//! change requires this page's Origin.

mod connect;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, TcpListener as StdListener};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Json, Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use clap::ValueEnum;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::broadcast::error::RecvError;

use crate::Simulator;
use crate::faults::{Fault, Pending};
use crate::world::World;

const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct Page {
    world: Arc<World>,
    /// The simulator's line of JSON, with the page's URL.
    ready: Value,
    root_pem: String,
    sims: Vec<String>,
}

/// Serves the page until this future is dropped. `ready` is what the program prints with `--json`.
pub fn serve(
    listener: StdListener,
    simulator: &Simulator,
    ready: Value,
) -> impl Future<Output = io::Result<()>> + Send + use<> {
    let (world, root_pem) = (simulator.world.clone(), simulator.root_ca_pem().to_owned());
    let page = Arc::new(Page { world, ready, root_pem, sims: simulator.sims() });
    async move {
        listener.set_nonblocking(true)?;
        axum::serve(TcpListener::from_std(listener)?, router(page)).await
    }
}

/// The commands that verify the SIM's number, for a person with a shell.
#[must_use]
pub fn commands(ready: &Value, simulator: &Simulator) -> String {
    let text = |name: &str| ready[name].as_str().unwrap_or_default();
    connect::commands(text("page"), text("backend"), &simulator.sims())
}

fn router(page: Arc<Page>) -> Router {
    let file = |kind: &'static str, text: &'static str| get(async move || ([(header::CONTENT_TYPE, kind)], text));
    Router::new()
        .route("/", file("text/html; charset=utf-8", include_str!("index.html")))
        .route("/page.css", file("text/css; charset=utf-8", include_str!("page.css")))
        .route("/page.js", file("text/javascript; charset=utf-8", include_str!("page.js")))
        .route("/trace.js", file("text/javascript; charset=utf-8", include_str!("trace.js")))
        .route("/icon.svg", file("image/svg+xml", include_str!("icon.svg")))
        .route("/simulator.json", get(async |State(page): State<Arc<Page>>| Json(page.ready.clone())))
        .route("/about", get(about))
        .route("/root.pem", get(connect::root_certificate))
        .route("/resolve", get(connect::resolve))
        .route("/qr.svg", get(connect::qr_code))
        .route("/events", get(events))
        .route("/verifications/{file}", get(download))
        .route("/fault", post(set_fault))
        .with_state(page)
        .layer(from_fn(protect))
}

/// Rejects other sites; the headers of every response.
async fn protect(request: Request, next: Next) -> Response {
    let mut response = if is_ours(request.headers(), request.method().is_safe()) {
        next.run(request).await
    } else {
        StatusCode::FORBIDDEN.into_response()
    };
    let headers = [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    response.headers_mut().extend(headers.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}

/// An address or `localhost` cannot be rebound; a change must come from the same authority.
fn is_ours(headers: &HeaderMap, is_read: bool) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(authority) = text(header::HOST) else { return false };
    let host =
        authority.rsplit_once(':').map_or(authority, |(host, port)| if port.ends_with(']') { authority } else { host });
    let is_local = host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let is_same = || text(header::ORIGIN).and_then(|origin| origin.strip_prefix("http://")) == Some(authority);
    is_local && (is_read || is_same())
}

/// What the page shows in addition to the events.
async fn about(State(page): State<Arc<Page>>, headers: HeaderMap) -> Response {
    let faults: Vec<_> = Fault::value_variants().iter().filter_map(Fault::to_possible_value).collect();
    let faults: Vec<_> = faults
        .iter()
        .map(|fault| json!({ "name": fault.get_name(), "effect": fault.get_help().map(ToString::to_string) }))
        .collect();
    let digest = connect::sha256(&page.root_pem);
    let backend = page.ready["backend"].as_str().unwrap_or_default();
    let commands = connect::commands(&connect::address(&headers), backend, &page.sims);
    Json(json!({ "faults": faults, "sims": page.sims, "root_sha256": digest, "commands": commands })).into_response()
}

async fn download(State(page): State<Arc<Page>>, Path(file): Path<String>) -> Response {
    let id = file.strip_suffix(".json").and_then(|id| id.parse().ok());
    let Some((id, verification)) = id.and_then(|id| Some((id, page.world.events.get(id)?))) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let name = format!("attachment; filename=\"verification-{id}.json\"");
    ([(header::CONTENT_TYPE, "application/json".to_owned()), (header::CONTENT_DISPOSITION, name)], verification)
        .into_response()
}

async fn set_fault(State(page): State<Arc<Page>>, Json(pending): Json<Pending>) -> StatusCode {
    page.world.events.set_fault(pending);
    StatusCode::NO_CONTENT
}

/// Server-sent events: first the current state, then every change.
async fn events(State(page): State<Arc<Page>>) -> Response {
    let changes = page.world.events.subscribe();
    let due = VecDeque::from(page.world.events.all());
    let events = stream::unfold((page, changes, due), |(page, mut changes, mut due)| async move {
        if due.is_empty() {
            match changes.recv().await {
                Ok(change) => due.push_back(change),
                Err(RecvError::Lagged(_)) => {
                    changes = changes.resubscribe(); // without the older changes that it still has
                    due.extend(page.world.events.all());
                }
                Err(RecvError::Closed) => {}
            }
        }
        let (kind, json) = due.pop_front()?;
        Some((Ok::<_, Infallible>(Event::default().event(kind).data(json)), (page, changes, due)))
    });
    // Proxies and browsers close silent connections.
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}
