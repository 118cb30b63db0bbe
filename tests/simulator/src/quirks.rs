//! Quirks of operators' servers, written byte for byte. Each is an operator of the auth server: the
//! auth server redirects to its first hop, and most end at the auth server's callback.
//!
//! The quirks are taken from the field (docs/providers.md lists where they were seen) and from the
//! RFCs that allow them.

use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::rustls::ProtocolVersion;

use crate::faults::{self, Fault, with_sync};
use crate::hops::{self, Summary, tokens};
use crate::hosts::{MakeRouter, SimHost};
use crate::observe::{Received, redirect_to_app};
use crate::operators::back_to_auth;
use crate::scenarios::{
    ANOTHER_CHANNEL, LATER, Outcome, VERIFIED, authorization, http_status, refused, state_mismatch,
};
use crate::world::{Recorded, Transaction, World};

const LONGEST_HEAD: usize = 64 * 1024;
const SLOW: Duration = Duration::from_secs(1);

pub(crate) const HOST: SimHost = SimHost::https("quirks.simulator.test");
const IDN: SimHost = SimHost::https("xn--bcher-kva.simulator.test");
const IPV6: SimHost = SimHost::https_on_ipv6("ipv6.simulator.test");
const TLS12: SimHost = SimHost::https("tls12.simulator.test");
const BOTH: SimHost = SimHost::https_on_both("old.simulator.test");
/// These hosts are served below axum, by `converse`.
pub(crate) const HOSTS: [(SimHost, MakeRouter); 5] =
    [(HOST, nothing), (IDN, nothing), (IPV6, nothing), (TLS12, nothing), (BOTH, nothing)];

pub(crate) fn serves(host: SimHost) -> bool {
    HOSTS.iter().any(|(own, _)| *own == host)
}

/// Whether its TLS fails on the TLS 1.3 offer instead of declining it.
pub(crate) fn fails_on_tls13(host: &str) -> bool {
    host == TLS12.name
}

fn nothing(_: Arc<World>) -> Router {
    Router::new()
}

type Respond = fn(&Visit) -> Reply;

