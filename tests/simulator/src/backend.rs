//! An app's backend: `start`, `complete`, and the callback for delivery by follow-through.
//!
//! The number belongs to the session. A session is used once. A callback counts only with the proof that it comes from the client that
//! called `start`; without, the session is burnt, since somebody's phone was sent to somebody else's auth URL.

use std::collections::HashMap;
use std::future::ready;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use crate::CLIENT_ID;
use crate::auth;
use crate::verify::{self, is_phone_number};
use crate::world::{Knowledge, LIFETIME, Operator, Place, Session, Stage, Stored, Subject, World};

/// How this backend's client is served.
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
            .route("/{operator}/start", post(start))
            .route("/{operator}/complete", post(complete))
            .route("/{operator}/callback", get(callback))
    };
    Router::new()
        .nest("/number-verify", routes(Kind::Json))
        .nest("/number-verify-302", routes(Kind::Redirecting))
        .nest("/number-verify-page", routes(Kind::WithPage))
        .with_state(world)
}

fn start(
    kind: Kind,
    State(world): State<Arc<World>>,
    Path(operator): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let request = serde_json::from_str::<Value>(&body).unwrap_or_default();
    let Some(number) = request.get("phoneNumber").and_then(Value::as_str).filter(|it| is_phone_number(it)) else {
        return problem(StatusCode::BAD_REQUEST, "phoneNumber must be an E.164 number");
    };
    let Ok(operator) = operator.parse::<Operator>() else {
        return problem(StatusCode::NOT_FOUND, "no such operator");
    };
    let mut known = world.lock();
    let known = &mut *known;
    if let Some(answer) = replay(known, &headers, &body) {
        return answer;
    }
    let (id, state, nonce) = (known.mint(), known.mint(), known.mint());
    known
        .sessions
        .insert(id.clone(), Session { number: number.to_owned(), state: state.clone(), stage: Stage::Started });
    let base = world.backend_url(kind.name(), operator);
    let auth_url = auth_url(&world, operator, &base, &state, &nonce);
    let cookie = format!("nvsess={id}; Path=/; HttpOnly");
    if kind == Kind::Redirecting {
        return (StatusCode::FOUND, [(header::LOCATION, auth_url), (header::SET_COOKIE, cookie)]).into_response();
    }
    let answer = json!({ "authUrl": auth_url, "redirectUri": format!("{base}/callback"), "session": id });
    store(known, &headers, &body, StatusCode::OK, &answer);
    ([(header::SET_COOKIE, cookie)], Json(answer)).into_response()
}

/// What Glide's `getAuthUrl` makes.
fn auth_url(world: &World, operator: Operator, base: &str, state: &str, nonce: &str) -> String {
    let (operator, redirect_uri) = (operator.to_string(), format!("{base}/callback"));
    let parameters = [
        ("client_id", CLIENT_ID),
        ("response_type", "code"),
        ("redirect_uri", &redirect_uri),
        ("scope", "openid"),
        ("purpose", "dpv:FraudPreventionAndDetection:number-verification"),
        ("state", state),
        ("nonce", nonce),
        ("max_age", "0"),
        ("operator", &operator),
    ];
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("{}/oauth2/auth?{query}", world.https(Place::Auth))
}

async fn complete(State(world): State<Arc<World>>, headers: HeaderMap, body: String) -> Response {
    let request = serde_json::from_str::<Value>(&body).unwrap_or_default();
    let text = |name: &str| request.get(name).and_then(Value::as_str);
    let (in_body, in_cookie) = (text("session").map(str::to_owned), session_cookie(&headers));
    if in_body.is_some() && in_cookie.is_some() && in_body != in_cookie {
        return problem(StatusCode::FORBIDDEN, "session and cookie differ");
    }
    let mut known = world.lock();
    let known = &mut *known;
    if let Some(answer) = replay(known, &headers, &body) {
        return answer;
    }
    let (status, answer) = match verdict(known, in_body.or(in_cookie), text("code"), text("state")) {
        Ok(verified) => (StatusCode::OK, json!({ "verified": verified, "devicePhoneNumberVerified": verified })),
        Err((status, title)) => (status, problem_body(status, title)),
    };
    store(known, &headers, &body, status, &answer);
    respond(status, answer)
}

