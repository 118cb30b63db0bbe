//! tru.ID PhoneCheck: the phone opens the `check_url`. In version 0.2 it receives `check_id` and
//! `code` in a JSON response or in the query of the `redirect_url`, in 0.1 neither. There is no
//! `state`. A denial may have status 200.
//!
//! Sources: tru-ID/api-definitions (`specs/products.yaml`); `ClientSocket.kt` and README of
//! tru-ID/tru-sdk-android; `SampleResultController.java` of tru-ID/oidc-bridge. Assumed: the last
//! response of version 0.1.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::{Value, json};
use url::Url;

use super::{AuthorizationRequest, Check, End, Parameters, Provider, Refusal, Registration, arrive, problem};
use crate::auth::found;
use crate::hosts::SimHost;
use crate::operators::via_operator;
use crate::scenarios::{ANOTHER_CHANNEL, Delivery, Scenario, VERIFIED, http_status, refused};
use crate::world::{Knowledge, Session, World};

const HOST: SimHost = SimHost::https("tru-id.simulator.test");
pub(super) const PROVIDER: Registration = Registration { host: HOST, router, scenarios };
const ERRORS: &str = "https://developer.tru.id/docs/reference/api-errors";

fn scenarios() -> Vec<Scenario> {
    use Delivery::{FollowThrough, None as NoCode, Relay};
    let tru_id = |name, delivery, end, fails, own| Scenario::new(name, delivery, TruId { end, fails }, own);
    let unsupported = Some(Failure::RedirectUnsupported);
    let mno = refused("mno_redirect_unsupported");
    let not_mobile = http_status(412, ANOTHER_CHANNEL);
    vec![
        tru_id("tru-id", Relay, End::Json, None, VERIFIED),
        tru_id("tru-id-redirect", Relay, End::Redirect, None, VERIFIED),
        tru_id("tru-id-follow-through", FollowThrough, End::Redirect, None, VERIFIED),
        tru_id("tru-id-v0.1", NoCode, End::Nothing, None, VERIFIED),
        tru_id("tru-id-unsupported", Relay, End::Json, unsupported, mno),
        tru_id("tru-id-redirect-unsupported", Relay, End::Redirect, unsupported, mno),
        tru_id("tru-id-follow-through-unsupported", FollowThrough, End::Redirect, unsupported, mno),
        tru_id("tru-id-not-mobile-ip", Relay, End::Json, Some(Failure::NotMobileIp), not_mobile),
    ]
}

#[derive(Debug)]
struct TruId {
    end: End,
    fails: Option<Failure>,
}

/// The failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// Reported at the end, with status 200.
    RedirectUnsupported,
    /// Reported immediately.
    NotMobileIp,
}

impl Provider for TruId {
    /// The response to `POST /phone_check/v0.2/checks`.
    fn auth_url(&self, world: &World, _: &mut Knowledge, request: &AuthorizationRequest<'_>) -> String {
        let version = if self.end == End::Nothing { "v0.1" } else { "v0.2" };
        format!("{}/phone_check/{version}/checks/{}/redirect", world.https(HOST), request.check)
    }

    fn end(&self) -> End {
        self.end
    }

    fn result(&self, _: &World, known: &mut Knowledge, session: &Session, code: Option<&str>) -> Result<bool, Refusal> {
        let check = known.check_of(session)?;
        if self.end == End::Nothing { check.result() } else { check.result_for(code) }
    }
}

fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/phone_check/{version}/checks/{id}/redirect", get(open))
        .route("/callback/operator/{id}", get(end))
        .with_state(world)
}

async fn open(State(world): State<Arc<World>>, Path((_, id)): Path<(String, String)>) -> Response {
    match world.lock().checks.get(&id).and_then(|check| check.of()) {
        Some(TruId { fails: Some(Failure::NotMobileIp), .. }) => {
            let kind = format!("{ERRORS}#not_mobile_ip");
            problem(StatusCode::PRECONDITION_FAILED, &kind, "Precondition Failed", "Not a mobile IP")
        }
        Some(_) => via_operator(&world, HOST, &format!("/callback/operator/{id}")),
        None => problem(StatusCode::NOT_FOUND, &format!("{ERRORS}#check_not_found"), "Not Found", "Check Not Found"),
    }
}

async fn end(State(world): State<Arc<World>>, Path(id): Path<String>, Query(query): Parameters) -> Response {
    let mut known = world.lock();
    match arrive(&mut known, &id, &query) {
        Some(check) => respond(check, &id),
        None => problem(StatusCode::NOT_FOUND, &format!("{ERRORS}#check_not_found"), "Not Found", "Check Not Found"),
    }
}

fn respond(check: &Check, id: &str) -> Response {
    let Some(TruId { end, fails }) = check.of() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let outcome = match (fails, &check.sim, &check.code) {
        (None, Some(_), Some(code)) => vec![("check_id", id), ("code", code)],
        _ => vec![
            ("check_id", id),
            ("error", "mno_redirect_unsupported"),
            ("error_description", "MNO redirect unsupported"),
        ],
    };
    match (end, Url::parse(&check.redirect_uri)) {
        (End::Redirect, Ok(mut url)) => {
            url.query_pairs_mut().extend_pairs(outcome);
            found(url.as_str())
        }
        (End::Nothing, _) => Json(json!({ "status": "done" })).into_response(),
        _ => Json(Value::from_iter(outcome)).into_response(),
    }
}