/// A quirk's name, the outcome of a flow with it, and its response to each request.
#[rustfmt::skip]
const QUIRKS: &[(&str, Outcome, Respond)] = &[
    ("moved-301", VERIFIED, |visit| redirect("301 Moved Permanently", &visit.done())),
    ("see-other-303", VERIFIED, |visit| redirect("303 See Other", &visit.done())),
    ("temporary-307", VERIFIED, |visit| redirect("307 Temporary Redirect", &visit.done())),
    ("permanent-308", VERIFIED, |visit| redirect("308 Permanent Redirect", &visit.done())),
    ("relative-locations", VERIFIED, relative_locations),
    ("uppercase-scheme", VERIFIED, |visit| found(&visit.done().replacen("https://auth", "HTTPS://AUTH", 1))),
    ("idn-host", VERIFIED, |visit| visit.once_to(&visit.at(IDN))),
    ("unicode-host", authorization("bad_location", ANOTHER_CHANNEL), |visit| found(&visit.at(IDN).replacen("xn--bcher-kva", "bücher", 1))),
    ("ipv6-only-host", VERIFIED, |visit| visit.once_to(&visit.at(IPV6))),
    ("another-port", VERIFIED, another_port),
    ("cookies-gate-the-next-hop", VERIFIED, cookies_gate_the_next_hop),
    ("cookie-deleted-with-an-odd-date", VERIFIED, cookie_deleted_with_an_odd_date),
    ("cookie-with-a-latin-1-byte", VERIFIED, cookie_with_a_latin_1_byte),
    ("tls-1.2-only", VERIFIED, |visit| visit.once_to(&visit.at(TLS12))),
    ("state-escaped-twice", VERIFIED, |visit| visit.to_app(|code, state| format!("code={code}&state={}", escaped_twice(state)))),
    ("code-without-state", state_mismatch(), |visit| visit.to_app(|code, _| format!("code={code}"))),
    ("refusal-without-state", refused("access_denied"), |visit| visit.to_app(|_, _| "error=access_denied".to_owned())),
    ("false-error-beside-a-code", VERIFIED, |visit| visit.to_app(|code, state| format!("code={code}&state={state}&error=false"))),
    ("form-page", authorization("unexpected_page", ANOTHER_CHANNEL), |_| page("Sign in", "<form method=post action=/go><input name=msisdn></form>")),
    ("script-page", authorization("unexpected_page", ANOTHER_CHANNEL), |_| page("One moment", "<script>location = '/go'</script>")),
    ("meta-refresh-page", authorization("unexpected_page", ANOTHER_CHANNEL), |_| page("Redirecting", "<meta http-equiv=refresh content='0; url=/go'>")),
    ("empty-200", authorization("unexpected_page", ANOTHER_CHANNEL), |_| Reply::new("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")),
    ("no-content-204", authorization("unexpected_page", ANOTHER_CHANNEL), |_| Reply::new("HTTP/1.1 204 No Content\r\n\r\n")),
    ("gzip-json", VERIFIED, gzip_json),
    ("gzip-bomb", authorization("too_large", ANOTHER_CHANNEL), |_| coded("gzip", &gzip(&vec![b' '; 1024 * 1024]))),
    ("brotli-json", authorization("malformed_response", ANOTHER_CHANNEL), |visit| coded("br", &stored_brotli(visit.json().as_bytes()))),
    ("label-that-is-no-coding", VERIFIED, |visit| coded("UTF-8", visit.json().as_bytes())),
    ("bytes-after-gzip", VERIFIED, |visit| coded("gzip", &[gzip(visit.json().as_bytes()), b"\r\n<!-- gw3 -->".to_vec()].concat())),
    ("nul-after-json", VERIFIED, |visit| coded("identity", format!("{}\0", visit.json()).as_bytes())),
    ("folded-lines", VERIFIED, |visit| odd_found(visit, "HTTP/1.1 302 Found", "Location:\r\n ", "X-Via: a,\r\n\tb\r\n")),
    ("lines-that-are-no-fields", VERIFIED, |visit| odd_found(visit, "HTTP/1.1 302 Found", "PHP Warning: x on line 3\r\n<br />\r\nLocation: ", "X-Frame-Options : DENY\r\n")),
    ("sloppy-status-line", VERIFIED, |visit| odd_found(visit, "http/1.1  302", "Location: ", "Content-Length: 0\r\n")),
    ("contradictory-framing", VERIFIED, |visit| odd_found(visit, "HTTP/1.0 302 Found", "Location: ", "Transfer-Encoding: chunked\r\nContent-Length: -1\r\n")),
    ("contradictory-framing-json", authorization("malformed_response", ANOTHER_CHANNEL), |visit| Reply::new(&format!("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}", visit.json()))),
    ("http-1.0", VERIFIED, http_1_0),
    ("connection-close", VERIFIED, connection_close),
    ("chunked-with-trailers", VERIFIED, chunked_with_trailers),
    ("early-1xx", VERIFIED, early_1xx),
    ("slow-first-byte", VERIFIED, |visit| Reply { pace: Pace::After(SLOW), ..found(&visit.done()) }),
    ("trickled-answer", VERIFIED, |visit| Reply { pace: Pace::Trickle, ..found(&visit.done()) }),
    ("large-redirect-page", VERIFIED, large_redirect_page),
    ("redirect-without-length", VERIFIED, redirect_without_length),
    ("blanks-in-location", VERIFIED, blanks_in_location),
    ("blank-location", authorization("bad_location", ANOTHER_CHANNEL), |_| found(" ")),
    ("endless-redirects", authorization("too_many_redirects", ANOTHER_CHANNEL), |visit| found(&visit.hop_path(visit.hop + 1))),
    ("redirect-loop", authorization("redirect_loop", ANOTHER_CHANNEL), |visit| found(&visit.hop_path(1))),
    ("no-location", authorization("bad_location", ANOTHER_CHANNEL), |_| Reply::new("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")),
    ("error-page-403", http_status(403, ANOTHER_CHANNEL), |_| error_page("403 Forbidden")),
    ("error-page-503", http_status(503, LATER), |_| error_page("503 Service Unavailable")),
    ("error-page-501", http_status(501, ANOTHER_CHANNEL), |_| error_page("501 Not Implemented")),
    (NEEDS_HINTS, http_status(403, ANOTHER_CHANNEL), needs_hints),
    (GIVES_HINTS, VERIFIED, needs_hints),
    ("hangs-up", authorization("closed", ANOTHER_CHANNEL), |_| Reply { end: End::Close, ..Reply::new("") }),
];

/// Rejects requests without the hints.
const NEEDS_HINTS: &str = "works-with-hints-only";
/// The same operator, with a backend whose start response contains the hints.
const GIVES_HINTS: &str = "hints-in-start-response";

