//! Invalid certificates, on both legs: rejected by the platform verifier, and by an app that calls
//! its platform as on Android. Android's trust manager does not check host names, and neither does
//! this one.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};

use async_trait::async_trait;
use futures_util::future::join_all;
use number_verify::{
    AuthorizationStart, Backend, BackendError, CompletionRequest, Config, NumberVerifier, ServerTrust,
    ServerTrustError, StartRequest, VerifyError,
};
use number_verify_simulator::{Operator, Options, Simulator};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::ring::{default_provider, sign::any_supported_type};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{CertificateError, Error, RootCertStore, ServerConfig};

use crate::phone::{HANGS, Loopback, NUMBER, config, json, wait_an_hour};

type Root = CertifiedIssuer<'static, KeyPair>;

fn root() -> Root {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn leaf() -> CertificateParams {
    CertificateParams::new(vec!["op.test".to_owned()]).unwrap()
}

fn signed(params: &CertificateParams, root: &Root) -> (CertificateDer<'static>, KeyPair) {
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, root).unwrap().der().clone(), key)
}

/// Certificates, and the keys that the server signs with.
fn certificates(trusted: &Root) -> Vec<(&'static str, CertificateDer<'static>, KeyPair)> {
    let mut expired = leaf();
    expired.not_before = date_time_ymd(2020, 1, 1);
    expired.not_after = date_time_ymd(2021, 1, 1);
    let mut early = leaf();
    early.not_before = date_time_ymd(2090, 1, 1);
    early.not_after = date_time_ymd(2091, 1, 1);
    let other_host = CertificateParams::new(vec!["other.test".to_owned()]).unwrap();
    let mut for_clients = leaf();
    for_clients.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let own_key = KeyPair::generate().unwrap();
    let self_signed = leaf().self_signed(&own_key).unwrap().der().clone();
    let mut rows: Vec<_> = [
        ("good", leaf(), trusted),
        ("expired", expired, trusted),
        ("not valid yet", early, trusted),
        ("wrong host", other_host, trusted),
        ("wrong key usage", for_clients, trusted),
        ("untrusted root", leaf(), &root()),
    ]
    .into_iter()
    .map(|(name, params, root)| {
        let (certificate, key) = signed(&params, root);
        (name, certificate, key)
    })
    .collect();
    rows.push(("self-signed", self_signed, own_key));
    rows.push(("wrong signature", signed(&leaf(), trusted).0, KeyPair::generate().unwrap()));
    rows
}

/// A TLS server that responds 404 to every request.
struct Server {
    address: SocketAddr,
    was_requested: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Fixed(Arc<CertifiedKey>);

impl ResolvesServerCert for Fixed {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

impl Server {
    async fn start(certificate: CertificateDer<'static>, key: &KeyPair) -> Self {
        Self::start_with(vec![certificate], key, None).await
    }

    /// Requires client certificates of the root `clients`, if any.
    async fn start_with(chain: Vec<CertificateDer<'static>>, key: &KeyPair, clients: Option<&Root>) -> Self {
        let key = any_supported_type(&PrivateKeyDer::Pkcs8(key.serialize_der().into())).unwrap();
        Self::serve(CertifiedKey::new(chain, key), clients).await
    }

    async fn stapling(certificate: CertificateDer<'static>, key: &KeyPair, ocsp_response: Vec<u8>) -> Self {
        let key = any_supported_type(&PrivateKeyDer::Pkcs8(key.serialize_der().into())).unwrap();
        let mut certified = CertifiedKey::new(vec![certificate], key);
        certified.ocsp = Some(ocsp_response);
        Self::serve(certified, None).await
    }

