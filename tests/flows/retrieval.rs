//! Retrieval of the number of the SIM (CAMARA `device-phone-number`).

use std::sync::Arc;

use async_trait::async_trait;
use number_verify::{
    AuthorizationStart, Backend, BackendError, CodeDelivery, CompletionRequest, Config, RetrievedNumber, StartField,
    StartRequest, VerificationOptions, VerifyError,
};
use number_verify_simulator::{Operator, Options, Simulator};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::backend::{VERIFIED, auth_url, start};
use crate::captured;
use crate::deliveries::{Lure, post};
use crate::phone::{self, Counts, HANGS, NUMBER};
use crate::scripted::{Scripted, ok, response};
use crate::secrets::Shown;

const RETRIEVED: &str = r#"{"phoneNumber":"+14155550100"}"#;

async fn retrieve(config: Config) -> Result<Arc<RetrievedNumber>, VerifyError> {
    let (verifier, network) = phone::verifier(config);
    let outcome = timeout(HANGS, verifier.retrieve()).await.expect("the flow hangs");
    network.is_released().await;
    assert_eq!(network.counts(), Counts { acquired: 1, released: 1 });
    outcome
}

#[tokio::test]
async fn number_of_the_sim_is_retrieved() {
    for delivery in [CodeDelivery::Relay, CodeDelivery::FollowThrough] {
        let simulator = Simulator::start(Options::default()).unwrap();
        for base in simulator.backend_urls_with_retrieval() {
            let name = format!("{delivery:?}, {base}");
            let mut config = phone::config(&simulator, base);
            config.code_delivery = delivery;
            let retrieved = retrieve(config).await.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(retrieved.phone_number(), NUMBER, "{name}");
            let response: Value = serde_json::from_str(&retrieved.response_json()).unwrap();
            assert_eq!(response["devicePhoneNumber"], NUMBER, "{name}");
            assert!(!retrieved.trace().hops.is_empty(), "{name}");
        }
    }
}

