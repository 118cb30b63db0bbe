//! The walk as a specification: one row per rule. No I/O; every row drives the production state
//! machine.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use number_verify::internals::{
    AllowedHosts, Completion, CookieJar, Delivery, Failure, Head, Next, Redactor, Request, Rules, StartResponse,
    Unreadable, Walk, is_forbidden,
};
use proptest::prelude::*;
use secrecy::{ExposeSecret, SecretString};
use std::net::IpAddr;
use url::{Host, Url};

/// state S, `redirect_uri` <https://cb.test/cb>.
const AUTH: &str = "https://op.test/a/b?x=1&state=S&redirect_uri=https%3A%2F%2Fcb.test%2Fcb";
/// state S, no `redirect_uri`.
const WITHOUT_REDIRECT_URI: &str = "https://op.test/a/b?state=S";
/// `redirect_uri` <https://cb.test/cb>, no state.
const STATELESS: &str = "https://op.test/a/b?redirect_uri=https%3A%2F%2Fcb.test%2Fcb";

// ---- input ---------------------------------------------------------------------------------------------------------

#[derive(Clone)]
struct Input {
    auth_url: String,
    redirect_uri: Option<&'static str>,
    state: Option<&'static str>,
    rules: Rules,
}

fn input(auth_url: &str, delivery: Delivery) -> Input {
    let rules = Rules {
        delivery,
        cleartext: true,
        redirect_limit: 15,
        allowed_hosts: AllowedHosts::these([("127.0.0.1".to_owned(), 8443)]),
        configured_redirect_uri: None,
        backend_origin: Some(Url::parse("https://api.test").unwrap().origin()),
    };
    Input { auth_url: auth_url.to_owned(), redirect_uri: None, state: None, rules }
}

fn relay() -> Input {
    input(AUTH, Delivery::Relay)
}

impl Input {
    fn with_redirect_uri(self, redirect_uri: &'static str) -> Self {
        Self { redirect_uri: Some(redirect_uri), ..self }
    }

    fn with_state(self, state: &'static str) -> Self {
        Self { state: Some(state), ..self }
    }

    fn configured(mut self, redirect_uri: &str) -> Self {
        self.rules.configured_redirect_uri = Some(redirect_uri.to_owned());
        self
    }

    fn begin(self, cookies: CookieJar) -> Result<(Walk, Request), String> {
        let Self { auth_url, redirect_uri, state, rules } = self;
        let start = StartResponse {
            auth_url: auth_url.into(),
            redirect_uri: redirect_uri.map(str::to_owned),
            state: state.map(SecretString::from),
            session: Some("SESSION".into()),
        };
        Walk::begin(start, rules, cookies, Redactor::new()).map_err(|reason| format!("start: {reason:?}"))
    }
}

#[derive(Debug, Clone)]
struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

fn status(status: u16) -> Reply {
    Reply { status, headers: HeaderMap::new(), body: Vec::new() }
}

fn body(code: u16, body: &str) -> Reply {
    Reply { body: body.as_bytes().to_vec(), ..status(code) }
}

/// A 302 to this location.
fn to(location: &str) -> Reply {
    status(302).with(header::LOCATION, location.as_bytes())
}

impl Reply {
    fn with(mut self, name: HeaderName, value: &[u8]) -> Self {
        self.headers.append(name, HeaderValue::from_bytes(value).unwrap());
        self
    }

    fn setting(self, cookie: &str) -> Self {
        self.with(header::SET_COOKIE, cookie.as_bytes())
    }
}

// ---- output --------------------------------------------------------------------------------------------------------

/// The outcome of these responses as text: the next request, or how the walk ended.
fn walk(input: Input, replies: &[Reply]) -> String {
    let (mut walk, mut request) = match input.begin(CookieJar::new()) {
        Ok(begun) => begun,
        Err(reason) => return reason,
    };
    for reply in replies {
        match walk.on_head(&Head { status: reply.status, headers: &reply.headers }) {
            Next::Follow(next) => request = next,
            Next::ReadBody(response) => {
                return response.read(&reply.body).map_or_else(|failure| failed(&failure), |end| done(&end));
            }
            Next::Done(completion) => return done(&completion),
            Next::Fail(failure) => return failed(&failure),
        }
    }
    let with = |name: &str, value: Option<&str>| value.map(|value| format!(" {name}={value}")).unwrap_or_default();
    let cookie = request.cookie.as_ref().map(|cookie| cookie.to_str().unwrap());
    let session = request.session.as_ref().map(ExposeSecret::expose_secret);
    format!("GET {}{}{}", request.url, with("cookie", cookie), with("session", session))
}

/// The outcome if the body of the last of these responses cannot be read; "needed" if it decides.
fn unreadable(input: Input, replies: &[Reply], why: Unreadable) -> String {
    let (mut walk, _) = input.begin(CookieJar::new()).unwrap();
    for reply in replies {
        if let Next::ReadBody(body) = walk.on_head(&Head { status: reply.status, headers: &reply.headers }) {
            let outcome = body.unreadable(why);
            return outcome
                .map_or_else(|| "needed".to_owned(), |end| end.map_or_else(|end| failed(&end), |end| done(&end)));
        }
    }
    panic!("no body")
}

/// Reads this body of a 200 response.
fn read(walk: &mut Walk, body: &[u8]) -> Result<Completion, Failure> {
    match walk.on_head(&Head { status: 200, headers: &HeaderMap::new() }) {
        Next::ReadBody(response) => response.read(body),
        _ => panic!("the body must be read"),
    }
}

fn done(completion: &Completion) -> String {
    match completion {
        Completion::Code { code, state: None } => format!("code {}", code.expose_secret()),
        Completion::Code { code, state: Some(state) } => {
            format!("code {} state {}", code.expose_secret(), state.expose_secret())
        }
        Completion::Callback { status, .. } => format!("callback {status}"),
        Completion::CallbackRefused { status, retry_after: Some(when), .. } => {
            format!("callback refused {status} until {}", when.to_str().unwrap())
        }
        Completion::CallbackRefused { status, .. } => format!("callback refused {status}"),
        Completion::Ended => "ended".to_owned(),
    }
}

fn failed(failure: &Failure) -> String {
    match failure {
        Failure::BadLocation => "bad_location".to_owned(),
        Failure::ForbiddenRedirect => "forbidden_redirect".to_owned(),
        Failure::TooManyRedirects => "too_many_redirects".to_owned(),
        Failure::RedirectLoop => "redirect_loop".to_owned(),
        Failure::HttpStatus(status) => format!("http_status {status}"),
        Failure::UnexpectedPage => "unexpected_page".to_owned(),
        Failure::MalformedResponse => "malformed_response".to_owned(),
        Failure::LostRedirectUri => "lost_redirect_uri".to_owned(),
        Failure::StateMismatch => "state_mismatch".to_owned(),
        Failure::Denied(denial) => format!("denied {}", denial.error.as_deref().unwrap_or("?")),
    }
}

// ---- the tables ---------------------------------------------------------------------------------------------------------

