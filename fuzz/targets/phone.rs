//! Phone numbers, and the number in text from peers. The first line is user input, the rest is text
//! from a peer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use number_verify::VerifyError;
use number_verify::internals::{PhoneNumber, Redactor, alphanumerics};
use number_verify_fuzz::{digits, first_line, text, twice};
use secrecy::ExposeSecret;

const IDENTIFYING_DIGITS: usize = 7;

fuzz_target!(|data: &[u8]| {
    let text = text(data);
    let (typed, peer) = first_line(&text);
    match twice(|| parse(typed)) {
        Ok(number) => {
            assert!(number.is_ascii() && (6..=16).contains(&number.len()), "{number}");
            assert!(number.starts_with('+') && !number.starts_with("+0"), "{number}");
            assert_eq!(digits(&number).len() + 1, number.len(), "{number}");
            assert_eq!(digits(typed), digits(&number), "no digit is lost or added");
            assert_eq!(parse(&number), Ok(number.clone()), "a parsed number stays as it is");
            masked(&number, typed, peer);
        }
        Err(error) => assert_eq!(error, report(&VerifyError::InvalidPhoneNumber), "no part of the text"),
    }
    let unknown = Redactor::new();
    unknown.expect_number();
    if let Some(retained) = unknown.keep(peer, 80) {
        let plain = |c: char| if c.is_ascii() { c.to_string() } else { alphanumerics(&c.to_string()) };
        let plain: String = retained.chars().map(plain).collect();
        let run = plain.split(|c: char| c.is_ascii_alphabetic()).map(|part| digits(part).len()).max().unwrap_or(0);
        // Random ids are recognised by the length of their words.
        let words = [peer, &retained].into_iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
        let is_in_an_id = words.map(alphanumerics).any(|word| matches!(word.len(), 16 | 32));
        assert!(run < IDENTIFYING_DIGITS || is_in_an_id, "it could be a number: {retained}");
    }
});

fn parse(typed: &str) -> Result<String, String> {
    let number = PhoneNumber::parse(&typed.into());
    if let Ok(number) = &number {
        assert!(!format!("{number:?}").contains(|c: char| c.is_ascii_digit()));
    }
    number.map(|number| number.expose_secret().to_owned()).map_err(|error| report(&error))
}

fn report(error: &VerifyError) -> String {
    format!("{} {error} {error:?}", error.to_json())
}

/// The number is removed completely, in the form that was typed or in a text around it.
fn masked(number: &str, typed: &str, peer: &str) {
    let redactor = Redactor::new();
    redactor.add_number(number);
    let all = digits(number);
    let identifying = &all[all.len().saturating_sub(IDENTIFYING_DIGITS)..];
    for text in [number, peer, &format!("{peer} {typed}")] {
        if let Some(retained) = twice(|| redactor.keep(text, 80)) {
            assert!(!read(&retained).contains(identifying), "{retained} shows {number}");
        }
        if read(text).contains(identifying) {
            assert!(redactor.contains_secret(text), "{text} has {number}");
        }
        for host in [redactor.redact_host(text), redactor.mask_number(text)] {
            assert!(!digits(&host).contains(identifying), "{host} shows {number}");
        }
    }
}

/// The digits as a person reads them, including those that are not ASCII.
fn read(text: &str) -> String {
    digits(&alphanumerics(text))
}
