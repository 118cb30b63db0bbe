//! tru.ID PhoneCheck: the phone opens the `check_url`. In version 0.2 it finds `check_id` and `code` in a JSON answer or in the query of the
//! `redirect_url`, in 0.1 nothing. There is no `state`. A refusal may come with status 200.
//!
//! Sources: tru-ID/api-definitions (`specs/products.yaml`); `ClientSocket.kt` and README of tru-ID/tru-sdk-android;
//! `SampleResultController.java` of tru-ID/oidc-bridge. Assumed: the last answer of version 0.1.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::{Value, json};
use url::Url;

use super::{Check, End, Parameters, Provider, arrive, problem, via_operator};
use crate::auth::found;
use crate::world::{Place, World};

const ERRORS: &str = "https://developer.tru.id/docs/reference/api-errors";

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Told at the end, with status 200.
    RedirectUnsupported,
    /// Told at once.
    NotMobileIp,
}

/// What `POST /phone_check/v0.2/checks` answers.
pub(super) fn check_url(world: &World, id: &str, ends: End) -> String {
    let version = if ends == End::Nothing { "v0.1" } else { "v0.2" };
    format!("{}/phone_check/{version}/checks/{id}/redirect", world.https(Place::TruId))
}

pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/phone_check/{version}/checks/{id}/redirect", get(open))
        .route("/callback/operator/{id}", get(end))
        .with_state(world)
}

async fn open(State(world): State<Arc<World>>, Path((_, id)): Path<(String, String)>) -> Response {
    match world.lock().checks.get(&id).map(|check| check.provider) {
        Some(Provider::TruId { fails: Some(Failure::NotMobileIp), .. }) => {
            let kind = format!("{ERRORS}#not_mobile_ip");
            problem(StatusCode::PRECONDITION_FAILED, &kind, "Precondition Failed", "Not a mobile IP")
        }
        Some(_) => via_operator(&world, Place::TruId, &format!("/callback/operator/{id}")),
        None => problem(StatusCode::NOT_FOUND, &format!("{ERRORS}#check_not_found"), "Not Found", "Check Not Found"),
    }
}

async fn end(State(world): State<Arc<World>>, Path(id): Path<String>, Query(query): Parameters) -> Response {
    let mut known = world.lock();
    match arrive(&mut known, &id, &query) {
        Some(check) => answer(check, &id),
        None => problem(StatusCode::NOT_FOUND, &format!("{ERRORS}#check_not_found"), "Not Found", "Check Not Found"),
    }
}

fn answer(check: &Check, id: &str) -> Response {
    let Provider::TruId { ends, fails } = check.provider else {
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
    match (ends, Url::parse(&check.redirect_uri)) {
        (End::Redirect, Ok(mut url)) => {
            url.query_pairs_mut().extend_pairs(outcome);
            found(url.as_str())
        }
        (End::Nothing, _) => Json(json!({ "status": "done" })).into_response(),
        _ => Json(Value::from_iter(outcome)).into_response(),
    }
}
