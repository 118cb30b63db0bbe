//! The flow, as one readable function: start beside acquire, then authorize, then complete, all under one deadline.
//!
//! A plain future on whatever tokio runtime polls it. Dropping it ends the flow and lets the network go.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};

use crate::authorization::{Answer, Delivery, Failure, Head, Next, Request, Rules, Start, Walk};
use crate::backend::{
    AuthorizationStart, Backend, BackendError, Call, CompletionRequest, Connections, StartRequest, retry_after_s,
    verdict,
};
use crate::cellular::{Lease, SharedNetwork};
use crate::clock::{Clock, Deadline};
use crate::config::{Cleartext, CodeDelivery, OperatorHeaders};
use crate::cookies::CookieJar;
use crate::error::{AuthorizationCause, Fallback, OperatorMessage, Step, VerifyError};
use crate::logging::Event;
use crate::network::Network;
use crate::phone_number::PhoneNumber;
use crate::recorder::{HopRecord, Recorder};
use crate::secret::Redactor;
use crate::settings::Settings;
use crate::transport::{Repeat, Transport, TransportError};

/// What all flows of a verifier share.
pub struct Verifier<N: Network> {
    /// The checked settings.
    pub settings: Settings,
    /// The cellular network.
    pub network: SharedNetwork<N>,
    /// The app's backend.
    pub backend: Arc<dyn Backend>,
    /// Counts the time asleep.
    pub clock: Clock,
}

/// The backend's answer.
pub struct Verdict {
    /// Yes or no.
    pub verified: bool,
    /// The whole answer.
    pub response_json: SecretString,
}

impl<N: Network> Verifier<N> {
    /// Runs one flow for the number as it was typed. `alive` is held until the network is released.
    pub async fn verify(
        &self,
        typed: SecretString,
        record: &Recorder,
        alive: impl Send + 'static,
    ) -> Result<Verdict, VerifyError> {
        let _end = record.end_on_drop();
        let number = PhoneNumber::parse(&typed)?;
        let deadline = Deadline::after(self.settings.overall, &self.clock);
        let flow = Flow::new(self, record, deadline.clone(), &number);
        let outcome = deadline.limit(Box::pin(flow.run(number, alive))).await;
        let outcome = outcome.unwrap_or_else(|| Err(VerifyError::DeadlineExceeded { step: record.current_step() }));
        match &outcome {
            Ok(verdict) => Event::Ended { verified: verdict.verified }.log(),
            Err(error) => Event::Failed(error).log(),
        }
        outcome
    }
}

/// What `start` brought, checked.
struct Started {
    walk: Walk,
    request: Request,
    session: Option<SecretString>,
}

struct Flow<'a, N: Network> {
    verifier: &'a Verifier<N>,
    record: &'a Recorder,
    deadline: Deadline,
    correlator: String,
    cookies: CookieJar,
    redactor: Redactor,
    backend_connections: Arc<Connections>,
}

impl<'a, N: Network> Flow<'a, N> {
    fn new(verifier: &'a Verifier<N>, record: &'a Recorder, deadline: Deadline, number: &PhoneNumber) -> Self {
        let redactor = Redactor::new();
        redactor.add_number(number.expose_secret());
        let correlator = record.trace().correlator;
        let (cookies, backend_connections) = (CookieJar::new(), Arc::default());
        Self { verifier, record, deadline, correlator, cookies, redactor, backend_connections }
    }

    async fn run(&self, number: PhoneNumber, alive: impl Send + 'static) -> Result<Verdict, VerifyError> {
        let lease = self.verifier.network.lease(alive);
        let (started, transport) = tokio::try_join!(self.start(number), self.acquire(&lease))?;
        let answer = self.authorize(started.walk, started.request, &transport).await?;
        self.complete(started.session, answer).await
    }

    async fn start(&self, phone_number: PhoneNumber) -> Result<Started, VerifyError> {
        self.record.step_began(Step::Start);
        let request = StartRequest { phone_number, call: self.call() };
        let start = self.verifier.backend.start(Arc::new(request)).await.map_err(|error| error.at(Step::Start))?;
        let (walk, request) =
            Walk::begin(walk_start(&start), self.rules(), self.cookies.clone(), self.redactor.clone())
                .map_err(|_| BackendError::MalformedAnswer { status: None }.at(Step::Start))?;
        self.record.step_ended(Step::Start);
        Ok(Started { walk, request, session: start.session.clone() })
    }

