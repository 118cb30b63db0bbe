//! No code, number, state, nonce, session or cookie value reaches a log, an error, a trace or
//! `Debug` output, in flows that succeed and in flows that fail, with everything logged at trace
//! level.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex};

use number_verify::{
    CodeDelivery, Config, Header, ListenerError, NumberVerifier, Progress, ProgressListener, StartField,
    VerificationOptions,
};
use number_verify_simulator::{Operator, Options, Sim, Simulator};
use tokio::time::timeout;

use crate::captured;
use crate::phone::{HANGS, NUMBER, OTHER_NUMBER, config, verifier};
use crate::scripted::{Scripted, ok, response};

/// Canaries in the options of each verification.
const HEADER: &str = "c4n4ry-option-header";
const FIELD: &str = "c4n4ry-start-field";
const NESTED_FIELD: &str = "c4n4ry-nested-field";

/// Everything that a flow outputs.
#[derive(Default)]
pub struct Shown(Mutex<String>);

impl Shown {
    pub fn add(&self, what: impl std::fmt::Debug) {
        let _ = writeln!(self.0.lock().unwrap(), "{what:?}");
    }

    pub fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

impl ProgressListener for Shown {
    fn on_progress(&self, progress: Progress) -> Result<(), ListenerError> {
        self.add(progress);
        Ok(())
    }
}

async fn show(verifier: &NumberVerifier, number: &str) -> String {
    let shown = Arc::<Shown>::default();
    let options = VerificationOptions {
        headers: vec![Header::new("Authorization".to_owned(), format!("Bearer {HEADER}"))],
        start_fields: vec![
            StartField::with_text("attestation".to_owned(), FIELD.to_owned()),
            StartField::new("nested".to_owned(), format!(r#"[{{"a":"{NESTED_FIELD}"}}]"#)),
        ],
        correlator: None,
    };
    shown.add(&options);
    let flow = verifier.begin_with(number.to_owned(), options, Some(shown.clone()));
    shown.add(verifier);
    shown.add(&flow);
    match timeout(HANGS, flow.result()).await.expect("the flow hangs") {
        Ok(verification) => shown.add(&verification),
        Err(error) => {
            shown.add(&error);
            shown.add(error.to_string());
            shown.add(error.to_json());
        }
    }
    shown.add(flow.trace());
    shown.add(flow.trace().to_json());
    shown.add(flow.trace().to_table());
    shown.add(flow.trace().explain());
    let shown = shown.text();
    assert!(shown.contains("total_ms"), "{shown}");
    shown
}

/// The secrets of every verification here.
fn secrets() -> Vec<String> {
    let numbers = [NUMBER, OTHER_NUMBER].map(|number| number.trim_start_matches('+').to_owned());
    [numbers.to_vec(), [HEADER, FIELD, NESTED_FIELD].map(str::to_owned).to_vec()].concat()
}

#[tokio::test]
async fn verifications_leak_no_secrets() {
    captured::start();
    let known = Options::default;
    let unknown = || Options { sims: vec![Sim::new(Ipv4Addr::new(10, 0, 0, 0).into(), 8, NUMBER)], ..known() };
    let mut secrets = secrets();
    for operator in Operator::ALL {
        for delivery in [CodeDelivery::Relay, CodeDelivery::FollowThrough, CodeDelivery::NoCode] {
            for (options, number) in [(known(), NUMBER), (known(), OTHER_NUMBER), (unknown(), NUMBER)] {
                for base in
                    [Simulator::backend_url, Simulator::backend_url_redirecting, Simulator::backend_url_with_page]
                {
                    let simulator = Simulator::start(options.clone()).unwrap();
                    let mut config = config(&simulator, base(&simulator, operator));
                    config.code_delivery = delivery;
                    config.headers.push(Header::new("X-App".to_owned(), "header-of-the-app".to_owned()));
                    let name = format!("operator {operator}, {delivery:?}");
                    let debug = format!("{config:?}");
                    let (verifier, _) = verifier(config);
                    let shown = show(&verifier, number).await;
                    let planted = simulator.secrets();
                    assert!(planted.len() >= 4, "{name}: {planted:?}");
                    secrets.extend(planted);
                    secrets.push("header-of-the-app".to_owned());
                    captured::assert_without(&shown, &secrets, &name);
                    captured::assert_without(&debug, &secrets, &name);
                }
            }
        }
    }
    captured::assert_without(&captured::text(), &secrets, "the log");
}

/// Texts from a broken backend are not reported or logged.
#[tokio::test]
async fn broken_backend_leaks_no_secrets() {
    captured::start();
    let mut secrets = secrets();
    secrets.extend(["c4n4ry-state", "c4n4ry-session", "c4n4ry-cookie", "c4n4ry-text"].map(str::to_owned));
    let cookie = "Set-Cookie: sid=c4n4ry-cookie; Path=/\r\n";
    let start =
        |auth_url: &str| response(200, cookie, &format!(r#"{{"authUrl":"{auth_url}","session":"c4n4ry-session"}}"#));
    // A name server that refuses all packets: this socket accepts them from itself only.
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap();
    closed.connect(closed.local_addr().unwrap()).unwrap();
    for (name, first) in [
        ("problem", response(400, cookie, &format!(r#"{{"title":"c4n4ry-text {NUMBER}","fallback":"c4n4ry-text"}}"#))),
        ("page", ok(&format!("<title>c4n4ry-text {NUMBER}</title>"))),
        ("relative auth URL", start("/authorize?state=c4n4ry-state")),
        ("http auth URL", start("http://op.test/?state=c4n4ry-state")),
        ("auth URL of an unknown host", start("https://unknown.test/?state=c4n4ry-state")),
        ("redirect", response(302, &format!("{cookie}Location: https://unknown.test/?state=c4n4ry-state\r\n"), "")),
    ] {
        let simulator = Simulator::start(Options::default()).unwrap();
        let backend = Scripted::responding([first]);
        let mut config: Config = config(&simulator, backend.url());
        config.development.dns_servers.push(closed.local_addr().unwrap().to_string());
        config.deadlines.overall_ms = 2_000;
        let (verifier, _) = verifier(config);
        let shown = show(&verifier, NUMBER).await;
        captured::assert_without(&shown, &secrets, name);
    }
    captured::assert_without(&captured::text(), &secrets, "the log");
}

/// A host name that contains a secret must be resolved, and the DNS client on Linux logs the names
/// that it resolves (phones do not use it); the output of the flow does not contain the secret.
#[tokio::test]
async fn secret_in_a_host_name_is_masked() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let auth_url = "https://h0st-state.test/?state=h0st-state";
    let backend = Scripted::responding([ok(&format!(r#"{{"authUrl":"{auth_url}"}}"#))]);
    let mut config = config(&simulator, backend.url());
    config.development.resolve.push("h0st-state.test:443:127.0.0.1".to_owned());
    let (verifier, _) = verifier(config);
    let shown = show(&verifier, NUMBER).await;
    assert!(shown.contains("•••.test"), "{shown}");
    captured::assert_without(&shown, &["h0st-state".to_owned()], "a secret as a host name");
    captured::assert_without(&shown, &secrets(), "a secret as a host name");
}
