//! The state machine: the next request, and when the walk ends.
//!
//! Order matters: first `redirect_uri` is recognised, before any rule about schemes (its redirect
//! need not be sent); then a response to this flow without a known `redirect_uri`, before it would
//! be fetched and its code used; then the rules of an ordinary hop apply.

use std::collections::HashSet;

use http::{HeaderValue, header};
use url::Url;

use super::capture::{self, Parameters, check_state, denial};
use super::{Completion, Delivery, Failure, Head, MalformedStart, Request, Rules, StartResponse};
use super::{json_response, location, page, policy, start};
use crate::cookies::CookieJar;
use crate::json::JsonObject;
use crate::secret::{ExposeSecret, Redactor, SecretString};

/// A walk in progress.
pub struct Walk {
    rules: Rules,
    cookies: CookieJar,
    redactor: Redactor,
    redirect_uri: Option<Url>,
    /// Whether `redirect_uri` comes from the backend or the app, not only from the auth URL.
    redirect_uri_is_trusted: bool,
    state: Option<SecretString>,
    session: Option<SecretString>,
    current: Url,
    status: u16,
    retry_after: Option<HeaderValue>,
    followed: u8,
    /// URL and `Cookie` header of every request.
    seen: HashSet<(String, Option<HeaderValue>)>,
    at_redirect_uri: bool,
    title: Option<String>,
}

/// The next action after the headers of a response.
pub enum Next<'walk> {
    /// Send this request.
    Follow(Request),
    /// Read the body, which decides the outcome.
    ReadBody(Body<'walk>),
    /// The walk has ended.
    Done(Completion),
    /// The walk has failed.
    Fail(Failure),
}

impl Walk {
    /// Checks the start response and returns the first request.
    ///
    /// # Errors
    ///
    /// The start response is invalid.
    pub fn begin(
        start: StartResponse,
        rules: Rules,
        cookies: CookieJar,
        redactor: Redactor,
    ) -> Result<(Self, Request), MalformedStart> {
        let checked = start::check(&start, &rules)?;
        let mut url = checked.auth_url;
        redactor.add_query_of(&url);
        let secrets = [&checked.state, &start.session];
        secrets.into_iter().flatten().for_each(|secret| redactor.add(secret.expose_secret()));
        url.set_fragment(None);
        let mut walk = Self {
            rules,
            cookies,
            redactor,
            redirect_uri: checked.redirect_uri,
            redirect_uri_is_trusted: checked.redirect_uri_is_trusted,
            state: checked.state,
            session: start.session,
            current: url.clone(),
            status: 0,
            retry_after: None,
            followed: 0,
            seen: HashSet::new(),
            at_redirect_uri: false,
            title: None,
        };
        let request = walk.request(url);
        Ok((walk, request))
    }

    /// Processes the headers of the response to the last request.
    pub fn on_head(&mut self, head: &Head<'_>) -> Next<'_> {
        self.cookies.store(&self.current, head.headers.get_all(header::SET_COOKIE).iter(), &self.redactor);
        self.status = head.status;
        self.retry_after = head.headers.get(header::RETRY_AFTER).cloned();
        if !matches!(head.status, 301 | 302 | 303 | 307 | 308) {
            return Next::ReadBody(Body { walk: self });
        }
        if self.at_redirect_uri {
            return Next::Done(Completion::Ended);
        }
        self.on_redirect(head).unwrap_or_else(Next::Fail)
    }

    /// Whether the last request was sent to `redirect_uri`, with the code.
    #[must_use]
    pub fn is_at_redirect_uri(&self) -> bool {
        self.at_redirect_uri
    }

    /// The title of the last page that was read, at most 80 characters; `None` if it contains a
    /// secret.
    #[must_use]
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// At `redirect_uri` a 2xx JSON object may be the result; for anything else except an error the
    /// backend has the result.
    fn on_callback_body(&self, body: &[u8], json: Option<JsonObject>) -> Completion {
        match (self.status, json) {
            (400.., _) => Completion::CallbackRefused {
                status: self.status,
                retry_after: self.retry_after.clone(),
                body: body.to_owned(),
            },
            (200..=299, Some(_)) => Completion::Callback { status: self.status, body: body.to_owned() },
            _ => Completion::Ended,
        }
    }

    fn on_redirect(&mut self, head: &Head<'_>) -> Result<Next<'static>, Failure> {
        let locations = head.headers.get_all(header::LOCATION).iter().map(HeaderValue::as_bytes);
        let location = location::resolve(&self.current, locations)?;
        self.redactor.add_query_of(&location);
        if self.redirect_uri.as_ref().is_some_and(|uri| capture::matches(&location, uri)) {
            return self.on_redirect_uri(location);
        }
        if self.rules.delivery != Delivery::NoCode && self.would_lose_the_code(&location) {
            return Err(Failure::LostRedirectUri);
        }
        self.follow(location)
    }

    fn on_redirect_uri(&mut self, location: Url) -> Result<Next<'static>, Failure> {
        let parameters = capture::parameters(&location);
        if self.rules.delivery == Delivery::NoCode && !parameters.are_a_response() {
            return self.follow(location);
        }
        if self.current.scheme() == "http" && parameters.has("code") {
            return Err(Failure::ForbiddenRedirect);
        }
        let is_denial = parameters.are_a_denial();
        // A denial without a state discloses nothing, and carries the reason.
        if !(is_denial && parameters.lacks("state")) {
            check_state(self.state.as_ref(), parameters.encoded("state"))?;
        }
        if is_denial {
            return Err(self.denied(&parameters).unwrap_or_else(|failure| failure));
        }
        if self.rules.delivery == Delivery::NoCode {
            return self.follow(location);
        }
        let code = parameters.one("code")?.ok_or(Failure::MalformedResponse)?;
        if self.rules.delivery == Delivery::Relay {
            let state = match &self.state {
                Some(state) => Some(state.clone()),
                None => parameters.one("state")?.map(SecretString::from),
            };
            return Ok(Next::Done(Completion::Code { code: code.into(), state }));
        }
        self.at_redirect_uri = true;
        self.follow(location)
    }

    fn denied(&self, parameters: &Parameters) -> Result<Failure, Failure> {
        if parameters.has("code") {
            return Err(Failure::MalformedResponse);
        }
        let error = parameters.one("error")?;
        let description = parameters.one("error_description").ok().flatten();
        if error.or(description).is_none() {
            return Err(Failure::MalformedResponse);
        }
        Ok(Failure::Denied(denial(error.unwrap_or_default(), description, &self.redactor)))
    }

    fn on_json(&self, json: &JsonObject) -> Result<Completion, Failure> {
        let completion = json_response::code(json, self.state.as_ref(), &self.redactor)?;
        if self.current.scheme() == "http" { Err(Failure::ForbiddenRedirect) } else { Ok(completion) }
    }

    /// Whether the Location is the response to this flow: fetching it would use the code.
    fn carries_own_state(&self, location: &Url) -> bool {
        let Some(state) = self.state.as_ref() else { return false };
        [location.query(), location.fragment()].into_iter().map(Parameters::of).any(|parameters| {
            parameters.has_state(state.expose_secret()) && (parameters.has("code") || parameters.has("error"))
        })
    }

    /// Whether the response would be sent to an unknown `redirect_uri`, or to another path or
    /// scheme on the host of the known one.
    fn would_lose_the_code(&self, location: &Url) -> bool {
        let may_be_for_us = self.redirect_uri.as_ref().is_none_or(|uri| capture::is_on_host_of(location, uri));
        may_be_for_us && self.carries_own_state(location)
    }

    fn follow(&mut self, mut url: Url) -> Result<Next<'static>, Failure> {
        policy::check_hop(&url, self.redirect_uri.as_ref(), &self.rules)?;
        if self.followed >= self.rules.redirect_limit {
            return Err(Failure::TooManyRedirects);
        }
        self.followed += 1;
        url.set_fragment(None);
        let seen = self.seen.len();
        let request = self.request(url);
        if self.seen.len() == seen { Err(Failure::RedirectLoop) } else { Ok(Next::Follow(request)) }
    }

