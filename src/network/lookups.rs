//! DNS for one network: fixed addresses of development, or else a system lookup, which concurrent
//! requests for the same host name share, because it may occupy a thread. A lookup that takes long
//! is not joined.
//!
//! No result is cached here: the system resolver does that, per network and by TTL (decision 3 in
//! `docs/adr`). A lookup is abandoned when its last waiter is dropped.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use tokio::time::Instant;

use super::{Family, NetworkError};
use crate::limits;

/// Addresses of a host; empty if it has none.
pub type Addresses = Result<Vec<IpAddr>, NetworkError>;
/// Fixed addresses per host (in lower case) and port.
pub type Overrides = HashMap<(String, u16), Vec<IpAddr>>;

type Lookup = BoxFuture<'static, Addresses>;
/// A host, and the family if a lookup is for one family.
type LookupKey = (String, Option<Family>);

/// What one lookup returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The addresses of one family.
    OneFamily,
    /// The addresses of both families.
    BothFamilies,
}

/// The lookups of one network.
pub struct Lookups {
    scope: Scope,
    overrides: Overrides,
    /// Each with its start time.
    running: Mutex<HashMap<LookupKey, (WeakShared<Lookup>, Instant)>>,
}

impl Lookups {
    /// Starts no lookup.
    pub fn new(scope: Scope, overrides: Overrides) -> Self {
        Self { scope, overrides, running: Mutex::default() }
    }

    /// The addresses of one family: the fixed ones if there are any, else those of a running lookup
    /// or of the one that `begin` returns.
    pub async fn resolve(&self, host: &str, port: u16, family: Family, begin: impl FnOnce() -> Lookup) -> Addresses {
        let one_family = (self.scope == Scope::OneFamily).then_some(family);
        Ok(family.of(&self.look_up(host, port, one_family, begin).await?))
    }

    /// The addresses of both families, in the order of the result. The scope must be
    /// [`Scope::BothFamilies`].
    #[cfg(feature = "http-backend")]
    pub async fn resolve_both(&self, host: &str, port: u16, begin: impl FnOnce() -> Lookup) -> Addresses {
        debug_assert_eq!(self.scope, Scope::BothFamilies);
        self.look_up(host, port, None, begin).await
    }

    async fn look_up(
        &self,
        host: &str,
        port: u16,
        family: Option<Family>,
        begin: impl FnOnce() -> Lookup,
    ) -> Addresses {
        match self.overrides.get(&(host.to_owned(), port)) {
            Some(addresses) => Ok(addresses.clone()),
            None => self.join((host.to_owned(), family), begin).await,
        }
    }

    fn join(&self, key: LookupKey, begin: impl FnOnce() -> Lookup) -> Shared<Lookup> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|_, (lookup, began)| lookup.upgrade().is_some() && began.elapsed() < limits::JOINED_LOOKUP);
        if let Some(lookup) = running.get(&key).and_then(|(lookup, _)| lookup.upgrade()) {
            return lookup;
        }
        let lookup = begin().shared();
        if let Some(weak) = lookup.downgrade() {
            running.insert(key, (weak, Instant::now()));
        }
        lookup
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::pin::pin;

    use futures_util::future::join;
    use tokio::sync::oneshot;
    use tokio::time::advance;

    use super::*;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    fn lookups(scope: Scope) -> Lookups {
        Lookups::new(scope, Overrides::default())
    }

    #[tokio::test]
    async fn concurrent_lookups_of_one_name_are_shared() {
        for (scope, second_family) in [(Scope::OneFamily, Family::V4), (Scope::BothFamilies, Family::V6)] {
            let lookups = lookups(scope);
            let begun = Cell::new(0);
            let (sender, response) = oneshot::channel::<Addresses>();
            let response = Cell::new(Some(response));
            let begin = || {
                begun.set(begun.get() + 1);
                let response = response.take();
                async move { response.unwrap().await.unwrap_or(Err(NetworkError::Failed)) }.boxed()
            };
            let first = lookups.resolve("op.test", 443, Family::V4, begin);
            let second = lookups.resolve("op.test", 443, second_family, begin);
            let sending = async { sender.send(Ok(vec![ADDRESS])) };
            let ((first, second), sent) = join(join(first, second), sending).await;
            assert!(sent.is_ok());
            assert_eq!(first, Ok(vec![ADDRESS]));
            assert_eq!(second, Ok(if second_family == Family::V4 { vec![ADDRESS] } else { Vec::new() }));
            assert_eq!(begun.get(), 1, "{scope:?}");
        }
    }

    #[tokio::test]
    async fn lookups_are_separate_per_family_and_name_and_not_cached() {
        let lookups = lookups(Scope::OneFamily);
        let begun = Cell::new(0);
        let begin = || {
            begun.set(begun.get() + 1);
            async { Ok(Vec::new()) }.boxed()
        };
        for (host, family) in
            [("a.test", Family::V4), ("a.test", Family::V6), ("b.test", Family::V4), ("a.test", Family::V4)]
        {
            assert_eq!(lookups.resolve(host, 443, family, begin).await, Ok(Vec::new()));
        }
        assert_eq!(begun.get(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lookup_that_takes_long_is_not_joined() {
        let lookups = lookups(Scope::OneFamily);
        let hangs = || std::future::pending().boxed();
        let mut first = pin!(lookups.resolve("op.test", 443, Family::V4, hangs));
        assert!(first.as_mut().now_or_never().is_none());
        advance(limits::JOINED_LOOKUP).await;
        let responds = || async { Ok(vec![ADDRESS]) }.boxed();
        assert_eq!(lookups.resolve("op.test", 443, Family::V4, responds).await, Ok(vec![ADDRESS]));
        assert!(first.now_or_never().is_none());
    }

    #[tokio::test]
    async fn override_applies_to_one_host_and_port() {
        let lookups = Lookups::new(Scope::OneFamily, [(("op.test".to_owned(), 443), vec![ADDRESS])].into());
        let begin = || async { Err(NetworkError::Failed) }.boxed();
        assert_eq!(lookups.resolve("op.test", 443, Family::V4, begin).await, Ok(vec![ADDRESS]));
        assert_eq!(lookups.resolve("op.test", 443, Family::V6, begin).await, Ok(Vec::new()));
        assert_eq!(lookups.resolve("op.test", 80, Family::V4, begin).await, Err(NetworkError::Failed));
    }

    #[tokio::test]
    async fn abandoned_lookup_is_dropped() {
        let lookups = lookups(Scope::OneFamily);
        let (ended, dropped) = oneshot::channel::<()>();
        let begin = || {
            async move {
                let _held = ended;
                std::future::pending().await
            }
            .boxed()
        };
        assert!(lookups.resolve("op.test", 443, Family::V4, begin).now_or_never().is_none());
        assert!(dropped.await.is_err());
    }
}
