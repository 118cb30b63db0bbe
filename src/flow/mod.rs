//! The flow as one function: start concurrently with acquire, then authorize, then complete, all under one deadline.
//!
//! A plain future on whatever tokio runtime polls it. Dropping it ends the flow and releases the network.

mod abort;
mod errors;
mod headers;
mod request;
mod trace_ids;
mod walk;

use std::pin::Pin;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use self::abort::{Abort, Start};
use self::errors::{is_lost_response, transport_error, unreadable, walk_error};
use self::headers::Origin;
use crate::authorization::{Completion, Head, Next, Request, Walk};
use crate::backend::call::{BackendClient, Call, Proof};
use crate::backend::result::FlowResult;
use crate::backend::{AuthorizationStart, BackendError, CallInfo};
use crate::cellular::{Lease, SharedNetwork};
use crate::clock::{Clock, Deadline};
use crate::cookies::CookieJar;
use crate::error::VerifyError;
use crate::hints::{Hints, Steering};
use crate::logging::Event;
use crate::network::{Network, Unusable};
use crate::options::{Extras, Input};
use crate::progress::Step;
use crate::purpose::{FlowValue, Purpose};
use crate::recorder::Recorder;
use crate::secret::Redactor;
use crate::settings::Settings;
use crate::transport::{Transport, TransportError};

/// What all flows of a verifier share.
pub struct Verifier<N: Network> {
    /// The checked settings.
    pub settings: Settings,
    /// The cellular network.
    pub network: SharedNetwork<N>,
    /// The app's backend.
    pub backend: Arc<dyn BackendClient>,
    /// Counts the time asleep.
    pub clock: Clock,
}

impl<N: Network> Verifier<N> {
    /// Runs one flow. `alive` is held until the network is released.
    pub async fn run(
        &self,
        input: Input,
        record: &Recorder,
        alive: impl Clone + Send + 'static,
    ) -> Result<FlowResult, VerifyError> {
        let Input { purpose, extras, correlator, redactor } = input;
        let _end = record.end_on_drop(redactor.clone());
        let deadline = Deadline::after(self.settings.overall, &self.clock);
        let (cookies, start) = (CookieJar::new(), Start::default());
        let flow = Flow { verifier: self, record, deadline, purpose, extras, correlator, cookies, redactor, start };
        let mut abort = Abort::new(self.backend.clone(), flow.start.clone(), flow.call(), alive.clone());
        let outcome = flow.deadline.limit(self.watched(Box::pin(flow.run(alive)), record)).await;
        let outcome = outcome.unwrap_or_else(|| Err(VerifyError::DeadlineExceeded { step: record.current_step() }));
        abort.ended(&outcome);
        match &outcome {
            Ok(result) => Event::Ended(&result.value).log(),
            Err(error) => Event::Failed(error).log(),
        }
        outcome
    }

    /// Reports the flow as slow once it is.
    async fn watched<T>(&self, mut flow: Pin<Box<impl Future<Output = T>>>, record: &Recorder) -> T {
        if let Ok(outcome) = timeout(self.settings.slow_after, &mut flow).await {
            return outcome;
        }
        record.is_slow();
        flow.await
    }
}

/// What the response of `start` began.
struct CheckedStart {
    walk: Walk,
    request: Request,
    hints: Hints,
    session: Option<SecretString>,
}

struct Flow<'a, N: Network> {
    verifier: &'a Verifier<N>,
    record: &'a Recorder,
    deadline: Deadline,
    purpose: Purpose,
    extras: Arc<Extras>,
    correlator: String,
    cookies: CookieJar,
    redactor: Redactor,
    /// Of a backend that aborts are sent to.
    start: Start,
}