    async fn serve(certified: CertifiedKey, clients: Option<&Root>) -> Self {
        let certified = Arc::new(certified);
        let provider = Arc::new(default_provider());
        let clients = clients.map(|root| {
            let mut roots = RootCertStore::empty();
            roots.add(root.der().clone()).unwrap();
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap()
        });
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients.unwrap_or_else(WebPkiClientVerifier::no_client_auth))
            .with_cert_resolver(Arc::new(Fixed(certified)));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self { address: listener.local_addr().unwrap(), was_requested: Arc::default() };
        let was_requested = server.was_requested.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, was_requested) = (acceptor.clone(), was_requested.clone());
                tokio::spawn(async move {
                    let mut stream = match acceptor.accept(stream).into_fallible().await {
                        Ok(stream) => stream,
                        Err((error, mut stream)) => {
                            // Closing a socket with unread data resets the connection; the alert can
                            // be lost.
                            while stream.read_u8().await.is_ok() {}
                            return Err(error);
                        }
                    };
                    if stream.read_u8().await.is_ok() {
                        was_requested.store(true, Ordering::Relaxed);
                        stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await?;
                        stream.flush().await?;
                        while stream.read_u8().await.is_ok() {}
                    }
                    io::Result::Ok(())
                });
            }
        });
        server
    }

    fn url(&self) -> String {
        format!("https://op.test:{}", self.address.port())
    }

    fn config(&self, backend_url: &str) -> Config {
        let mut config = Config::new(backend_url);
        config.development.resolve.push(format!("op.test:{}:127.0.0.1", self.address.port()));
        config
    }
}

/// A platform like Android, which the app calls.
struct Platform(Arc<WebPkiServerVerifier>);

impl Platform {
    fn trusting(root: &Root) -> Arc<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).unwrap();
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()));
        Arc::new(Self(verifier.build().unwrap()))
    }
}

impl ServerTrust for Platform {
    fn check_server_trusted(
        &self,
        chain: Vec<Vec<u8>>,
        host: String,
        _: Option<Vec<u8>>,
    ) -> Result<bool, ServerTrustError> {
        let chain: Vec<_> = chain.into_iter().map(CertificateDer::from).collect();
        let (server, intermediates) = chain.split_first().ok_or(ServerTrustError::NotTrusted)?;
        let host = ServerName::try_from(host).map_err(|_| ServerTrustError::Failed)?;
        let wrong_name = |error: &Error| {
            use CertificateError::{NotValidForName, NotValidForNameContext};
            matches!(error, Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }))
        };
        match self.0.verify_server_cert(server, intermediates, &host, &[], UnixTime::now()) {
            Err(error) if !wrong_name(&error) => Ok(false),
            _ => Ok(true),
        }
    }
}

/// A trust callback that ends without returning `true`.
#[derive(Clone, Copy)]
struct Broken(fn() -> Result<bool, ServerTrustError>);

const BROKEN: [Broken; 4] = [
    Broken(|| Ok(bool::default())), // The value if the foreign callback did not return one.
    Broken(|| Err(ServerTrustError::NotTrusted)),
    Broken(|| Err(ServerTrustError::Failed)),
    Broken(|| panic!("a trust callback that panics")),
];

impl ServerTrust for Broken {
    fn check_server_trusted(&self, _: Vec<Vec<u8>>, _: String, _: Option<Vec<u8>>) -> Result<bool, ServerTrustError> {
        self.0()
    }
}

struct FixedAuthUrl(String);

#[async_trait]
impl Backend for FixedAuthUrl {
    async fn start(&self, _: Arc<StartRequest>) -> Result<Arc<AuthorizationStart>, BackendError> {
        Ok(AuthorizationStart::new(self.0.clone(), None, None, None, Vec::new()))
    }

    async fn complete(&self, _: Arc<CompletionRequest>) -> Result<String, BackendError> {
        panic!("there is nothing to complete")
    }
}

fn verifier(config: Config, auth_url: Option<String>, trust: Option<Arc<dyn ServerTrust>>) -> Arc<NumberVerifier> {
    let network = Arc::<Loopback>::default();
    match auth_url {
        Some(url) => NumberVerifier::with_backend(config, network, Arc::new(FixedAuthUrl(url)), trust).unwrap(),
        None => NumberVerifier::new(config, network, trust).unwrap(),
    }
}

async fn error(verifier: Arc<NumberVerifier>) -> serde_json::Value {
    json(&verifier.verify(NUMBER.to_owned()).await.unwrap_err())
}

