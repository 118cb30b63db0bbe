//! A validated phone number: a flow uses no other type for it.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::error::VerifyError;

/// A number in E.164 form without separators, by CAMARA's pattern `^\+[1-9][0-9]{4,14}$`.
#[derive(Clone)]
pub struct PhoneNumber(SecretString);

impl PhoneNumber {
    /// Spaces, hyphens, dots and parentheses are removed. Fails with `InvalidPhoneNumber`.
    pub fn parse(input: &SecretString) -> Result<Self, VerifyError> {
        let is_separator = |c: &char| matches!(c, ' ' | '-' | '.' | '(' | ')');
        let number: String = input.expose_secret().chars().filter(|c| !is_separator(c)).collect();
        let digits = number.strip_prefix('+').ok_or(VerifyError::InvalidPhoneNumber)?;
        let is_well_formed = (5..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        if is_well_formed { Ok(Self(number.into())) } else { Err(VerifyError::InvalidPhoneNumber) }
    }
}

impl ExposeSecret<str> for PhoneNumber {
    fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PhoneNumber(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(input: &str) -> Result<String, VerifyError> {
        PhoneNumber::parse(&input.into()).map(|number| number.expose_secret().to_owned())
    }

    #[test]
    fn debug_output_has_no_number() {
        let number = PhoneNumber::parse(&"+14155550100".into()).unwrap();
        assert_eq!(format!("{number:?}"), "PhoneNumber(…)");
    }

    #[test]
    fn e164_number_is_parsed_and_others_are_rejected() {
        for (input, number) in [
            ("+14155550100", "+14155550100"),
            ("+1 (415) 555-01.00", "+14155550100"),
            (" +12345 ", "+12345"),
            ("+123456789012345", "+123456789012345"),
        ] {
            assert_eq!(parse(input).unwrap(), number);
        }
        for invalid in [
            "",
            "12",
            "+",
            "+1234",
            "+0123456",
            "14155550100",
            "+1234567890123456",
            "+1415555o100",
            "++14155550100",
            "+14155550100\n",
            "+١٤١٥٥٥٥",
        ] {
            assert!(matches!(parse(invalid), Err(VerifyError::InvalidPhoneNumber)), "{invalid}");
        }
    }
}
