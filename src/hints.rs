//! Hints: how requests to some of the operator's hosts differ, without an app release.
//!
//! They choose among what is already allowed and do not affect the rules about cleartext, addresses
//! or certificates.

use std::collections::HashMap;

use http::{HeaderMap, HeaderName, header};
use serde_json::Value;
use url::Host;

use crate::contract;
use crate::error::{Setting, VerifyError};
use crate::limits;
use crate::logging::Event;
use crate::secret::{is_printable, sensitive_header};
use crate::trace::{AddressFamily, TlsVersion};
use crate::url_text::parse_url;

/// How requests to some hosts on the operator's side differ from all others, for servers that
/// accept only one variant.
///
/// If several hints match a host, a later one overrides an earlier one, and those of the start
/// response override those of the settings. No hint applies to the backend's origin, or permits
/// what is rejected without it.
#[derive(Debug, Clone, Default, PartialEq, Eq, uniffi::Record)]
pub struct Hint {
    /// A host name in its ASCII form, such as `login.operator.example`, or `*.operator.example` for
    /// all hosts under that name.
    pub host: String,
    /// At most 16: `Accept`, `Accept-Language`, `User-Agent`, and names that begin with `X-` (not
    /// `X-Correlator`, and none that begins with `X-Number-Verify-`). Values are 1 to 1,024
    /// characters of printable ASCII. They replace other headers of that name. Not for secrets:
    /// unlike those of other headers, these values are included in `Debug` and `toString()`.
    #[uniffi(default)]
    pub headers: HashMap<String, String>,
    /// Only addresses of this family are used. Defaults to both. A host that is an IP address is
    /// not affected.
    #[uniffi(default = None)]
    pub address_family: Option<AddressFamily>,
    /// The highest TLS version that is offered. Defaults to 1.3.
    #[uniffi(default = None)]
    pub max_tls: Option<TlsVersion>,
}

/// Parses hints from a JSON array, in the form of the start response (`docs/backend-api.yaml`):
/// `[{"host": "*.operator.example", "headers": {"Accept": "text/html"}, "addressFamily": "ipv4", "maxTls": "1.2"}]`.
///
/// Unknown members are ignored.
///
/// # Errors
///
/// `VerifyError::InvalidConfig` for the setting `hints`, if the text is not in this form or a
/// hint is invalid.
#[uniffi::export(name = "core_hints_from_json")]
pub fn hints_from_json(json: &str) -> Result<Vec<Hint>, VerifyError> {
    let hints = || {
        let array: Value = serde_json::from_slice(json.as_bytes()).ok()?;
        let hints: Vec<Hint> = array.as_array()?.iter().map(read).collect::<Option<_>>()?;
        Hints::check(&hints).map(|_| hints)
    };
    hints().ok_or_else(|| VerifyError::invalid_config(Setting::Hints))
}

/// Validated hints.
#[derive(Debug, Clone, Default)]
pub struct Hints(Vec<CheckedHint>);

#[derive(Debug, Clone)]
struct CheckedHint {
    hosts: Hosts,
    steering: Steering,
}

#[derive(Debug, Clone)]
enum Hosts {
    Named(String),
    /// Including the leading dot.
    Under(String),
}

/// How the hints change a request.
#[derive(Debug, Clone, Default)]
pub struct Steering {
    pub headers: HeaderMap,
    pub address_family: Option<AddressFamily>,
    pub max_tls: Option<TlsVersion>,
}

impl Hints {
    /// `None` if a hint is invalid, or if there are too many.
    pub fn check(hints: &[Hint]) -> Option<Self> {
        let checked = hints.iter().map(check).collect::<Option<Vec<_>>>()?;
        (checked.len() <= limits::HINTS).then_some(Self(checked))
    }

    /// The valid ones. A verification ignores the others.
    pub fn of(hints: &[Hint]) -> Self {
        Self::collect_valid(hints.iter().map(check))
    }

    /// The same for the member of a start response.
    #[cfg(feature = "http-backend")]
    pub fn of_json(hints: &Value) -> Self {
        let hints = hints.as_array().map(Vec::as_slice).unwrap_or_default();
        Self::collect_valid(hints.iter().map(|hint| check(&read(hint)?)))
    }

    fn collect_valid(hints: impl ExactSizeIterator<Item = Option<CheckedHint>>) -> Self {
        let all = hints.len();
        let valid: Vec<_> = hints.flatten().take(limits::HINTS).collect();
        if valid.len() < all {
            Event::HintsIgnored { count: all - valid.len() }.log();
        }
        Self(valid)
    }

    /// These, followed by the others.
    #[must_use]
    pub fn then(&self, others: &Self) -> Self {
        Self([self.0.as_slice(), &others.0].concat())
    }

