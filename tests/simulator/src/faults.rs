//! Faults: each makes one verification, or all of them, fail in a known way. The page and the
//! command line switch them on.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use url::{Url, form_urlencoded};
use uuid::Uuid;

/// The SIM of `Fault::WrongSim`: in no list of numbers to try.
const WRONG_SIM: &str = "+14155550142";

/// A fault of the network or of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The first response to the phone is delayed by 5 seconds
    SlowHop,
    /// Every connection of the phone to the operator's side is closed without a response
    Reset,
    /// The response that carries the code has another state
    WrongState,
    /// The auth server denies the request with access_denied
    Denied,
    /// The operator identifies the SIM of another subscriber
    WrongSim,
    /// The operator identifies no SIM, as on Wi-Fi
    NoSim,
}

/// The fault of new verifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// None by default.
    pub fault: Option<Fault>,
    /// Whether it is for all verifications, not only for the next one.
    #[serde(default)]
    pub repeat: bool,
}

tokio::task_local! {
    /// The fault of the request that is being handled.
    static CURRENT: Option<Fault>;
}

pub(crate) async fn with<T>(fault: Option<Fault>, handle: impl Future<Output = T>) -> T {
    CURRENT.scope(fault, handle).await
}

pub(crate) fn with_sync<T>(fault: Option<Fault>, handle: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(fault, handle)
}

pub(crate) fn current() -> Option<Fault> {
    CURRENT.try_with(|fault| *fault).unwrap_or_default()
}

/// The number that an operator identifies for this SIM.
pub(crate) fn identified(fault: Option<Fault>, number: String) -> Option<String> {
    match fault {
        Some(Fault::NoSim) => None,
        Some(Fault::WrongSim) => Some(WRONG_SIM.to_owned()),
        _ => Some(number),
    }
}

/// The redirect that denies an authorization request, if the request has a `redirect_uri`.
pub(crate) fn denial(query: &str) -> Option<String> {
    let parameter =
        |name: &str| form_urlencoded::parse(query.as_bytes()).find_map(|(key, value)| (key == name).then_some(value));
    let mut location = Url::parse(&parameter("redirect_uri")?).ok()?;
    let description = "Denied by a fault of the simulator.";
    location.query_pairs_mut().extend_pairs([("error", "access_denied"), ("error_description", description)]);
    if let Some(state) = parameter("state") {
        location.query_pairs_mut().append_pair("state", &state);
    }
    Some(location.into())
}

/// The same redirect with another `state`.
pub(crate) fn with_wrong_state(location: &str) -> Option<String> {
    let mut url = Url::parse(location).ok()?;
    let pairs: Vec<_> = url.query_pairs().into_owned().collect();
    url.query_pairs_mut().clear().extend_pairs(pairs.into_iter().map(|(name, value)| {
        let value = if name == "state" { wrong_state() } else { value };
        (name, value)
    }));
    Some(url.into())
}

pub(crate) fn wrong_state() -> String {
    Uuid::new_v4().simple().to_string()
}
