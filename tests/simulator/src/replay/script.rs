//! What the servers of a replay do at each request, derived from the trace.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ClientChanges, NotReplayable};

/// A longer delay would only make the replay slower.
const LONGEST_DELAY: Duration = Duration::from_millis(250);
/// The library's own limit on requests.
const MOST_HOPS: usize = 16;

/// Not a secret: the only verification of these servers.
pub(super) const STATE: &str = "replayed-state";
const CODE: &str = "replayed-code";
/// It has no server; its redirect is captured.
pub(super) const REDIRECT_URI: &str = "https://app.replay.test/callback";
pub(super) const BACKEND: &str = "backend.replay.test";
/// It has no address.
pub(super) const UNKNOWN_HOST: &str = "unknown.replay.test";

/// The name that stands for the recorded host at this index.
pub(super) fn stand_in(index: usize) -> String {
    format!("host-{}.replay.test", index + 1)
}

#[derive(Debug)]
pub(super) struct Script {
    /// The distinct recorded hosts, in order.
    pub(super) hosts: Vec<String>,
    pub(super) start: Call,
    pub(super) hops: Vec<Hop>,
    pub(super) complete: Call,
    pub(super) client: ClientChanges,
    /// The alert of the listener with broken TLS; without one, its certificate is not trusted.
    pub(super) alert: Option<u8>,
}

/// A call to the backend.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) delay: Duration,
    pub(super) instead: Option<Instead>,
}

/// What the backend does instead of its usual response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Instead {
    Unreachable,
    Tls,
    Silent,
    Response { status: u16, body: &'static str, retry_after_s: Option<u64> },
}

/// A request over the cellular network.
#[derive(Debug)]
pub(super) struct Hop {
    /// The index among the hosts.
    pub(super) host: usize,
    pub(super) https: bool,
    pub(super) delay: Duration,
    pub(super) connection: Connection,
    pub(super) response: Response,
}

/// The listener that the URL leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection {
    Usual,
    UnknownHost,
    Refused,
    BrokenTls,
    /// Accepted, and silent from then on.
    Silent,
}

#[derive(Debug)]
pub(super) enum Response {
    /// To the next hop.
    Redirect(u16),
    /// To the app with these parameters.
    ToApp(String),
    /// To any other URL; `None` for a missing Location.
    Elsewhere(Option<String>),
    /// To the first hop, exactly as the auth URL.
    ToTheStart,
    Json(Value),
    Page {
        status: u16,
        title: String,
    },
    TwoLengths,
    TooLarge,
    Close,
    Silence,
}

/// The ports of the listeners.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) https: u16,
    pub(super) http: u16,
    pub(super) broken_tls: u16,
    pub(super) silent: u16,
    pub(super) refused: u16,
}

