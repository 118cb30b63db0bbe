//! What the library must cope with: a row for each provider's behaviour and each operator's habit, with the outcome that is right. The
//! command line's tests and Kotlin's run all rows; `docs/providers.md` tells where the behaviours come from.

use std::fmt;

use serde_json::{Value, json};

use crate::habits;
use crate::providers::camara::Wanted;
use crate::providers::{End, Provider, ipification, tru_id, vonage};
use crate::verify;
use crate::world::Operator;

/// A provider's behaviour or an operator's habit. A backend of the simulator verifies numbers so.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Of its backend too.
    pub name: &'static str,
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
    /// With an error of this kind and cause, and advice to the app.
    Error(&'static str, Option<&'static str>, &'static str),
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
        let outcome = |outcome: &Outcome| match *outcome {
            Outcome::Verified(verified) => json!({ "verified": verified }),
            Outcome::Error(kind, cause, fallback) => json!({ "kind": kind, "cause": cause, "fallback": fallback }),
        };
        let outcomes: Value = self.outcomes.iter().map(|(number, it)| (number.clone(), outcome(it))).collect();
        json!({ "name": self.name, "backend": backend, "delivery": self.delivery.to_string(), "outcomes": outcomes })
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
    Outcome::Error("authorization", Some(cause), fallback)
}

const DENIED: Outcome = Outcome::Error("denied_by_operator", None, ANOTHER_CHANNEL);
const MISCONFIGURED: Outcome = Outcome::Error("denied_by_operator", None, INTEGRATION);

const OWN: &str = "+14155550100";
const OTHER: &str = "+14155550199";

/// Whoever gives a verdict for the SIM's number gives one for another number.
fn scenario(name: &'static str, delivery: Delivery, provider: Provider, own: Outcome) -> Scenario {
    let other = (own == VERIFIED).then_some((OTHER.to_owned(), Outcome::Verified(false)));
    Scenario { name, delivery, outcomes: [(OWN.to_owned(), own)].into_iter().chain(other).collect(), provider }
}

/// The same, but the phone is told that the number is another one.
fn telling(scenario: Scenario, other: Outcome) -> Scenario {
    let outcomes = vec![(OWN.to_owned(), VERIFIED), (OTHER.to_owned(), other)];
    Scenario { outcomes, ..scenario }
}

/// The same, and an error for each number that the verify API has one for.
fn with_verify_errors(mut scenario: Scenario) -> Scenario {
    scenario.outcomes.extend(verify::errors().into_iter().map(|(number, status, code)| {
        let fallback = match (status, code) {
            (429 | 500.., _) => LATER,
            (400 | 401 | 404, _) | (403, "PERMISSION_DENIED") => INTEGRATION,
            _ => ANOTHER_CHANNEL,
        };
        (number, Outcome::Error("backend", Some("status"), fallback))
    }));
    scenario
}

fn glide(name: &'static str, delivery: Delivery, operator: &'static str, own: Outcome) -> Scenario {
    scenario(name, delivery, Provider::Glide { operator, ends: End::Redirect }, own)
}

