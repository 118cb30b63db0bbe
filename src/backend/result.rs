//! The verification result in a response of the backend, by whichever way the response came.

use secrecy::SecretString;
use serde_json::Value;

use super::BackendError;
use crate::json::JsonObject;

/// CAMARA's name, understood in addition to the configured one.
const CAMARA_NAME: &str = "devicePhoneNumberVerified";

/// A result, with the response that it came in.
pub struct VerificationResult {
    /// Whether the operator confirmed the number.
    pub verified: bool,
    /// The whole response.
    pub response_json: SecretString,
}

impl VerificationResult {
    /// The result in the body of a 2xx response, if it has one. `status` is known if this crate saw it.
    pub fn in_body(body: Vec<u8>, name: &str, status: Option<u16>) -> Result<Option<Self>, BackendError> {
        let malformed = BackendError::MalformedAnswer { status };
        let Some(verified) = verified_in(&body, name).map_err(|_| malformed.clone())? else { return Ok(None) };
        let json = String::from_utf8(body).map_err(|_| malformed)?;
        Ok(Some(Self { verified, response_json: json.into() }))
    }
}

/// Only one boolean is a result, however often and by whichever name it stands there.
fn verified_in(body: &[u8], name: &str) -> Result<Option<bool>, Contradiction> {
    let Some(response) = JsonObject::parse(body) else { return Ok(None) };
    let mut verified = None;
    for name in [name, CAMARA_NAME] {
        match (response.get(name).map_err(|_| Contradiction)?, verified) {
            (None, _) => {}
            (Some(Value::Bool(value)), None) => verified = Some(*value),
            (Some(Value::Bool(value)), Some(before)) if *value == before => {}
            (Some(_), _) => return Err(Contradiction),
        }
    }
    Ok(verified)
}

/// Something stands where the result should, and is not one.
#[derive(Debug, PartialEq, Eq)]
struct Contradiction;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results() {
        for (body, expected) in [
            (r#"{"verified":true}"#, Ok(Some(true))),
            (r#"{"verified":false,"more":1}"#, Ok(Some(false))),
            (r#"{"devicePhoneNumberVerified":true}"#, Ok(Some(true))),
            (r#"{"verified":true,"devicePhoneNumberVerified":true}"#, Ok(Some(true))),
            (r#"{"verified":true,"verified":true}"#, Ok(Some(true))),
            (r#"{"verified":true,"verified":false}"#, Err(Contradiction)),
            (r#"{"verified":true,"devicePhoneNumberVerified":false}"#, Err(Contradiction)),
            (r#"{"verified":"true"}"#, Err(Contradiction)),
            (r#"{"verified":1}"#, Err(Contradiction)),
            (r#"{"verified":null}"#, Err(Contradiction)),
            (r"{}", Ok(None)),
            (r"[true]", Ok(None)),
            ("true", Ok(None)),
            ("", Ok(None)),
        ] {
            assert_eq!(verified_in(body.as_bytes(), "verified"), expected, "{body}");
        }
    }
}