impl Script {
    pub(super) fn of_trace(trace: &Value) -> Result<Self, NotReplayable> {
        if trace["version"] != 1 {
            return Err(NotReplayable::NotATrace("it has no `version` 1"));
        }
        let outcome = trace["outcome"].as_str().ok_or(NotReplayable::NotATrace("it has no `outcome`"))?;
        let recorded = trace["hops"].as_array().ok_or(NotReplayable::NotATrace("it has no `hops`"))?;
        let mut hosts = Vec::new();
        let mut hops: Vec<_> = recorded.iter().take(MOST_HOPS).map(|hop| Hop::of(hop, &mut hosts)).collect();
        // The last response of a complete chain has the code.
        let is_complete = outcome != "failed" || trace["error"]["step"] == "complete";
        let is_json = recorded.last().is_some_and(|hop| hop["status"].as_u64() == Some(200));
        if let Some(last) = hops.last_mut().filter(|_| is_complete) {
            let code = json!({ "code": CODE, "state": STATE });
            last.response =
                if is_json { Response::Json(code) } else { Response::ToApp(format!("code={CODE}&state={STATE}")) };
        }
        let [start, complete] =
            ["start_ms", "complete_ms"].map(|name| Call { delay: delay(&trace[name]), instead: None });
        let mut script = Self { hosts, start, hops, complete, client: ClientChanges::default(), alert: None };
        match outcome {
            "verified" => script.completes_with(r#"{"verified":true}"#),
            "not_verified" => script.completes_with(r#"{"verified":false}"#),
            "retrieved" => {
                script.client.retrieves = true;
                script.completes_with(r#"{"phoneNumber":"+14155550100"}"#);
            }
            "failed" => script.fail(&trace["error"])?,
            _ => return Err(NotReplayable::NotATrace("its `outcome` is unknown")),
        }
        Ok(script)
    }

    fn completes_with(&mut self, body: &'static str) {
        self.complete.instead = Some(Instead::Response { status: 200, body, retry_after_s: None });
    }

    fn fail(&mut self, error: &Value) -> Result<(), NotReplayable> {
        let cause = error["cause"].as_str().unwrap_or_default();
        let on_the_phone = |why: &str| NotReplayable::NotOnAServer(why.to_owned());
        match error["kind"].as_str().unwrap_or_default() {
            "backend" => self.backend_fault(error, cause),
            "authorization" => self.authorization_fault(error, cause),
            "denied_by_operator" => {
                // A space is not permitted in an error code: it is then reported as absent.
                let code = error["detail"]["error"].as_str().unwrap_or("no code");
                let code: String = url::form_urlencoded::byte_serialize(code.as_bytes()).collect();
                self.at_hop(error, Response::ToApp(format!("error={code}&state={STATE}")))
            }
            "state_mismatch" => self.at_hop(error, Response::ToApp(format!("code={CODE}&state=other"))),
            "deadline_exceeded" => self.deadline(error),
            "cellular_unavailable" => Err(NotReplayable::NotOnAServer(format!(
                "`cellular_unavailable`, `{cause}`, is a state of the phone: no server can reproduce it"
            ))),
            "invalid_phone_number" | "invalid_config" => {
                Err(on_the_phone("the app passed an invalid value, and nothing was sent: no server can reproduce it"))
            }
            "cancelled" => Err(on_the_phone("the app cancelled the verification: no server can reproduce it")),
            "internal" => Err(on_the_phone("the library or the app failed: no server can reproduce it")),
            _ => Err(on_the_phone("this version does not know the kind of error")),
        }
    }

    fn backend_fault(&mut self, error: &Value, cause: &str) -> Result<(), NotReplayable> {
        let is_start = error["step"] == "start";
        let detail = &error["detail"];
        let fault = match cause {
            "unreachable" if is_start => Instead::Unreachable,
            "tls" if is_start => Instead::Tls,
            "timeout" => Instead::Silent,
            "status" => Instead::Response {
                status: status(&detail["status"], 500),
                body: "{}",
                retry_after_s: detail["retry_after_s"].as_u64(),
            },
            "malformed_answer" => {
                Instead::Response { status: status(&detail["status"], 200), body: "{}", retry_after_s: None }
            }
            "app_failed" => {
                return Err(NotReplayable::NotOnAServer(
                    "the app's own `Backend` failed: no server can reproduce it".to_owned(),
                ));
            }
            "unreachable" | "tls" => {
                return Err(NotReplayable::NotOnAServer(
                    "the backend failed after `start` had succeeded on the same host: the servers do not change meanwhile"
                        .to_owned(),
                ));
            }
            _ => return Err(NotReplayable::NotOnAServer(format!("this version does not know the cause `{cause}`"))),
        };
        let call = if is_start { &mut self.start } else { &mut self.complete };
        call.instead = Some(fault);
        Ok(())
    }

    fn authorization_fault(&mut self, error: &Value, cause: &str) -> Result<(), NotReplayable> {
        let recorded_status = |default| status(&error["detail"]["status"], default);
        let hop = self.failing(error)?;
        let title = hop.title().to_owned();
        let was_sent = hop.was_sent();
        let (connection, response) = match cause {
            "dns" => (Connection::UnknownHost, Response::Silence),
            "connect" => (Connection::Refused, Response::Silence),
            "tls" => (Connection::BrokenTls, Response::Silence),
            "timeout" if was_sent => (Connection::Usual, Response::Silence),
            "timeout" => (Connection::Silent, Response::Silence),
            "closed" => (Connection::Usual, Response::Close),
            "http_status" => (Connection::Usual, Response::Page { status: recorded_status(500), title }),
            "too_many_redirects" => (Connection::Usual, Response::Redirect(302)),
            "redirect_loop" => (Connection::Usual, Response::ToTheStart),
            "forbidden_redirect" => (Connection::Usual, Response::Elsewhere(Some("https://127.0.0.1/".to_owned()))),
            "bad_location" => (Connection::Usual, Response::Elsewhere(None)),
            "unexpected_page" => (Connection::Usual, Response::Page { status: 200, title }),
            "malformed_response" if error["fallback"] == "fix_integration" => {
                let other = format!("{REDIRECT_URI}/other?code={CODE}&state={STATE}");
                (Connection::Usual, Response::Elsewhere(Some(other)))
            }
            "malformed_response" => (Connection::Usual, Response::TwoLengths),
            "too_large" => (Connection::Usual, Response::TooLarge),
            _ => return Err(NotReplayable::NotOnAServer(format!("this version does not know the cause `{cause}`"))),
        };
        (hop.connection, hop.response) = (connection, response);
        // Loopback cannot delay a TCP connection: the TLS handshake is what times out.
        if matches!(connection, Connection::BrokenTls | Connection::Silent) {
            hop.https = true;
        }
        if cause == "tls" {
            self.alert = error["detail"]["alert"].as_str().and_then(alert);
        }
        if cause == "too_many_redirects" {
            // The last response is the redirect that exceeds the limit.
            self.client.redirect_limit = u8::try_from(self.hops.len().saturating_sub(1).max(1)).ok();
        }
        Ok(())
    }

    fn at_hop(&mut self, error: &Value, response: Response) -> Result<(), NotReplayable> {
        self.failing(error)?.response = response;
        Ok(())
    }

    /// The failing hop; it is the last one then.
    fn failing(&mut self, error: &Value) -> Result<&mut Hop, NotReplayable> {
        let index = error["hop"].as_u64().and_then(|hop| usize::try_from(hop).ok()).unwrap_or_default();
        self.hops.truncate(index);
        let is_recorded = self.hops.len() == index;
        self.hops
            .last_mut()
            .filter(|_| is_recorded)
            .ok_or(NotReplayable::NotATrace("it has no request with the number `error.hop`"))
    }

    fn deadline(&mut self, error: &Value) -> Result<(), NotReplayable> {
        // Delays could pass the deadline in an earlier step.
        for delay in self.hops.iter_mut().map(|hop| &mut hop.delay) {
            *delay = Duration::ZERO;
        }
        (self.start.delay, self.complete.delay) = (Duration::ZERO, Duration::ZERO);
        self.client.deadline = match error["step"].as_str() {
            Some("start") => {
                self.start.instead = Some(Instead::Silent);
                Some("start")
            }
            Some("acquire") => Some("acquire"),
            Some("authorize") => {
                let last = self.hops.last_mut().ok_or(NotReplayable::NotATrace("it has no requests"))?;
                last.response = Response::Silence;
                Some("authorize")
            }
            Some("complete") => {
                self.complete.instead = Some(Instead::Silent);
                Some("complete")
            }
            _ => return Err(NotReplayable::NotATrace("its error has no known `step`")),
        };
        Ok(())
    }
}

impl Hop {
    fn of(hop: &Value, hosts: &mut Vec<String>) -> Self {
        let name = hop["host"].as_str().unwrap_or_default();
        let host = hosts.iter().position(|host| host == name).unwrap_or_else(|| {
            hosts.push(name.to_owned());
            hosts.len() - 1
        });
        let response = match hop["page_title"].as_str() {
            Some(title) => Response::Page { status: status(&hop["status"], 200), title: title.to_owned() },
            None if hop["status"].is_null() && hop["first_byte_ms"].is_null() => Response::Silence,
            None => Response::Redirect(status(&hop["status"], 302)),
        };
        let https = hop["scheme"] != "http";
        Self { host, https, delay: delay(&hop["first_byte_ms"]), connection: Connection::Usual, response }
    }

    fn title(&self) -> &str {
        match &self.response {
            Response::Page { title, .. } => title,
            _ => "",
        }
    }

    /// Whether the recorded request was sent: the servers waited for it, or responded.
    fn was_sent(&self) -> bool {
        !matches!(self.response, Response::Silence)
    }
}

fn delay(ms: &Value) -> Duration {
    Duration::from_millis(ms.as_u64().unwrap_or_default()).min(LONGEST_DELAY)
}

fn status(value: &Value, default: u16) -> u16 {
    value.as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(default)
}

/// The alerts of RFC 8446, section 6, that a server may send during the handshake. Not those after
/// which the library repeats the handshake with TLS 1.2, unless that fails in the same way, as it
/// does here.
fn alert(name: &str) -> Option<u8> {
    Some(match name {
        "handshake_failure" => 40,
        "bad_certificate" => 42,
        "unsupported_certificate" => 43,
        "certificate_revoked" => 44,
        "certificate_expired" => 45,
        "certificate_unknown" => 46,
        "illegal_parameter" => 47,
        "unknown_ca" => 48,
        "access_denied" => 49,
        "decode_error" => 50,
        "decrypt_error" => 51,
        "protocol_version" => 70,
        "insufficient_security" => 71,
        "internal_error" => 80,
        "missing_extension" => 109,
        "unsupported_extension" => 110,
        "unrecognized_name" => 112,
        "no_application_protocol" => 120,
        _ => return None,
    })
}
