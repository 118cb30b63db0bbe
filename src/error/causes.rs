//! Values to branch on: the recommended action, and what failed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the app should do after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, uniffi::Enum)]
#[serde(rename_all = "snake_case")]
pub enum Fallback {
    /// Verify the number in another way, such as an SMS code: retrying will not help.
    UseAnotherChannel,
    /// The same call may succeed later.
    RetryLater,
    /// Ask the user to turn on mobile data (for this app), then retry.
    AskToEnableMobileData,
    /// The app, its settings or its backend must be corrected.
    FixIntegration,
}

/// Why the cellular network cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, uniffi::Enum)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CellularCause {
    /// The interface does not exist, or the phone has no cellular radio.
    NoInterface,
    /// The interface is down, or went down.
    InterfaceDown,
    /// A VPN captures the app's traffic and cannot be bypassed.
    Vpn,
    /// The system blocks the app's traffic in the background.
    BlockedInBackground,
    /// Mobile data is off, for the phone or for this app.
    DataOff,
    /// Airplane mode is on.
    Airplane,
    /// There is no usable SIM.
    NoSim,
    /// The requested SIM is not the one set for mobile data.
    NotDataSim,
    /// A permission is missing.
    Permission,
    /// The app has too many pending network requests.
    TooManyRequests,
    /// The system rejected a valid request, as Android 11 does occasionally.
    SystemFault,
    /// The network did not become available in time.
    Timeout,
    /// This system or device does not support per-network sockets.
    Unsupported,
}

/// What failed in a call to the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, uniffi::Enum)]
#[serde(rename_all = "snake_case")]
pub enum BackendCause {
    /// The connection failed or was interrupted.
    Unreachable,
    /// TLS failed, for example because of an untrusted certificate.
    Tls,
    /// No response in time.
    Timeout,
    /// The backend returned an HTTP error status.
    Status,
    /// The response does not follow the contract.
    MalformedAnswer,
    /// The app's backend implementation failed with an unexpected exception.
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
    /// TLS failed: the certificate is not trusted, or the handshake failed.
    Tls,
    /// No connection or no response in time.
    Timeout,
    /// The connection was closed before the response was complete.
    Closed,
    /// An HTTP status that ends the verification.
    HttpStatus,
    /// More redirects than allowed.
    TooManyRedirects,
    /// A redirect to a request that was already sent.
    RedirectLoop,
    /// A redirect to a disallowed URL.
    ForbiddenRedirect,
    /// A redirect without a usable Location.
    BadLocation,
    /// A page or another response without a code: the operator may require user interaction.
    UnexpectedPage,
    /// A malformed response.
    MalformedResponse,
    /// Headers or body larger than 64 KiB.
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
    /// All permitted retries were made by then, and a user at a sign-in screen does not wait.
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

/// Whether the status is temporary: a timeout, a rate limit, or a server that fails or is
/// overloaded (RFC 9110, section 15; RFC 6585, section 4; RFC 8470, section 5.2). 501, 505, 511 and
/// the other 5xx are not.
pub(crate) fn is_temporary(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502..=504)
}

/// `Display` writes the JSON name of the variant, in snake case.
impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for CellularCause {
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
