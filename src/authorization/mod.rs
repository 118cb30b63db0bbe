//! The walk from the auth URL to the code, without I/O: an answer goes in, and what to do next comes out.
//!
//! ```text
//! begin ──► Request ──► on_head ─┬─► Follow(Request) ──► on_head …
//!                                ├─► Done(Answer)
//!                                ├─► ReadBody ──► on_body ──► Answer or Failure
//!                                └─► Fail(Failure)
//! ```
//!
//! It never fetches `redirect_uri` in relay, never leaves https but for a cleartext hop without the flow's code, and ends after
//! at most `redirect_limit` + 1 requests, whatever the peers say. This file has the walk's words; `walk.rs` has the walk.

mod capture;
mod json_answer;
mod location;
mod page;
mod policy;
mod start;
mod walk;

use std::fmt;

use http::{HeaderMap, HeaderValue};
use url::{Origin, Url};

pub use self::walk::Walk;
use crate::network::address::AllowedHosts;
use crate::secret::SecretString;

/// How the code gets to the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The redirect to `redirect_uri` is read and not fetched.
    Relay,
    /// It is fetched.
    FollowThrough,
    /// There is no code; the last 2xx answer ends the walk.
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
    /// Used where neither the auth URL nor the start answer has one.
    pub configured_redirect_uri: Option<String>,
    /// Where the session may be sent.
    pub backend_origin: Option<Origin>,
}

/// The backend's start answer.
pub struct Start {
    /// Where the walk begins.
    pub auth_url: String,
    /// Where the auth URL does not show it.
    pub redirect_uri: Option<String>,
    /// Where the auth URL does not show it.
    pub state: Option<String>,
    /// Proves to the backend that its callback comes from the client that called start.
    pub session: Option<SecretString>,
}

/// Why a start answer cannot begin a walk.
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
    /// The `Cookie` header.
    pub cookie: Option<SecretString>,
    /// The `X-Number-Verify-Session` header.
    pub session: Option<SecretString>,
    /// Whether it hands over this flow's code, which is for one use (RFC 6749, section 4.1.2): it must not be sent twice.
    pub spends_code: bool,
}

/// Status and headers of an answer.
pub struct Head<'a> {
    /// 200 to 599.
    pub status: u16,
    /// All headers.
    pub headers: &'a HeaderMap,
}

/// What to do after the headers of an answer.
pub enum Next {
    /// Send this request.
    Follow(Request),
    /// Read the body and give it to [`Walk::on_body`].
    ReadBody,
    /// The walk is over.
    Done(Answer),
    /// The walk has failed.
    Fail(Failure),
}

/// What the walk has brought.
pub enum Answer {
    /// The operator's code.
    Code {
        /// For the backend.
        code: SecretString,
        /// What came with it.
        state: Option<SecretString>,
    },
    /// `redirect_uri` was fetched and answered 2xx with a JSON object.
    Callback {
        /// Its status.
        status: u16,
        /// The object.
        body: Vec<u8>,
    },
    /// `redirect_uri` was fetched and answered 4xx or 5xx.
    CallbackRefused {
        /// Its status.
        status: u16,
        /// Its `Retry-After`.
        retry_after: Option<HeaderValue>,
        /// Perhaps a problem document.
        body: Vec<u8>,
    },
    /// The walk is over without a code: the backend knows the verdict.
    Ended,
}

/// Why a walk ends without an answer.
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
    /// An answer that contradicts itself.
    MalformedResponse,
    /// An answer to this flow went by, and nobody had said what `redirect_uri` is.
    LostRedirectUri,
    /// The answer is for another flow.
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

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Code { .. } => "Code(…)",
            Self::Callback { .. } => "Callback(…)",
            Self::CallbackRefused { .. } => "CallbackRefused(…)",
            Self::Ended => "Ended",
        })
    }
}
