//! The providers whose behaviour the simulator has, each as its public documentation tells: what the backend asks of them, and what the phone
//! meets.
//!
//! Vonage, tru.ID, Twilio and IPification deal with operators in one way: one hop over the operator's plain http, where the subscriber's
//! identity is inserted. Glide's operators are in `operators.rs` and `habits.rs`.

pub(crate) mod camara;
pub(crate) mod glide;
pub(crate) mod ipification;
pub(crate) mod tru_id;
pub(crate) mod twilio;
pub(crate) mod vonage;

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use axum::{Extension, Router};
use serde_json::json;
use url::Url;

use crate::auth::found;
use crate::scenarios::{ANOTHER_CHANNEL, INTEGRATION, LATER};
use crate::server::Peer;
use crate::verify;
use crate::world::{Knowledge, Place, Session, World};

/// A provider, and how it is set up.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Provider {
    Glide { operator: &'static str, ends: End },
    Camara { answer: camara::AuthorizationAnswer },
    Vonage { ends: End, fails: Option<vonage::Failure> },
    TruId { ends: End, fails: Option<tru_id::Failure> },
    Twilio { carrier_is_supported: bool },
    Ipification { fails: Option<ipification::Failure> },
}

/// Where the phone's walk ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// In a JSON answer.
    Json,
    /// With a redirect to the URL that the backend named.
    Redirect,
    /// With nothing: the backend asks.
    Nothing,
}

/// What a backend knows when it begins.
pub(crate) struct AuthorizationRequest<'a> {
    pub(crate) number: &'a str,
    pub(crate) state: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) callback: &'a str,
}

/// What it gets.
pub(crate) struct Started {
    pub(crate) auth_url: String,
    pub(crate) redirect_uri: Option<String>,
    /// The provider's own name for this verification.
    pub(crate) check: String,
}

/// A verification at a provider that has names for them.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    provider: Provider,
    /// The number to verify.
    number: String,
    redirect_uri: String,
    state: String,
    /// The number of the SIM, once the phone was there.
    sim: Option<String>,
    code: Option<String>,
}

/// A problem for the app: status, title, and what it should do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal(pub(crate) StatusCode, pub(crate) &'static str, pub(crate) &'static str);

pub(crate) const REFUSED: Refusal =
    Refusal(StatusCode::FORBIDDEN, "the provider cannot verify this SIM", ANOTHER_CHANNEL);
pub(crate) const UNKNOWN_CODE: Refusal = Refusal(StatusCode::FORBIDDEN, "the code is not known", ANOTHER_CHANNEL);
pub(crate) const NO_VERDICT: Refusal = Refusal(StatusCode::CONFLICT, "the phone has not been there", ANOTHER_CHANNEL);
const CANNOT_NOW: Refusal = Refusal(StatusCode::BAD_GATEWAY, "the provider cannot answer now", LATER);
const MISUNDERSTOOD: Refusal = Refusal(
    StatusCode::INTERNAL_SERVER_ERROR,
    "this backend and the provider do not understand each other",
    INTEGRATION,
);

/// CAMARA's `verify` for a SIM and the session's number, with what its errors mean for the app.
fn camara_verify(sim: &str, session: &Session) -> Result<bool, Refusal> {
    let error = verify::errors().into_iter().find(|(number, ..)| *number == session.number);
    match error.map(|(_, status, code)| (status, code)) {
        None => Ok(sim == session.number),
        Some((429 | 500.., _)) => Err(CANNOT_NOW),
        Some((403 | 409 | 410 | 422, code)) if code != "PERMISSION_DENIED" => Err(REFUSED),
        Some(_) => Err(MISUNDERSTOOD),
    }
}

