//! An app's backend: `start`, `complete`, `abort`, and the callback for delivery by follow-through.
//!
//! The number belongs to the session. A session is used once. A callback is accepted only with the
//! proof that it comes from the client that called `start`: otherwise a victim's phone could have
//! been sent to an attacker's auth URL (session fixation).

use std::collections::HashMap;
use std::future::ready;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use crate::events::Sources;
use crate::hosts::SimHost;
use crate::providers::{AuthorizationRequest, Check, End, Refusal};
use crate::scenarios::{ANOTHER_CHANNEL, INTEGRATION, Scenario};
use crate::server::Peer;
use crate::verify::{is_json, is_phone_number};
use crate::world::{Knowledge, LIFETIME, Session, Stage, Stored, World};

const NO_SESSION: Refusal = Refusal(StatusCode::CONFLICT, "no such session, or used before", ANOTHER_CHANNEL);
const NO_SUCH_CALL: Refusal = Refusal(StatusCode::NOT_FOUND, "there is no such call", INTEGRATION);
const NO_SUCH_VERIFICATION: Refusal = Refusal(
    StatusCode::NOT_FOUND,
    "no recent verification has this x-correlator, or its addresses were read already",
    INTEGRATION,
);
const NO_SUCH_METHOD: Refusal = Refusal(StatusCode::METHOD_NOT_ALLOWED, "there is no such call", INTEGRATION);
const NOT_JSON: Refusal =
    Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the content type must be application/json", INTEGRATION);
const NO_RETRIEVAL: Refusal = Refusal(StatusCode::NOT_IMPLEMENTED, "the provider gives no numbers", INTEGRATION);
const NOT_THE_STARTER: Refusal =
    Refusal(StatusCode::FORBIDDEN, "the callback does not come from the client that called start", ANOTHER_CHANNEL);
const KEY_USED: Refusal =
    Refusal(StatusCode::UNPROCESSABLE_ENTITY, "the Idempotency-Key was used for another request", INTEGRATION);

pub(crate) const HOST: SimHost = SimHost::backend("backend.simulator.test");

/// The kind of client that this backend serves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Redirecting,
    WithPage,
}

pub(crate) fn router(world: Arc<World>) -> Router {
    let routes = |kind| {
        let start = move |world, operator, headers, body| ready(start(kind, world, operator, headers, body));
        let callback = move |world, query, headers| ready(callback(kind, world, query, headers));
        Router::new()
            .route("/{scenario}/start", post(start))
            .route("/{scenario}/complete", post(complete))
            .route("/{scenario}/abort", post(abort))
            .route("/{scenario}/callback", get(callback))
    };
    Router::new()
        .nest("/number-verify", routes(Kind::Json))
        .nest("/number-verify-302", routes(Kind::Redirecting))
        .nest("/number-verify-page", routes(Kind::WithPage))
        .route("/observed", get(observed))
        .route("/observed/{correlator}", get(observed_verification))
        .fallback(async || problem(NO_SUCH_CALL))
        .method_not_allowed_fallback(async || problem(NO_SUCH_METHOD))
        .layer(map_response(for_no_cache))
        .with_state(world)
}

/// The client's source address.
async fn observed(Extension(Peer(peer)): Extension<Peer>) -> Response {
    Json(json!({ "address": peer.to_canonical() })).into_response()
}

/// The same, and those of a verification's requests to the backend and to the operator's side, once.
async fn observed_verification(
    State(world): State<Arc<World>>,
    Extension(Peer(peer)): Extension<Peer>,
    Path(correlator): Path<String>,
) -> Response {
    let Some(Sources { backend, operator }) = world.events.take_sources(&correlator) else {
        return problem(NO_SUCH_VERIFICATION);
    };
    Json(json!({ "address": peer.to_canonical(), "backend": backend, "operator": operator })).into_response()
}

