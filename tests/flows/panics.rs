//! A panic in a callback of the app (in Rust) is reported as `Internal`, and leaks nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use number_verify::{
    AuthorizationStart, Backend, BackendError, CellularError, CellularProvider, CellularStatus, CompletionRequest,
    Config, Fallback, ListenerError, NetworkBinding, NetworkEvents, NumberVerifier, Progress, ProgressListener,
    StartRequest, VerifyError,
};
use number_verify_simulator::{Operator, Options, Simulator};
use tokio::time::timeout;

use crate::phone::{HANGS, NUMBER, config, verifier, verifier_with};

#[derive(Clone, Copy, PartialEq)]
enum Method {
    Acquire,
    Release,
    Status,
}

/// Panics in the first call of one of its methods.
struct Provider {
    panics: Method,
    calls: AtomicUsize,
    released: AtomicUsize,
}

impl Provider {
    fn called(&self, method: Method) {
        let panics = self.panics == method && self.calls.fetch_add(1, Ordering::Relaxed) == 0;
        assert!(!panics, "a panic of the app's provider");
    }
}

#[async_trait]
impl CellularProvider for Provider {
    async fn acquire(&self, _: Arc<NetworkEvents>) -> Result<NetworkBinding, CellularError> {
        self.called(Method::Acquire);
        Ok(NetworkBinding::LinuxInterface { name: "lo".to_owned() })
    }

    async fn release(&self) -> Result<(), CellularError> {
        self.released.fetch_add(1, Ordering::Relaxed);
        self.called(Method::Release);
        Ok(())
    }

    async fn status(&self) -> Result<CellularStatus, CellularError> {
        self.called(Method::Status);
        Ok(CellularStatus::Ready)
    }
}

fn with_provider(panics: Method, config: Config) -> (Arc<NumberVerifier>, Arc<Provider>) {
    let provider = Arc::new(Provider { panics, calls: AtomicUsize::new(0), released: AtomicUsize::new(0) });
    (NumberVerifier::new(config, provider.clone(), None).unwrap(), provider)
}

fn assert_internal<T: std::fmt::Debug>(outcome: Result<T, VerifyError>) {
    let error = outcome.expect_err("an error");
    assert!(matches!(error, VerifyError::Internal), "{error:?}");
    assert_eq!(error.fallback(), Fallback::UseAnotherChannel);
}

async fn verify(verifier: &NumberVerifier) -> Result<bool, VerifyError> {
    let outcome = timeout(HANGS, verifier.verify(NUMBER.to_owned())).await.expect("the verification hangs");
    outcome.map(|verification| verification.verified())
}

#[tokio::test]
async fn panic_in_acquire_releases_the_network_and_allows_reuse() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let config = config(&simulator, simulator.backend_url(Operator::A));
    let (verifier, provider) = with_provider(Method::Acquire, config.clone());
    assert_internal(verify(&verifier).await);
    assert!(verify(&verifier).await.unwrap(), "the second acquire waits for the first release");
    assert!(provider.released.load(Ordering::Relaxed) >= 1);

    let (verifier, _) = with_provider(Method::Acquire, config);
    assert_internal(verifier.prepare().await);
    verifier.prepare().await.unwrap();
}

#[tokio::test]
async fn panic_in_release_or_status_does_not_fail_the_verification() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let (verifier, _) = with_provider(Method::Release, config(&simulator, simulator.backend_url(Operator::A)));
    assert!(verify(&verifier).await.unwrap());
    assert!(verify(&verifier).await.unwrap());
    let (verifier, _) = with_provider(Method::Status, config(&simulator, simulator.backend_url(Operator::A)));
    assert_internal(verifier.check().await);
    assert!(verify(&verifier).await.unwrap());
}

struct PanickingBackend {
    auth_url: Option<String>,
}

#[async_trait]
impl Backend for PanickingBackend {
    async fn start(&self, _: Arc<StartRequest>) -> Result<Arc<AuthorizationStart>, BackendError> {
        let auth_url = self.auth_url.clone().expect("in start");
        Ok(AuthorizationStart::new(auth_url, None, None, None, Vec::new()))
    }

    async fn complete(&self, _: Arc<CompletionRequest>) -> Result<String, BackendError> {
        panic!("in complete")
    }
}

#[tokio::test]
async fn panic_in_backend_is_internal_and_releases_the_network() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let auth = format!("https://auth.simulator.test:{}/oauth2/auth", simulator.https_port());
    let auth_url =
        format!("{auth}?client_id=SIMULATOR&response_type=code&state=s&operator=a&redirect_uri=myapp%3A%2F%2Fdone");
    for auth_url in [None, Some(auth_url)] {
        let config = config(&simulator, "https://unused.test".to_owned());
        let (verifier, network) = verifier_with(config, Arc::new(PanickingBackend { auth_url }));
        assert_internal(verify(&verifier).await);
        network.is_released().await;
    }
}

struct PanickingListener;

impl ProgressListener for PanickingListener {
    fn on_progress(&self, _: Progress) -> Result<(), ListenerError> {
        panic!("in the listener")
    }
}

#[tokio::test]
async fn panic_in_listener_is_ignored() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let (verifier, _) = verifier(config(&simulator, simulator.backend_url(Operator::A)));
    let flow = verifier.begin(NUMBER.to_owned(), Some(Arc::new(PanickingListener)));
    assert!(flow.result().await.unwrap().verified());
}
