//! Parsing of requests. Every malformed request gets a 4xx.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, Version, header};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use url::form_urlencoded;
use uuid::Uuid;

use crate::problem::Problem;
use crate::session::Purpose;

pub const COOKIE: &str = "number_verify_session";
/// Other hosts cannot set a cookie with this prefix (RFC 6265bis).
pub const SECURE_COOKIE: &str = "__Host-number_verify_session";
pub const PROOF_HEADER: &str = "x-number-verify-session";
/// The `purpose` of a start without a number.
const RETRIEVAL: &str = "device-phone-number";
/// Of a code, state or session.
const MAX_LENGTH: usize = 4096;
const ATTESTATION_LIMIT: usize = 16 * 1024;
/// The largest attestation plus 4 KiB for the other members of a `start`.
const BODY_LIMIT: usize = ATTESTATION_LIMIT + 4 * 1024;
/// A body that is slightly too large is drained, so that the client can read the response.
const DRAIN_LIMIT: usize = 256 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// HTTP/1.1 requires exactly one Host header (RFC 9112, section 3.2).
pub fn host(request: &Request) -> Result<(), Problem> {
    let is_required = request.version() == Version::HTTP_11;
    match single(request.headers(), header::HOST.as_str()) {
        Ok(None) if is_required => Err(Problem::fix(StatusCode::BAD_REQUEST, "the Host header is missing")),
        Ok(_) => Ok(()),
        Err(()) => Err(Problem::fix(StatusCode::BAD_REQUEST, "the Host header must not be repeated")),
    }
}

/// The body of a request, or its error. It is read before the request is rejected, because hyper
/// otherwise closes the connection without `Connection: close`, and the client's next request is
/// lost.
#[derive(Clone)]
pub struct Received(Result<Arc<[u8]>, Problem>);

impl Received {
    pub async fn read(body: Body) -> Self {
        let in_time = tokio::time::timeout(BODY_TIMEOUT, collect(body)).await;
        let too_slow = Problem::later(StatusCode::REQUEST_TIMEOUT, "the body took too long");
        Self(in_time.unwrap_or(Err(too_slow)).map(Arc::from))
    }

    /// The body of a request whose content type is JSON.
    pub fn json(self, headers: &HeaderMap) -> Result<Arc<[u8]>, Problem> {
        if is_json(headers) {
            return self.0;
        }
        Err(Problem::fix(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the content type must be application/json"))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Ok(Some(label)) = single(headers, header::CONTENT_TYPE.as_str()) else { return false };
    let essence = label.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_structured = |(_, subtype): (&str, &str)| subtype.strip_suffix("+json").is_some_and(|name| !name.is_empty());
    essence == "application/json" || essence.split_once('/').is_some_and(is_structured)
}

async fn collect(mut body: Body) -> Result<Vec<u8>, Problem> {
    let (mut content, mut size) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::fix(StatusCode::BAD_REQUEST, "the body is truncated or malformed"))?;
        let Ok(data) = frame.into_data() else { continue };
        size += data.len();
        if size <= BODY_LIMIT {
            content.extend_from_slice(&data);
        } else if size > DRAIN_LIMIT {
            break;
        }
    }
    let is_too_large = Problem::fix(StatusCode::PAYLOAD_TOO_LARGE, "the body must not be over 20 KiB");
    if size > BODY_LIMIT { Err(is_too_large) } else { Ok(content) }
}

const NOT_AN_OBJECT: Problem = Problem::fix(StatusCode::BAD_REQUEST, "the body must be a JSON object");

/// The members of a JSON object, none of which may be repeated, at any depth. No `Debug`: they
/// contain secrets.
pub struct Members(HashMap<String, Json>);

impl Members {
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        match serde_json::from_slice(body) {
            Ok(Json::Object(members)) => Ok(Self(members)),
            _ => Err(NOT_AN_OBJECT),
        }
    }