    /// The changes to a request to this host.
    #[must_use]
    pub fn for_host(&self, host: &str) -> Steering {
        let host = host.trim_end_matches('.');
        let mut all = Steering::default();
        for CheckedHint { steering, .. } in self.0.iter().filter(|hint| hint.hosts.contain(host)) {
            all.headers.extend(steering.headers.clone());
            all.address_family = steering.address_family.or(all.address_family);
            all.max_tls = steering.max_tls.or(all.max_tls);
        }
        all
    }
}

impl Hosts {
    fn parse(pattern: &str) -> Option<Self> {
        let (name, is_suffix) = pattern.strip_prefix("*.").map_or((pattern, false), |name| (name, true));
        let url = parse_url(&format!("https://{name}/"), None).ok()?;
        let host = url.host_str().filter(|host| host.eq_ignore_ascii_case(name))?.trim_end_matches('.');
        // The parser accepts it (https://url.spec.whatwg.org/#forbidden-host-code-point).
        let is_pattern = host.contains('*');
        let is_name = matches!(url.host(), Some(Host::Domain(_)));
        match is_suffix {
            _ if is_pattern => None,
            true => is_name.then(|| Self::Under(format!(".{host}"))),
            false => Some(Self::Named(host.to_owned())),
        }
    }

    fn contain(&self, host: &str) -> bool {
        match self {
            Self::Named(name) => host == name,
            Self::Under(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_str()),
        }
    }
}

fn check(hint: &Hint) -> Option<CheckedHint> {
    let headers = hint
        .headers
        .iter()
        .map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok().filter(is_allowed)?;
            let is_plain = is_printable(value) && value.trim() == value;
            let has_length = (1..=limits::HINT_VALUE).contains(&value.len());
            Some((name, sensitive_header(value).filter(|_| is_plain && has_length)?))
        })
        .collect::<Option<HeaderMap>>()?;
    let has_each_once = headers.keys_len() == hint.headers.len();
    if !has_each_once || headers.keys_len() > limits::HINT_HEADERS {
        return None;
    }
    let steering = Steering { headers, address_family: hint.address_family, max_tls: hint.max_tls };
    Some(CheckedHint { hosts: Hosts::parse(&hint.host)?, steering })
}

fn is_allowed(name: &HeaderName) -> bool {
    let is_extension = name.as_str().starts_with("x-");
    let is_reserved = *name == contract::CORRELATOR || name.as_str().starts_with(contract::HEADER_PREFIX);
    [header::ACCEPT, header::ACCEPT_LANGUAGE, header::USER_AGENT].contains(name) || is_extension && !is_reserved
}

