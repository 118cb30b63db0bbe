//! The bridge from a foreign connection to tokio's reader and writer.

mod support;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use foreign_stream::{CHUNK, ConnectionError, ForeignStream};
use support::{FakeConnection, Peer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

/// On the paused clock: no other event can occur before it has elapsed.
const LONG: Duration = Duration::from_hours(1);

async fn open() -> (ForeignStream, Arc<FakeConnection>, Peer) {
    let (connection, peer) = support::connection();
    let (stream, address) = ForeignStream::connect(connection.clone()).await.unwrap();
    assert_eq!(address, "198.51.100.7");
    (stream, connection, peer)
}

#[tokio::test]
async fn bytes_are_returned_unchanged() {
    let (stream, connection, mut peer) = open().await;
    let echo = tokio::spawn(async move {
        while let Some(bytes) = peer.receives.recv().await {
            assert!(bytes.len() <= CHUNK.into());
            if peer.sends.send(Ok(bytes)).is_err() {
                return;
            }
        }
    });
    let sent: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut came = vec![0; sent.len()];
    let write = async {
        writer.write_all(&sent).await.unwrap();
        writer.flush().await.unwrap();
    };
    let (read, ()) = tokio::join!(reader.read_exact(&mut came), write);
    assert_eq!(read.unwrap(), sent.len());
    assert!(came == sent);
    drop((reader, writer, connection));
    echo.await.unwrap();
}

#[tokio::test]
async fn bytes_that_do_not_fit_are_left_for_the_next_read() {
    let (mut stream, connection, peer) = open().await;
    peer.sends.send(Ok(b"0123456789".to_vec())).unwrap();
    let mut buffer = [0; 4];
    for expected in ["0123", "4567", "89"] {
        let length = stream.read(&mut buffer).await.unwrap();
        assert_eq!(buffer.get(..length), Some(expected.as_bytes()));
    }
    assert_eq!(connection.reads.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn ended_stream_stays_ended() {
    let (mut stream, connection, peer) = open().await;
    peer.sends.send(Ok(b"last".to_vec())).unwrap();
    drop(peer.sends);
    let mut text = String::new();
    assert_eq!(stream.read_to_string(&mut text).await.unwrap(), 4);
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
    assert_eq!(connection.reads.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn foreign_error_is_an_io_error_once_and_the_stream_stays_failed() {
    let (mut stream, connection, peer) = open().await;
    peer.sends.send(Err(ConnectionError::Closed)).unwrap();
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap_err().kind(), io::ErrorKind::NotConnected);
    assert_eq!(connection.reads.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn more_bytes_than_requested_are_an_error() {
    let (mut stream, _, peer) = open().await;
    peer.sends.send(Ok(vec![0; usize::from(CHUNK) + 1])).unwrap();
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap_err().kind(), io::ErrorKind::Other);
}

#[tokio::test]
async fn empty_reads_and_writes_do_not_reach_the_foreign_side() {
    let (mut stream, connection, _peer) = open().await;
    assert_eq!(stream.read(&mut []).await.unwrap(), 0);
    assert_eq!(stream.write(&[]).await.unwrap(), 0);
    assert_eq!(connection.reads.load(Ordering::Relaxed), 0);
    assert_eq!(connection.writes.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn write_waits_for_the_previous_write() {
    let (mut stream, connection, mut peer) = open().await;
    connection.writable.forget_permits(usize::MAX);
    assert_eq!(stream.write(b"first").await.unwrap(), 5);
    assert!(timeout(LONG, stream.write(b"second")).await.is_err());
    assert!(timeout(LONG, stream.flush()).await.is_err());
    assert_eq!(connection.writes.load(Ordering::Relaxed), 1);
    connection.writable.add_permits(2);
    stream.write_all(b"second").await.unwrap();
    stream.flush().await.unwrap();
    assert_eq!(peer.receives.recv().await.as_deref(), Some(b"first".as_slice()));
    assert_eq!(peer.receives.recv().await.as_deref(), Some(b"second".as_slice()));
}

#[tokio::test]
async fn failed_write_is_reported_by_the_flush() {
    let (mut stream, connection, _peer) = open().await;
    connection.writable.forget_permits(usize::MAX);
    stream.write_all(b"lost").await.unwrap();
    connection.writable.close();
    assert_eq!(stream.flush().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn shutdown_flushes_and_closes() {
    let (mut stream, connection, mut peer) = open().await;
    stream.write_all(b"bye").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(peer.receives.recv().await.as_deref(), Some(b"bye".as_slice()));
    assert!(connection.closed.is_cancelled());
    assert_eq!(stream.write(b"late").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[tokio::test(start_paused = true)]
async fn dropping_during_a_read_closes_the_connection() {
    let (mut stream, connection, _peer) = open().await;
    assert!(timeout(LONG, stream.read(&mut [0; 8])).await.is_err());
    assert!(!connection.closed.is_cancelled());
    drop(stream);
    assert!(connection.closed.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn dropping_during_connect_closes_the_connection() {
    let connection = support::black_hole();
    assert!(timeout(LONG, ForeignStream::connect(connection.clone())).await.is_err());
    assert!(connection.closed.is_cancelled());
}
