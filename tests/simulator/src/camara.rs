//! An operator that apps use directly: an OpenID provider as defined by CAMARA's Security and
//! Interoperability Profile, with its error codes, and Number Verification behind it. Phones are
//! sent to the authorization endpoint; all other endpoints are for backends.
//!
//! Any redirect_uri is treated as registered. The provider never returns a page: a request that
//! would need one is an error.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use base64::prelude::{BASE64_STANDARD, Engine};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded;

use crate::auth::found;
use crate::hosts::SimHost;
use crate::jose::{self, Key};
use crate::scenarios::{ANOTHER_CHANNEL, INTEGRATION, LATER};
use crate::server::Peer;
use crate::verify::{DEVICE_PHONE_NUMBER_SCOPE, VERIFY_SCOPE};
use crate::world::{Authorization, Permits, Subject, World};
use crate::{CLIENT_ID, CLIENT_SECRET, verify};

pub(crate) const HOST: SimHost = SimHost::https("camara.simulator.test");
const CODE_LIFETIME: Duration = Duration::from_mins(1);
/// The lifetime of tokens and of client assertions: CAMARA allows no more.
const TOKEN_LIFETIME_S: u64 = 300;
const KEY_ID: &str = "simulator";
const VERIFY: &str = "/camara/number-verification/v2/verify";
const DEVICE_PHONE_NUMBER: &str = "/camara/number-verification/v2/device-phone-number";
const API_SCOPES: [&str; 2] = [VERIFY_SCOPE, DEVICE_PHONE_NUMBER_SCOPE];
/// The errors of the authorization endpoint (CAMARA's profile, appendix A; OpenID Connect Core,
/// section 3.1.2.6), and the app's recommended action. The endpoint returns one of them for a
/// `login_hint` of `error:` and its code; other hints are ignored.
pub(crate) const ERRORS: [(&str, &str); 14] = [
    ("access_denied", ANOTHER_CHANNEL),
    ("consent_required", ANOTHER_CHANNEL),
    ("interaction_required", ANOTHER_CHANNEL),
    ("login_required", ANOTHER_CHANNEL),
    ("account_selection_required", ANOTHER_CHANNEL),
    ("invalid_request", INTEGRATION),
    ("invalid_request_object", INTEGRATION),
    ("invalid_scope", INTEGRATION),
    ("request_not_supported", INTEGRATION),
    ("request_uri_not_supported", INTEGRATION),
    ("unauthorized_client", INTEGRATION),
    ("unsupported_response_type", INTEGRATION),
    ("server_error", LATER),
    ("temporarily_unavailable", LATER),
];
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The provider's private state.
#[derive(Debug)]
pub(crate) struct Provider {
    signing: Key,
    client: Key,
    /// Derives subjects that reveal nothing about the number.
    salt: String,
    codes: Mutex<HashMap<String, Grant>>,
    assertions: Mutex<HashMap<String, Instant>>,
}

/// The grant behind a code.
#[derive(Debug)]
struct Grant {
    number: String,
    redirect_uri: String,
    scope: String,
    nonce: Option<String>,
    code_challenge: Option<String>,
    at: Instant,
}

impl Provider {
    pub(crate) fn new() -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let salt = uuid::Uuid::new_v4().to_string();
        let (signing, client) = (Key::generate()?, Key::generate()?);
        Ok(Self { signing, client, salt, codes: Mutex::default(), assertions: Mutex::default() })
    }

    /// The private key of the provider's only client.
    pub(crate) fn client_key_pem(&self) -> String {
        self.client.pem()
    }
}

pub(crate) fn issuer(world: &World) -> String {
    format!("https://localhost:{}/camara", world.https_port)
}

pub(crate) fn verify_url(world: &World) -> String {
    format!("https://localhost:{}{VERIFY}", world.https_port)
}

/// For phones.
pub(crate) fn authorization_router(world: Arc<World>) -> Router {
    Router::new().route("/authorize", get(authorize)).with_state(world)
}

/// For backends.
pub(crate) fn backend_router(world: Arc<World>) -> Router {
    Router::new()
        .route("/camara/.well-known/openid-configuration", get(discovery))
        .route("/camara/jwks", get(jwks))
        .route("/camara/token", post(token))
        .route(VERIFY, post(verify::verify))
        .route(DEVICE_PHONE_NUMBER, get(verify::device_phone_number))
        .with_state(world)
}

async fn discovery(State(world): State<Arc<World>>) -> Response {
    let issuer = issuer(&world);
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{}/authorize", world.https(HOST)),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "scopes_supported": ["openid", VERIFY_SCOPE, DEVICE_PHONE_NUMBER_SCOPE, "dpv:FraudPreventionAndDetection"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_basic", "client_secret_post"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none"],
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
    }))
    .into_response()
}

