//! What an app can branch on: what to do, and what failed.

use std::fmt;

use serde::{Deserialize, Serialize};

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
    /// The SIM that was asked for is not the one that the phone is set to use for mobile data.
    NotDataSim,
    /// A permission is missing.
    Permission,
    /// The app has too many pending network requests.
    TooManyRequests,
    /// The system refused a request that it should have taken, as Android 11 does now and then.
    SystemFault,
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

impl CellularCause {
    pub(super) fn fallback(self) -> Fallback {
        match self {
            Self::DataOff | Self::BlockedInBackground => Fallback::AskToEnableMobileData,
            Self::Permission => Fallback::FixIntegration,
            Self::TooManyRequests | Self::SystemFault => Fallback::RetryLater,
            Self::NoInterface
            | Self::InterfaceDown
            | Self::Vpn
            | Self::Airplane
            | Self::NoSim
            | Self::NotDataSim
            | Self::Timeout
            | Self::Unsupported => Fallback::UseAnotherChannel,
        }
    }
}

impl AuthorizationCause {
    /// What can be repeated was repeated by then, and a user at a sign-in screen does not wait.
    pub(crate) fn fallback(self, status: Option<u16>) -> Fallback {
        match self {
            Self::HttpStatus if status.is_some_and(is_temporary) => Fallback::RetryLater,
            Self::Dns
            | Self::Connect
            | Self::Tls
            | Self::Timeout
            | Self::Closed
            | Self::HttpStatus
            | Self::TooManyRedirects
            | Self::RedirectLoop
            | Self::ForbiddenRedirect
            | Self::BadLocation
            | Self::UnexpectedPage
            | Self::MalformedResponse
            | Self::TooLarge => Fallback::UseAnotherChannel,
        }
    }
}

/// Whether the status states a temporary condition: a timeout, a limit, or a server that fails or is overloaded (RFC 9110, section 15;
/// RFC 6585, section 4; RFC 8470, section 5.2). 501, 505, 511 and the other 5xx do not.
pub(crate) fn is_temporary(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502..=504)
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
