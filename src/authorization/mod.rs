//! The walk from the auth URL to the code, without I/O: an answer goes in, and what to do next comes out.
//!
//! ```text
//! begin ──► Request ──► on_head ─┬─► Follow(Request) ──► on_head …
//!                                ├─► Done(Answer)
//!                                ├─► ReadBody ──► on_body ──► Answer or Failure
//!                                └─► Fail(Failure)
//! ```
//!
//! It never fetches redirect_uri in relay, never leaves https but for a cleartext hop without the flow's code, and ends after
//! at most `redirect_limit` + 1 requests, whatever the peers say.

mod capture;
pub mod cookies;
pub mod json;
mod location;
mod policy;

use std::collections::HashSet;
use std::fmt;

use http::{HeaderMap, header};
use serde_json::Value;
use url::{Origin, Url};

use self::capture::{Parameters, denial};
use self::cookies::CookieJar;
use self::json::JsonObject;
use crate::address::AllowedHosts;
use crate::secret::{ExposeSecret, Redactor, SecretString};

/// How the code gets to the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The redirect to redirect_uri is read and not fetched.
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

/// The start answer cannot begin a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MalformedStart;

/// One GET.
pub struct Request {
    /// Without a fragment.
    pub url: Url,
    /// The `Cookie` header.
    pub cookie: Option<SecretString>,
    /// The `X-Number-Verify-Session` header.
    pub session: Option<SecretString>,
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
    /// redirect_uri was fetched and answered 2xx with a JSON object.
    Callback {
        /// Its status.
        status: u16,
        /// The object.
        body: Vec<u8>,
    },
    /// redirect_uri was fetched and answered 4xx or 5xx.
    CallbackRefused {
        /// Its status.
        status: u16,
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
    /// An answer to this flow went by, and nobody had said what redirect_uri is.
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

/// A walk under way.
pub struct Walk {
    rules: Rules,
    cookies: CookieJar,
    redactor: Redactor,
    redirect_uri: Option<Url>,
    /// Whether the backend or the app named redirect_uri, not only the auth URL.
    redirect_uri_is_vouched: bool,
    state: Option<String>,
    session: Option<SecretString>,
    current: Url,
    status: u16,
    followed: u8,
    seen: HashSet<(String, Option<String>)>,
    at_redirect_uri: bool,
    title: Option<String>,
}

impl Walk {
    /// Checks the start answer and makes the first request.
    pub fn begin(
        start: Start,
        rules: Rules,
        cookies: CookieJar,
        redactor: Redactor,
    ) -> Result<(Self, Request), MalformedStart> {
        let text = start.auth_url.trim();
        let mut url = Url::parse(text).map_err(|_| MalformedStart)?;
        if location::has_userinfo(text, &url) || !policy::is_allowed_start(&url, &rules) {
            return Err(MalformedStart);
        }
        redactor.add_query_of(&url);
        url.set_fragment(None);
        let state = agreed(parameter(&url, "state")?, start.state)?;
        let named = start.redirect_uri.is_some();
        let redirect_uri = agreed_uri(parameter(&url, "redirect_uri")?, start.redirect_uri)?;
        let configured = rules.configured_redirect_uri.as_deref().and_then(|uri| Url::parse(uri).ok());
        for secret in state.iter().map(String::as_str).chain(start.session.iter().map(ExposeSecret::expose_secret)) {
            redactor.add(secret);
        }
        let mut walk = Self {
            redirect_uri_is_vouched: named
                || configured.is_some() && (redirect_uri.is_none() || redirect_uri == configured),
            redirect_uri: redirect_uri.or(configured),
            rules,
            cookies,
            redactor,
            state,
            session: start.session,
            current: url.clone(),
            status: 0,
            followed: 0,
            seen: HashSet::new(),
            at_redirect_uri: false,
            title: None,
        };
        let request = walk.request(url).map_err(|_| MalformedStart)?;
        Ok((walk, request))
    }

    /// Takes in the headers of the answer to the last request.
    pub fn on_head(&mut self, head: &Head<'_>) -> Next {
        self.cookies.store(&self.current, head.headers.get_all(header::SET_COOKIE).iter(), &self.redactor);
        self.status = head.status;
        if !matches!(head.status, 301 | 302 | 303 | 307 | 308) {
            return Next::ReadBody;
        }
        if self.at_redirect_uri {
            return Next::Done(Answer::Ended);
        }
        self.on_redirect(head).unwrap_or_else(Next::Fail)
    }

    /// Takes in the decoded body of the answer to the last request.
    pub fn on_body(&mut self, body: &[u8]) -> Result<Answer, Failure> {
        let json = JsonObject::parse(body);
        if json.is_none() {
            self.title = title(body, &self.redactor);
        }
        match (self.status, json) {
            (status @ 400.., _) if self.at_redirect_uri => {
                Ok(Answer::CallbackRefused { status, body: body.to_owned() })
            }
            (status @ 200..=299, Some(_)) if self.at_redirect_uri => {
                Ok(Answer::Callback { status, body: body.to_owned() })
            }
            _ if self.at_redirect_uri => Ok(Answer::Ended),
            (200..=299, Some(json)) => self.on_json(&json),
            (200..=299, None) if self.rules.delivery == Delivery::NoCode => Ok(Answer::Ended),
            (200..=299, None) => Err(Failure::UnexpectedPage),
            (status, json) => {
                Err(json.and_then(|json| self.refusal(&json)).map_or(Failure::HttpStatus(status), Failure::Denied))
            }
        }
    }

    /// The title of the page that was read last: at most 80 characters, no secrets.
    #[must_use]
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    fn on_redirect(&mut self, head: &Head<'_>) -> Result<Next, Failure> {
        let locations = head.headers.get_all(header::LOCATION).iter().map(http::HeaderValue::as_bytes);
        let location = location::resolve(&self.current, locations)?;
        self.redactor.add_query_of(&location);
        if self.redirect_uri.as_ref().is_some_and(|uri| capture::matches(&location, uri)) {
            return self.on_redirect_uri(location);
        }
        if self.redirect_uri.is_none() && self.rules.delivery != Delivery::NoCode && self.is_own_answer(&location) {
            return Err(Failure::LostRedirectUri);
        }
        policy::hop(&location, self.redirect_uri.as_ref(), &self.rules)?;
        self.follow(location)
    }

    fn on_redirect_uri(&mut self, location: Url) -> Result<Next, Failure> {
        let parameters = capture::parameters(&location);
        if self.rules.delivery == Delivery::NoCode && !parameters.has("error") && !parameters.has("state") {
            policy::hop(&location, None, &self.rules)?;
            return self.follow(location);
        }
        if self.current.scheme() == "http" && parameters.has("code") {
            return Err(Failure::ForbiddenRedirect);
        }
        self.check_state(parameters.one("state").ok().flatten())?;
        let code = parameters.one("code");
        if let Some(error) = parameters.one("error")? {
            if parameters.has("code") {
                return Err(Failure::MalformedResponse);
            }
            let description = parameters.one("error_description").ok().flatten();
            return Err(Failure::Denied(denial(&error, description.as_deref(), &self.redactor)));
        }
        match self.rules.delivery {
            Delivery::Relay => {
                let code = code?.ok_or(Failure::MalformedResponse)?.into();
                let state = parameters.one("state")?.map(SecretString::from);
                Ok(Next::Done(Answer::Code { code, state }))
            }
            Delivery::FollowThrough => {
                code?.ok_or(Failure::MalformedResponse)?;
                if location.scheme() != "https" {
                    return Err(Failure::ForbiddenRedirect);
                }
                policy::hop(&location, None, &self.rules)?;
                self.at_redirect_uri = true;
                self.follow(location)
            }
            Delivery::NoCode => {
                policy::hop(&location, None, &self.rules)?;
                self.follow(location)
            }
        }
    }

    /// A 2xx answer with a JSON object: the code, a refusal, or nothing of ours.
    fn on_json(&self, json: &JsonObject) -> Result<Answer, Failure> {
        let refusal = self.refusal(json);
        if self.rules.delivery == Delivery::NoCode {
            return refusal.map_or(Ok(Answer::Ended), |denial| Err(Failure::Denied(denial)));
        }
        let code = json.get("code").map_err(|_| Failure::MalformedResponse)?;
        if let Some(refusal) = refusal {
            let contradictory = json.get("error") != Ok(None) && code.is_some();
            return Err(if contradictory { Failure::MalformedResponse } else { Failure::Denied(refusal) });
        }
        let code = match code {
            None => return Err(Failure::UnexpectedPage),
            Some(Value::String(code)) if !code.is_empty() => code,
            Some(_) => return Err(Failure::MalformedResponse),
        };
        self.redactor.add(code);
        if self.current.scheme() == "http" {
            return Err(Failure::ForbiddenRedirect);
        }
        let state = match json.get("state").map_err(|_| Failure::StateMismatch)? {
            None | Some(Value::Null) => None,
            Some(Value::String(state)) => Some(state.clone()),
            Some(_) => return Err(Failure::StateMismatch),
        };
        if state.is_some() {
            self.check_state(state.clone())?;
        }
        Ok(Answer::Code { code: code.clone().into(), state: state.map(SecretString::from) })
    }

    /// `error` as in RFC 6749, section 5.2, or CAMARA's `status`, `code` and `message`.
    fn refusal(&self, json: &JsonObject) -> Option<Denial> {
        let text = |name: &str| json.get(name).ok().flatten().and_then(Value::as_str);
        match json.get("error") {
            Ok(None | Some(Value::Null)) => {
                let status = json.get("status").ok().flatten().and_then(Value::as_u64)?;
                (status >= 400)
                    .then(|| text("code").map(|code| denial(code, text("message"), &self.redactor)))
                    .flatten()
            }
            Ok(Some(Value::String(error))) => Some(denial(error, text("error_description"), &self.redactor)),
            Ok(Some(_)) | Err(_) => Some(denial("", text("error_description"), &self.redactor)),
        }
    }

    fn is_own_answer(&self, location: &Url) -> bool {
        [location.query(), location.fragment()].into_iter().any(|part| {
            let parameters = Parameters::of(part);
            let own = self.state.is_some() && parameters.one("state").ok().flatten() == self.state;
            own && (parameters.has("code") || parameters.has("error"))
        })
    }

    fn check_state(&self, given: Option<String>) -> Result<(), Failure> {
        if self.state.is_none() || given == self.state { Ok(()) } else { Err(Failure::StateMismatch) }
    }

    fn follow(&mut self, mut url: Url) -> Result<Next, Failure> {
        if self.followed >= self.rules.redirect_limit {
            return Err(Failure::TooManyRedirects);
        }
        self.followed += 1;
        url.set_fragment(None);
        self.request(url).map(Next::Follow)
    }

    /// The session goes to a callback of the backend's origin, or to one that the backend or the app named.
    fn request(&mut self, url: Url) -> Result<Request, Failure> {
        let cookie = self.cookies.header(&url);
        let with_cookies = (url.to_string(), cookie.as_ref().map(|cookie| cookie.expose_secret().to_owned()));
        if !self.seen.insert(with_cookies) {
            return Err(Failure::RedirectLoop);
        }
        let is_backends = self.rules.backend_origin.as_ref() == Some(&url.origin());
        let may_know = self.at_redirect_uri && (is_backends || self.redirect_uri_is_vouched);
        let session = self.session.clone().filter(|_| may_know);
        self.current = url.clone();
        Ok(Request { url, cookie, session })
    }
}

/// A parameter of the auth URL; repeated with another value it says nothing.
fn parameter(url: &Url, name: &str) -> Result<Option<String>, MalformedStart> {
    let mut values = url.query_pairs().filter(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value);
    let first = values.next();
    let agree = values.all(|value| Some(&value) == first.as_ref());
    if agree { Ok(first.map(std::borrow::Cow::into_owned)) } else { Err(MalformedStart) }
}

/// What the auth URL and the start answer say; they must not differ.
fn agreed(in_url: Option<String>, in_answer: Option<String>) -> Result<Option<String>, MalformedStart> {
    match (in_url, in_answer.filter(|value| !value.is_empty())) {
        (Some(one), Some(other)) if one != other => Err(MalformedStart),
        (one, other) => Ok(one.or(other)),
    }
}

fn agreed_uri(in_url: Option<String>, in_answer: Option<String>) -> Result<Option<Url>, MalformedStart> {
    let parse = |uri: String| Url::parse(uri.trim()).map_err(|_| MalformedStart);
    match (in_url.map(parse).transpose()?, in_answer.map(parse).transpose()?) {
        (Some(one), Some(other)) if one != other => Err(MalformedStart),
        (one, other) => Ok(one.or(other)),
    }
}

fn title(body: &[u8], redactor: &Redactor) -> Option<String> {
    const LONGEST: usize = 80;
    let page = String::from_utf8_lossy(body);
    let lower = page.to_ascii_lowercase();
    let start = lower.find("<title")?;
    let start = start + lower.get(start..)?.find('>')? + 1;
    let end = start + lower.get(start..)?.find("</title").unwrap_or(lower.len() - start);
    let text = page.get(start..end)?.split_whitespace().collect::<Vec<_>>().join(" ");
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    let text: String = redactor.redact(&text).chars().take(LONGEST).collect();
    (!text.is_empty()).then_some(text)
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
