//! Every setting, with its default, its limit and its reason, and their check.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use crate::address::AllowedHosts;
use crate::error::VerifyError;

/// The settings of a verifier. Everything but the backend's base URL has a default.
#[derive(Debug, Clone, uniffi::Record)]
pub struct Config {
    /// The base URL of the app's backend, such as `https://api.example.com/number-verify`: https (http only to
    /// loopback), without user name, query and fragment.
    pub backend_url: String,
    /// The path of the `start` call under the base URL.
    #[uniffi(default = "start")]
    pub start_path: String,
    /// The path of the `complete` call under the base URL.
    #[uniffi(default = "complete")]
    pub complete_path: String,
    /// Headers for the backend's calls, such as the app's own `Authorization`. They never go to an operator.
    #[uniffi(default = [])]
    pub headers: Vec<Arc<Header>>,
    /// Headers for the operator's side. They may replace `Accept` and `User-Agent`.
    #[uniffi(default = [])]
    pub operator_headers: Vec<Arc<Header>>,
    /// Which hosts get `operator_headers`.
    #[uniffi(default)]
    pub operator_headers_to: OperatorHeaders,
    /// The JSON names that the backend uses.
    #[uniffi(default)]
    pub field_names: FieldNames,
    /// How the code gets to the backend.
    #[uniffi(default)]
    pub code_delivery: CodeDelivery,
    /// The redirect URI (RFC 6749, section 3.1.2), where neither the auth URL nor the start answer tells it.
    #[uniffi(default = None)]
    pub redirect_uri: Option<String>,
    /// How long things may take.
    #[uniffi(default)]
    pub deadlines: Deadlines,
    /// How many redirects are followed, 1 to 15.
    #[uniffi(default = 15)]
    pub redirect_limit: u8,
    /// Whether plain http is followed on the operator's side.
    #[uniffi(default)]
    pub cleartext: Cleartext,
    /// The `User-Agent` of all requests; absent: the name and version of this library.
    #[uniffi(default = None)]
    pub user_agent: Option<String>,
    /// Exceptions for development. Leave them out in a release.
    #[uniffi(default)]
    pub development: Development,
}

/// An HTTP header. Its value is never printed.
#[derive(uniffi::Object)]
pub struct Header {
    name: String,
    value: SecretString,
}

/// Which hosts on the operator's side get the extra headers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, uniffi::Enum)]
pub enum OperatorHeaders {
    /// The host of the auth URL only.
    #[default]
    FirstHost,
    /// All hosts.
    AllHosts,
}

/// How the code gets from the operator to the backend.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, uniffi::Enum)]
pub enum CodeDelivery {
    /// The phone reads the code, from the redirect to the redirect URI (which is not fetched) or from a JSON answer, and posts it with `complete`. Recommended.
    #[default]
    Relay,
    /// The redirect URI is the backend's own: the phone fetches it, and the backend's answer is the verdict. Safe only
    /// with a backend that refuses a callback without the proof of the session (its cookie or `X-Number-Verify-Session`).
    FollowThrough,
    /// There is no code: the last 2xx answer ends the walk and `complete` asks for the verdict. Weaker, since the verdict cannot be bound to this phone.
    NoCode,
}

/// Whether plain http is followed on the operator's side, where operators insert the subscriber's identity (header enrichment).
/// No setting of the platform governs these connections: this one is the only control.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, uniffi::Enum)]
pub enum Cleartext {
    /// Followed on redirects, never for the auth URL, never with this flow's code.
    #[default]
    OnRedirects,
    /// Refused. Some operators cannot verify then.
    Never,
}

/// The JSON names in the backend's requests and answers.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct FieldNames {
    /// In `start`'s request.
    #[uniffi(default = "phoneNumber")]
    pub phone_number: String,
    /// In `start`'s answer.
    #[uniffi(default = "authUrl")]
    pub auth_url: String,
    /// In `start`'s answer, optional there.
    #[uniffi(default = "redirectUri")]
    pub redirect_uri: String,
    /// In `start`'s answer, optional there, and in `complete`'s request.
    #[uniffi(default = "session")]
    pub session: String,
    /// In `start`'s answer, optional there, and in `complete`'s request.
    #[uniffi(default = "state")]
    pub state: String,
    /// In `complete`'s request.
    #[uniffi(default = "code")]
    pub code: String,
    /// In `complete`'s answer; `devicePhoneNumberVerified` is understood too.
    #[uniffi(default = "verified")]
    pub verified: String,
}