    async fn acquire(&self, lease: &Lease<N>) -> Result<Arc<Transport<N>>, VerifyError> {
        self.record.step_began(Step::Acquire);
        let (transport, kind) = lease.transport().await?;
        self.record.network(kind);
        self.record.step_ended(Step::Acquire);
        Ok(transport)
    }

    async fn authorize(
        &self,
        mut walk: Walk,
        mut request: Request,
        transport: &Transport<N>,
    ) -> Result<Answer, VerifyError> {
        self.record.step_began(Step::Authorize);
        let first = request.url.origin();
        loop {
            let host = self.redactor.redact_host(request.url.host_str().unwrap_or_default());
            let mut hop = self.record.hop_began(request.url.scheme(), host);
            let headers = self.headers(&request, request.url.origin() == first);
            let repeat = if request.spends_code { Repeat::Never } else { Repeat::Once };
            let response = match transport.get(&request.url, headers, repeat, &mut hop.timings).await {
                Err(error) if walk.is_at_redirect_uri() && is_lost_response(&error, &hop) => {
                    self.record.step_ended(Step::Authorize);
                    return Ok(Answer::Ended);
                }
                response => response.map_err(|error| transport_error(error, &hop))?,
            };
            let status = response.status().as_u16();
            hop.status = Some(status);
            let answer = match walk.on_head(&Head { status, headers: response.headers() }) {
                Next::Follow(next) => {
                    response.discard();
                    hop.answered();
                    request = next;
                    continue;
                }
                Next::Done(answer) => {
                    response.discard();
                    hop.answered();
                    Ok(answer)
                }
                Next::Fail(failure) => {
                    hop.answered();
                    Err(failure)
                }
                Next::ReadBody => {
                    hop.answered();
                    let body = match transport.read(response).await {
                        Err(error) if is_about_the_body(&error, &walk) => Vec::new(),
                        body => body.map_err(|error| transport_error(error, &hop))?,
                    };
                    let answer = walk.on_body(&body);
                    hop.page_title = walk.title().map(str::to_owned);
                    answer
                }
            };
            let answer = answer.map_err(|failure| walk_error(failure, &hop))?;
            self.record.step_ended(Step::Authorize);
            return Ok(answer);
        }
    }

    async fn complete(&self, session: Option<SecretString>, answer: Answer) -> Result<Verdict, VerifyError> {
        let (code, state) = match answer {
            Answer::Code { code, state } => (Some(code), state),
            Answer::Ended => (None, None),
            Answer::Callback { status, body } => match self.verdict(body, Some(status))? {
                Some(verdict) => return Ok(verdict),
                None => (None, None),
            },
            Answer::CallbackRefused { status, retry_after, body } => {
                let retry_after = retry_after.as_ref().and_then(retry_after_s);
                return Err(BackendError::status(status, &body, retry_after).at(Step::Complete));
            }
        };
        self.record.step_began(Step::Complete);
        let request = CompletionRequest { code, state, session, call: self.call() };
        let answer =
            self.verifier.backend.complete(Arc::new(request)).await.map_err(|error| error.at(Step::Complete))?;
        let verdict = self.verdict(answer.into_bytes(), None)?;
        self.record.step_ended(Step::Complete);
        verdict.ok_or(BackendError::MalformedAnswer { status: None }.at(Step::Complete))
    }

    fn verdict(&self, answer: Vec<u8>, status: Option<u16>) -> Result<Option<Verdict>, VerifyError> {
        let verified = verdict(&answer, &self.verifier.settings.field_names.verified);
        match (verified, String::from_utf8(answer)) {
            (Ok(None), _) => Ok(None),
            (Ok(Some(verified)), Ok(json)) => Ok(Some(Verdict { verified, response_json: json.into() })),
            _ => Err(BackendError::MalformedAnswer { status }.at(Step::Complete)),
        }
    }

    fn call(&self) -> Call {
        Call {
            idempotency_key: uuid::Uuid::new_v4().to_string(),
            correlator: self.correlator.clone(),
            deadline: self.deadline.at(),
            cookies: self.cookies.clone(),
            redactor: self.redactor.clone(),
            connections: self.backend_connections.clone(),
        }
    }

    fn rules(&self) -> Rules {
        let settings = &self.verifier.settings;
        Rules {
            delivery: match settings.code_delivery {
                CodeDelivery::Relay => Delivery::Relay,
                CodeDelivery::FollowThrough => Delivery::FollowThrough,
                CodeDelivery::NoCode => Delivery::NoCode,
            },
            cleartext: settings.cleartext == Cleartext::OnRedirects,
            redirect_limit: settings.redirect_limit,
            allowed_hosts: settings.allowed_hosts(),
            configured_redirect_uri: settings.redirect_uri.clone(),
            backend_origin: Some(settings.start_url.origin()),
        }
    }

