//! The ways in which the code reaches the backend, with operators that have different quirks.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;

use async_trait::async_trait;
use number_verify::{
    AuthorizationStart, Backend, BackendError, Cleartext, CodeDelivery, CompletionRequest, Fallback, StartRequest,
    VerifyError,
};
use number_verify_simulator::{Operator, Options, Sim, Simulator};
use secrecy::{ExposeSecret, SecretString};

use crate::phone::{NUMBER, OTHER_NUMBER, config, json, verification, verifier_with, verify};

fn simulator() -> Simulator {
    Simulator::start(Options::default()).unwrap()
}

type BackendUrl = fn(&Simulator, Operator) -> String;

#[tokio::test]
async fn every_code_delivery_returns_a_result() {
    use CodeDelivery::{FollowThrough, NoCode, Relay};
    use Operator::{A, B, C, D};
    let rows: [(CodeDelivery, Operator, BackendUrl, &str, usize); 12] = [
        (Relay, A, Simulator::backend_url, "two hops", 3),
        (Relay, B, Simulator::backend_url, "header enrichment and a cookie", 6),
        (Relay, C, Simulator::backend_url, "a long chain and JSON", 9),
        (Relay, A, Simulator::backend_url_redirecting, "start responds with a redirect", 3),
        (Relay, B, Simulator::backend_url_redirecting, "the same, the session in a cookie", 6),
        (Relay, A, Simulator::backend_url_on_http, "backend on plain http on loopback", 3),
        (FollowThrough, A, Simulator::backend_url, "the callback returns the result", 4),
        (FollowThrough, B, Simulator::backend_url, "the same behind another operator", 7),
        (FollowThrough, C, Simulator::backend_url, "JSON comes before the callback", 9),
        (FollowThrough, A, Simulator::backend_url_redirecting, "the proof is a cookie", 4),
        (FollowThrough, A, Simulator::backend_url_with_page, "the callback returns a page, complete the result", 4),
        (NoCode, D, Simulator::backend_url, "the backend queries the operator", 2),
    ];
    for (delivery, operator, backend_url, name, hops) in rows {
        for (number, expected) in [(NUMBER, true), (OTHER_NUMBER, false)] {
            let simulator = simulator();
            let mut config = config(&simulator, backend_url(&simulator, operator));
            config.code_delivery = delivery;
            let verification = verification(config, number).await;
            let name = format!("{delivery:?} with operator {operator}, {name}, {number}");
            let verification = verification.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            assert_eq!(verification.verified(), expected, "{name}");
            assert!(verification.response_json().contains("\"verified\":"), "{name}");
            assert_eq!(verification.trace().hops.len(), hops, "{name}: {}", verification.trace().to_table());
            let fetched = simulator
                .requests()
                .iter()
                .any(|request| request.path.ends_with("/callback") && request.host.starts_with("backend"));
            let may_fetch = delivery == FollowThrough && operator != C;
            assert_eq!(fetched, may_fetch, "{name}: whether the callback was fetched");
        }
    }
}

