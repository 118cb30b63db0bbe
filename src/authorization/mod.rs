//! The redirect chain ("walk") from the auth URL to the code, as a state machine: its input is a
//! response, its output is the next action.
//!
//! It does no I/O, has no dependency on an HTTP client, a network or a clock, and never renders or
//! scripts a page. It never fetches `redirect_uri` with relay, never leaves https except for a
//! cleartext hop without the flow's code, and ends after at most `redirect_limit` + 1 requests,
//! whatever the peers send. This file has the types; `walk.rs` has the state machine.
//!
//! ```text
//! Walk::begin ─► Request ─► on_head ─┬─► Follow(Request) ─► on_head …
//!                                    ├─► ReadBody(Body) ─┬─► read ───────┬─► Completion
//!                                    │                   └─► unreadable ─┴─► Failure
//!                                    ├─► Done(Completion)
//!                                    └─► Fail(Failure)
//! ```
//!
//! A complete exchange:
//!
//! ```
//! # #[cfg(feature = "internals")] {
//! use http::{HeaderMap, HeaderValue, header};
//! use number_verify::internals::{
//!     AllowedHosts, Completion, CookieJar, Delivery, Head, Next, Redactor, Rules, StartResponse, Walk,
//! };
//! use secrecy::ExposeSecret;
//!
//! let rules = Rules {
//!     delivery: Delivery::Relay,
//!     cleartext: true,
//!     redirect_limit: 15,
//!     allowed_hosts: AllowedHosts::default(),
//!     configured_redirect_uri: None,
//!     backend_origin: None,
//! };
//! let auth_url = "https://operator.test/authorize?state=S&redirect_uri=myapp%3A%2F%2Fdone";
//! let start = StartResponse { auth_url: auth_url.into(), redirect_uri: None, state: None, session: None };
//! let (mut walk, request) = Walk::begin(start, rules, CookieJar::new(), Redactor::new()).unwrap();
//! assert_eq!(request.url.as_str(), auth_url);
//!
//! let mut respond = |location: &'static str| {
//!     let headers = HeaderMap::from_iter([(header::LOCATION, HeaderValue::from_static(location))]);
//!     match walk.on_head(&Head { status: 302, headers: &headers }) {
//!         Next::Follow(request) => Ok(request),
//!         Next::Done(completion) => Err(completion),
//!         _ => panic!("a redirect"),
//!     }
//! };
//! let request = respond("http://enrichment.operator.test/?tx=1").unwrap();
//! assert_eq!(request.url.as_str(), "http://enrichment.operator.test/?tx=1");
//! let request = respond("https://operator.test/session?tx=1").unwrap();
//! assert_eq!(request.url.path(), "/session");
//! let Err(Completion::Code { code, .. }) = respond("myapp://done?code=C&state=S") else { panic!("the code") };
//! assert_eq!(code.expose_secret(), "C");
//! # }
//! ```

mod capture;
mod json_response;
mod location;
mod page;
mod policy;
mod start;
mod walk;

use std::fmt;

use http::{HeaderMap, HeaderValue};
use url::{Origin, Url};

#[cfg(feature = "internals")]
pub use self::location::resolve as resolve_location;
pub use self::walk::{Next, Unreadable, Walk};
use crate::network::address::AllowedHosts;
use crate::secret::SecretString;

/// How the authorization code reaches the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The redirect to `redirect_uri` is parsed and not fetched.
    Relay,
    /// The redirect to `redirect_uri` is fetched.
    FollowThrough,
    /// There is no code; the last 2xx response ends the walk.
    NoCode,
}

/// The settings of a walk.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How the authorization code reaches the backend.
    pub delivery: Delivery,
    /// Whether plain http is followed.
    pub cleartext: bool,
    /// The redirect limit.
    pub redirect_limit: u8,
    /// Hosts and ports that bypass the address policy.
    pub allowed_hosts: AllowedHosts,
    /// Used if neither the auth URL nor the start response has one.
    pub configured_redirect_uri: Option<String>,
    /// The origin to which the session may be sent.
    pub backend_origin: Option<Origin>,
}

