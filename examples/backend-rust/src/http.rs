//! HTTP client for the provider: https only, no redirects, limited response size, classified
//! errors.

use std::error::Error;
use std::pin::Pin;
use std::time::Duration;

use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};

const RESPONSE_LIMIT: usize = 256 * 1024;

/// A failure of the provider. Contains nothing from a response but its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the provider failed")]
pub struct Failure {
    pub step: Step,
    pub kind: Kind,
    pub status: Option<u16>,
}

/// The request that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Discovery,
    Keys,
    Token,
    IdToken,
    Verify,
    DevicePhoneNumber,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Timeout,
    Unreachable,
    Tls,
    /// The response has the status of a temporary condition.
    Busy,
    /// The response has another 5xx, which is permanent.
    Unavailable,
    /// The provider rejected this user, SIM or code.
    Refused,
    /// The provider rejected this backend or its request.
    Misused,
    /// The response is malformed.
    Malformed,
    /// The returned number is not E.164.
    NotE164,
}

impl Failure {
    pub fn new(step: Step, kind: Kind) -> Self {
        Self { step, kind, status: None }
    }

    pub fn with_status(step: Step, kind: Kind, status: StatusCode) -> Self {
        let is_error = status.is_client_error() || status.is_server_error();
        Self { step, kind, status: is_error.then(|| status.as_u16()) }
    }

    /// For the log.
    pub fn name(self) -> String {
        let step = match self.step {
            Step::Discovery => "discovery",
            Step::Keys => "keys",
            Step::Token => "token",
            Step::IdToken => "id_token",
            Step::Verify => "verify",
            Step::DevicePhoneNumber => "device_phone_number",
        };
        let kind = match self.kind {
            Kind::Timeout => return "timeout".to_owned(),
            Kind::Unreachable => return "unreachable".to_owned(),
            Kind::Tls => return "tls".to_owned(),
            Kind::Busy => "busy",
            Kind::Unavailable => "unavailable",
            Kind::Refused => "refused",
            Kind::Misused => "misused",
            Kind::Malformed => "malformed",
            Kind::NotE164 => "not_e164",
        };
        format!("{step}_{kind}")
    }
}

pub struct Http(Client);

impl Http {
    pub fn new() -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .https_only(true)
            .redirect(Policy::none())
            .connect_timeout(Duration::from_secs(3))
            .user_agent(concat!("number-verify-backend/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self(client))
    }

    /// Returns a response unless its status is temporary or another 5xx.
    pub async fn send(&self, step: Step, request: HttpRequest) -> Result<HttpResponse, Failure> {
        let request = request.try_into().map_err(|_| Failure::new(step, Kind::Malformed))?;
        let response = self.0.execute(request).await.map_err(|error| classify(step, &error))?;
        let status = response.status();
        if is_temporary(status) {
            return Err(Failure::with_status(step, Kind::Busy, status));
        }
        if status.is_server_error() {
            return Err(Failure::with_status(step, Kind::Unavailable, status));
        }
        let body = collect(step, response).await?;
        let mut response = HttpResponse::new(body);
        *response.status_mut() = status;
        Ok(response)
    }
}

/// For the token request, the only one that `oauth2` sends.
impl<'c> AsyncHttpClient<'c> for Http {
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Failure>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async {
            let mut response = self.send(Step::Token, request).await?;
            if response.status().is_success() {
                *response.status_mut() = StatusCode::OK; // `oauth2` accepts no other 2xx
            }
            Ok(response)
        })
    }
}

/// RFC 9110, section 15: timeouts, rate limits, and failing or overloaded servers.
fn is_temporary(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502..=504)
}

async fn collect(step: Step, mut response: Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| classify(step, &error))? {
        body.extend_from_slice(&chunk);
        if body.len() > RESPONSE_LIMIT {
            return Err(Failure::with_status(step, Kind::Malformed, response.status()));
        }
    }
    Ok(body)
}

fn classify(step: Step, error: &reqwest::Error) -> Failure {
    let kind = if error.is_timeout() {
        Kind::Timeout
    } else if is_tls(error) {
        Kind::Tls
    } else if error.is_builder() {
        Kind::Malformed
    } else {
        Kind::Unreachable
    };
    Failure::new(step, kind)
}

/// The `source()` of an `io::Error` skips the error that it wraps.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>() || inner.is_some_and(|inner| is_tls(inner)) || error.source().is_some_and(is_tls)
}
