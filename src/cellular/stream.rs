//! A connection that is bound by construction: a [`BoundStream`] has only one constructor, which
//! binds.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::{fmt, io};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};

use crate::network::NetworkError;

/// Binds a socket to one network. Every implementation binds or fails.
pub(super) trait Bind {
    /// Binds a socket that will connect to, or receive from, addresses of this address family.
    fn bind(&self, socket: &Socket, family: SocketAddr) -> Result<(), NetworkError>;
}

/// A TCP connection over the network of a binding. [`BoundStream::connect`] is the only way to make
/// one.
pub struct BoundStream(TcpStream);

impl BoundStream {
    /// Binds a socket, then connects it, with `TCP_NODELAY`.
    pub(super) async fn connect(binding: &impl Bind, peer: SocketAddr) -> Result<Self, NetworkError> {
        let socket = Socket::new(Domain::for_address(peer), Type::STREAM, Some(Protocol::TCP))?;
        binding.bind(&socket, peer)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        Ok(Self(TcpSocket::from_std_stream(socket.into()).connect(peer).await?))
    }
}

impl fmt::Debug for BoundStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoundStream")
    }
}

impl AsyncRead for BoundStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for BoundStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::os::fd::{AsRawFd, RawFd};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    struct Recording {
        outcome: Result<(), NetworkError>,
        bound: Cell<Option<RawFd>>,
    }

    impl Bind for Recording {
        fn bind(&self, socket: &Socket, _: SocketAddr) -> Result<(), NetworkError> {
            assert!(socket.peer_addr().is_err(), "bound before it connects");
            self.bound.set(Some(socket.as_raw_fd()));
            self.outcome
        }
    }

    #[tokio::test]
    async fn connection_is_bound_and_has_nodelay() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let binding = Recording { outcome: Ok(()), bound: Cell::default() };
        let stream = BoundStream::connect(&binding, listener.local_addr().unwrap()).await.unwrap();
        assert_eq!(binding.bound.get(), Some(stream.0.as_raw_fd()));
        assert!(stream.0.nodelay().unwrap());
    }

    #[tokio::test]
    async fn written_bytes_arrive_followed_by_end_of_stream() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let binding = Recording { outcome: Ok(()), bound: Cell::default() };
        let mut stream = BoundStream::connect(&binding, listener.local_addr().unwrap()).await.unwrap();
        assert_eq!(format!("{stream:?}"), "BoundStream", "no address of the peer");
        stream.write_all(b"request").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut received = String::new();
        listener.accept().await.unwrap().0.read_to_string(&mut received).await.unwrap();
        assert_eq!(received, "request");
    }

    #[tokio::test]
    async fn failed_bind_prevents_the_connection() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let binding = Recording { outcome: Err(NetworkError::Failed), bound: Cell::default() };
        let stream = BoundStream::connect(&binding, listener.local_addr().unwrap()).await;
        assert_eq!(stream.err(), Some(NetworkError::Failed));
        assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
