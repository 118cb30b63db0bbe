//! Secrets of a flow: a type that cannot be printed, and the redactor that decides which parts of a
//! peer's text may be stored.

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderValue;
use percent_encoding::percent_decode_str;
pub use secrecy::{ExposeSecret, SecretString};
use url::Url;
use url::form_urlencoded;

use crate::alphanumerics::alphanumerics;
use crate::limits;
use crate::number_in_text::{MASK, Number};
use crate::unescape::readings;

/// A shorter secret is masked only as a whole word: a one-letter parameter would otherwise mask
/// every such letter.
const MIN_LEN_SUBSTRING: usize = 4;
/// A shorter secret in a host name is a coincidence, as is a shorter value of an unknown parameter
/// in an error code.
const MIN_LEN_IN_HOST: usize = 6;
/// Parameters that describe the request, the response or the app, not the user (RFC 6749, `OpenID`
/// Connect Core).
const OPEN_PARAMETERS: [&str; 12] = [
    "client_id",
    "response_type",
    "response_mode",
    "scope",
    "purpose",
    "prompt",
    "max_age",
    "ui_locales",
    "acr_values",
    "redirect_uri",
    "error",
    "error_description",
];
const SECRET_PARAMETERS: [&str; 6] = ["code", "state", "nonce", "session", "login_hint", "id_token_hint"];

