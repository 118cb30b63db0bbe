//! The walk from the auth URL to the code, as a state machine: a response goes in, and what to do next comes out.
//!
//! It does no I/O, knows no HTTP client, no network and no clock, and never renders or scripts a page. It never fetches
//! `redirect_uri` in relay, never leaves https but for a cleartext hop without the flow's code, and ends after at most
//! `redirect_limit` + 1 requests, whatever the peers send. This file has the vocabulary; `walk.rs` has the walk.
//!
//! ```text
//! Walk::begin ─► Request ─► on_head ─┬─► Follow(Request) ─► on_head …
//!                                    ├─► ReadBody(Body) ─┬─► read ───────┬─► Completion
//!                                    │                   └─► unreadable ─┴─► Failure
//!                                    ├─► Done(Completion)
//!                                    └─► Fail(Failure)
//! ```
//!
//! One exchange, whole:
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
//! let mut answer = |location: &'static str| {
//!     let headers = HeaderMap::from_iter([(header::LOCATION, HeaderValue::from_static(location))]);
//!     match walk.on_head(&Head { status: 302, headers: &headers }) {
//!         Next::Follow(request) => Ok(request),
//!         Next::Done(completion) => Err(completion),
//!         _ => panic!("a redirect"),
//!     }
//! };
//! let request = answer("http://enrichment.operator.test/?tx=1").unwrap();
//! assert_eq!(request.url.as_str(), "http://enrichment.operator.test/?tx=1");
//! let request = answer("https://operator.test/session?tx=1").unwrap();
//! assert_eq!(request.url.path(), "/session");
//! let Err(Completion::Code { code, .. }) = answer("myapp://done?code=C&state=S") else { panic!("the code") };
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

/// How the code gets to the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The redirect to `redirect_uri` is read and not fetched.
    Relay,
    /// It is fetched.
    FollowThrough,
    /// There is no code; the last 2xx response ends the walk.
    NoCode,
}

/// The settings of a walk.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How the code gets to the backend.
    pub delivery: Delivery,
    /// Whether plain http is followed.
    pub cleartext: bool,
    /// How many redirects are followed.
    pub redirect_limit: u8,
    /// Hosts and ports exempt from the rules about addresses.
    pub allowed_hosts: AllowedHosts,
    /// Used if neither the auth URL nor the start response has one.
    pub configured_redirect_uri: Option<String>,
    /// Where the session may be sent.
    pub backend_origin: Option<Origin>,
}

/// The backend's response to `start`.
pub struct StartResponse {
    /// Where the walk begins.
    pub auth_url: SecretString,
    /// Needed if the auth URL does not show it.
    pub redirect_uri: Option<String>,
    /// Needed if the auth URL does not show it.
    pub state: Option<SecretString>,
    /// Proves to the backend that its callback comes from the client that called start.
    pub session: Option<SecretString>,
}

/// Why a start response cannot begin a walk.
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
    /// The auth URL's address or port is refused.
    ForbiddenAddress,
    /// `redirect_uri` is not an absolute URI.
    BadRedirectUri,
    /// `redirect_uri` has different values.
    RedirectUriDiffers,
    /// `state` has different values.
    StateDiffers,
}

/// One GET.
pub struct Request {
    /// Without a fragment.
    pub url: Url,
    /// The `Cookie` header, sensitive.
    pub cookie: Option<HeaderValue>,
    /// The `X-Number-Verify-Session` header.
    pub session: Option<SecretString>,
    /// Whether it hands over this flow's code, which is for one use (RFC 6749, section 4.1.2): it must not be sent twice.
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
    /// The operator's code.
    Code {
        /// For the backend.
        code: SecretString,
        /// What came with it.
        state: Option<SecretString>,
    },
    /// `redirect_uri` was fetched, and the response is 2xx with a JSON object.
    Callback {
        /// Its status.
        status: u16,
        /// The object.
        body: Vec<u8>,
    },
    /// `redirect_uri` was fetched, and the response is 4xx or 5xx.
    CallbackRefused {
        /// Its status.
        status: u16,
        /// Its `Retry-After`.
        retry_after: Option<HeaderValue>,
        /// Perhaps a problem document.
        body: Vec<u8>,
    },
    /// The walk is over without a code: the backend knows the result.
    Ended,
}

/// Why a walk failed.
#[derive(Debug)]
pub enum Failure {
    /// A redirect without a usable Location.
    BadLocation,
    /// A redirect to where a flow must not go.
    ForbiddenRedirect,
    /// More redirects than allowed.
    TooManyRedirects,
    /// The same request with the same cookies.
    RedirectLoop,
    /// A status that ends the flow.
    HttpStatus(u16),
    /// A page.
    UnexpectedPage,
    /// A response that contradicts itself.
    MalformedResponse,
    /// A redirect carries this flow's state to an unknown `redirect_uri`, or to one that is only similar to the known one.
    LostRedirectUri,
    /// The response belongs to another flow.
    StateMismatch,
    /// The operator refused.
    Denied(Denial),
}

/// An operator's refusal.
#[derive(Debug)]
pub struct Denial {
    /// A plain code without secrets.
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