/// The `hints` in the start response of a backend with this operator.
pub(crate) fn hints(quirk: &str) -> Option<Value> {
    let hint = json!({ "host": BOTH.name, "headers": { "Accept": PLAIN }, "addressFamily": "ipv4", "maxTls": "1.2" });
    (quirk == GIVES_HINTS).then(|| json!([hint]))
}

/// All names, each with the outcome of a flow.
pub(crate) fn all() -> impl Iterator<Item = (&'static str, Outcome)> {
    QUIRKS.iter().map(|(name, outcome, _)| (*name, *outcome))
}

pub(crate) fn exists(quirk: &str) -> bool {
    all().any(|(name, _)| name == quirk)
}

/// The URL of a quirk's first hop for a transaction of the auth server.
pub(crate) fn first_hop(world: &World, quirk: &str, state: &str) -> String {
    format!("{}/{quirk}/1?state={state}", world.https(HOST))
}

// ---- responses ---------------------------------------------------------------------------------------------------------------

/// A file name, a path, a URL without a scheme, a query: RFC 3986, section 4.2.
fn relative_locations(visit: &Visit) -> Reply {
    match (visit.hop, visit.query.contains("again")) {
        (1, false) => found(&format!("2?state={}", visit.state)),
        (2, false) => found(&format!("/relative-locations/x/../3?state={}", visit.state)),
        (3, false) => found(&format!("//{}", visit.at(HOST).trim_start_matches("https://"))),
        (4, false) => found(&format!("?again&state={}", visit.state)),
        (4, true) => found(&visit.done()),
        _ => error_page("404 Not Found"),
    }
}

/// Redirects to the same host, where only the other port continues.
fn another_port(visit: &Visit) -> Reply {
    let authority = format!("{}:{}", HOST.name, visit.world.other_https_port);
    let is_there = visit.headers.get(header::HOST).is_some_and(|host| host.as_bytes() == authority.as_bytes());
    match visit.hop {
        1 => found(&format!("https://{authority}{}", visit.hop_path(2))),
        _ if is_there => found(&visit.done()),
        _ => error_page("404 Not Found"),
    }
}

/// Only for clients that accept gzip.
fn gzip_json(visit: &Visit) -> Reply {
    let accepted = visit.headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    if accepted.is_some_and(|codings| codings.contains("gzip")) {
        coded("gzip", &gzip(visit.json().as_bytes()))
    } else {
        error_page("406 Not Acceptable")
    }
}

/// RFC 7932 with an uncompressed meta-block, for up to 256 bytes.
fn stored_brotli(data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(data.len().saturating_sub(1)).unwrap_or(u8::MAX);
    let head = [0x0b | (length & 1) << 7, length >> 1, 0x80];
    [head.as_slice(), data, &[0x03]].concat()
}

const PLAIN: &str = "application/json";

/// Its second host knows no SIM over IPv6, and its old gateway accepts only its own type of client.
fn needs_hints(visit: &Visit) -> Reply {
    let suits = [
        visit.headers.get(header::ACCEPT).is_some_and(|accept| accept == PLAIN),
        visit.peer.is_ipv4(),
        visit.tls_version == Some(ProtocolVersion::TLSv1_2),
    ];
    match visit.hop {
        1 => found(&visit.at(BOTH)),
        _ if suits == [true; 3] => found(&visit.done()),
        _ => error_page("403 Forbidden"),
    }
}

