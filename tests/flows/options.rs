//! Options of one verification: what they add to the requests to the backend.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use number_verify::{
    AuthorizationStart, Backend, BackendError, CompletionRequest, Header, StartField, StartRequest, VerificationOptions,
};
use number_verify_simulator::{Options, Simulator};
use serde_json::{Value, json};

use crate::backend::{VERIFIED, auth_url, start};
use crate::phone::{self, Counts, NUMBER};
use crate::scripted::{Scripted, ok};

fn options() -> VerificationOptions {
    VerificationOptions {
        headers: vec![Header::new("Authorization".to_owned(), "Bearer new".to_owned())],
        start_fields: vec![
            StartField::with_text("attestation".to_owned(), "a \"token\"".to_owned()),
            StartField::new("device".to_owned(), r#"{"os":"x","level":[1,null]}"#.to_owned()),
        ],
        correlator: Some("sign-in:42".to_owned()),
    }
}

#[tokio::test]
async fn options_apply_to_one_verification_only() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let backend = Scripted::responding([start(&simulator), ok(VERIFIED), start(&simulator), ok(VERIFIED)]);
    let mut config = phone::config(&simulator, backend.url());
    config.headers.push(Header::new("authorization".to_owned(), "Bearer old".to_owned()));
    config.headers.push(Header::new("X-App".to_owned(), "app".to_owned()));
    let (verifier, _) = phone::verifier(config);
    let flow = verifier.begin_with(NUMBER.to_owned(), options(), None);
    assert!(flow.result().await.unwrap().verified());
    assert_eq!(flow.trace().correlator, "sign-in:42");
    assert!(verifier.verify(NUMBER.to_owned()).await.unwrap().verified());

    let [start, complete, next_start, next_complete] = backend.requests().try_into().expect("four calls");
    let body: Value = serde_json::from_str(&start.body).unwrap();
    let device = json!({ "os": "x", "level": [1, null] });
    assert_eq!(body, json!({ "phoneNumber": NUMBER, "attestation": "a \"token\"", "device": device }));
    let completion: Value = serde_json::from_str(&complete.body).unwrap();
    assert_eq!(completion.as_object().unwrap().keys().collect::<Vec<_>>(), ["code", "session", "state"]);
    for call in [&start, &complete] {
        assert_eq!(call.header("authorization"), Some("Bearer new"));
        assert_eq!(call.header("x-app"), Some("app"));
        assert_eq!(call.header("x-correlator"), Some("sign-in:42"));
    }
    assert_eq!(next_start.body, format!(r#"{{"phoneNumber":"{NUMBER}"}}"#));
    for call in [&next_start, &next_complete] {
        assert_eq!(call.header("authorization"), Some("Bearer old"));
        assert_ne!(call.header("x-correlator"), Some("sign-in:42"));
    }
    let to_operators = simulator.requests();
    assert!(
        to_operators.iter().all(|request| request.headers.get("authorization").is_none()),
        "an operator received it"
    );
}

#[tokio::test]
async fn options_are_passed_to_a_custom_backend() {
    type Texts = HashMap<String, String>;

    struct App {
        auth_url: String,
        received: Mutex<Vec<(Texts, Option<Texts>, String)>>,
    }

    #[async_trait]
    impl Backend for App {
        async fn start(&self, request: Arc<StartRequest>) -> Result<Arc<AuthorizationStart>, BackendError> {
            let received = (request.headers(), Some(request.start_fields()), request.correlator());
            self.received.lock().unwrap().push(received);
            Ok(AuthorizationStart::new(self.auth_url.clone(), None, None, None, Vec::new()))
        }

        async fn complete(&self, request: Arc<CompletionRequest>) -> Result<String, BackendError> {
            self.received.lock().unwrap().push((request.headers(), None, request.correlator()));
            Ok(VERIFIED.to_owned())
        }
    }

    let simulator = Simulator::start(Options::default()).unwrap();
    let app = Arc::new(App { auth_url: auth_url(&simulator), received: Mutex::default() });
    let config = phone::config(&simulator, "https://backend.test".to_owned());
    let (verifier, _) = phone::verifier_with(config, app.clone());
    assert!(verifier.begin_with(NUMBER.to_owned(), options(), None).result().await.unwrap().verified());
    let headers = Texts::from([("authorization".to_owned(), "Bearer new".to_owned())]);
    let fields = [("attestation", r#""a \"token\"""#), ("device", r#"{"level":[1,null],"os":"x"}"#)];
    let fields = fields.map(|(name, json)| (name.to_owned(), json.to_owned()));
    let correlator = "sign-in:42".to_owned();
    let expected = [(headers.clone(), Some(Texts::from(fields)), correlator.clone()), (headers, None, correlator)];
    assert_eq!(*app.received.lock().unwrap(), expected);
}

#[tokio::test]
async fn custom_backend_requests_have_key_deadline_and_redacted_debug() {
    struct App {
        start: Arc<AuthorizationStart>,
        calls: Mutex<Vec<(String, u64, String)>>,
    }

    #[async_trait]
    impl Backend for App {
        async fn start(&self, request: Arc<StartRequest>) -> Result<Arc<AuthorizationStart>, BackendError> {
            let call = (request.idempotency_key(), request.time_left_ms(), format!("{request:?} {:?}", self.start));
            self.calls.lock().unwrap().push(call);
            Ok(self.start.clone())
        }

        async fn complete(&self, request: Arc<CompletionRequest>) -> Result<String, BackendError> {
            let call = (request.idempotency_key(), request.time_left_ms(), format!("{request:?}"));
            self.calls.lock().unwrap().push(call);
            Ok(VERIFIED.to_owned())
        }
    }

    let simulator = Simulator::start(Options::default()).unwrap();
    let start = AuthorizationStart::new(auth_url(&simulator), None, None, None, Vec::new());
    let app = Arc::new(App { start, calls: Mutex::default() });
    let mut config = phone::config(&simulator, "https://backend.test".to_owned());
    phone::wait_an_hour(&mut config);
    let overall = config.deadlines.overall_ms;
    let (verifier, _) = phone::verifier_with(config, app.clone());
    assert!(verifier.begin_with(NUMBER.to_owned(), options(), None).result().await.unwrap().verified());

    let [(start_key, at_start, start), (key, at_completion, completion)] =
        app.calls.lock().unwrap().drain(..).collect::<Vec<_>>().try_into().unwrap();
    assert_ne!(start_key, key);
    assert!([&start_key, &key].iter().all(|key| key.len() == 36), "UUIDs: {start_key} {key}");
    assert!(at_completion <= at_start && at_start <= overall && at_completion > 0, "{at_start} {at_completion}");
    assert_eq!(start, "StartRequest(…) AuthorizationStart(…)");
    assert_eq!(completion, "CompletionRequest(…)");
}

#[tokio::test]
async fn invalid_option_is_an_error_and_nothing_is_sent() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let backend = Scripted::responding([]);
    let (verifier, network) = phone::verifier(phone::config(&simulator, backend.url()));
    let header = |name: &str| vec![Header::new(name.to_owned(), "x".to_owned())];
    let field = |name: &str| vec![StartField::new(name.to_owned(), "1".to_owned())];
    for (options, cause) in [
        (VerificationOptions { headers: header("Cookie"), ..options() }, "headers"),
        (VerificationOptions { start_fields: field("phoneNumber"), ..options() }, "start_fields"),
        (VerificationOptions { correlator: Some("user-14155550100".to_owned()), ..options() }, "correlator"),
    ] {
        let flow = verifier.begin_with(NUMBER.to_owned(), options, None);
        let error = phone::json(&flow.result().await.unwrap_err());
        assert_eq!((&error["kind"], &error["cause"]), (&"invalid_config".into(), &cause.into()));
        assert!(!flow.trace().to_json().contains("4155550100"), "{cause}");
    }
    assert_eq!(backend.requests().len(), 0);
    assert_eq!(network.counts(), Counts::default());
}
