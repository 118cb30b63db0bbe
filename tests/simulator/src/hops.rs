//! A request of a verification as the page shows it, and how to read it from HTTP without anything
//! secret: paths are masked, queries and the values of cookies are left out.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};
use serde::Serialize;
use serde_json::Value;
use url::Url;

/// A request and its response.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Hop {
    pub(crate) from: Sender,
    pub(crate) host: &'static str,
    pub(crate) role: Role,
    pub(crate) method: String,
    pub(crate) path: String,
    /// The source address.
    #[serde(skip)]
    pub(crate) peer: IpAddr,
    /// The class of the source address.
    pub(crate) network: &'static str,
    /// The SIM that the source address identifies, masked.
    pub(crate) sim: Option<String>,
    pub(crate) family: &'static str,
    /// The TLS version; absent for plain http.
    pub(crate) tls: Option<&'static str>,
    /// Since the first request.
    pub(crate) at_ms: f64,
    /// Absent until the response is sent.
    pub(crate) duration_ms: Option<f64>,
    #[serde(flatten)]
    pub(crate) response: Summary,
}

/// A response; without a status, the connection was closed instead.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Summary {
    pub(crate) status: Option<u16>,
    /// Its Location without the query.
    pub(crate) redirect: Option<String>,
    /// The names of the cookies that it sets.
    pub(crate) cookies: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sender {
    Phone,
    Backend,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    Backend,
    Provider,
    Operator,
}

/// How a verification ended, as far as the simulator knows.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", content = "detail", rename_all = "kebab-case")]
pub(crate) enum Outcome {
    Verified,
    NotVerified,
    /// With the masked number.
    Retrieved(String),
    /// By the operator, with this error code.
    Denied(String),
    /// By the backend, with this title.
    Rejected(String),
    /// By the phone, for this reason.
    Aborted(String),
}

/// `…` and the last two digits.
pub(crate) fn masked_number(number: &str) -> String {
    format!("…{}", number.get(number.len().saturating_sub(2)..).unwrap_or_default())
}

/// The path of a URL, in which each part that may be a secret or a number is masked.
pub(crate) fn masked_path(path: &str) -> String {
    let is_secret = |part: &str| {
        let digits = part.bytes().filter(u8::is_ascii_digit).count();
        digits > 4
            || part.len() > 40
            || !part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
    };
    let parts: Vec<_> = path.split('/').map(|part| if is_secret(part) { "…" } else { part }).collect();
    parts.join("/")
}

/// A Location without user name, query and fragment, and with its path masked.
fn masked_location(location: &str) -> String {
    let end = location.find(['?', '#']).unwrap_or(location.len());
    if let Some(rest) = location.strip_prefix("//") {
        return masked_location(&format!("https://{rest}")).replacen("https:", "", 1);
    }
    match Url::parse(location) {
        Ok(url) => {
            let host = url.host_str().unwrap_or_default();
            format!("{}://{host}{}", url.scheme(), masked_path(url.path()))
        }
        Err(_) => masked_path(&location[..end]),
    }
}

/// Where a source address is from.
pub(crate) fn network(peer: IpAddr) -> &'static str {
    let is_private = match peer {
        IpAddr::V4(address) => address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
    };
    match (peer.is_loopback(), is_private) {
        (true, _) => "loopback",
        (_, true) => "private",
        _ => "public",
    }
}

/// The ids in a text by which requests belong together: all that the simulator issues are 32
/// hexadecimal digits. Before them may be an escaped `=`.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = String> {
    let runs = text.split(|character: char| !character.is_ascii_hexdigit());
    runs.filter_map(|run| run.get(run.len().checked_sub(32)?..)).map(str::to_owned)
}

impl Summary {
    pub(crate) fn new(status: u16, headers: &HeaderMap) -> Self {
        let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let name = |cookie: String| cookie.split('=').next().unwrap_or_default().trim().to_owned();
        Self {
            status: Some(status),
            redirect: headers.get(header::LOCATION).map(|location| masked_location(&text(location))),
            cookies: headers.get_all(header::SET_COOKIE).iter().map(text).map(name).collect(),
        }
    }
}

impl Outcome {
    /// Of a JSON response of a backend or of the verify API.
    pub(crate) fn of_json(body: &Value) -> Option<Self> {
        let member = |names: [&str; 2]| names.iter().find_map(|name| body.get(name));
        if let Some(number) = member(["phoneNumber", "devicePhoneNumber"]).and_then(Value::as_str) {
            return Some(Self::Retrieved(masked_number(number)));
        }
        let verified = member(["verified", "devicePhoneNumberVerified"])?.as_bool()?;
        Some(if verified { Self::Verified } else { Self::NotVerified })
    }

    /// Of a redirect to the redirect URI. An error in addition to a code is ignored, as
    /// clients do.
    pub(crate) fn of_redirect(location: &str) -> Option<Self> {
        let url = Url::parse(location).ok()?;
        let value = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value);
        let error = value("error").filter(|_| value("code").is_none())?;
        let is_code =
            (1..=64).contains(&error.len()) && error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        is_code.then(|| Self::Denied(error.into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::{masked_location, masked_number, masked_path, tokens};

    #[test]
    fn secrets_are_masked() {
        assert_eq!(masked_path("/number-verify/b/start"), "/number-verify/b/start");
        assert_eq!(masked_path("/v2/verify/0f343ca1b2d34e5f8a9b0c1d2e3f4a5b/result"), "/v2/verify/…/result");
        assert_eq!(masked_path("/%2B14155550100/x"), "/…/x");
        assert_eq!(
            masked_location("https://user:word@app.test:8443/callback?code=1#code=2"),
            "https://app.test/callback"
        );
        assert_eq!(masked_location("//app.test:8443/a?b"), "//app.test/a");
        assert_eq!(masked_location("5?state=1"), "5");
        assert_eq!(masked_number("+14155550100"), "…00");
        assert_eq!(masked_number(""), "…");
    }

    #[test]
    fn tokens_are_found_behind_escapes() {
        let token = "0f343ca1b2d34e5f8a9b0c1d2e3f4a5b";
        let text = format!("back=https%3A%2F%2Fa%2F{token}%2Fresult&x=y&state%3D{token}");
        assert_eq!(tokens(&text).collect::<Vec<_>>(), [token, token]);
        assert_eq!(tokens("abc").count(), 0);
    }
}
