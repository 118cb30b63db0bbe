//! `Retry-After` (RFC 9110, section 10.2.3): seconds or a date.

use std::time::{Duration, SystemTime};

use http::HeaderValue;

/// How long to wait from now on; absent if the value is neither.
pub fn retry_after(value: &HeaderValue) -> Option<Duration> {
    let value = value.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// The same in whole seconds, for the caller.
pub fn retry_after_s(value: &HeaderValue) -> Option<u32> {
    u32::try_from(retry_after(value)?.as_secs()).ok()
}
