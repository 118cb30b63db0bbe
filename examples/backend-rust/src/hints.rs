//! Hints for the phone's requests to an operator's hosts, read from a JSON file and validated at
//! startup.
//!
//! An error contains the requirement, and nothing from the file.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Value};

use crate::contract::strict_json;

/// The phone reads at most 256 KiB of a response.
const SIZE_LIMIT: usize = 128 * 1024;
const HINTS_LIMIT: usize = 16;
const HEADERS_LIMIT: usize = 16;
const VALUE_LIMIT: usize = 1024;

pub fn read(path: &str) -> Result<Value, Cow<'static, str>> {
    let content = fs::read(path).map_err(|_| "the path of a readable file")?;
    if content.len() > SIZE_LIMIT {
        return Err("the path of a file of at most 128 KiB".into());
    }
    let hints = strict_json(&content).ok_or("the path of a JSON file in which no member is repeated")?;
    let entries = hints.as_array().filter(|entries| entries.len() <= HINTS_LIMIT);
    for (index, hint) in entries.ok_or("the path of a JSON file with an array of at most 16 hints")?.iter().enumerate()
    {
        let position = index + 1;
        check(hint).map_err(|error| format!("the path of a file of valid hints: in entry {position}, {error}"))?;
    }
    Ok(hints)
}

fn check(hint: &Value) -> Result<(), &'static str> {
    let hint = hint.as_object().ok_or("there must be an object")?;
    if !hint.keys().all(|name| matches!(name.as_str(), "host" | "headers" | "addressFamily" | "maxTls")) {
        return Err("the members must be host, headers, addressFamily and maxTls");
    }
    if !hint.get("host").and_then(Value::as_str).is_some_and(is_host) {
        return Err("host must be a host name, *. and a host name, or an IP address, without scheme, port and path");
    }
    if let Some(headers) = hint.get("headers") {
        let headers = headers.as_object().filter(|headers| headers.len() <= HEADERS_LIMIT);
        check_headers(headers.ok_or("headers must be an object of at most 16 members")?)?;
    }
    let is_one_of = |name, allowed: &[&str]| hint.get(name).is_none_or(|value| allowed.iter().any(|one| value == one));
    if !is_one_of("addressFamily", &["ipv4", "ipv6"]) {
        return Err("addressFamily must be ipv4 or ipv6");
    }
    if !is_one_of("maxTls", &["1.2", "1.3"]) {
        return Err("maxTls must be 1.2 or 1.3");
    }
    Ok(())
}

fn check_headers(headers: &Map<String, Value>) -> Result<(), &'static str> {
    let names: HashSet<_> = headers.keys().map(|name| name.to_ascii_lowercase()).collect();
    if names.len() < headers.len() {
        return Err("headers must have each name once");
    }
    if !headers.keys().all(|name| is_allowed(name)) {
        return Err(
            "the headers must be Accept, Accept-Language, User-Agent or X-*, except X-Correlator and X-Number-Verify-*",
        );
    }
    if !headers.values().all(|value| value.as_str().is_some_and(is_header_value)) {
        return Err("the value of a header must be 1 to 1024 printable ASCII characters without a blank at either end");
    }
    Ok(())
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[') {
        return address.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    let name = host.strip_prefix("*.").unwrap_or(host);
    if name.rsplit('.').next().is_some_and(is_number) {
        return host.parse::<Ipv4Addr>().is_ok();
    }
    name.len() <= 253 && name.split('.').all(is_label)
}

/// A host whose last label is a number is an IPv4 address (URL Standard).
fn is_number(label: &str) -> bool {
    let is_decimal = !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit());
    let digits = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    is_decimal || digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn is_label(label: &str) -> bool {
    let has_hyphen_at_an_end = label.starts_with('-') || label.ends_with('-');
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=63).contains(&label.len()) && !has_hyphen_at_an_end && label.bytes().all(is_allowed)
}

fn is_allowed(header: &str) -> bool {
    let name = header.to_ascii_lowercase();
    let is_reserved = name == "x-correlator" || name.starts_with("x-number-verify-");
    let is_known = matches!(name.as_str(), "accept" | "accept-language" | "user-agent");
    name.bytes().all(is_token) && (is_known || name.starts_with("x-") && !is_reserved)
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_header_value(value: &str) -> bool {
    let has_blank_at_an_end = value.starts_with(' ') || value.ends_with(' ');
    (1..=VALUE_LIMIT).contains(&value.len())
        && !has_blank_at_an_end
        && value.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}
