//! One cookie jar per flow, shared by both legs, as in RFC 6265. Never persisted.
//!
//! There is no public suffix list, so a Domain attribute needs an inner dot. A plain http response
//! neither sets nor replaces a Secure cookie or one with a prefix such as `__Host-` (RFC 6265bis,
//! section 5.7): otherwise an attacker on such a hop could choose the session. A cookie set over
//! https is treated as Secure with or without the attribute, so it is never sent over plain http.
//! Values are secrets of the flow and are never logged.
//!
//! A cookie is a byte string, returned unchanged (RFC 6265, section 5.4). The store requires text:
//! each byte becomes the character with its number, as in ISO 8859-1.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cookie_store::{Cookie, CookieStore, RawCookie, StoreAction};
use http::HeaderValue;
use time::Duration;
use url::Url;

use crate::lenient_date;
use crate::limits;
use crate::network::address::is_loopback;
use crate::secret::Redactor;
use crate::url_text::is_plain_host;

/// Domain, path and name identify a cookie.
type Key = (String, String, String);

/// The cookies of one flow; clones share them.
#[derive(Clone, Default)]
pub struct CookieJar(Arc<Mutex<Jar>>);

#[derive(Default)]
struct Jar {
    store: CookieStore,
    /// When a cookie was first set: the store does not record it.
    age: HashMap<Key, usize>,
    stored: usize,
}

impl CookieJar {
    /// An empty jar.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores the `Set-Cookie` headers of a response from this URL. Invalid cookies are ignored.
    pub fn store<'a>(&self, url: &Url, set_cookie: impl Iterator<Item = &'a HeaderValue>, redactor: &Redactor) {
        let mut jar = self.lock();
        for value in set_cookie {
            jar.set(url, &to_text(value.as_bytes()), redactor);
        }
    }

    /// The `Cookie` header for this URL: longer paths first, then older cookies (RFC 6265, section
    /// 5.4).
    #[must_use]
    pub fn header(&self, url: &Url) -> Option<HeaderValue> {
        let jar = self.lock();
        let mut cookies = jar.store.matches(url);
        let mut pairs = Vec::new();
        // There are few, and sorting them would add 4 KiB to the library.
        let order = |cookie: &Cookie<'_>| (Reverse(cookie.path.len()), jar.age.get(&key(cookie)).copied());
        while let Some((at, _)) = cookies.iter().enumerate().min_by_key(|(_, cookie)| order(cookie)) {
            let cookie = cookies.remove(at);
            pairs.push(format!("{}={}", cookie.name(), cookie.value()));
        }
        if pairs.is_empty() {
            return None;
        }
        let mut header = HeaderValue::from_bytes(&to_bytes(&pairs.join("; "))).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    fn lock(&self) -> MutexGuard<'_, Jar> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Jar {
    fn set(&mut self, url: &Url, text: &str, redactor: &Redactor) {
        let pair = text.split(';').next().unwrap_or_default();
        let (name, value) = pair.split_once('=').unwrap_or(("", pair));
        let (name, value) = (trim(name), trim(value));
        add_secret(value, redactor);
        add_secret(value.trim_matches('"'), redactor);
        // Without a name, the value could be read as a name with a prefix.
        if name.is_empty() {
            return;
        }
        let mut raw = parsed(name, value, text, url);
        let printable = name.chars().chain(value.chars()).all(|c| !c.is_ascii_control());
        if name.chars().count() + value.chars().count() > limits::COOKIE
            || !printable
            || !raw.domain().is_none_or(is_allowed_domain)
            || breaks_prefix(&raw, url)
        {
            return;
        }
        if is_secure(url) {
            raw.set_secure(true);
        }
        let Ok(cookie) = Cookie::try_from_raw_cookie(&raw, url) else { return };
        let key = key(&cookie);
        let insecure = !is_secure(url) && (cookie.secure() == Some(true) || self.would_shadow_secure(&key));
        if insecure || !self.age.contains_key(&key) && self.is_full_for(&key.0) {
            return;
        }
        match self.store.insert(cookie.into_owned(), url) {
            Ok(StoreAction::Inserted) => {
                self.stored += 1;
                self.age.insert(key, self.stored);
            }
            Ok(StoreAction::ExpiredExisting) => {
                self.age.remove(&key);
                self.store.remove(&key.0, &key.1, &key.2);
            }
            Ok(StoreAction::UpdatedExisting) | Err(_) => {}
        }
    }

    fn would_shadow_secure(&self, (domain, _, name): &Key) -> bool {
        self.store.iter_unexpired().any(|old| {
            old.secure() == Some(true) && old.name() == name && are_related(&String::from(&old.domain), domain)
        })
    }

    fn is_full_for(&self, domain: &str) -> bool {
        let of_domain = self.age.keys().filter(|(other, ..)| other == domain).count();
        self.age.len() >= limits::COOKIES || of_domain >= limits::COOKIES_OF_A_DOMAIN
    }
}

