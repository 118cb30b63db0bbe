//! The cost of a flow on the cellular leg: one round trip of DNS per new host name, one of TCP and
//! one of TLS per new origin, one per request.

use std::sync::Arc;

use crate::flow::{Outcome, Phone, Setting};
use crate::network::ROUND_TRIP;
use crate::pipe::Nagle;
use crate::script::{CODE, Chain};
use crate::server::HttpRequest;

async fn flow(chain: &str, nagle: Nagle) -> (Outcome, Arc<Chain>) {
    let chain = Arc::new(Chain::new(chain));
    let outcome = Phone::new(Setting { nagle, ..Setting::new(chain.clone(), chain.auth_url()) }).verify().await;
    (outcome, chain)
}

/// The time of the cellular leg, which must be a whole number of round trips.
fn round_trips(outcome: &Outcome) -> u64 {
    let round_trip = u64::try_from(ROUND_TRIP.as_millis()).unwrap();
    let spent = outcome.trace.authorize_ms.expect("authorized");
    assert_eq!(spent % round_trip, 0, "{spent} ms is not a whole number of round trips");
    spent / round_trip
}

async fn assert_cost(name: &str, nagle: Nagle, expected: u64) {
    let (outcome, chain) = flow(name, nagle).await;
    assert_eq!(outcome.result.as_ref().ok(), Some(&true), "{name}");
    assert_eq!(outcome.completed_with.as_deref(), Some(CODE), "{name}");
    assert_eq!(chain.requests().iter().map(HttpRequest::url).collect::<Vec<_>>(), chain.hops(), "{name}");
    assert_eq!(round_trips(&outcome), expected, "{name} with Nagle {nagle:?}");
}

#[tokio::test(start_paused = true)]
async fn cold_flows_cost_9_and_14_round_trips() {
    assert_cost("S1", Nagle::Off, 9).await;
    assert_cost("S2", Nagle::Off, 14).await;
}

/// The control: the model measures what `TCP_NODELAY` saves, a round trip for each new TLS
/// connection.
#[tokio::test(start_paused = true)]
async fn with_nagle_cold_flows_cost_11_and_16_round_trips() {
    assert_cost("S1", Nagle::On, 11).await;
    assert_cost("S2", Nagle::On, 16).await;
}

#[tokio::test(start_paused = true)]
async fn each_host_takes_one_lookup_and_one_connection() {
    let (outcome, _) = flow("S2", Nagle::Off).await;
    assert_eq!(outcome.lookups, ["auth.glide.test", "operator-a.test", "he.operator-a.test"]);
    assert_eq!(outcome.connections, outcome.lookups);
    let reused: Vec<bool> = outcome.trace.hops.iter().map(|hop| hop.reused).collect();
    assert_eq!(reused, [false, false, false, true, true, true]);
}

/// Operators' middleboxes drop a `ClientHello` that does not fit into one packet.
#[tokio::test(start_paused = true)]
async fn client_hello_fits_into_one_packet() {
    let (outcome, _) = flow("S1", Nagle::Off).await;
    assert_eq!(outcome.first_writes.len(), 2);
    for size in outcome.first_writes {
        assert!((100..=512).contains(&size), "a new ClientHello of {size} bytes");
    }
}