/// RFC 6265: both cookies must be returned, on this path only.
fn cookies_gate_the_next_hop(visit: &Visit) -> Reply {
    if visit.hop == 1 {
        return Reply::new(&format!(
            "HTTP/1.1 302 Found\r\nLocation: {}\r\nSet-Cookie: gate=one; Path=/cookies-gate-the-next-hop; Secure\r\n\
             Set-Cookie: door={}; HttpOnly; SameSite=Lax\r\nset-cookie: elsewhere=1; Path=/elsewhere\r\nContent-Length: 0\r\n\r\n",
            visit.hop_path(2),
            visit.state,
        ));
    }
    let cookies = visit.headers.get(header::COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut cookies: Vec<_> = cookies.split("; ").collect();
    cookies.sort_unstable();
    if cookies == [&format!("door={}", visit.state), "gate=one"] {
        found(&visit.done())
    } else {
        error_page("403 Forbidden")
    }
}

/// RFC 6265, section 5.1.1: a two-digit year, other separators.
fn cookie_deleted_with_an_odd_date(visit: &Visit) -> Reply {
    let with_cookie = |cookie: &str| {
        let next = visit.hop_path(visit.hop + 1);
        Reply::new(&format!(
            "HTTP/1.1 302 Found\r\nLocation: {next}\r\nSet-Cookie: {cookie}\r\nContent-Length: 0\r\n\r\n"
        ))
    };
    let has_cookie = visit.headers.contains_key(header::COOKIE);
    match visit.hop {
        1 => with_cookie("gate=shut; Path=/"),
        2 if has_cookie => with_cookie("gate=; Path=/; Expires=Thu, 01-Jan-70 00:00:00 GMT"),
        3 if !has_cookie => found(&visit.done()),
        _ => error_page("403 Forbidden"),
    }
}

/// RFC 6265, section 5.4: the cookie must be returned byte for byte.
fn cookie_with_a_latin_1_byte(visit: &Visit) -> Reply {
    const COOKIE: &[u8] = b"place=K\xf6ln";
    if visit.hop > 1 {
        let is_same = visit.headers.get(header::COOKIE).is_some_and(|cookie| cookie.as_bytes() == COOKIE);
        return if is_same { found(&visit.done()) } else { error_page("403 Forbidden") };
    }
    let head = format!("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\nSet-Cookie: ", visit.hop_path(2));
    Reply { bytes: [head.as_bytes(), COOKIE, b"\r\n\r\n"].concat(), ..Reply::new("") }
}

fn escaped_twice(text: &str) -> String {
    text.bytes().map(|byte| format!("%25{byte:02X}")).collect::<Vec<_>>().concat()
}

/// No length: the end of the connection is the end of the body (RFC 9112, section 6.3).
fn http_1_0(visit: &Visit) -> Reply {
    let text = match visit.hop {
        1 => format!("HTTP/1.0 302 Found\r\nLocation: {}\r\n\r\n<html>moved</html>", visit.hop_path(2)),
        _ => format!("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n{}", visit.json()),
    };
    Reply { end: End::Close, ..Reply::new(&text) }
}

/// Nothing more is sent on that connection, which stays open: a client that ignores the header
/// waits in vain.
fn connection_close(visit: &Visit) -> Reply {
    let next = if visit.hop < 4 { visit.hop_path(visit.hop + 1) } else { visit.done() };
    let text = format!("HTTP/1.1 302 Found\r\nLocation: {next}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    Reply { end: End::FallSilent, ..Reply::new(&text) }
}

/// A body that never ends, on a connection that stays open.
fn redirect_without_length(visit: &Visit) -> Reply {
    let next = if visit.hop == 1 { visit.hop_path(2) } else { visit.done() };
    Reply { end: End::FallSilent, ..Reply::new(&format!("HTTP/1.1 302 Found\r\nLocation: {next}\r\n\r\n<html>moved")) }
}

/// An unescaped space is part of the parameter.
fn blanks_in_location(visit: &Visit) -> Reply {
    match (visit.hop, visit.query.contains("a%20b")) {
        (1, _) => found(&format!("{}&text=a b", visit.hop_path(2))),
        (_, true) => found(&visit.done()),
        _ => error_page("404 Not Found"),
    }
}

/// RFC 9112, section 7.1.2, both on a redirect and on the final response.
fn chunked_with_trailers(visit: &Visit) -> Reply {
    let (status, location, body) = match visit.hop {
        1 => ("302 Found", format!("Location: {}\r\n", visit.hop_path(2)), "moved".to_owned()),
        _ => ("200 OK", "Content-Type: application/json\r\n".to_owned(), visit.json()),
    };
    let (first, second) = body.split_at(body.len() / 2);
    Reply::new(&format!(
        "HTTP/1.1 {status}\r\n{location}Transfer-Encoding: chunked\r\nTrailer: X-Digest\r\n\r\n\
         {:x};part=1\r\n{first}\r\n{:X}\r\n{second}\r\n0\r\nX-Digest: none\r\n\r\n",
        first.len(),
        second.len()
    ))
}

/// RFC 9110, section 15.2, and RFC 8297: none of them is the final response.
fn early_1xx(visit: &Visit) -> Reply {
    let response = found(&visit.done());
    let early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
    Reply { early: early.to_vec(), pace: Pace::After(SLOW), ..response }
}

/// Most of the page is never sent.
fn large_redirect_page(visit: &Visit) -> Reply {
    let page = "moved ".repeat(1024);
    let head = format!("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 10000000\r\n\r\n", visit.done());
    Reply { end: End::FallSilent, ..Reply::new(&(head + &page)) }
}

/// Two redirects over connections that end, the second one to the callback.
fn odd_found(visit: &Visit, status_line: &str, before_location: &str, fields: &str) -> Reply {
    let next = if visit.hop == 1 { visit.hop_path(2) } else { visit.done() };
    Reply { end: End::Close, ..Reply::new(&format!("{status_line}\r\n{before_location}{next}\r\n{fields}\r\n")) }
}

fn found(location: &str) -> Reply {
    redirect("302 Found", location)
}

fn redirect(status: &str, location: &str) -> Reply {
    Reply::new(&format!("HTTP/1.1 {status}\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"))
}

fn page(title: &str, content: &str) -> Reply {
    html("200 OK", title, content)
}

fn error_page(status: &str) -> Reply {
    html(status, status, "")
}

fn html(status: &str, title: &str, content: &str) -> Reply {
    let body = format!("<!doctype html><html><head><title>{title}</title></head><body>{content}</body></html>");
    let length = body.len();
    Reply::new(&format!("HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\r\n{body}"))
}

fn coded(coding: &str, body: &[u8]) -> Reply {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    Reply { bytes: [head.as_bytes(), body].concat(), ..Reply::new("") }
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(data).and_then(|()| encoder.finish());
    written.unwrap_or_default()
}

/// The bytes sent over the connection, and their timing.
struct Reply {
    early: Vec<u8>,
    bytes: Vec<u8>,
    pace: Pace,
    end: End,
}

enum Pace {
    AtOnce,
    /// After the early bytes.
    After(Duration),
    /// Each byte in a separate segment.
    Trickle,
}

/// The state of the connection afterwards.
#[derive(PartialEq, Eq)]
enum End {
    KeepAlive,
    Close,
    /// It stays open, and nothing more is sent.
    FallSilent,
}

impl Reply {
    fn new(text: &str) -> Self {
        Self { early: Vec::new(), bytes: text.as_bytes().to_vec(), pace: Pace::AtOnce, end: End::KeepAlive }
    }

    /// The status and the headers, as read by a client that accepts all of these heads.
    fn head(&self) -> Option<(u16, HeaderMap)> {
        let text = String::from_utf8_lossy(&self.bytes).replace("\r\n ", " ");
        let mut lines = text.lines().take_while(|line| !line.is_empty());
        let status = lines.next()?.split_whitespace().nth(1)?.parse().ok()?;
        let headers = lines.filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((HeaderName::try_from(name.trim_end()).ok()?, HeaderValue::from_bytes(value.trim().as_bytes()).ok()?))
        });
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        Some((status, map))
    }

    async fn send(&self, stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        stream.write_all(&self.early).await?;
        stream.flush().await?;
        match self.pace {
            Pace::AtOnce => {}
            Pace::After(pause) => tokio::time::sleep(pause).await,
            Pace::Trickle => {
                for byte in &self.bytes {
                    stream.write_all(&[*byte]).await?;
                    stream.flush().await?;
                }
                return Ok(());
            }
        }
        stream.write_all(&self.bytes).await?;
        stream.flush().await
    }
}