/// https, or a backend on this machine in development, as in browsers (Secure Contexts, section
/// 3.1).
fn is_secure(url: &Url) -> bool {
    url.scheme() == "https" || is_loopback(url)
}

/// The last attribute of a name applies (RFC 6265bis, section 5.7), even if it is empty; an invalid
/// value is ignored. A domain that equals the whole host is also ignored if that is one label such
/// as `localhost`, which no other host can share.
fn parsed(name: &str, value: &str, text: &str, url: &Url) -> RawCookie<'static> {
    let last = |attribute| attributes(text, attribute).last();
    let mut cookie = RawCookie::new(name.to_owned(), value.to_owned());
    let host = url.host_str().filter(|host| !host.contains('.'));
    let is_host =
        |domain: &str| host.is_some_and(|host| host.eq_ignore_ascii_case(domain.strip_prefix('.').unwrap_or(domain)));
    if let Some(domain) = last("domain").filter(|domain| !matches!(*domain, "" | ".") && !is_host(domain)) {
        cookie.set_domain(domain.to_owned());
    }
    if let Some(path) = last("path").filter(|path| !path.is_empty()) {
        cookie.set_path(path.to_owned());
    }
    cookie.set_secure(last("secure").is_some());
    cookie.set_http_only(last("httponly").is_some());
    if let Some(age) = attributes(text, "max-age").filter_map(max_age).last() {
        cookie.set_max_age(age);
    }
    if let Some(date) = attributes(text, "expires").filter_map(lenient_date::parse).last() {
        cookie.set_expires(date);
    }
    cookie
}

/// RFC 6265, section 5.2.2.
fn max_age(text: &str) -> Option<Duration> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| if digits.len() < text.len() { Duration::ZERO } else { seconds(digits) })
}

fn seconds(digits: &str) -> Duration {
    Duration::seconds(digits.parse().unwrap_or(i64::MAX))
}

/// White space in a cookie is spaces and tabs (RFC 6265, section 5.2).
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// The values of all attributes of this name. An attribute that is too long is ignored
/// (RFC 6265bis, section 5.6).
fn attributes<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let attributes = text.split(';').skip(1).filter(|attribute| attribute.len() <= limits::COOKIE_ATTRIBUTE);
    let pairs = attributes.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.filter(move |(key, _)| trim(key).eq_ignore_ascii_case(name)).map(|(_, value)| trim(value))
}

fn to_text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

fn to_bytes(text: &str) -> Vec<u8> {
    text.chars().filter_map(|c| u8::try_from(c).ok()).collect()
}

/// Also as UTF-8, as a page would show it.
fn add_secret(value: &str, redactor: &Redactor) {
    redactor.add(value);
    if let Ok(text) = std::str::from_utf8(&to_bytes(value)) {
        redactor.add(text);
    }
}

fn is_allowed_domain(domain: &str) -> bool {
    let domain = domain.trim();
    is_plain_host(domain) && domain.trim_matches('.').contains('.')
}

/// Whether a cookie lacks what the prefix of its name guarantees to the server (RFC 6265bis,
/// sections 4.1.3 and 5.7). Servers may ignore letter case and strip invisible characters.
fn breaks_prefix(cookie: &RawCookie<'_>, url: &Url) -> bool {
    let name = cookie.name().trim_start_matches(|c: char| !c.is_ascii_graphic()).to_ascii_lowercase();
    let has = |prefix| name.starts_with(prefix);
    let (is_host, is_http) = (has("__host-"), has("__http-") || has("__host-http-"));
    let is_host_only = cookie.domain().is_none() && cookie.path() == Some("/");
    (is_host || is_http || has("__secure-")) && !(is_secure(url) && cookie.secure() == Some(true))
        || is_http && cookie.http_only() != Some(true)
        || is_host && !is_host_only
}

/// Whether one domain equals the other or is a subdomain of it.
fn are_related(one: &str, other: &str) -> bool {
    let is_in =
        |host: &str, domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    is_in(one, other) || is_in(other, one)
}

fn key(cookie: &Cookie<'_>) -> Key {
    (String::from(&cookie.domain), String::from(&cookie.path), cookie.name().to_owned())
}

