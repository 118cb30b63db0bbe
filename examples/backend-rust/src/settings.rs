//! Settings, read once from environment variables. An invalid one ends the program with its name,
//! never its value.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use oauth2::RedirectUrl;
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use crate::attestation::Attestation;
use crate::hints;
use crate::jwt::ClientKey;
use crate::limits::{Limit, Proxies};
use crate::provider::{Credential, Registration, Retrieval};
use crate::session::Keys;
use crate::store::Store;

/// CAMARA requires the scope of the API and one purpose.
const SCOPE: &str = "openid dpv:FraudPreventionAndDetection number-verification:verify";
const RETRIEVAL_SCOPE: &str = "openid dpv:FraudPreventionAndDetection number-verification:device-phone-number:read";

pub struct Settings {
    pub listen: SocketAddr,
    pub app: AppSettings,
    pub registration: Registration,
    pub store: Store,
}

/// Settings of the endpoints.
pub struct AppSettings {
    pub keys: Keys,
    pub follow_through: bool,
    pub lifetime_s: u64,
    pub provider_timeout: Duration,
    pub starts_per_number: Limit,
    pub starts_per_address: Limit,
    pub calls_per_address: Limit,
    pub proxies: Proxies,
    pub hints: Option<Value>,
    pub attestation: Option<Attestation>,
}

/// The message for an invalid setting.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} must be {requirement}")]
pub struct InvalidSetting {
    name: &'static str,
    requirement: Cow<'static, str>,
}

const LIMIT: &str = "COUNT/SECONDS, such as 5/600";
const HTTPS: &str = "an https URL";

/// Reads environment variables. An empty one is unset, except `NUMBER_VERIFY_ATTESTATION`: a
/// variable left empty by mistake must not disable the check.
pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Settings, InvalidSetting> {
    let value = |name| variable(name).filter(|text| !text.is_empty());
    let required = |name| value(name).ok_or(InvalidSetting { name, requirement: "set".into() });
    let keys = parse("NUMBER_VERIFY_KEYS", &required("NUMBER_VERIFY_KEYS")?, KEYS, Keys::parse)?;
    let limit = |name, default: &str| {
        parse(name, &value(name).unwrap_or_else(|| default.to_owned()), LIMIT, |text| text.parse::<Limit>().ok())
    };
    let or = |name, default: &str| value(name).unwrap_or_else(|| default.to_owned());
    let delivery = or("NUMBER_VERIFY_DELIVERY", "redirect");
    let follow_through = parse("NUMBER_VERIFY_DELIVERY", &delivery, "redirect or follow-through", delivery_of)?;
    let provider_timeout =
        parse("NUMBER_VERIFY_PROVIDER_TIMEOUT_S", &or("NUMBER_VERIFY_PROVIDER_TIMEOUT_S", "6"), TIMEOUT, seconds)?;
    let app = AppSettings {
        keys,
        follow_through,
        lifetime_s: parse("NUMBER_VERIFY_LIFETIME_S", &or("NUMBER_VERIFY_LIFETIME_S", "300"), LIFETIME, lifetime)?,
        provider_timeout,
        starts_per_number: limit("NUMBER_VERIFY_STARTS_PER_NUMBER", "5/600")?,
        starts_per_address: limit("NUMBER_VERIFY_STARTS_PER_ADDRESS", "60/60")?,
        calls_per_address: limit("NUMBER_VERIFY_CALLS_PER_ADDRESS", "300/60")?,
        proxies: parse("FORWARDED_ALLOW_IPS", &or("FORWARDED_ALLOW_IPS", ""), PROXIES, |text| text.parse().ok())?,
        hints: match value(HINTS) {
            Some(path) => Some(hints::read(&path).map_err(|requirement| InvalidSetting { name: HINTS, requirement })?),
            None => None,
        },
        attestation: match variable("NUMBER_VERIFY_ATTESTATION") {
            Some(name) => Some(parse("NUMBER_VERIFY_ATTESTATION", &name, ATTESTATION, Attestation::parse)?),
            None => None,
        },
    };
    let redirect_uri = required("OIDC_REDIRECT_URI")?;
    let redirect_uri = if follow_through {
        parse("OIDC_REDIRECT_URI", &redirect_uri, "the https URL of this backend's /callback", callback)?
    } else {
        parse("OIDC_REDIRECT_URI", &redirect_uri, "a URI without a fragment", redirect)?
    };
    let verify_url = parse("CAMARA_VERIFY_URL", &required("CAMARA_VERIFY_URL")?, HTTPS, https)?;
    let has_retrieval = has_retrieval(&or("NUMBER_VERIFY_RETRIEVAL", "off"), app.attestation)?;
    let registration = Registration {
        issuer: parse("OIDC_ISSUER", &required("OIDC_ISSUER")?, HTTPS, |text| https(text).map(|_| text.to_owned()))?,
        client_id: required("OIDC_CLIENT_ID")?,
        credential: credential(&value)?,
        redirect_uri,
        scope: or("OIDC_SCOPE", SCOPE),
        login_hint: parse("OIDC_LOGIN_HINT", &or("OIDC_LOGIN_HINT", "none"), "none or tel", login_hint)?,
        retrieval: if has_retrieval { Some(retrieval(&or, &verify_url)?) } else { None },
        verify_url,
        timeout: provider_timeout,
    };
    Ok(Settings {
        listen: parse("LISTEN", &or("LISTEN", "127.0.0.1:8000"), "ADDRESS:PORT", |text| text.parse().ok())?,
        app,
        registration,
        store: match value("REDIS_URL") {
            Some(url) => parse("REDIS_URL", &url, "a redis:// or rediss:// URL", Store::redis)?,
            None => Store::memory(),
        },
    })
}

