//! The built-in client of the backend: reqwest over the default network.
//!
//! It never follows a redirect, never posts the number elsewhere, and retries only what the server
//! cannot have processed, or recognises by its `Idempotency-Key`. Connections are reused, also by
//! later verifications, until one of them fails.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::{self, HeaderMap, HeaderValue};
use reqwest::{Client, Method, Request, Response, redirect, retry};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep, timeout};
use url::Url;
use uuid::Uuid;

use super::call::{BackendClient, Call, Proof};
use super::connector::{self, Connection, VerifiedConnector};
use super::http_error::{self, HttpError};
use super::retry::{Attempt, Retries};
use super::{AuthorizationStart, BackendError};
use crate::config::FieldNames;
use crate::contract;
use crate::hints::Hints;
use crate::json::JsonObject;
use crate::limits;
use crate::network::default::DefaultNetwork;
#[cfg(feature = "internals")]
use crate::network::default::Resolver;
use crate::purpose::Purpose;
use crate::retry_after::retry_after;
use crate::secret::sensitive_header;
use crate::settings::Settings;
use crate::threads::Threads;
use crate::transport::tls::Tls;

/// The backend at [`Config::backend_url`](crate::Config).
pub struct HttpBackend {
    connector: VerifiedConnector,
    /// Owns the connections: built with the first call, and again when one of them fails.
    client: Mutex<Option<Client>>,
    base_url: Url,
    start_url: Url,
    complete_url: Url,
    /// Absent if no abort is sent.
    abort_url: Option<Url>,
    /// For all calls.
    headers: HeaderMap,
    names: FieldNames,
    timeout: Duration,
}

struct HttpResponse {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl HttpBackend {
    /// Sends nothing yet.
    #[must_use]
    pub fn new(settings: &Settings, tls: &Tls, threads: &Threads) -> Self {
        let network = DefaultNetwork::new(settings.overrides.clone(), threads.clone());
        let limit = settings.backend + limits::ABANDONED_CONNECTION;
        let connector = VerifiedConnector::new(tls.clone(), network, &settings.start_url, limit);
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, application/problem+json"));
        headers.insert(header::USER_AGENT, settings.user_agent.clone());
        headers.extend(settings.headers.clone());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self {
            client: Mutex::default(),
            connector,
            base_url: settings.base_url.clone(),
            start_url: settings.start_url.clone(),
            complete_url: settings.complete_url.clone(),
            abort_url: settings.abort_url.clone(),
            headers,
            names: settings.field_names.clone(),
            timeout: settings.backend,
        }
    }

    /// The same with another DNS resolver, for tests.
    #[cfg(feature = "internals")]
    #[must_use]
    pub fn with_resolver(self, resolver: Resolver) -> Self {
        Self { connector: self.connector.with_resolver(resolver), ..self }
    }

    async fn post(&self, url: &Url, body: Map<String, Value>, call: &Call) -> Result<HttpResponse, BackendError> {
        let body = Value::Object(body).to_string();
        let mut retries = Retries::default();
        loop {
            let (attempt, connection) = connector::observe(timeout(self.timeout, self.send(url, &body, call))).await;
            let attempt = attempt.unwrap_or(Err(HttpError::Timeout));
            if attempt.is_err() {
                self.drop_connections();
            }
            let time_left = call.info.deadline.saturating_duration_since(Instant::now());
            match retries.wait_after(outcome(&attempt, connection), time_left, random()) {
                Some(wait) => sleep(wait).await,
                None => return Ok(attempt?),
            }
        }
    }

    async fn send(&self, url: &Url, body: &str, call: &Call) -> Result<HttpResponse, HttpError> {
        let mut request = Request::new(Method::POST, url.clone());
        *request.headers_mut() = self.call_headers(url, call);
        *request.body_mut() = Some(body.to_owned().into());
        let response = self.execute(request).await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        call.cookies.store(url, headers.get_all(header::SET_COOKIE).iter(), &call.redactor);
        Ok(HttpResponse { status, headers, body: read(response).await? })
    }

    /// Boxed, to generate the code only once.
    fn execute(&self, request: Request) -> BoxFuture<'static, Result<Response, HttpError>> {
        let client = self.client();
        async move { client?.execute(request).await.map_err(|error| http_error::classify(&error)) }.boxed()
    }

    fn call_headers(&self, url: &Url, call: &Call) -> HeaderMap {
        let mut headers = self.headers.clone();
        headers.extend(call.info.extras.headers.clone());
        headers.extend(call.cookies.header(url).map(|cookie| (header::COOKIE, cookie)));
        for (name, value) in
            [(contract::IDEMPOTENCY_KEY, &call.info.idempotency_key), (contract::CORRELATOR, &call.info.correlator)]
        {
            headers.extend(sensitive_header(value).map(|value| (name, value)));
        }
        headers
    }

