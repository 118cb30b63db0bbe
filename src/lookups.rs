//! The same name is looked up once at a time, however many flows ask: a lookup may occupy a thread of the pool.
//!
//! Nothing is kept of an answer; when the last of those who wait gives up, the lookup is abandoned.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};

use crate::transport::NetworkError;

pub type Answer = Result<Vec<IpAddr>, NetworkError>;
type Lookup = BoxFuture<'static, Answer>;

/// The running lookups, by what they ask for.
pub struct Lookups<Question>(Mutex<HashMap<Question, WeakShared<Lookup>>>);

impl<Question> Default for Lookups<Question> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<Question: Eq + Hash> Lookups<Question> {
    /// Joins the lookup that others wait for, or begins one.
    pub fn join(&self, question: Question, begin: impl FnOnce() -> Lookup) -> Shared<Lookup> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|_, lookup| lookup.upgrade().is_some());
        if let Some(lookup) = running.get(&question).and_then(WeakShared::upgrade) {
            return lookup;
        }
        let lookup = begin().shared();
        if let Some(weak) = lookup.downgrade() {
            running.insert(question, weak);
        }
        lookup
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::future::join;
    use tokio::sync::oneshot;

    use super::*;
    use crate::transport::Family;

    #[tokio::test]
    async fn one_at_a_time() {
        let lookups = Lookups::default();
        let begun = Cell::new(0);
        let (answer, waits) = oneshot::channel::<Answer>();
        let waits = Cell::new(Some(waits));
        let begin = || {
            begun.set(begun.get() + 1);
            let waits = waits.take();
            async move { waits.unwrap().await.unwrap_or(Err(NetworkError::Failed)) }.boxed()
        };
        let first = lookups.join(("op.test", Family::V4), begin);
        let second = lookups.join(("op.test", Family::V4), begin);
        answer.send(Ok(vec![[10, 0, 0, 1].into()])).unwrap();
        assert_eq!(join(first, second).await, (Ok(vec![[10, 0, 0, 1].into()]), Ok(vec![[10, 0, 0, 1].into()])));
        assert_eq!(begun.get(), 1);
    }

    #[tokio::test]
    async fn families_and_names_differ_and_nothing_is_kept() {
        let lookups = Lookups::default();
        let begun = Cell::new(0);
        let begin = || {
            begun.set(begun.get() + 1);
            async { Ok(Vec::new()) }.boxed()
        };
        for (host, family) in
            [("a.test", Family::V4), ("a.test", Family::V6), ("b.test", Family::V4), ("a.test", Family::V4)]
        {
            assert_eq!(lookups.join((host, family), begin).await, Ok(Vec::new()));
        }
        assert_eq!(begun.get(), 4);
    }

    #[tokio::test]
    async fn an_abandoned_lookup_is_dropped() {
        let lookups = Lookups::default();
        let (ended, dropped) = oneshot::channel::<()>();
        let begin = || {
            async move {
                let _held = ended;
                std::future::pending().await
            }
            .boxed()
        };
        assert!(lookups.join(("op.test", Family::V4), begin).now_or_never().is_none());
        assert!(dropped.await.is_err());
    }
}
