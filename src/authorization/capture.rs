//! The redirect to `redirect_uri`: matching and parsing (RFC 6749, sections 4.1.2 and 4.1.2.1).

use percent_encoding::percent_decode_str;
use url::{Url, form_urlencoded};

use super::{Denial, Failure};
use crate::limits;
use crate::secret::{ExposeSecret, Redactor, SecretString};

/// Whether a Location matches `redirect_uri`: scheme and host compared case-insensitively, port and
/// path equal, and its query parameters among those of the Location.
pub(super) fn matches(location: &Url, redirect_uri: &Url) -> bool {
    let same_host = match (location.host_str(), redirect_uri.host_str()) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        (None, None) => true,
        _ => false,
    };
    location.scheme() == redirect_uri.scheme()
        && same_host
        && location.port_or_known_default() == redirect_uri.port_or_known_default()
        && path(location) == path(redirect_uri)
        && redirect_uri.query_pairs().all(|expected| location.query_pairs().any(|actual| actual == expected))
}

/// Whether two sources specify the same `redirect_uri`.
pub(super) fn are_same(one: &Url, other: &Url) -> bool {
    matches(one, other) && matches(other, one)
}

/// Whether a Location other than `redirect_uri` is on its host.
pub(super) fn is_on_host_of(location: &Url, redirect_uri: &Url) -> bool {
    let host = |url: &Url| url.host_str().map(|host| host.trim_end_matches('.').to_ascii_lowercase());
    host(location).is_some_and(|host_of_location| Some(host_of_location) == host(redirect_uri))
}

fn path(url: &Url) -> &str {
    if url.path().is_empty() { "/" } else { url.path() }
}

/// The parameters are read from the query, or else from the fragment, never from both.
pub(super) fn parameters(location: &Url) -> Parameters {
    let in_query = Parameters::of(location.query());
    if in_query.are_a_response() { in_query } else { Parameters::of(location.fragment()) }
}

/// An unrequested state is ignored; a requested one must be returned, as it is or encoded.
pub(super) fn check_state(expected: Option<&SecretString>, echoed: Option<&str>) -> Result<(), Failure> {
    let Some(expected) = expected else { return Ok(()) };
    let is_same = echoed.is_some_and(|echoed| is_same_state(expected.expose_secret(), echoed));
    if is_same { Ok(()) } else { Err(Failure::StateMismatch) }
}

/// Some operators keep `+`, use it for a space, or encode twice: compares up to two decodings, each
/// with both meanings of `+`.
fn is_same_state(expected: &str, echoed: &str) -> bool {
    let once = decodings(echoed);
    echoed == expected
        || once.iter().any(|text| text == expected || decodings(text).iter().any(|twice| twice == expected))
}

fn decodings(text: &str) -> Vec<String> {
    let readings = [text.to_owned(), text.replace('+', " ")];
    readings.iter().filter_map(|text| Some(percent_decode_str(text).decode_utf8().ok()?.into_owned())).collect()
}

/// Returns the valid error code and the description of a denial, each only if it contains no secret
/// of the flow.
pub(super) fn denial(error: &str, description: Option<&str>, redactor: &Redactor) -> Denial {
    let plain = (1..=limits::ERROR_CODE).contains(&error.len())
        && error.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'));
    Denial {
        error: (plain && !redactor.contains_secret(error)).then(|| error.to_owned()),
        description: description.and_then(|text| redactor.keep(text, limits::DESCRIPTION)).map(SecretString::from),
    }
}

/// The parameters of a query or a fragment.
pub(super) struct Parameters(Vec<Parameter>);

struct Parameter {
    name: String,
    value: String,
    /// The encoded value.
    encoded: String,
}

impl Parameters {
    pub(super) fn of(part: Option<&str>) -> Self {
        let parameter = |pair: &str| {
            let (name, value) = form_urlencoded::parse(pair.as_bytes()).next()?;
            let encoded = pair.split_once('=').map_or("", |(_, encoded)| encoded).to_owned();
            Some(Parameter { name: name.into_owned(), value: value.into_owned(), encoded })
        };
        Self(part.unwrap_or_default().split('&').filter_map(parameter).collect())
    }

