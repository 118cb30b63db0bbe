//! The aggregator between backends and operators, with Glide's paths and fields: OAuth 2.0
//! authorization code (and client credentials), and the paths of CAMARA's Number Verification.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Form, Json, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::providers::glide;
use crate::server::Peer;
use crate::verify::{device_phone_number, verify};
use crate::world::{Authorization, Knowledge, Operator, Permits, Subject, Transaction, World};
use crate::{CLIENT_ID, CLIENT_SECRET, operators, quirks};

type Parameters = Query<HashMap<String, String>>;

pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/oauth2/auth", get(authorize))
        .route("/callback", get(callback))
        .route("/oauth2/token", post(token))
        .route("/number-verification/verify", post(verify))
        .route("/number-verification/v2/verify", post(verify))
        .route("/number-verification/v2/device-phone-number", get(device_phone_number))
        .with_state(world)
}

/// Selects the operator by the address of the connection, as Glide does, unless the auth URL of a
/// test specifies one. With OIDC's `prompt=login` no operator is involved: a user logs in with a
/// password, immediately.
async fn authorize(
    State(world): State<Arc<World>>,
    Extension(Peer(peer)): Extension<Peer>,
    Query(query): Parameters,
) -> Response {
    let parameter = |name: &str| query.get(name).cloned();
    let (Some(state), Some("code")) = (parameter("state"), query.get("response_type").map(String::as_str)) else {
        return problem(StatusCode::BAD_REQUEST, "invalid_request");
    };
    if parameter("client_id").as_deref() != Some(CLIENT_ID) {
        return problem(StatusCode::BAD_REQUEST, "unauthorized_client");
    }
    let name = parameter("operator").or_else(|| world.operator(peer)).unwrap_or_else(|| Operator::A.name().to_owned());
    let operator = name.parse::<Operator>().ok();
    if operator.is_none() && !quirks::exists(&name) {
        return problem(StatusCode::BAD_REQUEST, "invalid_request");
    }
    let json = parameter("dev_print").as_deref() == Some("true") || operator == Some(Operator::C);
    let redirect_uri = parameter("redirect_uri");
    let is_usable = redirect_uri.as_deref().map_or(json || operator == Some(Operator::D), is_redirect_uri);
    if !is_usable {
        return problem(StatusCode::BAD_REQUEST, "invalid_request");
    }
    let mut known = world.lock();
    for name in ["state", "nonce"] {
        known.secrets.extend(parameter(name));
    }
    let permits = permits(&query);
    let transaction = Transaction { redirect_uri, state, json, permits, number: None };
    if query.get("prompt").is_some_and(|prompt| prompt == "login") {
        let code = known.authorize(Authorization { subject: Subject::Password, permits });
        return hand_over(transaction, vec![("code", code)]);
    }
    let id = known.mint();
    known.transactions.insert(id.clone(), transaction);
    let host = match operator {
        Some(Operator::A) => operators::A,
        Some(Operator::B) => operators::B,
        Some(Operator::C) => operators::C,
        Some(Operator::D) => operators::D,
        None => return found(&quirks::first_hop(&world, &name, &id)),
    };
    let callback = format!("{}/callback", world.https(glide::HOST));
    let mut url = format!("{}/authorize?client_id=glide&response_type=code&scope=openid&state={id}", world.https(host));
    url.push_str("&redirect_uri=");
    url.extend(url::form_urlencoded::byte_serialize(callback.as_bytes()));
    found(&url)
}

/// According to CAMARA's scopes, or Glide's purpose.
fn permits(query: &HashMap<String, String>) -> Permits {
    let by_scope = Permits::of(query.get("scope").map_or("", String::as_str));
    let by_purpose = query.get("purpose").is_some_and(|purpose| purpose.ends_with(":number-verification"));
    Permits { verify: by_scope.verify || by_purpose, ..by_scope }
}

/// RFC 6749, section 3.1.2.
fn is_redirect_uri(uri: &str) -> bool {
    Url::parse(uri).is_ok_and(|uri| uri.fragment().is_none())
}

/// The operator's redirect back to the aggregator.
async fn callback(State(world): State<Arc<World>>, Query(query): Parameters) -> Response {
    let mut known = world.lock();
    let Some(transaction) = query.get("state").and_then(|id| known.transactions.remove(id)) else {
        return problem(StatusCode::BAD_REQUEST, "invalid_request");
    };
    let number = query.get("code").and_then(|code| known.redeem(code));
    let parameters = if let Some(number) = number {
        let authorization = Authorization { subject: Subject::Sim(number), permits: transaction.permits };
        vec![("code", known.authorize(authorization))]
    } else {
        let error = query.get("error").cloned().unwrap_or_else(|| "server_error".to_owned());
        vec![("error", error), ("error_description", "The subscriber could not be identified.".to_owned())]
    };
    hand_over(transaction, parameters)
}

/// The authorization response.
fn hand_over(transaction: Transaction, mut parameters: Vec<(&'static str, String)>) -> Response {
    parameters.push(("state", transaction.state));
    match transaction.redirect_uri.filter(|_| !transaction.json).map(|uri| Url::parse(&uri)) {
        None => Json(Value::from_iter(parameters)).into_response(),
        Some(Ok(mut url)) => {
            url.query_pairs_mut().extend_pairs(parameters);
            found(url.as_str())
        }
        Some(Err(_)) => problem(StatusCode::BAD_REQUEST, "invalid_request"),
    }
}

#[derive(Deserialize)]
struct TokenRequest {
    grant_type: String,
    code: Option<String>,
    scope: Option<String>,
}

async fn token(State(world): State<Arc<World>>, headers: HeaderMap, Form(request): Form<TokenRequest>) -> Response {
    if !is_client(&headers) {
        return problem(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    let mut known = world.lock();
    let (token, scope) = match (request.grant_type.as_str(), request.code) {
        ("authorization_code", Some(code)) => (exchange(&mut known, &code), "openid".to_owned()),
        ("client_credentials", _) => {
            let scope = request.scope.unwrap_or_default();
            let permits = Permits::of(&scope);
            (Some(known.token(Authorization { subject: Subject::Client, permits })), scope)
        }
        ("authorization_code", None) => return problem(StatusCode::BAD_REQUEST, "invalid_request"),
        _ => return problem(StatusCode::BAD_REQUEST, "unsupported_grant_type"),
    };
    let Some(token) = token else { return problem(StatusCode::BAD_REQUEST, "invalid_grant") };
    let lifetime = world.options.token_lifetime.as_secs();
    Json(json!({ "access_token": token, "token_type": "Bearer", "expires_in": lifetime, "scope": scope }))
        .into_response()
}

/// RFC 6749, section 2.3.1.
fn is_client(headers: &HeaderMap) -> bool {
    let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}")));
    headers.get(header::AUTHORIZATION).is_some_and(|header| header.as_bytes() == expected.as_bytes())
}

/// Exchanges a code for a token.
pub(crate) fn exchange(known: &mut Knowledge, code: &str) -> Option<String> {
    let authorization = known.take(code)?;
    Some(known.token(authorization))
}

fn problem(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

pub(crate) fn found(url: &str) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, url)]).into_response()
}
