//! The small text parsers: escapes, letters and digits, `Retry-After`, dates, URLs.
#![no_main]

use http::HeaderValue;
use libfuzzer_sys::fuzz_target;
use number_verify::internals::{
    alphanumerics, has_userinfo, is_plain_host, parse_lenient_date, parse_url, readings, retry_after, retry_after_s,
};
use number_verify_fuzz::{text, twice};
use url::Url;

fuzz_target!(|data: &[u8]| {
    let text = text(data);
    escapes(&text);
    letters_and_digits(&text);
    if let Ok(value) = HeaderValue::from_bytes(data) {
        wait(&value);
    }
    urls(&text);
});

fn escapes(text: &str) {
    let Some(all) = twice(|| readings(text)) else { return };
    assert!(all.iter().any(|reading| reading == text), "the text itself");
    // Each decoding step leaves the text shorter or unchanged, so that decoding terminates.
    assert!(all.iter().all(|reading| reading.chars().count() <= text.chars().count()), "{all:?}");
    for reading in &all {
        let again = readings(reading).unwrap_or_default();
        assert!(again.iter().all(|reading| all.contains(reading)), "{reading} has further readings");
    }
}

fn letters_and_digits(text: &str) {
    let found = twice(|| alphanumerics(text));
    assert!(found.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase()), "{found}");
    assert_eq!(alphanumerics(&found), found);
    let each: String = text.chars().map(|c| alphanumerics(c.encode_utf8(&mut [0; 4]))).collect();
    assert_eq!(each, found, "characters are independent of each other");
}

fn wait(value: &HeaderValue) {
    let (exact, seconds) = (retry_after(value), retry_after_s(value));
    assert!(exact.is_some() || seconds.is_none());
    let Ok(text) = value.to_str() else { return assert!(exact.is_none()) };
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        assert_eq!(exact.map(|time| time.as_secs()), text.parse().ok(), "{text}");
    }
    let date = twice(|| parse_lenient_date(text));
    if let Some(date) = date {
        assert!((1601..=9999).contains(&date.year()), "{date}");
        assert_eq!(parse_lenient_date(&format!("{text} GMT")), Some(date), "text after a date is ignored");
    }
}

fn urls(text: &str) {
    let base = Url::parse("https://op.test/a/b?c").ok();
    for base in [None, base.as_ref()] {
        let Ok(url) = twice(|| parse_url(text, base)) else { continue };
        assert_eq!(Url::options().base_url(base).parse(text), Ok(url.clone()));
        if matches!(url.scheme(), "http" | "https") {
            assert!(url.host_str().is_some_and(is_plain_host), "{url}");
            assert_eq!(parse_url(url.as_str(), None).as_ref(), Ok(&url), "a parsed URL stays as it is");
        }
        if !url.username().is_empty() || url.password().is_some() {
            assert!(has_userinfo(text, base), "{url}");
        }
    }
}
