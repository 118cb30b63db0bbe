//! The cookie jar. A line that is a URL is a request, which gets the cookies for it; every other
//! line is a `Set-Cookie` of its response.
#![no_main]

use http::HeaderValue;
use libfuzzer_sys::fuzz_target;
use number_verify::internals::{CookieJar, Redactor, parse_url};
use number_verify_fuzz::{text, twice};
use url::{Host, Url};

/// The capacity of the jar.
const COOKIES: usize = 180;

/// A cookie that a response tried to set.
struct Offer {
    url: Url,
    line: String,
}

fuzz_target!(|data: &[u8]| {
    let sent = twice(|| requests(data));
    assert!(sent.iter().flatten().all(|header| header.split("; ").count() <= COOKIES || header.contains("; ;")));
});

/// The `Cookie` header of each request.
fn requests(data: &[u8]) -> Vec<Option<String>> {
    let (jar, redactor) = (CookieJar::new(), Redactor::new());
    let mut url = Url::parse("https://op.test/a/b").expect("a URL");
    let mut offers = Vec::new();
    let mut sent = Vec::new();
    for line in data.split(|byte| *byte == b'\n') {
        if let Some(next) = request(&text(line)) {
            url = next;
            sent.push(cookies(&jar, &url, &offers));
        } else if let Ok(value) = HeaderValue::from_bytes(line) {
            jar.store(&url, [&value].into_iter(), &redactor);
            let line: String = line.iter().copied().map(char::from).collect();
            assert_known(&line, &redactor);
            offers.push(Offer { url: url.clone(), line });
        }
    }
    assert_eq!(format!("{jar:?}"), "CookieJar(…)");
    sent
}

fn request(line: &str) -> Option<Url> {
    parse_url(line, None).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

fn cookies(jar: &CookieJar, url: &Url, offers: &[Offer]) -> Option<String> {
    let header = jar.header(url)?;
    assert!(header.is_sensitive());
    let header: String = header.as_bytes().iter().copied().map(char::from).collect();
    let mut rest = header.as_str();
    // A value may contain "; " only if no offer contains it, so each cookie is the longest offer
    // that fits.
    while !rest.is_empty() {
        let pair = offers.iter().filter(|offer| may_be_sent(offer, url)).map(|offer| pair(&offer.line));
        let fitting = pair.filter(|pair| {
            rest.strip_prefix(pair.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with("; "))
        });
        let longest = fitting.max_by_key(String::len).unwrap_or_else(|| panic!("{url} gets {rest}"));
        rest = &rest[longest.len()..];
        rest = rest.strip_prefix("; ").unwrap_or(rest);
    }
    Some(header)
}

fn pair(line: &str) -> String {
    let pair = line.split(';').next().unwrap_or_default();
    let (name, value) = pair.split_once('=').unwrap_or(("", pair));
    format!("{}={}", name.trim_matches([' ', '\t']), value.trim_matches([' ', '\t']))
}

/// A model of RFC 6265, section 5.4, that permits more than the jar: it ignores paths, ages and
/// replacement.
fn may_be_sent(offer: &Offer, url: &Url) -> bool {
    let is_local = |url: &Url| match url.host() {
        Some(Host::Domain(host)) => host == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let is_secure = |url: &Url| url.scheme() == "https" || is_local(url);
    let mut attributes = offer.line.split(';').skip(1).map(|attribute| attribute.split('=').next().unwrap_or_default());
    let has = |attribute: &str, name: &str| attribute.trim_matches([' ', '\t']).eq_ignore_ascii_case(name);
    let domain = offer.line.split(';').skip(1).filter_map(|attribute| attribute.split_once('='));
    let domain = domain
        .filter(|(name, _)| has(name, "domain"))
        .map(|(_, value)| value.trim_matches([' ', '\t', '.']).to_ascii_lowercase());
    let (from, to) = (offer.url.host_str().unwrap_or_default(), url.host_str().unwrap_or_default());
    let shared =
        |domain: String| [from, to].iter().all(|host| *host == domain || host.ends_with(&format!(".{domain}")));
    let reaches = from == to || domain.into_iter().any(|domain| domain.contains('.') && shared(domain));
    let was_secure = is_secure(&offer.url) || attributes.any(|attribute| has(attribute, "secure"));
    reaches && (is_secure(url) || !was_secure)
}

/// Cookies are secrets of the flow, whether or not they are stored.
fn assert_known(line: &str, redactor: &Redactor) {
    let pair = pair(line);
    let value = pair.split_once('=').map_or("", |(_, value)| value);
    assert!(value.is_empty() || redactor.contains_secret(value), "{value} is not known as a secret");
}