impl<N: Network> Flow<'_, N> {
    async fn run(&self, alive: impl Send + 'static) -> Result<FlowResult, VerifyError> {
        let lease = self.verifier.network.lease(alive);
        let (session, completion) = tokio::select! {
            biased;
            outcome = self.over_cellular(&lease) => outcome?,
            error = lease.lost() => return Err(error),
        };
        self.complete(session, completion).await
    }

    /// All that needs the cellular network.
    async fn over_cellular(&self, lease: &Lease<N>) -> Result<(Option<SecretString>, Completion), VerifyError> {
        let (started, transport) = tokio::try_join!(self.start(), self.acquire(lease))?;
        let CheckedStart { walk, request, hints, session } = started;
        let completion = self.authorize(walk, request, hints, &transport, lease).await?;
        Ok((session, completion))
    }

    async fn start(&self) -> Result<CheckedStart, VerifyError> {
        self.record.step_began(Step::Start);
        let at_start = |error: BackendError| error.at(Step::Start);
        let response = self.call_start().await.map_err(at_start)?;
        let session = response.session.clone();
        let rules = walk::rules(&self.verifier.settings);
        let (walk, request) = Walk::begin(walk::start(&response), rules, self.cookies.clone(), self.redactor.clone())
            .map_err(|_| at_start(BackendError::MalformedAnswer { status: None }))?;
        self.record.step_ended(Step::Start);
        let hints = self.verifier.settings.hints.then(&response.hints);
        Ok(CheckedStart { walk, request, hints, session })
    }

    async fn call_start(&self) -> Result<Arc<AuthorizationStart>, BackendError> {
        let (backend, purpose, call) = (self.verifier.backend.clone(), self.purpose.clone(), self.call());
        if !backend.takes_aborts() {
            return backend.start(purpose, call).await;
        }
        self.start.run(Box::pin(async move { backend.start(purpose, call).await })).await
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
        hints: Hints,
        transport: &Transport<N>,
        lease: &Lease<N>,
    ) -> Result<Completion, VerifyError> {
        self.record.step_began(Step::Authorize);
        let first = request.url.origin();
        loop {
            let host = self.redactor.redact_host(request.url.host_str().unwrap_or_default());
            let mut hop = self.record.hop_began(request.url.scheme(), host);
            let origin = if request.url.origin() == first { Origin::First } else { Origin::Other };
            let steering = self.steering(&request, &hints);
            let headers = headers::of(&request, origin, &steering, &self.verifier.settings);
            let restrictions = request::restrictions(&steering);
            let sending = request::send(transport, &request, restrictions, headers, &mut hop.timings);
            // A network that is lost now ends the wait for the callback's response, but the backend may have the result.
            let sent = if walk.is_at_redirect_uri() {
                tokio::select! {
                    biased;
                    sent = sending => sent,
                    _ = lease.lost() => Err(TransportError::Unavailable(Unusable::InterfaceDown)),
                }
            } else {
                sending.await
            };
            let response = match sent {
                Err(error) if walk.is_at_redirect_uri() && is_lost_response(&error, &hop) => {
                    // The backend may have the result, and is asked for it.
                    self.record.step_ended(Step::Authorize);
                    return Ok(Completion::Ended);
                }
                response => response.map_err(|error| transport_error(error, &hop))?,
            };
            let status = response.status().as_u16();
            hop.status = Some(status);
            let next = walk.on_head(&Head { status, headers: response.headers() });
            hop.trace_ids = trace_ids::of(response.headers(), &self.redactor);
            hop.answered();
            let completion = match next {
                Next::Follow(next) => {
                    response.discard();
                    request = next;
                    continue;
                }
                Next::Done(completion) => {
                    response.discard();
                    Ok(completion)
                }
                Next::Fail(failure) => Err(failure),
                Next::ReadBody(body) => {
                    let completion = match transport.read(response).await {
                        Ok(bytes) => body.read(&bytes),
                        Err(error) => unreadable(&error)
                            .and_then(|why| body.unreadable(why))
                            .ok_or_else(|| transport_error(error, &hop))?,
                    };
                    hop.page_title = walk.title().map(str::to_owned);
                    completion
                }
            };
            let completion = completion.map_err(|failure| walk_error(failure, &hop))?;
            self.record.step_ended(Step::Authorize);
            return Ok(completion);
        }
    }

    /// The backend's own origin has what the phone's other requests to it have.
    fn steering(&self, request: &Request, hints: &Hints) -> Steering {
        if request.url.origin() == self.verifier.settings.start_url.origin() {
            return Steering::default();
        }
        hints.for_host(request.url.host_str().unwrap_or_default())
    }

    async fn complete(&self, session: Option<SecretString>, completion: Completion) -> Result<FlowResult, VerifyError> {
        let at_complete = |error: BackendError| error.at(Step::Complete);
        let (code, state) = match completion {
            Completion::Code { code, state } => (Some(code), state),
            Completion::Ended => (None, None),
            Completion::Callback { status, body } => match self.result_in(body, Some(status)).map_err(at_complete)? {
                Some(result) => return Ok(result),
                None => (None, None),
            },
            Completion::CallbackRefused { status, retry_after, body } => {
                return Err(at_complete(BackendError::status(status, &body, retry_after.as_ref())));
            }
        };
        self.record.step_began(Step::Complete);
        let proof = Proof { code, state, session };
        let body = self.verifier.backend.complete(proof, self.call()).await.map_err(at_complete)?;
        let result = self.result_in(body, None).map_err(at_complete)?;
        self.record.step_ended(Step::Complete);
        result.ok_or_else(|| at_complete(BackendError::MalformedAnswer { status: None }))
    }

    fn result_in(&self, body: Vec<u8>, status: Option<u16>) -> Result<Option<FlowResult>, BackendError> {
        let result = FlowResult::in_body(body, &self.purpose, &self.verifier.settings.field_names, status)?;
        if let Some(FlowResult { value: FlowValue::Number(number), .. }) = &result {
            self.redactor.add_number(number.expose_secret());
        }
        Ok(result)
    }

    fn call(&self) -> Call {
        let info = CallInfo {
            extras: self.extras.clone(),
            idempotency_key: uuid::Uuid::new_v4().to_string(),
            correlator: self.correlator.clone(),
            deadline: self.deadline.at(),
        };
        Call { info, cookies: self.cookies.clone(), redactor: self.redactor.clone() }
    }
}
