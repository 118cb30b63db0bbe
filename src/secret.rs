//! Secrets of a flow: a type that cannot be printed, and a list that blots them out of what a peer says.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use percent_encoding::percent_decode_str;
pub use secrecy::{ExposeSecret, SecretString};
use url::Url;
use url::form_urlencoded;

const BLOT: &str = "•••";
/// A shorter secret is blotted out only as a whole word: a one-letter parameter would take every such letter along.
const ANYWHERE: usize = 4;
/// A shorter secret does not make a host name or an error code suspicious.
const TELLING: usize = 6;
/// How many of a number's last digits tell it.
const TELLING_DIGITS: usize = 7;
/// No more of a peer's text is looked at: it is cut to less than a tenth of this.
const LONGEST_TEXT: usize = 4096;
/// Parameters that say what is asked or answered, or which app asks, not who (RFC 6749, `OpenID` Connect Core).
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

/// Knows all secrets of one flow; clones share them.
#[derive(Clone, Default)]
pub struct Redactor(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    /// The last digits of the phone number.
    number: Option<String>,
    /// Number, code, state, nonce, session, cookie values.
    secrets: BTreeSet<String>,
    /// All other values of queries and fragments: most are harmless, and some stand in host names too.
    values: BTreeSet<String>,
}

impl Redactor {
    /// Knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Learns the phone number, which may come back with any separators, and without its country code.
    pub fn add_number(&self, number: &str) {
        self.add(number);
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        let last = digits.len().saturating_sub(TELLING_DIGITS);
        self.lock().number = digits.get(last..).map(str::to_owned);
    }

    /// Learns a secret, in the forms in which it may come back.
    pub fn add(&self, secret: &str) {
        self.lock().secrets.extend(forms(secret));
    }

    /// Learns what the query and the fragment of a URL carry.
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

    /// The text in one line, without characters that do not show, without the secrets, and without any value of a query or a fragment.
    /// Of a long text, the beginning.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let known = self.lock();
        let words = text.chars().take(LONGEST_TEXT).map(|c| if c.is_whitespace() { ' ' } else { c });
        let shown: String = words.filter(|c| !c.is_control() && !is_format(*c)).collect();
        let lower = shown.to_ascii_lowercase();
        let mut present: Vec<&String> = known.all().filter(|secret| lower.contains(secret.as_str())).collect();
        present.sort_by_key(|secret| Reverse(secret.len()));
        let text_without = present.into_iter().fold(shown, |text, secret| blot(&text, secret));
        let mut redacted = known.number.iter().fold(text_without, |text, number| blot_number(&text, number));
        if text.chars().nth(LONGEST_TEXT).is_some() {
            // Where the text was cut, half a secret may stand.
            let longest = known.all().map(String::len).max().unwrap_or_default();
            redacted = redacted.chars().take(redacted.chars().count().saturating_sub(longest)).collect();
        }
        redacted
    }

    /// The host name without the secrets. A name that was a parameter's value as a whole (or the end of one) is no secret.
    #[must_use]
    pub fn redact_host(&self, host: &str) -> String {
        let known = self.lock();
        let is_name = |value: &String| host == value || host.ends_with(&format!(".{value}"));
        let values = known.values.iter().filter(|value| host.contains(value.as_str()) && !is_name(value));
        let secrets = known.secrets.iter().filter(|secret| host.contains(secret.as_str()));
        let telling = secrets.chain(values).filter(|secret| secret.len() >= TELLING);
        let redacted = telling.fold(host.to_owned(), |host, secret| blot(&host, secret));
        known.number.iter().fold(redacted, |host, number| blot_number(&host, number))
    }

    /// Whether a secret stands in an error code.
    #[must_use]
    pub fn contains_secret(&self, text: &str) -> bool {
        let known = self.lock();
        let lower = text.to_ascii_lowercase();
        let values = known.values.iter().filter(|value| value.len() >= TELLING);
        let mut present = known.secrets.iter().chain(values).filter(|secret| lower.contains(secret.as_str()));
        present.any(|secret| blot(text, secret) != text)
            || known.number.as_ref().is_some_and(|number| blot_number(text, number) != text)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn all(&self) -> impl Iterator<Item = &String> {
        self.secrets.iter().chain(&self.values)
    }
}

/// As it is, without the plus sign of a number, encoded for a query in both ways, and decoded.
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

/// ASCII case does not matter: a host name comes back in lower case.
fn blot(text: &str, secret: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut result = String::new();
    let mut rest = 0;
    for (at, _) in lower.match_indices(secret) {
        let end = at + secret.len();
        if at < rest || secret.len() < ANYWHERE && !is_word(text, at, end) {
            continue;
        }
        result.push_str(text.get(rest..at).unwrap_or_default());
        result.push_str(BLOT);
        rest = end;
    }
    result.push_str(text.get(rest..).unwrap_or_default());
    result
}

