//! The settings as the flow uses them, validated once, when the verifier is created.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use secrecy::ExposeSecret;
use url::Url;

use crate::config::{Cleartext, CodeDelivery, Config, FieldNames, Header, OperatorHeaders};
use crate::contract;
use crate::error::{Setting, VerifyError};
use crate::hints::Hints;
use crate::limits;
use crate::network::address::{AllowedHosts, is_loopback};
use crate::network::lookups::Overrides;
use crate::secret::{is_printable, sensitive_header};
use crate::url_text::{has_userinfo, parse_url};

/// The validated form of [`Config`].
#[cfg_attr(not(feature = "http-backend"), allow(dead_code))]
#[derive(Clone)]
pub struct Settings {
    pub base_url: Url,
    pub start_url: Url,
    pub complete_url: Url,
    pub abort_url: Option<Url>,
    pub headers: HeaderMap,
    pub operator_headers: HeaderMap,
    pub operator_headers_to: OperatorHeaders,
    pub hints: Hints,
    pub field_names: FieldNames,
    pub code_delivery: CodeDelivery,
    pub redirect_uri: Option<String>,
    pub overall: Duration,
    pub acquire: Duration,
    pub connect: Duration,
    pub response: Duration,
    pub backend: Duration,
    pub slow_after: Duration,
    pub redirect_limit: u8,
    pub cleartext: Cleartext,
    pub open_ahead: bool,
    pub auth_origin: Option<Url>,
    pub user_agent: HeaderValue,
    pub allow_unbound: bool,
    pub root_certificates: Vec<String>,
    pub overrides: Overrides,
    pub dns_servers: Vec<SocketAddr>,
}

impl Settings {
    pub fn check(config: &Config) -> Result<Self, VerifyError> {
        let base = backend_base(config).ok_or_else(|| VerifyError::invalid_config(Setting::BackendUrl))?;
        let user_agent = config.user_agent.as_deref().unwrap_or(concat!("number-verify/", env!("CARGO_PKG_VERSION")));
        if config.redirect_limit == 0 || config.redirect_limit > limits::MAX_REDIRECTS {
            return Err(VerifyError::invalid_config(Setting::RedirectLimit));
        }
        if let Some(uri) = &config.redirect_uri {
            parse_url(uri, None).map_err(|_| VerifyError::invalid_config(Setting::RedirectUri))?;
        }
        check_names(config)?;
        let development = &config.development;
        Ok(Self {
            start_url: call_url(&base, &config.start_path)
                .ok_or_else(|| VerifyError::invalid_config(Setting::StartPath))?,
            complete_url: call_url(&base, &config.complete_path)
                .ok_or_else(|| VerifyError::invalid_config(Setting::CompletePath))?,
            abort_url: abort_url(&base, config)?,
            headers: header_map(&config.headers, &[]).ok_or_else(|| VerifyError::invalid_config(Setting::Headers))?,
            operator_headers: header_map(&config.operator_headers, &[header::ACCEPT, header::USER_AGENT])
                .ok_or_else(|| VerifyError::invalid_config(Setting::OperatorHeaders))?,
            operator_headers_to: config.operator_headers_to,
            hints: Hints::check(&config.hints).ok_or_else(|| VerifyError::invalid_config(Setting::Hints))?,
            field_names: config.field_names.clone(),
            code_delivery: config.code_delivery,
            redirect_uri: config.redirect_uri.clone(),
            overall: limit(config.deadlines.overall_ms, Setting::OverallMs)?,
            acquire: limit(config.deadlines.acquire_ms, Setting::AcquireMs)?,
            connect: limit(config.deadlines.connect_ms, Setting::ConnectMs)?,
            response: limit(config.deadlines.answer_ms, Setting::AnswerMs)?,
            backend: limit(config.deadlines.backend_ms, Setting::BackendMs)?,
            slow_after: limit(config.slow_after_ms, Setting::SlowAfterMs)?,
            redirect_limit: config.redirect_limit,
            cleartext: config.cleartext,
            open_ahead: config.open_ahead,
            auth_origin: auth_origin(config)?,
            user_agent: HeaderValue::from_str(user_agent)
                .ok()
                .filter(|_| is_printable(user_agent))
                .ok_or_else(|| VerifyError::invalid_config(Setting::UserAgent))?,
            base_url: base,
            allow_unbound: development.allow_unbound,
            root_certificates: development.root_certificates.clone(),
            overrides: overrides(&development.resolve).ok_or_else(|| VerifyError::invalid_config(Setting::Resolve))?,
            dns_servers: dns_servers(&development.dns_servers)
                .ok_or_else(|| VerifyError::invalid_config(Setting::DnsServers))?,
        })
    }

    pub fn allowed_hosts(&self) -> AllowedHosts {
        AllowedHosts::these(self.overrides.keys().cloned())
    }
}