#[tokio::test]
async fn invalid_certificates_are_rejected() {
    let trusted = root();
    for (name, certificate, key) in certificates(&trusted) {
        for source in ["the app", "the platform", "an app that rejects"] {
            for backend_leg in [true, false] {
                let server = Server::start(certificate.clone(), &key).await;
                let mut config = server.config(&server.url());
                let trust = match source {
                    "the app" => Some(Platform::trusting(&trusted) as Arc<dyn ServerTrust>),
                    "the platform" => None,
                    _ => Some(Arc::new(BROKEN[0]) as Arc<dyn ServerTrust>),
                };
                if source != "the app" {
                    config.development.root_certificates.push(trusted.pem());
                }
                let auth_url = (!backend_leg).then(|| server.url());
                let error = error(verifier(config, auth_url, trust)).await;
                let name = format!("{name}, trust from {source}, backend {backend_leg}: {error}");
                let kind = if backend_leg { "backend" } else { "authorization" };
                assert_eq!(error["kind"], kind, "{name}");
                let reached = name.starts_with("good");
                assert_eq!(error["cause"] == "tls", !reached, "{name}");
                assert_eq!(server.was_requested.load(Ordering::Relaxed), reached, "{name}: whether a request was sent");
            }
        }
    }
}

/// TLS 1.3 reports it only after the handshake.
#[tokio::test]
async fn client_certificate_request_is_a_tls_error() {
    let trusted = root();
    let (certificate, key) = signed(&leaf(), &trusted);
    let server = Server::start_with(vec![certificate], &key, Some(&trusted)).await;
    let mut config = server.config(&server.url());
    config.development.root_certificates.push(trusted.pem());
    let error = error(verifier(config, Some(server.url()), None)).await;
    assert_eq!((&error["cause"], &error["fallback"]), (&"tls".into(), &"use_another_channel".into()), "{error}");
    assert_eq!(error["detail"]["alert"], "certificate_required", "{error}");
}

#[tokio::test]
async fn nothing_is_sent_without_explicit_trust() {
    let trusted = root();
    let (certificate, key) = signed(&leaf(), &trusted);
    let server = Server::start(certificate, &key).await;
    for broken in BROKEN {
        for auth_url in [Some(server.url()), None] {
            let error = error(verifier(server.config(&server.url()), auth_url, Some(Arc::new(broken)))).await;
            assert_eq!(error["cause"], "tls", "{error}");
        }
    }
    assert!(!server.was_requested.load(Ordering::Relaxed));
}

/// Development roots apply in addition to the app's trust callback.
#[tokio::test]
async fn development_roots_apply_in_addition_to_server_trust() {
    let trusted = root();
    let (certificate, key) = signed(&leaf(), &trusted);
    let server = Server::start(certificate, &key).await;
    let mut config = server.config(&server.url());
    config.development.root_certificates.push(trusted.pem());
    let error = error(verifier(config, Some(server.url()), Some(Arc::new(BROKEN[0])))).await;
    assert_eq!(error["cause"], "http_status", "{error}");
}

/// Blocks for one host until it is released.
struct Slow {
    host: String,
    called: mpsc::Sender<()>,
    released: Mutex<mpsc::Receiver<()>>,
}

impl ServerTrust for Slow {
    fn check_server_trusted(
        &self,
        _: Vec<Vec<u8>>,
        host: String,
        _: Option<Vec<u8>>,
    ) -> Result<bool, ServerTrustError> {
        if host == self.host {
            self.called.send(()).map_err(|_| ServerTrustError::Failed)?;
            self.released.lock().unwrap().recv().map_err(|_| ServerTrustError::Failed)?;
        }
        Ok(true)
    }
}

