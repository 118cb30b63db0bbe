//! Handles a request of a host: records it for the page, and applies the verification's fault.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Value, json};
use tokio_rustls::rustls::ProtocolVersion;
use tower::ServiceExt;
use url::form_urlencoded;

use crate::auth::found;
use crate::events::{Arrival, Beginning, Visit};
use crate::faults::{self, Fault};
use crate::hops::{Hop, Outcome, Role, Sender, Summary, masked_number, masked_path, network, tokens};
use crate::hosts::SimHost;
use crate::world::World;
use crate::{backend, providers};

/// The limit of axum's extractors.
const LONGEST_BODY: usize = 2 * 1024 * 1024;
const SLOW: Duration = Duration::from_secs(5);
const KEY: &str = "idempotency-key";
const HEADERS_WITH_TOKENS: [&str; 4] = [KEY, "x-number-verify-session", "authorization", "cookie"];

/// A request on a connection to a host.
pub(crate) struct Received<'a> {
    pub(crate) host: SimHost,
    pub(crate) peer: IpAddr,
    /// `None` for plain http.
    pub(crate) tls: Option<ProtocolVersion>,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

pub(crate) async fn handle(
    world: &World,
    (host, peer, tls): (SimHost, IpAddr, Option<ProtocolVersion>),
    request: Request,
    router: Router,
) -> io::Result<Response> {
    let (parts, body) = request.into_parts();
    let (body, bytes) = if parts.method == "GET" {
        (body, Bytes::new())
    } else {
        let Ok(bytes) = to_bytes(body, LONGEST_BODY).await else {
            return Ok(StatusCode::PAYLOAD_TOO_LARGE.into_response());
        };
        (Body::from(bytes.clone()), bytes)
    };
    let (uri, method, headers) = (parts.uri.clone(), parts.method.clone(), parts.headers.clone());
    let (path, query) = (uri.path(), uri.query().unwrap_or_default());
    let received = Received { host, peer, tls, method: method.as_str(), path, query, headers: &headers, body: &bytes };
    let request = Request::from_parts(parts, body);
    let Some(visit) = world.events.arrive(received.arrival(world)) else {
        let Ok(response) = router.oneshot(request).await;
        return Ok(response);
    };
    let response = match visit.fault {
        Some(Fault::Reset) => {
            world.events.leave(&visit, Summary::default(), None);
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Some(Fault::Denied) => denied(query),
        fault => {
            if fault == Some(Fault::SlowHop) {
                tokio::time::sleep(SLOW).await;
            }
            let Ok(response) = faults::with(fault, router.oneshot(request)).await;
            response
        }
    };
    Ok(record(world, &received, &visit, response).await)
}

fn denied(query: &str) -> Response {
    let body = Json(json!({ "error": "access_denied" }));
    faults::denial(query).map_or_else(|| (StatusCode::FORBIDDEN, body).into_response(), |location| found(&location))
}

/// Records the response, after the fault that changes it.
async fn record(world: &World, received: &Received<'_>, visit: &Visit, response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let has_wrong_state = visit.fault == Some(Fault::WrongState);
    let mut outcome = None;
    if let Some(location) = redirect_to_app(&parts.headers, visit) {
        outcome = Outcome::of_redirect(&location);
        let changed = faults::with_wrong_state(&location).filter(|_| has_wrong_state);
        if let Some(Ok(location)) = changed.as_deref().map(HeaderValue::from_str) {
            parts.headers.insert(header::LOCATION, location);
        }
    }
    let mut json = Value::Null;
    let body = if is_json(&parts.headers) {
        let bytes = to_bytes(body, LONGEST_BODY).await.unwrap_or_default();
        json = serde_json::from_slice(&bytes).unwrap_or_default();
        world.events.learn(visit, tokens(&String::from_utf8_lossy(&bytes)).collect());
        if has_wrong_state && json.get("state").is_some() {
            json["state"] = faults::wrong_state().into();
            parts.headers.remove(header::CONTENT_LENGTH); // of the body before
            Body::from(json.to_string())
        } else {
            Body::from(bytes)
        }
    } else {
        body
    };
    let in_headers = [header::LOCATION, header::SET_COOKIE].map(|name| parts.headers.get_all(name));
    let in_headers = in_headers
        .into_iter()
        .flatten()
        .flat_map(|value| tokens(&String::from_utf8_lossy(value.as_bytes())).collect::<Vec<_>>());
    world.events.learn(visit, in_headers.collect());
    let outcome = outcome.or_else(|| received.outcome(parts.status, &json));
    world.events.leave(visit, Summary::new(parts.status.as_u16(), &parts.headers), outcome);
    Response::from_parts(parts, body)
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().ends_with(b"json"))
}