    /// The query parameters, none of which may be repeated (RFC 6749, section 3.1).
    pub fn parse_query(query: &str) -> Result<Self, Problem> {
        let mut members = HashMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if members.insert(name.into_owned(), Json::Text(value.into_owned())).is_some() {
                return Err(Problem::fix(StatusCode::BAD_REQUEST, "a parameter is repeated"));
            }
        }
        Ok(Self(members))
    }

    /// What a start requests: either to verify a number or to retrieve one.
    pub fn purpose(&self) -> Result<Purpose, Problem> {
        match (self.0.get("purpose"), self.0.get("phoneNumber")) {
            (None, Some(Json::Text(number))) if is_e164(number) => {
                Ok(Purpose::Verification { number: number.to_owned() })
            }
            (None, _) => Err(Problem::fix(StatusCode::BAD_REQUEST, "phoneNumber must be an E.164 number")),
            (Some(Json::Text(purpose)), None) if purpose == RETRIEVAL => Ok(Purpose::Retrieval),
            _ => {
                let title = "purpose must be device-phone-number, without a phoneNumber";
                Err(Problem::fix(StatusCode::BAD_REQUEST, title))
            }
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The reason of an abort. It has no digits, because it is logged.
    pub fn reason(&self) -> Result<&str, Problem> {
        let is_reason = |text: &str| {
            (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        match self.0.get("reason") {
            Some(Json::Text(reason)) if is_reason(reason) => Ok(reason),
            _ => Err(Problem::fix(StatusCode::BAD_REQUEST, "reason must be 1 to 64 characters of a-z and _")),
        }
    }

    /// An optional member of printable ASCII, as codes and states are (RFC 6749, appendix A).
    pub fn printable_ascii(&self, name: &str) -> Result<Option<&str>, Problem> {
        match self.0.get(name) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Text(text)) if text.len() <= MAX_LENGTH && text.bytes().all(is_printable) => {
                Ok(Some(text).filter(|text| !text.is_empty()).map(String::as_str))
            }
            Some(_) => {
                let title = "code, state and session must be at most 4096 printable ASCII characters";
                Err(Problem::fix(StatusCode::BAD_REQUEST, title))
            }
        }
    }
}

/// The app attestation, if any; null means absent. Its size is measured as compact JSON. A body
/// that cannot be parsed is an error; it is never treated as one without an attestation.
pub fn attestation(body: &[u8]) -> Result<Option<Value>, Problem> {
    let mut body: Map<String, Value> = serde_json::from_slice(body).map_err(|_| NOT_AN_OBJECT)?;
    let attestation = body.remove("attestation").filter(|attestation| !attestation.is_null());
    if attestation.as_ref().is_some_and(|attestation| attestation.to_string().len() > ATTESTATION_LIMIT) {
        return Err(Problem::fix(StatusCode::BAD_REQUEST, "attestation must not be over 16 KiB"));
    }
    Ok(attestation)
}

/// JSON in which no member is repeated, at any depth.
pub fn strict_json(text: &[u8]) -> Option<Value> {
    serde_json::from_slice::<Json>(text).ok()?;
    serde_json::from_slice(text).ok()
}

pub fn is_e164(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or_default();
    (5..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0')
}

fn is_printable(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte)
}

/// The parts of JSON that are used. Serde's own types accept repeated members.
enum Json {
    Null,
    Text(String),
    Object(HashMap<String, Json>),
    Other,
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        while items.next_element::<Json>()?.is_some() {}
        Ok(Json::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut members = HashMap::new();
        while let Some((name, value)) = entries.next_entry::<String, Json>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is repeated"));
            }
        }
        Ok(Json::Object(members))
    }
}

/// An optional header; an error if it is repeated or not printable ASCII.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        _ => Err(()),
    }
}

pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    match single(headers, "idempotency-key") {
        Ok(None) => Ok(None),
        Ok(Some(key)) if (1..=255).contains(&key.len()) && key.bytes().all(is_printable) => Ok(Some(key)),
        _ => {
            let title = "the Idempotency-Key must be 1 to 255 printable ASCII characters";
            Err(Problem::fix(StatusCode::UNPROCESSABLE_ENTITY, title))
        }
    }
}

/// The phone's `x-correlator`, if it is a UUID, which cannot contain personal data.
pub fn correlator(headers: &HeaderMap) -> Option<Uuid> {
    let text = single(headers, "x-correlator").ok()??;
    Uuid::try_parse(text).ok().filter(|uuid| uuid.hyphenated().to_string() == text)
}

