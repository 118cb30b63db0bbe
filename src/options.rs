//! Options for one verification, and their checked form together with the phone number.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::config::{FieldNames, Header};
use crate::contract;
use crate::error::{Setting, VerifyError};
use crate::limits;
use crate::purpose::Purpose;
use crate::secret::Redactor;
use crate::settings::{Settings, header_map};

/// What one verification, or one retrieval of the number, adds to the settings of its verifier. All
/// have a default.
#[derive(Debug, Clone, Default, uniffi::Record)]
pub struct VerificationOptions {
    /// Headers for the backend's calls of this verification, such as an access token that expires.
    /// Each replaces the header of the configuration with the same name. Names must be distinct;
    /// the rules are those of [`Config::headers`](crate::Config). They are never sent to an
    /// operator.
    #[uniffi(default = [])]
    pub headers: Vec<Arc<Header>>,
    /// Additional members of the start request, such as an app attestation, at most 16. Names must
    /// be distinct, have 1 to 64 characters and not be one of `FieldNames` or `purpose`; names
    /// and JSON texts have at most 16 KiB in total.
    #[uniffi(default = [])]
    pub start_fields: Vec<Arc<StartField>>,
    /// The `x-correlator` of this verification's calls to the backend, and of its trace. Defaults
    /// to a random UUID. Must match CAMARA's pattern `^[a-zA-Z0-9-_:;.\/<>{}]{1,256}$`. It may be
    /// logged, so it must contain neither the phone number (which a retrieval cannot check) nor a
    /// secret of the headers and start fields. Prefer a UUID: backends may log and forward nothing
    /// else, as the reference backends do.
    #[uniffi(default = None)]
    pub correlator: Option<String>,
}

/// A member of the start request. The value is never logged or included in `Debug` or `toString()`.
#[derive(uniffi::Object)]
#[uniffi(name = "CoreStartField")] // Set here because uniffi.toml does not rename it in its constructors (uniffi 0.32).
pub struct StartField {
    name: String,
    json: SecretString,
}

#[uniffi::export(name = "CoreStartField")]
impl StartField {
    /// A member whose value is JSON text, such as `{"token":"…"}`, `true` or `"text"` with its
    /// quotation marks. It is validated when the verification starts, and sent as the same value,
    /// not byte for byte: if it is signed, pass it as a string.
    #[uniffi::constructor]
    #[must_use]
    pub fn new(name: String, json: String) -> Arc<Self> {
        Arc::new(Self { name, json: json.into() })
    }

    /// A member with a string value, without quotation marks and escapes.
    #[uniffi::constructor]
    #[must_use]
    pub fn with_text(name: String, text: String) -> Arc<Self> {
        Self::new(name, Value::String(text).to_string())
    }
}

impl fmt::Debug for StartField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: …", self.name)
    }
}

/// The checked input of one verification.
pub struct Input {
    pub purpose: Purpose,
    pub extras: Arc<Extras>,
    pub correlator: String,
    /// Contains the number, if it is known yet, and the values of the options.
    pub redactor: Redactor,
}

/// What one verification adds to the backend's calls.
pub struct Extras {
    pub headers: HeaderMap,
    pub start_fields: Map<String, Value>,
}

impl Input {
    /// Fails with `InvalidConfig`.
    pub fn check(purpose: Purpose, options: &VerificationOptions, settings: &Settings) -> Result<Self, VerifyError> {
        let invalid = VerifyError::invalid_config;
        let headers = header_map(&options.headers, &[]).filter(|headers| headers.keys_len() == options.headers.len());
        let headers = headers.ok_or_else(|| invalid(Setting::Headers))?;
        let start_fields =
            start_fields(&options.start_fields, &settings.field_names).ok_or_else(|| invalid(Setting::StartFields))?;
        let redactor = Redactor::new();
        if let Purpose::Verify(number) = &purpose {
            redactor.add_number(number.expose_secret());
        }
        let values = settings.headers.values().chain(headers.values()).filter_map(|value| value.to_str().ok());
        values.for_each(|value| add_secrets(value, &redactor));
        start_fields.values().for_each(|value| add_texts(value, &redactor));
        let correlator = match &options.correlator {
            None => random_correlator(),
            Some(custom) if is_correlator(custom) && !redactor.contains_secret(custom) => custom.clone(),
            Some(_) => return Err(invalid(Setting::Correlator)),
        };
        if let Purpose::Retrieve = purpose {
            redactor.expect_number();
        }
        Ok(Self { purpose, extras: Arc::new(Extras { headers, start_fields }), correlator, redactor })
    }
}

impl Extras {
    /// For an app's backend client.
    pub fn header_texts(&self) -> HashMap<String, String> {
        let text = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            value.to_str().ok().map(|value| (name.as_str().to_owned(), value.to_owned()))
        };
        self.headers.iter().filter_map(text).collect()
    }

    /// For an app's backend client, each value as JSON text.
    pub fn start_field_texts(&self) -> HashMap<String, String> {
        self.start_fields.iter().map(|(name, value)| (name.clone(), value.to_string())).collect()
    }
}

fn start_fields(fields: &[Arc<StartField>], names: &FieldNames) -> Option<Map<String, Value>> {
    let size: usize = fields.iter().map(|field| field.name.len() + field.json.expose_secret().len()).sum();
    if fields.len() > limits::START_FIELDS || size > limits::START_FIELDS_SIZE {
        return None;
    }
    let mut members = Map::new();
    for field in fields {
        let has_length = (1..=limits::START_FIELD_NAME).contains(&field.name.chars().count());
        if !has_length || field.name == contract::PURPOSE || names.contain(&field.name) {
            return None;
        }
        let value = serde_json::from_slice(field.json.expose_secret().as_bytes()).ok()?;
        if members.insert(field.name.clone(), value).is_some() {
            return None;
        }
    }
    Some(members)
}

