//! CAMARA Number Verification, operations `phoneNumberVerify` and `phoneNumberShare`, as defined by
//! release r3.2 (number-verification 2.1.0), with the additions of r4.2: an access token works
//! once, and undefined properties are rejected.
//!
//! A claimed number of `errors` returns that error with any valid token. So does a SIM with such a
//! number.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::world::{Authorization, Knowledge, Permits, Subject, World};

pub(crate) const VERIFY_SCOPE: &str = "number-verification:verify";
pub(crate) const DEVICE_PHONE_NUMBER_SCOPE: &str = "number-verification:device-phone-number:read";
const CORRELATOR: HeaderName = HeaderName::from_static("x-correlator");

#[derive(Debug, Clone, Copy)]
struct Refusal(u16, &'static str, &'static str);

const INVALID: Refusal =
    Refusal(400, "INVALID_ARGUMENT", "The body must have one number: phoneNumber or hashedPhoneNumber.");
const CORRELATOR_INVALID: Refusal = Refusal(400, "INVALID_ARGUMENT", "The header x-correlator is not valid.");
const UNAUTHENTICATED: Refusal = Refusal(401, "UNAUTHENTICATED", "The access token is missing, invalid or expired.");
const DENIED: Refusal = Refusal(403, "PERMISSION_DENIED", "The access token does not permit this action.");
const NOT_BY_NETWORK: Refusal = Refusal(
    403,
    "NUMBER_VERIFICATION.USER_NOT_AUTHENTICATED_BY_MOBILE_NETWORK",
    "Client must authenticate via the mobile network to use this service.",
);
const NOT_JSON: Refusal = Refusal(415, "UNSUPPORTED_MEDIA_TYPE", "The body must be application/json.");

/// The errors of the definition (two of them are from older releases, which operators still run),
/// and the generic errors of CAMARA's Commonalities that an operator may return.
const ON_DEMAND: [Refusal; 14] = [
    INVALID,
    UNAUTHENTICATED,
    Refusal(401, "AUTHENTICATION_REQUIRED", "A new authentication is required."), // until r2.4
    DENIED,
    NOT_BY_NETWORK,
    Refusal(403, "INVALID_TOKEN_CONTEXT", "The access token does not identify a phone number."), // until r1.3
    Refusal(404, "NOT_FOUND", "The resource is not found."),
    Refusal(422, "SERVICE_NOT_APPLICABLE", "The service is not available for this phone number."),
    Refusal(429, "TOO_MANY_REQUESTS", "The rate limit is reached."),
    Refusal(429, "QUOTA_EXCEEDED", "The quota is used up."),
    Refusal(500, "INTERNAL", "An error of the server."),
    Refusal(502, "BAD_GATEWAY", "An error of a server behind this one."),
    Refusal(503, "UNAVAILABLE", "The service is not available now."),
    Refusal(504, "TIMEOUT", "The request took too long."),
];

/// The numbers whose verification fails, each with the status and code of its error: `+999`, the
/// status, and a counter within it.
pub(crate) fn errors() -> Vec<(String, u16, &'static str)> {
    on_demand().map(|(number, Refusal(status, code, _))| (number, status, code)).collect()
}

fn on_demand() -> impl Iterator<Item = (String, Refusal)> {
    ON_DEMAND.into_iter().enumerate().map(|(index, refusal)| {
        let nth = ON_DEMAND[..=index].iter().filter(|other| other.0 == refusal.0).count();
        (format!("+999{}{nth:03}", refusal.0), refusal)
    })
}

pub(crate) async fn verify(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    let verified = check_claim(&world, &headers, &body);
    respond(&headers, verified.map(|verified| json!({ "devicePhoneNumberVerified": verified })))
}

pub(crate) async fn device_phone_number(State(world): State<Arc<World>>, headers: HeaderMap) -> Response {
    let number = number_of_sim(&world, &headers);
    respond(&headers, number.map(|number| json!({ "devicePhoneNumber": number })))
}