/// Printable ASCII: which other characters a header may contain differs between servers (RFC 9110,
/// section 5.5).
pub fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// A header value that is excluded from `Debug` output; absent if the text is not a valid header
/// value.
pub fn sensitive_header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(text.as_bytes()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Contains all secrets of one flow; clones share them.
#[derive(Clone, Default)]
pub struct Redactor(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    number: Number,
    /// Number, code, state, nonce, session, cookie values.
    secrets: BTreeSet<String>,
    /// All other values of queries and fragments, and those of the app's options: most are
    /// harmless, and some occur in host names too.
    values: BTreeSet<String>,
}

impl Redactor {
    /// Contains no secrets.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the phone number.
    pub fn add_number(&self, number: &str) {
        self.add(number);
        self.lock().number = Number::known(number);
    }

    /// Peers may send a phone number that is not known here yet.
    pub fn expect_number(&self) {
        self.lock().number = Number::Expected;
    }

    /// Adds a secret, in the forms in which it may occur.
    pub fn add(&self, secret: &str) {
        self.lock().secrets.extend(forms(secret));
    }

    /// Adds a value that is a secret only if it is long enough to identify something.
    pub fn add_value(&self, value: &str) {
        self.lock().values.extend(forms(value));
    }

    /// Adds the values in the query and the fragment of a URL.
    pub fn add_query_of(&self, url: &Url) {
        let mut known = self.lock();
        for part in [url.query(), url.fragment()].into_iter().flatten() {
            let raw = part.split('&').map(|pair| pair.split_once('=').unwrap_or(("", pair)));
            let raw = raw.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let decoded = form_urlencoded::parse(part.as_bytes()).into_owned();
            for (name, value) in raw.chain(decoded) {
                if SECRET_PARAMETERS.contains(&name.as_str()) {
                    known.secrets.extend(forms(value.trim_start_matches("tel:")));
                } else if !OPEN_PARAMETERS.contains(&name.as_str()) {
                    known.values.extend(forms(&value));
                }
            }
        }
    }

    /// The part of a peer's text that may be stored, at most this many characters: one line without
    /// invisible characters, with short secrets and values of unknown parameters masked. `None` if
    /// the text contains the number, a secret or such a value in any other spelling.
    #[must_use]
    pub fn keep(&self, text: &str, longest: usize) -> Option<String> {
        let known = self.lock();
        if text.chars().nth(limits::PEER_TEXT).is_some() || known.has_secret(text, MIN_LEN_SUBSTRING) {
            return None;
        }
        let visible: String = text.chars().filter(|c| c.is_whitespace() || !c.is_control() && !is_format(*c)).collect();
        let line = visible.split_whitespace().collect::<Vec<_>>().join(" ");
        let masked = known.masked(line);
        (!masked.is_empty() && !known.has_value(&masked)).then(|| masked.chars().take(longest).collect())
    }

    /// The host name with the number and the secrets masked. A name that was the complete value of
    /// a parameter (or the end of one) is not a secret.
    #[must_use]
    pub fn redact_host(&self, host: &str) -> String {
        let known = self.lock();
        if matches!(known.number, Number::Expected) && host.parse::<Ipv4Addr>().is_ok() {
            return host.to_owned();
        }
        let host = known.number.mask_in(host);
        let is_name = |value: &String| host == *value || host.ends_with(&format!(".{value}"));
        let values = known.values.iter().filter(|value| host.contains(value.as_str()) && !is_name(value));
        let secrets = known.secrets.iter().filter(|secret| host.contains(secret.as_str()));
        let identifying = secrets.chain(values).filter(|secret| secret.len() >= MIN_LEN_IN_HOST);
        let masked = identifying.fold(host.clone(), |host, secret| mask(&host, secret));
        if known.has_secret(&masked, MIN_LEN_IN_HOST) { MASK.to_owned() } else { masked }
    }

    /// The host name with the number masked, for a name that was stored before the number was
    /// known.
    #[must_use]
    pub fn mask_number(&self, host: &str) -> String {
        self.lock().number.mask_in(host)
    }

    /// Whether an error code contains a secret.
    #[must_use]
    pub fn contains_secret(&self, text: &str) -> bool {
        let known = self.lock();
        let has_word = || known.secrets.iter().any(|secret| mask(text, secret) != text);
        known.has_secret(text, MIN_LEN_SUBSTRING) || known.has_value(text) || has_word()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn has_secret(&self, text: &str, min_len: usize) -> bool {
        spells(text, &self.secrets, min_len, &self.number)
    }

    fn has_value(&self, text: &str) -> bool {
        spells(text, &self.values, MIN_LEN_IN_HOST, &Number::None)
    }

    fn masked(&self, text: String) -> String {
        let lower = text.to_ascii_lowercase();
        let all = self.secrets.iter().chain(&self.values);
        let index = Index::of(&lower);
        let mut present: Vec<&String> = all.filter(|secret| index.contains(secret)).collect();
        let mut masked = text;
        // The longest first. There are few, and sorting them would add 3 KiB to the library.
        while let Some((at, _)) = present.iter().enumerate().max_by_key(|(_, secret)| secret.len()) {
            masked = mask(&masked, present.swap_remove(at));
        }
        masked
    }
}

/// Whether any reading of the text contains the letters and digits of a secret, or the number's
/// digits, in sequence, whatever is between them. A text with too many readings is treated as
/// containing one.
fn spells(text: &str, secrets: &BTreeSet<String>, min_len: usize, number: &Number) -> bool {
    let secrets: Vec<String> =
        secrets.iter().map(|secret| alphanumerics(secret)).filter(|secret| secret.len() >= min_len).collect();
    let Some(readings) = readings(text) else { return true };
    readings.iter().any(|reading| {
        let letters_and_digits = alphanumerics(reading);
        let index = Index::of(&letters_and_digits);
        secrets.iter().any(|secret| index.contains(secret)) || number.is_in(reading, &letters_and_digits)
    })
}

/// The sorted suffixes of a text: the time to find many secrets does not grow with the product of
/// both lengths.
struct Index<'a>(Vec<&'a str>);

impl<'a> Index<'a> {
    fn of(text: &'a str) -> Self {
        let mut suffixes: Vec<&str> = (0..text.len()).filter_map(|at| text.get(at..)).collect();
        suffixes.sort_unstable();
        Self(suffixes)
    }

    fn contains(&self, part: &str) -> bool {
        let at = self.0.partition_point(|suffix| *suffix < part);
        self.0.get(at).is_some_and(|suffix| suffix.starts_with(part))
    }
}

/// Unchanged, without the plus sign of a number, encoded for a query in both ways, and decoded.
fn forms(secret: &str) -> impl Iterator<Item = String> {
    let bare = secret.strip_prefix('+').unwrap_or(secret);
    let encoded: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let percent_encoded = encoded.replace('+', "%20");
    let decoded = percent_decode_str(secret).decode_utf8_lossy().into_owned();
    [secret.to_owned(), bare.to_owned(), encoded, percent_encoded, decoded]
        .into_iter()
        .filter(|form| !form.is_empty())
        .map(|form| form.to_ascii_lowercase())
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor(…)")
    }
}

