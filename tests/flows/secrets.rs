//! No code, number, state, nonce, session or cookie value reaches a log, an error, a trace or a printed form: in flows that end
//! well and in flows that do not, with everything logged at trace level.

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
use crate::scripted::{Scripted, answer, ok};

/// Canaries in the options of each verification.
const HEADER: &str = "c4n4ry-option-header";
const FIELD: &str = "c4n4ry-start-field";
const NESTED_FIELD: &str = "c4n4ry-nested-field";

/// All that a flow shows.
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

/// In every verification here.
fn secrets() -> Vec<String> {
    let numbers = [NUMBER, OTHER_NUMBER].map(|number| number.trim_start_matches('+').to_owned());
    [numbers.to_vec(), [HEADER, FIELD, NESTED_FIELD].map(str::to_owned).to_vec()].concat()
}

#[tokio::test]
async fn flows_with_the_simulator() {
    captured::start();
    let at_home = Options::default;
    let abroad = || Options { sims: vec![Sim::new(Ipv4Addr::new(10, 0, 0, 0).into(), 8, NUMBER)], ..at_home() };
    let mut secrets = secrets();
    for operator in Operator::ALL {
        for delivery in [CodeDelivery::Relay, CodeDelivery::FollowThrough, CodeDelivery::NoCode] {
            for (options, number) in [(at_home(), NUMBER), (at_home(), OTHER_NUMBER), (abroad(), NUMBER)] {
                for base in
                    [Simulator::backend_url, Simulator::backend_url_redirecting, Simulator::backend_url_with_page]
                {
                    let simulator = Simulator::start(options.clone()).unwrap();
                    let mut config = config(&simulator, base(&simulator, operator));
                    config.code_delivery = delivery;
                    config.headers.push(Header::new("X-App".to_owned(), "header-of-the-app".to_owned()));
                    let name = format!("operator {operator}, {delivery:?}");
                    let printed = format!("{config:?}");
                    let (verifier, _) = verifier(config);
                    let shown = show(&verifier, number).await;
                    let planted = simulator.secrets();
                    assert!(planted.len() >= 4, "{name}: {planted:?}");
                    secrets.extend(planted);
                    secrets.push("header-of-the-app".to_owned());
                    captured::assert_without(&shown, &secrets, &name);
                    captured::assert_without(&printed, &secrets, &name);
                }
            }
        }
    }
    captured::assert_without(&captured::text(), &secrets, "the log");
}

/// What a broken backend says comes from it, and goes nowhere.
#[tokio::test]
async fn flows_with_a_broken_backend() {
    captured::start();
    let mut secrets = secrets();
    secrets.extend(["c4n4ry-state", "c4n4ry-session", "c4n4ry-cookie", "c4n4ry-text"].map(str::to_owned));
    let cookie = "Set-Cookie: sid=c4n4ry-cookie; Path=/\r\n";
    let start =
        |auth_url: &str| answer(200, cookie, &format!(r#"{{"authUrl":"{auth_url}","session":"c4n4ry-session"}}"#));
    // Refuses what others send to it: its only peer is itself.
    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap();
    nobody.connect(nobody.local_addr().unwrap()).unwrap();
    for (name, first) in [
        ("problem", answer(400, cookie, &format!(r#"{{"title":"c4n4ry-text {NUMBER}","fallback":"c4n4ry-text"}}"#))),
        ("page", ok(&format!("<title>c4n4ry-text {NUMBER}</title>"))),
        ("relative auth URL", start("/authorize?state=c4n4ry-state")),
        ("http auth URL", start("http://op.test/?state=c4n4ry-state")),
        ("auth URL of nobody", start("https://nobody.test/?state=c4n4ry-state")),
        ("redirect", answer(302, &format!("{cookie}Location: https://nobody.test/?state=c4n4ry-state\r\n"), "")),
    ] {
        let simulator = Simulator::start(Options::default()).unwrap();
        let backend = Scripted::answering([first]);
        let mut config: Config = config(&simulator, backend.url());
        config.development.dns_servers.push(nobody.local_addr().unwrap().to_string());
        config.deadlines.overall_ms = 2_000;
        let (verifier, _) = verifier(config);
        let shown = show(&verifier, NUMBER).await;
        captured::assert_without(&shown, &secrets, name);
    }
    captured::assert_without(&captured::text(), &secrets, "the log");
}

/// A host name that holds a secret has to be looked up, and the DNS client that Linux needs logs the names that it asks for (phones have
/// none of it); what the flow itself shows has no part of it.
#[tokio::test]
async fn a_secret_as_a_host_name() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let auth_url = "https://h0st-state.test/?state=h0st-state";
    let backend = Scripted::answering([ok(&format!(r#"{{"authUrl":"{auth_url}"}}"#))]);
    let mut config = config(&simulator, backend.url());
    config.development.resolve.push("h0st-state.test:443:127.0.0.1".to_owned());
    let (verifier, _) = verifier(config);
    let shown = show(&verifier, NUMBER).await;
    assert!(shown.contains("•••.test"), "{shown}");
    captured::assert_without(&shown, &["h0st-state".to_owned()], "a secret as a host name");
    captured::assert_without(&shown, &secrets(), "a secret as a host name");
}
