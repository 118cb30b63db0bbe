//! The headers of a request to the operator's side.

use http::{HeaderMap, HeaderValue, header};
use secrecy::ExposeSecret;

use crate::authorization::Request;
use crate::config::OperatorHeaders;
use crate::contract;
use crate::hints::Steering;
use crate::secret::sensitive_header;
use crate::settings::Settings;

/// The value that browsers send for a navigation, for gateways that require `text/html`, and JSON,
/// for endpoints that support nothing else.
const ACCEPT: &str = "text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8";

/// Whether a request is sent to the origin of the auth URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    First,
    Other,
}

/// gzip is offered on https only: on plain http a middlebox may need to read the body.
pub(super) fn of(request: &Request, origin: Origin, steering: &Steering, settings: &Settings) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, settings.user_agent.clone());
    headers.insert(header::ACCEPT, HeaderValue::from_static(ACCEPT));
    if request.url.scheme() == "https" {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if origin == Origin::First || settings.operator_headers_to == OperatorHeaders::AllHosts {
        headers.extend(settings.operator_headers.clone());
    }
    headers.extend(steering.headers.clone());
    headers.extend(request.cookie.clone().map(|cookie| (header::COOKIE, cookie)));
    let session = request.session.as_ref().and_then(|session| sensitive_header(session.expose_secret()));
    headers.extend(session.map(|session| (contract::SESSION, session)));
    headers
}
