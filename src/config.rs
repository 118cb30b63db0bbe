//! All settings, each with its default, its limit and the reason. `settings.rs` checks them.

use std::fmt;
use std::sync::Arc;

use crate::hints::Hint;
use crate::limits;

use secrecy::SecretString;

/// The settings of a verifier. All except the backend's base URL have a default.
#[derive(Debug, Clone, uniffi::Record)]
pub struct Config {
    /// The base URL of the app's backend, such as `https://api.example.com/number-verify`: https
    /// (http only to loopback), without userinfo, query or fragment; the host name in its ASCII
    /// form.
    pub backend_url: String,
    /// The path of the `start` call under the base URL. Defaults to `start`.
    #[uniffi(default = "start")]
    pub start_path: String,
    /// The path of the `complete` call under the base URL. Defaults to `complete`.
    #[uniffi(default = "complete")]
    pub complete_path: String,
    /// The path of the `abort` call under the base URL; not called if absent. It informs the
    /// backend, in the background and at most once, that a verification ended after `start` without
    /// a result, so that the backend can end the session and release what its provider holds. Only
    /// the built-in client calls it. The request has the session, under the name in `field_names`,
    /// and the member `reason`.
    #[uniffi(default = None)]
    pub abort_path: Option<String>,
    /// Headers for the backend's calls, such as the app's `Authorization`. They are never sent to
    /// an operator.
    #[uniffi(default = [])]
    pub headers: Vec<Arc<Header>>,
    /// Headers for requests to the operator's hosts. They may replace `Accept` and `User-Agent`.
    #[uniffi(default = [])]
    pub operator_headers: Vec<Arc<Header>>,
    /// Which hosts receive `operator_headers`.
    pub operator_headers_to: OperatorHeaders,
    /// How requests to some of the operator's hosts differ, at most 16. The start response may add
    /// more.
    #[uniffi(default = [])]
    pub hints: Vec<Hint>,
    /// The JSON field names of the backend.
    #[uniffi(default)]
    pub field_names: FieldNames,
    /// How the authorization code reaches the backend.
    pub code_delivery: CodeDelivery,
    /// The redirect URI (RFC 6749, section 3.1.2), if it is in neither the auth URL nor the start
    /// response.
    #[uniffi(default = None)]
    pub redirect_uri: Option<String>,
    /// Timeouts.
    #[uniffi(default)]
    pub deadlines: Deadlines,
    /// After how many milliseconds, 1 to 86,400,000, a running verification is reported as slow
    /// ([`Progress::Slow`](crate::Progress::Slow)). Defaults to 4000: about twice what a
    /// verification takes over a phone's network, and as long as users watch a spinner without
    /// doubt.
    #[uniffi(default = 4000)]
    pub slow_after_ms: u64,
    /// How many redirects are followed, 1 to 15. Defaults to 15. Operators' chains have 2 to 8.
    #[uniffi(default = 15)]
    pub redirect_limit: u8,
    /// Whether plain http is followed on the operator's side.
    pub cleartext: Cleartext,
    /// Whether connections are opened before they are needed, to hosts that followed each other in
    /// earlier verifications of this verifier, and to the backend in `prepare()`. Defaults to
    /// `true`. The list of hosts is stored in memory, for at most an hour. If `false`, every new
    /// host costs a DNS lookup, a connection and a TLS handshake while the user waits.
    #[uniffi(default = true)]
    pub open_ahead: bool,
    /// The origin of the auth URL, such as `https://auth.example.com`, if the backend's provider
    /// always uses the same one. A connection to it is then opened ahead, over the cellular
    /// network, even if no verification of this verifier has used it: this saves the first one
    /// three round trips.
    #[uniffi(default = None)]
    pub auth_origin: Option<String>,
    /// The `User-Agent` of all requests. Defaults to the name and version of this library.
    #[uniffi(default = None)]
    pub user_agent: Option<String>,
    /// Exceptions for development. Leave them out of a release.
    #[uniffi(default)]
    pub development: Development,
}

/// An HTTP header. The value is never logged or included in `Debug` or `toString()`.
#[derive(uniffi::Object)]
pub struct Header {
    pub(crate) name: String,
    pub(crate) value: SecretString,
}

/// Which hosts on the operator's side receive the extra headers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, uniffi::Enum)]
pub enum OperatorHeaders {
    /// The host of the auth URL only.
    #[default]
    FirstHost,
    /// All hosts.
    AllHosts,
}

/// How the authorization code gets from the operator to the backend.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, uniffi::Enum)]
pub enum CodeDelivery {
    /// The phone reads the code from the redirect to the redirect URI (which is not fetched) or
    /// from a JSON response, and posts it with `complete`. Recommended.
    #[default]
    Relay,
    /// The redirect URI belongs to the backend: the phone fetches it, and the backend's response is
    /// the result. Safe only with a backend that rejects a callback without proof of the session
    /// (its cookie or `X-Number-Verify-Session`).
    FollowThrough,
    /// There is no code: the last 2xx response ends the redirect chain and `complete` requests the
    /// result. Weaker, because the result cannot be bound to this phone.
    NoCode,
}

/// Whether plain http is followed on the operator's side, where operators insert the subscriber's
/// identity (header enrichment). No platform setting governs these connections: this one is the
/// only control.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, uniffi::Enum)]
pub enum Cleartext {
    /// Followed on redirects; never for the auth URL, to the host of the redirect URI or of the
    /// backend, or with this verification's code.
    #[default]
    OnRedirects,
    /// Rejected. Some operators will not work.
    Never,
}

