//! The redirect chains of two operators, and the app's backend. The servers are stateless: a
//! verification's `state` is in all of its URLs, so that any number of verifications can run
//! concurrently.

use std::net::Ipv4Addr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use hyper::{HeaderMap, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::namespaces::BACKEND;

pub const BACKEND_HOST: &str = "api.example.test";
pub const REDIRECT_URI: &str = "https://app.example.test/cb";
pub const NUMBER: &str = "+14155550100";

/// The hosts beyond the cellular link, and whether they support HTTP/2. One address each, so that
/// no client shares a connection among them.
pub const HOSTS: [(&str, Ipv4Addr, bool); 3] = [
    ("auth.aggregator.test", Ipv4Addr::new(203, 0, 113, 1), true),
    ("operator.test", Ipv4Addr::new(203, 0, 113, 2), false),
    ("he.operator.test", Ipv4Addr::new(203, 0, 113, 3), false),
];
const SESSION: &str = "opsess=1b9d6bcd4f";

/// A redirect chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub enum Scenario {
    /// Aggregator, operator, aggregator.
    S1,
    /// With a step over plain http, where the operator inserts the subscriber's identity, and a
    /// step that requires a cookie.
    S2,
}

impl Scenario {
    pub const ALL: [Self; 2] = [Self::S1, Self::S2];

    pub fn name(self) -> &'static str {
        match self {
            Self::S1 => "S1",
            Self::S2 => "S2",
        }
    }

    pub fn requests(self) -> u32 {
        match self {
            Self::S1 => 3,
            Self::S2 => 6,
        }
    }

    /// The minimum number of round trips without an open connection: DNS and TCP 1 for each host,
    /// TLS 1.3 1, each request 1.
    pub fn cold_bound(self) -> u32 {
        match self {
            Self::S1 => 3 + 2 * 3,
            Self::S2 => 6 + 2 * 3 + 2,
        }
    }

    /// The minimum number of round trips if all connections are open.
    pub fn warm_bound(self) -> u32 {
        self.requests()
    }

    pub fn auth_url(self, state: &str) -> String {
        let name = self.name();
        format!(
            "https://auth.aggregator.test/{name}/auth?client_id=APP0CLIENT&response_type=code\
             &redirect_uri=https%3A%2F%2Fapp.example.test%2Fcb&scope=openid\
             &purpose=dpv%3AFraudPreventionAndDetection%3Anumber-verification&state={state}\
             &nonce=4f1c9a7be0d24c55a9&max_age=0&login_hint=tel%3A%2B14155550100"
        )
    }
}

/// The code that a correct client obtains.
pub fn code(state: &str) -> String {
    format!("code-{state}")
}

pub fn address(host: &str) -> Option<Ipv4Addr> {
    let hosts = HOSTS.iter().map(|(name, address, _)| (*name, *address));
    hosts.chain([(BACKEND_HOST, BACKEND)]).find(|(name, _)| *name == host).map(|(_, address)| address)
}

/// The response of a host of the chain, or of the app's backend, to a request for this URL.
pub fn respond(url: &Url, headers: &HeaderMap, body: &[u8]) -> Response<Full<Bytes>> {
    if url.host_str() == Some(BACKEND_HOST) {
        return backend(url.path(), body).unwrap_or_else(bad_request);
    }
    let query = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let Some(state) = query("state") else { return bad_request() };
    let location = match (url.scheme(), url.host_str().unwrap_or_default(), url.path()) {
        ("https", "auth.aggregator.test", "/S1/auth") => operator("S1", &state),
        ("https", "auth.aggregator.test", "/S2/auth") => operator("S2", &state),
        ("https", "operator.test", "/S1/authorize") => callback(&state),
        ("https", "operator.test", "/S2/authorize") => {
            format!("http://he.operator.test/enrich?tx=9c1d77&state={state}")
        }
        ("http", "he.operator.test", "/enrich") => {
            format!("https://operator.test/session?tx=9c1d77&tok=he-51ab90&state={state}")
        }
        ("https", "operator.test", "/session") => format!("https://operator.test/consent?tx=9c1d77&state={state}"),
        ("https", "operator.test", "/consent") if has_session(headers) => callback(&state),
        ("https", "operator.test", "/consent") => return plain(StatusCode::FORBIDDEN),
        ("https", "auth.aggregator.test", "/callback") => format!("{REDIRECT_URI}?code={}&state={state}", code(&state)),
        _ => return plain(StatusCode::NOT_FOUND),
    };
    redirect(&location, url.path() == "/session")
}

fn operator(scenario: &str, state: &str) -> String {
    format!(
        "https://operator.test/{scenario}/authorize?client_id=aggregator&response_type=code&scope=openid\
         &redirect_uri=https%3A%2F%2Fauth.aggregator.test%2Fcallback&state={state}"
    )
}

fn callback(state: &str) -> String {
    format!("https://auth.aggregator.test/callback?code=op-7f3e2a&state={state}")
}

fn has_session(headers: &HeaderMap) -> bool {
    headers.get_all(COOKIE).iter().any(|cookie| cookie.to_str().is_ok_and(|cookie| cookie.contains(SESSION)))
}

/// Stateless: the session is the verification's `state`.
fn backend(path: &str, body: &[u8]) -> Option<Response<Full<Bytes>>> {
    #[derive(Deserialize)]
    struct Completion {
        code: String,
        session: String,
    }
    let response: Value = match path {
        "/S1/start" => start(Scenario::S1),
        "/S2/start" => start(Scenario::S2),
        "/S1/complete" | "/S2/complete" => {
            let Completion { code, session } = serde_json::from_slice(body).ok()?;
            json!({ "verified": code == self::code(&session) })
        }
        _ => return None,
    };
    let mut response = Response::new(Full::from(response.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, "application/json".parse().ok()?);
    Some(response)
}

fn start(scenario: Scenario) -> Value {
    let state = fresh_state();
    json!({ "authUrl": scenario.auth_url(&state), "session": state })
}

pub fn fresh_state() -> String {
    format!("{:016x}", fastrand::u64(..))
}

fn redirect(location: &str, sets_session: bool) -> Response<Full<Bytes>> {
    let body =
        format!("<html><head><title>302 Found</title></head><body><a href=\"{location}\">here</a></body></html>");
    let mut response = Response::builder()
        .status(StatusCode::FOUND)
        .header(LOCATION, location)
        .header(CONTENT_TYPE, "text/html; charset=utf-8");
    if sets_session {
        response = response.header(SET_COOKIE, format!("{SESSION}; Path=/; Secure; HttpOnly"));
    }
    response.body(Full::from(body)).unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR))
}

pub fn bad_request() -> Response<Full<Bytes>> {
    plain(StatusCode::BAD_REQUEST)
}

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}
