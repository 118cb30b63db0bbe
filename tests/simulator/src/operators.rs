//! Four operators, each with quirks seen in the field. All identify a SIM by the source address of
//! a connection.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::get;
use axum::{Extension, Router};
use serde_json::json;
use url::Url;

use crate::auth::found;
use crate::hosts::{MakeRouter, SimHost};
use crate::providers::glide;
use crate::server::Peer;
use crate::world::World;

type Parameters = Query<HashMap<String, String>>;

pub(crate) const A: SimHost = SimHost::https("operator-a.simulator.test");
pub(crate) const B: SimHost = SimHost::https("operator-b.simulator.test");
const B_ENRICH: SimHost = SimHost::http("enrich.operator-b.simulator.test");
pub(crate) const C: SimHost = SimHost::https("operator-c.simulator.test");
const C_EDGE: SimHost = SimHost::https("edge.operator-c.simulator.test");
pub(crate) const D: SimHost = SimHost::https("operator-d.simulator.test");
/// The operator behind Vonage, tru.ID, Twilio and IPification (`via_operator`).
const OF_PROVIDERS: SimHost = SimHost::http("operator.simulator.test");

pub(crate) const HOSTS: [(SimHost, MakeRouter); 7] =
    [(A, a), (B, b), (B_ENRICH, b_enrich_host), (C, c), (C_EDGE, c), (D, d), (OF_PROVIDERS, of_providers)];

fn a(world: Arc<World>) -> Router {
    Router::new().route("/authorize", get(a_authorize)).with_state(world)
}

fn b(world: Arc<World>) -> Router {
    Router::new()
        .route("/authorize", get(b_authorize))
        .route("/session", get(b_session))
        .route("/consent", get(b_consent))
        .with_state(world)
}

fn b_enrich_host(world: Arc<World>) -> Router {
    Router::new().route("/enrich", get(b_enrich)).with_state(world)
}

fn c(world: Arc<World>) -> Router {
    Router::new().route("/authorize", get(c_authorize)).route("/step/{step}", get(c_step)).with_state(world)
}

fn d(world: Arc<World>) -> Router {
    Router::new().route("/authorize", get(d_authorize)).with_state(world)
}

fn of_providers(world: Arc<World>) -> Router {
    Router::new().route("/identify", get(identify)).with_state(world)
}

async fn a_authorize(
    State(world): State<Arc<World>>,
    Extension(Peer(peer)): Extension<Peer>,
    query: Parameters,
) -> Response {
    found(&back_to_auth(&world, peer, state(&query)))
}

/// A code if the connection has a SIM, otherwise an `access_denied` error.
pub(crate) fn back_to_auth(world: &World, peer: IpAddr, state: &str) -> String {
    let callback = format!("{}/callback", world.https(glide::HOST));
    match world.sim(peer) {
        Some(number) => format!("{callback}?code={}&state={state}", world.lock().grant(number)),
        None => format!("{callback}?error=access_denied&state={state}"),
    }
}

fn state(query: &HashMap<String, String>) -> &str {
    query.get("state").map(String::as_str).unwrap_or_default()
}

async fn b_authorize(State(world): State<Arc<World>>, query: Parameters) -> Response {
    found(&format!("{}/enrich?state={}", world.http(B_ENRICH), state(&query)))
}

/// The operator's network inserts the subscriber's identity into this plain http request.
async fn b_enrich(
    State(world): State<Arc<World>>,
    Extension(Peer(peer)): Extension<Peer>,
    query: Parameters,
) -> Response {
    let token = match world.sim(peer) {
        Some(number) => world.lock().grant(number),
        None => "unknown".to_owned(),
    };
    found(&format!("{}/session?state={}&tok={token}", world.https(B), state(&query)))
}

async fn b_session(State(world): State<Arc<World>>, query: Parameters) -> Response {
    let mut known = world.lock();
    let number = query.get("tok").and_then(|token| known.redeem(token)).unwrap_or_default();
    let cookie = known.mint();
    known.cookies.insert(cookie.clone(), number);
    let location = format!("consent?state={}", state(&query));
    let cookie = format!("opsess={cookie}; Path=/; Secure; HttpOnly");
    (StatusCode::FOUND, [(header::LOCATION, location), (header::SET_COOKIE, cookie)]).into_response()
}

