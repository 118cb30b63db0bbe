//! The measured redirect chains, from `scenarios.json`, as hosts on the network.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use serde::Deserialize;
use url::Url;

use crate::network::Reachability;
use crate::server::{Hosts, HttpRequest, Reply, Tls13};

pub const STATE: &str = "state-7d21";
pub const CODE: &str = "code-c0de";

#[derive(Deserialize)]
struct File {
    hosts: Vec<String>,
    scenarios: HashMap<String, Scenario>,
}

#[derive(Deserialize, Clone, Default)]
#[serde(default)]
struct Scenario {
    start: String,
    hops: Vec<Hop>,
}

#[derive(Deserialize, Clone, Default)]
#[serde(default)]
struct Hop {
    url: String,
    location: Option<String>,
    set_cookie: Option<String>,
    need_cookie: Option<String>,
}

static FILE: LazyLock<File> = LazyLock::new(|| serde_json::from_str(include_str!("scenarios.json")).unwrap());

/// A chain, one hop of which may behave differently.
pub struct Chain {
    scenario: Scenario,
    pub ticket_padding: usize,
    tls13: HashMap<String, Tls13>,
    instead: Mutex<HashMap<usize, Instead>>,
    requests: Mutex<Vec<HttpRequest>>,
}

/// A hop's response instead of its redirect.
pub enum Instead {
    Once(Reply),
    Always(Reply),
}

impl Chain {
    pub fn new(name: &str) -> Self {
        let scenario = FILE.scenarios[name].clone();
        let (tls13, instead, requests) = Default::default();
        Self { scenario, ticket_padding: 0, tls13, instead, requests }
    }

    /// How the TLS server of this hop's host (hops are counted from 1) handles the TLS 1.3 offer.
    pub fn tls13(&mut self, hop: usize, tls13: Tls13) {
        let url = Url::parse(&self.scenario.hops[hop - 1].url).unwrap();
        self.tls13.insert(url.host_str().unwrap().to_owned(), tls13);
    }

    pub fn instead(&mut self, hop: usize, instead: Instead) {
        self.instead.get_mut().unwrap().insert(hop - 1, instead);
    }

    pub fn auth_url(&self) -> String {
        self.scenario.start.replace("{state}", STATE)
    }

    /// The URLs, without their queries, that a flow must request with relay.
    pub fn hops(&self) -> Vec<String> {
        let fetched = self.scenario.hops.iter().filter(|hop| hop.location.is_some());
        fetched.map(|hop| hop.url.clone()).collect()
    }

    pub fn requests(&self) -> Vec<HttpRequest> {
        self.requests.lock().unwrap().clone()
    }

    fn instead_at(&self, index: usize) -> Option<Reply> {
        let mut all = self.instead.lock().unwrap();
        match all.get(&index)? {
            Instead::Always(reply) => Some(reply.clone()),
            Instead::Once(reply) => {
                let reply = reply.clone();
                all.remove(&index);
                Some(reply)
            }
        }
    }
}

impl HttpRequest {
    /// The URL without the query.
    pub fn url(&self) -> String {
        let scheme = if self.https { "https" } else { "http" };
        format!("{scheme}://{}{}", self.host, self.target.split('?').next().unwrap_or_default())
    }
}

impl Hosts for Chain {
    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = FILE.hosts.clone();
        names.sort();
        names
    }

    fn reachability(&self, _: &str) -> Reachability {
        Reachability::Open
    }

    fn tls13(&self, host: &str) -> Tls13 {
        self.tls13.get(host).copied().unwrap_or(Tls13::Spoken)
    }

    fn ticket_padding(&self) -> usize {
        self.ticket_padding
    }

    fn respond(&self, request: &HttpRequest) -> Reply {
        self.requests.lock().unwrap().push(request.clone());
        let Some(index) = self.scenario.hops.iter().position(|hop| hop.url == request.url()) else {
            return Reply::Send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec());
        };
        if let Some(reply) = self.instead_at(index) {
            return reply;
        }
        let hop = &self.scenario.hops[index];
        if hop.need_cookie.as_ref().is_some_and(|cookie| request.cookie.as_ref() != Some(cookie)) {
            return Reply::Send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_vec());
        }
        let location = hop.location.clone().unwrap_or_default().replace("{state}", STATE).replace("{code}", CODE);
        assert!(Url::parse(&location).is_ok(), "{location}");
        let cookie = hop.set_cookie.as_ref().map(|cookie| format!("Set-Cookie: {cookie}\r\n")).unwrap_or_default();
        let page = "<html><body>Moved</body></html>";
        let length = page.len();
        Reply::Send(
            format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n{cookie}Content-Length: {length}\r\n\r\n{page}")
                .into_bytes(),
        )
    }
}