#[test]
fn locations() {
    for (name, location, expected) in [
        ("relative", "c", "GET https://op.test/a/c"),
        ("from the root", "/c?y=2", "GET https://op.test/c?y=2"),
        ("query only", "?y=2", "GET https://op.test/a/b?y=2"),
        ("empty query", "?", "GET https://op.test/a/b?"),
        ("scheme-relative", "//other.test/c", "GET https://other.test/c"),
        ("one slash too many", "///other.test/c", "GET https://other.test/c"),
        ("backslashes", "\\\\other.test\\c", "GET https://other.test/c"),
        ("dot segments", "../x/%2e%2e/c", "GET https://op.test/c"),
        ("tab inside", "/c\td", "GET https://op.test/cd"),
        ("escapes stay", "/%2f%zz+", "GET https://op.test/%2f%zz+"),
        ("raw UTF-8", "/é", "GET https://op.test/%C3%A9"),
        ("fragment is not sent", "/c#f", "GET https://op.test/c"),
        ("punycode", "https://xn--mnchen-3ya.test/", "GET https://xn--mnchen-3ya.test/"),
        ("empty", "", "bad_location"),
        ("unparsable", "https://[::1", "bad_location"),
        ("unknown scheme", "otherapp://cb?code=C&state=S", "forbidden_redirect"),
        ("javascript", "javascript:alert(1)", "forbidden_redirect"),
        ("userinfo", "https://user@op.test/", "forbidden_redirect"),
        ("empty userinfo", "https://@op.test/", "forbidden_redirect"),
        ("userinfo at redirect_uri", "https://x@cb.test/cb?code=C&state=S", "forbidden_redirect"),
        ("non-ASCII host", "https://Aé.test/", "bad_location"),
        ("non-ASCII host, ftp", "ftp://Aé.test/", "bad_location"),
        ("non-ASCII host, ws", "ws://Aé.test/", "bad_location"),
        ("non-ASCII host, wss", "wss://Aé.test/", "bad_location"),
        ("non-ASCII host, file", "file://Aé.test/", "bad_location"),
        ("non-ASCII host, backslashes", "ftp:\\\\Aé.test", "bad_location"),
        ("non-ASCII host, no slash", "WS:Aé.test", "bad_location"),
        ("non-ASCII host, many slashes", "ftp:////Aé.test", "bad_location"),
        ("non-ASCII host, tab in the scheme", "f\ttp://Aé.test/", "bad_location"),
        ("non-ASCII host, tab between the slashes", "wss:/\t/Aé.test/", "bad_location"),
        ("non-ASCII host behind userinfo", "ftp://a:b@Aé.test/", "bad_location"),
        ("percent-encoded host", "ftp://A%C3%A9.test/", "bad_location"),
        ("percent-encoded ASCII host", "https://%6fp.test/", "bad_location"),
        ("percent sign in the host", "file://op%.test/", "bad_location"),
        ("xn-- before non-ASCII", "ftp://xn--Aé/", "bad_location"),
        ("xn-- without a label", "https://xn--/", "bad_location"),
        ("invalid punycode", "https://xn--a-/", "bad_location"),
        ("right-to-left mark in an xn-- label", "https://a.XN--3ug.test/", "bad_location"),
        ("the same, tab in the prefix", "https://xn\t--3ug/", "bad_location"),
        ("non-ASCII opaque host", "otherapp://Aé", "forbidden_redirect"),
        ("non-ASCII path behind a scheme", "ftp://op.test/Aé", "forbidden_redirect"),
        ("non-ASCII path and query", "/Aé?é=%C3", "GET https://op.test/A%C3%A9?%C3%A9=%C3"),
    ] {
        assert_eq!(walk(relay(), &[to(location)]), expected, "{name}");
    }
    let twice = |other: &str| to("/c").with(header::LOCATION, other.as_bytes());
    assert_eq!(walk(relay(), &[twice("/c")]), "GET https://op.test/c", "repeated identically");
    assert_eq!(walk(relay(), &[twice("/d")]), "bad_location", "repeated differently");
    assert_eq!(walk(relay(), &[status(302)]), "bad_location", "missing");
    assert_eq!(walk(relay(), &[to(&"a".repeat(16 * 1024 + 1))]), "bad_location", "over 16 KiB");
}

#[test]
#[rustfmt::skip] // one row, one line
fn redirect_uris() {
    const LOCALHOST: &str = "http://localhost:3000/cb";
    let with_query = |query: &str| input(&format!("https://op.test/a?state=S{query}"), Delivery::Relay);
    let without_redirect_uri = || with_query("");
    for (name, input, location, expected) in [
        ("of the auth URL", relay(), "https://cb.test/cb?code=C&state=S", "code C state S"),
        ("of the start response", without_redirect_uri().with_redirect_uri("myapp://cb"), "myapp://cb?code=C&state=S", "code C state S"),
        ("of the configuration", without_redirect_uri().configured("myapp:cb"), "myapp:cb?code=C&state=S", "code C state S"),
        ("configuration has the lowest precedence", relay().configured("myapp:cb"), "myapp:cb?code=C&state=S", "forbidden_redirect"),
        ("specified twice, differing in host case", input("https://op.test/a?state=S&redirect_uri=myapp%3A%2F%2FCb%2Fx", Delivery::Relay).with_redirect_uri("myapp://cb/x"), "myapp://cb/x?code=C&state=S", "code C state S"),
        ("specified twice, identical", relay().with_redirect_uri("https://CB.test/cb"), "https://cb.test/cb?code=C&state=S", "code C state S"),
        ("case of scheme and host", relay(), "HTTPS://CB.TEST/cb?code=C&state=S", "code C state S"),
        ("default port", relay(), "https://cb.test:443/cb?code=C&state=S", "code C state S"),
        ("custom scheme's host case", with_query("&redirect_uri=myApp://Cb"), "myapp://cB/?code=C&state=S", "code C state S"),
        ("localhost", without_redirect_uri().with_redirect_uri(LOCALHOST), "http://localhost:3000/cb?code=C&state=S", "code C state S"),
        ("other path", relay(), "https://cb.test/cb2?code=C", "GET https://cb.test/cb2?code=C"),
        ("other port", relay(), "https://cb.test:8443/cb?code=C", "GET https://cb.test:8443/cb?code=C"),
        ("longer host", relay(), "https://cb.test.evil.test/cb?code=C", "GET https://cb.test.evil.test/cb?code=C"),
        ("http instead of https", relay(), "http://cb.test/cb?code=C", "forbidden_redirect"),
        ("own query preserved", without_redirect_uri().with_redirect_uri("myapp://cb?a=1"), "myapp://cb?code=C&a=1&state=S", "code C state S"),
        ("own query lost", without_redirect_uri().with_redirect_uri("myapp://cb?a=1"), "myapp://cb?code=C&state=S", "lost_redirect_uri"),
        ("trailing slash", relay(), "https://cb.test/cb/?code=C&state=S", "lost_redirect_uri"),
        ("another scheme", relay(), "http://cb.test/cb?code=C&state=S", "lost_redirect_uri"),
        ("an app's scheme", relay(), "myapp://cb.test/cb?code=C&state=S", "lost_redirect_uri"),
        ("another port", relay(), "https://cb.test:8443/cb?code=C&state=S", "lost_redirect_uri"),
        ("escaped slash", relay(), "https://cb.test%2Fcb?code=C&state=S", "bad_location"),
        ("escaped slash in the path", relay(), "https://cb.test/%2Fcb?code=C&state=S", "lost_redirect_uri"),
        ("another path", relay(), "https://CB.test./?state=S&code=C", "lost_redirect_uri"),
        ("in the fragment", relay(), "https://cb.test/cb/#code=C&state=S", "lost_redirect_uri"),
        ("state encoded", relay(), "https://cb.test/cb/?code=C&state=%2553", "lost_redirect_uri"),
        ("followed through", input(AUTH, Delivery::FollowThrough), "https://cb.test/cb/?code=C&state=S", "lost_redirect_uri"),
        ("another host's code", relay(), "https://op.test/cb?code=C&state=S", "GET https://op.test/cb?code=C&state=S"),
        ("its host, another state", relay(), "https://cb.test/login?code=C&state=T", "GET https://cb.test/login?code=C&state=T"),
        ("its host, no code", relay(), "https://cb.test/login?state=S", "GET https://cb.test/login?state=S"),
        ("unknown, code passes", without_redirect_uri(), "https://cb.test/cb?code=C&state=S", "lost_redirect_uri"),
        ("unknown, error passes", without_redirect_uri(), "myapp://cb?error=e&state=S", "lost_redirect_uri"),
        ("unknown, code in the fragment", without_redirect_uri(), "https://cb.test/cb#code=C&state=S", "lost_redirect_uri"),
        ("unknown, other state", without_redirect_uri(), "https://x.test/?code=C&state=T", "GET https://x.test/?code=C&state=T"),
        ("unknown, state alone", without_redirect_uri(), "https://x.test/?state=S", "GET https://x.test/?state=S"),
    ] {
        assert_eq!(walk(input, &[to(location)]), expected, "{name}");
    }
}

