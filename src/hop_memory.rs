//! Records which hosts followed each other in earlier verifications, so that connections to the
//! next ones can be opened before they are needed.
//!
//! In memory only, for one hour, and only the destination of a connection: no path, no query, no
//! cookie. A chain belongs to the operator whose network it was seen on, or, if the provider does
//! not report one, to that network's binding.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::cellular::NetworkId;
use crate::clock::{Clock, Deadline};
use crate::limits;
use crate::transport::Destination;

/// The chains of one verifier.
pub struct HopMemory {
    clock: Clock,
    /// The first destination of a verification, on any network.
    first: Option<Destination>,
    /// In order of time, the latest last.
    chains: Mutex<Vec<Chain>>,
}

struct Chain {
    network: NetworkId,
    /// In the order of their first requests.
    destinations: Vec<Destination>,
    expiry: Deadline,
}

impl HopMemory {
    /// No chains; only the first destination may be known. The clock includes the time asleep.
    #[must_use]
    pub fn new(clock: Clock, first: Option<Destination>) -> Self {
        Self { clock, first, chains: Mutex::default() }
    }

    /// Stores the destinations of a verification that received its code.
    pub fn remember(&self, network: &NetworkId, destinations: Vec<Destination>) {
        let mut chains = self.chains();
        chains.retain(|chain| chain.network != *network || chain.destinations != destinations);
        if chains.len() >= limits::CHAINS {
            chains.remove(0);
        }
        let expiry = Deadline::after(limits::CHAIN_LIFETIME, &self.clock);
        chains.push(Chain { network: network.clone(), destinations, expiry });
    }

    /// The destinations after this one in the latest chain on this network that contains it; if
    /// `after` is absent, the first destinations of the latest chain.
    #[must_use]
    pub fn next(&self, network: &NetworkId, after: Option<&Destination>) -> Vec<Destination> {
        let chains = self.chains();
        let mut of_network = chains.iter().rev().filter(|chain| chain.network == *network);
        let next = of_network.find_map(|chain| match after {
            None => Some(chain.destinations.as_slice()),
            Some(destination) => {
                let at = chain.destinations.iter().position(|known| known == destination)?;
                chain.destinations.get(at + 1..)
            }
        });
        let first = if after.is_none() { self.first.as_slice() } else { &[] };
        next.unwrap_or(first).iter().take(limits::AHEAD).cloned().collect()
    }

    /// Removes all chains.
    pub fn clear(&self) {
        self.chains().clear();
    }

    /// The chains that have not expired.
    fn chains(&self) -> MutexGuard<'_, Vec<Chain>> {
        let mut chains = self.chains.lock().unwrap_or_else(PoisonError::into_inner);
        chains.retain(|chain| !chain.expiry.has_passed());
        chains
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;
    use url::Url;

    use super::*;
    use crate::cellular::{NetworkBinding, ValidBinding};
    use crate::transport::Restrictions;

    fn memory() -> HopMemory {
        let began = tokio::time::Instant::now();
        HopMemory::new(Clock::new(move || began.elapsed()), None)
    }

    fn network(index: u32) -> NetworkId {
        NetworkId::Binding(ValidBinding::try_from(NetworkBinding::AppleInterface { index }).unwrap())
    }

    fn destinations(hosts: &[&str]) -> Vec<Destination> {
        let url = |host| Url::parse(&format!("https://{host}.test/")).unwrap();
        hosts.iter().filter_map(|host| Destination::of(&url(host), Restrictions::default())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn next_hosts_come_from_latest_chain_with_this_host() {
        let (memory, network) = (memory(), network(1));
        assert!(memory.next(&network, None).is_empty());
        memory.remember(&network, destinations(&["auth", "a", "b", "c"]));
        memory.remember(&network, destinations(&["other", "a", "d"]));
        assert_eq!(memory.next(&network, None), destinations(&["other", "a"]));
        for (after, next) in [
            ("auth", vec!["a", "b"]),
            ("a", vec!["d"]),
            ("b", vec!["c"]),
            ("c", vec![]),
            ("d", vec![]),
            ("unknown", vec![]),
        ] {
            let [after] = destinations(&[after]).try_into().unwrap();
            assert_eq!(memory.next(&network, Some(&after)), destinations(&next), "{after:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn chain_belongs_to_one_network() {
        let memory = memory();
        memory.remember(&network(1), destinations(&["auth"]));
        memory.remember(&NetworkId::Operator(310_260), destinations(&["auth", "a"]));
        for other in [network(2), NetworkId::Operator(310_150)] {
            assert!(memory.next(&other, None).is_empty());
        }
        assert_eq!(memory.next(&network(1), None), destinations(&["auth"]));
        assert_eq!(memory.next(&NetworkId::Operator(310_260), None), destinations(&["auth", "a"]));
    }

    #[tokio::test(start_paused = true)]
    async fn chain_expires_an_hour_after_it_was_last_seen() {
        let (memory, network) = (memory(), network(1));
        memory.remember(&network, destinations(&["auth"]));
        advance(Duration::from_mins(50)).await;
        memory.remember(&network, destinations(&["auth"]));
        advance(Duration::from_secs(3599)).await;
        assert_eq!(memory.next(&network, None), destinations(&["auth"]));
        advance(Duration::from_secs(1)).await;
        assert!(memory.next(&network, None).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn at_most_sixteen_chains_are_stored_and_all_are_cleared() {
        let memory = memory();
        for index in 1..=17 {
            memory.remember(&network(index), destinations(&["auth"]));
            memory.remember(&network(index), destinations(&["auth"]));
        }
        let known = |memory: &HopMemory| (1..=17).filter(|i| !memory.next(&network(*i), None).is_empty()).count();
        assert_eq!(known(&memory), 16);
        assert!(memory.next(&network(1), None).is_empty(), "the oldest one");
        memory.clear();
        assert_eq!(known(&memory), 0);
    }
}
