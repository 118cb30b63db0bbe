//! The bytes that the servers of a replay send.

use std::time::Duration;

use serde_json::json;

use super::script::{
    Call, Connection, Hop, Instead, Ports, REDIRECT_URI, Response, STATE, Script, UNKNOWN_HOST, stand_in,
};

/// The bytes of a response, and the state of the connection afterwards.
pub(super) struct Reply {
    pub(super) delay: Duration,
    pub(super) bytes: Vec<u8>,
    pub(super) then: Then,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    KeepAlive,
    Close,
    Stall,
}

impl Script {
    /// The response to a request with this path; `None` for an unknown one.
    pub(super) fn respond(&self, path: &str, ports: Ports) -> Option<Reply> {
        match path {
            "/nv/start" => Some(self.start.reply(|| json!({ "authUrl": self.auth_url(ports) }).to_string())),
            "/nv/complete" => Some(self.complete.reply(|| r#"{"verified":true}"#.to_owned())),
            _ => {
                let index: usize = path.strip_prefix("/hop/")?.parse().ok()?;
                self.hops.get(index).map(|hop| hop.reply(self, index, ports))
            }
        }
    }

    fn auth_url(&self, ports: Ports) -> String {
        let redirect_uri: String = url::form_urlencoded::byte_serialize(REDIRECT_URI.as_bytes()).collect();
        let first = self.hops.first().map_or_else(|| format!("https://{UNKNOWN_HOST}/hop/0"), |hop| hop.url(0, ports));
        format!("{first}?response_type=code&state={STATE}&redirect_uri={redirect_uri}")
    }
}

impl Call {
    fn reply(&self, body: impl FnOnce() -> String) -> Reply {
        let json = |status: u16, retry_after: &str, body: &str| {
            let length = body.len();
            format!(
                "HTTP/1.1 {status} Replayed\r\nContent-Type: application/json\r\n{retry_after}Content-Length: {length}\r\n\r\n{body}"
            )
        };
        let (bytes, then) = match &self.instead {
            None => (json(200, "", &body()), Then::KeepAlive),
            Some(Instead::Response { status, body, retry_after_s }) => {
                let retry_after =
                    retry_after_s.map(|seconds| format!("Retry-After: {seconds}\r\n")).unwrap_or_default();
                (json(*status, &retry_after, body), Then::KeepAlive)
            }
            Some(Instead::Silent) => (String::new(), Then::Stall),
            Some(Instead::Unreachable | Instead::Tls) => (String::new(), Then::Close),
        };
        Reply { delay: self.delay, bytes: bytes.into_bytes(), then }
    }
}

impl Hop {
    fn url(&self, index: usize, ports: Ports) -> String {
        let scheme = if self.https { "https" } else { "http" };
        let port = match self.connection {
            Connection::Usual | Connection::UnknownHost if self.https => ports.https,
            Connection::Usual | Connection::UnknownHost => ports.http,
            Connection::Refused => ports.refused,
            Connection::BrokenTls => ports.broken_tls,
            Connection::Silent => ports.silent,
        };
        let host =
            if self.connection == Connection::UnknownHost { UNKNOWN_HOST.to_owned() } else { stand_in(self.host) };
        format!("{scheme}://{host}:{port}/hop/{index}")
    }

    fn reply(&self, script: &Script, index: usize, ports: Ports) -> Reply {
        let redirect = |status: u16, location: &str| {
            format!("HTTP/1.1 {status} Replayed\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
        };
        let ok = |status: u16, kind: &str, body: &str| {
            let length = body.len();
            format!("HTTP/1.1 {status} Replayed\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}")
        };
        let (text, then) = match &self.response {
            Response::Redirect(status) => {
                // A redirect beyond the recorded ones, for the redirect limit.
                let next = script.hops.get(index + 1).unwrap_or(self);
                (redirect(*status, &next.url(index + 1, ports)), Then::KeepAlive)
            }
            Response::ToApp(parameters) => (redirect(302, &format!("{REDIRECT_URI}?{parameters}")), Then::KeepAlive),
            Response::Elsewhere(Some(location)) => (redirect(302, location), Then::KeepAlive),
            Response::Elsewhere(None) => {
                ("HTTP/1.1 302 Replayed\r\nContent-Length: 0\r\n\r\n".to_owned(), Then::KeepAlive)
            }
            Response::ToTheStart => (redirect(302, &script.auth_url(ports)), Then::KeepAlive),
            Response::Json(body) => (ok(200, "application/json", &body.to_string()), Then::KeepAlive),
            Response::Page { status, title } => {
                // As recorded: the library does not decode character references.
                let page = format!("<!doctype html><html><head><title>{title}</title></head></html>");
                (ok(*status, "text/html; charset=utf-8", &page), Then::KeepAlive)
            }
            Response::TwoLengths => {
                ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ".to_owned(), Then::Close)
            }
            Response::TooLarge => (ok(200, "text/html", &" ".repeat(70_000)), Then::Close),
            Response::Close => (String::new(), Then::Close),
            Response::Silence => (String::new(), Then::Stall),
        };
        Reply { delay: self.delay, bytes: text.into_bytes(), then }
    }
}