async fn jwks(State(world): State<Arc<World>>) -> Response {
    Json(json!({ "keys": [world.camara.signing.jwk(KEY_ID)] })).into_response()
}

/// The parameters of a request. A repeated parameter is an error (RFC 6749, section 3.1), and so is
/// a missing name; an empty value is treated as absent.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn parse(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().filter(|(_, value)| !value.is_empty()).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn has_repetition(&self) -> bool {
        self.0.iter().enumerate().any(|(at, (name, _))| self.0[..at].iter().any(|(before, _)| before == name))
    }
}

/// The authentication request (OpenID Connect Core, section 3.1.2). The phone is identified by the
/// address of its connection.
async fn authorize(
    State(world): State<Arc<World>>,
    Extension(Peer(peer)): Extension<Peer>,
    RawQuery(query): RawQuery,
) -> Response {
    let request = Parameters::parse(query.unwrap_or_default().as_bytes());
    let redirect_uri = request.get("redirect_uri").and_then(|uri| Url::parse(uri).ok());
    let Some(mut location) = redirect_uri.filter(|uri| uri.fragment().is_none() && uri.scheme() != "javascript") else {
        return error(StatusCode::BAD_REQUEST, "invalid_request"); // no redirect to an unverified redirect_uri
    };
    if request.get("client_id") != Some(CLIENT_ID) {
        return error(StatusCode::BAD_REQUEST, "unauthorized_client");
    }
    world.lock().secrets.extend(["state", "nonce"].iter().filter_map(|name| request.get(name)).map(str::to_owned));
    let outcome = is_acceptable(&request).and_then(|()| world.sim(peer).ok_or("login_required"));
    let parameter = match outcome {
        Ok(number) => ("code", grant(&world, number, &request)),
        Err(error) => ("error", error.to_owned()),
    };
    let state = request.get("state").map(|state| ("state", state.to_owned()));
    location.query_pairs_mut().extend_pairs([parameter].into_iter().chain(state));
    found(location.as_str())
}

fn is_acceptable(request: &Parameters) -> Result<(), &'static str> {
    if request.has_repetition() {
        return Err("invalid_request");
    }
    if request.get("request").is_some() {
        return Err("request_not_supported");
    }
    if request.get("request_uri").is_some() {
        return Err("request_uri_not_supported");
    }
    match request.get("response_type") {
        Some("code") => {}
        Some(_) => return Err("unsupported_response_type"),
        None => return Err("invalid_request"),
    }
    let scopes: Vec<_> = request.get("scope").unwrap_or_default().split(' ').collect();
    let purposes = scopes.iter().filter(|scope| scope.starts_with("dpv:")).count();
    let is_of_the_api = |scope: &&str| API_SCOPES.contains(scope);
    let is_known = |scope: &&str| *scope == "openid" || is_of_the_api(scope) || scope.starts_with("dpv:");
    if purposes != 1 || !scopes.iter().any(is_of_the_api) || !scopes.iter().all(is_known) {
        return Err("invalid_scope");
    }
    // A missing one is treated as `none` (CAMARA Number Verification).
    if request.get("prompt").is_some_and(|prompt| prompt != "none") {
        return Err("invalid_request");
    }
    let is_protected = match (request.get("code_challenge"), request.get("code_challenge_method")) {
        (Some(challenge), Some("S256")) => challenge.len() == 43,
        (None, None) => request.get("state").is_some() && request.get("nonce").is_some(),
        _ => false,
    };
    if !is_protected {
        return Err("invalid_request");
    }
    let requested = request.get("login_hint").and_then(|hint| hint.strip_prefix("error:"));
    ERRORS.into_iter().map(|(error, _)| error).find(|error| requested == Some(*error)).map_or(Ok(()), Err)
}

/// The number behind a code whose scope permits this, for a backend in this process.
pub(crate) fn redeem(world: &World, code: &str, permits: fn(Permits) -> bool) -> Option<String> {
    let grant = world.camara.codes.lock().unwrap_or_else(PoisonError::into_inner).remove(code)?;
    permits(Permits::of(&grant.scope)).then_some(grant.number)
}

fn grant(world: &World, number: String, request: &Parameters) -> String {
    let parameter = |name| request.get(name).map(str::to_owned);
    let code = world.lock().mint();
    let grant = Grant {
        number,
        redirect_uri: parameter("redirect_uri").unwrap_or_default(),
        scope: parameter("scope").unwrap_or_default(),
        nonce: parameter("nonce"),
        code_challenge: parameter("code_challenge"),
        at: Instant::now(),
    };
    world.camara.codes.lock().unwrap_or_else(PoisonError::into_inner).insert(code.clone(), grant);
    code
}

