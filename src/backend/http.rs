//! The built-in client of the backend, over the default network.
//!
//! It never follows a redirect, never posts the number elsewhere, and repeats only what the server cannot have acted on, or knows
//! again by its `Idempotency-Key`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use super::{
    AuthorizationStart, Backend, BackendError, Call, CompletionRequest, StartRequest, retry_after, retry_after_s,
};
use crate::config::FieldNames;
use crate::json::JsonObject;
use crate::network::address::AllowedHosts;
use crate::network::default::DefaultNetwork;
use crate::settings::Settings;
use crate::threads::Threads;
use crate::transport::tls::Tls;
use crate::transport::{Limits, Repeat, Timings, Transport, TransportError};

/// More than a verdict ever needs; enough for an error page of a proxy.
const BODY_LIMIT: usize = 256 * 1024;
/// Many phones are told the same `Retry-After`; they must not all come back at once.
const JITTER_MS: u64 = 250;

/// The backend at [`Config::backend_url`](crate::Config).
pub struct HttpBackend {
    network: DefaultNetwork,
    tls: Tls,
    start_url: Url,
    complete_url: Url,
    /// Of both calls.
    headers: HeaderMap,
    names: FieldNames,
    limit: Duration,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

struct Failed {
    error: TransportError,
    /// Whether the server may have seen the request.
    sent: bool,
}

impl HttpBackend {
    /// Nothing is sent yet.
    pub fn new(settings: &Settings, tls: &Tls, threads: &Threads) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, application/problem+json"));
        headers.insert(header::USER_AGENT, settings.user_agent.clone());
        headers.extend(settings.headers.clone());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self {
            network: DefaultNetwork::new(settings.overrides.clone(), threads.clone()),
            tls: tls.clone(),
            start_url: settings.start_url.clone(),
            complete_url: settings.complete_url.clone(),
            headers,
            names: settings.field_names.clone(),
            limit: settings.backend,
        }
    }

    async fn post(&self, url: &Url, body: Map<String, Value>, call: &Call) -> Result<Answer, BackendError> {
        let body = Bytes::from(Value::Object(body).to_string());
        let mut may_reconnect = true;
        let mut may_wait = true;
        loop {
            let attempt = timeout(self.limit, self.attempt(url, body.clone(), call)).await;
            let answer = match attempt.map_err(|_| BackendError::Timeout)? {
                Ok(answer) => answer,
                Err(failed) if may_reconnect && failed.is_connect_failure() => {
                    may_reconnect = false;
                    continue;
                }
                Err(failed) => return Err(failed.error.into()),
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

    async fn attempt(&self, url: &Url, body: Bytes, call: &Call) -> Result<Answer, Failed> {
        let transport = call.connections.get_or_init(|| self.connections());
        let mut timings = Timings::default();
        let response = transport.post(url, self.call_headers(url, call), body, Repeat::Once, &mut timings).await;
        let sent = timings.first_byte.is_some();
        let response = response.map_err(|error| Failed { error, sent })?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        call.cookies.store(url, headers.get_all(header::SET_COOKIE).iter(), &call.redactor);
        let body = match transport.read(response).await {
            // No verdict is that large; its status still counts.
            Err(TransportError::TooLarge) => Vec::new(),
            body => body.map_err(|error| Failed { error, sent })?,
        };
        Ok(Answer { status, headers, body })
    }

    /// The call's own limit is the only one.
    fn connections(&self) -> Transport<DefaultNetwork> {
        let limits = Limits { connect: self.limit, answer: self.limit, body: BODY_LIMIT };
        Transport::new(self.network.clone(), &self.tls, limits, AllowedHosts::All)
    }

    fn call_headers(&self, url: &Url, call: &Call) -> HeaderMap {
        let mut headers = self.headers.clone();
        let cookie = call.cookies.header(url);
        let own = [
            (HeaderName::from_static("idempotency-key"), Some(call.idempotency_key.as_str())),
            (HeaderName::from_static("x-correlator"), Some(call.correlator.as_str())),
            (header::COOKIE, cookie.as_ref().map(ExposeSecret::expose_secret)),
        ];
        for (name, value) in own {
            if let Some(Ok(mut value)) = value.map(|value| HeaderValue::from_bytes(value.as_bytes())) {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        headers
    }
}

impl Failed {
    /// Names included; a certificate that is refused now is refused again.
    fn is_connect_failure(&self) -> bool {
        !self.sent && matches!(self.error, TransportError::Dns | TransportError::Connect | TransportError::Closed)
    }
}

impl From<TransportError> for BackendError {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Tls { .. } => Self::Tls,
            TransportError::Timeout => Self::Timeout,
            TransportError::MalformedResponse | TransportError::TooLarge => Self::MalformedAnswer { status: None },
            TransportError::Dns
            | TransportError::Connect
            | TransportError::Closed
            | TransportError::BadUrl
            | TransportError::ForbiddenAddress
            | TransportError::Unavailable(_) => Self::Unreachable,
        }
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
