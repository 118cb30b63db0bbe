//! Parses the result of a flow from a response of the backend, either of `complete` or of the
//! callback.

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::BackendError;
use crate::config::FieldNames;
use crate::contract::{CAMARA_NUMBER, CAMARA_VERIFIED};
use crate::json::JsonObject;
use crate::phone_number::PhoneNumber;
use crate::purpose::{FlowValue, Purpose};

/// A result, with the response that contained it.
pub struct FlowResult {
    /// The requested value.
    pub value: FlowValue,
    /// The whole response.
    pub response_json: SecretString,
}

impl FlowResult {
    /// The result in the body of a 2xx response, if it has one. `status` is known if this crate
    /// received the response itself.
    pub fn in_body(
        body: Vec<u8>,
        purpose: &Purpose,
        names: &FieldNames,
        status: Option<u16>,
    ) -> Result<Option<Self>, BackendError> {
        let malformed = BackendError::MalformedAnswer { status };
        let Some(value) = value_in(&body, purpose, names).map_err(|_| malformed.clone())? else { return Ok(None) };
        let json = String::from_utf8(body).map_err(|_| malformed)?;
        Ok(Some(Self { value, response_json: json.into() }))
    }
}

/// All occurrences, under either name, must have the same value, and the result of the other
/// purpose must be absent.
fn value_in(body: &[u8], purpose: &Purpose, names: &FieldNames) -> Result<Option<FlowValue>, Contradiction> {
    let Some(response) = JsonObject::parse(body) else { return Ok(None) };
    let verified = member(&response, [&names.verified, CAMARA_VERIFIED])?;
    let number = member(&response, [&names.phone_number, CAMARA_NUMBER])?;
    let (expected, other) = match purpose {
        Purpose::Verify(_) => (verified, number),
        Purpose::Retrieve => (number, verified),
    };
    if other.is_some_and(|value| !value.is_null()) {
        return Err(Contradiction);
    }
    match (purpose, expected) {
        (_, None) => Ok(None),
        (Purpose::Verify(_), Some(Value::Bool(verified))) => Ok(Some(FlowValue::Verified(*verified))),
        (Purpose::Retrieve, Some(Value::String(number))) => match PhoneNumber::parse(&number.as_str().into()) {
            Ok(parsed) if parsed.expose_secret() == number => Ok(Some(FlowValue::Number(parsed))),
            _ => Err(Contradiction),
        },
        _ => Err(Contradiction),
    }
}

/// The value of a member with two names, whose values must be equal.
fn member<'a>(response: &'a JsonObject, names: [&str; 2]) -> Result<Option<&'a Value>, Contradiction> {
    let mut found = None;
    for name in names {
        match (response.get(name).map_err(|_| Contradiction)?, found) {
            (None, _) => {}
            (Some(value), Some(before)) if value != before => return Err(Contradiction),
            (value, _) => found = value,
        }
    }
    Ok(found)
}

/// The member of the result has an invalid or contradictory value.
#[derive(Debug, PartialEq, Eq)]
struct Contradiction;

#[cfg(test)]
mod tests {
    use super::*;

    fn verify(body: &str) -> Result<Option<bool>, Contradiction> {
        let purpose = Purpose::Verify(PhoneNumber::parse(&"+14155550100".into()).unwrap());
        value_in(body.as_bytes(), &purpose, &FieldNames::default()).map(|value| match value {
            None => None,
            Some(FlowValue::Verified(verified)) => Some(verified),
            Some(FlowValue::Number(_)) => panic!("a number"),
        })
    }

    fn retrieve(body: &str) -> Result<Option<String>, Contradiction> {
        value_in(body.as_bytes(), &Purpose::Retrieve, &FieldNames::default()).map(|value| match value {
            None => None,
            Some(FlowValue::Number(number)) => Some(number.expose_secret().to_owned()),
            Some(FlowValue::Verified(_)) => panic!("a verification"),
        })
    }

    #[test]
    fn verification_result_is_parsed_or_rejected() {
        for (body, expected) in [
            (r#"{"verified":true}"#, Ok(Some(true))),
            (r#"{"verified":false,"more":1}"#, Ok(Some(false))),
            (r#"{"devicePhoneNumberVerified":true}"#, Ok(Some(true))),
            (r#"{"verified":true,"devicePhoneNumberVerified":true}"#, Ok(Some(true))),
            (r#"{"verified":true,"verified":true}"#, Ok(Some(true))),
            (r#"{"verified":true,"phoneNumber":null}"#, Ok(Some(true))),
            (r#"{"verified":true,"verified":false}"#, Err(Contradiction)),
            (r#"{"verified":true,"devicePhoneNumberVerified":false}"#, Err(Contradiction)),
            (r#"{"verified":"true"}"#, Err(Contradiction)),
            (r#"{"verified":1}"#, Err(Contradiction)),
            (r#"{"verified":null}"#, Err(Contradiction)),
            (r#"{"phoneNumber":"+14155550100"}"#, Err(Contradiction)),
            (r#"{"devicePhoneNumber":"+14155550100"}"#, Err(Contradiction)),
            (r#"{"verified":true,"phoneNumber":"+14155550100"}"#, Err(Contradiction)),
            (r#"{"verified":true,"devicePhoneNumber":1}"#, Err(Contradiction)),
            (r"{}", Ok(None)),
            (r#"{"phoneNumber":null}"#, Ok(None)),
            (r"[true]", Ok(None)),
            ("true", Ok(None)),
            ("", Ok(None)),
        ] {
            assert_eq!(verify(body), expected, "{body}");
        }
    }

    #[test]
    fn retrieval_result_is_parsed_or_rejected() {
        let number = || Ok(Some("+14155550100".to_owned()));
        for (body, expected) in [
            (r#"{"phoneNumber":"+14155550100"}"#, number()),
            (r#"{"devicePhoneNumber":"+14155550100","more":1}"#, number()),
            (r#"{"phoneNumber":"+14155550100","devicePhoneNumber":"+14155550100"}"#, number()),
            (r#"{"phoneNumber":"+14155550100","phoneNumber":"+14155550100"}"#, number()),
            (r#"{"phoneNumber":"+14155550100","verified":null}"#, number()),
            (r#"{"phoneNumber":"+14155550100","devicePhoneNumber":"+14155550101"}"#, Err(Contradiction)),
            (r#"{"phoneNumber":"+14155550100","phoneNumber":"+14155550101"}"#, Err(Contradiction)),
            (r#"{"phoneNumber":"+14155550100","verified":true}"#, Err(Contradiction)),
            (r#"{"phoneNumber":"+14155550100","devicePhoneNumberVerified":false}"#, Err(Contradiction)),
            (r#"{"verified":true}"#, Err(Contradiction)),
            (r#"{"devicePhoneNumberVerified":false}"#, Err(Contradiction)),
            (r#"{"phoneNumber":true}"#, Err(Contradiction)),
            (r#"{"phoneNumber":14155550100}"#, Err(Contradiction)),
            (r#"{"phoneNumber":null}"#, Err(Contradiction)),
            (r#"{"phoneNumber":""}"#, Err(Contradiction)),
            (r#"{"phoneNumber":"14155550100"}"#, Err(Contradiction)),
            (r#"{"phoneNumber":"+1 415 555 0100"}"#, Err(Contradiction)),
            (r#"{"phoneNumber":"tel:+14155550100"}"#, Err(Contradiction)),
            (r"{}", Ok(None)),
            (r#""+14155550100""#, Ok(None)),
        ] {
            assert_eq!(retrieve(body), expected, "{body}");
        }
    }
}
