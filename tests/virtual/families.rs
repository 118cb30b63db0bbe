//! A name server that responds to the queries of one address family only blocks a thread for each
//! query of the other family, long after the flow has continued.

use std::sync::Arc;

use number_verify::internals::{Family, Threads};

use crate::flow::{Phone, Setting};
use crate::network::{Reachability, Resolver};
use crate::script::{CODE, STATE};
use crate::server::{Hosts, HttpRequest, Reply};

/// As many as the redirect limit.
const HOSTS: usize = 16;

/// Every hop is on a different host.
struct ManyHosts;

impl Hosts for ManyHosts {
    fn names(&self) -> Vec<String> {
        (0..HOSTS).map(|index| format!("n{index}.glide.test")).collect()
    }

    fn reachability(&self, _: &str) -> Reachability {
        Reachability::Open
    }

    fn respond(&self, request: &HttpRequest) -> Reply {
        let index = self.names().iter().position(|name| *name == request.host).unwrap();
        let location = match index + 1 {
            HOSTS => format!("https://app.example.test/cb?code={CODE}&state={STATE}"),
            next => format!("https://n{next}.glide.test/"),
        };
        Reply::Send(format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").into())
    }
}

#[tokio::test(start_paused = true)]
async fn family_without_response_delays_no_host() {
    for (mute, per_host_ms) in [(Family::V6, 450), (Family::V4, 400)] {
        let auth_url = format!("https://n0.glide.test/?state={STATE}&redirect_uri=https%3A%2F%2Fapp.example.test%2Fcb");
        let resolver = Resolver::Blocking { threads: Threads::new(), mute };
        let mut setting = Setting { resolver, ..Setting::new(Arc::new(ManyHosts), auth_url) };
        setting.config.open_ahead = false;
        let phone = Phone::new(setting);
        for flow in 1..=3 {
            let outcome = phone.verify().await;
            assert_eq!(outcome.result.as_ref().ok(), Some(&true), "{mute:?}, flow {flow}: {:?}", outcome.result);
            // DNS, TCP, TLS and request: one round trip each; an IPv4 address waits 50 ms for the
            // IPv6 one (RFC 8305).
            assert_eq!(outcome.trace.authorize_ms, Some(per_host_ms * HOSTS as u64), "{mute:?}, flow {flow}");
        }
    }
}
