//! A stream that repairs response heads (`head.rs`) while a response is awaited.
//!
//! Unsolicited bytes are passed on unchanged, so that hyper closes the connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::head;

/// The state of the current response and of the connection. Clones share it.
#[derive(Clone, Default)]
pub(super) struct HeadNotes(Arc<Notes>);

#[derive(Default)]
struct Notes {
    is_awaited: AtomicBool,
    is_repaired: AtomicBool,
    has_unusable_body: AtomicBool,
}

impl HeadNotes {
    /// The next bytes are the head of a response.
    pub(super) fn await_head(&self) {
        self.0.is_awaited.store(true, Ordering::Relaxed);
    }

    /// Whether any head on this connection was repaired.
    pub(super) fn is_repaired(&self) -> bool {
        self.0.is_repaired.load(Ordering::Relaxed)
    }

    /// Whether the end of the body is contradictory.
    pub(super) fn has_unusable_body(&self) -> bool {
        self.0.has_unusable_body.load(Ordering::Relaxed)
    }
}

/// A stream with repaired heads.
pub(super) struct HeadReader<S> {
    stream: S,
    notes: HeadNotes,
    /// An incomplete head, and the start of its last line.
    incoming: Vec<u8>,
    line: usize,
    /// Repaired bytes that are not read yet.
    outgoing: Vec<u8>,
    taken: usize,
}

impl<S> HeadReader<S> {
    pub(super) fn new(stream: S) -> (Self, HeadNotes) {
        let notes = HeadNotes::default();
        let (incoming, outgoing) = Default::default();
        (Self { stream, notes: notes.clone(), incoming, line: 0, outgoing, taken: 0 }, notes)
    }

    fn take(&mut self, buffer: &mut ReadBuf<'_>) {
        let left = &self.outgoing[self.taken..];
        let length = left.len().min(buffer.remaining());
        buffer.put_slice(&left[..length]);
        self.taken += length;
        if self.taken == self.outgoing.len() {
            self.outgoing.clear();
            self.taken = 0;
        }
    }

    /// Repairs the complete heads and passes on the bytes after the last one.
    fn repair_heads(&mut self) {
        let notes = &self.notes.0;
        while notes.is_awaited.load(Ordering::Relaxed) {
            if self.line == 0 {
                self.incoming.drain(..head::start(&self.incoming));
            }
            let Some(end) = head::end(&self.incoming, &mut self.line) else { break };
            let rest = self.incoming.split_off(end);
            let head = head::repaired(std::mem::replace(&mut self.incoming, rest));
            self.line = 0;
            self.outgoing.extend(head.bytes);
            notes.is_repaired.fetch_or(head.is_repaired, Ordering::Relaxed);
            notes.has_unusable_body.store(head.has_unusable_body, Ordering::Relaxed);
            notes.is_awaited.store(head.is_informational, Ordering::Relaxed);
        }
        if !notes.is_awaited.load(Ordering::Relaxed) {
            self.outgoing.append(&mut self.incoming);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HeadReader<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.outgoing.is_empty() {
            if !this.notes.0.is_awaited.load(Ordering::Relaxed) {
                return Pin::new(&mut this.stream).poll_read(cx, buffer);
            }
            let mut part = [0; 4096];
            let mut part = ReadBuf::new(&mut part);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut part))?;
            if part.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.incoming.extend_from_slice(part.filled());
            this.repair_heads();
        }
        this.take(buffer);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeadReader<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// What hyper reads of these bytes while a response is awaited, and the notes about it.
    async fn read(bytes: &[u8], piece: usize) -> (String, HeadNotes) {
        let (mut server, client) = duplex(piece);
        let (mut reader, notes) = HeadReader::new(client);
        notes.await_head();
        let sending = async {
            server.write_all(bytes).await.unwrap();
            drop(server);
        };
        let mut received = Vec::new();
        let ((), outcome) = tokio::join!(sending, reader.read_to_end(&mut received));
        outcome.unwrap();
        (String::from_utf8(received).unwrap(), notes)
    }

    #[tokio::test]
    async fn only_heads_are_repaired() {
        const BODY: &str = "HTTP/1.1  200\r\nX : body\r\n\r\n";
        let sent = format!("\r\n\nHTTP/1.1 103 Hints\r\nX : a\r\n\r\n\r\nhttp/1.1 200 OK\r\n\r\n{BODY}");
        for piece in [1, 7, 8192] {
            let (received, notes) = read(sent.as_bytes(), piece).await;
            assert_eq!(received, format!("HTTP/1.1 103 \r\nX: a\r\n\r\nHTTP/1.1 200 \r\n\r\n{BODY}"));
            assert!(notes.is_repaired() && !notes.has_unusable_body());
        }
        let (received, notes) = read(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 8192).await;
        assert_eq!(received, "HTTP/1.1 200 \r\n\r\n");
        assert!(notes.has_unusable_body());
    }

    #[tokio::test]
    async fn truncated_head_ends_the_stream() {
        let (received, notes) = read(b"HTTP/1.1 302 Found\r\nLocation: /x\r\n", 8192).await;
        assert_eq!((received.as_str(), notes.is_repaired()), ("", false));
    }

    #[tokio::test]
    async fn unsolicited_bytes_pass_through() {
        let (mut server, client) = duplex(8192);
        let (mut reader, notes) = HeadReader::new(client);
        server.write_all(b"HTTP/1.1  200").await.unwrap();
        let mut received = [0; 13];
        reader.read_exact(&mut received).await.unwrap();
        assert_eq!((&received[..], notes.is_repaired()), (&b"HTTP/1.1  200"[..], false));
    }
}
