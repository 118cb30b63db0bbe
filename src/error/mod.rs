//! What can go wrong in a flow, one variant for each thing that a caller can act on.
//!
//! The stages of the flow (`authorization`, `transport`, `backend`) have small errors of their own without free text;
//! `flow.rs` narrows them to these. No variant holds a code, a number, a cookie, or text of a peer in a printable form.

mod json;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::progress::Step;
use crate::secret::{ExposeSecret, SecretString};

/// Why a phone number could not be verified.
///
/// "Not verified" is not an error: it is a [`Verification`](crate::Verification) whose verdict is no.
#[derive(Debug, Clone, thiserror::Error, uniffi::Error)]
#[uniffi(name = "CoreError")] // Here, since uniffi.toml does not rename what constructors throw (uniffi 0.32).
#[non_exhaustive]
pub enum VerifyError {
    /// The phone number is not in E.164 form: a plus sign, then 5 to 15 digits of which the first is not zero.
    /// Spaces, hyphens, dots and parentheses are allowed between them. Nothing was sent.
    #[error(
        "the phone number is not in E.164 form: a plus sign and 5 to 15 digits that do not begin with 0, such as +14155550100"
    )]
    InvalidPhoneNumber,
    /// A setting has a value that cannot work. Nothing was sent.
    #[error("the setting {setting} cannot be used: {}", config_advice(setting))]
    InvalidConfig {
        /// The setting, by its name in the configuration.
        setting: String,
    },
    /// The cellular network could not be used.
    #[error("the cellular network cannot be used: {}", reason.advice())]
    CellularUnavailable {
        /// Why.
        reason: CellularCause,
    },
    /// A call to the app's own backend failed.
    #[error("the backend's answer to {step} cannot be used: {reason}{}", status_text(*status))]
    Backend {
        /// The call: start or complete.
        step: Step,
        /// What failed.
        reason: BackendCause,
        /// The HTTP status, where there was an answer.
        status: Option<u16>,
        /// Seconds to wait before another attempt, where the backend said so.
        retry_after_s: Option<u32>,
        /// What to do; the backend's own advice where it gave one.
        advice: Fallback,
    },
    /// The operator's side of the flow failed, on the cellular network.
    #[error("authorization failed at hop {hop}, host {host}: {reason}{}", status_text(*status))]
    Authorization {
        /// The request that failed, counted from 1.
        hop: u32,
        /// The host that it was sent to.
        host: String,
        /// What failed.
        reason: AuthorizationCause,
        /// The HTTP status, where it is the reason.
        status: Option<u16>,
        /// The TLS alert that the server sent (RFC 8446, section 6), where it is the reason.
        alert: Option<String>,
        /// What to do.
        advice: Fallback,
    },
    /// The operator refused (RFC 6749, section 4.1.2.1, or a CAMARA error).
    #[error("the operator refused the authorization{}", denial_text(error.as_ref()))]
    DeniedByOperator {
        /// The error code, such as `access_denied`; absent where it was not a plain code.
        error: Option<String>,
        /// What the operator said about it, if anything.
        description: Option<Arc<OperatorMessage>>,
        /// The request that brought the refusal, counted from 1.
        hop: u32,
        /// The host that it was sent to.
        host: String,
    },
    /// The answer carries another `state` than the request (RFC 6749, section 10.12): it belongs to another flow.
    #[error("the answer's state is not the one of this flow")]
    StateMismatch {
        /// The request that brought the answer, counted from 1.
        hop: u32,
        /// The host that it was sent to.
        host: String,
    },
    /// The time for the whole flow is over.
    #[error("the deadline passed during {step}")]
    DeadlineExceeded {
        /// The step that was running.
        step: Step,
    },
    /// The app cancelled the flow.
    #[error("cancelled")]
    Cancelled,
    /// The library failed: a fault in it or in the app's own Rust code (a panic), or the system refused it a thread. Please report it.
    #[error("internal error")]
    Internal,
}

/// What the app should do after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, uniffi::Enum)]
#[serde(rename_all = "snake_case")]
pub enum Fallback {
    /// Verify the number in another way, such as a code by SMS: repeating will not help.
    UseAnotherChannel,
    /// The same call may succeed later.
    RetryLater,
    /// Ask the user to turn on mobile data (for this app), then repeat.
    AskToEnableMobileData,
    /// The app, its settings or its backend have to be corrected.
    FixIntegration,
}

/// Why the cellular network cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, uniffi::Enum)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CellularCause {
    /// There is no such interface, or the phone has no cellular radio.
    NoInterface,
    /// The interface is down, or went down.
    InterfaceDown,
    /// A VPN takes the app's traffic and does not let it around.
    Vpn,
    /// The system blocks the app's traffic in the background.
    BlockedInBackground,
    /// Mobile data is off, for the phone or for this app.
    DataOff,
    /// Airplane mode is on.
    Airplane,
    /// There is no usable SIM.
    NoSim,
    /// A permission is missing.
    Permission,
    /// The app has too many pending network requests.
    TooManyRequests,
    /// The network did not come up in time.
    Timeout,
    /// This system or device cannot send over a chosen network.
    Unsupported,
}

/// What failed in a call to the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, uniffi::Enum)]
#[serde(rename_all = "snake_case")]
pub enum BackendCause {
    /// No connection, or it broke.
    Unreachable,
    /// TLS failed, such as a certificate that is not trusted.
    Tls,
    /// No answer in time.
    Timeout,
    /// The HTTP status says no.
    Status,
    /// The answer does not follow the contract.
    MalformedAnswer,
    /// The app's own backend implementation failed with an unexpected exception.
    AppFailed,
}