/// The token request (RFC 6749, section 4.1.3; RFC 7636, section 4.5).
async fn token(State(world): State<Arc<World>>, headers: HeaderMap, body: String) -> Response {
    let request = Parameters::parse(body.as_bytes());
    match exchange(&world, &headers, &request) {
        Ok(response) => ([(header::CACHE_CONTROL, "no-store")], Json(response)).into_response(),
        Err("invalid_client") => {
            let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"simulator\"")];
            (challenge, error(StatusCode::UNAUTHORIZED, "invalid_client")).into_response()
        }
        Err(code) => error(StatusCode::BAD_REQUEST, code),
    }
}

fn exchange(world: &World, headers: &HeaderMap, request: &Parameters) -> Result<Value, &'static str> {
    if request.has_repetition() {
        return Err("invalid_request");
    }
    authenticate(world, headers, request)?;
    match request.get("grant_type") {
        Some("authorization_code") => {}
        Some(_) => return Err("unsupported_grant_type"),
        None => return Err("invalid_request"),
    }
    let code = request.get("code").ok_or("invalid_request")?;
    let redirect_uri = request.get("redirect_uri").ok_or("invalid_request")?;
    let grant = world.camara.codes.lock().unwrap_or_else(PoisonError::into_inner).remove(code);
    let grant = grant.filter(|grant| grant.at.elapsed() < CODE_LIFETIME).ok_or("invalid_grant")?;
    let challenge = request.get("code_verifier").map(|verifier| jose::encode(digest(&SHA256, verifier.as_bytes())));
    if grant.redirect_uri != redirect_uri || grant.code_challenge != challenge {
        return Err("invalid_grant");
    }
    let permits = Permits::of(&grant.scope);
    let authorization = Authorization { subject: Subject::Sim(grant.number.clone()), permits };
    let mut response = json!({
        "access_token": world.lock().token(authorization),
        "token_type": "Bearer",
        "expires_in": TOKEN_LIFETIME_S,
        "scope": grant.scope,
    });
    if grant.scope.split(' ').any(|scope| scope == "openid") {
        response["id_token"] = id_token(world, &grant).map_err(|_| "server_error")?.into();
    }
    Ok(response)
}

fn id_token(world: &World, grant: &Grant) -> Result<String, ring::error::Unspecified> {
    let subject = digest(&SHA256, format!("{} {}", world.camara.salt, grant.number).as_bytes());
    let now = unix_time();
    let mut claims = json!({
        "iss": issuer(world), "sub": jose::encode(subject), "aud": CLIENT_ID, "iat": now, "exp": now + TOKEN_LIFETIME_S,
    });
    if let Some(nonce) = &grant.nonce {
        claims["nonce"] = nonce.as_str().into();
    }
    world.camara.signing.sign(KEY_ID, &claims)
}

/// The client's secret, in one of two places, or its signed assertion; exactly one of them.
fn authenticate(world: &World, headers: &HeaderMap, request: &Parameters) -> Result<(), &'static str> {
    let basic = headers.get(header::AUTHORIZATION);
    let (secret, assertion) = (request.get("client_secret"), request.get("client_assertion"));
    let is_client = match (basic, secret, assertion) {
        (Some(basic), None, None) => {
            let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}")));
            basic.as_bytes() == expected.as_bytes()
        }
        (None, Some(secret), None) => request.get("client_id") == Some(CLIENT_ID) && secret == CLIENT_SECRET,
        (None, None, Some(assertion)) => {
            request.get("client_assertion_type") == Some(JWT_BEARER)
                && world.camara.client.check(assertion).is_some_and(|claims| is_assertion(world, &claims))
        }
        (None, None, None) => false,
        _ => return Err("invalid_request"),
    };
    if is_client { Ok(()) } else { Err("invalid_client") }
}

/// RFC 7523, section 3, with CAMARA's limits; used once.
fn is_assertion(world: &World, claims: &Value) -> bool {
    let now = unix_time();
    let (text, time) =
        (|name| claims.get(name).and_then(Value::as_str), |name| claims.get(name).and_then(Value::as_u64));
    let (Some(id), Some(expiry)) = (text("jti"), time("exp")) else { return false };
    let endpoint = format!("{}/token", issuer(world));
    let lasts = time("iat").map_or(0, |made| expiry.saturating_sub(made));
    let is_due = text("iss") == Some(CLIENT_ID)
        && text("sub") == Some(CLIENT_ID)
        && text("aud").is_some_and(|audience| audience == endpoint || audience == issuer(world))
        && (now..=now + TOKEN_LIFETIME_S).contains(&expiry)
        && lasts <= TOKEN_LIFETIME_S;
    let mut used = world.camara.assertions.lock().unwrap_or_else(PoisonError::into_inner);
    used.retain(|_, at| at.elapsed() < Duration::from_secs(TOKEN_LIFETIME_S));
    is_due && used.insert(id.to_owned(), Instant::now()).is_none()
}

fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn error(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}
