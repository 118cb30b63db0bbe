//! A trace records how the flow ended, also if it never began or was cut off.

use std::sync::Arc;

use async_trait::async_trait;
use number_verify::{
    AuthorizationStart, Backend, BackendError, CompletionRequest, StartRequest, Trace, TraceOutcome,
    VerificationOptions, VerifyError,
};
use number_verify_simulator::{Operator, Options, Simulator};
use tokio::time::timeout;

use crate::phone::{HANGS, NUMBER, OTHER_NUMBER, config, verifier, verifier_with};

/// The kind of error; `None` if the flow succeeded.
fn kind(trace: &Trace) -> Option<&str> {
    assert_eq!(trace.outcome == Some(TraceOutcome::Failed), trace.error.is_some(), "{}", trace.to_json());
    trace.error.as_ref().map(|error| error.kind.as_str())
}

#[tokio::test]
async fn results_are_recorded() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let (verifier, _) = verifier(config(&simulator, simulator.backend_url(Operator::A)));
    for (number, outcome) in [(NUMBER, TraceOutcome::Verified), (OTHER_NUMBER, TraceOutcome::NotVerified)] {
        let verification = timeout(HANGS, verifier.verify(number.to_owned())).await.expect("the flow hangs").unwrap();
        assert_eq!((verification.trace().outcome, kind(&verification.trace())), (Some(outcome), None));
    }
    let [with_retrieval, ..] = simulator.backend_urls_with_retrieval();
    let (verifier, _) = crate::phone::verifier(config(&simulator, with_retrieval));
    let number = timeout(HANGS, verifier.retrieve()).await.expect("the flow hangs").unwrap();
    assert_eq!((number.trace().outcome, kind(&number.trace())), (Some(TraceOutcome::Retrieved), None));
}

#[tokio::test]
async fn error_in_the_trace_is_that_of_the_flow() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let (verifier, _) = verifier(config(&simulator, simulator.backend_url(Operator::A)));
    let flow = verifier.begin("12".to_owned(), None);
    let error = timeout(HANGS, flow.result()).await.expect("the flow hangs").unwrap_err();
    assert_eq!(kind(&flow.trace()), Some("invalid_phone_number"));
    let recorded = serde_json::to_value(flow.trace().error).unwrap();
    assert_eq!(recorded, serde_json::from_str::<serde_json::Value>(&error.to_json()).unwrap());

    let options = VerificationOptions { correlator: Some("two words".to_owned()), ..VerificationOptions::default() };
    let flow = verifier.begin_retrieval(options, None);
    timeout(HANGS, flow.result()).await.expect("the flow hangs").unwrap_err();
    assert_eq!(kind(&flow.trace()), Some("invalid_config"));
}

#[tokio::test]
async fn cancelled_flow_has_an_error_and_a_final_time() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let (verifier, _) = verifier(config(&simulator, simulator.backend_url(Operator::A)));
    let flow = verifier.begin(NUMBER.to_owned(), None);
    flow.cancel();
    let result = timeout(HANGS, flow.result()).await.expect("the flow hangs");
    assert!(matches!(result, Err(VerifyError::Cancelled)), "{result:?}");
    assert_eq!(kind(&flow.trace()), Some("cancelled"));
    assert_eq!(flow.trace(), flow.trace());
}

struct PanickingBackend;

#[async_trait]
impl Backend for PanickingBackend {
    async fn start(&self, _: Arc<StartRequest>) -> Result<Arc<AuthorizationStart>, BackendError> {
        panic!("in start")
    }

    async fn complete(&self, _: Arc<CompletionRequest>) -> Result<String, BackendError> {
        Err(BackendError::Failed)
    }
}

#[tokio::test]
async fn panic_is_not_recorded_as_a_cancellation() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let config = config(&simulator, "https://unused.test".to_owned());
    let (verifier, _) = verifier_with(config, Arc::new(PanickingBackend));
    let flow = verifier.begin(NUMBER.to_owned(), None);
    timeout(HANGS, flow.result()).await.expect("the flow hangs").unwrap_err();
    assert_eq!(kind(&flow.trace()), Some("internal"));
    assert!(flow.trace().explain().contains("\nContact: the maintainers of number-verify."));
}
