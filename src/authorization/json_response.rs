//! A final JSON response: the code, as `dev_print=true` and direct APIs return it, or the
//! operator's denial.
//!
//! The media type is ignored. A member with the value null is treated as absent, except `code`:
//! null is not a valid code.

use serde_json::Value;

use super::capture::{check_state, denial, is_empty_error};
use super::{Completion, Denial, Failure};
use crate::json::{JsonObject, Repeated};
use crate::secret::{Redactor, SecretString};

/// The code of a 2xx response, and its state: a different state is rejected; a missing one is
/// accepted, because this is the response to our request.
pub(super) fn code(
    json: &JsonObject,
    expected_state: Option<&SecretString>,
    redactor: &Redactor,
) -> Result<Completion, Failure> {
    let code = match json.get("code") {
        Ok(None) => None,
        Ok(Some(Value::String(code))) if !code.is_empty() => Some(code),
        Ok(Some(Value::Null)) if has_error(json) => None,
        Ok(Some(_)) | Err(Repeated) => return Err(Failure::MalformedResponse),
    };
    if let Some(denial) = denial_in(json, redactor) {
        return Err(Failure::Denied(denial));
    }
    let code = code.ok_or(Failure::UnexpectedPage)?;
    let state = match json.get("state") {
        Ok(None | Some(Value::Null)) => None,
        Ok(Some(Value::String(state))) => Some(state),
        Ok(Some(_)) | Err(Repeated) if expected_state.is_some() => return Err(Failure::StateMismatch),
        Ok(Some(_)) | Err(Repeated) => return Err(Failure::MalformedResponse),
    };
    if let Some(state) = state {
        check_state(expected_state, Some(state))?;
        redactor.add(state);
    }
    redactor.add(code);
    Ok(Completion::Code { code: code.clone().into(), state: state.cloned().map(SecretString::from) })
}

/// `error` as in RFC 6749, section 5.2, or CAMARA's `status`, `code` and `message`.
pub(super) fn denial_in(json: &JsonObject, redactor: &Redactor) -> Option<Denial> {
    let text = |name: &str| json.get(name).ok().flatten().and_then(Value::as_str);
    if has_error(json) {
        if let Some(code) = text("code") {
            redactor.add(code);
        }
        return Some(denial(text("error").unwrap_or_default(), text("error_description"), redactor));
    }
    let status = json.get("status").ok().flatten().and_then(status)?;
    let code = text("code")?;
    (status >= 400.0).then(|| denial(code, text("message"), redactor))
}

/// An empty, null or false error is treated as omitted.
fn has_error(json: &JsonObject) -> bool {
    match json.get("error") {
        Ok(None | Some(Value::Null | Value::Bool(false))) => false,
        Ok(Some(Value::String(error))) => !is_empty_error(error),
        Ok(Some(_)) | Err(Repeated) => true,
    }
}

/// Some gateways send the number as a string. The parser of floating-point numbers would add 15 KB
/// to the library.
fn status(value: &Value) -> Option<f64> {
    let text = |text: &str| text.trim().split('.').next()?.parse::<u32>().ok();
    value.as_f64().or_else(|| Some(text(value.as_str()?)?.into()))
}
