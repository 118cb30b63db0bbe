//! Vonage Silent Authentication (Verify v2, channel `silent_auth`): the phone opens the `check_url`
//! and receives `request_id` and `code` in a JSON response, or in the fragment of the
//! `redirect_url`. There is no `state`. Errors are problem documents, or `error_description` alone.
//!
//! Sources: Vonage's Verify v2 API definition (`SilentAuthConfirmationSuccess`, `redirect_url`);
//! its guide *Synchronous Silent Authentication*; `ClientSocket.kt` of
//! Vonage/vonage-android-client-library. Assumed: status 409 for a number that does not match.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::json;

use super::{AuthorizationRequest, Check, End, Parameters, Provider, Refusal, Registration, arrive, problem};
use crate::auth::found;
use crate::hosts::SimHost;
use crate::operators::via_operator;
use crate::scenarios::{ANOTHER_CHANNEL, Delivery, Detail, Scenario, VERIFIED, denied, http_status};
use crate::world::{Knowledge, Session, World};

const HOST: SimHost = SimHost::https("vonage.simulator.test");
pub(super) const PROVIDER: Registration = Registration { host: HOST, router, scenarios };
const ERRORS: &str = "https://developer.vonage.com/en/api-errors/verify-v2";

fn scenarios() -> Vec<Scenario> {
    let vonage = |name, end, fails, own| Scenario::new(name, Delivery::Relay, Vonage { end, fails }, own);
    let unsupported = Some(Failure::NetworkNotSupported);
    let described = denied(Detail::None, ANOTHER_CHANNEL);
    vec![
        vonage("vonage", End::Json, None, VERIFIED).with_mismatch(http_status(409, ANOTHER_CHANNEL)),
        vonage("vonage-redirect", End::Redirect, None, VERIFIED).with_mismatch(described),
        vonage("vonage-unsupported", End::Json, unsupported, http_status(412, ANOTHER_CHANNEL)),
        vonage("vonage-redirect-unsupported", End::Redirect, unsupported, described),
    ]
}

#[derive(Debug)]
struct Vonage {
    end: End,
    fails: Option<Failure>,
}

/// The failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// The phone is on Wi-Fi, or its operator is not supported.
    NetworkNotSupported,
}

impl Provider for Vonage {
    /// The response to `POST /v2/verify`.
    fn auth_url(&self, world: &World, _: &mut Knowledge, request: &AuthorizationRequest<'_>) -> String {
        format!("{}/v2/verify/{}/silent-auth/redirect", world.https(HOST), request.check)
    }

    fn end(&self) -> End {
        self.end
    }

    fn result(&self, _: &World, known: &mut Knowledge, session: &Session, code: Option<&str>) -> Result<bool, Refusal> {
        known.check_of(session)?.result_for(code)
    }
}

fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/v2/verify/{id}/silent-auth/redirect", get(open))
        .route("/v2/verify/{id}/silent-auth/result", get(end))
        .with_state(world)
}

async fn open(State(world): State<Arc<World>>, Path(id): Path<String>) -> Response {
    via_operator(&world, HOST, &format!("/v2/verify/{id}/silent-auth/result"))
}

async fn end(State(world): State<Arc<World>>, Path(id): Path<String>, Query(query): Parameters) -> Response {
    let mut known = world.lock();
    match arrive(&mut known, &id, &query) {
        Some(check) => respond(check, &id),
        None => problem(
            StatusCode::NOT_FOUND,
            "https://developer.vonage.com/api-errors#not-found",
            "Not Found",
            "Request was not found or it has been verified already.",
        ),
    }
}

/// Unlike other providers, Vonage reports a number mismatch to the phone.
fn respond(check: &Check, id: &str) -> Response {
    let Some(Vonage { end, fails }) = check.of() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let refusal = if *fails == Some(Failure::NetworkNotSupported) || check.sim.is_none() {
        Some((
            StatusCode::PRECONDITION_FAILED,
            "precondition-failed",
            "Network not supported",
            "Device number does not resolve to a supported Mobile Network Operator.",
        ))
    } else if check.sim != check.number {
        Some((StatusCode::CONFLICT, "msisdn-error", "Conflict", "Device MSISDN does not match."))
    } else {
        None
    };
    let code = check.code.as_deref().unwrap_or_default();
    match (end, refusal) {
        (End::Redirect, None) => found(&format!("{}#request_id={id}&code={code}", check.redirect_uri)),
        (End::Redirect, Some((.., detail))) => found(&format!("{}#error_description={detail}", check.redirect_uri)),
        (_, None) => Json(json!({ "request_id": id, "code": code })).into_response(),
        (_, Some((status, kind, title, detail))) => problem(status, &format!("{ERRORS}#{kind}"), title, detail),
    }
}
