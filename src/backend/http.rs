//! The built-in client of the backend, on reqwest, over the default network.
//!
//! It never follows a redirect, never posts the number elsewhere, and repeats only what the server cannot have acted on.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderMap};
use reqwest::{Client, Response, redirect, retry};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::rustls;
use url::Url;

use super::trust::ConfirmTrust;
use super::{
    AuthorizationStart, Backend, BackendError, Call, CompletionRequest, StartRequest, retry_after, retry_after_s,
};
use crate::authorization::json::JsonObject;
use crate::config::FieldNames;
use crate::settings::Settings;
use crate::transport::tls::Tls;

/// More than a verdict ever needs; enough for an error page of a proxy.
const BODY_LIMIT: usize = 256 * 1024;
/// A flow's two calls share a connection; a later flow may be on another network, where an old one hangs.
const IDLE: Duration = Duration::from_secs(20);
/// Many phones are told the same `Retry-After`; they must not all come back at once.
const JITTER_MS: u64 = 250;

/// The backend at [`Config::backend_url`](crate::Config).
pub struct HttpBackend {
    client: Client,
    start_url: Url,
    complete_url: Url,
    headers: HeaderMap,
    names: FieldNames,
    limit: Duration,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl HttpBackend {
    /// Nothing is sent yet. Fails only where TLS cannot be set up.
    pub fn new(settings: &Settings, tls: &Tls) -> reqwest::Result<Self> {
        let mut client = Client::builder()
            .tls_backend_preconfigured(tls.config())
            .connector_layer(ConfirmTrust { tls: tls.clone(), https: settings.start_url.scheme() == "https" })
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .pool_idle_timeout(IDLE)
            .user_agent(settings.user_agent.clone());
        let (host, port) = (settings.start_url.host_str(), settings.start_url.port_or_known_default());
        if let (Some(host), Some(port)) = (host, port)
            && let Some(addresses) = settings.overrides.get(&(host.to_owned(), port))
        {
            let addresses: Vec<_> = addresses.iter().map(|ip| SocketAddr::new(*ip, port)).collect();
            client = client.resolve_to_addrs(host, &addresses);
        }
        Ok(Self {
            client: client.build()?,
            start_url: settings.start_url.clone(),
            complete_url: settings.complete_url.clone(),
            headers: settings.headers.clone(),
            names: settings.field_names.clone(),
            limit: settings.backend,
        })
    }

    async fn post(&self, url: &Url, body: Map<String, Value>, call: &Call) -> Result<Answer, BackendError> {
        let body = Value::Object(body).to_string();
        let mut may_reconnect = true;
        let mut may_wait = true;
        loop {
            let attempt = timeout(self.limit, self.attempt(url, body.clone(), call)).await;
            let answer = match attempt.map_err(|_| BackendError::Timeout)? {
                Ok(answer) => answer,
                Err(error) if may_reconnect && is_connect_failure(&error) => {
                    may_reconnect = false;
                    continue;
                }
                Err(error) => return Err(narrow(&error)),
            };
            if !(may_wait && matches!(answer.status, 429 | 503)) {
                return Ok(answer);
            }
            let time_left = call.deadline.saturating_duration_since(Instant::now());
            match answer.headers.get(header::RETRY_AFTER).and_then(retry_after).map(with_jitter) {
                Some(wait) if wait < time_left => sleep(wait).await,
                _ => return Ok(answer),
            }
            may_wait = false;
        }
    }

    async fn attempt(&self, url: &Url, body: String, call: &Call) -> reqwest::Result<Answer> {
        let mut request = self
            .client
            .post(url.clone())
            .header(header::ACCEPT, "application/json, application/problem+json")
            .headers(self.headers.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("Idempotency-Key", &call.idempotency_key)
            .header("x-correlator", &call.correlator);
        if let Some(cookie) = call.cookies.header(url) {
            request = request.header(header::COOKIE, cookie.expose_secret());
        }
        let response = request.body(body).send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        call.cookies.store(url, headers.get_all(header::SET_COOKIE).iter(), &call.redactor);
        Ok(Answer { status, headers, body: read(response).await? })
    }
}

#[async_trait::async_trait]
impl Backend for HttpBackend {
    async fn start(&self, request: Arc<StartRequest>) -> Result<Arc<AuthorizationStart>, BackendError> {
        let mut body = Map::new();
        body.insert(self.names.phone_number.clone(), request.phone_number.expose_secret().into());
        let answer = self.post(&self.start_url, body, &request.call).await?;
        let malformed = BackendError::MalformedAnswer { status: Some(answer.status) };
        match answer.status {
            200 | 201 => start_answer(&answer.body, &self.names).ok_or(malformed),
            301 | 302 | 303 | 307 | 308 => {
                let auth_url = location(&answer.headers).ok_or(malformed)?;
                Ok(AuthorizationStart::new(auth_url, None, None, None))
            }
            400..=599 => Err(refusal(&answer)),
            _ => Err(malformed),
        }
    }

    async fn complete(&self, request: Arc<CompletionRequest>) -> Result<String, BackendError> {
        let fields = [
            (&self.names.code, &request.code),
            (&self.names.state, &request.state),
            (&self.names.session, &request.session),
        ];
        let given = |(name, value): (&String, &Option<SecretString>)| {
            value.as_ref().map(|value| (name.clone(), value.expose_secret().into()))
        };
        let body = fields.into_iter().filter_map(given).collect();
        let answer = self.post(&self.complete_url, body, &request.call).await?;
        let malformed = BackendError::MalformedAnswer { status: Some(answer.status) };
        match answer.status {
            200..=299 => String::from_utf8(answer.body).map_err(|_| malformed),
            400..=599 => Err(refusal(&answer)),
            _ => Err(malformed),
        }
    }
}

fn start_answer(body: &[u8], names: &FieldNames) -> Option<Arc<AuthorizationStart>> {
    let answer = JsonObject::parse(body)?;
    let text = |name: &str| match answer.get(name).ok()? {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(text)) => Some(Some(text.clone())),
        Some(_) => None,
    };
    Some(AuthorizationStart::new(
        text(&names.auth_url)??,
        text(&names.redirect_uri)?,
        text(&names.session)?,
        text(&names.state)?,
    ))
}

fn location(headers: &HeaderMap) -> Option<String> {
    let mut locations = headers.get_all(header::LOCATION).iter();
    let first = locations.next()?;
    locations.all(|other| other == first).then_some(first)?.to_str().ok().map(str::to_owned)
}

fn refusal(answer: &Answer) -> BackendError {
    let seconds = answer.headers.get(header::RETRY_AFTER).and_then(retry_after_s);
    BackendError::status(answer.status, &answer.body, seconds)
}

fn with_jitter(wait: Duration) -> Duration {
    let (random, _) = uuid::Uuid::new_v4().as_u64_pair();
    wait.saturating_add(Duration::from_millis(random % JITTER_MS))
}

/// Beyond the limit the rest is left: what was read does not parse then.
async fn read(mut response: Response) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > BODY_LIMIT {
            body.clear();
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn narrow(error: &reqwest::Error) -> BackendError {
    if is_tls(error) {
        BackendError::Tls
    } else if error.is_timeout() {
        BackendError::Timeout
    } else {
        BackendError::Unreachable
    }
}

/// reqwest counts names and TLS as connecting too; a certificate that is refused now is refused again.
fn is_connect_failure(error: &reqwest::Error) -> bool {
    error.is_connect() && !is_tls(error)
}

/// The TLS error is wrapped in I/O errors, which hide it from `source()`.
fn is_tls(error: &reqwest::Error) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = next {
        if error.is::<rustls::Error>() {
            return true;
        }
        next = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
}
