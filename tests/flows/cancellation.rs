//! A flow that is cancelled while a step hangs ends, closes its sockets, and releases the network
//! once.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use async_trait::async_trait;
use number_verify::{
    AuthorizationStart, Backend, BackendError, CompletionRequest, Config, NumberVerifier, StartRequest, Step,
    VerifyError,
};
use number_verify_simulator::{Options, Simulator};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::phone::{Counts, HANGS, Loopback, NUMBER, config};

/// A verifier whose flows hang at this step.
struct Stuck {
    verifier: Arc<NumberVerifier>,
    network: Arc<Loopback>,
    backend: Arc<StuckBackend>,
    /// The host at which the authorization hangs.
    operator: TcpListener,
    step: Step,
    _simulator: Simulator,
}

struct StuckBackend {
    auth_url: String,
    step: Step,
    reached: Notify,
}

#[async_trait]
impl Backend for StuckBackend {
    async fn start(&self, _: Arc<StartRequest>) -> Result<Arc<AuthorizationStart>, BackendError> {
        if self.step == Step::Start {
            self.reached.notify_one();
            std::future::pending::<()>().await;
        }
        Ok(AuthorizationStart::new(self.auth_url.clone(), None, None, None, Vec::new()))
    }

    async fn complete(&self, _: Arc<CompletionRequest>) -> Result<String, BackendError> {
        self.reached.notify_one();
        std::future::pending::<Result<String, BackendError>>().await
    }
}

impl Stuck {
    fn at(step: Step) -> Self {
        let simulator = Simulator::start(Options::default()).unwrap();
        let operator = TcpListener::bind("127.0.0.1:0").unwrap();
        let silent = operator.local_addr().unwrap().port();
        let auth = format!("https://auth.simulator.test:{}/oauth2/auth", simulator.https_port());
        let auth_url = match step {
            Step::Authorize => format!("https://silent.test:{silent}/"),
            _ => format!(
                "{auth}?client_id=SIMULATOR&response_type=code&state=s&operator=a&redirect_uri=myapp%3A%2F%2Fdone"
            ),
        };
        let backend = Arc::new(StuckBackend { auth_url, step, reached: Notify::new() });
        let network = if step == Step::Acquire { Loopback::that_is_down() } else { Arc::default() };
        let mut config: Config = config(&simulator, "https://unused.test".to_owned());
        config.development.resolve.push(format!("silent.test:{silent}:127.0.0.1"));
        let verifier = NumberVerifier::with_backend(config, network.clone(), backend.clone(), None).unwrap();
        Self { verifier, network, backend, operator, step, _simulator: simulator }
    }

    /// Waits until the step hangs. Returns the connection to the operator, if the step has one.
    async fn hangs(&self) -> Option<TcpStream> {
        self.network.is_acquired().await;
        match self.step {
            Step::Start | Step::Complete => {
                timeout(HANGS, self.backend.reached.notified()).await.unwrap();
                None
            }
            Step::Acquire => None,
            Step::Authorize => {
                let (operator, _) = self.operator.accept().unwrap();
                operator.set_read_timeout(Some(HANGS)).unwrap();
                Some(operator)
            }
        }
    }

    async fn assert_ended(&self, connection: Option<TcpStream>) {
        if let Some(mut connection) = connection {
            let read = connection.read_to_end(&mut Vec::new());
            assert!(read.is_ok(), "the socket is still open: {read:?}");
        }
        self.network.is_released().await;
        assert_eq!(self.network.counts(), Counts { acquired: 1, released: 1 }, "{}", self.step);
    }
}

const STEPS: [Step; 4] = [Step::Start, Step::Acquire, Step::Authorize, Step::Complete];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_ends_the_flow_at_every_step() {
    for step in STEPS {
        let stuck = Stuck::at(step);
        let flow = stuck.verifier.begin(NUMBER.to_owned(), None);
        let connection = stuck.hangs().await;
        flow.cancel();
        let result = timeout(HANGS, flow.result()).await.expect("the flow hangs");
        assert!(matches!(result, Err(VerifyError::Cancelled)), "{step}: {result:?}");
        stuck.assert_ended(connection).await;
        let trace = flow.trace();
        assert_eq!(trace.complete_ms.is_some(), step == Step::Complete, "{step}");
        assert_eq!(trace, flow.trace(), "{step}: the trace of an ended flow does not change");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_the_call_cancels_the_flow_at_every_step() {
    for step in STEPS {
        let stuck = Stuck::at(step);
        let verifier = stuck.verifier.clone();
        let call = tokio::spawn(async move { verifier.verify(NUMBER.to_owned()).await.map(|_| ()) });
        let connection = stuck.hangs().await;
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        stuck.assert_ended(connection).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_the_flow_cancels_it_at_every_step() {
    for step in STEPS {
        let stuck = Stuck::at(step);
        let flow = stuck.verifier.begin(NUMBER.to_owned(), None);
        let connection = stuck.hangs().await;
        drop(flow);
        stuck.assert_ended(connection).await;
    }
}

/// The flows share the network.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_one_flow_does_not_affect_others() {
    let stuck = Stuck::at(Step::Authorize);
    let first = stuck.verifier.begin(NUMBER.to_owned(), None);
    let first_connection = stuck.hangs().await;
    let second = stuck.verifier.begin(NUMBER.to_owned(), None);
    let second_connection = stuck.hangs().await;
    first.cancel();
    let mut first_connection = first_connection.unwrap();
    assert!(first_connection.read_to_end(&mut Vec::new()).is_ok());
    assert_eq!(stuck.network.counts(), Counts { acquired: 1, released: 0 });
    second.cancel();
    stuck.assert_ended(second_connection).await;
}