#[test]
fn parameters_at_redirect_uri() {
    for (name, auth_url, parameters, expected) in [
        ("code and state", AUTH, "?code=C&state=S", "code C state S"),
        ("in the fragment", AUTH, "#code=C&state=S", "code C state S"),
        ("never mixed", AUTH, "?state=S#code=C", "malformed_response"),
        ("never mixed, state", AUTH, "?code=C#state=S", "state_mismatch"),
        ("decoded", AUTH, "?code=a%2Fb+c&state=S", "code a/b c state S"),
        ("other parameters", AUTH, "?iss=op&code=C&session_state=1&state=S", "code C state S"),
        ("other state", AUTH, "?code=C&state=T", "state_mismatch"),
        ("state in other case", AUTH, "?code=C&state=s", "state_mismatch"),
        ("no state", AUTH, "?code=C", "state_mismatch"),
        ("repeated state", AUTH, "?code=C&state=S&state=S", "state_mismatch"),
        ("error with other state", AUTH, "?error=access_denied&state=T", "state_mismatch"),
        ("error without state", AUTH, "?error=access_denied", "denied access_denied"),
        ("error with an empty state", AUTH, "?error=access_denied&state=", "denied access_denied"),
        ("error without state, in the fragment", AUTH, "#error=login_required", "denied login_required"),
        ("only a description, without state", AUTH, "?error_description=no", "denied ?"),
        ("error with a state in other case", AUTH, "?error=access_denied&state=s", "state_mismatch"),
        ("error with two states", AUTH, "?error=access_denied&state=S&state=T", "state_mismatch"),
        ("error and code, without state", AUTH, "?error=access_denied&code=C", "malformed_response"),
        ("empty error with a code", AUTH, "?error=&code=C&state=S", "code C state S"),
        ("null error with a code", AUTH, "?error=null&code=C&state=S", "code C state S"),
        ("false error with a code", AUTH, "?code=C&state=S&error=false", "code C state S"),
        ("empty error with a code, without state", AUTH, "?error=&code=C", "state_mismatch"),
        ("an empty and a real error with a code", AUTH, "?error=&error=e&code=C&state=S", "malformed_response"),
        ("unrequested state", STATELESS, "?code=C&state=T", "code C state T"),
        ("repeated state that was not requested", STATELESS, "?code=C&state=S&state=T", "malformed_response"),
        ("no state, none requested", STATELESS, "?code=C", "code C"),
        ("empty state, none requested", STATELESS, "?code=C&state=", "code C"),
        ("error", AUTH, "?error=access_denied&state=S", "denied access_denied"),
        ("error in the fragment", AUTH, "#error=server_error&state=S", "denied server_error"),
        ("only a description", STATELESS, "#error_description=no%20luck", "denied ?"),
        ("only a description, other state", AUTH, "?error_description=no&state=T", "state_mismatch"),
        ("only a description, with a code", AUTH, "?error_description=fine&code=C&state=S", "code C state S"),
        ("only an empty description", STATELESS, "?error_description=", "malformed_response"),
        ("error that is prose", AUTH, "?error=no%20way&state=S", "denied ?"),
        ("error with a secret in it", STATELESS, "?error=no_topsecret&state=topsecret", "denied ?"),
        ("error and code", AUTH, "?error=access_denied&code=C&state=S", "malformed_response"),
        ("repeated error", AUTH, "?error=a&error=b&state=S", "malformed_response"),
        ("repeated code", AUTH, "?code=C&code=C&state=S", "malformed_response"),
        ("empty code", AUTH, "?code=&state=S", "malformed_response"),
        ("code that is not UTF-8", AUTH, "?code=%ff&state=S", "malformed_response"),
        ("no code", AUTH, "?state=S", "malformed_response"),
    ] {
        let location = format!("https://cb.test/cb{parameters}");
        assert_eq!(walk(input(auth_url, Delivery::Relay), &[to(&location)]), expected, "{name}");
    }
}

/// Operators that return the state in a different encoding of the same text.
#[test]
fn states_returned_in_another_encoding() {
    let walked = |sent: &'static str, echoed: &str| {
        let auth = input("https://op.test/a?redirect_uri=https%3A%2F%2Fcb.test%2Fcb", Delivery::Relay);
        walk(auth.with_state(sent), &[to(&format!("https://cb.test/cb?code=C&state={echoed}"))])
    };
    for (sent, echoed) in [
        ("a+b/c==", "a+b/c=="),
        ("a+b/c==", "a%2Bb%2Fc%3D%3D"),
        ("a+b/c==", "a+b%2fc%3d%3d"),
        ("a+b/c==", "a%252Bb%252Fc%253D%253D"),
        ("a b", "a+b"),
        ("a b", "a%20b"),
        ("a b", "a%2Bb"),
        ("a b", "a%2520b"),
        ("a%2Bb", "a%2Bb"),
        ("a%2Bb", "a%252Bb"),
        ("\u{e9}", "%C3%A9"),
        ("\u{e9}", "%25C3%25A9"),
    ] {
        assert_eq!(walked(sent, echoed), format!("code C state {sent}"), "{sent} as {echoed}");
    }
    for (sent, echoed) in [
        ("a+b", "ab"),
        ("a+b", "a-b"),
        ("a+b", "A%2BB"),
        ("a+b", "a%25252Bb"),
        ("a+b", "a+b+"),
        ("a b", "ab"),
        ("a", "a%00"),
        ("a", ""),
        ("a%2Bb", "a%2Cb"),
    ] {
        assert_eq!(walked(sent, echoed), "state_mismatch", "{sent} as {echoed}");
    }
}

