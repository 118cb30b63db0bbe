//! The endpoints. The purpose and the number come from the session only. A session is used once: it
//! is marked as used after all local checks, immediately before the provider is called.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, RawQuery, Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use cookie::{Cookie, SameSite};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use tokio::time::{Instant, timeout, timeout_at};
use tower_http::catch_panic::CatchPanicLayer;
use uuid::Uuid;

use crate::contract::{self, COOKIE, Members, Received, SECURE_COOKIE};
use crate::http::{Failure, Kind};
use crate::limits::{Limit, networks};
use crate::log;
use crate::once::{Once, internal_error};
use crate::problem::{ApiResponse, Problem};
use crate::provider::{Provider, SessionResult};
use crate::session::{Purpose, Session, Sessions, state_of};
use crate::settings::AppSettings;
use crate::store::Store;
use crate::uses::Uses;

pub struct App {
    settings: AppSettings,
    sessions: Sessions,
    store: Arc<Store>,
    once: Arc<Once>,
    uses: Arc<Uses>,
    provider: Provider,
}

type Shared = State<Arc<App>>;
type Peer = ConnectInfo<SocketAddr>;
type ApiResult = Result<ApiResponse, Problem>;

const NO_RETRIEVAL: Problem = Problem::fix(StatusCode::NOT_IMPLEMENTED, "this backend does not retrieve numbers");
const NO_SESSION: Problem = Problem::refusal(StatusCode::CONFLICT, "the session is missing");

impl App {
    pub fn new(settings: AppSettings, store: Store, provider: Provider) -> Self {
        let store = Arc::new(store);
        let sessions = Sessions::new(settings.keys.clone(), settings.lifetime_s);
        let once = Once::new(store.clone(), settings.keys.clone(), settings.lifetime_s, settings.provider_timeout);
        let uses =
            Uses::new(store.clone(), settings.keys.clone(), sessions.max_lifetime_s(), settings.provider_timeout);
        Self { settings, sessions, store, once: Arc::new(once), uses: Arc::new(uses), provider }
    }
}

pub fn router(app: Arc<App>) -> Router {
    let no_such_call = |status| move || async move { Problem::fix(status, "there is no such call") };
    Router::new()
        .route("/start", post(start))
        .route("/complete", post(complete))
        .route("/callback", get(callback))
        .route("/abort", post(abort))
        .route("/health", get(health))
        .fallback(no_such_call(StatusCode::NOT_FOUND))
        .method_not_allowed_fallback(no_such_call(StatusCode::METHOD_NOT_ALLOWED))
        .layer(CatchPanicLayer::custom(|_| internal_error().into_response()))
        .layer(from_fn(log_response))
        .with_state(app)
}

