//! JSON: an object with repeated names, the result in a response of the backend, problem documents,
//! and the operator's JSON response.
//! The first line has a status and a `Retry-After`, the rest is the body.
#![no_main]

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use number_verify::FieldNames;
use number_verify::internals::{
    Completion, CookieJar, Delivery, Failure, FlowResult, FlowValue, Head, JsonObject, Next, PhoneNumber, Purpose,
    Redactor, StartResponse, Walk, backend_status,
};
use number_verify_fuzz::{rules, twice};
use secrecy::ExposeSecret;
use serde_json::Value;

const NUMBER: &str = "+14155550100";

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (line, body) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let digits = line.iter().take(3).filter(|byte| byte.is_ascii_digit());
    let status = digits.fold(0, |status, digit| status * 10 + u16::from(digit - b'0'));
    object(body);
    result(body);
    problem(status.clamp(400, 599), body, HeaderValue::from_bytes(line.get(3..).unwrap_or_default()).ok().as_ref());
    twice(|| ending(status, body, Delivery::Relay, None));
    if JsonObject::parse(body).is_some() {
        ending(status, body, Delivery::NoCode, None);
        ending(status, body, Delivery::Relay, Some("http://he.test/"));
    }
});

/// The value as parsed by `serde_json`, without white space and NUL at the end of the text.
fn plain(body: &[u8]) -> Option<Value> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let end = body.iter().rposition(|byte| *byte != 0 && !byte.is_ascii_whitespace()).map_or(0, |last| last + 1);
    serde_json::from_slice(&body[..end]).ok()
}

fn object(body: &[u8]) {
    let Some(object) = JsonObject::parse(body) else { return };
    let value = plain(body).expect("JSON");
    for (name, value) in value.as_object().expect("an object") {
        let found = object.get(name);
        assert!(found.is_err() || found == Ok(Some(value)), "{name} is {found:?}");
    }
}

fn result(body: &[u8]) {
    let names = FieldNames::default();
    let number = PhoneNumber::parse(&NUMBER.into()).expect("a number");
    let read = |purpose: &Purpose| {
        FlowResult::in_body(body.to_vec(), purpose, &names, Some(200)).map_err(|error| format!("{error:?} {error}"))
    };
    let verified = read(&Purpose::Verify(number));
    let retrieved = read(&Purpose::Retrieve);
    for result in [&verified, &retrieved].into_iter().flatten().flatten() {
        assert_eq!(result.response_json.expose_secret().as_bytes(), body);
        assert!(!format!("{:?} {:?}", result.value, result.response_json).contains(|c: char| c.is_ascii_digit()));
        let json = plain(body);
        let member = |name: &str| json.as_ref().and_then(|json| json.get(name));
        match &result.value {
            FlowValue::Verified(verified) => {
                let found = member("verified").or(member("devicePhoneNumberVerified"));
                assert_eq!(found, Some(&Value::Bool(*verified)), "{json:?}");
            }
            FlowValue::Number(number) => {
                let found = member("phoneNumber").or(member("devicePhoneNumber")).and_then(Value::as_str);
                assert_eq!(found, Some(number.expose_secret()), "{json:?}");
            }
        }
    }
    assert!(!matches!((&verified, &retrieved), (Ok(Some(_)), Ok(Some(_)))), "one response has both results");
}

fn problem(status: u16, body: &[u8], retry_after: Option<&HeaderValue>) {
    let error = backend_status(status, body, retry_after);
    let json: Value = serde_json::from_str(&error.to_json()).expect("JSON");
    assert_eq!(json["detail"]["status"], status);
    assert!(json["fallback"].is_string() && json["kind"] == "backend");
    // It contains nothing from the body.
    assert_eq!(error.message(None), backend_status(status, b"", retry_after).message(None));
}

/// The end of a walk with this response, after a redirect to this hop.
fn ending(status: u16, body: &[u8], delivery: Delivery, hop: Option<&'static str>) -> String {
    let redactor = Redactor::new();
    let auth_url = "https://op.test/?state=St4te&redirect_uri=https://cb.test/cb";
    let start = StartResponse { auth_url: auth_url.into(), redirect_uri: None, state: None, session: None };
    let Ok((mut walk, _)) = Walk::begin(start, rules(delivery), CookieJar::new(), redactor.clone()) else {
        panic!("a start response that can begin a walk")
    };
    if let Some(location) = hop {
        let headers = HeaderMap::from_iter([(http::header::LOCATION, HeaderValue::from_static(location))]);
        assert!(matches!(walk.on_head(&Head { status: 302, headers: &headers }), Next::Follow(_)));
    }
    let Next::ReadBody(response) = walk.on_head(&Head { status, headers: &HeaderMap::new() }) else {
        return String::new();
    };
    match response.read(body) {
        Ok(Completion::Code { code, state }) => {
            assert!(hop.is_none() && delivery == Delivery::Relay && (200..=299).contains(&status));
            assert!(state.as_ref().is_none_or(|state| !state.expose_secret().is_empty()));
            assert!(!code.expose_secret().is_empty() && redactor.contains_secret(code.expose_secret()));
            format!("code {}", code.expose_secret())
        }
        Ok(completion) => {
            assert!(delivery == Delivery::NoCode, "{completion:?}");
            format!("{completion:?}")
        }
        Err(Failure::Denied(denial)) => {
            let error = denial.error.as_deref().unwrap_or_default();
            assert!(error.len() <= 64 && error.is_ascii() && !redactor.contains_secret(error), "{error}");
            let description = denial.description.as_ref().map(|text| text.expose_secret().to_owned());
            assert!(description.as_ref().is_none_or(|text| text.chars().count() <= 200 && !text.contains("St4te")));
            assert!(
                description
                    .as_ref()
                    .is_none_or(|text| text.len() < 4 || !format!("{denial:?}").contains(text) || error.contains(text))
            );
            format!("denied {error} {description:?}")
        }
        Err(failure) => format!("{failure:?} {:?}", walk.title()),
    }
}