    /// gzip is asked for on https only: on plain http a middlebox may want to read along.
    fn headers(&self, request: &Request, to_first_origin: bool) -> HeaderMap {
        let settings = &self.verifier.settings;
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(header::USER_AGENT, settings.user_agent.clone());
        if request.url.scheme() == "https" {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if to_first_origin || settings.operator_headers_to == OperatorHeaders::AllHosts {
            headers.extend(settings.operator_headers.clone());
        }
        let own = [("cookie", &request.cookie), ("x-number-verify-session", &request.session)];
        for (name, value) in own {
            if let Some(Ok(mut value)) =
                value.as_ref().map(|value| HeaderValue::from_bytes(value.expose_secret().as_bytes()))
            {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        headers
    }
}

fn walk_start(start: &AuthorizationStart) -> Start {
    Start {
        auth_url: start.auth_url.expose_secret().to_owned(),
        redirect_uri: start.redirect_uri.clone(),
        state: start.state.as_ref().map(|state| state.expose_secret().to_owned()),
        session: start.session.clone(),
    }
}

/// An error's page that cannot be read is still that error, and a page that is too large is still the end where it is not looked at. A
/// verdict that is cut off is no end.
fn is_about_the_body(error: &TransportError, walk: &Walk) -> bool {
    match error {
        TransportError::TooLarge => walk.can_do_without_large_body(),
        TransportError::MalformedResponse | TransportError::Closed => walk.can_do_without_body(),
        _ => false,
    }
}

/// The request to `redirect_uri` was sent, and no response came: the backend may have the result, and is asked for it.
fn is_lost_response(error: &TransportError, hop: &HopRecord<'_>) -> bool {
    hop.timings.first_byte.is_some() && matches!(error, TransportError::Closed | TransportError::Timeout)
}

fn transport_error(error: TransportError, hop: &HopRecord<'_>) -> VerifyError {
    let reason = match error {
        TransportError::Unavailable(why) => return VerifyError::CellularUnavailable { reason: why.into() },
        TransportError::Tls { alert } => return authorization_error(hop, AuthorizationCause::Tls, None, alert),
        TransportError::Dns => AuthorizationCause::Dns,
        TransportError::ForbiddenAddress => AuthorizationCause::ForbiddenRedirect,
        TransportError::Connect => AuthorizationCause::Connect,
        TransportError::Timeout => AuthorizationCause::Timeout,
        TransportError::Closed => AuthorizationCause::Closed,
        TransportError::BadUrl => AuthorizationCause::BadLocation,
        TransportError::MalformedResponse => AuthorizationCause::MalformedResponse,
        TransportError::TooLarge => AuthorizationCause::TooLarge,
    };
    authorization_error(hop, reason, None, None)
}

fn walk_error(failure: Failure, hop: &HopRecord<'_>) -> VerifyError {
    let (index, host) = (hop.index, hop.host.clone());
    let reason = match failure {
        Failure::StateMismatch => return VerifyError::StateMismatch { hop: index, host },
        Failure::Denied(denial) => {
            let description = denial.description.map(OperatorMessage::new);
            return VerifyError::DeniedByOperator { error: denial.error, description, hop: index, host };
        }
        Failure::LostRedirectUri => {
            let (reason, advice) = (AuthorizationCause::MalformedResponse, Fallback::FixIntegration);
            return VerifyError::Authorization { hop: index, host, reason, status: None, alert: None, advice };
        }
        Failure::HttpStatus(status) => {
            return authorization_error(hop, AuthorizationCause::HttpStatus, Some(status), None);
        }
        Failure::BadLocation => AuthorizationCause::BadLocation,
        Failure::ForbiddenRedirect => AuthorizationCause::ForbiddenRedirect,
        Failure::TooManyRedirects => AuthorizationCause::TooManyRedirects,
        Failure::RedirectLoop => AuthorizationCause::RedirectLoop,
        Failure::UnexpectedPage => AuthorizationCause::UnexpectedPage,
        Failure::MalformedResponse => AuthorizationCause::MalformedResponse,
    };
    authorization_error(hop, reason, None, None)
}

fn authorization_error(
    hop: &HopRecord<'_>,
    reason: AuthorizationCause,
    status: Option<u16>,
    alert: Option<String>,
) -> VerifyError {
    let advice = reason.fallback(status);
    VerifyError::Authorization { hop: hop.index, host: hop.host.clone(), reason, status, alert, advice }
}