fn add_texts(value: &Value, redactor: &Redactor) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => add_secrets(&number.to_string(), redactor),
        Value::String(text) => add_secrets(text, redactor),
        Value::Array(values) => values.iter().for_each(|value| add_texts(value, redactor)),
        Value::Object(members) => members.values().for_each(|value| add_texts(value, redactor)),
    }
}

pub fn random_correlator() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Adds the text and its words if they are long enough to identify something.
fn add_secrets(text: &str, redactor: &Redactor) {
    let is_identifying = |part: &&str| {
        let has_digit = part.bytes().any(|byte| byte.is_ascii_digit());
        part.len() >= if has_digit { limits::MIN_SECRET_VALUE } else { limits::MIN_SECRET_WORD }
    };
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '=' | '"'));
    words.chain([text]).filter(is_identifying).for_each(|part| redactor.add_value(part));
}

/// CAMARA's pattern of `x-correlator`, excluding the empty string.
fn is_correlator(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_:;./<>{}".contains(&byte);
    (1..=limits::CORRELATOR).contains(&text.len()) && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::phone_number::PhoneNumber;

    fn check(options: &VerificationOptions) -> Result<Input, VerifyError> {
        let settings = Settings::check(&Config {
            headers: vec![Header::new("X-Key".into(), "Credential=app-k3y-0001;".into())],
            ..Config::new("https://api.test")
        });
        let number = PhoneNumber::parse(&"+14155550100".into()).unwrap();
        Input::check(Purpose::Verify(number), options, &settings.unwrap())
    }

    fn rejected_setting(options: &VerificationOptions) -> Option<Setting> {
        match check(options).err() {
            None => None,
            Some(VerifyError::InvalidConfig { setting }) => Some(setting),
            Some(other) => panic!("{other}"),
        }
    }

    #[test]
    fn reserved_or_non_json_start_field_is_rejected() {
        let with = |fields: &[(&str, &str)]| VerificationOptions {
            start_fields: fields.iter().map(|(name, json)| StartField::new((*name).into(), (*json).into())).collect(),
            ..VerificationOptions::default()
        };
        for good in [&[("attestation", "\"a\"")][..], &[("a", "1"), ("b", "null")], &[("ä", "{\"phoneNumber\":1}")]] {
            assert_eq!(rejected_setting(&with(good)), None, "{good:?}");
        }
        let (long, huge) = ("n".repeat(65), format!("\"{}\"", "x".repeat(16 * 1024)));
        let many: Vec<_> = (0..17).map(|index| index.to_string()).collect();
        let many: Vec<_> = many.iter().map(|name| (name.as_str(), "1")).collect();
        for bad in [
            &[("phoneNumber", "1")][..],
            &[("session", "1")],
            &[("purpose", "\"x\"")],
            &[("", "1")],
            &[(&long, "1")],
            &[("a", "1"), ("a", "1")],
            &[("a", "")],
            &[("a", "text")],
            &[("a", "1 2")],
            &[("a", "{\"b\":1")],
            &[("a", &huge)],
            &many,
        ] {
            assert_eq!(rejected_setting(&with(bad)), Some(Setting::StartFields), "{}", bad.len());
        }
    }

    #[test]
    fn duplicate_or_reserved_header_is_rejected() {
        let with = |headers: &[(&str, &str)]| VerificationOptions {
            headers: headers.iter().map(|(name, value)| Header::new((*name).into(), (*value).into())).collect(),
            ..VerificationOptions::default()
        };
        assert_eq!(rejected_setting(&with(&[("Authorization", "Bearer a"), ("X-App", "b")])), None);
        for bad in [&[("X-App", "a"), ("x-app", "b")][..], &[("X-Correlator", "a")], &[("Cookie", "a")], &[("X", "é")]]
        {
            assert_eq!(rejected_setting(&with(bad)), Some(Setting::Headers), "{bad:?}");
        }
    }

    #[test]
    fn correlator_with_secret_or_invalid_pattern_is_rejected() {
        let with = |correlator: &str| VerificationOptions {
            headers: vec![Header::new("Authorization".into(), "Bearer t0ken-of-app".into())],
            start_fields: vec![StartField::new(
                "a".into(),
                r#"{"b":["attestation-1",12345678],"os":"android"}"#.into(),
            )],
            correlator: Some(correlator.to_owned()),
        };
        for good in [
            "sign-in.42",
            "android-bearer-login-1",
            "b4333c46-49c0-4f62-80d7-f0ef930f1c46",
            "a/b<c>{d}:;_",
            &"x".repeat(256),
        ] {
            assert_eq!(check(&with(good)).unwrap().correlator, good);
        }
        for bad in [
            "",
            "two words",
            "ü",
            "a\n",
            &"x".repeat(257),
            "user-14155550100",
            "1-415-555-01-00",
            "x-t0ken-of-app",
            "attestation-1",
            "id-12345678",
            "app-k3y-0001",
        ] {
            assert_eq!(rejected_setting(&with(bad)), Some(Setting::Correlator), "{bad}");
        }
    }

    #[test]
    fn debug_output_has_no_values() {
        let options = VerificationOptions {
            headers: vec![Header::new("Authorization".into(), "canary-1".into())],
            start_fields: vec![StartField::with_text("attestation".into(), "canary-2".into())],
            correlator: None,
        };
        let output = format!("{options:?}");
        assert!(output.contains("Authorization") && output.contains("attestation"), "{output}");
        assert!(!output.contains("canary"), "{output}");
    }
}