fn backend_base(config: &Config) -> Option<Url> {
    let text = config.backend_url.trim();
    let mut base = parse_url(text, None).ok()?;
    let has_user = has_userinfo(text, None);
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

/// The URL must be under the base URL: no other origin, no other directory. The scheme is compared
/// first, because `origin()` parses the path of a `blob:` URL as another URL.
fn call_url(base: &Url, path: &str) -> Option<Url> {
    let url = parse_url(path.trim_start_matches('/'), Some(base)).ok()?;
    let inside = url.scheme() == base.scheme() && url.origin() == base.origin() && url.path().starts_with(base.path());
    (inside && url.fragment().is_none()).then_some(url)
}

fn abort_url(base: &Url, config: &Config) -> Result<Option<Url>, VerifyError> {
    let Some(path) = &config.abort_path else { return Ok(None) };
    call_url(base, path).map(Some).ok_or_else(|| VerifyError::invalid_config(Setting::AbortPath))
}

fn auth_origin(config: &Config) -> Result<Option<Url>, VerifyError> {
    let Some(text) = &config.auth_origin else { return Ok(None) };
    let origin = parse_url(text, None).ok().filter(|url| {
        let is_origin = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        url.scheme() == "https" && is_origin && !has_userinfo(text, None)
    });
    origin.map(Some).ok_or_else(|| VerifyError::invalid_config(Setting::AuthOrigin))
}

pub fn header_map(headers: &[Arc<Header>], replaceable: &[HeaderName]) -> Option<HeaderMap> {
    const RESERVED: [HeaderName; 14] = [
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
        contract::IDEMPOTENCY_KEY,
        contract::CORRELATOR,
    ];
    let mut map = HeaderMap::new();
    for custom in headers {
        let name = HeaderName::from_bytes(custom.name.as_bytes()).ok()?;
        if RESERVED.contains(&name) && !replaceable.contains(&name) {
            return None;
        }
        let value = custom.value.expose_secret();
        map.append(name, sensitive_header(value).filter(|_| is_printable(value))?);
    }
    Some(map)
}

fn check_names(config: &Config) -> Result<(), VerifyError> {
    let names = &config.field_names;
    let request = [&names.code, &names.state, &names.session];
    let response = [&names.auth_url, &names.redirect_uri, &names.session, &names.state];
    let distinct = |names: &[&String]| {
        names
            .iter()
            .enumerate()
            .all(|(i, name)| !name.is_empty() && names.iter().skip(i + 1).all(|other| other != name))
    };
    let can_abort = config.abort_path.is_none() || names.session != contract::REASON;
    let results = [&names.phone_number, &names.verified];
    let is_clear = ![contract::PURPOSE, contract::CAMARA_VERIFIED].contains(&names.phone_number.as_str())
        && names.verified != contract::CAMARA_NUMBER;
    if distinct(&request) && distinct(&response) && distinct(&results) && can_abort && is_clear {
        Ok(())
    } else {
        Err(VerifyError::invalid_config(Setting::FieldNames))
    }
}

fn limit(milliseconds: u64, setting: Setting) -> Result<Duration, VerifyError> {
    if (1..=limits::LONGEST_TIMEOUT_MS).contains(&milliseconds) {
        Ok(Duration::from_millis(milliseconds))
    } else {
        Err(VerifyError::invalid_config(setting))
    }
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
    fn backend_url_must_be_https_without_userinfo_query_or_fragment() {
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
            "https://Äpi.test/",
            "\u{1}https://AÄpi.test/",
            "ftp://AÄpi.test/",
            "https://xn--3ug/",
            "https:/u:p@api.test/",
            "https:u@api.test/",
            "https:\\\\u@api.test/",
            "https://api.test/?a=1",
            "https://api.test/#f",
        ] {
            assert!(
                matches!(check(bad), Err(VerifyError::InvalidConfig { setting }) if setting == Setting::BackendUrl),
                "{bad}"
            );
        }
    }

    #[test]
    fn ambiguous_field_names_are_rejected() {
        let check = |change: fn(&mut FieldNames)| {
            let mut config = Config { abort_path: Some("abort".to_owned()), ..Config::new("https://api.test") };
            change(&mut config.field_names);
            Settings::check(&config).map(|_| ())
        };
        for good in [
            |_: &mut FieldNames| {},
            |names: &mut FieldNames| names.phone_number = "devicePhoneNumber".to_owned(),
            |names: &mut FieldNames| names.verified = "devicePhoneNumberVerified".to_owned(),
            |names: &mut FieldNames| names.phone_number = "session".to_owned(),
        ] {
            assert!(check(good).is_ok());
        }
        for bad in [
            |names: &mut FieldNames| names.phone_number.clear(),
            |names: &mut FieldNames| names.verified.clear(),
            |names: &mut FieldNames| names.verified = "phoneNumber".to_owned(),
            |names: &mut FieldNames| names.verified = "devicePhoneNumber".to_owned(),
            |names: &mut FieldNames| names.phone_number = "devicePhoneNumberVerified".to_owned(),
            |names: &mut FieldNames| names.phone_number = "purpose".to_owned(),
            |names: &mut FieldNames| names.code = "state".to_owned(),
            |names: &mut FieldNames| names.auth_url = "session".to_owned(),
            |names: &mut FieldNames| names.session = "reason".to_owned(),
        ] {
            let expected = VerifyError::invalid_config(Setting::FieldNames);
            assert_eq!(check(bad).unwrap_err().to_json(), expected.to_json());
        }
    }

    #[test]
    fn paths_stay_under_the_base() {
        for bad in [
            "https://evil.test/",
            "//evil.test/x",
            "../up",
            "a/../../up",
            "\\\\Aé.test",
            "ftp://Aé.test/",
            "blob:https://Aé.test/",
        ] {
            let config = Config { complete_path: bad.to_owned(), ..Config::new("https://api.test/nv") };
            match Settings::check(&config) {
                Ok(settings) => assert!(settings.complete_url.as_str().starts_with("https://api.test/nv/"), "{bad}"),
                Err(error) => assert!(matches!(error, VerifyError::InvalidConfig { .. }), "{bad}"),
            }
        }
    }

    #[test]
    fn redirect_uri_with_invalid_host_is_rejected() {
        for bad in ["ftp://Aé.test/", "\u{1}https://Aé.test/", "wss://A%C3%A9.test", "https://xn--3ug/", "/cb"] {
            let config = Config { redirect_uri: Some(bad.to_owned()), ..Config::new("https://api.test/nv") };
            let setting = Settings::check(&config).err();
            assert!(
                matches!(setting, Some(VerifyError::InvalidConfig { setting }) if setting == Setting::RedirectUri),
                "{bad}"
            );
        }
    }

    #[test]
    fn auth_origin_must_be_an_https_origin() {
        let check = |origin: &str| {
            let config = Config { auth_origin: Some(origin.to_owned()), ..Config::new("https://api.test") };
            Settings::check(&config).map(|settings| settings.auth_origin.map(|url| url.to_string()))
        };
        assert_eq!(check("https://Auth.test").unwrap().as_deref(), Some("https://auth.test/"));
        assert_eq!(check("https://auth.test:8443/").unwrap().as_deref(), Some("https://auth.test:8443/"));
        for bad in [
            "",
            "auth.test",
            "http://auth.test",
            "https://u@auth.test",
            "https://auth.test/oauth2",
            "https://auth.test?a",
            "https://auth.test#a",
            "https://Äuth.test",
        ] {
            let error = check(bad).unwrap_err().to_json();
            assert_eq!(error, VerifyError::invalid_config(Setting::AuthOrigin).to_json(), "{bad}");
        }
    }

    #[test]
    fn resolve_entries_are_parsed_or_rejected() {
        let table = overrides(&["A.test:443:127.0.0.1,[::1]".to_owned(), "[::1]:80:10.0.0.1".to_owned()]).unwrap();
        assert_eq!(table[&("a.test".to_owned(), 443)].len(), 2);
        assert_eq!(table[&("::1".to_owned(), 80)].len(), 1);
        for bad in ["a.test", "a.test:443", "a.test:443:", "a.test:x:1.2.3.4", ":443:1.2.3.4", "a.test:443:nothing"] {
            assert!(overrides(&[bad.to_owned()]).is_none(), "{bad}");
        }
    }

    #[test]
    fn reserved_header_is_rejected() {
        let config = |name: &str| Config {
            headers: vec![Header::new(name.to_owned(), "x".to_owned())],
            ..Config::new("https://api.test")
        };
        assert!(Settings::check(&config("Authorization")).is_ok());
        for bad in ["Host", "cookie", "Content-Length", "Idempotency-Key", "X-Correlator", "bad name", ""] {
            assert!(Settings::check(&config(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn header_value_that_is_not_printable_ascii_is_rejected() {
        let setting = |value: &str, user_agent: &str| {
            let config = Config {
                headers: vec![Header::new("X-App".to_owned(), value.to_owned())],
                user_agent: Some(user_agent.to_owned()),
                ..Config::new("https://api.test")
            };
            match Settings::check(&config).err() {
                Some(VerifyError::InvalidConfig { setting }) => Some(setting),
                _ => None,
            }
        };
        assert_eq!(setting("a b~", "App/1 (x; y)"), None);
        for bad in ["é", "a\tb", "a\r\nb", "a\0", "\u{7f}"] {
            assert_eq!(setting(bad, "App"), Some(Setting::Headers), "{bad:?}");
            assert_eq!(setting("a", bad), Some(Setting::UserAgent), "{bad:?}");
        }
    }
}
