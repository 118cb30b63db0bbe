//! Twilio Silent Network Auth (Verify v2, channel `sna`): the phone opens the URL and gets a text, always with status 200. There is no
//! code: the backend asks for the result, which is not bound to this phone.
//!
//! Sources: Twilio's *Best practices for Verify SNA error handling*; `ConcreteTwilioVerifySna.kt` of twilio/twilio-verify-sna-android;
//! `RequestManager.swift` of twilio/twilio-verify-sna-ios. Assumed: the text of a failure, and the content type.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::{Parameters, Provider, arrive, via_operator};
use crate::world::{Knowledge, Place, World};

/// What `POST /v2/Services/…/Verifications` answers.
pub(super) fn sna_url(world: &World, known: &mut Knowledge, id: &str) -> String {
    let (data, salt) = (known.mint(), known.mint());
    format!("{}/m/id/{id}?data={data}&cipherSalt={salt}", world.https(Place::Twilio))
}

pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new().route("/m/id/{id}", get(open)).route("/msbox/idbrrecv2/{id}", get(end)).with_state(world)
}

async fn open(State(world): State<Arc<World>>, Path(id): Path<String>) -> Response {
    via_operator(&world, Place::Twilio, &format!("/msbox/idbrrecv2/{id}?&air=false&state=1"))
}

async fn end(State(world): State<Arc<World>>, Path(id): Path<String>, Query(query): Parameters) -> Response {
    let mut known = world.lock();
    let Some(check) = arrive(&mut known, &id, &query) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match check.provider {
        Provider::Twilio { carrier_is_supported: true } if check.sim.is_some() => {
            "ErrorCode=0&ErrorDescription=Success&Carrier=SIMULATOR".into_response()
        }
        _ => "ErrorCode=-30&ErrorDescription=Unsupported Carrier.&Carrier=UNKNOWN".into_response(),
    }
}