/// How long things may take, in milliseconds, each at least 1. The overall limit always wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct Deadlines {
    /// The whole flow. A person waits for it: beyond this, another channel is faster.
    #[uniffi(default = 20000)]
    pub overall_ms: u64,
    /// Bringing up the cellular network. A sleeping radio takes 1 to 3 seconds.
    #[uniffi(default = 8000)]
    pub acquire_ms: u64,
    /// Name, TCP and TLS of one host.
    #[uniffi(default = 5000)]
    pub connect_ms: u64,
    /// From a request to its headers, and from there to the end of a body that is needed.
    #[uniffi(default = 8000)]
    pub answer_ms: u64,
    /// Each call to the backend, which itself calls others.
    #[uniffi(default = 8000)]
    pub backend_ms: u64,
}

/// Exceptions for development.
#[derive(Debug, Clone, Default, uniffi::Record)]
pub struct Development {
    /// Allows a provider to hand out an unbound network. On a friend's hotspot that would verify the friend.
    #[uniffi(default = false)]
    pub allow_unbound: bool,
    /// Allows a backend on plain http anywhere; loopback is allowed without it.
    #[uniffi(default = false)]
    pub allow_http_backend: bool,
    /// Further root certificates in PEM form, for both legs, beside those of the system.
    #[uniffi(default = [])]
    pub root_certificates: Vec<String>,
    /// Fixed addresses for a host and port, `HOST:PORT:ADDRESS[,ADDRESS]`, IPv6 in brackets, for both legs. Such a host and port
    /// is exempt from the rules about addresses.
    #[uniffi(default = [])]
    pub resolve: Vec<String>,
    /// Name servers for the cellular leg, `ADDRESS` or `ADDRESS:PORT`; Linux only. Without any: those of `resolv.conf`.
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
            headers: Vec::new(),
            operator_headers: Vec::new(),
            operator_headers_to: OperatorHeaders::default(),
            field_names: FieldNames::default(),
            code_delivery: CodeDelivery::default(),
            redirect_uri: None,
            deadlines: Deadlines::default(),
            redirect_limit: 15,
            cleartext: Cleartext::default(),
            user_agent: None,
            development: Development::default(),
        }
    }
}

#[uniffi::export]
impl Header {
    /// A header with this name and value; they are checked when the verifier is made.
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

/// The checked form of [`Config`], as the flow uses it.
#[derive(Clone)]
pub struct Settings {
    pub start_url: Url,
    pub complete_url: Url,
    pub headers: HeaderMap,
    pub operator_headers: HeaderMap,
    pub operator_headers_to: OperatorHeaders,
    pub field_names: FieldNames,
    pub code_delivery: CodeDelivery,
    pub redirect_uri: Option<String>,
    pub overall: Duration,
    pub acquire: Duration,
    pub connect: Duration,
    pub answer: Duration,
    pub backend: Duration,
    pub redirect_limit: u8,
    pub cleartext: Cleartext,
    pub user_agent: HeaderValue,
    pub allow_unbound: bool,
    pub root_certificates: Vec<String>,
    pub overrides: Overrides,
    pub dns_servers: Vec<SocketAddr>,
}

/// Fixed addresses of a host (in lower case) and port.
pub type Overrides = HashMap<(String, u16), Vec<IpAddr>>;

impl Settings {
    pub fn check(config: &Config) -> Result<Self, VerifyError> {
        let base = backend_base(config).ok_or_else(|| invalid("backend_url"))?;
        let user_agent = config.user_agent.as_deref().unwrap_or(concat!("number-verify/", env!("CARGO_PKG_VERSION")));
        if config.redirect_limit == 0 || config.redirect_limit > 15 {
            return Err(invalid("redirect_limit"));
        }
        if let Some(uri) = &config.redirect_uri {
            Url::parse(uri).map_err(|_| invalid("redirect_uri"))?;
        }
        check_names(&config.field_names)?;
        let development = &config.development;
        Ok(Self {
            start_url: call_url(&base, &config.start_path).ok_or_else(|| invalid("start_path"))?,
            complete_url: call_url(&base, &config.complete_path).ok_or_else(|| invalid("complete_path"))?,
            headers: header_map(&config.headers, &[]).ok_or_else(|| invalid("headers"))?,
            operator_headers: header_map(&config.operator_headers, &[header::ACCEPT, header::USER_AGENT])
                .ok_or_else(|| invalid("operator_headers"))?,
            operator_headers_to: config.operator_headers_to,
            field_names: config.field_names.clone(),
            code_delivery: config.code_delivery,
            redirect_uri: config.redirect_uri.clone(),
            overall: limit(config.deadlines.overall_ms, "overall_ms")?,
            acquire: limit(config.deadlines.acquire_ms, "acquire_ms")?,
            connect: limit(config.deadlines.connect_ms, "connect_ms")?,
            answer: limit(config.deadlines.answer_ms, "answer_ms")?,
            backend: limit(config.deadlines.backend_ms, "backend_ms")?,
            redirect_limit: config.redirect_limit,
            cleartext: config.cleartext,
            user_agent: HeaderValue::from_str(user_agent).map_err(|_| invalid("user_agent"))?,
            allow_unbound: development.allow_unbound,
            root_certificates: development.root_certificates.clone(),
            overrides: overrides(&development.resolve).ok_or_else(|| invalid("resolve"))?,
            dns_servers: dns_servers(&development.dns_servers).ok_or_else(|| invalid("dns_servers"))?,
        })
    }