/// `None` if a member has an invalid type or value. Later versions may add other members.
fn read(hint: &Value) -> Option<Hint> {
    let hint = hint.as_object()?;
    let member = |name: &str| hint.get(name).filter(|value| !value.is_null());
    let headers = match member("headers") {
        None => HashMap::new(),
        Some(headers) => {
            let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
            headers.as_object()?.iter().map(text).collect::<Option<_>>()?
        }
    };
    let address_family = match member("addressFamily").map(Value::as_str) {
        None => None,
        Some(Some("ipv4")) => Some(AddressFamily::Ipv4),
        Some(Some("ipv6")) => Some(AddressFamily::Ipv6),
        Some(_) => return None,
    };
    let max_tls = match member("maxTls").map(Value::as_str) {
        None => None,
        Some(Some("1.2")) => Some(TlsVersion::Tls12),
        Some(Some("1.3")) => Some(TlsVersion::Tls13),
        Some(_) => return None,
    };
    Some(Hint { host: member("host")?.as_str()?.to_owned(), headers, address_family, max_tls })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_valid(json: &str) -> bool {
        hints_from_json(&format!("[{json}]")).is_ok()
    }

    #[test]
    fn only_plain_host_names_and_addresses_are_valid() {
        for host in [
            "op.test",
            "OP.test",
            "op.test.",
            "*.op.test",
            "*.test",
            "192.0.2.1",
            "[2001:db8::1]",
            "xn--bcher-kva.test",
        ] {
            assert!(is_valid(&format!(r#"{{"host":"{host}"}}"#)), "{host}");
        }
        for host in [
            "",
            "*",
            "*.",
            "*op.test",
            "op.*.test",
            "*.*.test",
            "*.192.0.2.1",
            "*.[2001:db8::1]",
            "https://op.test",
            "op.test:443",
            "op.test/",
            "op.test/a",
            "op.test?a",
            "op.test#a",
            "u@op.test",
            " op.test",
            "op.test ",
            "op .test",
            "bücher.test",
            "192.0.2",
            "0x7f.1",
            "op%2etest",
        ] {
            assert!(!is_valid(&format!(r#"{{"host":"{host}"}}"#)), "{host}");
        }
    }

    #[test]
    fn only_allowed_headers_are_valid() {
        let header =
            |name: &str, value: &str| serde_json::json!({ "host": "op.test", "headers": { name: value } }).to_string();
        for name in ["Accept", "ACCEPT-language", "user-agent", "X-Requested-With", "x-wap-profile"] {
            assert!(is_valid(&header(name, "text/html; q=0.9")), "{name}");
        }
        for name in [
            "Host",
            "Cookie",
            "Authorization",
            "Accept-Encoding",
            "Content-Length",
            "Connection",
            "Referer",
            "Origin",
            "X-Correlator",
            "x-number-verify-session",
            "X-Number-Verify-Other",
            "Forwarded",
            "",
            "X-a b",
            "X-a:",
            "X-ä",
            "XRequested",
        ] {
            assert!(!is_valid(&header(name, "a")), "{name}");
        }
        for value in ["", " a", "a ", "a\r\nX-b: c", "a\tb", "ä", "a\u{0}", &"a".repeat(1025)] {
            assert!(!is_valid(&header("Accept", value)), "{value}");
        }
        assert!(is_valid(&header("Accept", &"a".repeat(1024))));
        assert!(!is_valid(r#"{"host":"op.test","headers":{"Accept":"a","accept":"b"}}"#), "twice");
        let headers = |count| (0..count).map(|at| format!(r#""X-{at}":"a""#)).collect::<Vec<_>>().join(",");
        assert!(is_valid(&format!(r#"{{"host":"op.test","headers":{{{}}}}}"#, headers(16))));
        assert!(!is_valid(&format!(r#"{{"host":"op.test","headers":{{{}}}}}"#, headers(17))));
    }

    #[test]
    fn member_of_wrong_type_is_rejected() {
        for good in [
            r#"{"host":"op.test","headers":null,"addressFamily":null,"maxTls":null}"#,
            r#"{"host":"op.test","addressFamily":"ipv6","maxTls":"1.3","since":2027}"#,
            r#"{"host":"op.test","addressFamily":"ipv4","maxTls":"1.2","headers":{}}"#,
        ] {
            assert!(is_valid(good), "{good}");
        }
        for bad in [
            "{}",
            "null",
            r#""op.test""#,
            r#"{"host":null}"#,
            r#"{"host":["op.test"]}"#,
            r#"{"host":"op.test","headers":[]}"#,
            r#"{"host":"op.test","headers":{"Accept":1}}"#,
            r#"{"host":"op.test","addressFamily":"IPv4"}"#,
            r#"{"host":"op.test","addressFamily":4}"#,
            r#"{"host":"op.test","maxTls":1.2}"#,
            r#"{"host":"op.test","maxTls":"1.1"}"#,
            r#"{"host":"op.test","maxTls":"tls1.2"}"#,
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
        for text in ["", "{}", "nonsense", "[] x", r#"{"host":"op.test"}"#] {
            assert!(hints_from_json(text).is_err(), "{text}");
        }
        let many = |count| format!("[{}]", vec![r#"{"host":"op.test"}"#; count].join(","));
        assert!(hints_from_json(&many(16)).is_ok() && hints_from_json(&many(17)).is_err());
    }

    #[test]
    fn later_hint_overrides_earlier() {
        let hint = |host: &str, accept: &str| Hint {
            host: host.to_owned(),
            headers: [("Accept".to_owned(), accept.to_owned())].into(),
            ..Hint::default()
        };
        let one = Hint { max_tls: Some(TlsVersion::Tls12), ..hint("*.op.test", "one") };
        let two = Hint { address_family: Some(AddressFamily::Ipv6), ..hint("a.op.test", "two") };
        let hints = Hints::check(&[one]).unwrap().then(&Hints::check(&[two]).unwrap());
        for (host, accept, family, max_tls) in [
            ("a.op.test", Some("two"), Some(AddressFamily::Ipv6), Some(TlsVersion::Tls12)),
            ("a.op.test.", Some("two"), Some(AddressFamily::Ipv6), Some(TlsVersion::Tls12)),
            ("b.a.op.test", Some("one"), None, Some(TlsVersion::Tls12)),
            ("op.test", None, None, None),
            ("aop.test", None, None, None),
            ("a.op.test.example", None, None, None),
        ] {
            let steering = hints.for_host(host);
            assert_eq!(steering.headers.get("accept").map(|value| value.to_str().unwrap()), accept, "{host}");
            assert_eq!((steering.address_family, steering.max_tls), (family, max_tls), "{host}");
        }
    }

    #[test]
    fn invalid_hints_are_omitted_individually() {
        let host = |host: &str| Hint { host: host.to_owned(), max_tls: Some(TlsVersion::Tls12), ..Hint::default() };
        let hints = Hints::of(&[host("*"), host("a.test"), host("b.test:1")]);
        assert_eq!(hints.0.len(), 1);
        assert_eq!(hints.for_host("a.test").max_tls, Some(TlsVersion::Tls12));
        assert_eq!(Hints::of(&vec![host("a.test"); 40]).0.len(), 16);
    }
}