/// Rejects two session cookies: one may have been set by an attacker. Other cookies, which may
/// contain any bytes, are ignored. Over TLS, the name without the prefix is ignored, because other
/// hosts of the site can set that cookie.
pub fn session_cookie(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let names: &[&str] = if is_plain_and_local(headers) { &[COOKIE, SECURE_COOKIE] } else { &[SECURE_COOKIE] };
    let pairs = headers.get_all(header::COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let mut sessions = pairs.filter_map(|pair| session_in(pair, names));
    match (sessions.next(), sessions.next()) {
        (session, None) => Ok(session.filter(|value| !value.is_empty())),
        _ => Err(Problem::refusal(StatusCode::FORBIDDEN, "there is more than one session cookie")),
    }
}

fn session_in(pair: &[u8], names: &[&str]) -> Option<String> {
    let (name, value) = pair.split_at(pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len()));
    let is_session = names.iter().any(|known| known.as_bytes() == name.trim_ascii());
    let value = value.strip_prefix(b"=").unwrap_or_default().trim_ascii();
    is_session.then(|| String::from_utf8_lossy(value).into_owned())
}

/// The login of the request, for backends that authenticate users. Different headers give different
/// texts.
pub fn authorization(headers: &HeaderMap) -> String {
    let values = headers.get_all(header::AUTHORIZATION).iter();
    values.map(|value| value.as_bytes().escape_ascii().to_string()).collect::<Vec<_>>().join("\n")
}

/// A repeated or malformed header is rejected; there is no fallback to the cookie.
pub fn proof_header(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let malformed = Problem::refusal(StatusCode::FORBIDDEN, "the X-Number-Verify-Session is repeated or malformed");
    single(headers, PROOF_HEADER).map_err(|()| malformed)
}