type Refusal = (StatusCode, &'static str);

/// The answer for a session, once.
fn verdict(
    known: &mut Knowledge,
    id: Option<String>,
    code: Option<&str>,
    state: Option<&str>,
) -> Result<bool, Refusal> {
    const NO_SESSION: Refusal = (StatusCode::CONFLICT, "no such session, or used before");
    let id = id.ok_or(NO_SESSION)?;
    let session = known.sessions.get_mut(&id).ok_or(NO_SESSION)?;
    let (number, own_state) = (session.number.clone(), session.state.clone());
    match std::mem::replace(&mut session.stage, Stage::Over) {
        Stage::Over => return Err(NO_SESSION),
        Stage::Known(verified) => return Ok(verified),
        Stage::Started => {}
    }
    match code {
        Some(_) if state.is_some_and(|state| state != own_state) => {
            Err((StatusCode::FORBIDDEN, "the state is of another session"))
        }
        Some(code) => Ok(check(known, code, &number)?),
        None => {
            let told = known.transactions.values().find(|transaction| transaction.state == own_state);
            let sim = told.and_then(|transaction| transaction.number.clone());
            sim.map(|sim| sim == number).ok_or((StatusCode::CONFLICT, "there is no verdict"))
        }
    }
}

/// What Glide's `verifyNumber` does: the code for a token, the token and the number for the verdict.
fn check(known: &mut Knowledge, code: &str, number: &str) -> Result<bool, Refusal> {
    let token = auth::exchange(known, code).ok_or((StatusCode::FORBIDDEN, "the code is not known"))?;
    let authorization = verify::spend(known, &token).map(|(authorization, _)| authorization);
    Ok(authorization.is_some_and(|known| matches!(known.subject, Subject::Sim(sim) if sim == number)))
}

fn callback(
    kind: Kind,
    State(world): State<Arc<World>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let mut known = world.lock();
    let state = query.get("state");
    let Some((id, session)) = known.sessions.iter_mut().find(|(_, session)| Some(&session.state) == state) else {
        return problem(StatusCode::CONFLICT, "no such session");
    };
    let header = headers.get("x-number-verify-session").and_then(|value| value.to_str().ok());
    let is_starter = session_cookie(&headers).as_ref() == Some(id) || header == Some(id.as_str());
    let (number, stage) = (session.number.clone(), session.stage);
    session.stage = Stage::Over;
    let id = id.clone();
    if !is_starter || stage != Stage::Started {
        return problem(StatusCode::FORBIDDEN, "the callback does not come from the client that called start");
    }
    let Some(code) = query.get("code") else {
        return problem(StatusCode::FORBIDDEN, "the operator refused");
    };
    let verified = match check(&mut known, code, &number) {
        Ok(verified) => verified,
        Err((status, title)) => return problem(status, title),
    };
    if kind == Kind::WithPage {
        if let Some(session) = known.sessions.get_mut(&id) {
            session.stage = Stage::Known(verified);
        }
        return Html("<html><title>Thank you</title></html>").into_response();
    }
    Json(json!({ "verified": verified })).into_response()
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

fn session_cookie(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    cookies.split("; ").find_map(|cookie| cookie.strip_prefix("nvsess=")).map(str::to_owned)
}

/// The same key gets the same answer for the same request, and no answer for another.
fn replay(known: &Knowledge, headers: &HeaderMap, body: &str) -> Option<Response> {
    let stored = known.answers.get(key(headers)?).filter(|stored| stored.at.elapsed() < LIFETIME)?;
    if stored.request != identity(headers, body) {
        return Some(problem(StatusCode::UNPROCESSABLE_ENTITY, "the Idempotency-Key was used for another request"));
    }
    let status = StatusCode::from_u16(stored.status).unwrap_or_default();
    Some(respond(status, stored.answer.clone()))
}

fn store(known: &mut Knowledge, headers: &HeaderMap, body: &str, status: StatusCode, answer: &Value) {
    if let Some(key) = key(headers) {
        let request = identity(headers, body);
        let stored = Stored { request, answer: answer.clone(), status: status.as_u16(), at: Instant::now() };
        known.answers.insert(key.to_owned(), stored);
    }
}

fn key(headers: &HeaderMap) -> Option<&str> {
    headers.get("idempotency-key")?.to_str().ok()
}

fn identity(headers: &HeaderMap, body: &str) -> String {
    format!("{}\n{body}", session_cookie(headers).unwrap_or_default())
}

fn problem(status: StatusCode, title: &str) -> Response {
    respond(status, problem_body(status, title))
}

fn respond(status: StatusCode, body: Value) -> Response {
    let label = if status.is_success() { "application/json" } else { "application/problem+json" };
    (status, [(header::CONTENT_TYPE, label)], Json(body)).into_response()
}

fn problem_body(status: StatusCode, title: &str) -> Value {
    let mut problem = json!({ "type": "about:blank", "title": title, "status": status.as_u16() });
    if matches!(status, StatusCode::FORBIDDEN | StatusCode::CONFLICT) {
        problem["fallback"] = "use_another_channel".into();
    }
    problem
}
