//! The flow as one function: `start` concurrently with `acquire`, then `authorize`, then
//! `complete`, all under one deadline.
//!
//! A plain future that runs on any tokio runtime. Dropping it ends the flow and releases the
//! network.

mod abort;
mod ahead;
mod errors;
mod headers;
mod hops;
mod prepare;
mod request;
mod trace_ids;
mod walk;

use std::pin::Pin;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use self::abort::{Abort, Start};
use self::ahead::Ahead;
use self::hops::Hops;
pub use self::prepare::{Prepared, auth_destination};
use crate::authorization::{Completion, Request, Walk};
use crate::backend::call::{BackendClient, Call, Proof};
use crate::backend::result::FlowResult;
use crate::backend::{AuthorizationStart, BackendError, CallInfo};
use crate::cellular::{Acquired, Lease, SharedNetwork};
use crate::clock::{Clock, Deadline};
use crate::cookies::CookieJar;
use crate::error::VerifyError;
use crate::hints::Hints;
use crate::hop_memory::HopMemory;
use crate::logging::Event;
use crate::network::Network;
use crate::options::{Extras, Input};
use crate::progress::Step;
use crate::purpose::{FlowValue, Purpose};
use crate::recorder::Recorder;
use crate::secret::Redactor;
use crate::settings::Settings;
use crate::trace::TraceOutcome;

/// The state that all flows of a verifier share.
pub struct Verifier<N: Network> {
    /// The checked settings.
    pub settings: Settings,
    /// The cellular network.
    pub network: SharedNetwork<N>,
    /// The app's backend.
    pub backend: Arc<dyn BackendClient>,
    /// Includes the time that the device sleeps.
    pub clock: Clock,
    /// The hosts of earlier flows.
    pub memory: HopMemory,
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
        let ahead = Ahead::new(&self.memory);
        let flow =
            Flow { verifier: self, record, deadline, purpose, extras, correlator, cookies, redactor, start, ahead };
        let mut abort = Abort::new(self.backend.clone(), flow.start.clone(), flow.call(), alive.clone());
        let outcome = flow.deadline.limit(self.watched(Box::pin(flow.run(alive)), record)).await;
        let outcome = outcome.unwrap_or_else(|| Err(VerifyError::DeadlineExceeded { step: record.current_step() }));
        abort.ended(&outcome);
        record.concluded(outcome.as_ref().map(|result| TraceOutcome::from(&result.value)));
        match &outcome {
            Ok(result) => Event::Ended(&result.value).log(),
            Err(error) => Event::Failed(error).log(),
        }
        outcome
    }

    /// Reports the flow as slow after `slow_after`.
    async fn watched<T>(&self, mut flow: Pin<Box<impl Future<Output = T>>>, record: &Recorder) -> T {
        if let Ok(outcome) = timeout(self.settings.slow_after, &mut flow).await {
            return outcome;
        }
        record.is_slow();
        flow.await
    }
}

/// A valid response of `start`.
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
    /// Used only if the backend takes aborts.
    start: Start,
    ahead: Ahead<'a>,
}

impl<N: Network> Flow<'_, N> {
    async fn run(&self, alive: impl Send + 'static) -> Result<FlowResult, VerifyError> {
        let lease = self.verifier.network.lease(alive);
        let (session, completion) = tokio::select! {
            biased;
            outcome = self.over_cellular(&lease) => outcome?,
            error = lease.lost() => return Err(error),
            // After the flow itself, so that what it starts is polled immediately.
            never = self.ahead.run() => match never {},
        };
        self.ahead.stop();
        self.complete(session, completion).await
    }

    /// The part that needs the cellular network.
    async fn over_cellular(&self, lease: &Lease<N>) -> Result<(Option<SecretString>, Completion), VerifyError> {
        let (started, acquired) = tokio::try_join!(self.start(), self.acquire(lease))?;
        let CheckedStart { walk, request, hints, session } = started;
        self.record.step_began(Step::Authorize);
        let Self { verifier: Verifier { settings, .. }, record, redactor, ahead, .. } = self;
        let hops = Hops { settings, record, redactor, hints, ahead };
        let completion = hops.follow(walk, request, &acquired, lease).await?;
        self.record.step_ended(Step::Authorize);
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

    async fn acquire(&self, lease: &Lease<N>) -> Result<Acquired<N>, VerifyError> {
        self.record.step_began(Step::Acquire);
        let acquired = lease.acquired().await?;
        self.record.network(acquired.kind);
        self.record.step_ended(Step::Acquire);
        self.record.opened_ahead(&self.ahead.open(&acquired, None), &self.redactor);
        Ok(acquired)
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