/// The backend's response to `start`.
pub struct StartResponse {
    /// The first URL of the walk.
    pub auth_url: SecretString,
    /// Required if it is not in the auth URL.
    pub redirect_uri: Option<String>,
    /// Required if it is not in the auth URL.
    pub state: Option<SecretString>,
    /// Proves to the backend that its callback comes from the client that called `start`.
    pub session: Option<SecretString>,
}

/// Why a start response is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MalformedStart {
    /// There is no auth URL.
    Missing,
    /// The auth URL is relative.
    Relative,
    /// The auth URL is not a URL.
    Unparsable,
    /// The auth URL is not https.
    NotHttps,
    /// The auth URL has userinfo.
    Userinfo,
    /// The auth URL's address or port is forbidden.
    ForbiddenAddress,
    /// `redirect_uri` is not an absolute URI.
    BadRedirectUri,
    /// The sources have different values of `redirect_uri`.
    RedirectUriDiffers,
    /// The sources have different values of `state`.
    StateDiffers,
}

/// A GET request.
pub struct Request {
    /// Without a fragment.
    pub url: Url,
    /// The `Cookie` header, marked sensitive.
    pub cookie: Option<HeaderValue>,
    /// The `X-Number-Verify-Session` header.
    pub session: Option<SecretString>,
    /// Whether it sends this flow's authorization code, which must not be used more than once
    /// (RFC 6749, section 4.1.2): it must not be repeated.
    pub spends_code: bool,
}

/// Status and headers of a response.
pub struct Head<'a> {
    /// 200 to 599.
    pub status: u16,
    /// All headers.
    pub headers: &'a HeaderMap,
}

/// How a walk ended.
pub enum Completion {
    /// The operator's authorization code.
    Code {
        /// For the backend.
        code: SecretString,
        /// The state that came with it.
        state: Option<SecretString>,
    },
    /// `redirect_uri` was fetched, and the response is 2xx with a JSON object.
    Callback {
        /// Its status.
        status: u16,
        /// The object.
        body: Vec<u8>,
    },
    /// `redirect_uri` was fetched, and the response status is 4xx or 5xx.
    CallbackRefused {
        /// Its status.
        status: u16,
        /// Its `Retry-After`.
        retry_after: Option<HeaderValue>,
        /// May be a problem document.
        body: Vec<u8>,
    },
    /// The walk ended without a code: the backend has the result.
    Ended,
}

/// Why a walk failed.
#[derive(Debug)]
pub enum Failure {
    /// A redirect without a usable Location.
    BadLocation,
    /// A redirect to a disallowed URL.
    ForbiddenRedirect,
    /// More redirects than allowed.
    TooManyRedirects,
    /// The same request with the same cookies was sent before.
    RedirectLoop,
    /// A status that ends the flow.
    HttpStatus(u16),
    /// A page, or another 2xx response without a code.
    UnexpectedPage,
    /// A contradictory or malformed response.
    MalformedResponse,
    /// A redirect carries this flow's state to an unknown `redirect_uri`, or to one that differs
    /// from the known one but is on its host.
    LostRedirectUri,
    /// The response belongs to another flow.
    StateMismatch,
    /// The operator denied the request.
    Denied(Denial),
}

/// An operator's denial.
#[derive(Debug)]
pub struct Denial {
    /// A valid code without secrets.
    pub error: Option<String>,
    /// At most 200 characters.
    pub description: Option<SecretString>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Request(…)")
    }
}

impl fmt::Debug for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Code { .. } => "Code(…)",
            Self::Callback { .. } => "Callback(…)",
            Self::CallbackRefused { .. } => "CallbackRefused(…)",
            Self::Ended => "Ended",
        })
    }
}