/// Logs one line per response.
async fn log_response(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let known = ["/start", "/complete", "/callback", "/abort", "/health"];
    let call = known.into_iter().find(|call| *call == request.uri().path());
    let flow = contract::correlator(request.headers());
    let (head, body) = request.into_parts();
    let mut request = Request::from_parts(head, Body::empty());
    request.extensions_mut().insert(Received::read(body).await);
    let response = match contract::host(&request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let status = response.status().as_u16();
    log::info("answered", json!({ "call": call, "status": status, "took_ms": took_ms, "flow": flow }));
    response
}

/// Returns the auth URL, and the session that contains the purpose and the number.
async fn start(
    State(app): Shared,
    ConnectInfo(peer): Peer,
    headers: HeaderMap,
    Extension(received): Extension<Received>,
) -> ApiResult {
    app.limit_by_address("starts", app.settings.starts_per_address, peer, &headers).await?;
    let key = contract::idempotency_key(&headers)?;
    let body = received.json(&headers)?;
    let purpose = Members::parse(&body)?.purpose()?;
    let attestation = contract::attestation(&body)?;
    if matches!(purpose, Purpose::Retrieval) && !app.provider.retrieves_numbers() {
        return Err(NO_RETRIEVAL);
    }
    let identity = format!("/start {}\n{}", contract::authorization(&headers), String::from_utf8_lossy(&body));
    let secure = !contract::is_plain_and_local(&headers);
    let this = app.clone();
    let run = Box::pin(async move { this.create_session(purpose, attestation.as_ref(), secure).await });
    app.once.respond(key, &identity, run).await
}

/// Returns the result for a code, once per session; without a code, the result of the callback.
async fn complete(
    State(app): Shared,
    ConnectInfo(peer): Peer,
    headers: HeaderMap,
    Extension(received): Extension<Received>,
) -> ApiResult {
    app.limit_by_address("calls", app.settings.calls_per_address, peer, &headers).await?;
    let key = contract::idempotency_key(&headers)?;
    let body = received.json(&headers)?;
    let members = Members::parse(&body)?;
    let text = |name| members.printable_ascii(name).map(|value| value.map(str::to_owned));
    let (code, state) = (text("code")?, text("state")?);
    let token = session_of(&members, &headers)?;
    let has_no_code = token.is_some() && !members.has("code") && app.settings.follow_through;
    if code.is_none() && !has_no_code {
        return Err(Problem::fix(StatusCode::BAD_REQUEST, "code is missing"));
    }
    let token = token.ok_or(NO_SESSION)?;
    let session = app.open(&token)?;
    let omits_state = has_no_code && state.is_none();
    if !omits_state && !constant_time_equal(state.as_deref().unwrap_or_default(), &state_of(&token)) {
        return Err(Problem::refusal(StatusCode::FORBIDDEN, "the state is of another session"));
    }
    let flow = contract::correlator(&headers);
    let (login, text) = (contract::authorization(&headers), String::from_utf8_lossy(&body));
    let identity = format!("/complete {token} {login}\n{text}");
    let this = app.clone();
    let run = Box::pin(async move {
        this.check_age(&token)?;
        let Some(code) = code else { return this.uses.result(&session).await };
        this.uses.by_complete(&session).await?;
        this.result(&session, &code, flow).await
    });
    app.once.respond(key, &identity, run).await
}

/// The same if the phone follows the last redirect. Requires proof of start's session: otherwise a
/// victim's phone could complete an attacker's session (session fixation).
async fn callback(
    State(app): Shared,
    ConnectInfo(peer): Peer,
    method: Method,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> ApiResult {
    if method != Method::GET {
        return Err(Problem::fix(StatusCode::METHOD_NOT_ALLOWED, "there is no such call"));
    }
    app.limit_by_address("calls", app.settings.calls_per_address, peer, &headers).await?;
    let members = Members::parse_query(&query.unwrap_or_default())?;
    let (code, state, error) =
        (members.printable_ascii("code")?, members.printable_ascii("state")?, members.printable_ascii("error")?);
    // Other hosts cannot set the header, but may have set the cookie.
    let proof = match contract::proof_header(&headers)? {
        Some(proof) => Some(proof.to_owned()),
        None => contract::session_cookie(&headers)?,
    };
    let matches_state = |proof: &String| state.is_some_and(|state| constant_time_equal(&state_of(proof), state));
    let no_proof =
        Problem::refusal(StatusCode::FORBIDDEN, "the callback does not come from the client that called start");
    let token = proof.filter(matches_state).filter(|_| app.settings.follow_through).ok_or(no_proof)?;
    let session = app.open(&token)?;
    app.check_age(&token)?;
    let code = match (code, error) {
        (Some(code), None) => Ok(code.to_owned()),
        (None, Some(error)) => Err(operator_problem(error)),
        _ => return Err(Problem::fix(StatusCode::BAD_REQUEST, "there must be a code or an error")),
    };
    let (flow, this, of) = (contract::correlator(&headers), app.clone(), session.clone());
    let run = Box::pin(async move { this.result(&of, &code?, flow).await });
    app.uses.by_callback(session, run).await
}

/// Maps the operator's `error` (RFC 6749, section 4.1.2.1, or OpenID Connect) to a problem.
fn operator_problem(error: &str) -> Problem {
    let is_client_error = |error: &str| {
        ["invalid_", "unsupported_"].iter().any(|prefix| error.starts_with(prefix))
            || matches!(error, "unauthorized_client" | "request_not_supported" | "request_uri_not_supported")
    };
    let problem = match error {
        "server_error" | "temporarily_unavailable" => Problem::later,
        error if is_client_error(error) => Problem::fix,
        _ => Problem::refusal,
    };
    problem(StatusCode::FORBIDDEN, "the operator refused")
}

/// Ends a session without a result. A result that exists, or that a running call will produce, is
/// kept.
async fn abort(
    State(app): Shared,
    ConnectInfo(peer): Peer,
    headers: HeaderMap,
    Extension(received): Extension<Received>,
) -> ApiResult {
    app.limit_by_address("calls", app.settings.calls_per_address, peer, &headers).await?;
    let key = contract::idempotency_key(&headers)?;
    let body = received.json(&headers)?;
    let members = Members::parse(&body)?;
    let token = session_of(&members, &headers)?;
    let reason = members.reason()?.to_owned();
    let token = token.ok_or(NO_SESSION)?;
    let session = app.open(&token)?;
    let flow = contract::correlator(&headers);
    let (login, text) = (contract::authorization(&headers), String::from_utf8_lossy(&body));
    let identity = format!("/abort {token} {login}\n{text}");
    let this = app.clone();
    let run = Box::pin(async move {
        this.check_age(&token)?;
        let was_unused = this.uses.by_abort(&session).await?;
        log::info("aborted", json!({ "reason": reason, "was_unused": was_unused, "flow": flow }));
        if was_unused {
            let limit = this.settings.provider_timeout;
            release_within(limit, async move { this.provider.release(&session).await }).await;
        }
        Ok(ApiResponse::no_content())
    });
    app.once.respond(key, &identity, run).await
}

/// The session of a request, from its body, its cookie, or both.
fn session_of(members: &Members, headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let in_body = members.printable_ascii("session")?.map(str::to_owned);
    let in_cookie = contract::session_cookie(headers)?;
    if let (Some(one), Some(other)) = (&in_body, &in_cookie)
        && !constant_time_equal(one, other)
    {
        return Err(Problem::refusal(StatusCode::FORBIDDEN, "session and cookie differ"));
    }
    Ok(in_body.or(in_cookie))
}

/// Whether this replica and its store respond; the provider is not called.
async fn health(State(app): Shared) -> ApiResult {
    app.store.check().await?;
    Ok(ApiResponse::ok(&json!({ "status": "ok" }), None))
}

impl App {
    async fn limit_by_address(
        &self,
        what: &str,
        limit: Limit,
        peer: SocketAddr,
        headers: &HeaderMap,
    ) -> Result<(), Problem> {
        for (network, factor) in networks(self.settings.proxies.client(peer.ip(), headers)?) {
            self.limit(limit.times(factor), &format!("{what} {network}")).await?;
        }
        Ok(())
    }

    async fn limit(&self, limit: Limit, client: &str) -> Result<(), Problem> {
        limit.check(&self.store, &format!("count:{}", self.settings.keys.keyed_hash(client))).await
    }

    async fn create_session(&self, purpose: Purpose, attestation: Option<&Value>, secure: bool) -> ApiResult {
        if let Purpose::Verification { number } = &purpose {
            self.limit(self.settings.starts_per_number, &format!("number {number}")).await?;
        }
        let deadline = Instant::now() + self.settings.provider_timeout;
        if let Some(required) = self.settings.attestation
            && !accepts_within(deadline, required.accepts(&purpose, attestation)).await
        {
            return Err(Problem::refusal(StatusCode::FORBIDDEN, "the app is not attested"));
        }
        let session = Provider::session(purpose);
        let token = self.sessions.make(&session).map_err(|_| internal_error())?;
        let auth_url = self.provider.auth_url(&session, &state_of(&token), deadline).await.map_err(provider_problem)?;
        let mut body = json!({ "authUrl": auth_url, "session": token, "redirectUri": self.provider.redirect_uri() });
        if let Some(hints) = &self.settings.hints {
            body["hints"] = hints.clone();
        }
        let lifetime = cookie::time::Duration::seconds(self.settings.lifetime_s.try_into().unwrap_or(i64::MAX));
        let name = if secure { SECURE_COOKIE } else { COOKIE };
        let cookie = Cookie::build((name, token))
            .http_only(true)
            .max_age(lifetime)
            .path("/")
            .same_site(SameSite::Lax)
            .secure(secure);
        Ok(ApiResponse::ok(&body, Some(cookie.to_string())))
    }

    /// The session of a retrieval may come from a replica with different settings.
    fn open(&self, token: &str) -> Result<Session, Problem> {
        let unknown = Problem::refusal(StatusCode::UNAUTHORIZED, "the session was not issued by this backend");
        let is_supported = |session: &Session| match session.purpose {
            Purpose::Verification { .. } => true,
            Purpose::Retrieval => self.provider.retrieves_numbers(),
        };
        self.sessions.open(token).filter(is_supported).ok_or(unknown)
    }

    fn check_age(&self, token: &str) -> Result<(), Problem> {
        let expired = Problem::refusal(StatusCode::CONFLICT, "the session has expired");
        if self.sessions.is_fresh(token) { Ok(()) } else { Err(expired) }
    }

    /// A backend with accounts stores the verified or retrieved number here, where no client can
    /// forge it.
    async fn result(&self, session: &Session, code: &str, flow: Option<Uuid>) -> ApiResult {
        let result = self.provider.result(session, code, flow.unwrap_or_else(Uuid::new_v4)).await;
        let body = match result.map_err(provider_problem)? {
            SessionResult::Verified(verified) => json!({ "verified": verified }),
            SessionResult::Number(number) => json!({ "phoneNumber": number }),
        };
        Ok(ApiResponse::ok(&body, None))
    }
}

/// Fails closed: a check that exceeds the deadline rejects the request.
async fn accepts_within(deadline: Instant, check: impl Future<Output = bool>) -> bool {
    timeout_at(deadline, check).await.unwrap_or_else(|_| {
        log::warning("attestation_failed", json!({ "kind": "timeout" }));
        false
    })
}

/// Does not affect the response: a failure, timeout or panic is logged with its kind.
async fn release_within(limit: Duration, release: impl Future<Output = Result<(), Failure>> + Send + 'static) {
    let (kind, status) = match tokio::spawn(timeout(limit, release)).await {
        Ok(Ok(Ok(()))) => return,
        Ok(Ok(Err(failure))) => (failure.name(), failure.status),
        Ok(Err(_)) => ("timeout".to_owned(), None),
        Err(_) => ("panic".to_owned(), None),
    };
    log::warning("release_failed", json!({ "kind": kind, "status": status }));
}

/// Logs a failure of the provider and maps it to a problem.
fn provider_problem(failure: Failure) -> Problem {
    log::warning("provider_failed", json!({ "status": failure.status, "kind": failure.name() }));
    match failure.kind {
        Kind::Timeout => Problem::later(StatusCode::GATEWAY_TIMEOUT, "the provider did not respond in time"),
        Kind::Unreachable => Problem::later(StatusCode::BAD_GATEWAY, "the provider cannot be reached"),
        Kind::Busy => Problem::later(StatusCode::BAD_GATEWAY, "the provider is temporarily unavailable"),
        Kind::Unavailable => Problem::refusal(StatusCode::BAD_GATEWAY, "the provider does not support this request"),
        Kind::NotE164 => Problem::refusal(StatusCode::BAD_GATEWAY, "the provider returned an invalid number"),
        Kind::Refused => Problem::refusal(StatusCode::FORBIDDEN, "the provider rejected this code or this SIM"),
        Kind::Misused | Kind::Tls | Kind::Malformed => {
            let title = "configuration or protocol error between this backend and the provider";
            Problem::fix(StatusCode::INTERNAL_SERVER_ERROR, title)
        }
    }
}

fn constant_time_equal(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;
    use crate::http::Step;

    const LIMIT: Duration = Duration::from_secs(6);

    #[tokio::test(start_paused = true)]
    async fn attestation_check_past_the_deadline_is_rejected() {
        let (began, deadline) = (Instant::now(), Instant::now() + LIMIT);
        assert!(accepts_within(deadline, ready(true)).await && !accepts_within(deadline, ready(false)).await);
        assert!(!accepts_within(deadline, pending()).await);
        assert_eq!(began.elapsed().as_secs(), LIMIT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn failing_panicking_or_hanging_release_ends_within_the_timeout() {
        let began = Instant::now();
        release_within(LIMIT, ready(Ok(()))).await;
        release_within(LIMIT, ready(Err(Failure::new(Step::Verify, Kind::Refused)))).await;
        release_within(LIMIT, async { panic!("not to be logged") }).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        release_within(LIMIT, pending()).await;
        assert_eq!(began.elapsed().as_secs(), LIMIT.as_secs());
    }
}
