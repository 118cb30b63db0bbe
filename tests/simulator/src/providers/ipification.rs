//! IPification: OpenID Connect as implemented by Keycloak, with the number as `login_hint` (without
//! `+`), `code` and `state` at `redirect_uri`. Its `userinfo` contains `"phone_number_verified":
//! "true"`, a string, and repeats the login hint: the backend compares it, because the phone could
//! have changed it.
//!
//! Sources: `docs/ip/README.md` of ipification/ipification-android-sdk;
//! bvantagelimited/ipification-mobile-sdk-code-snippet; `routes/auth.js` of
//! bvantagelimited/ipification-showcase. Assumed: the error codes, and Keycloak's `session_state`
//! and dotted codes.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::json;
use url::Url;

use super::{AuthorizationRequest, Check, End, Parameters, Provider, REFUSED, Refusal, Registration, arrive};
use crate::CLIENT_ID;
use crate::auth::found;
use crate::hosts::SimHost;
use crate::operators::via_operator;
use crate::scenarios::{Delivery, Scenario, VERIFIED, misused, refused};
use crate::world::{Knowledge, Session, World};

const HOST: SimHost = SimHost::https("ipification.simulator.test");
pub(super) const PROVIDER: Registration = Registration { host: HOST, router, scenarios };
const PATH: &str = "/auth/realms/ipification/protocol/openid-connect/auth";

fn scenarios() -> Vec<Scenario> {
    use Failure::{BadRequest, Denied};
    let ipification = |name, fails, own| Scenario::new(name, Delivery::Relay, Ipification { fails }, own);
    vec![
        ipification("ipification", None, VERIFIED),
        ipification("ipification-denied", Some(Denied), refused("access_denied")),
        ipification("ipification-bad-request", Some(BadRequest), misused("invalid_request")),
    ]
}

#[derive(Debug)]
struct Ipification {
    fails: Option<Failure>,
}

/// The failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// Reported at `redirect_uri`.
    Denied,
    /// Reported in a JSON response.
    BadRequest,
}

impl Provider for Ipification {
    fn auth_url(&self, world: &World, _: &mut Knowledge, request: &AuthorizationRequest<'_>) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("response_type", "code"),
                ("client_id", CLIENT_ID),
                ("redirect_uri", request.callback),
                ("scope", "openid ip:phone_verify"),
                ("state", request.state),
                ("nonce", request.nonce),
                ("login_hint", request.number.unwrap_or_default().trim_start_matches('+')),
            ])
            .finish();
        format!("{}{PATH}?{query}", world.https(HOST))
    }

    fn end(&self) -> End {
        End::Redirect
    }

    fn result(&self, _: &World, known: &mut Knowledge, session: &Session, code: Option<&str>) -> Result<bool, Refusal> {
        let check = known.check_of(session)?;
        // `userinfo` repeats the login hint, which the phone could have changed.
        if check.number == session.number { check.result_for(code) } else { Err(REFUSED) }
    }
}

fn router(world: Arc<World>) -> Router {
    Router::new().route(PATH, get(open)).route("/webhook/api/webhook/auth/{id}", get(end)).with_state(world)
}

async fn open(State(world): State<Arc<World>>, Query(query): Parameters) -> Response {
    let mut known = world.lock();
    let parameter = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let matches_request =
        |check: &Check| check.state == parameter("state") && check.redirect_uri == parameter("redirect_uri");
    let Some((id, check)) = known.checks.iter_mut().find(|(_, check)| matches_request(check)) else {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_request" }))).into_response();
    };
    if matches!(check.of(), Some(Ipification { fails: Some(Failure::BadRequest) })) {
        let error = json!({ "error": "invalid_request", "error_description": "Missing consent" });
        return (StatusCode::BAD_REQUEST, Json(error)).into_response();
    }
    check.number = Some(format!("+{}", parameter("login_hint")));
    via_operator(&world, HOST, &format!("/webhook/api/webhook/auth/{id}"))
}

async fn end(State(world): State<Arc<World>>, Path(id): Path<String>, Query(query): Parameters) -> Response {
    let mut known = world.lock();
    let Some(check) = arrive(&mut known, &id, &query) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let denied = matches!(check.of(), Some(Ipification { fails: Some(Failure::Denied) })) || check.sim.is_none();
    let Ok(mut url) = Url::parse(&check.redirect_uri) else { return StatusCode::BAD_REQUEST.into_response() };
    if denied {
        url.query_pairs_mut()
            .append_pair("error", "access_denied")
            .append_pair("error_description", "The phone number could not be verified.");
    } else {
        let session = uuid::Uuid::new_v4().to_string();
        url.query_pairs_mut()
            .append_pair("session_state", &session)
            .append_pair("code", check.code.as_deref().unwrap_or_default());
    }
    url.query_pairs_mut().append_pair("state", &check.state);
    found(url.as_str())
}