    pub fn allowed_hosts(&self) -> AllowedHosts {
        AllowedHosts::new(self.overrides.keys().cloned())
    }
}

/// The number in E.164 form without separators, by CAMARA's pattern `^\+[1-9][0-9]{4,14}$`.
pub fn phone_number(typed: &str) -> Result<SecretString, VerifyError> {
    let number: String = typed.trim().chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')')).collect();
    let digits = number.strip_prefix('+').ok_or(VerifyError::InvalidPhoneNumber)?;
    let well_formed = (5..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    if well_formed { Ok(number.into()) } else { Err(VerifyError::InvalidPhoneNumber) }
}

pub fn invalid(setting: &str) -> VerifyError {
    VerifyError::InvalidConfig { setting: setting.to_owned() }
}

fn backend_base(config: &Config) -> Option<Url> {
    let mut base = Url::parse(config.backend_url.trim()).ok()?;
    let has_user = config.backend_url.split(['/', '?', '#']).nth(2).is_some_and(|authority| authority.contains('@'));
    let secure = base.scheme() == "https"
        || base.scheme() == "http" && (config.development.allow_http_backend || is_loopback(&base));
    if !secure || has_user || base.query().is_some() || base.fragment().is_some() {
        return None;
    }
    if !base.path().ends_with('/') {
        base.set_path(&format!("{}/", base.path()));
    }
    Some(base)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// The call stays under the base URL: no other origin, no other directory.
fn call_url(base: &Url, path: &str) -> Option<Url> {
    let url = base.join(path.trim_start_matches('/')).ok()?;
    let inside = url.origin() == base.origin() && url.path().starts_with(base.path());
    (inside && url.fragment().is_none()).then_some(url)
}

fn header_map(headers: &[Arc<Header>], replaceable: &[HeaderName]) -> Option<HeaderMap> {
    const OWN: [HeaderName; 12] = [
        header::HOST,
        header::COOKIE,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::TRANSFER_ENCODING,
        header::CONNECTION,
        header::UPGRADE,
        header::TE,
        header::ACCEPT_ENCODING,
        header::REFERER,
        header::EXPECT,
        header::USER_AGENT,
    ];
    let mut map = HeaderMap::new();
    for given in headers {
        let name = HeaderName::from_bytes(given.name.as_bytes()).ok()?;
        if OWN.contains(&name) && !replaceable.contains(&name) {
            return None;
        }
        let mut value = HeaderValue::from_str(given.value.expose_secret()).ok()?;
        value.set_sensitive(true);
        map.append(name, value);
    }
    Some(map)
}

fn check_names(names: &FieldNames) -> Result<(), VerifyError> {
    let request = [&names.code, &names.state, &names.session];
    let answer = [&names.auth_url, &names.redirect_uri, &names.session, &names.state];
    let distinct = |names: &[&String]| {
        names
            .iter()
            .enumerate()
            .all(|(i, name)| !name.is_empty() && names.iter().skip(i + 1).all(|other| other != name))
    };
    let rest = !names.phone_number.is_empty() && !names.verified.is_empty();
    if rest && distinct(&request) && distinct(&answer) { Ok(()) } else { Err(invalid("field_names")) }
}

fn limit(milliseconds: u64, setting: &str) -> Result<Duration, VerifyError> {
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;
    if (1..=DAY_MS).contains(&milliseconds) { Ok(Duration::from_millis(milliseconds)) } else { Err(invalid(setting)) }
}

/// As curl's `--resolve`: `HOST:PORT:ADDRESS[,ADDRESS]…`, IPv6 in brackets.
fn overrides(entries: &[String]) -> Option<Overrides> {
    let mut all = Overrides::new();
    for entry in entries {
        let (host, rest) = match entry.strip_prefix('[') {
            Some(literal) => literal.split_once("]:")?,
            None => entry.split_once(':')?,
        };
        let (port, addresses) = rest.split_once(':')?;
        let addresses = addresses
            .split(',')
            .map(|address| address.trim().trim_start_matches('[').trim_end_matches(']').parse().ok())
            .collect::<Option<Vec<IpAddr>>>()?;
        if host.is_empty() {
            return None;
        }
        all.entry((host.to_ascii_lowercase(), port.parse().ok()?)).or_default().extend(addresses);
    }
    Some(all)
}

fn dns_servers(entries: &[String]) -> Option<Vec<SocketAddr>> {
    entries
        .iter()
        .map(|entry| {
            let literal = entry.trim_start_matches('[').trim_end_matches(']');
            match literal.parse::<IpAddr>() {
                Ok(address) => Some(SocketAddr::new(address, 53)),
                Err(_) => entry.parse().ok(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phone_numbers() {
        for good in ["+14155550100", "+1 (415) 555-01.00", " +12345 ", "+123456789012345"] {
            assert!(phone_number(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "12",
            "+",
            "+1234",
            "+0123456",
            "14155550100",
            "+1234567890123456",
            "+1415555o100",
            "++14155550100",
            "+١٤١٥٥٥٥",
        ] {
            assert!(phone_number(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn backend_urls() {
        let check = |url: &str| Settings::check(&Config::new(url)).map(|settings| settings.start_url.to_string());
        assert_eq!(check("https://api.test/nv").unwrap(), "https://api.test/nv/start");
        assert_eq!(check("https://api.test").unwrap(), "https://api.test/start");
        for good in ["http://127.0.0.1:8080/nv", "http://localhost/", "http://[::1]:1/"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "api.test",
            "http://api.test/",
            "ftp://api.test/",
            "https://u@api.test/",
            "https://@api.test/",
            "https://api.test/?a=1",
            "https://api.test/#f",
        ] {
            assert!(
                matches!(check(bad), Err(VerifyError::InvalidConfig { setting }) if setting == "backend_url"),
                "{bad}"
            );
        }
    }

    #[test]
    fn paths_stay_under_the_base() {
        for bad in ["https://evil.test/", "//evil.test/x", "../up", "a/../../up"] {
            let config = Config { complete_path: bad.to_owned(), ..Config::new("https://api.test/nv") };
            match Settings::check(&config) {
                Ok(settings) => assert!(settings.complete_url.as_str().starts_with("https://api.test/nv/"), "{bad}"),
                Err(error) => assert!(matches!(error, VerifyError::InvalidConfig { .. }), "{bad}"),
            }
        }
    }

    #[test]
    fn resolve_entries() {
        let table = overrides(&["A.test:443:127.0.0.1,[::1]".to_owned(), "[::1]:80:10.0.0.1".to_owned()]).unwrap();
        assert_eq!(table[&("a.test".to_owned(), 443)].len(), 2);
        assert_eq!(table[&("::1".to_owned(), 80)].len(), 1);
        for bad in ["a.test", "a.test:443", "a.test:443:", "a.test:x:1.2.3.4", ":443:1.2.3.4", "a.test:443:nothing"] {
            assert!(overrides(&[bad.to_owned()]).is_none(), "{bad}");
        }
    }

    #[test]
    fn headers_of_the_client_cannot_be_set() {
        let config = |name: &str| Config {
            headers: vec![Header::new(name.to_owned(), "x".to_owned())],
            ..Config::new("https://api.test")
        };
        assert!(Settings::check(&config("Authorization")).is_ok());
        for bad in ["Host", "cookie", "Content-Length", "bad name", ""] {
            assert!(Settings::check(&config(bad)).is_err(), "{bad}");
        }
    }
}
