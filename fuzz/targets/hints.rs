//! Hints from JSON. The first line is a host, the rest the hints.
#![no_main]

use libfuzzer_sys::fuzz_target;
use number_verify::internals::Hints;
use number_verify::{Hint, Setting, VerifyError, hints_from_json};
use number_verify_fuzz::{first_line, text, twice};

/// Headers that no hint may set, regardless of spelling.
const REFUSED: [&str; 9] = [
    "host",
    "cookie",
    "authorization",
    "content-length",
    "transfer-encoding",
    "connection",
    "accept-encoding",
    "x-correlator",
    "x-number-verify-session",
];

fuzz_target!(|data: &[u8]| {
    let text = text(data);
    let (host, json) = first_line(&text);
    match twice(|| hints_from_json(json).map_err(|error| error.to_json())) {
        Ok(hints) => {
            assert!(hints.len() <= 16);
            for hint in &hints {
                check(hint, host);
            }
            let all = Hints::check(&hints).expect("checked before");
            let steering = all.for_host(host);
            let fitting = || hints.iter().filter(|hint| fits(hint, host));
            for (name, value) in &steering.headers {
                let is_hinted = |(key, expected): (&String, &String)| {
                    name.as_str().eq_ignore_ascii_case(key) && value == expected.as_str()
                };
                assert!(fitting().any(|hint| hint.headers.iter().any(is_hinted)), "{name} at {host}");
                assert!(!REFUSED.contains(&name.as_str()) && value.is_sensitive(), "{name}");
            }
            let last = |pick: fn(&Hint) -> bool| fitting().any(pick);
            assert_eq!(steering.address_family.is_some(), last(|hint| hint.address_family.is_some()));
            assert_eq!(steering.max_tls.is_some(), last(|hint| hint.max_tls.is_some()));
        }
        Err(error) => assert_eq!(error, VerifyError::InvalidConfig { setting: Setting::Hints }.to_json()),
    }
});

fn check(hint: &Hint, host: &str) {
    assert!(
        hint.host.is_ascii() && !hint.host.trim_start_matches("*.").contains(['*', '/', '@', '?', '#', ' ', '\\']),
        "{}",
        hint.host
    );
    assert!(hint.headers.len() <= 16);
    for value in hint.headers.values() {
        assert!(
            (1..=1024).contains(&value.len()) && value.bytes().all(|byte| matches!(byte, b' '..=b'~')),
            "{value:?}"
        );
    }
    let alone = Hints::of(std::slice::from_ref(hint)).for_host(host);
    assert!(fits(hint, host) || alone.headers.is_empty() && alone.address_family.is_none() && alone.max_tls.is_none());
}

/// Hosts come from URLs: in lower case, possibly with a trailing dot.
fn fits(hint: &Hint, host: &str) -> bool {
    let plain = |host: &str| host.trim_end_matches('.').to_owned();
    let (pattern, host) = (plain(&hint.host.to_ascii_lowercase()), plain(host));
    match pattern.strip_prefix("*.") {
        Some(suffix) => host.strip_suffix(suffix).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        None => host == pattern,
    }
}
