//! Which text from a peer may be retained. Each line starts with a letter: `n` number, `e` (a
//! number is expected), `s` secret, `v` value, `u` URL with a query, or text to retain (`t`), a
//! host name (`h`) or an error code (`c`).
#![no_main]

use http::{HeaderMap, HeaderValue, header};
use libfuzzer_sys::fuzz_target;
use number_verify::internals::{
    CookieJar, Delivery, Failure, Head, Next, Redactor, StartResponse, Walk, alphanumerics, parse_url,
};
use number_verify_fuzz::{digits, rules, text, twice};
use secrecy::ExposeSecret;
use url::form_urlencoded::byte_serialize;

/// A shorter secret is masked only as a whole word.
const SUBSTRING: usize = 4;
/// A shorter secret in a host name is considered a coincidence.
const IN_HOST: usize = 6;
const MASK: &str = "•••";

#[derive(Default)]
struct Known {
    number: Option<String>,
    secrets: Vec<String>,
}

fuzz_target!(|data: &[u8]| {
    let text = text(data);
    let (redactor, mut known) = (Redactor::new(), Known::default());
    for line in text.lines() {
        let mut chars = line.chars();
        let (letter, rest) = (chars.next(), chars.as_str());
        match letter {
            Some('n') => {
                redactor.add_number(rest);
                let all = digits(rest);
                let last = &all[all.len().saturating_sub(7)..];
                known.number = Some(last.to_owned()).filter(|digits| !digits.is_empty());
                known.secrets.push(rest.to_owned());
            }
            Some('e') => {
                redactor.expect_number();
                known.number = None;
            }
            Some('s') => {
                redactor.add(rest);
                known.secrets.push(rest.to_owned());
            }
            Some('v') => redactor.add_value(rest),
            Some('u') => parse_url(rest, None).iter().for_each(|url| redactor.add_query_of(url)),
            Some('t') => retained(rest, &redactor, &known),
            Some('h') => host(rest, &redactor, &known),
            Some('c') => code(rest, &redactor, &known),
            _ => {}
        }
    }
    assert_eq!(format!("{redactor:?}"), "Redactor(…)");
});

impl Known {
    fn assert_absent(&self, text: &str, least: usize) {
        let lower = text.to_ascii_lowercase();
        for secret in self.secrets.iter().filter(|secret| secret.len() >= least && !MASK.contains(secret.as_str())) {
            assert!(!lower.contains(&secret.to_ascii_lowercase()), "{text:?} shows {secret:?}");
        }
        if let Some(number) = &self.number {
            assert!(!digits(&alphanumerics(text)).contains(number), "{text:?} shows the number {number}");
        }
    }
}

/// The text as retained, as a page title, and as an operator's description.
fn retained(text: &str, redactor: &Redactor, known: &Known) {
    let retained = twice(|| redactor.keep(text, 200));
    let ways = [retained.clone(), title(text, redactor), description(text, redactor)];
    for line in ways.iter().flatten() {
        assert!(!line.is_empty() && line.chars().count() <= 200, "{line:?}");
        assert!(!line.chars().any(char::is_control) && !line.contains('\n'), "{line:?}");
        known.assert_absent(line, SUBSTRING);
    }
    if !text.contains('<') {
        let shorter = retained.as_ref().map(|retained| retained.chars().take(80).collect::<String>());
        assert_eq!(ways[1], shorter, "a title is a text like any other");
    }
}

fn title(text: &str, redactor: &Redactor) -> Option<String> {
    let mut walk = walk(redactor);
    let Next::ReadBody(response) = walk.on_head(&Head { status: 200, headers: &HeaderMap::new() }) else {
        panic!("a page")
    };
    let _ = response.read(format!("<html><title>{text}</title>").as_bytes());
    walk.title().map(str::to_owned)
}

fn description(text: &str, redactor: &Redactor) -> Option<String> {
    let encoded: String = byte_serialize(text.as_bytes()).collect();
    let location = format!("https://cb.test/cb?error=access_denied&error_description={encoded}");
    let headers = HeaderMap::from_iter([(header::LOCATION, HeaderValue::from_str(&location).expect("ASCII"))]);
    match walk(redactor).on_head(&Head { status: 302, headers: &headers }) {
        Next::Fail(Failure::Denied(denial)) => denial.description.map(|text| text.expose_secret().to_owned()),
        _ => None,
    }
}

/// Without a state: the redactor knows only the secrets of the input.
fn walk(redactor: &Redactor) -> Walk {
    let auth_url = "https://op.test/?redirect_uri=https://cb.test/cb";
    let start = StartResponse { auth_url: auth_url.into(), redirect_uri: None, state: None, session: None };
    match Walk::begin(start, rules(Delivery::Relay), CookieJar::new(), redactor.clone()) {
        Ok((walk, _)) => walk,
        Err(error) => panic!("{error:?}"),
    }
}

fn host(host: &str, redactor: &Redactor, known: &Known) {
    let host = host.to_ascii_lowercase();
    let redacted = twice(|| redactor.redact_host(&host));
    known.assert_absent(&redacted, IN_HOST);
    known.assert_absent(&redactor.mask_number(&redacted), IN_HOST);
}

fn code(code: &str, redactor: &Redactor, known: &Known) {
    if !twice(|| redactor.contains_secret(code)) {
        known.assert_absent(code, SUBSTRING);
    }
}
