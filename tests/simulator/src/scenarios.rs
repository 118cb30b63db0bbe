//! What the library must cope with: a row for each provider's behaviour and each operator's habit, with the outcome that is right. The
//! command line's tests and Kotlin's run all rows; `docs/providers.md` tells where the behaviours come from.

use std::fmt;

use serde_json::{Value, json};

use crate::habits;
use crate::providers::{End, Provider, ipification, tru_id, vonage};
use crate::world::Operator;

/// A provider's behaviour or an operator's habit. A backend of the simulator verifies numbers so.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Of its backend too.
    pub name: &'static str,
    /// How the code gets to the backend.
    pub delivery: Delivery,
    /// How a flow ends for the SIM's own number.
    pub own: Outcome,
    /// And for another one, where that makes a difference.
    pub other: Option<Outcome>,
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
    pub fn to_json(self, backend: &str) -> Value {
        let runs = [("own", Some(self.own)), ("other", self.other)];
        let outcomes = runs.into_iter().filter_map(|(number, outcome)| {
            let outcome = match outcome? {
                Outcome::Verified(verified) => json!({ "verified": verified }),
                Outcome::Error(kind, cause, fallback) => json!({ "kind": kind, "cause": cause, "fallback": fallback }),
            };
            Some((number.to_owned(), outcome))
        });
        let outcomes: Value = outcomes.collect();
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

pub(crate) const fn authorization(cause: &'static str, fallback: &'static str) -> Outcome {
    Outcome::Error("authorization", Some(cause), fallback)
}

const DENIED: Outcome = Outcome::Error("denied_by_operator", None, ANOTHER_CHANNEL);
const MISCONFIGURED: Outcome = Outcome::Error("denied_by_operator", None, "fix_integration");

/// Whoever gives a verdict for the SIM's number gives one for another number.
fn scenario(name: &'static str, delivery: Delivery, provider: Provider, own: Outcome) -> Scenario {
    let other = (own == VERIFIED).then_some(Outcome::Verified(false));
    Scenario { name, delivery, own, other, provider }
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
    let http_status = authorization("http_status", ANOTHER_CHANNEL);
    let refused_by_backend = Outcome::Error("backend", Some("status"), ANOTHER_CHANNEL);
    vec![
        glide("glide", Relay, "a", VERIFIED),
        glide("glide-follow-through", FollowThrough, "a", VERIFIED),
        scenario("glide-dev-print", Relay, Provider::Glide { operator: "a", ends: End::Json }, VERIFIED),
        glide("glide-header-enrichment", Relay, "b", VERIFIED),
        glide("glide-long-chain", Relay, "c", VERIFIED),
        // Vonage tells the phone that the number is another one.
        Scenario { other: Some(http_status), ..vonage("vonage", End::Json, None, VERIFIED) },
        Scenario { other: Some(DENIED), ..vonage("vonage-redirect", End::Redirect, None, VERIFIED) },
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
    ]
}
