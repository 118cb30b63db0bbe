//! Location resolution. The first line is the URL that responds, each further line a `Location` of
//! its response.
#![no_main]

use http::{HeaderMap, HeaderValue, header};
use libfuzzer_sys::fuzz_target;
use number_verify::internals::{CookieJar, Delivery, Failure, Head, Next, Redactor, StartResponse, Walk};
use number_verify_fuzz::{assert_allowed, rules, text, twice};
use url::Url;

const BASE: &str = "https://op.test/a/b?x=1#secret";

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let first = text(lines.next().unwrap_or_default());
    let locations: Vec<_> = lines.filter_map(|line| HeaderValue::from_bytes(line).ok()).collect();
    let base = if begin(&first).is_some() { &first } else { BASE };
    let resolved = twice(|| resolve(base, &locations));
    let distinct = locations.iter().any(|other| trim(other) != trim(&locations[0]));
    match resolved {
        Some(Ok(url)) => {
            assert!(!locations.is_empty() && !distinct, "contradictory locations lead to {url}");
            let (_, base) = begin(base).expect("a walk that continued");
            compare(&base, &locations[0], &url);
        }
        Some(Err(failure)) => {
            assert!(!(locations.is_empty() || distinct) || failure == "BadLocation", "{failure}");
        }
        None => {}
    }
});

fn trim(value: &HeaderValue) -> &[u8] {
    value.as_bytes().trim_ascii()
}

fn begin(base: &str) -> Option<(Walk, Url)> {
    let start = StartResponse { auth_url: base.into(), redirect_uri: None, state: None, session: None };
    let (walk, request) = Walk::begin(start, rules(Delivery::Relay), CookieJar::new(), Redactor::new()).ok()?;
    assert_allowed(&request, &rules(Delivery::Relay), None);
    Some((walk, request.url))
}

/// The next URL of the walk, or how it failed.
fn resolve(base: &str, locations: &[HeaderValue]) -> Option<Result<Url, String>> {
    let (mut walk, _) = begin(base)?;
    let headers: HeaderMap = locations.iter().map(|value| (header::LOCATION, value.clone())).collect();
    match walk.on_head(&Head { status: 302, headers: &headers }) {
        Next::Follow(request) => {
            assert_allowed(&request, &rules(Delivery::Relay), None);
            Some(Ok(request.url))
        }
        Next::Fail(failure @ (Failure::BadLocation | Failure::ForbiddenRedirect | Failure::RedirectLoop)) => {
            Some(Err(format!("{failure:?}")))
        }
        // The base URL may have a redirect_uri.
        Next::Fail(_) | Next::Done(_) => None,
        Next::ReadBody(_) => panic!("a redirect has no body"),
    }
}

/// Compares with the URL standard's own resolution (RFC 9110, section 10.2.2), except for bytes
/// beyond ASCII and more than two slashes.
fn compare(base: &Url, location: &HeaderValue, url: &Url) {
    let location = text(trim(location));
    let slashes = location.len() - location.trim_start_matches(['/', '\\']).len();
    if !location.is_ascii() || slashes > 2 {
        return;
    }
    let mut expected = base.join(&location).expect("the walk continues there");
    expected.set_fragment(None);
    assert_eq!(*url, expected, "{location} at {base}");
}
