//! Validates the start response before anything is sent: where the walk begins, and how its end is
//! recognised.
//!
//! `redirect_uri` and `state` may each be in the auth URL and the start response, whose values must
//! not contradict each other; the configured `redirect_uri` is used if neither has one. An empty
//! parameter is treated as omitted (RFC 6749, section 3.1).

use std::borrow::Cow;

use url::{ParseError, Url};

use super::{MalformedStart, Rules, StartResponse, capture, policy};
use crate::limits;
use crate::secret::{ExposeSecret, SecretString};
use crate::url_text::{has_userinfo, parse_url};

/// A valid start response.
pub(super) struct CheckedStart {
    /// Including its fragment, for the redactor.
    pub(super) auth_url: Url,
    pub(super) redirect_uri: Option<Url>,
    /// Whether `redirect_uri` comes from the backend or the app, not only from the auth URL.
    pub(super) redirect_uri_is_trusted: bool,
    pub(super) state: Option<SecretString>,
}

pub(super) fn check(start: &StartResponse, rules: &Rules) -> Result<CheckedStart, MalformedStart> {
    let auth_url = auth_url(start.auth_url.expose_secret(), rules)?;
    let state = parameter(&auth_url, "state").map_err(|Differ| MalformedStart::StateDiffers)?;
    let in_response =
        start.state.as_ref().map(|state| state.expose_secret().to_owned()).filter(|state| !state.is_empty());
    let state = consistent(state, in_response).map_err(|Differ| MalformedStart::StateDiffers)?;

    let in_auth_url = parameter(&auth_url, "redirect_uri").map_err(|Differ| MalformedStart::RedirectUriDiffers)?;
    let in_auth_url = in_auth_url.as_deref().map(redirect_uri).transpose()?;
    let in_response = start.redirect_uri.as_deref().filter(|uri| !uri.is_empty()).map(redirect_uri).transpose()?;
    let configured = rules.configured_redirect_uri.as_deref().map(redirect_uri).transpose()?;
    let is_in_response = in_response.is_some();
    let differ = matches!((&in_auth_url, &in_response), (Some(one), Some(other)) if !capture::are_same(one, other));
    if differ {
        return Err(MalformedStart::RedirectUriDiffers);
    }
    let redirect_uri = in_auth_url.or(in_response).or_else(|| configured.clone());
    Ok(CheckedStart {
        redirect_uri_is_trusted: is_in_response || configured.is_some() && redirect_uri == configured,
        auth_url,
        redirect_uri,
        state: state.map(SecretString::from),
    })
}

fn auth_url(text: &str, rules: &Rules) -> Result<Url, MalformedStart> {
    let text = trim(text);
    if text.is_empty() {
        return Err(MalformedStart::Missing);
    }
    if text.len() > limits::URL {
        return Err(MalformedStart::Unparsable);
    }
    let url = parse_url(text, None).map_err(|error| match error {
        ParseError::RelativeUrlWithoutBase => MalformedStart::Relative,
        _ => MalformedStart::Unparsable,
    })?;
    if has_userinfo(text, None) {
        Err(MalformedStart::Userinfo)
    } else if url.scheme() != "https" {
        Err(MalformedStart::NotHttps)
    } else if !policy::has_allowed_address(&url, rules) {
        Err(MalformedStart::ForbiddenAddress)
    } else {
        Ok(url)
    }
}

fn redirect_uri(text: &str) -> Result<Url, MalformedStart> {
    parse_url(trim(text), None).map_err(|_| MalformedStart::BadRedirectUri)
}

/// Also removes the control characters that the URL parser skips.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c.is_ascii_control())
}

/// Two sources have different values.
struct Differ;

fn parameter(url: &Url, name: &str) -> Result<Option<String>, Differ> {
    let mut values = url.query_pairs().filter(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value);
    let first = values.next();
    if values.all(|value| Some(&value) == first.as_ref()) { Ok(first.map(Cow::into_owned)) } else { Err(Differ) }
}

fn consistent<T: PartialEq>(one: Option<T>, other: Option<T>) -> Result<Option<T>, Differ> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => Err(Differ),
        (one, other) => Ok(one.or(other)),
    }
}