/// What failed on the operator's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, uniffi::Enum)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuthorizationCause {
    /// The host name could not be resolved over the cellular network.
    Dns,
    /// No address accepted a connection.
    Connect,
    /// TLS failed: the certificate is not trusted, or the handshake broke.
    Tls,
    /// No connection or no answer in time.
    Timeout,
    /// The connection ended before the answer was complete.
    Closed,
    /// An HTTP status that ends the flow.
    HttpStatus,
    /// More redirects than allowed.
    TooManyRedirects,
    /// The same request was asked for again.
    RedirectLoop,
    /// A redirect to a place where a flow must not go.
    ForbiddenRedirect,
    /// A redirect without a usable Location.
    BadLocation,
    /// A page instead of a code: the operator wants to talk to a person.
    UnexpectedPage,
    /// An answer that breaks the protocol.
    MalformedResponse,
    /// Headers or body beyond 64 KiB.
    TooLarge,
}

/// The operator's text about a refusal, at most 200 characters, absent if it contains the phone number or another secret
/// of the flow. For diagnostics only: never part of `Debug` output or logs.
#[derive(uniffi::Object)]
pub struct OperatorMessage(SecretString);

#[uniffi::export]
impl OperatorMessage {
    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.expose_secret().to_owned()
    }
}

impl OperatorMessage {
    pub(crate) fn new(text: SecretString) -> Arc<Self> {
        Arc::new(Self(text))
    }
}

impl fmt::Debug for OperatorMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperatorMessage(…)")
    }
}

impl VerifyError {
    pub(crate) fn invalid_config(setting: &str) -> Self {
        Self::InvalidConfig { setting: setting.to_owned() }
    }
}

#[uniffi::export(name = "CoreError")]
impl VerifyError {
    /// What the app should do.
    #[must_use]
    pub fn fallback(&self) -> Fallback {
        match self {
            Self::InvalidPhoneNumber | Self::InvalidConfig { .. } => Fallback::FixIntegration,
            Self::CellularUnavailable { reason } => reason.fallback(),
            Self::Backend { advice, .. } | Self::Authorization { advice, .. } => *advice,
            Self::DeniedByOperator { error, .. } => denial_fallback(error.as_deref()),
            Self::StateMismatch { .. } | Self::Internal => Fallback::UseAnotherChannel,
            Self::DeadlineExceeded { .. } | Self::Cancelled => Fallback::RetryLater,
        }
    }

    /// The error as a JSON object: `kind step cause hop host message fallback detail`, for logs and support.
    /// Holds no code, number, cookie, query or text of a peer.
    #[must_use]
    pub fn to_json(&self) -> String {
        json::of(self).to_string()
    }
}

impl CellularCause {
    fn fallback(self) -> Fallback {
        match self {
            Self::DataOff | Self::BlockedInBackground => Fallback::AskToEnableMobileData,
            Self::Permission => Fallback::FixIntegration,
            Self::TooManyRequests => Fallback::RetryLater,
            Self::NoInterface
            | Self::InterfaceDown
            | Self::Vpn
            | Self::Airplane
            | Self::NoSim
            | Self::Timeout
            | Self::Unsupported => Fallback::UseAnotherChannel,
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::NoInterface => "there is no such interface",
            Self::InterfaceDown => "its interface is down",
            Self::Vpn => "a VPN takes the app's traffic",
            Self::BlockedInBackground => "the system blocks the app's traffic in the background",
            Self::DataOff => "mobile data is off",
            Self::Airplane => "airplane mode is on",
            Self::NoSim => "there is no usable SIM",
            Self::Permission => "a permission is missing",
            Self::TooManyRequests => "the app has too many pending network requests",
            Self::Timeout => "it did not come up in time",
            Self::Unsupported => "this system cannot bind a connection to a network",
        }
    }
}

impl AuthorizationCause {
    /// Most operators' troubles pass by another channel; a timeout or a broken connection may pass by itself.
    pub(crate) fn fallback(self, status: Option<u16>) -> Fallback {
        match self {
            Self::Dns | Self::Connect | Self::Timeout | Self::Closed => Fallback::RetryLater,
            Self::HttpStatus if status.is_some_and(|s| s == 429 || s >= 500) => Fallback::RetryLater,
            _ => Fallback::UseAnotherChannel,
        }
    }
}

/// RFC 6749, section 4.1.2.1, OpenID Connect Core, section 3.1.2.6, and RFC 9126: who can do something about the refusal.
fn denial_fallback(error: Option<&str>) -> Fallback {
    match error {
        Some("server_error" | "temporarily_unavailable") => Fallback::RetryLater,
        Some("unauthorized_client" | "request_not_supported" | "request_uri_not_supported") => Fallback::FixIntegration,
        Some(code) if code.starts_with("invalid_") || code.starts_with("unsupported_") => Fallback::FixIntegration,
        _ => Fallback::UseAnotherChannel,
    }
}

fn status_text(status: Option<u16>) -> String {
    status.map(|status| format!(", HTTP status {status}")).unwrap_or_default()
}

fn denial_text(error: Option<&String>) -> String {
    error.map(|error| format!(": {error}")).unwrap_or_default()
}

fn config_advice(setting: &str) -> &'static str {
    match setting {
        "backend_url" => "it must be an https URL without user name, query or fragment (http only to loopback)",
        "dns_servers" => "no name server is known for this network; give one (--dns on the command line)",
        "allow_unbound" => "an unbound network is for development only and must be allowed there",
        "server_trust" => "Android is asked for its trust through the app: pass one",
        "root_certificates" => "it must hold certificates in PEM form, and the system must have trusted ones",
        "headers" | "operator_headers" => {
            "names must be HTTP tokens, values printable; headers that the client itself sets are refused"
        }
        _ => "see its documentation for the allowed values",
    }
}

/// The names of the variants in JSON, in snake case, are their printed form too.
impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for BackendCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for AuthorizationCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