/// One request to a quirk.
struct Visit<'a> {
    world: &'a World,
    peer: IpAddr,
    tls_version: Option<ProtocolVersion>,
    path: String,
    quirk: String,
    hop: u32,
    query: String,
    state: String,
    headers: HeaderMap,
}

impl Visit<'_> {
    fn received(&self, host: SimHost) -> Received<'_> {
        let Self { peer, tls_version: tls, path, query, headers, .. } = self;
        Received { host, peer: *peer, tls: *tls, method: "GET", path, query, headers, body: &[] }
    }

    /// Through this URL to the callback.
    fn once_to(&self, second_hop: &str) -> Reply {
        found(&if self.hop == 1 { second_hop.to_owned() } else { self.done() })
    }

    fn hop_path(&self, hop: u32) -> String {
        format!("/{}/{hop}?state={}", self.quirk, self.state)
    }

    /// The next hop on another host.
    fn at(&self, host: SimHost) -> String {
        format!("{}{}", self.world.https(host), self.hop_path(self.hop + 1))
    }

    /// The auth server's callback, with a code.
    fn done(&self) -> String {
        back_to_auth(self.world, self.peer, &self.state)
    }

    /// The response in JSON, as the auth server would send it.
    fn json(&self) -> String {
        let (code, transaction) = self.grant();
        json!({ "code": code, "state": transaction.map(|transaction| transaction.state) }).to_string()
    }

    /// Bypasses the auth server, with these parameters of a code and the state.
    fn to_app(&self, parameters: impl FnOnce(&str, &str) -> String) -> Reply {
        let (code, transaction) = self.grant();
        match transaction {
            Some(Transaction { redirect_uri: Some(uri), state, .. }) => {
                found(&format!("{uri}?{}", parameters(&code, &state)))
            }
            _ => error_page("404 Not Found"),
        }
    }

    fn grant(&self) -> (String, Option<Transaction>) {
        let number = self.world.sim(self.peer).unwrap_or_default();
        let mut known = self.world.lock();
        let mut transaction = known.transactions.remove(&self.state);
        if let Some(transaction) = transaction.as_mut().filter(|_| faults::current() == Some(Fault::WrongState)) {
            transaction.state = faults::wrong_state();
        }
        (known.grant(number), transaction)
    }
}