async fn b_consent(State(world): State<Arc<World>>, headers: HeaderMap, query: Parameters) -> Response {
    let mut known = world.lock();
    let cookie = headers.get(header::COOKIE).and_then(|cookie| cookie.to_str().ok()?.strip_prefix("opsess="));
    let Some(number) = cookie.and_then(|cookie| known.cookies.remove(cookie)) else {
        return (StatusCode::FORBIDDEN, Html("<title>Session expired</title>")).into_response();
    };
    let callback = format!("{}/callback", world.https(glide::HOST));
    let state = state(&query);
    if number.is_empty() {
        return found(&format!("{callback}?error=access_denied&state={state}"));
    }
    found(&format!("{callback}?code={}&state={state}", known.grant(number)))
}

async fn c_authorize(State(world): State<Arc<World>>, query: Parameters) -> Response {
    let scheme_relative = format!("//{}/step/1?state={}", world.authority(C_EDGE), state(&query));
    found(&scheme_relative)
}

/// Every kind of redirect, some with a body.
async fn c_step(
    State(world): State<Arc<World>>,
    Extension(Peer(peer)): Extension<Peer>,
    Path(step): Path<u8>,
    query: Parameters,
) -> Response {
    let state = state(&query);
    let page = || Html("<html><body>Moved. <a href=\"#\">Continue</a></body></html>").into_response().into_body();
    let chunked = || Body::new(http_body(b"moved on, in chunks"));
    let (status, location, body) = match step {
        1 => (303, format!("{}/step/2?state={state}", world.https(C)), Body::empty()),
        2 => (307, format!("/step/3?state={state}"), page()),
        3 => (308, format!("{}/step/4?state={state}", world.https(C_EDGE)), Body::empty()),
        4 => (301, format!("5?state={state}"), chunked()),
        5 => (302, format!("{}/step/6?state={state}", world.https(C)), page()),
        6 => (302, back_to_auth(&world, peer, state), page()),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let status = StatusCode::from_u16(status).unwrap_or_default();
    (status, [(header::LOCATION, location)], body).into_response()
}

/// A body of unknown length.
fn http_body(
    text: &'static [u8],
) -> impl hyper::body::Body<Data = axum::body::Bytes, Error = std::convert::Infallible> {
    struct Chunks(Option<&'static [u8]>);

    impl hyper::body::Body for Chunks {
        type Data = axum::body::Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
            let text = self.0.take().map(axum::body::Bytes::from_static);
            std::task::Poll::Ready(text.map(|text| Ok(hyper::body::Frame::data(text))))
        }
    }

    Chunks(Some(text))
}

/// Reports the number behind the connection to the auth server; the phone does not receive it.
async fn d_authorize(
    State(world): State<Arc<World>>,
    Extension(Peer(peer)): Extension<Peer>,
    query: Parameters,
) -> Response {
    let Some(number) = world.sim(peer) else {
        return (StatusCode::FORBIDDEN, Json(json!({ "error": "access_denied" }))).into_response();
    };
    if let Some(transaction) = world.lock().transactions.get_mut(state(&query)) {
        transaction.number = Some(number);
    }
    Json(json!({ "status": "done" })).into_response()
}

/// Redirects to the operator and back to `path` of this host, with a token for the SIM.
pub(crate) fn via_operator(world: &World, host: SimHost, path: &str) -> Response {
    let back = format!("{}{path}", world.https(host));
    let back: String = url::form_urlencoded::byte_serialize(back.as_bytes()).collect();
    found(&format!("{}/identify?back={back}", world.http(OF_PROVIDERS)))
}

/// The network inserts the subscriber's identity into this plain http request.
async fn identify(
    State(world): State<Arc<World>>,
    Extension(Peer(peer)): Extension<Peer>,
    query: Parameters,
) -> Response {
    let Some(Ok(mut back)) = query.get("back").map(|back| Url::parse(back)) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let token = world.sim(peer).map_or_else(|| "unknown".to_owned(), |number| world.lock().grant(number));
    back.query_pairs_mut().append_pair("token", &token);
    found(back.as_str())
}
