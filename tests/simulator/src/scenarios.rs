//! What the library must cope with: a row for each provider's behaviour and each operator's habit, with the outcome that is right. The
//! command line's tests and Kotlin's run all rows; `docs/providers.md` has them too.

use std::fmt;

use serde_json::{Value, json};

use crate::providers::camara::AuthorizationAnswer;
use crate::providers::{End, Provider, ipification, tru_id, vonage};
use crate::world::Operator;
use crate::{camara, habits, verify};

/// A provider's behaviour or an operator's habit. A backend of the simulator verifies numbers so.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Of its backend too.
    pub name: String,
    /// How the code gets to the backend.
    pub delivery: Delivery,
    /// How a flow ends for these numbers. The simulator's SIM is +14155550100.
    pub outcomes: Vec<(String, Outcome)>,
    pub(crate) provider: Provider,
}

/// The library's setting, in the command line's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The phone posts the code.
    Relay,
    /// The phone fetches the backend's callback.
    FollowThrough,
    /// There is no code.
    None,
}

/// How a flow ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With this verdict.
    Verified(bool),
    /// With this error.
    Error(Failure),
}

/// An error, in the command line's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// Its kind.
    pub kind: &'static str,
    /// Its cause, where the kind has causes.
    pub cause: Option<&'static str>,
    /// What it tells of its peer.
    pub detail: Detail,
    /// What the app should do.
    pub fallback: &'static str,
}

/// What an error tells of its peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Nothing.
    None,
    /// An HTTP status.
    Status(u16),
    /// An error code.
    Error(&'static str),
}

impl Scenario {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        providers().into_iter().chain(habits::all().map(|(name, own)| glide(name, Delivery::Relay, name, own)))
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        let operator = |operator: &Operator| glide(operator.name(), Delivery::Relay, operator.name(), VERIFIED);
        let mut operators = Operator::ALL.iter().map(operator);
        operators.find(|scenario| scenario.name == name).or_else(|| Self::all().find(|scenario| scenario.name == name))
    }

    /// For a client that is another program.
    #[must_use]
    pub fn to_json(&self, backend: &str) -> Value {
        let outcomes: Value = self.outcomes.iter().map(|(number, it)| (number.clone(), it.to_json())).collect();
        json!({ "name": self.name, "backend": backend, "delivery": self.delivery.to_string(), "outcomes": outcomes })
    }
}

impl Outcome {
    fn to_json(self) -> Value {
        match self {
            Self::Verified(verified) => json!({ "verified": verified }),
            Self::Error(Failure { kind, cause, detail, fallback }) => {
                json!({ "kind": kind, "cause": cause, "detail": detail.to_json(), "fallback": fallback })
            }
        }
    }
}

impl Detail {
    /// As the command line prints it.
    #[must_use]
    pub fn to_json(self) -> Value {
        match self {
            Self::None => json!({}),
            Self::Status(status) => json!({ "status": status }),
            Self::Error(error) => json!({ "error": error }),
        }
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Relay => "relay",
            Self::FollowThrough => "follow-through",
            Self::None => "none",
        })
    }
}

pub(crate) const VERIFIED: Outcome = Outcome::Verified(true);
pub(crate) const ANOTHER_CHANNEL: &str = "use_another_channel";
pub(crate) const LATER: &str = "retry_later";
pub(crate) const INTEGRATION: &str = "fix_integration";

pub(crate) const fn authorization(cause: &'static str, fallback: &'static str) -> Outcome {
    let cause = Some(cause);
    Outcome::Error(Failure { kind: "authorization", cause, detail: Detail::None, fallback })
}

pub(crate) const fn http_status(status: u16, fallback: &'static str) -> Outcome {
    let (cause, detail) = (Some("http_status"), Detail::Status(status));
    Outcome::Error(Failure { kind: "authorization", cause, detail, fallback })
}

const fn denied(detail: Detail, fallback: &'static str) -> Outcome {
    Outcome::Error(Failure { kind: "denied_by_operator", cause: None, detail, fallback })
}

const fn backend_status(status: u16, fallback: &'static str) -> Outcome {
    let (cause, detail) = (Some("status"), Detail::Status(status));
    Outcome::Error(Failure { kind: "backend", cause, detail, fallback })
}

const OWN: &str = "+14155550100";
const OTHER: &str = "+14155550199";

/// Whoever gives a verdict for the SIM's number gives one for another number.
fn scenario(name: &str, delivery: Delivery, provider: Provider, own: Outcome) -> Scenario {
    let other = (own == VERIFIED).then_some((OTHER.to_owned(), Outcome::Verified(false)));
    let outcomes = [(OWN.to_owned(), own)].into_iter().chain(other).collect();
    Scenario { name: name.to_owned(), delivery, outcomes, provider }
}

/// The same, but the phone is told that the number is another one.
fn with_mismatch_told(scenario: Scenario, other: Outcome) -> Scenario {
    let outcomes = vec![(OWN.to_owned(), VERIFIED), (OTHER.to_owned(), other)];
    Scenario { outcomes, ..scenario }
}