impl fmt::Debug for CookieJar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieJar(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(set: &[(&str, &str)], to: &str) -> Option<String> {
        let jar = CookieJar::new();
        for (url, cookie) in set {
            let value = HeaderValue::from_str(cookie).unwrap();
            jar.store(&Url::parse(url).unwrap(), [&value].into_iter(), &Redactor::new());
        }
        jar.header(&Url::parse(to).unwrap()).map(|header| String::from_utf8(header.as_bytes().to_vec()).unwrap())
    }

    #[test]
    fn scope() {
        const OP: &str = "https://op.test/a/b";
        for (set, to, expected) in [
            ("s=1", "https://op.test/a/c", Some("s=1")),
            ("s=1", "https://op.test/other", None),
            ("s=1; Path=/", "https://op.test/other", Some("s=1")),
            ("s=1; Path=/", "https://sub.op.test/", None),
            ("s=1; Path=/; Domain=op.test", "https://sub.op.test/", Some("s=1")),
            ("s=1; Path=/; Domain=.op.test", "https://sub.op.test/", Some("s=1")),
            ("s=1; Path=/; Domain=test", "https://op.test/", None),
            ("s=1; Path=/; Domain=other.test", "https://other.test/", None),
            ("s=1; Path=/; Secure", "http://op.test/", None),
            ("s=1; Path=/; HttpOnly", "https://op.test/", Some("s=1")),
            ("s=1; Path=/", "http://op.test/", None),
            ("s=1; Path=/x; Path=/", "https://op.test/c", Some("s=1")),
            ("s=1; Path=/; Path", "https://op.test/c", None),
            ("s=1; PATH=/; path=\"/\"", "https://op.test/c", None),
            ("s=1; Path=/; Domain=op.test; Domain=", "https://sub.op.test/", None),
            ("s=1; Path=/; Domain=other.test; Domain=op.test", "https://sub.op.test/", Some("s=1")),
            ("s=1; Path=/; Max-Age=0", "https://op.test/", None),
            ("s=1; Path=/; Max-Age=-1", "https://op.test/", None),
            ("s=1; Path=/; Max-Age=-0; Expires=01 Jan 2300 00:00:00", "https://op.test/", None),
            ("s=1; Path=/; Max-Age=99999999999999999999", "https://op.test/", Some("s=1")),
            ("s=1; Path=/; Max-Age=soon; Max-Age", "https://op.test/", Some("s=1")),
            ("s=1; Path=/; Max-Age=-soon; Max-Age=-", "https://op.test/", Some("s=1")),
            ("s=1; Path=/; Max-Age=0; Max-Age=60", "https://op.test/", Some("s=1")),
            (" s\t= 1 2 ;Path=/", "https://op.test/", Some("s=1 2")),
            ("s=1; Path=/; Domain=.", "https://op.test/", Some("s=1")),
            ("s=1; Path=/; Domain=.", "https://sub.op.test/", None),
            ("s=1; Path=/; Domain=op.test; Domain= . ", "https://sub.op.test/", None),
            ("s=1; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "https://op.test/", None),
            ("s=1; Path=/; Expires=Thursday, 01-Jan-70 00:00:01 GMT", "https://op.test/", None),
            ("s=1; Path=/; Expires=1 jan 2000 0:0:0", "https://op.test/", None),
            ("s=1; Path=/; Expires=2000/01/Jan 00:00:00", "https://op.test/", None),
            ("s=1; Path=/; Expires=Thu, 01-January-1970 00:00:00.000 UTC", "https://op.test/", None),
            ("s=1; Path=/; Expires=01 Jan 2300 00:00:00; Expires=01 Jan 2000 00:00:00", "https://op.test/", None),
            ("s=1; Path=/; Expires=01 Jan 2000 00:00:00; Expires=soon", "https://op.test/", None),
            ("s=1; Path=/; Expires=01 Jan 2000 00:00:00; Max-Age=60", "https://op.test/", Some("s=1")),
            ("s=1; Path=/; Expires=01-Jan-2300 00:00:00", "https://op.test/", Some("s=1")),
            ("s=1; Path=/; Expires=0", "https://op.test/", Some("s=1")),
            ("s=\"q\"; Path=/", "https://op.test/", Some("s=\"q\"")),
            ("=; Path=/", "https://op.test/", None),
        ] {
            assert_eq!(sent(&[(OP, set)], to).as_deref(), expected, "{set} → {to}");
        }
        assert_eq!(sent(&[("http://op.test/", "s=1; Secure")], "https://op.test/"), None);
        for local in ["http://127.0.0.1:8080/", "http://localhost:8080/"] {
            assert_eq!(sent(&[(local, "s=1; Secure")], local).as_deref(), Some("s=1"));
        }
        let local = "http://localhost:8080/";
        assert_eq!(sent(&[(local, "s=1; Domain=.Localhost")], local).as_deref(), Some("s=1"));
        assert_eq!(sent(&[(local, "s=1; Domain=localhost")], "http://a.localhost:8080/"), None);
    }

    #[test]
    fn prefixed_cookie_without_its_attributes_is_rejected() {
        for (set, is_stored) in [
            ("__Host-s=1; Secure; Path=/", true),
            ("__Host-s=1; SECURE=no; HttpOnly; path=/x; PATH = /", true),
            ("__Host-s=\"1\"; Secure; Path=/; SameSite=Lax; odd; =", true),
            ("__Host-s=1; Path=/", false),
            ("__Host-s=1; Secure", false),
            ("__Host-s=1; Secure; Path", false),
            ("__Host-s=1; Secure; Path=", false),
            ("__Host-s=1; Secure; Path=/; Path", false),
            ("__Host-s=1; Secure; Path=/; Path=/a", false),
            ("__Host-s=1; Secure; Path=\"/\"", false),
            ("__Host-s=1; Secure; Path=/a", false),
            ("__Host-s=1; Secure; Path=/; Domain=op.test", false),
            ("__Host-s=1; Secure; Path=/; DOMAIN=.op.test", false),
            ("__Host-s=1; \"Secure\"; Path=/", false),
            ("__Host-s=1, Secure, Path=/", false),
            ("__host-s=1; Path=/", false),
            ("__HOST-s=1; Secure; Path=/a", false),
            ("\t __hOST-s =1; Path=/", false),
            ("\u{2003}__Host-s=1; Path=/", false),
            ("\u{feff}__Host-s=1; Path=/", false),
            ("__Host-=1; Path=/", false),
            ("__Secure-s=1; Secure; Path=/", true),
            ("__Secure-s=1; Secure; Domain=op.test; Path=/", true),
            ("__Secure-s=1; Path=/", false),
            ("__secure-s=1; HttpOnly; Path=/", false),
            ("__Http-s=1; Secure; HttpOnly; Path=/", true),
            ("__Http-s=1; Secure; Path=/", false),
            ("__hTTP-s=1; HttpOnly; Path=/", false),
            ("__Host-Http-s=1; Secure; HttpOnly; Path=/", true),
            ("__Host-Http-s=1; Secure; Path=/", false),
            ("__host-HTTP-s=1; Secure; HttpOnly; Path=/; Domain=op.test", false),
            ("__Hos-s=1; Path=/", true),
            ("s__Host-s=1; Path=/", true),
            ("s=__Host-s=1; Path=/", true),
        ] {
            assert_eq!(sent(&[("https://op.test/a/b", set)], "https://op.test/a/b").is_some(), is_stored, "{set}");
            let over_http = sent(&[("http://op.test/a/b", set)], "https://op.test/a/b");
            let needs_https = set.to_lowercase().contains("secure");
            assert_eq!(over_http.is_some(), is_stored && !needs_https, "http {set}");
        }
        let local = "http://127.0.0.1:8080/";
        assert!(sent(&[(local, "__Host-s=1; Secure; Path=/")], local).is_some(), "loopback in development");
    }

    #[test]
    fn nameless_cookie_is_rejected() {
        for set in
            ["=__Host-s=1", "__Host-s", " = __host-s=1", "\t__SECURE-s", "__Secure-s; Secure", "=1", "1", "=", ""]
        {
            for url in ["https://op.test/", "http://op.test/"] {
                assert_eq!(sent(&[(url, &format!("{set}; Path=/; Secure"))], url), None, "{set} from {url}");
            }
        }
    }

    #[test]
    fn plain_http_does_not_change_a_prefixed_cookie() {
        let session = ("https://api.test/", "__Host-number_verify_session=1; Secure; HttpOnly; Path=/");
        for other in [
            "__Host-number_verify_session=2; Path=/",
            "__Host-number_verify_session=2; Secure; Path=/",
            "__HOST-NUMBER_VERIFY_SESSION=2; Path=/",
            "__Host-number_verify_session=; Path=/; Max-Age=0",
            "=__Host-number_verify_session=2; Path=/",
        ] {
            let header = sent(&[session, ("http://api.test/", other)], "https://api.test/").unwrap();
            assert_eq!(header, "__Host-number_verify_session=1", "{other}");
            let header = sent(&[("http://api.test/", other), session], "https://api.test/").unwrap();
            assert_eq!(header, "__Host-number_verify_session=1", "{other}, before");
        }
    }

    #[test]
    fn cookie_with_invalid_domain_is_rejected() {
        for domain in [
            "Aé.test",
            ".Aé.test",
            "é",
            "op%2etest",
            "xn--3ug.op.test",
            ". .XN--3UG",
            "xn--a-ygn.test",
            "xn--",
            "xn--a.test",
        ] {
            let set = format!("s=1; Path=/; Domain={domain}");
            assert_eq!(sent(&[("https://op.test/", &set)], "https://op.test/"), None, "{domain}");
        }
        let german = "https://xn--mnchen-3ya.test/";
        assert!(sent(&[(german, "s=1; Path=/; Domain=XN--Mnchen-3ya.test")], german).is_some());
    }

    #[test]
    fn longer_paths_then_older_cookies_are_sent_first() {
        let url = "https://op.test/a/b";
        let all = [(url, "z=1; Path=/"), (url, "a=2; Path=/"), (url, "long=3; Path=/a"), (url, "z=4; Path=/")];
        assert_eq!(sent(&all, url).unwrap(), "long=3; z=4; a=2");
        assert_eq!(sent(&[(url, "z=1"), (url, "z=; Max-Age=0")], url), None);
    }

    #[test]
    fn plain_http_does_not_replace_a_secure_cookie() {
        let secure = ("https://api.op.test/", "s=1; Secure; Path=/");
        for (url, other) in [
            ("http://api.op.test/", "s=2; Path=/"),
            ("http://api.op.test/", "s=2; Path=/longer"),
            ("http://x.op.test/", "s=2; Path=/; Domain=op.test"),
        ] {
            assert_eq!(sent(&[secure, (url, other)], "https://api.op.test/longer").unwrap(), "s=1", "{url} {other}");
        }
        let unrelated = [secure, ("http://other.test/", "s=2")];
        assert_eq!(sent(&unrelated, "http://other.test/").unwrap(), "s=2");
    }

    #[test]
    fn cookie_size_and_count_are_limited() {
        let url = "https://op.test/";
        let value = |length: usize| format!("s={}", "v".repeat(length));
        assert_eq!(sent(&[(url, &value(limits::COOKIE))], url), None);
        let longest = value(limits::COOKIE - 1);
        let comment = format!("{longest}; Comment={}; Path=/; Priority=High", "c".repeat(5000));
        assert_eq!(sent(&[(url, &comment)], url), Some(longest));
        let long_path = format!("s=1; Path=/{}", "p".repeat(limits::COOKIE_ATTRIBUTE));
        assert_eq!(sent(&[(url, &long_path)], url).as_deref(), Some("s=1"), "the attribute is ignored");
        let many: Vec<String> = (0..60).map(|index| format!("c{index}=v")).collect();
        let many: Vec<_> = many.iter().map(|cookie| (url, cookie.as_str())).chain([(url, "c0=new")]).collect();
        let header = sent(&many, url).unwrap();
        assert_eq!(header.split("; ").count(), limits::COOKIES_OF_A_DOMAIN);
        assert!(header.starts_with("c0=new; c1=v; "));
    }

    #[test]
    fn cookie_bytes_are_returned_unchanged() {
        let url = Url::parse("https://op.test/").unwrap();
        for value in [&b"s=caf\xe9"[..], b"s=\x80\xff", b"s=\xa0a\x85", "s=caf\u{e9} \u{20ac}".as_bytes(), b"s=\"a b\""]
        {
            let (jar, redactor) = (CookieJar::new(), Redactor::new());
            jar.store(&url, [&HeaderValue::from_bytes(value).unwrap()].into_iter(), &redactor);
            let header = jar.header(&url).unwrap();
            assert_eq!((header.as_bytes(), header.is_sensitive()), (value, true));
            if let Ok(text) = std::str::from_utf8(&value[2..]) {
                assert!(redactor.contains_secret(text), "{text}");
            }
        }
    }

    #[test]
    fn cookie_with_control_characters_is_rejected() {
        let jar = CookieJar::new();
        let url = Url::parse("https://op.test/").unwrap();
        let value = HeaderValue::from_bytes(b"s=a\tb").unwrap();
        jar.store(&url, [&value].into_iter(), &Redactor::new());
        assert!(jar.header(&url).is_none());
    }
}
