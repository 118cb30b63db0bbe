//! Responses of a server that sends some bytes and closes the connection: status, headers and body.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::LazyLock;
use std::time::Duration;

use http::HeaderMap;
use number_verify::internals::{
    AllowedHosts, Family, Limits, Network, NetworkError, Repeat, Restrictions, Threads, Timings, Tls, Transport,
    Unusable,
};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::{Builder, Runtime};
use url::Url;

use crate::text::{mutated, to_bytes, to_text, word, words};
use crate::{SAME, Subject};

pub fn subject() -> Subject {
    let word = |name| word(&format!("heads.{name}"));
    let line = |text: BoxedStrategy<String>| (text, word("line_end")).prop_map(|(text, end)| text + &end);
    let status = prop_oneof![6 => word("usual_status"), 1 => mutated(word("status"))];
    let field = prop_oneof![2 => mutated(word("field")), 1 => word("field"), 3 => word("framing")];
    let fields = vec(line(field.boxed()), 0..5).prop_map(|fields| fields.concat());
    let head =
        (line(status.boxed()), fields, word("line_end")).prop_map(|(status, fields, end)| status + &fields + &end);
    let early = prop_oneof![12 => Just(String::new()), 1 => words("heads.early", 3)];
    let parts = (early, head, mutated(word("body")), word("more"));
    let inputs = parts.prop_map(|(early, head, body, more)| Value::from(early + &head + &body + &more));
    Subject { name: "heads", inputs: inputs.boxed(), ours, class }
}

fn ours(input: &Value) -> Value {
    thread_local! {
        static RUNTIME: Runtime =
            Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    }
    let bytes = to_bytes(input);
    RUNTIME.with(|runtime| runtime.block_on(response(bytes)))
}

async fn response(bytes: Vec<u8>) -> Value {
    static TLS: LazyLock<Tls> = LazyLock::new(|| Tls::new(&[], None, Threads::new()).expect("TLS"));
    let limit = Duration::from_secs(5);
    let limits = Limits { connect: limit, response: limit, body: 4096 };
    let transport = Transport::new(Server(bytes), &TLS, limits, AllowedHosts::default());
    let url = Url::parse("http://op.test/").expect("a URL");
    let mut timings = Timings::default();
    let response = transport.get(&url, Restrictions::default(), HeaderMap::new(), Repeat::Never, &mut timings).await;
    let Ok(response) = response else { return Value::Null };
    let status = response.status().as_u16();
    let fields = response.headers().iter().map(|(name, value)| json!([name.as_str(), to_text(value.as_bytes())]));
    let headers: Vec<_> = fields.collect();
    json!({"status": status, "headers": headers, "body": transport.read(response).await.ok().map(|body| to_text(&body))})
}

/// Sends these bytes after a request, and closes the connection.
struct Server(Vec<u8>);

impl Network for Server {
    type Stream = DuplexStream;

    async fn resolve(&self, _: &str, _: u16, family: Family) -> Result<Vec<IpAddr>, NetworkError> {
        let address = (family == Family::V4).then_some(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)));
        Ok(address.into_iter().collect())
    }

    async fn connect(&self, _: SocketAddr) -> Result<DuplexStream, NetworkError> {
        let (client, mut server) = duplex(64 * 1024);
        let bytes = self.0.clone();
        tokio::spawn(async move {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                server.read_buf(&mut request).await?;
            }
            server.write_all(&bytes).await?;
            server.shutdown().await?;
            // Waits until the client closes.
            server.read_buf(&mut request).await.map(drop)
        });
        Ok(client)
    }

    fn check(&self) -> Result<(), Unusable> {
        Ok(())
    }
}

fn class(input: &Value, ours: &Value, theirs: &Value) -> Option<&'static str> {
    let input = input.as_str()?;
    let (head, body) = final_head(input);
    let early = &input[..input.len() - head.len() - body.len()];
    let violations = Violations::of(head);
    let (Some(our_object), Some(their_object)) = (ours.as_object(), theirs.as_object()) else {
        let status = theirs["status"].as_u64().unwrap_or(200);
        let is_out_of_range = !(200..600).contains(&status);
        return match (ours, theirs) {
            (Value::Null, Value::Null) => Some(SAME),
            (Value::Null, _) => is_out_of_range.then_some("a status out of range"),
            _ => violations.line.or(violations.framing),
        };
    };
    let is_same_head = our_object["status"] == their_object["status"]
        && fields(&our_object["headers"]) == fields(&their_object["headers"]);
    let is_split_differently = violations.line.filter(|line| [BARE_CR, LEADING_WHITESPACE].contains(line));
    match (&our_object["body"], &their_object["body"]) {
        _ if !is_same_head => is_split_differently,
        (ours, theirs) if ours == theirs => {
            let count = |headers: &Value| headers.as_array().map(Vec::len);
            if count(&our_object["headers"]) == count(&their_object["headers"]) {
                Some(SAME)
            } else {
                violations.line.or(violations.framing)
            }
        }
        _ if early.contains("HTTP/1.0") => Some("an HTTP/1.0 informational response"),
        (Value::Null, _) if violations.framing.is_some() => violations.framing,
        (Value::Null, _) if !is_chunked(body) => Some("malformed chunks"),
        _ if violations.has_folded_framing => violations.line,
        (_, Value::Null) if is_chunked(body) => Some("a malformed chunk extension or trailer"),
        _ => is_split_differently.or(violations.framing.filter(|_| violations.has_identity)),
    }
}

