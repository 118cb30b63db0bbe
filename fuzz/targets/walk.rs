//! The walk as a sequence of responses.
//!
//! The first line contains options (`relay`, `follow` or `none`; `https`; `limit=`, `uri=`,
//! `configured=`, `state=`, `session=`), the second line the auth URL. Responses follow, each after
//! a line `--`: status, headers, an empty line, body.
#![no_main]

use http::{HeaderMap, HeaderName, HeaderValue, header};
use libfuzzer_sys::fuzz_target;
use number_verify::internals::{
    Completion, CookieJar, Delivery, Failure, Head, Next, Redactor, Request, Rules, StartResponse, Unreadable, Walk,
};
use number_verify_fuzz::{assert_allowed, first_line, rules, same_host, text, twice};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

const NUMBER: &str = "+14155550100";

struct Script<'a> {
    rules: Rules,
    auth_url: &'a str,
    redirect_uri: Option<&'a str>,
    state: Option<&'a str>,
    session: &'a str,
    responses: Vec<Response<'a>>,
}

struct Response<'a> {
    status: u16,
    headers: HeaderMap,
    body: &'a str,
}

fuzz_target!(|data: &[u8]| {
    let text = text(data);
    twice(|| Script::parse(&text).run());
});

impl<'a> Script<'a> {
    fn parse(text: &'a str) -> Self {
        let (options, rest) = first_line(text);
        let (auth_url, rest) = first_line(rest);
        let value = |name: &str| options.split(' ').find_map(|option| option.strip_prefix(name)?.strip_prefix('='));
        let has = |name: &str| options.split(' ').any(|option| option == name);
        let delivery = match options.split(' ').next() {
            Some("follow") => Delivery::FollowThrough,
            Some("none") => Delivery::NoCode,
            _ => Delivery::Relay,
        };
        let mut rules = rules(delivery);
        rules.cleartext = !has("https");
        rules.redirect_limit = value("limit").and_then(|limit| limit.parse().ok()).unwrap_or(15).clamp(1, 15);
        rules.configured_redirect_uri = value("configured").map(str::to_owned);
        let responses = rest.split("--\n").skip(1).filter_map(Response::parse).collect();
        Self {
            rules,
            auth_url,
            redirect_uri: value("uri"),
            state: value("state"),
            session: value("session").unwrap_or("SESSION-1"),
            responses,
        }
    }

    /// The outcome, with every request.
    fn run(&self) -> Vec<String> {
        let redactor = Redactor::new();
        redactor.add_number(NUMBER);
        let start = StartResponse {
            auth_url: self.auth_url.into(),
            redirect_uri: self.redirect_uri.map(str::to_owned),
            state: self.state.map(SecretString::from),
            session: Some(self.session.into()),
        };
        let (mut walk, request) = match Walk::begin(start, self.rules.clone(), CookieJar::new(), redactor.clone()) {
            Ok(begun) => begun,
            Err(error) => return vec![format!("{error:?}")],
        };
        let mut course = Course { script: self, requests: Vec::new(), redactor };
        course.requested(&request, None);
        assert!(request.session.is_none() && request.cookie.is_none());
        for response in &self.responses {
            let at_redirect_uri = walk.is_at_redirect_uri();
            let next = walk.on_head(&Head { status: response.status, headers: &response.headers });
            let end = match next {
                Next::Follow(request) => {
                    assert!(!at_redirect_uri, "a redirect from redirect_uri is not followed");
                    course.requested(&request, response.headers.get(header::LOCATION));
                    continue;
                }
                Next::ReadBody(body) if response.body.starts_with("(broken)") => body.unreadable(Unreadable::Broken),
                Next::ReadBody(body) if response.body.starts_with("(large)") => body.unreadable(Unreadable::TooLarge),
                Next::ReadBody(body) => Some(body.read(response.body.as_bytes())),
                Next::Done(completion) => Some(Ok(completion)),
                Next::Fail(failure) => Some(Err(failure)),
            };
            course.ended(end, walk.title());
            break;
        }
        course.requests
    }

    fn redirect_uri(&self) -> Option<Url> {
        let auth_url = Url::parse(self.auth_url.trim()).ok();
        let pairs = auth_url.iter().flat_map(Url::query_pairs);
        let named = pairs.filter(|(name, _)| name == "redirect_uri").map(|(_, value)| value.into_owned());
        let named = named.chain(self.redirect_uri.map(str::to_owned)).chain(self.rules.configured_redirect_uri.clone());
        named.filter(|uri| !uri.is_empty()).find_map(|uri| Url::parse(uri.trim()).ok())
    }

    fn own_state(&self) -> Option<String> {
        let auth_url = Url::parse(self.auth_url.trim()).ok();
        let pairs = auth_url.iter().flat_map(Url::query_pairs);
        let named = pairs.filter(|(name, _)| name == "state").map(|(_, value)| value.into_owned());
        named.chain(self.state.map(str::to_owned)).find(|state| !state.is_empty())
    }
}