    fn request(&mut self, url: Url) -> Request {
        let cookie = self.cookies.header(&url);
        self.seen.insert((url.to_string(), cookie.clone()));
        self.current = url.clone();
        Request { session: self.session_for(&url), spends_code: self.spends_code(&url), url, cookie }
    }

    /// At `redirect_uri`, and whenever a code is sent with this flow's state. A code with another
    /// state belongs to the operator.
    fn spends_code(&self, url: &Url) -> bool {
        self.redirect_uri.as_ref().is_some_and(|uri| capture::matches(url, uri)) || self.carries_own_state(url)
    }

    /// Sent only to `redirect_uri`, and only if that is on the backend's origin or comes from the
    /// backend or the app.
    fn session_for(&self, url: &Url) -> Option<SecretString> {
        let is_backends = self.rules.backend_origin.as_ref() == Some(&url.origin());
        let may_know = self.at_redirect_uri && (is_backends || self.redirect_uri_is_trusted);
        self.session.clone().filter(|_| may_know)
    }
}

/// A response whose body decides the outcome. Its headers are already processed.
pub struct Body<'walk> {
    walk: &'walk mut Walk,
}

/// Why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It is larger than the limit.
    TooLarge,
    /// It was truncated or is malformed.
    Broken,
}

impl Body<'_> {
    /// Processes the decoded body.
    ///
    /// # Errors
    ///
    /// The response is neither the code nor another end that the delivery allows.
    pub fn read(self, body: &[u8]) -> Result<Completion, Failure> {
        let walk = self.walk;
        let json = JsonObject::parse(body);
        walk.title = if json.is_none() { page::title(body, &walk.redactor) } else { None };
        if walk.at_redirect_uri {
            return Ok(walk.on_callback_body(body, json));
        }
        let denial = json.as_ref().and_then(|json| json_response::denial_in(json, &walk.redactor));
        let without_code = walk.rules.delivery == Delivery::NoCode;
        match (walk.status, json, denial) {
            (200..=299, Some(json), _) if !without_code => walk.on_json(&json),
            (_, _, Some(denial)) => Err(Failure::Denied(denial)),
            (200..=299, ..) if without_code => Ok(Completion::Ended),
            (200..=299, ..) => Err(Failure::UnexpectedPage),
            (status, ..) => Err(Failure::HttpStatus(status)),
        }
    }

    /// The outcome without the body; absent if the body decides it. An error status needs no page,
    /// and a walk without a code ends with any response; a page at `redirect_uri` may be of any
    /// size, because no result is that large.
    #[must_use]
    pub fn unreadable(self, why: Unreadable) -> Option<Result<Completion, Failure>> {
        let walk = &self.walk;
        let decides = walk.status < 400
            && walk.rules.delivery != Delivery::NoCode
            && (why == Unreadable::Broken || !walk.at_redirect_uri);
        (!decides).then(|| self.read(&[]))
    }
}