/// The fields sorted by name, because their order has no meaning, with normalized white space.
/// Excludes the fields that the library repairs or skips.
fn fields(headers: &Value) -> Vec<(&str, String)> {
    let mut fields: Vec<_> = headers
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|field| {
            let (name, value) = field[0].as_str().map(str::trim).zip(field[1].as_str())?;
            let is_repaired = ["content-length", "transfer-encoding"].contains(&name) || !is_text(value);
            (!is_repaired).then(|| (name, value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")))
        })
        .collect();
    fields.sort_by_key(|(name, _)| *name);
    fields
}

/// Whether a body starts with a complete sequence of chunks (RFC 9112, section 7.1).
fn is_chunked(mut body: &str) -> bool {
    while let Some((line, rest)) = body.split_once("\r\n") {
        let size = line.split(';').next().unwrap_or_default();
        match usize::from_str_radix(size, 16) {
            _ if size.is_empty() || !size.chars().all(|c| c.is_ascii_hexdigit()) => return false,
            Ok(0) => return rest.starts_with("\r\n") || rest.contains("\r\n\r\n"),
            Ok(size) => {
                let end = rest.char_indices().nth(size).map(|(at, _)| &rest[at..]);
                let Some(next) = end.and_then(|end| end.strip_prefix("\r\n")) else { return false };
                body = next;
            }
            Err(_) => return false,
        }
    }
    false
}

const BARE_CR: &str = "a bare CR";
const LEADING_WHITESPACE: &str = "whitespace before the first field";

/// Violations of RFC 9112 in a head.
#[derive(Default)]
struct Violations {
    /// The kind of the first malformed line.
    line: Option<&'static str>,
    /// Set unless a single valid field determines the end of the body.
    framing: Option<&'static str>,
    has_identity: bool,
    has_folded_framing: bool,
}

impl Violations {
    fn of(head: &str) -> Self {
        let mut violations = Self::default();
        let mut framing = Vec::new();
        if head.replace("\r\n", "").contains('\r') {
            violations.line = Some(BARE_CR);
        }
        let unfolded = head.replace("\r\n", "\n").replace(['\r', '\t'], " ").replace("\n ", " ");
        let mut lines = head.lines();
        let status = lines.next().unwrap_or_default();
        if lines.clone().next().is_some_and(|line| line.starts_with([' ', '\t'])) {
            violations.line = violations.line.or(Some(LEADING_WHITESPACE));
        }
        if !is_status_line(status) {
            violations.line = violations.line.or(Some("a malformed status line"));
        }
        violations.line = violations.line.or_else(|| lines.find_map(field_violation));
        for (name, value) in unfolded.lines().filter_map(|line| line.split_once(':')) {
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_ascii_lowercase());
            match name.as_str() {
                "content-length" => framing.push(is_number(&value) && value.len() < 19),
                "transfer-encoding" => framing.push(value == "chunked" && status.starts_with("HTTP/1.1")),
                _ => {}
            }
            violations.has_identity |=
                name == "transfer-encoding" && value.split(',').any(|coding| coding.trim() == "identity");
        }
        let lines: Vec<_> = head.lines().map(str::to_ascii_lowercase).collect();
        violations.has_folded_framing = lines.windows(2).any(|pair| {
            pair[1].starts_with([' ', '\t'])
                && (pair[0].starts_with("transfer-encoding") || pair[0].starts_with("content-length"))
        });
        violations.framing = (framing.len() > 1 || framing == [false]).then_some("an ambiguous body length");
        violations
    }
}

fn is_status_line(line: &str) -> bool {
    let rest = line.strip_prefix("HTTP/1.").and_then(|rest| rest.strip_prefix(['0', '1'])?.strip_prefix(' '));
    let is_status =
        |rest: &str| rest.get(..3).is_some_and(is_number) && matches!(rest.as_bytes().get(3), None | Some(b' '));
    rest.is_some_and(is_status) && is_text(line)
}

fn field_violation(line: &str) -> Option<&'static str> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let (name, value) = line.split_once(':').unwrap_or(("", ""));
    match name.trim_end() {
        _ if line.is_empty() => None,
        _ if line.starts_with([' ', '\t']) => Some("obsolete line folding"),
        trimmed if trimmed.is_empty() || !trimmed.chars().all(is_token) => Some("a line that is not a field"),
        trimmed if trimmed != name => Some("whitespace before the colon"),
        _ if !is_text(value) => Some("a control character"),
        _ => None,
    }
}

fn is_text(text: &str) -> bool {
    text.chars().all(|c| c == '\t' || !c.is_ascii_control())
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit())
}

/// The head of the final response, without informational responses, and the body.
fn final_head(mut text: &str) -> (&str, &str) {
    loop {
        text = text.trim_start_matches(['\r', '\n']);
        let mut end = 0;
        for line in text.split_inclusive('\n') {
            end += line.len();
            if line.trim_end_matches(['\r', '\n']).is_empty() {
                break;
            }
        }
        let (head, rest) = text.split_at(end);
        let status = head.split_ascii_whitespace().nth(1).unwrap_or_default();
        if !status.starts_with('1') || status.len() != 3 || status == "101" {
            return (head, rest);
        }
        text = rest;
    }
}
