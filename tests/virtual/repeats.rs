//! Which requests are retried after a reused connection has failed, and which never are: a code can
//! be used once (RFC 6749, section 4.1.2).

use std::sync::{Arc, Mutex};

use number_verify::CodeDelivery;

use crate::flow::{Outcome, Phone, Setting};
use crate::network::Reachability;
use crate::script::{CODE, STATE};
use crate::server::{Hosts, HttpRequest, Reply};

const HOST: &str = "app.example.test";

/// One host, one connection: `/auth` redirects to a path whose first request meets a fault.
struct OneHost {
    location: String,
    fault: Reply,
    requests: Mutex<Vec<String>>,
}

impl Hosts for OneHost {
    fn names(&self) -> Vec<String> {
        vec![HOST.to_owned()]
    }

    fn reachability(&self, _: &str) -> Reachability {
        Reachability::Open
    }

    fn respond(&self, request: &HttpRequest) -> Reply {
        let mut all = self.requests.lock().unwrap();
        all.push(request.target.split('?').next().unwrap().to_owned());
        match all.len() {
            1 => {
                let location = &self.location;
                let head = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
                Reply::Send(head.into())
            }
            2 => self.fault.clone(),
            _ => Reply::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{\"verified\":true}".to_vec()),
        }
    }
}

async fn flow(delivery: CodeDelivery, location: &str, fault: Reply) -> (Outcome, Vec<String>) {
    let host = Arc::new(OneHost { location: location.to_owned(), fault, requests: Mutex::default() });
    let redirect_uri = "https%3A%2F%2Fapp.example.test%2Fcb";
    let auth_url = format!("https://{HOST}/auth?state={STATE}&redirect_uri={redirect_uri}");
    let mut setting = Setting::new(host.clone(), auth_url);
    setting.config.code_delivery = delivery;
    let outcome = Phone::new(setting).verify().await;
    let requests = host.requests.lock().unwrap().clone();
    (outcome, requests)
}

fn faults() -> [(&'static str, Reply); 4] {
    [
        ("reset", Reply::Reset),
        ("closed", Reply::SendAndClose(Vec::new())),
        ("vanished", Reply::SendAndVanish(Vec::new())),
        ("stalled", Reply::SendAndStall(Vec::new())),
    ]
}

/// The backend may have received the code, so that `complete` fetches the result.
#[tokio::test(start_paused = true)]
async fn callback_without_a_response_is_not_repeated_and_complete_fetches_the_result() {
    let location = format!("/cb?code={CODE}&state={STATE}");
    for (name, fault) in faults() {
        let (outcome, requests) = flow(CodeDelivery::FollowThrough, &location, fault).await;
        assert_eq!(requests, ["/auth", "/cb"], "{name}");
        assert_eq!(outcome.result.as_ref().ok(), Some(&true), "{name}: {:?}", outcome.result);
        assert_eq!((outcome.completions, outcome.completed_with), (1, None), "{name}: complete has no code");
    }
}

#[tokio::test(start_paused = true)]
async fn request_with_the_code_is_never_repeated() {
    let with_code = format!("code={CODE}&state={STATE}");
    for location in [format!("/cb?{with_code}"), format!("/other?{with_code}")] {
        for (name, fault) in faults() {
            let (outcome, requests) = flow(CodeDelivery::NoCode, &location, fault).await;
            assert_eq!(requests.len(), 2, "{location} {name}: {requests:?}");
            assert!(outcome.result.is_err(), "{location} {name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn other_request_is_repeated_once() {
    for (name, fault) in faults() {
        let (_, requests) = flow(CodeDelivery::FollowThrough, "/hop", fault).await;
        let is_repeated = name != "stalled";
        assert_eq!(requests.len(), if is_repeated { 3 } else { 2 }, "{name}: {requests:?}");
    }
}

/// A request is retried once after the server's `Retry-After` time, if that time is short.
#[tokio::test(start_paused = true)]
async fn request_is_repeated_after_a_short_retry_after() {
    let busy = |status: &str, when: &str| {
        Reply::Send(format!("HTTP/1.1 {status}\r\n{when}Content-Length: 4\r\n\r\nbusy").into())
    };
    let past = "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    for (name, reply, is_retried) in [
        ("503", busy("503 Busy", "Retry-After: 1\r\n"), true),
        ("429", busy("429 Too Many Requests", "Retry-After: 2\r\n"), true),
        ("immediately", busy("503 Busy", "Retry-After: 0\r\n"), true),
        ("a date in the past", busy("503 Busy", past), true),
        ("later", busy("503 Busy", "Retry-After: 3\r\n"), false),
        ("no Retry-After", busy("503 Busy", ""), false),
        ("no time", busy("503 Busy", "Retry-After: soon\r\n"), false),
        ("another status", busy("500 Broken", "Retry-After: 1\r\n"), false),
    ] {
        let (outcome, requests) = flow(CodeDelivery::Relay, "/hop", reply.clone()).await;
        assert_eq!(requests.len(), if is_retried { 3 } else { 2 }, "{name}: {requests:?}");
        let expected = if is_retried { "unexpected_page" } else { "http_status" };
        assert_eq!(outcome.error_json()["cause"], expected, "{name}: the third response is a page");
        let with_code = format!("/other?code={CODE}&state={STATE}");
        let (_, requests) = flow(CodeDelivery::NoCode, &with_code, reply).await;
        assert_eq!(requests.len(), 2, "{name}: a code is not sent twice");
    }
}
