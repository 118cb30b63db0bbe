//! A response whose headers have arrived: its body can be read, or discarded so that the connection
//! is returned to the pool.

use std::sync::{Arc, Weak};

use futures_util::FutureExt;
use http::{HeaderMap, StatusCode};
use tokio::time::timeout;

use super::content_coding::decode;
use super::destination::Destination;
use super::error::TransportError;
use super::http1::{History, IncomingResponse};
use super::limits::Limits;
use super::pool::Pool;

/// A response whose body has not been read.
pub struct Response {
    incoming: IncomingResponse,
    limits: Limits,
    destination: Destination,
    pool: Weak<Pool>,
}

impl Response {
    pub(super) fn new(incoming: IncomingResponse, limits: Limits, destination: Destination, pool: &Arc<Pool>) -> Self {
        Self { incoming, limits, destination, pool: Arc::downgrade(pool) }
    }

    /// The status, 200 to 599.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.incoming.head.status
    }

    /// The headers, at most 64 KiB.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.incoming.head.headers
    }

    /// The complete body, decoded. The connection is returned to the pool.
    pub(super) async fn read(mut self) -> Result<Vec<u8>, TransportError> {
        let Limits { response: time, body: limit, .. } = self.limits;
        let mut body = Vec::new();
        timeout(time, self.incoming.collect(&mut body, limit)).await.map_err(|_| TransportError::Timeout)??;
        let body = decode(self.headers(), body, limit)?;
        self.return_to_pool();
        Ok(body)
    }

    /// Returns the connection to the pool without waiting: the part of the body that has arrived is
    /// dropped, and the rest is read concurrently with the flow, up to the limit.
    pub fn discard(mut self) {
        let Limits { response: time, body: limit, .. } = self.limits;
        match self.incoming.collect(&mut Vec::new(), limit).now_or_never() {
            Some(Ok(())) => self.return_to_pool(),
            Some(Err(_)) => {}
            None => {
                let Some(pool) = self.pool.upgrade() else { return };
                pool.spawn(async move {
                    if let Ok(Ok(())) = timeout(time, self.incoming.collect(&mut Vec::new(), limit)).await {
                        self.return_to_pool();
                    }
                });
            }
        }
    }

    fn return_to_pool(mut self) {
        if self.incoming.connection.is_open()
            && let Some(pool) = self.pool.upgrade()
        {
            pool.put(self.destination, self.incoming.connection, History::Used);
        }
    }
}
