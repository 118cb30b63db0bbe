//! The calls. The purpose and the number come from the session only, and a session is used once; it is spent when all that can be checked
//! here has been checked, just before the provider is asked.

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
use crate::once::{Once, failed};
use crate::problem::{Answer, Problem};
use crate::provider::{Found, Provider};
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
type Outcome = Result<Answer, Problem>;

const NO_RETRIEVAL: Problem = Problem::fix(StatusCode::NOT_IMPLEMENTED, "this backend does not retrieve numbers");
const NO_SESSION: Problem = Problem::refusal(StatusCode::CONFLICT, "the session is missing");

impl App {
    pub fn new(settings: AppSettings, store: Store, provider: Provider) -> Self {
        let store = Arc::new(store);
        let sessions = Sessions::new(settings.keys.clone(), settings.lifetime_s);
        let once = Once::new(store.clone(), settings.keys.clone(), settings.lifetime_s, settings.provider_timeout);
        let uses = Uses::new(store.clone(), settings.keys.clone(), sessions.longest_s(), settings.provider_timeout);
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
        .layer(CatchPanicLayer::custom(|_| failed().into_response()))
        .layer(from_fn(answered))
        .with_state(app)
}

/// The log line of a call.
async fn answered(request: Request, next: Next) -> Response {
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

/// The auth URL, and the session that has the purpose and the number.
async fn start(
    State(app): Shared,
    ConnectInfo(peer): Peer,
    headers: HeaderMap,
    Extension(received): Extension<Received>,
) -> Outcome {
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
    let run = Box::pin(async move { this.started(purpose, attestation.as_ref(), secure).await });
    app.once.answer(key, &identity, run).await
}

/// The result for a code; without a code, that of the callback.
async fn complete(
    State(app): Shared,
    ConnectInfo(peer): Peer,
    headers: HeaderMap,
    Extension(received): Extension<Received>,
) -> Outcome {
    app.limit_by_address("calls", app.settings.calls_per_address, peer, &headers).await?;
    let key = contract::idempotency_key(&headers)?;
    let body = received.json(&headers)?;
    let given = Members::parse(&body)?;
    let plain = |name| given.plain(name).map(|value| value.map(str::to_owned));
    let (code, state) = (plain("code")?, plain("state")?);
    let token = session_of(&given, &headers)?;
    let has_no_code = token.is_some() && !given.has("code") && app.settings.follow_through;
    if code.is_none() && !has_no_code {
        return Err(Problem::fix(StatusCode::BAD_REQUEST, "code is missing"));
    }
    let token = token.ok_or(NO_SESSION)?;
    let session = app.open(&token)?;
    let lacks_state = has_no_code && state.is_none();
    if !lacks_state && !is_same(state.as_deref().unwrap_or_default(), &state_of(&token)) {
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
    app.once.answer(key, &identity, run).await
}

/// The same where the phone follows the last redirect. Without the proof that start's client sends, somebody's phone was sent to somebody
/// else's auth URL.
async fn callback(
    State(app): Shared,
    ConnectInfo(peer): Peer,
    method: Method,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Outcome {
    if method != Method::GET {
        return Err(Problem::fix(StatusCode::METHOD_NOT_ALLOWED, "there is no such call"));
    }
    app.limit_by_address("calls", app.settings.calls_per_address, peer, &headers).await?;
    let given = Members::parse_query(&query.unwrap_or_default())?;
    let (code, state, error) = (given.plain("code")?, given.plain("state")?, given.plain("error")?);
    // No other host can set the header; a cookie may be another host's.
    let proof = match contract::session_header(&headers)? {
        Some(proof) => Some(proof.to_owned()),
        None => contract::session_cookie(&headers)?,
    };
    let is_of_this_flow = |proof: &String| state.is_some_and(|state| is_same(&state_of(proof), state));
    let no_proof =
        Problem::refusal(StatusCode::FORBIDDEN, "the callback does not come from the client that called start");
    let token = proof.filter(is_of_this_flow).filter(|_| app.settings.follow_through).ok_or(no_proof)?;
    let session = app.open(&token)?;
    app.check_age(&token)?;
    let code = match (code, error) {
        (Some(code), None) => Ok(code.to_owned()),
        (None, Some(error)) => Err(denied(error)),
        _ => return Err(Problem::fix(StatusCode::BAD_REQUEST, "there must be a code or an error")),
    };
    let (flow, this, of) = (contract::correlator(&headers), app.clone(), session.clone());
    let run = Box::pin(async move { this.result(&of, &code?, flow).await });
    app.uses.by_callback(session, run).await
}

/// What the operator's `error` means for the app.
fn denied(error: &str) -> Problem {
    let is_ours = |error: &str| {
        ["invalid_", "unsupported_"].iter().any(|prefix| error.starts_with(prefix))
            || matches!(error, "unauthorized_client" | "request_not_supported" | "request_uri_not_supported")
    };
    let refuse = match error {
        "server_error" | "temporarily_unavailable" => Problem::later,
        error if is_ours(error) => Problem::fix,
        _ => Problem::refusal,
    };
    refuse(StatusCode::FORBIDDEN, "the operator refused")
}

/// Ends a session without a result. A result that there is, or that a call is about to get, stays.
async fn abort(
    State(app): Shared,
    ConnectInfo(peer): Peer,
    headers: HeaderMap,
    Extension(received): Extension<Received>,
) -> Outcome {
    app.limit_by_address("calls", app.settings.calls_per_address, peer, &headers).await?;
    let key = contract::idempotency_key(&headers)?;
    let body = received.json(&headers)?;
    let given = Members::parse(&body)?;
    let token = session_of(&given, &headers)?;
    let reason = given.reason()?.to_owned();
    let token = token.ok_or(NO_SESSION)?;
    let session = app.open(&token)?;
    let flow = contract::correlator(&headers);
    let (login, text) = (contract::authorization(&headers), String::from_utf8_lossy(&body));
    let identity = format!("/abort {token} {login}\n{text}");
    let this = app.clone();
    let run = Box::pin(async move {
        this.check_age(&token)?;
        let is_spent_now = this.uses.by_abort(&session).await?;
        log::info("aborted", json!({ "reason": reason, "was_unused": is_spent_now, "flow": flow }));
        if is_spent_now {
            let limit = this.settings.provider_timeout;
            released(limit, async move { this.provider.release(&session).await }).await;
        }
        Ok(Answer::no_content())
    });
    app.once.answer(key, &identity, run).await
}

/// The session of a request: in its body, in its cookie, or in both.
fn session_of(given: &Members, headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let in_body = given.plain("session")?.map(str::to_owned);
    let in_cookie = contract::session_cookie(headers)?;
    if let (Some(one), Some(other)) = (&in_body, &in_cookie)
        && !is_same(one, other)
    {
        return Err(Problem::refusal(StatusCode::FORBIDDEN, "session and cookie differ"));
    }
    Ok(in_body.or(in_cookie))
}

/// Whether this replica and its store answer; the provider is not asked.
async fn health(State(app): Shared) -> Outcome {
    app.store.check().await?;
    Ok(Answer::ok(&json!({ "status": "ok" }), None))
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

    async fn limit(&self, limit: Limit, who: &str) -> Result<(), Problem> {
        limit.check(&self.store, &format!("count:{}", self.settings.keys.hide(who))).await
    }

    async fn started(&self, purpose: Purpose, attestation: Option<&Value>, secure: bool) -> Outcome {
        if let Purpose::Verification { number } = &purpose {
            self.limit(self.settings.starts_per_number, &format!("number {number}")).await?;
        }
        let deadline = Instant::now() + self.settings.provider_timeout;
        if let Some(required) = self.settings.attestation
            && !accepted(deadline, required.accepts(&purpose, attestation)).await
        {
            return Err(Problem::refusal(StatusCode::FORBIDDEN, "the app is not attested"));
        }
        let session = Provider::session(purpose);
        let token = self.sessions.make(&session).map_err(|_| failed())?;
        let auth_url = self.provider.auth_url(&session, &state_of(&token), deadline).await.map_err(explain)?;
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
        Ok(Answer::ok(&body, Some(cookie.to_string())))
    }

    /// A retrieval's session may be of a replica with other settings.
    fn open(&self, token: &str) -> Result<Session, Problem> {
        let foreign = Problem::refusal(StatusCode::UNAUTHORIZED, "the session is not of this backend");
        let is_offered = |session: &Session| match session.purpose {
            Purpose::Verification { .. } => true,
            Purpose::Retrieval => self.provider.retrieves_numbers(),
        };
        self.sessions.open(token).filter(is_offered).ok_or(foreign)
    }

    fn check_age(&self, token: &str) -> Result<(), Problem> {
        let expired = Problem::refusal(StatusCode::CONFLICT, "the session has expired");
        if self.sessions.is_fresh(token) { Ok(()) } else { Err(expired) }
    }

    /// An app with accounts notes the verified or retrieved number here, where no client can forge it.
    async fn result(&self, session: &Session, code: &str, flow: Option<Uuid>) -> Outcome {
        let found = self.provider.result(session, code, flow.unwrap_or_else(Uuid::new_v4)).await.map_err(explain)?;
        let body = match found {
            Found::Verified(verified) => json!({ "verified": verified }),
            Found::Number(number) => json!({ "phoneNumber": number }),
        };
        Ok(Answer::ok(&body, None))
    }
}

/// Fails closed: a check that exceeds the deadline is a refusal.
async fn accepted(deadline: Instant, check: impl Future<Output = bool>) -> bool {
    timeout_at(deadline, check).await.unwrap_or_else(|_| {
        log::warning("attestation_failed", json!({ "kind": "timeout" }));
        false
    })
}

/// No response depends on it: a failure, a timeout or a panic is logged by its kind.
async fn released(limit: Duration, release: impl Future<Output = Result<(), Failure>> + Send + 'static) {
    let (kind, status) = match tokio::spawn(timeout(limit, release)).await {
        Ok(Ok(Ok(()))) => return,
        Ok(Ok(Err(failure))) => (failure.name(), failure.status),
        Ok(Err(_)) => ("timeout".to_owned(), None),
        Err(_) => ("panic".to_owned(), None),
    };
    log::warning("release_failed", json!({ "kind": kind, "status": status }));
}

/// What a failure of the provider means for the app.
fn explain(failure: Failure) -> Problem {
    log::warning("provider_failed", json!({ "status": failure.status, "kind": failure.name() }));
    match failure.kind {
        Kind::Timeout => Problem::later(StatusCode::GATEWAY_TIMEOUT, "the provider did not answer in time"),
        Kind::Unreachable => Problem::later(StatusCode::BAD_GATEWAY, "the provider cannot be reached"),
        Kind::Busy => Problem::later(StatusCode::BAD_GATEWAY, "the provider cannot answer now"),
        Kind::Unavailable => Problem::refusal(StatusCode::BAD_GATEWAY, "the provider does not provide this"),
        Kind::NotE164 => Problem::refusal(StatusCode::BAD_GATEWAY, "the provider returned an invalid number"),
        Kind::Refused => Problem::refusal(StatusCode::FORBIDDEN, "the provider refuses this code or this SIM"),
        Kind::Misused | Kind::Tls | Kind::Malformed => {
            let title = "this backend and the provider do not understand each other";
            Problem::fix(StatusCode::INTERNAL_SERVER_ERROR, title)
        }
    }
}

fn is_same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;
    use crate::http::Step;

    const LIMIT: Duration = Duration::from_secs(6);

    #[tokio::test(start_paused = true)]
    async fn attestation_check_that_exceeds_the_deadline_is_a_refusal() {
        let (began, deadline) = (Instant::now(), Instant::now() + LIMIT);
        assert!(accepted(deadline, ready(true)).await && !accepted(deadline, ready(false)).await);
        assert!(!accepted(deadline, pending()).await);
        assert_eq!(began.elapsed().as_secs(), LIMIT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn release_that_fails_panics_or_hangs_ends_within_the_timeout() {
        let began = Instant::now();
        released(LIMIT, ready(Ok(()))).await;
        released(LIMIT, ready(Err(Failure::new(Step::Verify, Kind::Refused)))).await;
        released(LIMIT, async { panic!("not to be logged") }).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        released(LIMIT, pending()).await;
        assert_eq!(began.elapsed().as_secs(), LIMIT.as_secs());
    }
}