/// A victim's phone opens the auth URL of the attacker's session: the callback lacks the proof of
/// the session.
#[tokio::test]
async fn session_fixation_by_auth_url_is_rejected() {
    let simulator = simulator();
    let base = simulator.backend_url(Operator::A);
    let (_, start) = post(&simulator, "a/start", &format!(r#"{{"phoneNumber":"{NUMBER}"}}"#));
    let start: serde_json::Value = serde_json::from_str(&start).unwrap();
    let text = |name: &str| start[name].as_str().unwrap().to_owned();

    let mut victims_config = config(&simulator, base.clone());
    victims_config.code_delivery = CodeDelivery::FollowThrough;
    let lure = Arc::new(Lure { auth_url: text("authUrl"), redirect_uri: text("redirectUri"), session: None });
    let (victim, _) = verifier_with(victims_config, lure);
    let error = victim.verify(NUMBER.to_owned()).await.expect_err("the backend rejects the victim's callback");
    let error = json(&error);
    assert_eq!((&error["kind"], &error["step"]), (&"backend".into(), &"complete".into()), "{error}");
    assert_eq!(
        (&error["detail"]["status"], &error["fallback"]),
        (&403.into(), &"use_another_channel".into()),
        "{error}"
    );

    let (status, _) = post(&simulator, "a/complete", &format!(r#"{{"session":"{}"}}"#, text("session")));
    assert_eq!(status, "409", "the attacker's session has no result");
}

/// The start response of another flow, such as the attacker's on a victim's phone.
pub struct Lure {
    pub auth_url: String,
    pub redirect_uri: String,
    pub session: Option<String>,
}

#[async_trait]
impl Backend for Lure {
    async fn start(&self, _: Arc<StartRequest>) -> Result<Arc<AuthorizationStart>, BackendError> {
        let (redirect_uri, session) = (Some(self.redirect_uri.clone()), self.session.clone());
        Ok(AuthorizationStart::new(self.auth_url.clone(), redirect_uri, session, None, Vec::new()))
    }

    async fn complete(&self, _: Arc<CompletionRequest>) -> Result<String, BackendError> {
        panic!("there is nothing to complete")
    }
}

/// Sends a POST as another client would; returns the status and body of the response.
pub fn post(simulator: &Simulator, call: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", simulator.http_port())).unwrap();
    let length = body.len();
    let head = format!(
        "POST /number-verify/{call} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().to_owned(), body.to_owned())
}

/// The operator does not know the source address of the connection, as over Wi-Fi.
#[tokio::test]
async fn unknown_subscriber_is_denied_by_the_operator() {
    for operator in [Operator::A, Operator::B, Operator::C] {
        let sims = vec![Sim::new(Ipv4Addr::new(10, 0, 0, 0).into(), 8, NUMBER)];
        let simulator = Simulator::start(Options { sims, ..Options::default() }).unwrap();
        let error = verify(config(&simulator, simulator.backend_url(operator)), NUMBER).await.unwrap_err();
        let VerifyError::DeniedByOperator { error: code, description, .. } = &error else { panic!("{error:?}") };
        assert_eq!(code.as_deref(), Some("access_denied"), "{operator}");
        assert_eq!(description.as_ref().unwrap().text(), "The subscriber could not be identified.", "{operator}");
        assert_eq!(error.fallback(), Fallback::UseAnotherChannel, "{operator}");
    }
}

#[tokio::test]
async fn disabled_cleartext_rejects_http_hops() {
    let simulator = simulator();
    let mut config = config(&simulator, simulator.backend_url(Operator::B));
    config.cleartext = Cleartext::Never;
    let error = json(&verify(config, NUMBER).await.unwrap_err());
    assert_eq!((&error["cause"], &error["hop"]), (&"forbidden_redirect".into(), &2.into()), "{error}");
    assert!(simulator.requests().iter().all(|request| request.https));
}

/// Without an override, a host that DNS resolves to loopback is rejected.
#[tokio::test]
async fn host_that_resolves_to_loopback_is_rejected() {
    let dns = Some((Ipv4Addr::LOCALHOST, 0).into());
    let simulator = Simulator::start(Options { dns, ..Options::default() }).unwrap();
    let mut config = config(&simulator, simulator.backend_url(Operator::A));
    config.development.resolve.retain(|entry| entry.starts_with("backend"));
    config.development.dns_servers.push(simulator.dns_address().unwrap().to_string());
    let error = json(&verify(config, NUMBER).await.unwrap_err());
    assert_eq!((&error["cause"], &error["hop"]), (&"forbidden_redirect".into(), &1.into()), "{error}");
    assert_eq!(simulator.dns_queries().len(), 2, "A and AAAA");
}

/// An app with a custom backend client.
#[tokio::test]
async fn custom_backend_completes_the_verification() {
    struct CustomBackend {
        auth_url: String,
        completed: std::sync::Mutex<Option<(SecretString, SecretString)>>,
    }

    #[async_trait]
    impl Backend for CustomBackend {
        async fn start(&self, request: Arc<StartRequest>) -> Result<Arc<AuthorizationStart>, BackendError> {
            assert_eq!(request.phone_number().as_deref(), Some(NUMBER));
            assert!(request.time_left_ms() > 0 && request.time_left_ms() <= 20_000);
            Ok(AuthorizationStart::new(self.auth_url.clone(), None, Some("session".to_owned()), None, Vec::new()))
        }

        async fn complete(&self, request: Arc<CompletionRequest>) -> Result<String, BackendError> {
            assert_eq!(request.session().as_deref(), Some("session"));
            *self.completed.lock().unwrap() =
                Some((request.code().unwrap_or_default().into(), request.state().unwrap_or_default().into()));
            Ok(r#"{"devicePhoneNumberVerified":true,"more":"for the app"}"#.to_owned())
        }
    }

    let simulator = simulator();
    let auth = format!("https://auth.simulator.test:{}/oauth2/auth", simulator.https_port());
    let auth_url = format!(
        "{auth}?client_id=SIMULATOR&response_type=code&state=app-state&operator=a&redirect_uri=myapp%3A%2F%2Fdone"
    );
    let backend = Arc::new(CustomBackend { auth_url, completed: std::sync::Mutex::default() });
    let (verifier, _) = verifier_with(config(&simulator, "https://unused.test".to_owned()), backend.clone());
    let verification = verifier.verify("+1 (415) 555-0100".to_owned()).await.unwrap();
    assert!(verification.verified());
    assert!(verification.response_json().contains("for the app"));
    let completed = backend.completed.lock().unwrap().take().unwrap();
    assert!(!completed.0.expose_secret().is_empty());
    assert_eq!(completed.1.expose_secret(), "app-state");
}

/// The timeout of the built-in client applies to each call.
#[tokio::test]
async fn custom_backend_that_hangs_times_out() {
    struct Hangs;

    #[async_trait]
    impl Backend for Hangs {
        async fn start(&self, _: Arc<StartRequest>) -> Result<Arc<AuthorizationStart>, BackendError> {
            std::future::pending().await
        }

        async fn complete(&self, _: Arc<CompletionRequest>) -> Result<String, BackendError> {
            panic!("there is nothing to complete")
        }
    }

    let simulator = simulator();
    let mut config = config(&simulator, "https://unused.test".to_owned());
    config.deadlines.backend_ms = 100;
    let (verifier, _) = verifier_with(config, Arc::new(Hangs));
    let error = json(&verifier.verify(NUMBER.to_owned()).await.unwrap_err());
    assert_eq!((&error["kind"], &error["step"]), (&"backend".into(), &"start".into()), "{error}");
    assert_eq!(error["cause"], "timeout", "{error}");
}
