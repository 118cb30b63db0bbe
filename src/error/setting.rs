//! The settings that can be invalid, and the rule of each.

use std::fmt;

use serde::Serialize;

/// Identifies a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, uniffi::Enum)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Setting {
    /// The base URL of the backend.
    BackendUrl,
    /// The app's backend client, which is required in a build without an HTTP client.
    Backend,
    /// The path of `start`.
    StartPath,
    /// The path of `complete`.
    CompletePath,
    /// The path of `abort`.
    AbortPath,
    /// Headers for the backend.
    Headers,
    /// Additional members of the start request.
    StartFields,
    /// The correlator of one verification.
    Correlator,
    /// Headers for the operator's side.
    OperatorHeaders,
    /// Hints for the operator's hosts.
    Hints,
    /// JSON field names of the backend.
    FieldNames,
    /// The redirect URI.
    RedirectUri,
    /// The origin of the auth URL.
    AuthOrigin,
    /// The overall deadline.
    OverallMs,
    /// The timeout of acquiring the network.
    AcquireMs,
    /// The timeout of connecting to one host.
    ConnectMs,
    /// The timeout of one response.
    AnswerMs,
    /// The timeout of one call to the backend.
    BackendMs,
    /// When a verification is reported as slow.
    SlowAfterMs,
    /// The redirect limit.
    RedirectLimit,
    /// The `User-Agent`.
    UserAgent,
    /// Whether an unbound network is allowed for development.
    AllowUnbound,
    /// Root certificates for development.
    RootCertificates,
    /// Fixed addresses for development.
    Resolve,
    /// DNS servers for development.
    DnsServers,
    /// The app's server certificate validation.
    ServerTrust,
}

impl Setting {
    /// The rule that its value must meet.
    pub(super) fn rule(self) -> &'static str {
        match self {
            Self::BackendUrl => "it must be an https URL without userinfo, query or fragment (http only to loopback)",
            Self::Backend => "this build of the library has no HTTP client, so pass a Backend",
            Self::StartPath | Self::CompletePath | Self::AbortPath => "it must stay under the backend's base URL",
            Self::Headers | Self::OperatorHeaders => {
                "names must be HTTP tokens, values printable ASCII, and headers that the client sets itself are rejected"
            }
            Self::StartFields => {
                "at most 16 with 16 KiB in all, each with a JSON value and a distinct name of 1 to 64 characters that the contract does not use"
            }
            Self::Correlator => {
                "it must be 1 to 256 of the characters A-Z a-z 0-9 - _ : ; . / < > { }, without the phone number or another secret"
            }
            Self::Hints => {
                "at most 16, each with a host name (or *. and a name), headers that a hint may set, ipv4 or ipv6, TLS 1.2 or 1.3"
            }
            Self::FieldNames => {
                "the names of one request or response must differ, also from other names of the contract, and none may be empty"
            }
            Self::AuthOrigin => "it must be https and a host, with or without a port, and nothing else",
            Self::RedirectUri => "it must be an absolute URI with an ASCII host",
            Self::OverallMs
            | Self::AcquireMs
            | Self::ConnectMs
            | Self::AnswerMs
            | Self::BackendMs
            | Self::SlowAfterMs => "it must be 1 to 86400000 milliseconds",
            Self::RedirectLimit => "it must be 1 to 15",
            Self::UserAgent => "it must be printable ASCII",
            Self::AllowUnbound => "an unbound network is for development only and must be allowed there",
            Self::RootCertificates => "they must be PEM certificates, and the system must have trusted ones",
            Self::Resolve => "each must be HOST:PORT:ADDRESS",
            Self::DnsServers => {
                "each must be an address, with or without a port, and the network must have one (--dns on the command line)"
            }
            Self::ServerTrust => "Android requires one, because its trust store is reached through the app",
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