/// Characters that do not show, and could hide or reorder what does (Unicode's format characters).
fn is_format(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Blots out each run of digits and separators whose digits end with these, or have them within.
fn blot_number(text: &str, last_digits: &str) -> String {
    let separators = [' ', '-', '.', '(', ')', '/', '+', '_', ','];
    let mut result = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit() || c == '+') {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c: char| !c.is_ascii_digit() && !separators.contains(&c)).unwrap_or(from.len());
        let (run, after) = from.split_at(end);
        let digits: String = run.chars().filter(char::is_ascii_digit).collect();
        let kept = run.trim_end_matches(separators);
        result.push_str(before);
        if digits.contains(last_digits) {
            result.push_str(BLOT);
            result.push_str(run.get(kept.len()..).unwrap_or_default());
        } else {
            result.push_str(run);
        }
        rest = after;
    }
    result.push_str(rest);
    result
}

fn is_word(text: &str, start: usize, end: usize) -> bool {
    let before = text.get(..start).and_then(|text| text.chars().next_back());
    let after = text.get(end..).and_then(|text| text.chars().next());
    [before, after].into_iter().flatten().all(|c| !c.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_blotted_out_in_all_their_forms() {
        let redactor = Redactor::new();
        redactor.add_number("+14155550100");
        redactor.add("aB c/1");
        redactor.add("7");
        redactor.add("x%2Fy");
        for (text, expected) in [
            ("number +14155550100!", "number •••!"),
            ("number 14155550100!", "number •••!"),
            ("number %2B14155550100!", "number •••!"),
            ("call +1 415 555 0100 or", "call ••• or"),
            ("call (415) 555-01.00, now", "call (•••, now"),
            ("call 555\u{a0}0100\u{200b}.", "call •••."),
            ("call 1-415\u{200b}5550\u{ad}100", "call •••"),
            ("call +1 415 555 0199", "call +1 415 555 0199"),
            ("left\u{202e}right", "leftright"),
            ("xab c/1x", "x•••x"),
            ("q=aB+c%2F1", "q=•••"),
            ("q=aB%20c%2F1", "q=•••"),
            ("x/y", "•••"),
            ("7 of 17", "••• of 17"),
            ("nothing here", "nothing here"),
        ] {
            assert_eq!(redactor.redact(text), expected, "{text}");
        }
        assert_eq!(redactor.redact_host("14155550100.op7.test"), "•••.op7.test");
        assert_eq!(redactor.redact_host("n4155550100.op7.test"), "n•••.op7.test");
        assert!(redactor.contains_secret("14155550100_denied"));
        assert!(!redactor.contains_secret("access_denied"));
        assert!(!format!("{redactor:?}").contains("1415"));
    }

    #[test]
    fn queries_are_secrets_but_for_what_is_asked() {
        let redactor = Redactor::new();
        let url = "https://op.test/a?scope=openid&state=s%2Fecret&login_hint=tel%3A%2B15550001111#code=fragment1";
        redactor.add_query_of(&Url::parse(url).unwrap());
        for secret in ["s/ecret", "s%2Fecret", "+15550001111", "15550001111", "fragment1"] {
            assert_eq!(redactor.redact(secret), BLOT, "{secret}");
        }
        redactor.add_query_of(
            &Url::parse("https://op.test/?client_id=glide&operator=sample&q=QCanary1&otp=123456&next=glide.test")
                .unwrap(),
        );
        assert_eq!(redactor.redact_host("qcanary1.op.test"), "•••.op.test");
        assert!(redactor.contains_secret("otp_123456"));
        assert_eq!(redactor.redact("a glide page, a sample"), "a glide page, a •••");
        assert_eq!(redactor.redact_host("auth.glide.test"), "auth.glide.test");
        assert!(!redactor.contains_secret("openid"));
    }

    #[test]
    fn no_half_of_a_secret_stays_where_a_text_is_cut() {
        let redactor = Redactor::new();
        redactor.add(&"secret".repeat(100));
        let text = format!("{}{}", "secret".repeat(600), "secret".repeat(100));
        assert_eq!(redactor.redact(&text).trim_end_matches("•••"), "");
    }

    /// Whatever the peers say, redacting takes no time that anybody would notice.
    #[test]
    fn many_secrets_and_a_long_text() {
        let redactor = Redactor::new();
        for hop in 0..15 {
            let query: Vec<_> = (0..3200).map(|index| format!("{:04x}", index + hop * 3200)).collect();
            redactor.add_query_of(&Url::parse(&format!("https://op.test/?{}", query.join("&"))).unwrap());
        }
        let began = std::time::Instant::now();
        assert!(redactor.redact(&"z".repeat(65_000)).len() > LONGEST_TEXT / 2);
        assert_eq!(redactor.redact_host("op.test"), "op.test");
        assert!(began.elapsed() < std::time::Duration::from_secs(2), "{:?}", began.elapsed());
    }
}