fn providers() -> Vec<Scenario> {
    use Delivery::{FollowThrough, None as NoCode, Relay};
    let vonage = |name, ends, fails, own| scenario(name, Relay, Provider::Vonage { ends, fails }, own);
    let tru_id = |name, delivery, ends, fails, own| scenario(name, delivery, Provider::TruId { ends, fails }, own);
    let twilio =
        |name, carrier_is_supported, own| scenario(name, NoCode, Provider::Twilio { carrier_is_supported }, own);
    let ipification = |name, fails, own| scenario(name, Relay, Provider::Ipification { fails }, own);
    let camara = |name, wanted, own| scenario(name, Relay, Provider::Camara { wanted }, own);
    let camara_error = |(name, error, fallback)| {
        camara(name, Wanted::Error(error), Outcome::Error("denied_by_operator", None, fallback))
    };
    let http_status = authorization("http_status", ANOTHER_CHANNEL);
    let refused_by_backend = Outcome::Error("backend", Some("status"), ANOTHER_CHANNEL);
    let mut all = vec![
        with_verify_errors(glide("glide", Relay, "a", VERIFIED)),
        glide("glide-follow-through", FollowThrough, "a", VERIFIED),
        scenario("glide-dev-print", Relay, Provider::Glide { operator: "a", ends: End::Json }, VERIFIED),
        glide("glide-header-enrichment", Relay, "b", VERIFIED),
        glide("glide-long-chain", Relay, "c", VERIFIED),
        telling(vonage("vonage", End::Json, None, VERIFIED), http_status),
        telling(vonage("vonage-redirect", End::Redirect, None, VERIFIED), DENIED),
        vonage("vonage-unsupported-network", End::Json, Some(vonage::Failure::NetworkNotSupported), http_status),
        vonage(
            "vonage-redirect-unsupported-network",
            End::Redirect,
            Some(vonage::Failure::NetworkNotSupported),
            DENIED,
        ),
        tru_id("tru-id", Relay, End::Json, None, VERIFIED),
        tru_id("tru-id-redirect", Relay, End::Redirect, None, VERIFIED),
        tru_id("tru-id-follow-through", FollowThrough, End::Redirect, None, VERIFIED),
        tru_id("tru-id-v0.1", NoCode, End::Nothing, None, VERIFIED),
        tru_id("tru-id-unsupported-operator", Relay, End::Json, Some(tru_id::Failure::RedirectUnsupported), DENIED),
        tru_id(
            "tru-id-redirect-unsupported-operator",
            Relay,
            End::Redirect,
            Some(tru_id::Failure::RedirectUnsupported),
            DENIED,
        ),
        tru_id("tru-id-not-mobile-ip", Relay, End::Json, Some(tru_id::Failure::NotMobileIp), http_status),
        twilio("twilio", true, VERIFIED),
        twilio("twilio-unsupported-carrier", false, refused_by_backend),
        ipification("ipification", None, VERIFIED),
        ipification("ipification-denied", Some(ipification::Failure::Denied), DENIED),
        ipification("ipification-bad-request", Some(ipification::Failure::BadRequest), MISCONFIGURED),
        with_verify_errors(camara("camara", Wanted::Code, VERIFIED)),
        scenario("camara-follow-through", FollowThrough, Provider::Camara { wanted: Wanted::Code }, VERIFIED),
        camara("camara-unknown-client", Wanted::UnknownClient, MISCONFIGURED),
    ];
    all.extend(CAMARA_ERRORS.map(camara_error));
    all
}

/// What CAMARA's authorization endpoint may answer, and what the app should do.
const CAMARA_ERRORS: [(&str, &str, &str); 13] = [
    ("camara-access-denied", "access_denied", ANOTHER_CHANNEL),
    ("camara-consent-required", "consent_required", ANOTHER_CHANNEL),
    ("camara-interaction-required", "interaction_required", ANOTHER_CHANNEL),
    ("camara-login-required", "login_required", ANOTHER_CHANNEL),
    ("camara-account-selection-required", "account_selection_required", ANOTHER_CHANNEL),
    ("camara-invalid-request", "invalid_request", INTEGRATION),
    ("camara-invalid-request-object", "invalid_request_object", INTEGRATION),
    ("camara-invalid-scope", "invalid_scope", INTEGRATION),
    ("camara-request-uri-not-supported", "request_uri_not_supported", INTEGRATION),
    ("camara-unauthorized-client", "unauthorized_client", INTEGRATION),
    ("camara-unsupported-response-type", "unsupported_response_type", INTEGRATION),
    ("camara-server-error", "server_error", LATER),
    ("camara-temporarily-unavailable", "temporarily_unavailable", LATER),
];