    /// Whatever broke one connection, such as a network change, may have broken the others.
    fn drop_connections(&self) {
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn client(&self) -> Result<Client, HttpError> {
        let mut current = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*current {
            return Ok(client.clone());
        }
        let client = client(&self.connector).map_err(|_| HttpError::Tls)?;
        Ok(current.insert(client).clone())
    }
}

fn client(connector: &VerifiedConnector) -> reqwest::Result<Client> {
    Client::builder()
        .tls_backend_preconfigured(connector.tls_config())
        .dns_resolver(Arc::new(connector.clone()))
        .connector_layer(connector.clone())
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .referer(false)
        .http1_max_headers(limits::HEADER_COUNT)
        .pool_idle_timeout(limits::IDLE_BACKEND_CONNECTION)
        .build()
}

fn outcome(attempt: &Result<HttpResponse, HttpError>, connection: Connection) -> Attempt {
    match attempt {
        Ok(response) => Attempt::Response {
            status: response.status,
            retry_after: response.headers.get(header::RETRY_AFTER).and_then(retry_after),
        },
        Err(HttpError::Connect) => Attempt::Unseen,
        Err(HttpError::Closed) if connection == Connection::Reused => Attempt::Unseen,
        Err(_) => Attempt::Lost,
    }
}

fn random() -> u16 {
    let [first, second, ..] = Uuid::new_v4().into_bytes();
    u16::from_be_bytes([first, second])
}

/// A body beyond the limit is not read: no result is that large, and the status still applies.
async fn read(mut response: Response) -> Result<Vec<u8>, HttpError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| http_error::classify_body(&error))? {
        if body.len() + chunk.len() > limits::BACKEND_BODY {
            return Ok(Vec::new());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[async_trait::async_trait]
impl BackendClient for HttpBackend {
    /// reqwest opens connections only for a request. This one has no effect on any server
    /// (RFC 9110, section 9.3.2) and carries no credentials; the connection is pooled whatever the
    /// response is.
    async fn warm_up(&self) {
        let mut request = Request::new(Method::HEAD, self.base_url.clone());
        request
            .headers_mut()
            .extend(self.headers.get(header::USER_AGENT).map(|agent| (header::USER_AGENT, agent.clone())));
        let _ = timeout(self.timeout, self.execute(request)).await;
    }

    async fn start(&self, purpose: Purpose, call: Call) -> Result<Arc<AuthorizationStart>, BackendError> {
        let mut body = call.info.extras.start_fields.clone();
        match purpose {
            Purpose::Verify(number) => body.insert(self.names.phone_number.clone(), number.expose_secret().into()),
            Purpose::Retrieve => body.insert(contract::PURPOSE.to_owned(), contract::DEVICE_PHONE_NUMBER.into()),
        };
        let response = self.post(&self.start_url, body, &call).await?;
        let malformed = BackendError::MalformedAnswer { status: Some(response.status) };
        match response.status {
            200 | 201 => start_response(&response.body, &self.names).ok_or(malformed),
            301 | 302 | 303 | 307 | 308 => {
                let auth_url = location(&response.headers).ok_or(malformed)?;
                Ok(AuthorizationStart::new(auth_url, None, None, None, Vec::new()))
            }
            400..=599 => Err(response.to_error()),
            _ => Err(malformed),
        }
    }

    fn takes_aborts(&self) -> bool {
        self.abort_url.is_some()
    }

    async fn abort(&self, session: Option<SecretString>, reason: &'static str, call: Call) {
        let Some(url) = &self.abort_url else { return };
        let mut body = Map::new();
        body.insert(contract::REASON.to_owned(), reason.into());
        if let Some(session) = session {
            body.insert(self.names.session.clone(), session.expose_secret().into());
        }
        let _ = self.send(url, &Value::Object(body).to_string(), &call).await;
    }

    async fn complete(&self, proof: Proof, call: Call) -> Result<Vec<u8>, BackendError> {
        let Proof { code, state, session } = proof;
        let mut body = Map::new();
        for (name, value) in [(&self.names.code, code), (&self.names.state, state), (&self.names.session, session)] {
            if let Some(value) = value {
                body.insert(name.clone(), value.expose_secret().into());
            }
        }
        let response = self.post(&self.complete_url, body, &call).await?;
        match response.status {
            200..=299 => Ok(response.body),
            400..=599 => Err(response.to_error()),
            status => Err(BackendError::MalformedAnswer { status: Some(status) }),
        }
    }
}

impl HttpResponse {
    fn to_error(&self) -> BackendError {
        BackendError::status(self.status, &self.body, self.headers.get(header::RETRY_AFTER))
    }
}

fn start_response(body: &[u8], names: &FieldNames) -> Option<Arc<AuthorizationStart>> {
    let response = JsonObject::parse(body)?;
    let text = |name: &str| match response.get(name).ok()? {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(text)) => Some(Some(text.clone())),
        Some(_) => None,
    };
    let hints = response.get("hints").ok().flatten().map(Hints::of_json);
    Some(Arc::new(AuthorizationStart {
        auth_url: text(&names.auth_url)??.into(),
        redirect_uri: text(&names.redirect_uri)?,
        session: text(&names.session)?.map(SecretString::from),
        state: text(&names.state)?.map(SecretString::from),
        hints: hints.unwrap_or_default(),
    }))
}

fn location(headers: &HeaderMap) -> Option<String> {
    let mut locations = headers.get_all(header::LOCATION).iter();
    let first = locations.next()?;
    locations.all(|other| other == first).then_some(first)?.to_str().ok().map(str::to_owned)
}