const HINTS: &str = "NUMBER_VERIFY_HINTS";
const ATTESTATION: &str = "play-integrity, app-attest or unset";
const REQUIRED_FOR_RETRIEVAL: &str = "set, because NUMBER_VERIFY_RETRIEVAL is on; without-attestation is for \
     development, and for backends that authenticate the app in another way";
const KEYS: &str = "one or more Fernet keys (32 bytes in URL-safe base64), comma-separated";
const LIFETIME: &str = "whole seconds, 1 to 3600";
const TIMEOUT: &str = "seconds, above 0 and up to 60";
const OPENID: &str = "scopes, including openid";
const PROXIES: &str = "addresses and networks, comma-separated, or *";

fn parse<T>(
    name: &'static str,
    text: &str,
    requirement: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, InvalidSetting> {
    parse(text).ok_or(InvalidSetting { name, requirement: requirement.into() })
}

fn delivery_of(text: &str) -> Option<bool> {
    match text {
        "redirect" => Some(false),
        "follow-through" => Some(true),
        _ => None,
    }
}

fn has_retrieval(text: &str, attestation: Option<Attestation>) -> Result<bool, InvalidSetting> {
    match (text, attestation) {
        ("off", _) => Ok(false),
        ("on", Some(_)) | ("without-attestation", _) => Ok(true),
        ("on", None) => {
            Err(InvalidSetting { name: "NUMBER_VERIFY_ATTESTATION", requirement: REQUIRED_FOR_RETRIEVAL.into() })
        }
        _ => {
            let requirement = "off, on or without-attestation".into();
            Err(InvalidSetting { name: "NUMBER_VERIFY_RETRIEVAL", requirement })
        }
    }
}

fn retrieval(or: &impl Fn(&'static str, &str) -> String, verify_url: &Url) -> Result<Retrieval, InvalidSetting> {
    let (scope, url) = ("OIDC_RETRIEVAL_SCOPE", "CAMARA_DEVICE_PHONE_NUMBER_URL");
    Ok(Retrieval {
        scope: parse(scope, &or(scope, RETRIEVAL_SCOPE), OPENID, with_openid)?,
        url: parse(url, &or(url, &next_to(verify_url)), HTTPS, https)?,
    })
}

fn next_to(verify_url: &Url) -> String {
    let mut url = verify_url.clone();
    url.set_path(verify_url.path().trim_end_matches('/'));
    url.join("device-phone-number").map(String::from).unwrap_or_default()
}

/// The ID token binds the code to its session, also if the provider ignores PKCE.
fn with_openid(scope: &str) -> Option<String> {
    scope.split(' ').any(|one| one == "openid").then(|| scope.to_owned())
}

fn login_hint(text: &str) -> Option<bool> {
    match text {
        "none" => Some(false),
        "tel" => Some(true),
        _ => None,
    }
}

fn lifetime(text: &str) -> Option<u64> {
    text.parse().ok().filter(|seconds| (1..=3600).contains(seconds))
}

fn seconds(text: &str) -> Option<Duration> {
    let duration = Duration::try_from_secs_f64(text.parse().ok()?).ok()?;
    Some(duration).filter(|duration| !duration.is_zero() && *duration <= Duration::from_mins(1))
}

fn https(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| url.scheme() == "https" && url.fragment().is_none())
}

fn redirect(text: &str) -> Option<RedirectUrl> {
    RedirectUrl::new(text.to_owned()).ok().filter(|uri| uri.url().fragment().is_none())
}

fn callback(text: &str) -> Option<RedirectUrl> {
    redirect(text).filter(|uri| uri.url().scheme() == "https" && uri.url().path().ends_with("/callback"))
}

fn credential(value: &impl Fn(&'static str) -> Option<String>) -> Result<Credential, InvalidSetting> {
    match (value("OIDC_CLIENT_SECRET"), value("OIDC_PRIVATE_KEY_FILE")) {
        (Some(secret), None) => Ok(Credential::Secret(SecretString::from(secret))),
        (None, Some(file)) => {
            let algorithm = value("OIDC_PRIVATE_KEY_ALGORITHM").unwrap_or_else(|| "ES256".to_owned());
            let requirement = "a PEM file with a key for OIDC_PRIVATE_KEY_ALGORITHM";
            parse("OIDC_PRIVATE_KEY_FILE", &file, requirement, |file| {
                ClientKey::parse(&std::fs::read(file).ok()?, &algorithm, value("OIDC_PRIVATE_KEY_ID"))
            })
            .map(Credential::Key)
        }
        _ => {
            let requirement = "set, and not both".into();
            Err(InvalidSetting { name: "OIDC_CLIENT_SECRET or OIDC_PRIVATE_KEY_FILE", requirement })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(changes: &[(&str, &str)]) -> Result<Settings, InvalidSetting> {
        let key = fernet::Fernet::generate_key();
        let good = [
            ("NUMBER_VERIFY_KEYS", key.as_str()),
            ("OIDC_ISSUER", "https://operator.example/oidc"),
            ("OIDC_CLIENT_ID", "client"),
            ("OIDC_CLIENT_SECRET", "not to be logged"),
            ("OIDC_REDIRECT_URI", "myapp://verified"),
            ("CAMARA_VERIFY_URL", "https://operator.example/number-verification/v2/verify"),
        ];
        let find = |all: &[(&str, &str)], name: &str| {
            all.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        read(|name| find(changes, name).or_else(|| find(&good, name)))
    }

    #[test]
    fn required_settings_are_sufficient() {
        let settings = with(&[]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8000");
        assert_eq!((settings.app.lifetime_s, settings.app.provider_timeout), (300, Duration::from_secs(6)));
        assert!(!settings.app.follow_through && !settings.registration.login_hint);
        assert!(settings.registration.retrieval.is_none());
        assert!(matches!(settings.store, Store::Memory(_)) && settings.app.attestation.is_none());
    }

    #[test]
    fn retrieval_defaults_to_off() {
        let on = ("NUMBER_VERIFY_RETRIEVAL", "without-attestation");
        let read = |changes: &[(&str, &str)]| with(changes).map(|settings| settings.registration.retrieval);
        for off in ["", "off"] {
            assert!(matches!(read(&[("NUMBER_VERIFY_RETRIEVAL", off)]), Ok(None)), "{off}");
        }
        for verify in ["verify", "verify/", "verify//", "verify/?version=2", "verify?version=/2/"] {
            let verify = format!("https://operator.example/number-verification/v2/{verify}");
            let Ok(Some(by_default)) = read(&[on, ("CAMARA_VERIFY_URL", &verify)]) else { panic!("retrieval is off") };
            assert_eq!(by_default.url.as_str(), "https://operator.example/number-verification/v2/device-phone-number");
            assert_eq!(by_default.scope, RETRIEVAL_SCOPE);
        }
        let (url, scope) = ("https://operator.example/number", "openid more");
        let changes = [on, ("CAMARA_DEVICE_PHONE_NUMBER_URL", url), ("OIDC_RETRIEVAL_SCOPE", scope)];
        let Ok(Some(set)) = read(&changes) else { panic!("retrieval is off") };
        assert_eq!((set.url.as_str(), set.scope.as_str()), (url, scope));
        for (name, value) in
            [("CAMARA_DEVICE_PHONE_NUMBER_URL", "http://operator.example"), ("OIDC_RETRIEVAL_SCOPE", "openidx more")]
        {
            assert!(read(&[on, (name, value)]).is_err_and(|error| error.name == name), "{name}");
        }
    }

    #[test]
    fn retrieval_without_attestation_is_rejected_unless_allowed() {
        let (attestation, retrieval) = ("NUMBER_VERIFY_ATTESTATION", "NUMBER_VERIFY_RETRIEVAL");
        let expected = "NUMBER_VERIFY_ATTESTATION must be set, because NUMBER_VERIFY_RETRIEVAL is on;";
        let missing = with(&[(retrieval, "on")]).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(missing.starts_with(expected) && missing.contains("without-attestation"), "{missing}");
        for value in ["on", "without-attestation"] {
            let settings =
                with(&[(retrieval, value), (attestation, "app-attest")]).unwrap_or_else(|error| panic!("{error}"));
            assert!(settings.registration.retrieval.is_some(), "{value}");
            assert_eq!(settings.app.attestation, Some(Attestation::AppAttest), "{value}");
        }
    }

    #[test]
    fn invalid_setting_is_reported_without_its_value() {
        let cases = [
            ("NUMBER_VERIFY_KEYS", "", "NUMBER_VERIFY_KEYS must be set"),
            ("NUMBER_VERIFY_KEYS", "not to be logged", "NUMBER_VERIFY_KEYS must be one or more Fernet keys"),
            ("NUMBER_VERIFY_DELIVERY", "dance", "NUMBER_VERIFY_DELIVERY must be redirect or follow-through"),
            ("NUMBER_VERIFY_DELIVERY", "follow-through", "OIDC_REDIRECT_URI must be the https URL"),
            ("NUMBER_VERIFY_LIFETIME_S", "0", "NUMBER_VERIFY_LIFETIME_S must be whole seconds"),
            ("NUMBER_VERIFY_PROVIDER_TIMEOUT_S", "nan", "NUMBER_VERIFY_PROVIDER_TIMEOUT_S must be seconds"),
            ("NUMBER_VERIFY_PROVIDER_TIMEOUT_S", "61", "NUMBER_VERIFY_PROVIDER_TIMEOUT_S must be seconds"),
            ("NUMBER_VERIFY_STARTS_PER_NUMBER", "5", "NUMBER_VERIFY_STARTS_PER_NUMBER must be COUNT/SECONDS"),
            ("NUMBER_VERIFY_STARTS_PER_ADDRESS", "0/1", "NUMBER_VERIFY_STARTS_PER_ADDRESS must be COUNT/SECONDS"),
            ("NUMBER_VERIFY_CALLS_PER_ADDRESS", "x", "NUMBER_VERIFY_CALLS_PER_ADDRESS must be COUNT/SECONDS"),
            (
                "NUMBER_VERIFY_ATTESTATION",
                "on",
                "NUMBER_VERIFY_ATTESTATION must be play-integrity, app-attest or unset",
            ),
            ("NUMBER_VERIFY_ATTESTATION", "", "NUMBER_VERIFY_ATTESTATION must be play-integrity, app-attest or unset"),
            ("FORWARDED_ALLOW_IPS", "proxy", "FORWARDED_ALLOW_IPS must be addresses"),
            ("REDIS_URL", "not to be logged", "REDIS_URL must be a redis:// or rediss:// URL"),
            ("OIDC_ISSUER", "http://operator.example", "OIDC_ISSUER must be an https URL"),
            ("OIDC_CLIENT_ID", "", "OIDC_CLIENT_ID must be set"),
            ("OIDC_CLIENT_SECRET", "", "OIDC_CLIENT_SECRET or OIDC_PRIVATE_KEY_FILE must be set, and not both"),
            ("OIDC_PRIVATE_KEY_FILE", "/", "OIDC_CLIENT_SECRET or OIDC_PRIVATE_KEY_FILE must be set, and not both"),
            ("OIDC_REDIRECT_URI", "relative", "OIDC_REDIRECT_URI must be a URI"),
            ("OIDC_LOGIN_HINT", "yes", "OIDC_LOGIN_HINT must be none or tel"),
            ("NUMBER_VERIFY_RETRIEVAL", "yes", "NUMBER_VERIFY_RETRIEVAL must be off, on or without-attestation"),
            ("CAMARA_VERIFY_URL", "http://operator.example", "CAMARA_VERIFY_URL must be an https URL"),
            ("LISTEN", "8000", "LISTEN must be ADDRESS:PORT"),
        ];
        for (name, value, expected) in cases {
            let message = with(&[(name, value)]).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(message.starts_with(expected) && !message.contains("logged"), "{name}={value}: {message}");
        }
        let error = with(&[("OIDC_CLIENT_SECRET", ""), ("OIDC_PRIVATE_KEY_FILE", "/nowhere.pem")]).err().unwrap();
        assert_eq!(
            error.to_string(),
            "OIDC_PRIVATE_KEY_FILE must be a PEM file with a key for OIDC_PRIVATE_KEY_ALGORITHM"
        );
    }
}
