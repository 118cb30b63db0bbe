//! Parses `Retry-After` (RFC 9110, section 10.2.3): seconds or a date.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;

use crate::lenient_date;

/// How long to wait from now; absent if the value is neither.
pub fn retry_after(value: &HeaderValue) -> Option<Duration> {
    let value = value.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = u64::try_from(lenient_date::parse(value)?.unix_timestamp()).ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(Duration::from_secs(date).saturating_sub(now))
}

/// The same in whole seconds.
pub fn retry_after_s(value: &HeaderValue) -> Option<u32> {
    u32::try_from(retry_after(value)?.as_secs()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(value: &str) -> Option<u32> {
        retry_after_s(&HeaderValue::from_str(value).unwrap())
    }

    #[test]
    fn seconds_and_dates_are_parsed() {
        for (value, expected) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(0)),
            ("Sun Nov  6 08:49:37 1994", Some(0)),
            ("Fri, 01 Jan 1960 00:00:00 GMT", None),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(after(value), expected, "{value}");
        }
        let in_a_while = after("Fri, 01 Jan 2100 00:00:00 GMT").unwrap();
        assert!((1_000_000_000..4_000_000_000).contains(&in_a_while), "{in_a_while}");
    }
}
