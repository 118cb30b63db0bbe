//! The simulated providers, each according to its public documentation: the requests of the backend
//! and those of the phone. A new provider is a file here with its `PROVIDER`, and an entry in
//! `ALL`.
//!
//! Vonage, tru.ID, Twilio and IPification use operators in the same way: one hop over the
//! operator's plain http, which inserts the subscriber's identity (`operators::via_operator`).
//! Glide's operators are in `operators.rs` and `quirks.rs`.

pub(crate) mod camara;
pub(crate) mod glide;
mod ipification;
mod tru_id;
mod twilio;
mod vonage;

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use axum::extract::Query;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use serde_json::json;

use crate::hosts::{MakeRouter, SimHost};
use crate::scenarios::{ANOTHER_CHANNEL, INTEGRATION, LATER, Scenario};
use crate::verify;
use crate::world::{Knowledge, Session, World};

pub(crate) const ALL: [Registration; 6] =
    [glide::PROVIDER, camara::PROVIDER, vonage::PROVIDER, tru_id::PROVIDER, twilio::PROVIDER, ipification::PROVIDER];

/// A provider: its host, its router and its scenarios.
pub(crate) struct Registration {
    pub(crate) host: SimHost,
    pub(crate) router: MakeRouter,
    pub(crate) scenarios: fn() -> Vec<Scenario>,
}

/// A provider as configured in one scenario, from the backend's view.
pub(crate) trait Provider: Any + fmt::Debug + Send + Sync {
    /// The URL for the phone.
    fn auth_url(&self, world: &World, known: &mut Knowledge, request: &AuthorizationRequest<'_>) -> String;

    fn end(&self) -> End;

    /// Whether the session's number is the SIM's.
    fn result(
        &self,
        world: &World,
        known: &mut Knowledge,
        session: &Session,
        code: Option<&str>,
    ) -> Result<bool, Refusal>;

    /// Returns the function that retrieves the SIM's number for a code, if the provider supports
    /// that.
    fn retrieval(&self) -> Option<Retrieval> {
        None
    }
}

pub(crate) type Retrieval = fn(&World, Option<&str>) -> Result<String, Refusal>;

/// How the phone's redirect chain ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// With a JSON response.
    Json,
    /// With a redirect to the redirect URI from the backend.
    Redirect,
    /// Without data: the backend requests the result.
    Nothing,
}

/// The parameters of an authorization request.
pub(crate) struct AuthorizationRequest<'a> {
    /// Absent in a retrieval.
    pub(crate) number: Option<&'a str>,
    pub(crate) state: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) callback: &'a str,
    /// The provider's id for this verification.
    pub(crate) check: &'a str,
}

/// A verification at a provider that assigns ids to verifications.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    provider: Arc<dyn Provider>,
    /// The number to verify.
    number: Option<String>,
    redirect_uri: String,
    state: String,
    /// The number of the SIM, once the phone has sent its request.
    sim: Option<String>,
    code: Option<String>,
}

/// A problem for the app: status, title, and recommended action.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal(pub(crate) StatusCode, pub(crate) &'static str, pub(crate) &'static str);

pub(crate) const REFUSED: Refusal =
    Refusal(StatusCode::FORBIDDEN, "the provider cannot verify this SIM", ANOTHER_CHANNEL);
pub(crate) const UNKNOWN_CODE: Refusal = Refusal(StatusCode::FORBIDDEN, "the code is not known", ANOTHER_CHANNEL);
pub(crate) const NO_RESULT: Refusal = Refusal(StatusCode::CONFLICT, "the phone has not been there", ANOTHER_CHANNEL);
const CANNOT_NOW: Refusal = Refusal(StatusCode::BAD_GATEWAY, "the provider is temporarily unavailable", LATER);
const MISUNDERSTOOD: Refusal = Refusal(
    StatusCode::INTERNAL_SERVER_ERROR,
    "configuration or protocol error between this backend and the provider",
    INTEGRATION,
);

/// CAMARA's `verify` for a SIM and the session's number, with its errors mapped to the app's
/// recommended action.
fn camara_verify(sim: &str, session: &Session) -> Result<bool, Refusal> {
    let claimed = session.number.as_deref();
    let error = verify::errors().into_iter().find(|(number, ..)| claimed == Some(number));
    match error.map(|(_, status, code)| (status, code)) {
        None => Ok(claimed == Some(sim)),
        Some((429 | 500.., _)) => Err(CANNOT_NOW),
        Some((403 | 409 | 410 | 422, code)) if code != "PERMISSION_DENIED" => Err(REFUSED),
        Some(_) => Err(MISUNDERSTOOD),
    }
}

impl Check {
    pub(crate) fn new(provider: Arc<dyn Provider>, request: &AuthorizationRequest<'_>) -> Self {
        let [redirect_uri, state] = [request.callback, request.state].map(str::to_owned);
        let number = request.number.map(str::to_owned);
        Self { provider, number, redirect_uri, state, sim: None, code: None }
    }

    /// The session's provider, if it has this type.
    fn of<P: Provider>(&self) -> Option<&P> {
        let provider: &dyn Any = &*self.provider;
        provider.downcast_ref()
    }

    fn result(&self) -> Result<bool, Refusal> {
        let sim = self.sim.as_ref().ok_or(NO_RESULT)?;
        Ok(self.number.as_ref() == Some(sim))
    }

    fn result_for(&self, code: Option<&str>) -> Result<bool, Refusal> {
        if code.is_some() && code == self.code.as_deref() { self.result() } else { Err(UNKNOWN_CODE) }
    }
}

impl Knowledge {
    fn check_of(&self, session: &Session) -> Result<&Check, Refusal> {
        self.checks.get(&session.check).ok_or(UNKNOWN_CODE)
    }
}

type Parameters = Query<HashMap<String, String>>;

/// Records the SIM that the operator identified, and creates a code for it.
fn arrive<'a>(known: &'a mut Knowledge, id: &str, query: &HashMap<String, String>) -> Option<&'a mut Check> {
    let sim = query.get("token").and_then(|token| known.redeem(token));
    let code = known.mint();
    let check = known.checks.get_mut(id)?;
    (check.sim, check.code) = (sim, Some(code));
    Some(check)
}

/// A problem document in the form of Vonage and tru.ID: without a member `status`.
fn problem(status: StatusCode, kind: &str, title: &str, detail: &str) -> Response {
    let label = [(header::CONTENT_TYPE, "application/problem+json")];
    (status, label, Json(json!({ "type": kind, "title": title, "detail": detail }))).into_response()
}
