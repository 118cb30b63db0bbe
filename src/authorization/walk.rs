//! The state machine: which request comes next, and when the walk is over.
//!
//! Order matters: `redirect_uri` is recognised before any rule about schemes (its redirect need not be sent), an answer of
//! ours without a known `redirect_uri` before it would be fetched and so used up, and only then the rules of an ordinary hop.

use std::collections::HashSet;

use http::{HeaderValue, header};
use url::Url;

use super::capture::{self, Parameters, check_state, denial};
use super::{Answer, Delivery, Failure, Head, MalformedStart, Next, Request, Rules, Start};
use super::{json_answer, location, page, policy, start};
use crate::cookies::CookieJar;
use crate::json::JsonObject;
use crate::secret::{ExposeSecret, Redactor, SecretString};

/// A walk under way.
pub struct Walk {
    rules: Rules,
    cookies: CookieJar,
    redactor: Redactor,
    redirect_uri: Option<Url>,
    /// Whether the backend or the app named `redirect_uri`, not only the auth URL.
    redirect_uri_is_vouched: bool,
    state: Option<String>,
    session: Option<SecretString>,
    current: Url,
    status: u16,
    retry_after: Option<HeaderValue>,
    followed: u8,
    /// URL and `Cookie` header of every request.
    seen: HashSet<(String, Option<String>)>,
    at_redirect_uri: bool,
    title: Option<String>,
}

