//! Secrets of a flow: a type that cannot be printed, and a list that blots them out of what a peer says.

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
/// A shorter secret does not make a host name or an error code suspicious, nor does a shorter value of an unknown parameter.
const TELLING: usize = 6;
const TELLING_VALUE: usize = 8;
/// Parameters that say what is asked or answered, not who asks (RFC 6749, `OpenID` Connect Core).
const OPEN_PARAMETERS: [&str; 11] = [
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

    /// The text without the secrets and without any value of a query or a fragment.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let known = self.lock();
        let mut longest_first: Vec<&String> = known.secrets.iter().chain(&known.values).collect();
        longest_first.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        longest_first.into_iter().fold(text.to_owned(), |text, secret| blot(&text, secret))
    }

    /// The host name without the secrets.
    #[must_use]
    pub fn redact_host(&self, host: &str) -> String {
        let known = self.lock();
        let telling = known.secrets.iter().filter(|secret| secret.len() >= TELLING);
        telling.fold(host.to_owned(), |host, secret| blot(&host, secret))
    }

    /// Whether a secret stands in an error code.
    #[must_use]
    pub fn contains_secret(&self, text: &str) -> bool {
        let known = self.lock();
        let values = known.values.iter().filter(|value| value.len() >= TELLING_VALUE);
        known.secrets.iter().chain(values).any(|secret| blot(text, secret) != text)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        redactor.add("+14155550100");
        redactor.add("aB c/1");
        redactor.add("7");
        redactor.add("x%2Fy");
        for (text, expected) in [
            ("number +14155550100!", "number •••!"),
            ("number 14155550100!", "number •••!"),
            ("number %2B14155550100!", "number •••!"),
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
        redactor.add_query_of(&Url::parse("https://op.test/?client_id=glide").unwrap());
        assert_eq!(redactor.redact("a glide page"), "a ••• page");
        assert_eq!(redactor.redact_host("auth.glide.test"), "auth.glide.test");
        assert!(!redactor.contains_secret("openid"));
    }
}