// ---- serving -----------------------------------------------------------------------------------------------------------------

/// Responds to the requests of one connection, one after another. A disconnecting client is not an
/// error.
pub(crate) async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    host: SimHost,
    peer: IpAddr,
    tls_version: Option<ProtocolVersion>,
    world: &World,
) {
    let mut received = Vec::new();
    while let Some(visit) = next_request(&mut stream, &mut received, peer, world).await {
        let visit = Visit { tls_version, ..visit };
        let quirk = QUIRKS.iter().find(|(name, ..)| *name == visit.quirk);
        let observed = world.events.arrive(visit.received(host).arrival(world));
        let fault = observed.as_ref().and_then(|observed| observed.fault);
        let respond = || quirk.map_or_else(|| error_page("404 Not Found"), |(.., respond)| respond(&visit));
        let reply = with_sync(fault, respond);
        if let Some(observed) = &observed {
            world.events.learn(observed, tokens(&String::from_utf8_lossy(&reply.bytes)).collect());
        }
        let is_reset = fault == Some(Fault::Reset);
        let is_sent = !is_reset && reply.send(&mut stream).await.is_ok();
        if let Some(observed) = &observed {
            let (mut summary, mut outcome) = (Summary::default(), None);
            if let Some((status, headers)) = reply.head().filter(|_| !is_reset) {
                summary = Summary::new(status, &headers);
                outcome =
                    redirect_to_app(&headers, observed).and_then(|location| hops::Outcome::of_redirect(&location));
            }
            world.events.leave(observed, summary, outcome);
        }
        if !is_sent || reply.end == End::Close {
            break;
        }
        if reply.end == End::FallSilent {
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
            break;
        }
    }
    let _ = stream.shutdown().await;
}

async fn next_request<'a>(
    stream: &mut (impl AsyncRead + Unpin),
    received: &mut Vec<u8>,
    peer: IpAddr,
    world: &'a World,
) -> Option<Visit<'a>> {
    loop {
        if let Some((visit, length)) = parse(received, peer, world) {
            received.drain(..length);
            return Some(visit);
        }
        if received.len() > LONGEST_HEAD || stream.read_buf(received).await.ok()? == 0 {
            return None;
        }
    }
}

/// A complete request head and its length.
fn parse<'a>(received: &[u8], peer: IpAddr, world: &'a World) -> Option<(Visit<'a>, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = request.parse(received).ok()? else { return None };
    let headers: HeaderMap = request
        .headers
        .iter()
        .filter_map(|header| {
            Some((HeaderName::try_from(header.name).ok()?, HeaderValue::from_bytes(header.value).ok()?))
        })
        .collect();
    let (path, query) = request.path?.split_once('?').unwrap_or((request.path?, ""));
    let authority = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    world.lock().requests.push(Recorded {
        host: authority.rsplit_once(':').map_or(authority, |(host, _)| host).to_owned(),
        method: request.method?.to_owned(),
        path: path.to_owned(),
        https: true,
        peer,
        headers: headers.clone(),
    });
    let (quirk, hop) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
    let state = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "state");
    let visit = Visit {
        world,
        peer,
        tls_version: None,
        path: path.to_owned(),
        quirk: quirk.to_owned(),
        hop: hop.parse().unwrap_or_default(),
        query: query.to_owned(),
        state: state.map(|(_, state)| state.into_owned()).unwrap_or_default(),
        headers,
    };
    Some((visit, length))
}