    pub(super) fn are_a_response(&self) -> bool {
        ["code", "error", "error_description", "state"].iter().any(|name| self.has(name))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// Whether it is absent or empty, which means omitted (RFC 6749, section 3.1).
    pub(super) fn lacks(&self, name: &str) -> bool {
        self.all(name).all(|parameter| parameter.value.is_empty())
    }

    pub(super) fn has_state(&self, state: &str) -> bool {
        self.all("state").any(|parameter| is_same_state(state, &parameter.encoded))
    }

    /// Whether this is a denial. Next to a code, an empty error is treated as omitted.
    pub(super) fn are_a_denial(&self) -> bool {
        if self.has("code") {
            self.all("error").any(|error| !is_empty_error(&error.value))
        } else {
            self.has("error") || self.has("error_description")
        }
    }

    /// The encoded value; `None` if it is repeated or empty.
    pub(super) fn encoded(&self, name: &str) -> Option<&str> {
        let mut values = self.all(name).map(|parameter| parameter.encoded.as_str());
        let first = values.next();
        first.filter(|value| !value.is_empty() && values.next().is_none())
    }

    /// Malformed if repeated, even with the same value, or not valid text; an empty value is
    /// treated as omitted (RFC 6749, section 3.1).
    pub(super) fn one(&self, name: &str) -> Result<Option<&str>, Failure> {
        let mut values = self.all(name).map(|parameter| parameter.value.as_str());
        match (values.next(), values.next()) {
            (Some(value), None) if value.contains(char::REPLACEMENT_CHARACTER) => Err(Failure::MalformedResponse),
            (value, None) => Ok(value.filter(|value| !value.is_empty())),
            (_, Some(_)) => Err(Failure::MalformedResponse),
        }
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &Parameter> {
        self.0.iter().filter(move |parameter| parameter.name == name)
    }
}

/// Values of `error` that some operators send although there is no error.
pub(super) fn is_empty_error(error: &str) -> bool {
    matches!(error, "" | "null" | "false")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_uri_matches_by_component() {
        for (redirect_uri, location, expected) in [
            ("https://cb.test/cb", "HTTPS://CB.test:443/cb?code=1", true),
            ("https://cb.test", "https://cb.test/?code=1", true),
            ("https://cb.test/cb", "https://cb.test/cb/", false),
            ("https://cb.test/cb", "https://cb.test/CB", false),
            ("https://cb.test/cb", "https://cb.test/%63b", false),
            ("https://cb.test/cb", "https://cb.test/x/../cb", true),
            ("https://cb.test/cb", "http://cb.test/cb", false),
            ("https://cb.test/cb", "https://cb.test:8443/cb", false),
            ("https://cb.test/cb", "https://cb.test.evil.test/cb", false),
            ("https://cb.test/cb?app=1", "https://cb.test/cb?code=1&app=1", true),
            ("https://cb.test/cb?app=1", "https://cb.test/cb?code=1", false),
            ("https://cb.test/cb?app=1", "https://cb.test/cb?app=2&code=1", false),
            ("https://cb.test/cb", "https://cb.test/cb#code=1", true),
            ("myapp://cb", "myapp://CB/?code=1", true),
            ("myapp://cb", "myapp://other?code=1", false),
            ("myapp:cb", "myapp:cb?code=1", true),
            ("myapp:cb", "myapp://cb?code=1", false),
            ("http://localhost:8080/cb", "http://localhost:8080/cb?code=1", true),
        ] {
            let [location_url, uri] = [location, redirect_uri].map(|text| Url::parse(text).unwrap());
            assert_eq!(matches(&location_url, &uri), expected, "{location} at {redirect_uri}");
        }
    }

    #[test]
    fn redirect_uris_are_same_if_each_matches_the_other() {
        for (one, other, expected) in [
            ("https://cb.test/cb?a=1&b=2", "https://cb.test/cb?b=2&a=1", true),
            ("https://cb.test/cb", "https://cb.test/cb?a=1", false),
            ("https://cb.test/cb?a=1", "https://cb.test/cb", false),
        ] {
            let [one, other] = [one, other].map(|text| Url::parse(text).unwrap());
            assert_eq!(are_same(&one, &other), expected, "{one} and {other}");
        }
    }

    #[test]
    fn parameters_come_from_query_or_else_fragment() {
        for (location, code) in [
            ("https://cb.test/?code=q", Some("q")),
            ("https://cb.test/#code=f", Some("f")),
            ("https://cb.test/?app=1#code=f", Some("f")),
            ("https://cb.test/?state=s#code=f", None),
            ("https://cb.test/?code=q#code=f", Some("q")),
            ("https://cb.test/?code=a%2Bb+c", Some("a+b c")),
            ("https://cb.test/?code=", None),
            ("https://cb.test/?Code=q", None),
        ] {
            let parameters = parameters(&Url::parse(location).unwrap());
            assert_eq!(parameters.one("code").unwrap(), code, "{location}");
        }
        assert!(Parameters::of(Some("code=1&code=1")).one("code").is_err());
        assert!(Parameters::of(Some("code=%ff")).one("code").is_err());
    }

    #[test]
    fn denial_omits_secrets_and_invalid_codes() {
        let redactor = Redactor::new();
        redactor.add_number("+14155550100");
        for (error, is_included) in [
            ("access_denied", true),
            ("a.b-C_9", true),
            ("", false),
            ("two words", false),
            ("accès", false),
            ("no_14155550100", false),
            (&"e".repeat(64), true),
            (&"e".repeat(65), false),
        ] {
            assert_eq!(denial(error, None, &redactor).error.is_some(), is_included, "{error}");
        }
        let description =
            |text: &str| denial("e", Some(text), &redactor).description.map(|text| text.expose_secret().to_owned());
        assert_eq!(description("no\r\n consent").as_deref(), Some("no consent"));
        assert_eq!(description("no +1415555\r\n0100 here"), None);
        assert_eq!(description(" \n"), None);
        assert_eq!(description(&"é".repeat(300)).map(|text| text.chars().count()), Some(200));
    }
}