async fn for_no_cache(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn start(
    kind: Kind,
    State(world): State<Arc<World>>,
    Path(scenario): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let request = match json(&headers, &body) {
        Ok(request) => request,
        Err(refusal) => return problem(refusal),
    };
    let number = match number(&request) {
        Ok(number) => number,
        Err(refusal) => return problem(refusal),
    };
    let Some(scenario) = Scenario::named(&scenario) else {
        return problem(NO_SUCH_CALL);
    };
    if number.is_none() && scenario.provider.retrieval().is_none() {
        return problem(NO_RETRIEVAL);
    }
    let mut known = world.lock();
    let known = &mut *known;
    let identity = format!("{} {} start {body}", kind.name(), scenario.name);
    if let Some(response) = replay(known, &headers, &identity) {
        return response;
    }
    let (id, state, nonce) = (known.mint(), known.mint(), known.mint());
    let callback = format!("{}/callback", world.backend_url(kind.name(), &scenario.name));
    let check = known.mint();
    let request = AuthorizationRequest { number, state: &state, nonce: &nonce, callback: &callback, check: &check };
    let provider = scenario.provider;
    known.checks.insert(check.clone(), Check::new(provider.clone(), &request));
    let auth_url = provider.auth_url(&world, known, &request);
    let redirect_uri = (provider.end() == End::Redirect).then(|| callback.clone());
    let number = number.map(str::to_owned);
    known.sessions.insert(id.clone(), Session { number, state, provider, check, stage: Stage::Started });
    let cookie = (header::SET_COOKIE, format!("nvsess={id}; Path=/; HttpOnly"));
    let response = if kind == Kind::Redirecting {
        StoredResponse { status: StatusCode::FOUND, headers: vec![(header::LOCATION, auth_url), cookie], body: None }
    } else {
        let mut body = json!({ "authUrl": auth_url, "redirectUri": redirect_uri, "session": id });
        if let Some(hints) = scenario.hints {
            body["hints"] = hints;
        }
        StoredResponse { status: StatusCode::OK, headers: vec![cookie], body: Some(body) }
    };
    store(known, &headers, identity, response.clone());
    response.into_response()
}

async fn complete(
    State(world): State<Arc<World>>,
    Path(scenario): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let request = match json(&headers, &body) {
        Ok(request) => request,
        Err(refusal) => return problem(refusal),
    };
    let id = match session_in(&request, &headers) {
        Ok(id) => id,
        Err(refusal) => return problem(refusal),
    };
    let text = |name: &str| request.get(name).and_then(Value::as_str);
    let mut known = world.lock();
    let known = &mut *known;
    let identity = format!("{scenario} complete {} {body}", session_cookie(&headers).unwrap_or_default());
    if let Some(response) = replay(known, &headers, &identity) {
        return response;
    }
    let response = match result(&world, known, id, text("code"), text("state")) {
        Ok(result) => StoredResponse::ok(result),
        Err(refusal) => refusal.into(),
    };
    store(known, &headers, identity, response.clone());
    response.into_response()
}

/// Ends the session, whatever its outcome; a result is not changed.
async fn abort(State(world): State<Arc<World>>, headers: HeaderMap, body: String) -> Response {
    let request = match json(&headers, &body) {
        Ok(request) => request,
        Err(refusal) => return problem(refusal),
    };
    let is_reason = |text: &&str| {
        (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    let Some(reason) = request.get("reason").and_then(Value::as_str).filter(is_reason) else {
        return problem(Refusal(StatusCode::BAD_REQUEST, "reason must be 1 to 64 of a-z and _", INTEGRATION));
    };
    let id = match session_in(&request, &headers) {
        Ok(id) => id,
        Err(refusal) => return problem(refusal),
    };
    let mut known = world.lock();
    let Some(session) = id.and_then(|id| known.sessions.get_mut(&id)) else { return problem(NO_SESSION) };
    if session.stage == Stage::Started {
        session.stage = Stage::Over;
    }
    known.aborts.push(reason.to_owned());
    StatusCode::NO_CONTENT.into_response()
}

fn json(headers: &HeaderMap, body: &str) -> Result<Value, Refusal> {
    if is_json(headers) { Ok(serde_json::from_str(body).unwrap_or_default()) } else { Err(NOT_JSON) }
}

/// The number to verify; `None` for a retrieval.
fn number(request: &Value) -> Result<Option<&str>, Refusal> {
    match (request.get("purpose"), request.get("phoneNumber")) {
        (None, Some(Value::String(number))) if is_phone_number(number) => Ok(Some(number)),
        (None, _) => Err(Refusal(StatusCode::BAD_REQUEST, "phoneNumber must be an E.164 number", INTEGRATION)),
        (Some(purpose), None) if purpose == "device-phone-number" => Ok(None),
        (Some(_), _) => Err(Refusal(StatusCode::BAD_REQUEST, "there is no such purpose for a number", INTEGRATION)),
    }
}

/// The result of a session, returned once.
fn result(
    world: &World,
    known: &mut Knowledge,
    id: Option<String>,
    code: Option<&str>,
    state: Option<&str>,
) -> Result<Value, Refusal> {
    let id = id.ok_or(NO_SESSION)?;
    let session = known.sessions.get_mut(&id).ok_or(NO_SESSION)?;
    if state.is_some_and(|state| state != session.state) {
        return Err(Refusal(StatusCode::FORBIDDEN, "the state is of another session", ANOTHER_CHANNEL));
    }
    let stage = std::mem::replace(&mut session.stage, Stage::Over);
    let session = session.clone();
    match stage {
        Stage::Over => return Err(NO_SESSION),
        Stage::Known(result) => return Ok(result),
        Stage::Started => {}
    }
    provider_result(world, known, &session, code)
}

fn provider_result(
    world: &World,
    known: &mut Knowledge,
    session: &Session,
    code: Option<&str>,
) -> Result<Value, Refusal> {
    let provider = &session.provider;
    if session.number.is_none() {
        let number = provider.retrieval().ok_or(NO_RETRIEVAL)?(world, code)?;
        return Ok(json!({ "phoneNumber": number, "devicePhoneNumber": number }));
    }
    let verified = provider.result(world, known, session, code)?;
    Ok(json!({ "verified": verified, "devicePhoneNumberVerified": verified }))
}

fn callback(
    kind: Kind,
    State(world): State<Arc<World>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let mut known = world.lock();
    let (state, check) = (query.get("state"), query.get("check_id"));
    let is_meant = |session: &Session| match state {
        Some(state) => session.state == *state,
        None => check == Some(&session.check),
    };
    let Some((id, session)) = known.sessions.iter_mut().find(|(_, session)| is_meant(session)) else {
        return problem(NO_SESSION);
    };
    let header = headers.get("x-number-verify-session").and_then(|value| value.to_str().ok());
    let is_starter = session_cookie(&headers).as_ref() == Some(id) || header == Some(id.as_str());
    if !is_starter {
        return problem(NOT_THE_STARTER);
    }
    let stage = std::mem::replace(&mut session.stage, Stage::Over);
    let (id, session) = (id.clone(), session.clone());
    if stage != Stage::Started {
        return problem(NO_SESSION);
    }
    let Some(code) = query.get("code") else {
        return problem(Refusal(StatusCode::FORBIDDEN, "the operator refused", ANOTHER_CHANNEL));
    };
    let result = match provider_result(&world, &mut known, &session, Some(code)) {
        Ok(result) => result,
        Err(refusal) => return problem(refusal),
    };
    if kind == Kind::WithPage {
        if let Some(session) = known.sessions.get_mut(&id) {
            session.stage = Stage::Known(result);
        }
        return Html("<html><title>Thank you</title></html>").into_response();
    }
    Json(result).into_response()
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Json => "number-verify",
            Self::Redirecting => "number-verify-302",
            Self::WithPage => "number-verify-page",
        }
    }
}

/// In the body, in the cookie, or in both.
fn session_in(request: &Value, headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let in_body = request.get("session").and_then(Value::as_str).map(str::to_owned);
    let in_cookie = session_cookie(headers);
    if in_body.is_some() && in_cookie.is_some() && in_body != in_cookie {
        return Err(Refusal(StatusCode::FORBIDDEN, "session and cookie differ", ANOTHER_CHANNEL));
    }
    Ok(in_body.or(in_cookie))
}

fn session_cookie(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    cookies.split("; ").find_map(|cookie| cookie.strip_prefix("nvsess=")).map(str::to_owned)
}

/// A response that is stored for retries of the same request.
#[derive(Debug, Clone)]
pub(crate) struct StoredResponse {
    status: StatusCode,
    headers: Vec<(HeaderName, String)>,
    body: Option<Value>,
}

impl StoredResponse {
    fn ok(body: Value) -> Self {
        Self { status: StatusCode::OK, headers: Vec::new(), body: Some(body) }
    }
}

impl From<Refusal> for StoredResponse {
    /// RFC 9457.
    fn from(Refusal(status, title, fallback): Refusal) -> Self {
        let label = (header::CONTENT_TYPE, "application/problem+json".to_owned());
        let body = json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "fallback": fallback });
        Self { status, headers: vec![label], body: Some(body) }
    }
}

impl IntoResponse for StoredResponse {
    fn into_response(self) -> Response {
        let mut response = self.body.map_or_else(|| ().into_response(), |body| Json(body).into_response());
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

fn problem(refusal: Refusal) -> Response {
    StoredResponse::from(refusal).into_response()
}

/// The same key returns the stored response for the same request, and an error for a different
/// request.
fn replay(known: &Knowledge, headers: &HeaderMap, identity: &str) -> Option<Response> {
    let stored = known.responses.get(key(headers)?).filter(|stored| stored.at.elapsed() < LIFETIME)?;
    Some(if stored.request == identity { stored.response.clone().into_response() } else { problem(KEY_USED) })
}

fn store(known: &mut Knowledge, headers: &HeaderMap, identity: String, response: StoredResponse) {
    if let Some(key) = key(headers) {
        known.responses.insert(key.to_owned(), Stored { request: identity, response, at: Instant::now() });
    }
}

fn key(headers: &HeaderMap) -> Option<&str> {
    headers.get("idempotency-key")?.to_str().ok()
}
