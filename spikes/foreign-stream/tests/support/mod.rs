//! An in-memory foreign connection whose peer is the test.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use foreign_stream::{Connection, ConnectionError};
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

/// The result of the next read.
pub type Incoming = Result<Vec<u8>, ConnectionError>;

pub struct FakeConnection {
    incoming: Mutex<mpsc::UnboundedReceiver<Incoming>>,
    outgoing: mpsc::UnboundedSender<Vec<u8>>,
    connects: bool,
    /// The number of writes that the foreign side accepts.
    pub writable: Semaphore,
    pub reads: AtomicUsize,
    pub writes: AtomicUsize,
    pub closed: CancellationToken,
}

/// The other end. Dropping it ends the stream.
pub struct Peer {
    pub sends: mpsc::UnboundedSender<Incoming>,
    pub receives: mpsc::UnboundedReceiver<Vec<u8>>,
}

/// A connection that accepts any number of writes, and its peer.
pub fn connection() -> (Arc<FakeConnection>, Peer) {
    fake(true)
}

/// A connection that never connects.
pub fn black_hole() -> Arc<FakeConnection> {
    fake(false).0
}

fn fake(connects: bool) -> (Arc<FakeConnection>, Peer) {
    let (sends, incoming) = mpsc::unbounded_channel();
    let (outgoing, receives) = mpsc::unbounded_channel();
    let connection = FakeConnection {
        incoming: Mutex::new(incoming),
        outgoing,
        connects,
        writable: Semaphore::new(Semaphore::MAX_PERMITS),
        reads: AtomicUsize::new(0),
        writes: AtomicUsize::new(0),
        closed: CancellationToken::new(),
    };
    (Arc::new(connection), Peer { sends, receives })
}

#[async_trait::async_trait]
impl Connection for FakeConnection {
    async fn connect(&self) -> Result<String, ConnectionError> {
        if !self.connects {
            self.closed.cancelled().await;
            return Err(ConnectionError::Closed);
        }
        Ok("198.51.100.7".to_owned())
    }

    async fn read(&self, _: u32) -> Incoming {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let mut incoming = self.incoming.try_lock().expect("one read at a time");
        tokio::select! {
            bytes = incoming.recv() => bytes.unwrap_or(Ok(Vec::new())),
            () = self.closed.cancelled() => Err(ConnectionError::Closed),
        }
    }

    async fn write(&self, bytes: Vec<u8>) -> Result<(), ConnectionError> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.writable.acquire().await.map_err(|_| ConnectionError::Closed)?.forget();
        self.outgoing.send(bytes).map_err(|_| ConnectionError::Closed)
    }

    fn close(&self) -> Result<(), ConnectionError> {
        self.closed.cancel();
        Ok(())
    }
}
