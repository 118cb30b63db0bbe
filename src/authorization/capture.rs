//! The redirect to redirect_uri: recognising it and reading it (RFC 6749, sections 4.1.2 and 4.1.2.1).

use url::{Url, form_urlencoded};

use super::{Denial, Failure};
use crate::secret::{Redactor, SecretString};

/// Whether a Location leads to redirect_uri: scheme and host without regard to case, port and path equal, its own parameters
/// among those of the Location.
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
        && redirect_uri.query_pairs().all(|wanted| location.query_pairs().any(|given| given == wanted))
}

fn path(url: &Url) -> &str {
    if url.path().is_empty() { "/" } else { url.path() }
}

/// The parameters come from the query, else from the fragment, never from both.
pub(super) fn parameters(location: &Url) -> Parameters {
    let in_query = Parameters::of(location.query());
    let is_answer = ["code", "error", "state"].iter().any(|name| in_query.has(name));
    if is_answer { in_query } else { Parameters::of(location.fragment()) }
}

/// Keeps of a refusal what is a plain code, and the description without the flow's secrets.
pub(super) fn denial(error: &str, description: Option<&str>, redactor: &Redactor) -> Denial {
    const LONGEST_CODE: usize = 64;
    const LONGEST_DESCRIPTION: usize = 200;
    let plain = (1..=LONGEST_CODE).contains(&error.len())
        && error.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'));
    let description = description.map(|text| {
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        redactor.redact(&text).chars().take(LONGEST_DESCRIPTION).collect::<String>()
    });
    Denial {
        error: (plain && !redactor.contains_secret(error)).then(|| error.to_owned()),
        description: description.filter(|text| !text.trim().is_empty()).map(SecretString::from),
    }
}

/// Decoded names and values of a query or a fragment.
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(super) fn of(part: Option<&str>) -> Self {
        Self(form_urlencoded::parse(part.unwrap_or_default().as_bytes()).into_owned().collect())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// Repeated, even with the same value, it is malformed (RFC 6749, section 3.1).
    pub(super) fn one(&self, name: &str) -> Result<Option<String>, Failure> {
        let mut values = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value);
        match (values.next(), values.next()) {
            (Some(value), None) if value.is_empty() => Err(Failure::MalformedResponse),
            (value, None) => Ok(value.cloned()),
            (_, Some(_)) => Err(Failure::MalformedResponse),
        }
    }
}