fn respond(headers: &HeaderMap, outcome: Result<Value, Refusal>) -> Response {
    let mut response = match outcome {
        Ok(body) => Json(body).into_response(),
        Err(refusal) => refusal.into_response(),
    };
    if let Some(correlator) = headers.get(CORRELATOR).filter(|correlator| is_correlator(correlator)) {
        response.headers_mut().insert(CORRELATOR, correlator.clone());
    }
    response
}

/// The subject that the token of this request is valid for.
fn permitted(world: &World, headers: &HeaderMap, permits: impl Fn(Permits) -> bool) -> Result<Subject, Refusal> {
    let authorization = authenticate(world, headers).ok_or(UNAUTHENTICATED)?;
    if !permits(authorization.permits) {
        return Err(DENIED);
    }
    if !headers.get(CORRELATOR).is_none_or(is_correlator) {
        return Err(CORRELATOR_INVALID);
    }
    Ok(authorization.subject)
}

fn number_of_sim(world: &World, headers: &HeaderMap) -> Result<String, Refusal> {
    let number = number_of(permitted(world, headers, |permits| permits.device_phone_number)?)?;
    match on_demand().find(|(other, _)| *other == number) {
        Some((_, refusal)) => Err(refusal),
        None => Ok(number),
    }
}

fn number_of(subject: Subject) -> Result<String, Refusal> {
    match subject {
        Subject::Sim(number) => Ok(number),
        Subject::Password => Err(NOT_BY_NETWORK),
        Subject::Client => Err(DENIED),
    }
}

fn check_claim(world: &World, headers: &HeaderMap, body: &[u8]) -> Result<bool, Refusal> {
    let subject = permitted(world, headers, |permits| permits.verify)?;
    if !is_json(headers) {
        return Err(NOT_JSON);
    }
    let claim = Claim::read(body).ok_or(INVALID)?;
    if let Some((_, refusal)) = on_demand().find(|(number, _)| claim.is(number)) {
        return Err(refusal);
    }
    Ok(claim.is(&number_of(subject)?))
}

/// RFC 6750, section 2.1.
fn authenticate(world: &World, headers: &HeaderMap) -> Option<Authorization> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let spent = if scheme.eq_ignore_ascii_case("bearer") { spend(&mut world.lock(), token.trim()) } else { None };
    spent.filter(|(_, age)| *age < world.options.token_lifetime).map(|(authorization, _)| authorization)
}

/// The authorization of an access token, and its age. A token works once.
pub(crate) fn spend(known: &mut Knowledge, token: &str) -> Option<(Authorization, Duration)> {
    known.tokens.remove(token).map(|token| (token.authorization, token.at.elapsed()))
}

/// The schema `XCorrelator`.
fn is_correlator(value: &HeaderValue) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_:;./<>{}".contains(byte);
    value.len() <= 256 && value.as_bytes().iter().all(is_allowed)
}

pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let label = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    label.split(';').next().is_some_and(|label| label.trim().eq_ignore_ascii_case("application/json"))
}

/// The schema `NumberVerificationRequestBody`: exactly one property.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Claim {
    PhoneNumber(String),
    HashedPhoneNumber(String),
}

impl Claim {
    fn read(body: &[u8]) -> Option<Self> {
        let claim: Self = serde_json::from_slice(body).ok()?;
        let is_valid = match &claim {
            Self::PhoneNumber(number) => is_phone_number(number),
            Self::HashedPhoneNumber(hash) => hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()),
        };
        is_valid.then_some(claim)
    }

    fn is(&self, number: &str) -> bool {
        match self {
            Self::PhoneNumber(claimed) => claimed == number,
            Self::HashedPhoneNumber(hash) => hash.eq_ignore_ascii_case(&sha256(number)),
        }
    }
}

/// The schema `PhoneNumber`: E.164 with its `+`.
pub(crate) fn is_phone_number(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or_default();
    (5..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0')
}

fn sha256(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(status, code, message) = self;
        let body = Json(json!({ "status": status, "code": code, "message": message }));
        let mut response = (StatusCode::from_u16(status).unwrap_or_default(), body).into_response();
        if status == 401 {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
