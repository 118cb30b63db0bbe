//! Location headers, resolved against the URL that responded.

use number_verify::internals::{Failure, resolve_location};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use url::Url;

use crate::text::{mutated, to_bytes, to_text, word, words};
use crate::{SAME, Subject};

/// The longest accepted Location.
const MAX_LENGTH: usize = 16 * 1024;

pub fn subject() -> Subject {
    let [scheme, slashes, userinfo] = ["scheme", "slashes", "userinfo"].map(|name| word(&format!("locations.{name}")));
    let [host, port, base] = ["host", "port", "base"].map(|name| word(&format!("locations.{name}")));
    let [before, after] = [(); 2].map(|()| word("locations.blanks"));
    let path = |max| words("locations.path", max);
    let rest = || words("locations.rest", 4);
    let parts = (scheme, slashes, userinfo, host, port, path(6), rest());
    let url = parts.prop_map(|(scheme, slashes, userinfo, host, port, path, rest)| {
        [scheme, slashes, userinfo, host, port, path, rest].concat()
    });
    let relative = (path(8), rest()).prop_map(|(path, rest)| path + &rest);
    let bytes = vec(any::<u8>(), 0..12).prop_map(|bytes| to_text(&bytes));
    let long = (MAX_LENGTH - 2..MAX_LENGTH + 3).prop_map(|length| "a".repeat(length));
    let location = prop_oneof![30 => mutated(url), 10 => mutated(relative), 1 => bytes, 1 => long];
    let location = (before, location, after).prop_map(|(before, location, after)| before + &location + &after).boxed();
    let locations = prop_oneof![
        40 => location.clone().prop_map(|location| vec![location]),
        1 => location.clone().prop_map(|location| vec![location.clone(), format!("\t{location} ")]),
        1 => vec(location, 0..3),
    ];
    let inputs = (base, locations).prop_map(|(base, locations)| json!({"base": base, "locations": locations}));
    Subject { name: "locations", inputs: inputs.boxed(), ours, class }
}

fn ours(input: &Value) -> Value {
    let base = Url::parse(input["base"].as_str().expect("a URL")).expect("a URL");
    let locations: Vec<_> = texts(input).iter().map(to_bytes).collect();
    match resolve_location(&base, locations.iter().map(Vec::as_slice)) {
        Ok(url) => url.as_str().into(),
        Err(Failure::BadLocation) => Value::Null,
        Err(failure) => json!({"refused": format!("{failure:?}")}),
    }
}

fn texts(input: &Value) -> &Vec<Value> {
    input["locations"].as_array().expect("a list")
}

fn class(input: &Value, ours: &Value, theirs: &Value) -> Option<&'static str> {
    let locations: Vec<_> = texts(input).iter().map(to_bytes).collect();
    let Some(first) = locations.first().map(|location| location.trim_ascii()) else {
        return ours.is_null().then_some("no Location");
    };
    if locations.iter().any(|other| other.trim_ascii() != first) {
        return ours.is_null().then_some("different Locations");
    }
    let theirs = &theirs[0];
    let Authority { host, has_userinfo, has_slashes } = authority(first);
    match (ours, theirs) {
        _ if ours == theirs => Some(SAME),
        (Value::Null, _) if first.is_empty() => Some("an empty Location"),
        (Value::Null, _) if first.len() > MAX_LENGTH => Some("a Location over 16 KiB"),
        (Value::Object(_), _) if has_userinfo => Some("userinfo"),
        (Value::Null, Value::String(_)) if host.contains(|c: char| c == '%' || !c.is_ascii()) => {
            Some("a host that is not plain ASCII")
        }
        (Value::Null, Value::String(_)) if !has_slashes => Some("a path that could be a host"),
        (Value::String(ours), Value::String(theirs)) if ours.starts_with("file:") && theirs.starts_with("file:") => {
            Some("a path of a file: URL")
        }
        (Value::String(ours), Value::String(theirs)) if has_drive(first) => {
            let hosts = [ours, theirs].map(|url| Url::parse(url).ok()?.host_str().map(str::to_owned));
            (hosts[0] == hosts[1]).then_some("a drive letter before ..")
        }
        (Value::String(ours), Value::String(theirs)) if ours.strip_suffix('/') == Some(theirs) => {
            Url::parse(ours).is_ok_and(|url| !url.is_special()).then_some("a path ending in .. in a custom-scheme URL")
        }
        (Value::String(_), Value::Null)
            if host.to_ascii_lowercase().split('.').any(|label| label.starts_with("xn--")) =>
        {
            Some("an invalid xn-- label")
        }
        (Value::String(ours), Value::Null)
            if Url::parse(ours).is_ok_and(|url| !url.is_special()) && host.contains('\\') =>
        {
            Some("a backslash in the host of a custom-scheme URL")
        }
        _ => None,
    }
}

/// Whether a segment is such as `C:` or `C|`.
fn has_drive(location: &[u8]) -> bool {
    let text = to_text(location).replace(['\t', '\n', '\r'], "");
    let mut segments = text.trim_matches(|c| c <= ' ').split(['/', '\\', '?', '#']);
    segments.any(|segment| match segment.as_bytes() {
        [letter, b':' | b'|'] | [.., b':', letter, b':' | b'|'] => letter.is_ascii_alphabetic(),
        _ => false,
    })
}

#[derive(Default)]
struct Authority {
    host: String,
    has_userinfo: bool,
    has_slashes: bool,
}

/// The host and port that a Location appears to have, even if some parsers read them as a path, and
/// whether userinfo precedes them.
fn authority(location: &[u8]) -> Authority {
    let text = to_text(location).replace(['\t', '\n', '\r'], "");
    let text = text.trim_start_matches(|c| c <= ' ');
    let scheme = text.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
    let scheme =
        scheme.filter(|end| text[*end..].starts_with(':') && text.starts_with(|c: char| c.is_ascii_alphabetic()));
    let (scheme, rest) = scheme.map_or(("", text), |end| (&text[..end], &text[end + 1..]));
    let is_special = ["", "http", "https", "ftp", "ws", "wss", "file"].contains(&scheme.to_ascii_lowercase().as_str());
    let slashes: &[char] = if is_special { &['/', '\\'] } else { &['/'] };
    let host = rest.trim_start_matches(slashes);
    let has_slashes = rest.len() - host.len() >= 2;
    if !has_slashes && (scheme.is_empty() || !is_special) {
        return Authority { has_slashes: true, ..Authority::default() };
    }
    let end = host.find(|c| slashes.contains(&c) || matches!(c, '?' | '#')).unwrap_or(host.len());
    let (before, host) =
        host[..end].rsplit_once('@').map_or((None, &host[..end]), |(before, host)| (Some(before), host));
    Authority { host: host.to_owned(), has_userinfo: before.is_some(), has_slashes }
}