/// The same, and an error for each number that the verify API has one for.
fn with_verify_errors(mut scenario: Scenario) -> Scenario {
    scenario.outcomes.extend(verify::errors().into_iter().map(|(number, status, code)| {
        let outcome = match (status, code) {
            (429 | 500.., _) => backend_status(502, LATER),
            (400 | 401 | 404, _) | (403, "PERMISSION_DENIED") => backend_status(500, INTEGRATION),
            _ => backend_status(403, ANOTHER_CHANNEL),
        };
        (number, outcome)
    }));
    scenario
}

fn glide(name: &str, delivery: Delivery, operator: &'static str, own: Outcome) -> Scenario {
    scenario(name, delivery, Provider::Glide { operator, ends: End::Redirect }, own)
}

fn camara(name: &str, delivery: Delivery, answer: AuthorizationAnswer, own: Outcome) -> Scenario {
    scenario(name, delivery, Provider::Camara { answer }, own)
}

fn providers() -> Vec<Scenario> {
    use AuthorizationAnswer::{Code, Error, UnknownClient};
    use Delivery::{FollowThrough, None as NoCode, Relay};
    use ipification::Failure::{BadRequest, Denied};
    use tru_id::Failure::{NotMobileIp, RedirectUnsupported};
    use vonage::Failure::NetworkNotSupported;

    let vonage = |name, ends, fails, own| scenario(name, Relay, Provider::Vonage { ends, fails }, own);
    let tru_id = |name, delivery, ends, fails, own| scenario(name, delivery, Provider::TruId { ends, fails }, own);
    let twilio = |name, carrier_is_supported, own| {
        let provider = Provider::Twilio { carrier_is_supported };
        scenario(name, NoCode, provider, own)
    };
    let ipification = |name, fails, own| scenario(name, Relay, Provider::Ipification { fails }, own);
    let camara_error = |(error, fallback): (&'static str, _)| {
        let name = format!("camara-{}", error.replace('_', "-"));
        camara(&name, Relay, Error(error), denied(Detail::Error(error), fallback))
    };
    let refused = |error| denied(Detail::Error(error), ANOTHER_CHANNEL);
    let misused = |error| denied(Detail::Error(error), INTEGRATION);
    let described = denied(Detail::None, ANOTHER_CHANNEL);
    let mno = refused("mno_redirect_unsupported");
    let mut all = vec![
        with_verify_errors(glide("glide", Relay, "a", VERIFIED)),
        glide("glide-follow-through", FollowThrough, "a", VERIFIED),
        scenario("glide-dev-print", Relay, Provider::Glide { operator: "a", ends: End::Json }, VERIFIED),
        glide("glide-header-enrichment", Relay, "b", VERIFIED),
        glide("glide-long-chain", Relay, "c", VERIFIED),
        with_verify_errors(camara("camara", Relay, Code, VERIFIED)),
        camara("camara-follow-through", FollowThrough, Code, VERIFIED),
        camara("camara-follow-through-denied", FollowThrough, Error("access_denied"), refused("access_denied")),
        camara("camara-unknown-client", Relay, UnknownClient, misused("unauthorized_client")),
        with_mismatch_told(vonage("vonage", End::Json, None, VERIFIED), http_status(409, ANOTHER_CHANNEL)),
        with_mismatch_told(vonage("vonage-redirect", End::Redirect, None, VERIFIED), described),
        vonage("vonage-unsupported", End::Json, Some(NetworkNotSupported), http_status(412, ANOTHER_CHANNEL)),
        vonage("vonage-redirect-unsupported", End::Redirect, Some(NetworkNotSupported), described),
        tru_id("tru-id", Relay, End::Json, None, VERIFIED),
        tru_id("tru-id-redirect", Relay, End::Redirect, None, VERIFIED),
        tru_id("tru-id-follow-through", FollowThrough, End::Redirect, None, VERIFIED),
        tru_id("tru-id-v0.1", NoCode, End::Nothing, None, VERIFIED),
        tru_id("tru-id-unsupported", Relay, End::Json, Some(RedirectUnsupported), mno),
        tru_id("tru-id-redirect-unsupported", Relay, End::Redirect, Some(RedirectUnsupported), mno),
        tru_id("tru-id-follow-through-unsupported", FollowThrough, End::Redirect, Some(RedirectUnsupported), mno),
        tru_id("tru-id-not-mobile-ip", Relay, End::Json, Some(NotMobileIp), http_status(412, ANOTHER_CHANNEL)),
        twilio("twilio", true, VERIFIED),
        twilio("twilio-unsupported-carrier", false, backend_status(403, ANOTHER_CHANNEL)),
        ipification("ipification", None, VERIFIED),
        ipification("ipification-denied", Some(Denied), refused("access_denied")),
        ipification("ipification-bad-request", Some(BadRequest), misused("invalid_request")),
    ];
    all.extend(camara::ERRORS.map(camara_error));
    all
}