impl<'a> Response<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (status, rest) = first_line(text);
        let (head, body) = match rest.strip_prefix('\n') {
            Some(body) => ("", body),
            None => rest.split_once("\n\n").unwrap_or((rest, "")),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in head.lines().filter_map(|line| line.split_once(':')) {
            let field =
                HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(value.trim_start()).ok());
            if let Some((name, value)) = field {
                headers.append(name, value);
            }
        }
        Some(Self { status: status.trim().parse().ok()?, headers, body })
    }
}

/// The history of the walk.
struct Course<'a> {
    script: &'a Script<'a>,
    requests: Vec<String>,
    redactor: Redactor,
}

impl Course<'_> {
    fn requested(&mut self, request: &Request, location: Option<&HeaderValue>) {
        let (rules, url) = (&self.script.rules, &request.url);
        let redirect_uri = self.script.redirect_uri();
        assert_allowed(request, rules, redirect_uri.as_ref());
        assert_eq!(format!("{request:?}"), "Request(…)");
        let at_redirect_uri = redirect_uri.as_ref().is_some_and(|uri| same_host(url, Some(uri)));
        assert!(request.session.is_none() || at_redirect_uri, "the session at {url}");
        let has = |name: &str| url.query_pairs().any(|(key, _)| key == name);
        let own_state = self.script.own_state();
        let is_own =
            own_state.is_some_and(|state| url.query_pairs().any(|(key, value)| key == "state" && value == state));
        if is_own && has("code") && location.is_some() {
            assert!(request.spends_code, "the flow's code could be sent twice: {url}");
            if rules.delivery == Delivery::Relay {
                assert!(!at_redirect_uri && redirect_uri.is_some(), "the code is fetched: {url}");
            }
        }
        if let (Some(location), Some(before)) = (location.and_then(|value| value.to_str().ok()), self.requests.last()) {
            Self::assert_nothing_added(location, before, url);
        }
        let cookie = request.cookie.as_ref().map(|cookie| String::from_utf8_lossy(cookie.as_bytes()).into_owned());
        let session = request.session.as_ref().map(ExposeSecret::expose_secret);
        self.requests.push(format!("{url} {cookie:?} {session:?} {}", request.spends_code));
        assert!(self.requests.len() <= usize::from(rules.redirect_limit) + 1, "{:?}", self.requests);
    }

    /// A request contains what its Location contains: a code stays on the path that the operator
    /// chose for it.
    fn assert_nothing_added(location: &str, before: &str, url: &Url) {
        let before = Url::parse(before.split(' ').next().unwrap_or_default()).expect("a URL that was requested");
        let location = location.trim();
        if location.trim_start_matches(['/', '\\']).len() + 2 < location.len() {
            return;
        }
        let mut expected = before.join(location).expect("a Location that was followed");
        expected.set_fragment(None);
        assert_eq!(*url, expected, "{location} at {before}");
    }

    fn ended(&mut self, end: Option<Result<Completion, Failure>>, title: Option<&str>) {
        let Some(end) = end else { return self.requests.push("unreadable".to_owned()) };
        if let Some(title) = title {
            assert!(title.chars().count() <= 80 && !title.chars().any(char::is_control));
            self.assert_no_secret(title);
        }
        let output = format!("{end:?}");
        let last = self.requests.last().cloned().unwrap_or_default();
        let text = match end {
            Ok(Completion::Code { code, state }) => {
                assert!(
                    self.script.rules.delivery == Delivery::Relay && !last.starts_with("http:"),
                    "a code over http"
                );
                assert!(!code.expose_secret().is_empty() && output == "Ok(Code(…))");
                let state = state.as_ref().map(ExposeSecret::expose_secret);
                assert!(state.is_none_or(|state| self.redactor.contains_secret(state)));
                format!("code {} {state:?}", code.expose_secret())
            }
            Ok(Completion::Callback { status, body }) => {
                assert!(self.script.rules.delivery == Delivery::FollowThrough && (200..=299).contains(&status));
                assert_eq!(output, "Ok(Callback(…))");
                format!("callback {status} {body:?}")
            }
            Ok(Completion::CallbackRefused { status, body, .. }) => {
                assert!(status >= 400 && output == "Ok(CallbackRefused(…))");
                format!("callback refused {status} {body:?}")
            }
            Ok(Completion::Ended) => {
                assert!(self.script.rules.delivery != Delivery::Relay);
                "ended".to_owned()
            }
            Err(Failure::Denied(denial)) => {
                let error = denial.error.unwrap_or_default();
                self.assert_no_secret(&error);
                let description = denial.description.map(|text| text.expose_secret().to_owned()).unwrap_or_default();
                self.assert_no_secret(&description);
                assert!(description.chars().count() <= 200);
                format!("denied {error} {description}")
            }
            // No other failure contains text from the operator.
            Err(failure) => format!("{failure:?} {title:?}"),
        };
        self.requests.push(text);
    }

    /// Reports contain no secret of this flow.
    fn assert_no_secret(&self, text: &str) {
        let lower = text.to_ascii_lowercase();
        let secrets = [self.script.own_state(), Some(self.script.session.to_owned()), Some(NUMBER[4..].to_owned())];
        for secret in secrets.into_iter().flatten().filter(|secret| secret.len() >= 4 && secret != "•••") {
            assert!(!lower.contains(&secret.to_ascii_lowercase()), "{text:?} shows {secret:?}");
        }
    }
}
