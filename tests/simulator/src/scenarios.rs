//! The scenarios that the library must handle: one entry per provider behaviour and operator quirk,
//! with the expected outcome. The tests of the command line and of Kotlin run all of them;
//! `docs/providers.md` lists them.

use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::providers::{self, Provider, glide};
use crate::world::Operator;
use crate::{quirks, verify};

/// A provider's behaviour or an operator's quirk. The simulator has a backend for each.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Also the name of its backend.
    pub name: String,
    /// How the code is delivered to the backend.
    pub delivery: Delivery,
    /// The expected outcome for each of these numbers. The simulator's SIM is +14155550100.
    pub outcomes: Vec<(String, Outcome)>,
    pub(crate) provider: Arc<dyn Provider>,
    /// The hints in its backend's start response.
    pub(crate) hints: Option<Value>,
}

/// The library's setting, in the terms of the command line.
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
    /// With this result.
    Verified(bool),
    /// With this error.
    Error(Failure),
}

/// An error, in the terms of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// Its kind.
    pub kind: &'static str,
    /// Its cause, if the kind has causes.
    pub cause: Option<&'static str>,
    /// What it reports about its peer.
    pub detail: Detail,
    /// The recommended action for the app.
    pub fallback: &'static str,
}

/// What an error reports about its peer.
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
        let quirks = quirks::all().map(|(name, own)| glide::scenario(name, Delivery::Relay, name, own));
        providers::ALL.into_iter().flat_map(|provider| (provider.scenarios)()).chain(quirks)
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        let operator =
            |operator: &Operator| glide::scenario(operator.name(), Delivery::Relay, operator.name(), VERIFIED);
        let mut operators = Operator::ALL.iter().map(operator);
        operators.find(|scenario| scenario.name == name).or_else(|| Self::all().find(|scenario| scenario.name == name))
    }

    /// If a flow returns a result for the SIM's number, it returns one for another number as well.
    pub(crate) fn new(name: &str, delivery: Delivery, provider: impl Provider, own: Outcome) -> Self {
        let other = (own == VERIFIED).then_some((OTHER.to_owned(), Outcome::Verified(false)));
        let outcomes = [(OWN.to_owned(), own)].into_iter().chain(other).collect();
        Self { name: name.to_owned(), delivery, outcomes, provider: Arc::new(provider), hints: quirks::hints(name) }
    }

    /// The same, but the phone is informed of a number mismatch.
    pub(crate) fn with_mismatch(self, other: Outcome) -> Self {
        let outcomes = vec![(OWN.to_owned(), VERIFIED), (OTHER.to_owned(), other)];
        Self { outcomes, ..self }
    }

    /// The same, with an error for each number that the verify API has one for.
    pub(crate) fn with_verify_errors(mut self) -> Self {
        self.outcomes.extend(verify::errors().into_iter().map(|(number, status, code)| {
            let outcome = match (status, code) {
                (429 | 500.., _) => backend_status(502, LATER),
                (400 | 401 | 404, _) | (403, "PERMISSION_DENIED") => backend_status(500, INTEGRATION),
                _ => backend_status(403, ANOTHER_CHANNEL),
            };
            (number, outcome)
        }));
        self
    }

    /// For a client in another program.
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
    /// As printed by the command line.
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

pub(crate) const OWN: &str = "+14155550100";
const OTHER: &str = "+14155550199";

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

pub(crate) const fn denied(detail: Detail, fallback: &'static str) -> Outcome {
    Outcome::Error(Failure { kind: "denied_by_operator", cause: None, detail, fallback })
}

pub(crate) const fn state_mismatch() -> Outcome {
    Outcome::Error(Failure { kind: "state_mismatch", cause: None, detail: Detail::None, fallback: ANOTHER_CHANNEL })
}

/// The operator denies with this error, and the app has nothing to correct.
pub(crate) const fn refused(error: &'static str) -> Outcome {
    denied(Detail::Error(error), ANOTHER_CHANNEL)
}

/// The same, but the app's developer must correct the integration.
pub(crate) const fn misused(error: &'static str) -> Outcome {
    denied(Detail::Error(error), INTEGRATION)
}

pub(crate) const fn backend_status(status: u16, fallback: &'static str) -> Outcome {
    let (cause, detail) = (Some("status"), Detail::Status(status));
    Outcome::Error(Failure { kind: "backend", cause, detail, fallback })
}
