//! The aggregator between backends and operators, with the paths and fields of Glide's: OAuth 2.0 authorization code, and CAMARA's verify.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Json, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::world::{Knowledge, Operator, Place, Transaction, World};
use crate::{CLIENT_ID, CLIENT_SECRET};

type Parameters = Query<HashMap<String, String>>;

pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/oauth2/auth", get(authorize))
        .route("/callback", get(callback))
        .route("/oauth2/token", post(token))
        .route("/number-verification/verify", post(verify))
        .with_state(world)
}

/// Picks the operator. Glide does so by the number and the address; here the auth URL says it.
async fn authorize(State(world): State<Arc<World>>, Query(query): Parameters) -> Response {
    let parameter = |name: &str| query.get(name).cloned();
    let (Some(state), Some("code")) = (parameter("state"), query.get("response_type").map(String::as_str)) else {
        return problem(StatusCode::BAD_REQUEST, "invalid_request");
    };
    if parameter("client_id").as_deref() != Some(CLIENT_ID) {
        return problem(StatusCode::BAD_REQUEST, "unauthorized_client");
    }
    let operator = parameter("operator").and_then(|name| name.parse().ok()).unwrap_or(Operator::A);
    let json = parameter("dev_print").as_deref() == Some("true") || operator == Operator::C;
    let redirect_uri = parameter("redirect_uri");
    let is_usable = redirect_uri.as_deref().map_or(json || operator == Operator::D, is_redirect_uri);
    if !is_usable {
        return problem(StatusCode::BAD_REQUEST, "invalid_request");
    }
    let mut known = world.lock();
    for name in ["state", "nonce"] {
        known.secrets.extend(parameter(name));
    }
    let id = known.mint();
    known.transactions.insert(id.clone(), Transaction { redirect_uri, state, json, number: None });
    let place = match operator {
        Operator::A => Place::OperatorA,
        Operator::B => Place::OperatorB,
        Operator::C => Place::OperatorC,
        Operator::D => Place::OperatorD,
    };
    let callback = format!("{}/callback", world.https(Place::Auth));
    let mut url =
        format!("{}/authorize?client_id=glide&response_type=code&scope=openid&state={id}", world.https(place));
    url.push_str("&redirect_uri=");
    url.extend(url::form_urlencoded::byte_serialize(callback.as_bytes()));
    found(&url)
}

/// RFC 6749, section 3.1.2.
fn is_redirect_uri(uri: &str) -> bool {
    Url::parse(uri).is_ok_and(|uri| uri.fragment().is_none())
}

/// The operator is done.
async fn callback(State(world): State<Arc<World>>, Query(query): Parameters) -> Response {
    let mut known = world.lock();
    let Some(transaction) = query.get("state").and_then(|id| known.transactions.remove(id)) else {
        return problem(StatusCode::BAD_REQUEST, "invalid_request");
    };
    let number = query.get("code").and_then(|code| known.redeem(code));
    let mut answer = if let Some(number) = number {
        vec![("code", known.grant(number))]
    } else {
        let error = query.get("error").cloned().unwrap_or_else(|| "server_error".to_owned());
        vec![("error", error), ("error_description", "The subscriber could not be identified.".to_owned())]
    };
    answer.push(("state", transaction.state));
    match transaction.redirect_uri.filter(|_| !transaction.json).map(|uri| Url::parse(&uri)) {
        None => Json(Value::from_iter(answer)).into_response(),
        Some(Ok(mut url)) => {
            url.query_pairs_mut().extend_pairs(answer);
            found(url.as_str())
        }
        Some(Err(_)) => problem(StatusCode::BAD_REQUEST, "invalid_request"),
    }
}

#[derive(Deserialize)]
struct TokenRequest {
    grant_type: String,
    code: String,
}

async fn token(State(world): State<Arc<World>>, headers: HeaderMap, Form(request): Form<TokenRequest>) -> Response {
    if !is_client(&headers) {
        return problem(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    if request.grant_type != "authorization_code" {
        return problem(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    }
    let mut known = world.lock();
    match exchange(&mut known, &request.code) {
        Some(token) => Json(json!({
            "access_token": token, "token_type": "Bearer", "expires_in": 300, "scope": "openid",
        }))
        .into_response(),
        None => problem(StatusCode::BAD_REQUEST, "invalid_grant"),
    }
}

/// RFC 6749, section 2.3.1.
fn is_client(headers: &HeaderMap) -> bool {
    let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}")));
    headers.get(header::AUTHORIZATION).is_some_and(|given| given.as_bytes() == expected.as_bytes())
}

/// A token for a code.
pub(crate) fn exchange(known: &mut Knowledge, code: &str) -> Option<String> {
    let number = known.redeem(code)?;
    Some(known.grant(number))
}

/// CAMARA Number Verification, `/verify`.
pub(crate) async fn verify(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    Json(request): Json<Value>,
) -> Response {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let Some(number) = request.get("phoneNumber").and_then(Value::as_str) else {
        return camara(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT");
    };
    let mut known = world.lock();
    match bearer.and_then(|token| known.redeem(token)) {
        Some(sim) => Json(json!({ "devicePhoneNumberVerified": sim == number })).into_response(),
        None => camara(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"),
    }
}

fn camara(status: StatusCode, code: &str) -> Response {
    (status, Json(json!({ "status": status.as_u16(), "code": code, "message": code }))).into_response()
}

fn problem(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

pub(crate) fn found(url: &str) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, url)]).into_response()
}