/// The JSON field names in the backend's requests and responses.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct FieldNames {
    /// In the `start` request, and in the response of `complete` and of the callback with the
    /// result of a retrieval; `devicePhoneNumber` is accepted there too. Not `purpose` or
    /// `devicePhoneNumberVerified`.
    #[uniffi(default = "phoneNumber")]
    pub phone_number: String,
    /// In the `start` response.
    #[uniffi(default = "authUrl")]
    pub auth_url: String,
    /// In the `start` response, optional.
    #[uniffi(default = "redirectUri")]
    pub redirect_uri: String,
    /// In the `start` response, optional, and in the `complete` request.
    #[uniffi(default = "session")]
    pub session: String,
    /// In the `start` response, optional, and in the `complete` request.
    #[uniffi(default = "state")]
    pub state: String,
    /// In the `complete` request.
    #[uniffi(default = "code")]
    pub code: String,
    /// In the response of `complete` and of the callback with the result of a verification;
    /// `devicePhoneNumberVerified` is accepted too. Not `devicePhoneNumber`.
    #[uniffi(default = "verified")]
    pub verified: String,
}

/// Timeouts in milliseconds, each 1 to 86,400,000. `overall_ms` takes precedence.
///
/// The defaults are for a user at a sign-in screen: after `slow_after_ms` the app can offer another
/// channel while the verification continues. Timeouts therefore need not be short to keep the user
/// from waiting; they end operations that will not complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct Deadlines {
    /// The whole verification. Beyond this, another channel is faster for the user.
    #[uniffi(default = 20000)]
    pub overall_ms: u64,
    /// Acquiring the cellular network. A sleeping radio takes 1 to 3 seconds, one that has to
    /// register again a few more.
    #[uniffi(default = 8000)]
    pub acquire_ms: u64,
    /// DNS, TCP connect and TLS handshake, per host: three round trips, and time to retransmit a
    /// lost packet.
    #[uniffi(default = 5000)]
    pub connect_ms: u64,
    /// Until the response headers; then again until the end of a body that is read. Operators look
    /// up the SIM in this time.
    #[uniffi(default = 8000)]
    pub answer_ms: u64,
    /// Each call to the backend, which calls the provider in turn.
    #[uniffi(default = 8000)]
    pub backend_ms: u64,
}

/// Exceptions for development.
#[derive(Debug, Clone, Default, uniffi::Record)]
pub struct Development {
    /// Allows a provider to return an unbound network. On someone else's hotspot, this would verify
    /// their number.
    #[uniffi(default = false)]
    pub allow_unbound: bool,
    /// Allows a plain http backend on any host; loopback is always allowed.
    #[uniffi(default = false)]
    pub allow_http_backend: bool,
    /// Additional root certificates in PEM form, for connections to the backend and to operators.
    /// On Linux the system's roots are read with the first verification or `prepare()`, which fails
    /// with `InvalidConfig` for this setting if the system has none and there are none here.
    #[uniffi(default = [])]
    pub root_certificates: Vec<String>,
    /// Fixed addresses for a host and port, `HOST:PORT:ADDRESS[,ADDRESS]`, IPv6 in brackets, for
    /// connections to the backend and to operators. Such a host and port bypasses the address
    /// policy.
    #[uniffi(default = [])]
    pub resolve: Vec<String>,
    /// DNS servers for the cellular network, `ADDRESS` or `ADDRESS:PORT`; Linux only. Defaults to
    /// those of `resolv.conf`.
    #[uniffi(default = [])]
    pub dns_servers: Vec<String>,
}

impl Config {
    /// All defaults, for a backend at this base URL.
    #[must_use]
    pub fn new(backend_url: impl Into<String>) -> Self {
        Self {
            backend_url: backend_url.into(),
            start_path: "start".to_owned(),
            complete_path: "complete".to_owned(),
            abort_path: None,
            headers: Vec::new(),
            operator_headers: Vec::new(),
            operator_headers_to: OperatorHeaders::default(),
            hints: Vec::new(),
            field_names: FieldNames::default(),
            code_delivery: CodeDelivery::default(),
            redirect_uri: None,
            deadlines: Deadlines::default(),
            slow_after_ms: 4_000,
            redirect_limit: limits::MAX_REDIRECTS,
            cleartext: Cleartext::default(),
            open_ahead: true,
            auth_origin: None,
            user_agent: None,
            development: Development::default(),
        }
    }
}

#[uniffi::export]
impl Header {
    /// Creates a header with this name and value; they are validated when the verifier is created
    /// or the verification starts.
    #[uniffi::constructor]
    #[must_use]
    pub fn new(name: String, value: String) -> Arc<Self> {
        Arc::new(Self { name, value: value.into() })
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: …", self.name)
    }
}

impl FieldNames {
    pub(crate) fn contain(&self, name: &str) -> bool {
        let Self { phone_number, auth_url, redirect_uri, session, state, code, verified } = self;
        [phone_number, auth_url, redirect_uri, session, state, code, verified].iter().any(|known| *known == name)
    }
}

impl Default for FieldNames {
    fn default() -> Self {
        Self {
            phone_number: "phoneNumber".to_owned(),
            auth_url: "authUrl".to_owned(),
            redirect_uri: "redirectUri".to_owned(),
            session: "session".to_owned(),
            state: "state".to_owned(),
            code: "code".to_owned(),
            verified: "verified".to_owned(),
        }
    }
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { overall_ms: 20_000, acquire_ms: 8_000, connect_ms: 5_000, answer_ms: 8_000, backend_ms: 8_000 }
    }
}