impl Provider {
    /// What a backend asks first.
    pub(crate) fn begin(self, world: &World, known: &mut Knowledge, asked: &AuthorizationRequest<'_>) -> Started {
        let check = self.check(known, asked);
        let (auth_url, ends) = match self {
            Self::Glide { operator, ends } => (glide::auth_url(world, operator, ends, asked), ends),
            Self::Camara { answer } => (camara::auth_url(world, answer, asked), End::Redirect),
            Self::Vonage { ends, .. } => (vonage::check_url(world, &check), ends),
            Self::TruId { ends, .. } => (tru_id::check_url(world, &check, ends), ends),
            Self::Twilio { .. } => (twilio::sna_url(world, known, &check), End::Nothing),
            Self::Ipification { .. } => (ipification::auth_url(world, asked), End::Redirect),
        };
        Started { auth_url, redirect_uri: (ends == End::Redirect).then(|| asked.callback.to_owned()), check }
    }

    /// What it asks at the end: whether the number of the session is the SIM's.
    pub(crate) fn verdict(
        self,
        world: &World,
        known: &mut Knowledge,
        session: &Session,
        code: Option<&str>,
    ) -> Result<bool, Refusal> {
        let check = known.checks.get(&session.check).cloned().ok_or(UNKNOWN_CODE)?;
        match self {
            Self::Glide { .. } => glide::verdict(known, session, code),
            Self::Camara { .. } => camara::verdict(world, session, code),
            Self::Twilio { carrier_is_supported: false } => check.result().and(Err(REFUSED)),
            Self::Twilio { .. } | Self::TruId { ends: End::Nothing, .. } => check.result(),
            // `userinfo` repeats the login hint, which the phone could have changed.
            Self::Ipification { .. } if check.number != session.number => Err(REFUSED),
            Self::Vonage { .. } | Self::TruId { .. } | Self::Ipification { .. } => check.with_code(code),
        }
    }

    /// A new one, by its id.
    fn check(self, known: &mut Knowledge, asked: &AuthorizationRequest<'_>) -> String {
        let id = known.mint();
        let [number, redirect_uri, state] = [asked.number, asked.callback, asked.state].map(str::to_owned);
        let check = Check { provider: self, number, redirect_uri, state, sim: None, code: None };
        known.checks.insert(id.clone(), check);
        id
    }
}

impl Check {
    fn result(self) -> Result<bool, Refusal> {
        let sim = self.sim.ok_or(NO_VERDICT)?;
        Ok(sim == self.number)
    }

    fn with_code(self, code: Option<&str>) -> Result<bool, Refusal> {
        if code.is_some() && code == self.code.as_deref() { self.result() } else { Err(UNKNOWN_CODE) }
    }
}

type Parameters = Query<HashMap<String, String>>;

/// To the operator and back to `path` of this place, with a token for the SIM.
fn via_operator(world: &World, place: Place, path: &str) -> Response {
    let back = format!("{}{path}", world.https(place));
    let back: String = url::form_urlencoded::byte_serialize(back.as_bytes()).collect();
    found(&format!("{}/identify?back={back}", world.http(Place::Operator)))
}

pub(crate) fn operator(world: Arc<World>) -> Router {
    Router::new().route("/identify", get(identify)).with_state(world)
}

/// Where a network puts the subscriber's identity into the plain request.
async fn identify(
    State(world): State<Arc<World>>,
    Extension(Peer(peer)): Extension<Peer>,
    query: Parameters,
) -> Response {
    let Some(Ok(mut back)) = query.get("back").map(|back| Url::parse(back)) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let token = world.sim(peer).map_or_else(|| "unknown".to_owned(), |number| world.lock().grant(number));
    back.query_pairs_mut().append_pair("token", &token);
    found(back.as_str())
}

/// Notes the SIM that the phone brings from the operator, and makes a code for it.
fn arrive<'a>(known: &'a mut Knowledge, id: &str, query: &HashMap<String, String>) -> Option<&'a mut Check> {
    let sim = query.get("token").and_then(|token| known.redeem(token));
    let code = known.mint();
    let check = known.checks.get_mut(id)?;
    (check.sim, check.code) = (sim, Some(code));
    Some(check)
}

/// A problem document as Vonage and tru.ID have them: without a member `status`.
fn problem(status: StatusCode, kind: &str, title: &str, detail: &str) -> Response {
    let label = [(header::CONTENT_TYPE, "application/problem+json")];
    (status, label, Json(json!({ "type": kind, "title": title, "detail": detail }))).into_response()
}
