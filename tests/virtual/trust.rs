//! The app validates every connection, including a resumed session: its chain may have been
//! rejected before.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use number_verify::internals::AppTrust;

use crate::flow::{Outcome, Phone, Setting};
use crate::script::{Chain, Instead};
use crate::server::{OCSP_RESPONSE, Reply};

/// Trusts this many connections, then rejects.
struct TrustsFirst {
    left: AtomicUsize,
    calls: AtomicUsize,
}

impl AppTrust for TrustsFirst {
    fn is_trusted(&self, chain: Vec<Vec<u8>>, host: String, ocsp_response: Option<Vec<u8>>) -> bool {
        assert_eq!(ocsp_response.as_deref(), Some(OCSP_RESPONSE), "a resumed session reuses the stapled response");
        assert!(chain.len() == 1 && ["auth.glide.test", "operator-a.test"].contains(&host.as_str()), "{host}");
        self.calls.fetch_add(1, Ordering::Relaxed);
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.is_ok()
    }
}

/// The third connection, to the first host again, resumes its session.
async fn flow(trusted: usize) -> (Outcome, usize) {
    flow_with_tickets(trusted, 0).await
}

async fn flow_with_tickets(trusted: usize, ticket_padding: usize) -> (Outcome, usize) {
    let mut chain = Chain::new("S1");
    chain.ticket_padding = ticket_padding;
    let location = "https://operator-a.test/authorize?client_id=glide";
    let head = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    chain.instead(1, Instead::Always(Reply::SendAndClose(head.into())));
    let trust = Arc::new(TrustsFirst { left: trusted.into(), calls: 0.into() });
    let auth_url = chain.auth_url();
    let setting = Setting { trust: Some(trust.clone()), ..Setting::new(Arc::new(chain), auth_url) };
    let outcome = Phone::new(setting).verify().await;
    (outcome, trust.calls.load(Ordering::Relaxed))
}

#[tokio::test(start_paused = true)]
async fn app_validates_every_connection() {
    let (outcome, calls) = flow(usize::MAX).await;
    assert_eq!(outcome.result.as_ref().ok(), Some(&true), "{:?}", outcome.result);
    assert_eq!(calls, 3);
    let resumed: Vec<bool> = outcome.trace.hops.iter().map(|hop| hop.tls_resumed).collect();
    assert_eq!(resumed, [false, false, true]);
    let hello = outcome.first_writes[2];
    assert!((200..=1200).contains(&hello), "a resumed ClientHello of {hello} bytes does not fit a packet");
}

/// A `ClientHello` with a long ticket would not fit into one packet: the session is discarded.
#[tokio::test(start_paused = true)]
async fn long_tickets_are_not_sent() {
    for (padding, resumes) in [(200, true), (1500, false), (20_000, false)] {
        let (outcome, calls) = flow_with_tickets(usize::MAX, padding).await;
        assert_eq!(outcome.result.as_ref().ok(), Some(&true), "{:?}", outcome.result);
        assert_eq!((calls, outcome.trace.hops[2].tls_resumed), (3, resumes), "tickets padded by {padding}");
        let hellos = &outcome.first_writes;
        assert!(
            hellos.len() == 3 && hellos.iter().all(|hello| *hello <= 1200),
            "tickets padded by {padding}: {hellos:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn rejected_connection_fails_the_verification() {
    for trusted in 0..3 {
        let (outcome, calls) = flow(trusted).await;
        let error = outcome.error_json();
        assert_eq!((&error["kind"], &error["cause"]), (&"authorization".into(), &"tls".into()), "{error}");
        assert_eq!((&error["hop"], calls), (&(trusted + 1).into(), trusted + 1), "{error}");
        assert_eq!(outcome.trace.hops[trusted].status, None, "no status, because no request was sent");
    }
}