/// Whether the request is plain http to a local address, for which the phone would not return a
/// `Secure` cookie.
pub fn is_plain_and_local(headers: &HeaderMap) -> bool {
    let host = single(headers, header::HOST.as_str()).ok().flatten().unwrap_or_default();
    let name = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(host, |(name, _)| name);
    let is_local = ["localhost", "127.0.0.1", "[::1]"].contains(&name);
    is_local && headers.get_all("x-forwarded-proto").iter().all(|scheme| scheme == "http")
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn json_is_parsed_strictly() {
        let deep = "[".repeat(10_000);
        let bad: [&[u8]; 14] = [
            b"",
            b"nonsense",
            b"[]",
            b"null",
            b"\"text\"",
            b"{",
            b"{}x",
            b"{\"a\":1,\"a\":1}",
            b"{\"a\":{\"b\":1,\"b\":1}}",
            b"{\"a\":[{\"b\":1,\"\\u0062\":1}]}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":1e999}",
            b"{\"a\":\"\xff\"}",
            deep.as_bytes(),
        ];
        for body in bad {
            assert!(Members::parse(body).is_err(), "{}", String::from_utf8_lossy(body));
        }
        let nested = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
        assert!(Members::parse(nested.as_bytes()).is_err());
        let good = Members::parse(br#"{"phoneNumber":"+14155550100","more":[{"a":1.5,"b":null},-1,true]}"#).unwrap();
        assert!(matches!(good.purpose(), Ok(Purpose::Verification { number }) if number == "+14155550100"));
    }

    #[test]
    fn number_that_is_not_e164_is_rejected() {
        for number in [
            "",
            "+",
            "+1234",
            "14155550100",
            "+04155550100",
            "+1415555010012345",
            "+1 415",
            "+14155550100\\n",
            "+1415555010O",
        ] {
            let body = format!("{{\"phoneNumber\":\"{number}\"}}");
            assert!(Members::parse(body.as_bytes()).unwrap().purpose().is_err(), "{number}");
        }
    }

    #[test]
    fn retrieval_needs_its_purpose_and_no_number() {
        let purpose = |body: &str| Members::parse(body.as_bytes()).unwrap().purpose();
        assert!(matches!(purpose(r#"{"purpose":"device-phone-number","more":1}"#), Ok(Purpose::Retrieval)));
        for value in ["null", "true", "1", "[]", "{}", r#""""#, r#""Device-Phone-Number""#, r#""verify""#] {
            for more in ["", r#","phoneNumber":"+14155550100""#] {
                assert!(purpose(&format!(r#"{{"purpose":{value}{more}}}"#)).is_err(), "{value}{more}");
            }
        }
        for number in ["null", r#""""#, r#""+14155550100""#, "1"] {
            let body = format!(r#"{{"purpose":"device-phone-number","phoneNumber":{number}}}"#);
            assert!(purpose(&body).is_err(), "{number}");
        }
    }

    #[test]
    fn code_that_is_not_printable_ascii_is_rejected() {
        for value in ["1", "true", "[]", "{}", "\"é\"", "\"line\\nline\"", "\"\\u0000\""] {
            let body = format!("{{\"code\":{value}}}");
            assert!(Members::parse(body.as_bytes()).unwrap().printable_ascii("code").is_err(), "{value}");
        }
        let members = Members::parse(br#"{"code":"a b~","state":"","session":null}"#).unwrap();
        let text = |name| members.printable_ascii(name).unwrap();
        assert_eq!((text("code"), text("state"), text("session"), text("other")), (Some("a b~"), None, None, None));
    }

    #[test]
    fn attestation_is_any_json_value_up_to_16_kib() {
        let body = |text: &str| format!(r#"{{"phoneNumber":"+14155550100","attestation":{text}}}"#).into_bytes();
        assert_eq!((attestation(b"{}"), attestation(&body("null"))), (Ok(None), Ok(None)));
        for text in ["{", "1e999", "[1", "\"\\ud800\""] {
            assert_eq!(attestation(&body(text)), Err(NOT_AN_OBJECT), "{text}");
        }
        for text in ["0", "false", r#""text""#, "[]", r#"{"challenge":"c","more":[1.5]}"#] {
            assert_eq!(attestation(&body(text)).unwrap().unwrap().to_string(), text);
        }
        let of_size = |size: usize| body(&format!("\"{}\"", "a".repeat(size - 2)));
        assert!(attestation(&of_size(ATTESTATION_LIMIT)).is_ok());
        assert_eq!(attestation(&of_size(ATTESTATION_LIMIT + 1)).unwrap_err().status, StatusCode::BAD_REQUEST);
    }

    #[test]
    fn repeated_query_parameter_is_rejected() {
        assert!(Members::parse_query("code=a&state=b&code=a").is_err());
        assert_eq!(Members::parse_query("code=a%2Bb&state=").unwrap().printable_ascii("code").unwrap(), Some("a+b"));
        assert!(Members::parse_query("code=%FF").unwrap().printable_ascii("code").is_err());
    }

    #[test]
    fn only_json_content_types_are_accepted() {
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"] {
            assert!(is_json(&headers(&[("content-type", good)])), "{good}");
        }
        for bad in ["", "text/plain", "json", "application/jsonx", "application/+json", "text/html; application/json"] {
            assert!(!is_json(&headers(&[("content-type", bad)])), "{bad}");
        }
        assert!(!is_json(&headers(&[])));
        let mut twice = headers(&[("content-type", "application/json")]);
        twice.append("content-type", HeaderValue::from_static("application/json"));
        assert!(!is_json(&twice));
    }

    #[test]
    fn correlator_that_is_not_a_uuid_is_ignored() {
        let uuid = "b4333c46-49c0-4f62-80d7-f0ef930f1c46";
        assert_eq!(correlator(&headers(&[("x-correlator", uuid)])).unwrap().to_string(), uuid);
        for bad in ["", "+14155550100", "B4333C46-49C0-4F62-80D7-F0EF930F1C46", "b4333c4649c04f6280d7f0ef930f1c46"] {
            assert!(correlator(&headers(&[("x-correlator", bad)])).is_none(), "{bad}");
        }
    }

    #[test]
    fn session_cookie_is_found_among_others() {
        let found = |cookies| session_cookie(&headers(&[("host", "localhost"), ("cookie", cookies)]));
        assert_eq!(found("a=b; number_verify_session=token==; c=d").unwrap().as_deref(), Some("token=="));
        assert_eq!(found("xnumber_verify_session=token"), Ok(None));
        assert!(found("number_verify_session=a; __Host-number_verify_session=a").is_err());
        assert_eq!(found("number_verify_session="), Ok(None));
    }

    #[test]
    fn over_tls_only_the_host_prefixed_cookie_is_read() {
        for connection in [("host", "api.example.com"), ("x-forwarded-proto", "https")] {
            let found = |cookies| session_cookie(&headers(&[connection, ("cookie", cookies)]));
            assert_eq!(found("number_verify_session=a"), Ok(None));
            let both = found("number_verify_session=a; __Host-number_verify_session=b");
            assert_eq!(both.unwrap().as_deref(), Some("b"));
        }
    }

    #[test]
    fn only_plain_http_to_a_local_address_is_insecure() {
        for (host, expected) in [
            ("127.0.0.1:8000", true),
            ("localhost", true),
            ("[::1]:80", true),
            ("[::1]", true),
            ("api.example.com", false),
        ] {
            assert_eq!(is_plain_and_local(&headers(&[("host", host)])), expected, "{host}");
        }
        assert!(!is_plain_and_local(&headers(&[("host", "localhost"), ("x-forwarded-proto", "https")])));
    }
}