#[tokio::test]
async fn slow_trust_callback_does_not_stall_other_flows() {
    let trusted = root();
    let (certificate, key) = signed(&leaf(), &trusted);
    let slow_server = Server::start(certificate, &key).await;
    let simulator = Simulator::start(Options::default()).unwrap();
    let mut config = config(&simulator, simulator.backend_url(Operator::A));
    wait_an_hour(&mut config);
    config.development.root_certificates.clear();
    config.development.resolve.push(format!("op.test:{}:127.0.0.1", slow_server.address.port()));
    let (called, was_called) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let slow = Arc::new(Slow { host: "op.test".to_owned(), called, released: Mutex::new(released) });

    let network = Arc::<Loopback>::default();
    let backend = Arc::new(Mixed { slow: slow_server.url(), auth: simulator.https_port() });
    let verifier = NumberVerifier::with_backend(config, network, backend, Some(slow)).unwrap();
    let waiting = verifier.begin("+14155550000".to_owned(), None);
    let is_called = tokio::task::spawn_blocking(move || was_called.recv().unwrap());
    is_called.await.unwrap();
    let others: Vec<_> = (0..100).map(|_| verifier.begin(NUMBER.to_owned(), None)).collect();
    for result in join_all(others.iter().map(|flow| flow.result())).await {
        assert!(result.unwrap().verified());
    }
    assert!(waiting.trace().hops.len() == 1 && waiting.trace().hops[0].status.is_none(), "it still waits");
    release.send(()).unwrap();
    let VerifyError::Authorization { status, .. } = waiting.result().await.unwrap_err() else { panic!("404") };
    assert_eq!(status, Some(404));
}

/// Does not return for one host until the test ends.
struct Hanging {
    host: &'static str,
    called: mpsc::Sender<()>,
    ended: Arc<(Mutex<bool>, Condvar)>,
}

impl ServerTrust for Hanging {
    fn check_server_trusted(
        &self,
        _: Vec<Vec<u8>>,
        host: String,
        _: Option<Vec<u8>>,
    ) -> Result<bool, ServerTrustError> {
        if host == self.host {
            self.called.send(()).map_err(|_| ServerTrustError::Failed)?;
            let (is_ended, changed) = &*self.ended;
            drop(changed.wait_while(is_ended.lock().unwrap(), |is_ended| !*is_ended));
        }
        Ok(true)
    }
}