impl Walk {
    /// Checks the start answer and makes the first request.
    ///
    /// # Errors
    ///
    /// The start answer cannot begin a walk.
    pub fn begin(
        start: Start,
        rules: Rules,
        cookies: CookieJar,
        redactor: Redactor,
    ) -> Result<(Self, Request), MalformedStart> {
        let beginning = start::check(&start, &rules)?;
        let mut url = beginning.auth_url;
        redactor.add_query_of(&url);
        let secrets = [beginning.state.as_deref(), start.session.as_ref().map(ExposeSecret::expose_secret)];
        secrets.into_iter().flatten().for_each(|secret| redactor.add(secret));
        url.set_fragment(None);
        let mut walk = Self {
            rules,
            cookies,
            redactor,
            redirect_uri: beginning.redirect_uri,
            redirect_uri_is_vouched: beginning.redirect_uri_is_vouched,
            state: beginning.state,
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

    /// Takes in the headers of the answer to the last request.
    pub fn on_head(&mut self, head: &Head<'_>) -> Next {
        self.cookies.store(&self.current, head.headers.get_all(header::SET_COOKIE).iter(), &self.redactor);
        self.status = head.status;
        self.retry_after = head.headers.get(header::RETRY_AFTER).cloned();
        if !matches!(head.status, 301 | 302 | 303 | 307 | 308) {
            return Next::ReadBody;
        }
        if self.at_redirect_uri {
            return Next::Done(Answer::Ended);
        }
        self.on_redirect(head).unwrap_or_else(Next::Fail)
    }

    /// Whether the answer says what it has to say without its body, if that cannot be read: an error does, and an end without a code.
    #[must_use]
    pub fn can_do_without_body(&self) -> bool {
        self.status >= 400 || self.rules.delivery == Delivery::NoCode
    }

    /// Whether a body that is too large is only a page: no verdict of a callback is.
    #[must_use]
    pub fn can_do_without_large_body(&self) -> bool {
        self.can_do_without_body() || self.at_redirect_uri
    }

    /// Takes in the decoded body of the answer to the last request.
    ///
    /// # Errors
    ///
    /// The answer is neither the code nor another end that the delivery allows.
    pub fn on_body(&mut self, body: &[u8]) -> Result<Answer, Failure> {
        let json = JsonObject::parse(body);
        self.title = if json.is_none() { page::title(body, &self.redactor) } else { None };
        let status = self.status;
        if self.at_redirect_uri {
            return Ok(match (status, json) {
                (400.., _) => {
                    let retry_after = self.retry_after.clone();
                    Answer::CallbackRefused { status, retry_after, body: body.to_owned() }
                }
                (200..=299, Some(_)) => Answer::Callback { status, body: body.to_owned() },
                _ => Answer::Ended,
            });
        }
        let refusal = json.as_ref().and_then(|json| json_answer::refusal(json, &self.redactor));
        match (status, json, refusal) {
            (200..=299, Some(json), _) if self.rules.delivery != Delivery::NoCode => self.on_json(&json),
            (_, _, Some(refusal)) => Err(Failure::Denied(refusal)),
            (200..=299, ..) if self.rules.delivery == Delivery::NoCode => Ok(Answer::Ended),
            (200..=299, ..) => Err(Failure::UnexpectedPage),
            _ => Err(Failure::HttpStatus(status)),
        }
    }

    /// Whether the last request went to `redirect_uri`, with the code.
    #[must_use]
    pub fn is_at_redirect_uri(&self) -> bool {
        self.at_redirect_uri
    }

    /// The title of the page that was read last, at most 80 characters; None if it contains a secret.
    #[must_use]
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    fn on_redirect(&mut self, head: &Head<'_>) -> Result<Next, Failure> {
        let locations = head.headers.get_all(header::LOCATION).iter().map(HeaderValue::as_bytes);
        let location = location::resolve(&self.current, locations)?;
        self.redactor.add_query_of(&location);
        if self.redirect_uri.as_ref().is_some_and(|uri| capture::matches(&location, uri)) {
            return self.on_redirect_uri(location);
        }
        if self.redirect_uri.is_none() && self.rules.delivery != Delivery::NoCode && self.is_own_answer(&location) {
            return Err(Failure::LostRedirectUri);
        }
        self.follow(location)
    }

    fn on_redirect_uri(&mut self, location: Url) -> Result<Next, Failure> {
        let parameters = capture::parameters(&location);
        if self.rules.delivery == Delivery::NoCode && !parameters.are_an_answer() {
            return self.follow(location);
        }
        if self.current.scheme() == "http" && parameters.has("code") {
            return Err(Failure::ForbiddenRedirect);
        }
        check_state(self.state.as_deref(), parameters.one("state").ok().flatten())?;
        if parameters.has("error") || parameters.has("error_description") && !parameters.has("code") {
            return Err(self.denied(&parameters).unwrap_or_else(|failure| failure));
        }
        if self.rules.delivery == Delivery::NoCode {
            return self.follow(location);
        }
        let code = parameters.one("code")?.ok_or(Failure::MalformedResponse)?;
        let state = parameters.one("state")?;
        if self.rules.delivery == Delivery::Relay {
            return Ok(Next::Done(Answer::Code { code: code.into(), state: state.map(SecretString::from) }));
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

    fn on_json(&self, json: &JsonObject) -> Result<Answer, Failure> {
        let answer = json_answer::code(json, self.state.as_deref(), &self.redactor)?;
        if self.current.scheme() == "http" { Err(Failure::ForbiddenRedirect) } else { Ok(answer) }
    }

    /// Whether the Location answers this flow: to fetch it would use up the code.
    fn is_own_answer(&self, location: &Url) -> bool {
        let Some(state) = self.state.as_deref() else { return false };
        [location.query(), location.fragment()].into_iter().map(Parameters::of).any(|parameters| {
            parameters.has_value("state", state) && (parameters.has("code") || parameters.has("error"))
        })
    }

    fn follow(&mut self, mut url: Url) -> Result<Next, Failure> {
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
        let exposed = cookie.as_ref().map(|cookie| cookie.expose_secret().to_owned());
        self.seen.insert((url.to_string(), exposed));
        self.current = url.clone();
        Request { session: self.session_for(&url), spends_code: self.spends_code(&url), url, cookie }
    }

    /// At `redirect_uri`, and wherever a code goes with this flow's state. An operator's own code, with its own state, is its own affair.
    fn spends_code(&self, url: &Url) -> bool {
        self.redirect_uri.as_ref().is_some_and(|uri| capture::matches(url, uri)) || self.is_own_answer(url)
    }

    /// Only `redirect_uri` gets it, and only where it is the backend's, or where the backend or the app named it.
    fn session_for(&self, url: &Url) -> Option<SecretString> {
        let is_backends = self.rules.backend_origin.as_ref() == Some(&url.origin());
        let may_know = self.at_redirect_uri && (is_backends || self.redirect_uri_is_vouched);
        self.session.clone().filter(|_| may_know)
    }
}