/// The Location, if it is the verification's redirect URI.
pub(crate) fn redirect_to_app(headers: &HeaderMap, visit: &Visit) -> Option<String> {
    let location = headers.get(header::LOCATION)?.to_str().ok()?;
    let uri = visit.redirect_uri.as_deref()?;
    location.starts_with(uri).then(|| location.to_owned())
}

impl Received<'_> {
    pub(crate) fn arrival(&self, world: &World) -> Arrival {
        let body = String::from_utf8_lossy(self.body);
        let header = |name: &&str| self.headers.get(*name)?.to_str().ok();
        let begins = self.beginning();
        // Cookies and credentials of a request that begins a verification can be of an older one.
        let texts: Vec<&str> = match &begins {
            Some(Beginning { backend: Some(_), .. }) => header(&KEY).into_iter().collect(),
            Some(Beginning { backend: None, .. }) => vec![self.query],
            None => {
                let headers = HEADERS_WITH_TOKENS.iter().filter_map(header);
                [self.path, self.query, &*body].into_iter().chain(headers).collect()
            }
        };
        Arrival {
            hop: self.hop(),
            sim: world.sim(self.peer),
            tokens: texts.into_iter().flat_map(|text| tokens(&text.replace('-', "")).collect::<Vec<_>>()).collect(),
            begins,
            redirect_uri: self.parameter("redirect_uri"),
        }
    }

    fn hop(&self) -> Hop {
        Hop {
            from: self.sender(),
            host: self.host.name,
            role: self.role(),
            method: self.method.chars().take(16).collect(),
            path: masked_path(self.path),
            peer: self.peer.to_canonical(),
            network: network(self.peer.to_canonical()),
            sim: None,
            family: if self.peer.to_canonical().is_ipv4() { "IPv4" } else { "IPv6" },
            tls: self.tls.map(|version| if version == ProtocolVersion::TLSv1_3 { "TLS 1.3" } else { "TLS 1.2" }),
            at_ms: 0.0,
            duration_ms: None,
            response: Summary::default(),
        }
    }

    fn role(&self) -> Role {
        match self.host {
            backend::HOST => Role::Backend,
            host if providers::ALL.iter().any(|provider| provider.host == host) => Role::Provider,
            _ => Role::Operator,
        }
    }

    /// A phone only sends GET requests without credentials to hosts other than the backend.
    fn sender(&self) -> Sender {
        let is_api = self.method != "GET" || self.headers.contains_key(header::AUTHORIZATION);
        if is_api && self.role() != Role::Backend { Sender::Backend } else { Sender::Phone }
    }

    /// The backend's `start`, or the authorization request of a backend outside the simulator.
    fn beginning(&self) -> Option<Beginning> {
        if let (Role::Backend, Some(backend)) = (self.role(), self.path.strip_suffix("/start")) {
            let request: Value = serde_json::from_slice(self.body).unwrap_or_default();
            let number = request.get("phoneNumber").and_then(Value::as_str).map(masked_number);
            let correlator = self.headers.get("x-correlator").and_then(|value| value.to_str().ok()).map(str::to_owned);
            return Some(Beginning { backend: Some(masked_path(backend)), number, correlator });
        }
        let is_authorization = self.parameter("client_id").is_some() && self.parameter("response_type").is_some();
        (self.role() == Role::Provider && is_authorization).then_some(Beginning {
            backend: None,
            number: None,
            correlator: None,
        })
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.query.as_bytes());
        pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    }

    fn outcome(&self, status: StatusCode, response: &Value) -> Option<Outcome> {
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        if self.role() != Role::Backend {
            return Outcome::of_json(response);
        }
        if status.is_client_error() || status.is_server_error() {
            return Some(Outcome::Rejected(text(response, "title").unwrap_or_else(|| status.to_string())));
        }
        if self.path.ends_with("/abort") {
            return text(&serde_json::from_slice(self.body).ok()?, "reason").map(Outcome::Aborted);
        }
        Outcome::of_json(response)
    }
}
