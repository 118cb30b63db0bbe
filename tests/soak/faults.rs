//! The faults of one verification, and the only result allowed for each.

use number_verify::BackendError;

use crate::server::Reply;

pub enum Fault {
    Start(Call),
    Complete(Call),
    /// A hop's response instead of its redirect.
    Hop(fn() -> Reply),
    /// The same for the first request, not for its retry.
    HopOnce(fn() -> Reply),
    /// The target of a hop's redirect instead of the next hop.
    Redirect(fn(&Hop<'_>) -> String),
}

/// The outcome of a call to the backend.
pub enum Call {
    Fails(BackendError),
    Hangs,
    /// The response, or the auth URL in it.
    Returns(&'static str),
}

/// A request of a verification.
pub struct Hop<'a> {
    pub number: u8,
    /// The URL without its query.
    pub url: &'a str,
    /// Identifies the verification.
    pub query: &'a str,
    pub state: &'a str,
}

impl Hop<'_> {
    /// The next hop, on this host.
    fn next_on(&self, host: &str) -> String {
        format!("https://{host}/{}?{}", self.number + 1, self.query)
    }
}

pub const VERIFIED: &str = "verified";
pub const NOT_VERIFIED: &str = "not_verified";

const HALF_A_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Le";
const HALF_A_BODY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{\"code\":\"half";

#[rustfmt::skip] // one row, one line
pub const FAULTS: [(&str, Fault, &str); 36] = [
    ("start: unreachable", Fault::Start(Call::Fails(BackendError::Unreachable)), "backend/unreachable"),
    ("start: status 503", Fault::Start(Call::Fails(BackendError::Status { status: 503, advice: None, retry_after_s: None })), "backend/status"),
    ("start: fails", Fault::Start(Call::Fails(BackendError::Failed)), "backend/app_failed"),
    ("start: hangs", Fault::Start(Call::Hangs), "backend/timeout"),
    ("start: no URL", Fault::Start(Call::Returns("none")), "backend/malformed_answer"),
    ("start: unknown host", Fault::Start(Call::Returns("https://unknown.example.test/1")), "authorization/dns"),
    ("reset", Fault::Hop(|| Reply::Reset), "authorization/closed"),
    ("closed", Fault::Hop(|| Reply::SendAndClose(Vec::new())), "authorization/closed"),
    ("vanished", Fault::Hop(|| Reply::SendAndVanish(Vec::new())), "authorization/closed"),
    ("vanished in the head", Fault::Hop(|| Reply::SendAndVanish(HALF_A_HEAD.into())), "authorization/closed"),
    ("vanished in the body", Fault::Hop(|| Reply::SendAndVanish(HALF_A_BODY.into())), "authorization/closed"),
    ("stalled", Fault::Hop(|| Reply::SendAndStall(Vec::new())), "authorization/timeout"),
    ("stalled in the head", Fault::Hop(|| Reply::SendAndStall(HALF_A_HEAD.into())), "authorization/timeout"),
    ("stalled in the body", Fault::Hop(|| Reply::SendAndStall(HALF_A_BODY.into())), "authorization/timeout"),
    ("garbage", Fault::Hop(|| Reply::Send(b"\x01\x02 nonsense\r\n\r\n".into())), "authorization/malformed_response"),
    ("too large", Fault::Hop(too_large), "authorization/too_large"),
    ("page", Fault::Hop(|| page("200 OK")), "authorization/unexpected_page"),
    ("status 500", Fault::Hop(|| page("500 Broken")), "authorization/http_status"),
    ("redirect to nowhere", Fault::Hop(|| page("302 Found")), "authorization/bad_location"),
    ("reset once", Fault::HopOnce(|| Reply::Reset), VERIFIED),
    ("closed once", Fault::HopOnce(|| Reply::SendAndClose(Vec::new())), VERIFIED),
    ("vanished once", Fault::HopOnce(|| Reply::SendAndVanish(Vec::new())), VERIFIED),
    ("loop", Fault::Redirect(|hop| format!("{}?{}", hop.url, hop.query)), "authorization/redirect_loop"),
    ("forbidden", Fault::Redirect(|_| "https://127.0.0.1/".to_owned()), "authorization/forbidden_redirect"),
    ("refused", Fault::Redirect(|hop| hop.next_on("refused.example.test")), "authorization/connect"),
    ("black hole", Fault::Redirect(|hop| hop.next_on("silent.example.test")), "authorization/timeout"),
    ("unknown host", Fault::Redirect(|hop| hop.next_on("unknown.example.test")), "authorization/dns"),
    ("no TLS", Fault::Redirect(|hop| hop.next_on("no-tls.example.test")), "authorization/tls"),
    ("certificate of another host", Fault::Redirect(|hop| hop.next_on("elsewhere.test")), "authorization/tls"),
    ("old TLS", Fault::Redirect(|hop| hop.next_on("old.example.test")), VERIFIED),
    ("denied", Fault::Redirect(|hop| format!("https://app.example.test/cb?error=access_denied&state={}", hop.state)), "denied_by_operator"),
    ("other state", Fault::Redirect(|_| "https://app.example.test/cb?code=c&state=other".to_owned()), "state_mismatch"),
    ("complete: unreachable", Fault::Complete(Call::Fails(BackendError::Unreachable)), "backend/unreachable"),
    ("complete: hangs", Fault::Complete(Call::Hangs), "backend/timeout"),
    ("complete: malformed", Fault::Complete(Call::Returns("{}")), "backend/malformed_answer"),
    ("complete: no", Fault::Complete(Call::Returns(r#"{"verified":false}"#)), NOT_VERIFIED),
];

fn page(status: &str) -> Reply {
    Reply::Send(format!("HTTP/1.1 {status}\r\nContent-Length: 4\r\n\r\nPage").into())
}

fn too_large() -> Reply {
    Reply::Send(format!("HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n{}", "x".repeat(70_000)).into())
}