/// ASCII case is ignored: host names are returned in lower case.
fn mask(text: &str, secret: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut result = String::new();
    let mut rest = 0;
    for (at, _) in lower.match_indices(secret) {
        let end = at + secret.len();
        if secret.len() < MIN_LEN_SUBSTRING && !is_word(text, at, end) {
            continue;
        }
        result.push_str(text.get(rest..at).unwrap_or_default());
        result.push_str(MASK);
        rest = end;
    }
    result.push_str(text.get(rest..).unwrap_or_default());
    result
}

/// Invisible characters that could hide or reorder others (Unicode's format characters and tags).
fn is_format(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

fn is_word(text: &str, start: usize, end: usize) -> bool {
    let before = text.get(..start).and_then(|text| text.chars().next_back());
    let after = text.get(end..).and_then(|text| text.chars().next());
    [before, after].into_iter().flatten().all(|c| !c.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(redactor: &Redactor, text: &str) -> Option<String> {
        redactor.keep(text, 80)
    }

    #[test]
    fn text_with_a_secret_is_dropped_and_short_values_are_masked() {
        let redactor = Redactor::new();
        redactor.add_number("+14155550100");
        redactor.add("aB c/1");
        redactor.add("7");
        redactor.add("x%2Fy%2Fz%2F1");
        redactor.add_query_of(&Url::parse("https://op.test/?lang=en&name=QCanary1&ui=page").unwrap());
        for (text, expected) in [
            ("number +14155550100!", None),
            ("number %2B14155550100!", None),
            ("call (415) 555-01.00, now", None),
            ("call 555\u{a0}0100\u{200b}.", None),
            ("call +1 415 555 0199", Some("call +1 415 555 0199")),
            ("xab c/1x", None),
            ("q=aB+c%2F1", None),
            ("q=aB%20c%2F1", None),
            ("a\u{ad}b\u{301}&#99;-1", None),
            ("x/y/z/1", None),
            ("left\u{202e}\u{e0031}\u{7} \t right\n", Some("left right")),
            ("7 of 17", Some("••• of 17")),
            ("qcanary1 on Page 2 in en, open", Some("••• on ••• 2 in •••, open")),
            ("in all pages", Some("in all •••s")),
            ("q&#99;anary1", None),
            ("nothing here", Some("nothing here")),
            (" \u{ad} ", None),
        ] {
            assert_eq!(keep(&redactor, text).as_deref(), expected, "{text}");
        }
        assert_eq!(redactor.keep("nothing here", 7).as_deref(), Some("nothing"));
        assert!(redactor.contains_secret("14155550100_denied"));
        assert!(redactor.contains_secret("4.1.5_5-5-5_01_00"));
        assert!(redactor.contains_secret("error.7"));
        assert!(!redactor.contains_secret("access_denied"));
        assert!(!format!("{redactor:?}").contains("1415"));
    }

    #[test]
    fn short_number_is_compared_as_a_whole() {
        let redactor = Redactor::new();
        redactor.add_number("+12345");
        assert_eq!(keep(&redactor, "for 1&nbsp;23 45"), None);
        assert_eq!(keep(&redactor, "error 2345").as_deref(), Some("error 2345"));
        assert_eq!(redactor.redact_host("1-23-45.op.test"), "•••.op.test");
    }

    #[test]
    fn what_could_be_the_number_is_dropped_until_it_is_known() {
        let redactor = Redactor::new();
        redactor.expect_number();
        for text in [
            "SIM +14155550100",
            "(415) 555-0100",
            "id%3D5550100",
            "٥٥٥٠١٠٠",
            "2026-11-28",
            "+49171 234567x",
            "Tel0171 234567",
            "n49171.234567.op7",
        ] {
            assert_eq!(keep(&redactor, text), None, "{text}");
            assert!(redactor.contains_secret(text), "{text}");
        }
        let parent = "00-4bf92f1234567cd34da6a3ce929d0e0e-00f067aa0ba902b7-01";
        for text in ["error 403 of 12", "mnc260.mcc310", "b4333c46-49c0-4f62", parent] {
            assert_eq!(keep(&redactor, text).as_deref(), Some(text));
        }
        assert_eq!(redactor.redact_host("14155550100.op7.test"), "•••");
        assert_eq!(redactor.redact_host("1-415-555-0100.op7.test"), "•••");
        assert_eq!(redactor.redact_host("192.0.2.117"), "192.0.2.117");
        assert_eq!(redactor.redact_host("ipoa.mnc260.mcc310.3gppnetwork.org"), "ipoa.mnc260.mcc310.3gppnetwork.org");
        let redacted = redactor.redact_host("n415.x555.y0100.op7.test");
        redactor.add_number("+14155550100");
        assert_eq!(redactor.mask_number(&redacted), "n•••.op7.test");
        assert_eq!(keep(&redactor, "call +1 415 555 0199").as_deref(), Some("call +1 415 555 0199"));
        assert_eq!(keep(&redactor, "call +1 415 555 0100"), None);
    }

    #[test]
    fn number_in_a_host_name_is_masked_whatever_separates_its_digits() {
        let redactor = Redactor::new();
        redactor.add_number("+14155550100");
        redactor.add("h0st-state");
        for (host, expected) in [
            ("14155550100.op7.test", "•••.op7.test"),
            ("n4155550100.op7.test", "n•••.op7.test"),
            ("1-415-555-0100.op.test", "•••.op.test"),
            ("1.415.5550.100.op.test", "•••.op.test"),
            ("1*415~555_0100.op.test", "•••.op.test"),
            ("n415.x555.y0100.op.test", "n•••.op.test"),
            ("5550100.5550100", "•••"),
            ("h0st-state.test", "•••.test"),
            ("h0st.state.test", "•••"),
            ("op7.test", "op7.test"),
            ("1-415-555-0199.op.test", "1-415-555-0199.op.test"),
        ] {
            assert_eq!(redactor.redact_host(host), expected, "{host}");
        }
    }

    #[test]
    fn query_values_are_secrets_except_those_of_open_parameters() {
        let redactor = Redactor::new();
        let url = "https://op.test/a?scope=openid&state=s%2Fecret&login_hint=tel%3A%2B15550001111#code=fragment1";
        redactor.add_query_of(&Url::parse(url).unwrap());
        for secret in ["s/ecret", "s%2Fecret", "+15550001111", "15550001111", "fragment1"] {
            assert_eq!(keep(&redactor, secret), None, "{secret}");
        }
        redactor.add_query_of(
            &Url::parse("https://op.test/?client_id=glide&operator=sample&q=QCanary1&otp=123456&next=glide.test")
                .unwrap(),
        );
        assert_eq!(redactor.redact_host("qcanary1.op.test"), "•••.op.test");
        assert!(redactor.contains_secret("otp_123456"));
        assert_eq!(keep(&redactor, "a glide page, a sample").as_deref(), Some("a glide page, a •••"));
        assert_eq!(redactor.redact_host("auth.glide.test"), "auth.glide.test");
        assert!(!redactor.contains_secret("openid"));
    }

    /// Comparing any peer data takes no noticeable time.
    #[test]
    fn many_secrets_and_a_long_text() {
        let redactor = Redactor::new();
        for hop in 0..15 {
            let query = |name: &str| {
                let values: Vec<_> = (0..1600).map(|index| format!("{name}=q{:04x}", index + hop * 1600)).collect();
                values.join("&")
            };
            redactor.add_query_of(&Url::parse(&format!("https://op.test/?{}#{}", query("code"), query("x"))).unwrap());
            redactor.add(&format!("{}q{hop}", "z".repeat(4000)));
        }
        let began = std::time::Instant::now();
        assert_eq!(redactor.keep(&"z".repeat(65_000), 80), None);
        assert_eq!(redactor.keep(&"z".repeat(limits::PEER_TEXT), 80), Some("z".repeat(80)));
        let escaped = format!("{}%2541&amp;#65;", "z".repeat(limits::PEER_TEXT - 20));
        assert_eq!(redactor.keep(&escaped, 80), Some("z".repeat(80)));
        assert_eq!(redactor.redact_host("op.test"), "op.test");
        assert!(!redactor.contains_secret("access_denied"));
        assert!(began.elapsed() < std::time::Duration::from_mins(1), "{:?}", began.elapsed());
    }
}
