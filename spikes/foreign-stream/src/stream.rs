//! A foreign connection as tokio's reader and writer: at most one read and one write are pending,
//! and dropping it closes it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::{fmt, io};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::foreign::{Connection, ConnectionError};

/// The maximum that one call reads or writes: about a TLS record.
pub const CHUNK: u16 = 16 * 1024;

type Call<T> = Pin<Box<dyn Future<Output = Result<T, ConnectionError>> + Send>>;

/// An open foreign connection.
pub struct ForeignStream {
    reading: Reading,
    writing: Option<Call<()>>,
    is_shut_down: bool,
    connection: ClosedOnDrop,
}

enum Reading {
    /// Bytes that were received and not consumed yet.
    Received(Bytes),
    Outstanding(Call<Vec<u8>>),
    Ended,
    Failed,
}

/// Closes the connection, even if it is still connecting.
struct ClosedOnDrop(Arc<dyn Connection>);

impl ClosedOnDrop {
    fn close(&self) {
        // A failure can be ignored: the bytes are no longer needed.
        let _ = self.0.close();
    }
}

impl Drop for ClosedOnDrop {
    fn drop(&mut self) {
        self.close();
    }
}

impl ForeignStream {
    /// Connects, and returns the peer's address as reported by the foreign side. Dropping the
    /// future closes the connection.
    pub async fn connect(connection: Arc<dyn Connection>) -> Result<(Self, String), ConnectionError> {
        let connection = ClosedOnDrop(connection);
        let peer = connection.0.connect().await?;
        let reading = Reading::Received(Bytes::new());
        Ok((Self { reading, writing: None, is_shut_down: false, connection }, peer))
    }

    fn begin_reading(&self) -> Call<Vec<u8>> {
        let connection = self.connection.0.clone();
        Box::pin(async move { connection.read(CHUNK.into()).await })
    }

    fn begin_writing(&self, bytes: Vec<u8>) -> Call<()> {
        let connection = self.connection.0.clone();
        Box::pin(async move { connection.write(bytes).await })
    }

    fn poll_writing(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(writing) = &mut self.writing {
            let outcome = ready!(writing.as_mut().poll(cx));
            self.writing = None;
            outcome?;
        }
        Poll::Ready(Ok(()))
    }
}

/// The result of a foreign read: the end of the stream is `Ended`, more bytes than allowed are an
/// error.
fn received(outcome: Result<Vec<u8>, ConnectionError>) -> io::Result<Reading> {
    let bytes = outcome?;
    if bytes.len() > CHUNK.into() {
        return Err(io::Error::other("a foreign read returned more bytes than requested"));
    }
    Ok(if bytes.is_empty() { Reading::Ended } else { Reading::Received(bytes.into()) })
}

impl AsyncRead for ForeignStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            self.reading = match &mut self.reading {
                Reading::Received(bytes) if bytes.is_empty() => Reading::Outstanding(self.begin_reading()),
                Reading::Received(bytes) => {
                    let length = bytes.len().min(buffer.remaining());
                    buffer.put_slice(&bytes.split_to(length));
                    return Poll::Ready(Ok(()));
                }
                Reading::Outstanding(call) => match received(ready!(call.as_mut().poll(cx))) {
                    Ok(reading) => reading,
                    Err(error) => {
                        self.reading = Reading::Failed;
                        return Poll::Ready(Err(error));
                    }
                },
                Reading::Ended => return Poll::Ready(Ok(())),
                Reading::Failed => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            };
        }
    }
}

impl AsyncWrite for ForeignStream {
    /// Accepts bytes once the foreign side has accepted the earlier ones. A failure is reported by
    /// the next call: a write, a flush or a read.
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_writing(cx))?;
        if self.is_shut_down {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let taken: Vec<u8> = bytes.iter().copied().take(CHUNK.into()).collect();
        let length = taken.len();
        if length > 0 {
            self.writing = Some(self.begin_writing(taken));
            // The foreign side starts when its call is first polled.
            if let Poll::Ready(Err(error)) = self.poll_writing(cx) {
                return Poll::Ready(Err(error));
            }
        }
        Poll::Ready(Ok(length))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_writing(cx)
    }

    /// Closes both directions: HTTP/1.1 shuts a connection down only after it has finished in both.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(self.poll_writing(cx));
        self.is_shut_down = true;
        self.connection.close();
        Poll::Ready(flushed)
    }
}

impl fmt::Debug for ForeignStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForeignStream")
    }
}
