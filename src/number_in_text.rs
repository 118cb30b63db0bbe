//! The phone number in peer data, in any spelling.

use crate::alphanumerics::alphanumerics;

/// Replaces masked text.
pub const MASK: &str = "•••";
/// The number of trailing digits that identify a phone number.
const MIN_DIGITS: usize = 7;
/// The lengths of hexadecimal trace ids (W3C Trace Context, section 3.2.2).
const RANDOM_IDS: [usize; 2] = [16, 32];

/// What is known about the phone number.
#[derive(Default)]
pub enum Number {
    /// There is none.
    #[default]
    None,
    /// There is one, but it is not known yet: every text that could be one is treated as the
    /// number.
    Expected,
    /// Its last digits.
    Known(String),
}

impl Number {
    /// `None` if the number has no digits.
    pub fn known(number: &str) -> Self {
        let digits = digits(number);
        let last = digits.len().saturating_sub(MIN_DIGITS);
        let last = digits.get(last..).filter(|digits| !digits.is_empty());
        last.map_or(Self::None, |last| Self::Known(last.to_owned()))
    }

    /// Whether a text contains the number, or what could be the number. `letters_and_digits` is the
    /// reduced form of the text.
    pub fn is_in(&self, text: &str, letters_and_digits: &str) -> bool {
        match self {
            Self::None => false,
            Self::Expected => could_be_number(text),
            Self::Known(last_digits) => digits(letters_and_digits).contains(last_digits),
        }
    }

    /// A host name with the number masked.
    pub fn mask_in(&self, host: &str) -> String {
        match self {
            Self::Known(last_digits) => mask_number(host, last_digits),
            Self::None | Self::Expected => host.to_owned(),
        }
    }
}

/// Whether there are enough consecutive digits without a letter in between. The digits of random
/// ids are ignored.
fn could_be_number(text: &str) -> bool {
    let mut digits_so_far = 0;
    for word in text.split(|c: char| !c.is_alphanumeric()).map(alphanumerics) {
        let is_hexadecimal = word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_digits = word.bytes().all(|byte| byte.is_ascii_digit());
        let is_random = is_hexadecimal && !is_digits && RANDOM_IDS.contains(&word.len());
        for byte in word.bytes() {
            digits_so_far = if byte.is_ascii_digit() && !is_random { digits_so_far + 1 } else { 0 };
            if digits_so_far >= MIN_DIGITS {
                return true;
            }
        }
    }
    false
}

/// If a host name contains these digits in sequence, masks it from its first digit to the last of
/// these.
fn mask_number(host: &str, last_digits: &str) -> String {
    let Some(found) = digits(host).rfind(last_digits) else { return host.to_owned() };
    let mut positions = host.match_indices(|c: char| c.is_ascii_digit()).map(|(at, _)| at);
    let before = positions.clone().next().and_then(|first| host.get(..first));
    let after = positions.nth((found + last_digits.len()).saturating_sub(1)).and_then(|last| host.get(last + 1..));
    format!("{}{MASK}{}", before.unwrap_or_default(), after.unwrap_or_default())
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}