#[tokio::test]
async fn start_request_has_the_purpose_and_no_number() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let backend = Scripted::responding([start(&simulator), ok(r#"{"devicePhoneNumber":"+14155550100","more":1}"#)]);
    let (verifier, _) = phone::verifier(phone::config(&simulator, backend.url()));
    let options = VerificationOptions {
        start_fields: vec![StartField::with_text("attestation".to_owned(), "token".to_owned())],
        correlator: Some("sign-in:42".to_owned()),
        ..VerificationOptions::default()
    };
    let flow = verifier.begin_retrieval(options, None);
    let retrieved = timeout(HANGS, flow.result()).await.expect("the flow hangs").unwrap();
    assert_eq!(retrieved.phone_number(), NUMBER);

    let [start, complete] = backend.requests().try_into().expect("two calls");
    let body: Value = serde_json::from_str(&start.body).unwrap();
    assert_eq!(body, json!({ "purpose": "device-phone-number", "attestation": "token" }));
    let completion: Value = serde_json::from_str(&complete.body).unwrap();
    assert_eq!(completion.as_object().unwrap().keys().collect::<Vec<_>>(), ["code", "session", "state"]);
    for call in [start, complete] {
        assert_eq!(call.header("x-correlator"), Some("sign-in:42"));
    }
}

#[tokio::test]
async fn phone_number_field_name_is_configurable() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let backend = Scripted::responding([start(&simulator), ok(r#"{"msisdn":"+14155550100"}"#)]);
    let mut config = phone::config(&simulator, backend.url());
    config.field_names.phone_number = "msisdn".to_owned();
    assert_eq!(retrieve(config).await.unwrap().phone_number(), NUMBER);
    assert_eq!(backend.requests()[0].body, r#"{"purpose":"device-phone-number"}"#);
}

#[tokio::test]
async fn result_of_the_other_purpose_is_malformed() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let both = r#"{"verified":true,"phoneNumber":"+14155550100"}"#;
    let other_number = r#"{"phoneNumber":"+14155550100","devicePhoneNumber":"+14155550199"}"#;
    for (retrieves, body) in [
        (false, RETRIEVED),
        (false, r#"{"devicePhoneNumber":"+14155550100"}"#),
        (false, both),
        (true, VERIFIED),
        (true, r#"{"devicePhoneNumberVerified":false}"#),
        (true, both),
        (true, other_number),
        (true, r#"{"phoneNumber":true}"#),
        (true, r#"{"phoneNumber":"14155550100"}"#),
        (true, "{}"),
    ] {
        let backend = Scripted::responding([start(&simulator), ok(body)]);
        let config = phone::config(&simulator, backend.url());
        let error = if retrieves {
            retrieve(config).await.expect_err(body)
        } else {
            phone::verification(config, NUMBER).await.expect_err(body)
        };
        let error = phone::json(&error);
        let facts = (&error["kind"], &error["step"], &error["cause"], &error["fallback"]);
        let expected = ("backend", "complete", "malformed_answer", "fix_integration");
        assert_eq!(facts, (&expected.0.into(), &expected.1.into(), &expected.2.into(), &expected.3.into()), "{body}");
    }
}

/// The callback's response is checked too: here the started session is for the other purpose.
#[tokio::test]
async fn callback_with_the_result_of_the_other_purpose_is_malformed() {
    for retrieves in [false, true] {
        let simulator = Simulator::start(Options::default()).unwrap();
        let request =
            if retrieves { json!({ "phoneNumber": NUMBER }) } else { json!({ "purpose": "device-phone-number" }) };
        let (_, start) = post(&simulator, "camara/start", &request.to_string());
        let start: Value = serde_json::from_str(&start).unwrap();
        let text = |name: &str| start[name].as_str().unwrap().to_owned();
        let backend =
            Lure { auth_url: text("authUrl"), redirect_uri: text("redirectUri"), session: Some(text("session")) };
        let mut config = phone::config(&simulator, simulator.backend_urls_with_retrieval()[0].clone());
        config.code_delivery = CodeDelivery::FollowThrough;
        let (verifier, _) = phone::verifier_with(config, Arc::new(backend));
        let error = if retrieves {
            timeout(HANGS, verifier.retrieve()).await.expect("the flow hangs").unwrap_err()
        } else {
            timeout(HANGS, verifier.verify(NUMBER.to_owned())).await.expect("the flow hangs").unwrap_err()
        };
        let error = phone::json(&error);
        assert_eq!((&error["step"], &error["cause"]), (&"complete".into(), &"malformed_answer".into()), "{error}");
        assert_eq!(error["detail"]["status"], 200, "{error}");
    }
}

#[tokio::test]
async fn backend_without_retrieval_is_an_integration_error() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let error = retrieve(phone::config(&simulator, simulator.backend_url(Operator::A))).await.unwrap_err();
    let error = phone::json(&error);
    assert_eq!((&error["kind"], &error["step"]), (&"backend".into(), &"start".into()), "{error}");
    assert_eq!((&error["cause"], &error["detail"]["status"]), (&"status".into(), &501.into()), "{error}");
    assert_eq!(error["fallback"], "fix_integration", "{error}");
}

#[tokio::test]
async fn custom_backend_receives_a_request_without_a_number() {
    struct CustomBackend(String);

    #[async_trait]
    impl Backend for CustomBackend {
        async fn start(&self, request: Arc<StartRequest>) -> Result<Arc<AuthorizationStart>, BackendError> {
            assert_eq!(request.phone_number(), None);
            Ok(AuthorizationStart::new(self.0.clone(), None, None, None, Vec::new()))
        }

        async fn complete(&self, _: Arc<CompletionRequest>) -> Result<String, BackendError> {
            Ok(RETRIEVED.to_owned())
        }
    }

    let simulator = Simulator::start(Options::default()).unwrap();
    let config = phone::config(&simulator, "https://unused.test".to_owned());
    let (verifier, _) = phone::verifier_with(config, Arc::new(CustomBackend(auth_url(&simulator))));
    assert_eq!(verifier.retrieve().await.unwrap().phone_number(), NUMBER);
}

#[tokio::test]
async fn cancelled_retrieval_releases_the_network() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let network = phone::Loopback::that_is_down();
    let config = phone::config(&simulator, simulator.backend_urls_with_retrieval()[0].clone());
    let verifier = number_verify::NumberVerifier::new(config, network.clone(), None).unwrap();
    let flow = verifier.begin_retrieval(VerificationOptions::default(), None);
    network.is_acquired().await;
    flow.cancel();
    let result = timeout(HANGS, flow.result()).await.expect("the flow hangs");
    assert!(matches!(result, Err(VerifyError::Cancelled)), "{result:?}");
    network.is_released().await;
    assert_eq!(network.counts(), Counts { acquired: 1, released: 1 });
}

#[tokio::test]
async fn retrieved_number_is_never_exposed() {
    captured::start();
    let secrets = [NUMBER.trim_start_matches('+').to_owned(), "5550100".to_owned()];
    let simulator = Simulator::start(Options::default()).unwrap();
    let [working, ..] = simulator.backend_urls_with_retrieval();
    let shown = show(phone::config(&simulator, working)).await;
    assert!(shown.contains("RetrievedNumber(…)") && shown.contains("camara.simulator.test"), "{shown}");
    captured::assert_without(&shown, &secrets, "a retrieval");
    for (complete, end) in [
        (ok(RETRIEVED), "RetrievedNumber(…)"),
        (ok(r#"{"phoneNumber":"14155550100"}"#), "malformed_answer"),
        (response(403, "", RETRIEVED), "use_another_channel"),
    ] {
        let backend = Scripted::responding([start(&simulator), complete]);
        let shown = show(phone::config(&simulator, backend.url())).await;
        assert!(shown.contains(end), "{end}: {shown}");
        captured::assert_without(&shown, &secrets, end);
    }
    captured::assert_without(&captured::text(), &secrets, "the log");
}

/// Everything that a retrieval outputs.
async fn show(config: Config) -> String {
    let (verifier, _) = phone::verifier(config);
    let shown = Arc::<Shown>::default();
    let flow = verifier.begin_retrieval(VerificationOptions::default(), Some(shown.clone()));
    match timeout(HANGS, flow.result()).await.expect("the flow hangs") {
        Ok(retrieved) => shown.add((&retrieved, retrieved.trace())),
        Err(error) => shown.add((&error, error.to_string(), error.to_json())),
    }
    shown.add((&flow, flow.trace(), flow.trace().to_json(), flow.trace().to_table(), flow.trace().explain()));
    shown.text()
}