/// Begins verifications of the number that hang in the callback, and cancels them.
fn hang(verifier: &NumberVerifier, number: &str, was_called: &mpsc::Receiver<()>, times: usize) {
    for _ in 0..times {
        let flow = verifier.begin(number.to_owned(), None);
        was_called.recv_timeout(HANGS).expect("cancelled callbacks do not use the budget");
        flow.cancel();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_hanging_trust_callbacks_stall_nothing() {
    let trusted = root();
    let (certificate, key) = signed(&leaf(), &trusted);
    let server = Server::start(certificate, &key).await;
    let simulator = Simulator::start(Options::default()).unwrap();
    let ended = Arc::<(Mutex<bool>, Condvar)>::default();
    let (called, was_called) = mpsc::channel();
    let trust = |host| Arc::new(Hanging { host, called: called.clone(), ended: ended.clone() });
    let mut config = config(&simulator, simulator.backend_url(Operator::A));
    config.development.root_certificates.clear();
    config.development.resolve.push(format!("op.test:{}:127.0.0.1", server.address.port()));
    config.deadlines.connect_ms = 2000;

    let backend = Arc::new(Mixed { slow: server.url(), auth: simulator.https_port() });
    let network = Arc::<Loopback>::default();
    let verifier = NumberVerifier::with_backend(config.clone(), network, backend, Some(trust("op.test"))).unwrap();
    tokio::task::block_in_place(|| hang(&verifier, "+14155550000", &was_called, 8));
    assert!(verifier.verify(NUMBER.to_owned()).await.unwrap().verified(), "the cellular leg continues");

    let verifier = NumberVerifier::new(config, Arc::<Loopback>::default(), Some(trust("auth.simulator.test"))).unwrap();
    tokio::task::block_in_place(|| hang(&verifier, NUMBER, &was_called, 11));
    let flow = verifier.begin(NUMBER.to_owned(), None);
    let error = json(&flow.result().await.unwrap_err());
    assert_eq!((&error["kind"], &error["cause"]), (&"authorization".into(), &"timeout".into()), "{error}");
    assert!(
        flow.trace().start_ms.is_some(),
        "the backend's leg continues, although all threads of the other leg are blocked"
    );
    *ended.0.lock().unwrap() = true;
    ended.1.notify_all();
}

/// Records the chains and OCSP responses that it receives.
#[derive(Default)]
struct Recording(Mutex<Vec<Received>>);

type Received = (Vec<Vec<u8>>, Option<Vec<u8>>);

impl ServerTrust for Recording {
    fn check_server_trusted(
        &self,
        chain: Vec<Vec<u8>>,
        _: String,
        ocsp_response: Option<Vec<u8>>,
    ) -> Result<bool, ServerTrustError> {
        self.0.lock().unwrap().push((chain, ocsp_response));
        Ok(false)
    }
}

/// The platform's certificate transparency check may depend on it.
#[tokio::test]
async fn stapled_ocsp_response_reaches_the_app() {
    let trusted = root();
    let limit = 16 * 1024;
    for (stapled, arrives) in [(vec![1, 2, 3], true), (vec![7; limit], true), (vec![7; limit + 1], false)] {
        let (certificate, key) = signed(&leaf(), &trusted);
        let server = Server::stapling(certificate.clone(), &key, stapled.clone()).await;
        for auth_url in [Some(server.url()), None] {
            let trust = Arc::<Recording>::default();
            let verifier = verifier(server.config(&server.url()), auth_url, Some(trust.clone()));
            assert_eq!(error(verifier).await["cause"], "tls");
            let expected = arrives.then(|| stapled.clone());
            assert_eq!(*trust.0.lock().unwrap(), [(vec![certificate.to_vec()], expected)], "{} bytes", stapled.len());
        }
    }
}

/// Certificates with few names, each of which could have issued many others: a path builder that
/// matches by name does not terminate.
#[tokio::test]
async fn exponential_chain_does_not_reach_the_path_builder() {
    let named = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    };
    let names = ["a", "b"];
    let issuers = names.map(|name| CertifiedIssuer::self_signed(named(name), KeyPair::generate().unwrap()).unwrap());
    let (certificate, key) = signed(&leaf(), &issuers[0]);
    let mut chain = vec![certificate];
    chain.extend((0..40).map(|index| signed(&named(names[index % 2]), &issuers[(index + 1) % 2]).0));
    let server = Server::start_with(chain.clone(), &key, None).await;
    for auth_url in [Some(server.url()), None] {
        let trust = Arc::<Recording>::default();
        let verifier = verifier(server.config(&server.url()), auth_url, Some(trust.clone()));
        assert_eq!(timeout(HANGS, error(verifier)).await.expect("it does not terminate")["cause"], "tls");
        let seen = trust.0.lock().unwrap().clone();
        let chain = chain[..3].iter().map(|der| der.to_vec()).collect::<Vec<_>>();
        assert_eq!(seen, [(chain, None)], "no name is repeated");
    }
    assert!(!server.was_requested.load(Ordering::Relaxed));
}

/// Starts at the simulator for `NUMBER`, and at the slow server for any other number.
struct Mixed {
    slow: String,
    auth: u16,
}

#[async_trait]
impl Backend for Mixed {
    async fn start(&self, request: Arc<StartRequest>) -> Result<Arc<AuthorizationStart>, BackendError> {
        let auth = format!("https://auth.simulator.test:{}/oauth2/auth", self.auth);
        let auth_url =
            format!("{auth}?client_id=SIMULATOR&response_type=code&state=s&operator=a&redirect_uri=myapp%3A%2F%2Fdone");
        let auth_url = if request.phone_number().as_deref() == Some(NUMBER) { auth_url } else { self.slow.clone() };
        Ok(AuthorizationStart::new(auth_url, None, None, None, Vec::new()))
    }

    async fn complete(&self, _: Arc<CompletionRequest>) -> Result<String, BackendError> {
        Ok(r#"{"verified":true}"#.to_owned())
    }
}
