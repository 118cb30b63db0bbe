//! Identifiers by which an operator's support can find a request.

use std::collections::HashMap;

use http::{HeaderMap, HeaderValue};

use crate::limits;
use crate::secret::Redactor;

/// The response headers of gateways and content delivery networks that contain them.
const HEADERS: [&str; 8] = [
    "x-correlator",
    "x-request-id",
    "x-correlation-id",
    "traceparent",
    "x-orange-trace-id",
    "x-vig-trace-id",
    "x-amz-cf-id",
    "cf-ray",
];

/// The identifiers in a response, except values that may be free text or contain a secret.
pub(super) fn of(headers: &HeaderMap, redactor: &Redactor) -> HashMap<String, String> {
    let mut ids = HashMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| HEADERS.contains(&name.as_str())) {
        if let Some(id) = id(value).filter(|id| !redactor.contains_secret(id)) {
            ids.entry(name.as_str().to_owned()).or_insert_with(|| id.to_owned());
        }
    }
    ids
}

fn id(value: &HeaderValue) -> Option<&str> {
    let is_of_an_id = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/=+-".contains(&byte);
    let text = value.to_str().ok()?;
    ((1..=limits::TRACE_ID).contains(&text.len()) && text.bytes().all(is_of_an_id)).then_some(text)
}
