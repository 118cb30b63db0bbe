//! Twilio Silent Network Auth (Verify v2, channel `sna`): the phone opens the URL and receives a
//! text, always with status 200. There is no code: the backend requests the result, which is not
//! bound to this phone.
//!
//! Sources: Twilio's *Best practices for Verify SNA error handling*; `ConcreteTwilioVerifySna.kt`
//! of twilio/twilio-verify-sna-android; `RequestManager.swift` of twilio/twilio-verify-sna-ios.
//! Assumed: the text of a failure, and the content type.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::{AuthorizationRequest, End, Parameters, Provider, REFUSED, Refusal, Registration, arrive};
use crate::hosts::SimHost;
use crate::operators::via_operator;
use crate::scenarios::{ANOTHER_CHANNEL, Delivery, Scenario, VERIFIED, backend_status};
use crate::world::{Knowledge, Session, World};

const HOST: SimHost = SimHost::https("twilio.simulator.test");
pub(super) const PROVIDER: Registration = Registration { host: HOST, router, scenarios };

fn scenarios() -> Vec<Scenario> {
    let twilio =
        |name, carrier_is_supported, own| Scenario::new(name, Delivery::None, Twilio { carrier_is_supported }, own);
    vec![
        twilio("twilio", true, VERIFIED),
        twilio("twilio-unsupported-carrier", false, backend_status(403, ANOTHER_CHANNEL)),
    ]
}

#[derive(Debug)]
struct Twilio {
    carrier_is_supported: bool,
}

impl Provider for Twilio {
    /// The response to `POST /v2/Services/…/Verifications`.
    fn auth_url(&self, world: &World, known: &mut Knowledge, request: &AuthorizationRequest<'_>) -> String {
        let (data, salt) = (known.mint(), known.mint());
        format!("{}/m/id/{}?data={data}&cipherSalt={salt}", world.https(HOST), request.check)
    }

    fn end(&self) -> End {
        End::Nothing
    }

    fn result(&self, _: &World, known: &mut Knowledge, session: &Session, _: Option<&str>) -> Result<bool, Refusal> {
        let result = known.check_of(session)?.result()?;
        if self.carrier_is_supported { Ok(result) } else { Err(REFUSED) }
    }
}

fn router(world: Arc<World>) -> Router {
    Router::new().route("/m/id/{id}", get(open)).route("/msbox/idbrrecv2/{id}", get(end)).with_state(world)
}

async fn open(State(world): State<Arc<World>>, Path(id): Path<String>) -> Response {
    via_operator(&world, HOST, &format!("/msbox/idbrrecv2/{id}?&air=false&state=1"))
}

async fn end(State(world): State<Arc<World>>, Path(id): Path<String>, Query(query): Parameters) -> Response {
    let mut known = world.lock();
    let Some(check) = arrive(&mut known, &id, &query) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match check.of() {
        Some(Twilio { carrier_is_supported: true }) if check.sim.is_some() => {
            "ErrorCode=0&ErrorDescription=Success&Carrier=SIMULATOR".into_response()
        }
        _ => "ErrorCode=-30&ErrorDescription=Unsupported Carrier.&Carrier=UNKNOWN".into_response(),
    }
}