#[test]
fn json_responses() {
    for (name, json, expected) in [
        ("code", r#"{"code":"C"}"#, "code C"),
        ("code and state", r#"{"code":"C","state":"S"}"#, "code C state S"),
        ("null state", r#"{"code":"C","state":null}"#, "code C"),
        ("null error", r#"{"code":"C","error":null}"#, "code C"),
        ("byte order mark", "\u{feff}{\"code\":\"C\"}", "code C"),
        ("same code twice", r#"{"code":"C","code":"C"}"#, "code C"),
        ("different codes", r#"{"code":"C","code":"D"}"#, "malformed_response"),
        ("other state", r#"{"code":"C","state":"T"}"#, "state_mismatch"),
        ("state is not a string", r#"{"code":"C","state":1}"#, "state_mismatch"),
        ("different states", r#"{"code":"C","state":"S","state":"T"}"#, "state_mismatch"),
        ("empty code", r#"{"code":""}"#, "malformed_response"),
        ("code is a number", r#"{"code":1}"#, "malformed_response"),
        ("code is null", r#"{"code":null}"#, "malformed_response"),
        ("error", r#"{"error":"access_denied"}"#, "denied access_denied"),
        ("error with a null code", r#"{"error":"access_denied","code":null}"#, "denied access_denied"),
        ("error is an object", r#"{"error":{"code":1}}"#, "denied ?"),
        ("error and code", r#"{"error":"e","code":"C"}"#, "denied e"),
        ("CAMARA error", r#"{"status":403,"code":"PERMISSION_DENIED","message":"m"}"#, "denied PERMISSION_DENIED"),
        ("CAMARA error, null error", r#"{"status":403,"code":"X","error":null}"#, "denied X"),
        ("false error", r#"{"code":"C","error":false}"#, "code C"),
        ("empty error", r#"{"code":"C","error":""}"#, "code C"),
        ("error is the text null", r#"{"code":"C","error":"null"}"#, "code C"),
        ("error is true", r#"{"code":"C","error":true}"#, "denied ?"),
        ("CAMARA error, status as text", r#"{"status":"403","code":"PERMISSION_DENIED"}"#, "denied PERMISSION_DENIED"),
        ("CAMARA error, status as text with blanks", r#"{"status":" 404.0 ","code":"X"}"#, "denied X"),
        ("status 200 as text with a code", r#"{"status":"200","code":"C"}"#, "code C"),
        ("NUL at the end", "{\"code\":\"C\"}\0", "code C"),
        ("status 200 with a code", r#"{"status":200,"code":"C"}"#, "code C"),
        ("status that is text", r#"{"status":"ok","code":"C"}"#, "code C"),
        ("no known fields", r#"{"hello":"world"}"#, "unexpected_page"),
        ("an array", r#"[{"code":"C"}]"#, "unexpected_page"),
        ("nested code", r#"{"data":{"code":"C"}}"#, "unexpected_page"),
        ("trailing data", r#"{"code":"C"}x"#, "unexpected_page"),
    ] {
        assert_eq!(walk(relay(), &[body(200, json)]), expected, "{name}");
    }
    let json = r#"{"code":"C","state":1}"#;
    assert_eq!(walk(input(STATELESS, Delivery::Relay), &[body(200, json)]), "malformed_response", "unrequested state");
    assert_eq!(
        walk(input(WITHOUT_REDIRECT_URI, Delivery::Relay), &[body(200, r#"{"code":"C"}"#)]),
        "code C",
        "no redirect_uri"
    );
}

#[test]
#[rustfmt::skip] // one row, one line
fn unreadable_bodies() {
    use Unreadable::{Broken, TooLarge};
    let callback = || to("https://cb.test/cb?code=C&state=S");
    for (name, delivery, replies, why, expected) in [
        ("broken page", Delivery::Relay, vec![status(200)], Broken, "needed"),
        ("large page", Delivery::Relay, vec![status(200)], TooLarge, "needed"),
        ("the highest status of a page", Delivery::Relay, vec![status(399)], Broken, "needed"),
        ("the lowest error status", Delivery::Relay, vec![status(400)], Broken, "http_status 400"),
        ("error status of a large page", Delivery::Relay, vec![status(500)], TooLarge, "http_status 500"),
        ("without a code", Delivery::NoCode, vec![status(200)], Broken, "ended"),
        ("without a code, large", Delivery::NoCode, vec![status(200)], TooLarge, "ended"),
        ("broken result of the callback", Delivery::FollowThrough, vec![callback(), status(200)], Broken, "needed"),
        ("large page of the callback", Delivery::FollowThrough, vec![callback(), status(200)], TooLarge, "ended"),
        ("large page before the callback", Delivery::FollowThrough, vec![status(200)], TooLarge, "needed"),
        ("broken error of the callback", Delivery::FollowThrough, vec![callback(), status(400)], Broken, "callback refused 400"),
    ] {
        assert_eq!(unreadable(input(AUTH, delivery), &replies, why), expected, "{name}");
    }
}

#[test]
fn statuses() {
    const DENIED: &str = r#"{"error":"login_required"}"#;
    for (name, reply, expected) in [
        ("200 page", body(200, "<html>"), "unexpected_page"),
        ("200 empty", status(200), "unexpected_page"),
        ("204", status(204), "unexpected_page"),
        ("201 with code", body(201, r#"{"code":"C"}"#), "code C"),
        ("301", Reply { status: 301, ..to("/c") }, "GET https://op.test/c"),
        ("303", Reply { status: 303, ..to("/c") }, "GET https://op.test/c"),
        ("307", Reply { status: 307, ..to("/c") }, "GET https://op.test/c"),
        ("308", Reply { status: 308, ..to("/c") }, "GET https://op.test/c"),
        ("300", Reply { status: 300, ..to("/c") }, "http_status 300"),
        ("304", Reply { status: 304, ..to("/c") }, "http_status 304"),
        ("305", Reply { status: 305, ..to("/c") }, "http_status 305"),
        ("403 page", body(403, "<html>"), "http_status 403"),
        ("403 with error", body(403, DENIED), "denied login_required"),
        ("400 CAMARA", body(400, r#"{"status":400,"code":"INVALID_ARGUMENT"}"#), "denied INVALID_ARGUMENT"),
        ("400 with a code only", body(400, r#"{"code":"C"}"#), "http_status 400"),
        ("503", status(503), "http_status 503"),
        ("200 with Location", Reply { status: 200, ..to("/c") }, "unexpected_page"),
    ] {
        assert_eq!(walk(relay(), &[reply]), expected, "{name}");
    }
}

#[test]
#[rustfmt::skip] // one row, one line
fn cleartext() {
    let never = || {
        let mut input = relay();
        input.rules.cleartext = false;
        input
    };
    let backend = |url: &str| {
        let mut input = relay();
        input.rules.backend_origin = Some(Url::parse(url).unwrap().origin());
        input
    };
    let http = || to("http://he.op.test/");
    for (name, input, replies, expected) in [
        ("header-enrichment hop", relay(), vec![http()], "GET http://he.op.test/"),
        ("and back to https", relay(), vec![http(), to("https://op.test/c")], "GET https://op.test/c"),
        ("turned off", never(), vec![http()], "forbidden_redirect"),
        ("a code without state", relay(), vec![to("http://op.test/?code=C")], "GET http://op.test/?code=C"),
        ("a state without a code", relay(), vec![to("http://op.test/?x=1&state=S")], "GET http://op.test/?x=1&state=S"),
        ("code with state", relay(), vec![to("http://op.test/?code=C&state=x")], "forbidden_redirect"),
        ("redirect_uri's host", relay(), vec![to("http://cb.test/other")], "forbidden_redirect"),
        ("backend's host", relay(), vec![to("http://api.test/")], "forbidden_redirect"),
        ("backend's host, other port", relay(), vec![to("http://api.test:8080/")], "forbidden_redirect"),
        ("backend's host in other case with a trailing dot", relay(), vec![to("http://API.test./")], "forbidden_redirect"),
        ("backend's host with a trailing dot in the setting", backend("https://api.test.:8443"), vec![to("http://api.test/")], "forbidden_redirect"),
        ("backend's host as a number", backend("https://10.0.0.1"), vec![to("http://0xa000001/")], "forbidden_redirect"),
        ("backend's host over https", relay(), vec![to("https://api.test/")], "GET https://api.test/"),
        ("a subdomain of the backend's host", relay(), vec![to("http://he.api.test/")], "GET http://he.api.test/"),
        ("http backend itself, in development", backend("http://127.0.0.1:8443"), vec![to("http://127.0.0.1:8443/cb")], "GET http://127.0.0.1:8443/cb"),
        ("http backend's host, other port", backend("http://api.test:8080"), vec![to("http://api.test/")], "forbidden_redirect"),
        ("code to redirect_uri", relay(), vec![http(), to("https://cb.test/cb?code=C&state=S")], "forbidden_redirect"),
        ("the same in a fragment", relay(), vec![http(), to("https://cb.test/cb#code=C&state=S")], "forbidden_redirect"),
        ("error to redirect_uri", relay(), vec![http(), to("https://cb.test/cb?error=e&state=S")], "denied e"),
        ("code in JSON", relay(), vec![http(), body(200, r#"{"code":"C"}"#)], "forbidden_redirect"),
        ("error in JSON", relay(), vec![http(), body(200, r#"{"error":"e"}"#)], "denied e"),
        ("page", relay(), vec![http(), body(200, "<html>")], "unexpected_page"),
    ] {
        assert_eq!(walk(input, &replies), expected, "{name}");
    }
}

#[test]
fn addresses() {
    for (name, location, expected) in [
        ("loopback", "https://127.0.0.1/", "forbidden_redirect"),
        ("loopback as a number", "https://2130706433/", "forbidden_redirect"),
        ("loopback in hex", "http://0x7f.1/", "forbidden_redirect"),
        ("loopback, IPv6", "https://[::1]/", "forbidden_redirect"),
        ("IPv4-mapped", "https://[::ffff:127.0.0.1]/", "forbidden_redirect"),
        ("IPv4-compatible", "https://[::127.0.0.1]/", "forbidden_redirect"),
        ("NAT64", "https://[64:ff9b::a9fe:a9fe]/", "forbidden_redirect"),
        ("metadata service", "http://169.254.169.254/", "forbidden_redirect"),
        ("unspecified", "https://0.0.0.0/", "forbidden_redirect"),
        ("multicast", "https://224.0.0.1/", "forbidden_redirect"),
        ("broadcast", "https://255.255.255.255/", "forbidden_redirect"),
        ("link-local, IPv6", "https://[fe80::1]/", "forbidden_redirect"),
        ("port 0", "https://op.test:0/", "forbidden_redirect"),
        ("private", "https://10.1.2.3/", "GET https://10.1.2.3/"),
        ("carrier-grade NAT", "http://100.64.0.1/", "GET http://100.64.0.1/"),
        ("unique local", "https://[fd00::1]/", "GET https://[fd00::1]/"),
        ("exempt", "https://127.0.0.1:8443/", "GET https://127.0.0.1:8443/"),
        ("exempt on another port", "https://127.0.0.1:8444/", "forbidden_redirect"),
    ] {
        assert_eq!(walk(relay(), &[to(location)]), expected, "{name}");
    }
}

#[test]
#[rustfmt::skip] // one row, one line
fn follow_through() {
    const BACKENDS: &str = "https://op.test/?state=S&redirect_uri=https://api.test/cb";
    const CALLBACK: &str = "https://cb.test/cb?code=C&state=S";
    let follow = || input(AUTH, Delivery::FollowThrough);
    let backends = || input(BACKENDS, Delivery::FollowThrough);
    let without_redirect_uri = || input(WITHOUT_REDIRECT_URI, Delivery::FollowThrough);
    let callback = || to(CALLBACK);
    for (name, input, replies, expected) in [
        ("the backend's origin gets the session", backends(), vec![to("https://api.test/cb?code=C&state=S")], "GET https://api.test/cb?code=C&state=S session=SESSION"),
        ("from the auth URL alone: no session", follow(), vec![callback()], "GET https://cb.test/cb?code=C&state=S"),
        ("from the start response", follow().with_redirect_uri("https://cb.test/cb"), vec![callback()], "GET https://cb.test/cb?code=C&state=S session=SESSION"),
        ("from the configuration", without_redirect_uri().configured("https://cb.test/cb"), vec![callback()], "GET https://cb.test/cb?code=C&state=S session=SESSION"),
        ("from the auth URL, as configured", follow().configured("https://cb.test/cb"), vec![callback()], "GET https://cb.test/cb?code=C&state=S session=SESSION"),
        ("from the auth URL, another one configured: no session", follow().configured("https://other.test/cb"), vec![callback()], "GET https://cb.test/cb?code=C&state=S"),
        ("no session before the callback", backends(), vec![to("https://api.test/other")], "GET https://api.test/other"),
        ("result", follow(), vec![callback(), body(200, r#"{"verified":true}"#)], "callback 200"),
        ("refused", follow(), vec![callback(), body(403, "{}")], "callback refused 403"),
        ("broken", follow(), vec![callback(), status(502)], "callback refused 502"),
        ("busy", follow(), vec![callback(), status(429).with(header::RETRY_AFTER, b"7")], "callback refused 429 until 7"),
        ("page", follow(), vec![callback(), body(200, "<html>")], "ended"),
        ("no content", follow(), vec![callback(), status(204)], "ended"),
        ("redirected on", follow(), vec![callback(), to("https://cb.test/done")], "ended"),
        ("redirected nowhere", follow(), vec![callback(), status(302)], "ended"),
        ("error is not fetched", follow(), vec![to("https://cb.test/cb?error=e&state=S")], "denied e"),
        ("other state is not fetched", follow(), vec![to("https://cb.test/cb?code=C&state=T")], "state_mismatch"),
        ("no code is not fetched", follow(), vec![to("https://cb.test/cb?state=S")], "malformed_response"),
        ("two codes are not fetched", follow(), vec![to("https://cb.test/cb?code=C&code=D&state=S")], "malformed_response"),
        ("custom scheme", without_redirect_uri().with_redirect_uri("myapp://cb"), vec![to("myapp://cb?code=C&state=S")], "forbidden_redirect"),
        ("http", without_redirect_uri().with_redirect_uri("http://cb.test/cb"), vec![to("http://cb.test/cb?code=C&state=S")], "forbidden_redirect"),
        ("loopback", without_redirect_uri().with_redirect_uri("https://127.0.0.1/cb"), vec![to("https://127.0.0.1/cb?code=C&state=S")], "forbidden_redirect"),
        ("JSON before redirect_uri", follow(), vec![body(200, r#"{"code":"C"}"#)], "code C"),
        ("unknown redirect_uri", without_redirect_uri(), vec![callback()], "lost_redirect_uri"),
    ] {
        assert_eq!(walk(input, &replies), expected, "{name}");
    }
}

#[test]
#[rustfmt::skip] // one row, one line
fn no_code() {
    let none = || input(AUTH, Delivery::NoCode);
    let callback = |parameters: &str| to(&format!("https://cb.test/cb{parameters}"));
    for (name, input, replies, expected) in [
        ("page", none(), vec![body(200, "<html>")], "ended"),
        ("no content", none(), vec![status(204)], "ended"),
        ("code in JSON", none(), vec![body(200, r#"{"code":"C"}"#)], "ended"),
        ("error in JSON", none(), vec![body(200, r#"{"error":"e"}"#)], "denied e"),
        ("status", none(), vec![status(500)], "http_status 500"),
        ("redirect_uri is a hop", none(), vec![callback("?code=C&state=S")], "GET https://cb.test/cb?code=C&state=S"),
        ("and its page ends the walk", none(), vec![callback("?code=C&state=S"), body(200, "<html>")], "ended"),
        ("redirected further", none(), vec![callback("?code=C&state=S"), to("/x")], "GET https://cb.test/x"),
        ("rejected there", none(), vec![callback("?code=C&state=S"), status(403)], "http_status 403"),
        ("without parameters", none(), vec![callback("")], "GET https://cb.test/cb"),
        ("error at redirect_uri", none(), vec![callback("?error=e&state=S")], "denied e"),
        ("other state", none(), vec![callback("?code=C&state=T")], "state_mismatch"),
        ("no state", none(), vec![callback("?code=C")], "state_mismatch"),
        ("custom scheme", none().with_redirect_uri("https://cb.test/cb"), vec![to("myapp://cb")], "forbidden_redirect"),
        ("code over http", none(), vec![to("http://he.test/"), callback("?code=C&state=S")], "forbidden_redirect"),
        ("code passes, redirect_uri unknown", input(WITHOUT_REDIRECT_URI, Delivery::NoCode), vec![to("/?code=C&state=S")], "GET https://op.test/?code=C&state=S"),
    ] {
        assert_eq!(walk(input, &replies), expected, "{name}");
    }
}

#[test]
#[rustfmt::skip] // one row, one line
fn start_responses() {
    let with = |auth_url: &str| input(auth_url, Delivery::Relay);
    let longest = format!("https://op.test/{}", "a".repeat(16 * 1024 - 16));
    for (name, input, expected) in [
        ("plain", with("https://op.test/?a=1"), "GET https://op.test/?a=1"),
        ("surrounding whitespace", with(" \r\n\thttps://op.test/ \n"), "GET https://op.test/"),
        ("fragment is not sent", with("https://op.test/#f"), "GET https://op.test/"),
        ("missing", with(" "), "start: Missing"),
        ("16 KiB", with(&longest), &format!("GET {longest}")),
        ("over 16 KiB", with(&format!("https://op.test/{}", "a".repeat(16 * 1024))), "start: Unparsable"),
        ("relative", with("/authorize"), "start: Relative"),
        ("no host", with("https://"), "start: Unparsable"),
        ("http", with("http://op.test/"), "start: NotHttps"),
        ("custom scheme", with("myapp://op"), "start: NotHttps"),
        ("userinfo", with("https://user:pw@op.test/"), "start: Userinfo"),
        ("empty userinfo", with("https://@op.test/"), "start: Userinfo"),
        ("empty userinfo behind a control character", with("\u{1}https://@op.test/"), "start: Userinfo"),
        ("loopback", with("https://127.0.0.1/"), "start: ForbiddenAddress"),
        ("port 0", with("https://op.test:0/"), "start: ForbiddenAddress"),
        ("exempt loopback", with("https://127.0.0.1:8443/"), "GET https://127.0.0.1:8443/"),
        ("private", with("https://10.0.0.1/"), "GET https://10.0.0.1/"),
        ("state specified twice, identical", with("https://op.test/?state=S&state=S"), "GET https://op.test/?state=S&state=S"),
        ("the same state in the start response", relay().with_state("S"), &format!("GET {AUTH}")),
        ("states differ", with("https://op.test/?state=S&state=T"), "start: StateDiffers"),
        ("state of the start response differs", relay().with_state("T"), "start: StateDiffers"),
        ("redirect_uris differ", with("https://op.test/?redirect_uri=a:b&redirect_uri=a:c"), "start: RedirectUriDiffers"),
        ("redirect_uri of the start response differs", relay().with_redirect_uri("https://cb.test/other"), "start: RedirectUriDiffers"),
        ("relative redirect_uri", with("https://op.test/?redirect_uri=/cb"), "start: BadRedirectUri"),
    ] {
        assert_eq!(walk(input, &[]), expected, "{name}");
    }
    let hidden = input(STATELESS, Delivery::Relay).with_state("S");
    assert_eq!(walk(hidden.clone(), &[to("https://cb.test/cb?code=C&state=S")]), "code C state S", "the state of the start response");
    assert_eq!(walk(hidden, &[to("https://cb.test/cb?code=C")]), "state_mismatch", "the state of the start response is expected");
}

#[test]
#[rustfmt::skip] // one row, one line
fn loops_and_limits() {
    let chain = |length: usize| (0..length).map(|hop| to(&format!("/{hop}"))).collect::<Vec<_>>();
    let then = |length: usize, last: Reply| [chain(length), vec![last]].concat();
    let follow = || input(AUTH, Delivery::FollowThrough);
    let callback = || to("https://cb.test/cb?code=C&state=S");
    for (name, input, replies, expected) in [
        ("15 redirects", relay(), chain(15), "GET https://op.test/14"),
        ("16 redirects", relay(), chain(16), "too_many_redirects"),
        ("the captured redirect is not counted", relay(), then(15, callback()), "code C state S"),
        ("the fetched callback is counted", follow(), then(15, callback()), "too_many_redirects"),
        ("and is accepted as the 15th", follow(), then(14, callback()), "GET https://cb.test/cb?code=C&state=S"),
        ("to itself", relay(), vec![to(AUTH)], "redirect_loop"),
        ("to itself but for the fragment", relay(), vec![to("#again")], "redirect_loop"),
        ("there and back", relay(), vec![to("/c"), to("/d"), to("/c")], "redirect_loop"),
        ("other query", relay(), vec![to("/c"), to("/c?1")], "GET https://op.test/c?1"),
        ("a new cookie makes it another request", relay(), vec![to("/c"), to("/c").setting("n=1")], "GET https://op.test/c cookie=n=1"),
        ("the same cookie again does not", relay(), vec![to("/c").setting("n=1; Path=/"), to("/c").setting("n=1; Path=/")], "redirect_loop"),
    ] {
        assert_eq!(walk(input, &replies), expected, "{name}");
    }
}

#[test]
#[rustfmt::skip] // one row, one line
fn cookies() {
    for (name, replies, expected) in [
        ("sent back", vec![to("/c").setting("s=1; Path=/")], "GET https://op.test/c cookie=s=1"),
        ("not to another host", vec![to("https://x.test/").setting("s=1")], "GET https://x.test/"),
        ("not to a subdomain", vec![to("https://x.op.test/").setting("s=1; Path=/")], "GET https://x.op.test/"),
        ("to a subdomain by Domain", vec![to("https://x.op.test/").setting("s=1; Path=/; Domain=op.test")], "GET https://x.op.test/ cookie=s=1"),
        ("Domain needs an inner dot", vec![to("/c").setting("s=1; Path=/; Domain=test")], "GET https://op.test/c"),
        ("not outside its path", vec![to("/c").setting("s=1")], "GET https://op.test/c"),
        ("longer path first", vec![to("/a/c").setting("s=1; Path=/").setting("t=2; Path=/a")], "GET https://op.test/a/c cookie=t=2; s=1"),
        ("Secure not over http", vec![to("http://op.test/c").setting("s=1; Path=/; Secure")], "GET http://op.test/c"),
        ("set over https without Secure, not over http", vec![to("http://op.test/c").setting("s=1; Path=/")], "GET http://op.test/c"),
        ("set over http, over http", vec![to("http://op.test/"), to("/c").setting("s=1; Path=/")], "GET http://op.test/c cookie=s=1"),
        ("set over http, over https", vec![to("http://op.test/"), to("https://op.test/c").setting("s=1; Path=/")], "GET https://op.test/c cookie=s=1"),
        ("http sets no __Host-", vec![to("http://op.test/"), to("https://op.test/c").setting("__Host-s=1; Path=/")], "GET https://op.test/c"),
        ("nor in other case", vec![to("http://op.test/"), to("https://op.test/c").setting("__hOsT-s=1; Path=/; Secure")], "GET https://op.test/c"),
        ("http does not remove __Host-", vec![to("http://op.test/").setting("__Host-s=1; Path=/; Secure"), to("https://op.test/c").setting("__Host-s=; Path=/; Max-Age=0")], "GET https://op.test/c cookie=__Host-s=1"),
        ("http replaces no cookie of https", vec![to("http://op.test/").setting("s=1; Path=/"), to("https://op.test/c").setting("s=2; Path=/")], "GET https://op.test/c cookie=s=1"),
        ("non-ASCII Domain", vec![to("/c").setting("s=1; Path=/; Domain=Aé.test")], "GET https://op.test/c"),
        ("http sets no Secure", vec![to("http://op.test/"), to("https://op.test/c").setting("s=1; Path=/; Secure")], "GET https://op.test/c"),
        ("http replaces no Secure", vec![to("http://op.test/").setting("s=1; Path=/; Secure"), to("https://op.test/c").setting("s=2; Path=/")], "GET https://op.test/c cookie=s=1"),
        ("removed", vec![to("/c").setting("s=1; Path=/"), to("/d").setting("s=; Path=/; Max-Age=0")], "GET https://op.test/d"),
    ] {
        assert_eq!(walk(relay(), &replies), expected, "{name}");
    }
}

#[test]
fn backend_cookies_are_sent_to_its_callback() {
    let jar = CookieJar::new();
    let session = HeaderValue::from_static("sid=1; Path=/; Secure; HttpOnly");
    jar.store(&Url::parse("https://cb.test/start").unwrap(), [&session].into_iter(), &Redactor::new());
    let (mut walk, request) = input(AUTH, Delivery::FollowThrough).begin(jar).unwrap();
    assert!(request.cookie.is_none());
    let reply = to("https://cb.test/cb?code=C&state=S");
    let Next::Follow(request) = walk.on_head(&Head { status: 302, headers: &reply.headers }) else { panic!("follow") };
    assert_eq!(request.cookie.unwrap(), "sid=1");
}

#[test]
fn page_title_is_retained_unless_it_contains_a_secret() {
    let (mut walk, _) =
        input(&AUTH.replace("state=S", "state=topsecret"), Delivery::Relay).begin(CookieJar::new()).unwrap();
    for (title, retained) in [("\n Sign  in\u{7} ", Some("Sign in")), ("Sign in, TopSecret", None)] {
        let page = format!("<html><head><title>{title}</title>");
        assert!(matches!(read(&mut walk, page.as_bytes()), Err(Failure::UnexpectedPage)));
        assert_eq!(walk.title(), retained);
    }
}

#[test]
fn redactor_knows_secrets_of_all_messages() {
    let redactor = Redactor::new();
    let start = StartResponse {
        auth_url: "https://op.test/?nonce=in-the-auth-url#in-its-fragment".into(),
        redirect_uri: None,
        state: Some("state-of-the-response".into()),
        session: Some("session-of-the-response".into()),
    };
    let (mut walk, _) = Walk::begin(start, relay().rules, CookieJar::new(), redactor.clone()).unwrap();
    let reply =
        to("/?token=in-a-query#in-a-fragment").setting("s=in-a-cookie").setting("t=in-no-cookie; Domain=x.test");
    assert!(matches!(walk.on_head(&Head { status: 302, headers: &reply.headers }), Next::Follow(_)));
    let json = br#"{"code":"code-in-json","state":"state-of-the-response"}"#;
    assert!(matches!(read(&mut walk, json), Ok(Completion::Code { .. })));
    for secret in [
        "in-the-auth-url",
        "in-its-fragment",
        "state-of-the-response",
        "session-of-the-response",
        "in-a-query",
        "in-a-fragment",
        "in-a-cookie",
        "in-no-cookie",
        "code-in-json",
    ] {
        assert!(redactor.contains_secret(secret), "{secret}");
    }
}

#[test]
fn unrequested_state_is_secret() {
    let redactor = Redactor::new();
    let start = StartResponse { auth_url: "https://op.test/".into(), redirect_uri: None, state: None, session: None };
    let (mut walk, _) = Walk::begin(start, relay().rules, CookieJar::new(), redactor.clone()).unwrap();
    assert!(read(&mut walk, br#"{"code":"C","state":"unrequested"}"#).is_ok());
    assert!(redactor.contains_secret("unrequested"));
}

#[test]
fn debug_output_contains_no_secret() {
    let (mut walk, request) = relay().begin(CookieJar::new()).unwrap();
    let reply = to("https://cb.test/cb?error=e&state=S&error_description=topsecret");
    let Next::Fail(denied) = walk.on_head(&Head { status: 302, headers: &reply.headers }) else { panic!("denied") };
    let code = Completion::Code { code: "topsecret".into(), state: Some("topsecret".into()) };
    let body = Completion::Callback { status: 200, body: b"topsecret".to_vec() };
    let after = HeaderValue::from_static("topsecret");
    let refused = Completion::CallbackRefused { status: 400, retry_after: Some(after), body: b"topsecret".to_vec() };
    let output = format!("{request:?} {denied:?} {code:?} {body:?} {refused:?} {:?}", Completion::Ended);
    assert!(
        !output.contains("topsecret") && !output.contains("116, 111, 112") && !output.contains("state="),
        "{output}"
    );
}

// ---- arbitrary input from peers ------------------------------------------------------------------------------------

fn location() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "https:",
        "http:",
        "myapp:",
        "//",
        "/",
        "\\",
        "@",
        "op.test",
        "cb.test",
        "/cb",
        "127.0.0.1",
        "[::1]",
        "2130706433",
        ":0",
        ":8443",
        "?",
        "#",
        "code=C",
        "&state=S",
        "&state=T",
        "error=e",
        "%2e%2e",
        "\t",
        " ",
        "\u{e9}",
        "..",
    ]);
    prop_oneof![
        3 => prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat().into_bytes()),
        2 => "/[a-z]{1,4}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..64),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    let status =
        prop_oneof![6 => prop::sample::select(vec![301, 302, 303, 307, 308]), 1 => 100_u16..=599, 1 => any::<u16>()];
    let cookie = prop_oneof![
        "[a-c]=[0-9]{1,2}(; Path=/)?(; Secure)?".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..64)
    ];
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..128),
        r#"\{("(code|state|error|status)":("[CST]?"|1|400|null),?){0,3}\}"#.prop_map(String::into_bytes),
        r"<title>\PC{0,100}".prop_map(String::into_bytes),
    ];
    let locations = prop::collection::vec(location(), 0..3);
    let cookies = prop::collection::vec(cookie, 0..3);
    (status, locations, cookies, body).prop_map(|(status, mut locations, cookies, body)| {
        if status % 2 == 0 {
            locations.truncate(1);
        }
        let mut headers = HeaderMap::new();
        let locations = locations.into_iter().map(|value| (header::LOCATION, value));
        for (name, value) in locations.chain(cookies.into_iter().map(|value| (header::SET_COOKIE, value))) {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.append(name, value);
            }
        }
        Reply { status, headers, body }
    })
}

/// Labels that IDNA processing treats specially, and characters that end a host.
fn host() -> impl Strategy<Value = String> {
    let label = prop_oneof![
        prop::sample::select(vec![
            "A",
            "a",
            "é",
            "É",
            "ß",
            "İ",
            "%",
            "%41",
            "%C3%A9",
            "%2e",
            ".",
            "。",
            "-",
            "_",
            "1",
            "0x",
            "xn--",
            "XN--",
            "xn--a",
            "xn--A-é",
            "xn--3ug",
            "xn--mnchen-3ya",
            "test",
            "@",
            ":",
            ":80",
            "[::1]",
            "\t",
            "\u{ad}",
            "\u{200d}",
            "\u{200f}",
        ])
        .prop_map(str::to_owned),
        "(xn|XN)--[a-zA-Z0-9-]{0,70}",
        "\\PC{0,3}",
        prop::collection::vec(any::<char>(), 1..20).prop_map(|label| {
            let label: String = label.into_iter().collect();
            format!("xn--{}", idna::punycode::encode_str(&label).unwrap_or_default())
        }),
        prop::collection::vec(
            prop::sample::select(vec![
                '\u{200c}', '\u{200d}', '\u{200f}', '\u{fffd}', '\u{300}', 'א', '。', 'é', 'A', '.'
            ]),
            1..6
        )
        .prop_map(|label| {
            let label: String = label.into_iter().collect();
            format!("xn--{}", idna::punycode::encode_str(&label).unwrap_or_default())
        }),
    ];
    prop::collection::vec(label, 1..5).prop_map(|labels| labels.concat())
}

fn url_with_odd_host() -> impl Strategy<Value = String> {
    let scheme = prop::sample::select(vec![
        "",
        "http:",
        "https:",
        "HTTPS:",
        "ws:",
        "wss:",
        "ftp:",
        "f\ttp:",
        "file:",
        "myapp:",
        "blob:https:",
        "\u{1}wss:",
    ]);
    let slashes = prop::sample::select(vec!["", "/", "//", "///", "\\\\", "/\\", "/\t/"]);
    (scheme, slashes, host(), "(/[a-zA-Z%é]{0,3})?(\\?x=%41)?")
        .prop_map(|(scheme, slashes, host, rest)| format!("{scheme}{slashes}{host}{rest}"))
}

fn assert_allowed(request: &Request, rules: &Rules) {
    let url = &request.url;
    let has = |name: &str| url.query_pairs().any(|(key, _)| key == name);
    let ip = match url.host() {
        Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
        Some(Host::Domain(_)) => None,
        None => panic!("{url} without a host"),
    };
    assert!(url.scheme() == "https" || url.scheme() == "http" && rules.cleartext, "scheme of {url}");
    assert!(url.scheme() == "https" || !(has("code") && has("state")), "code in cleartext {url}");
    assert!(url.scheme() == "https" || url.host_str() != Some("cb.test"), "redirect_uri's host in cleartext {url}");
    assert!(url.username().is_empty() && url.password().is_none(), "userinfo in {url}");
    assert!(ip.is_none_or(|ip| !is_forbidden(ip) || url.port() == Some(8443)), "address of {url}");
    assert!(url.fragment().is_none() && url.port() != Some(0), "{url}");
    assert!(request.session.is_none(), "{url} gets the session, although only the auth URL names it");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_walk_ends_and_requests_only_allowed_urls(
        replies in prop::collection::vec(reply(), 20),
        delivery in prop::sample::select(vec![Delivery::Relay, Delivery::FollowThrough, Delivery::NoCode]),
        cleartext in any::<bool>(),
    ) {
        let mut input = input(AUTH, delivery);
        input.rules.cleartext = cleartext;
        let rules = input.rules.clone();
        let (mut walk, request) = input.begin(CookieJar::new()).unwrap();
        assert_allowed(&request, &rules);
        let mut requests = 1;
        for reply in &replies {
            match walk.on_head(&Head { status: reply.status, headers: &reply.headers }) {
                Next::Follow(request) => assert_allowed(&request, &rules),
                Next::ReadBody(response) => {
                    let _ = response.read(&reply.body);
                    let title = walk.title().unwrap_or_default();
                    prop_assert!(title.chars().count() <= 80 && !title.chars().any(char::is_control));
                    break;
                }
                Next::Done(_) | Next::Fail(_) => break,
            }
            requests += 1;
        }
        prop_assert!(requests <= usize::from(rules.redirect_limit) + 1, "{requests} requests");
    }

    #[test]
    fn odd_host_never_panics_and_is_never_converted(
        location in url_with_odd_host(),
        domain in host(),
        base in prop::sample::select(vec!["https://op.test/", "http://op.test/", "https://xn--mnchen-3ya.test/"]),
    ) {
        let (mut walk, _) = input("https://op.test/?a", Delivery::Relay).begin(CookieJar::new()).unwrap();
        let cookie = format!("s=1; Path=/; Domain={domain}");
        let has_label = format!("{base}{location}").replace('\t', "").to_lowercase().contains("xn--");
        for location in [base, &location] {
            let Ok(location) = HeaderValue::from_bytes(location.as_bytes()) else { continue };
            let mut headers = HeaderMap::from_iter([(header::LOCATION, location)]);
            headers.extend(HeaderValue::from_bytes(cookie.as_bytes()).map(|cookie| (header::SET_COOKIE, cookie)));
            if let Next::Follow(request) = walk.on_head(&Head { status: 302, headers: &headers }) {
                let host = request.url.host_str().unwrap();
                prop_assert!(host.is_ascii() && !host.contains('%') && (has_label || !host.contains("xn--")), "{host}");
            }
        }
    }

    #[test]
    fn odd_host_in_a_start_response_never_panics(auth_url in url_with_odd_host(), redirect_uri in url_with_odd_host()) {
        for (auth_url, redirect_uri) in [(auth_url, None), ("https://op.test/".to_owned(), Some(redirect_uri))] {
            let start = StartResponse { auth_url: auth_url.into(), redirect_uri, state: None, session: None };
            let _ = Walk::begin(start, relay().rules, CookieJar::new(), Redactor::new());
        }
    }

    #[test]
    fn any_start_response_is_checked(auth_url in "\\PC{0,40}|https://\\PC{0,40}", redirect_uri in "\\PC{0,20}|myapp:\\PC{0,20}") {
        let rules = relay().rules;
        let start = StartResponse { auth_url: auth_url.into(), redirect_uri: Some(redirect_uri), state: None, session: None };
        if let Ok((_, request)) = Walk::begin(start, rules.clone(), CookieJar::new(), Redactor::new()) {
            assert_allowed(&request, &rules);
        }
    }
}
