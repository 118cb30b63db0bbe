//! The backend on real sockets of the loopback interface, combined with the virtual clock: reqwest
//! opens its own TCP connections.
//!
//! tokio's paused clock advances when no task can run, and does not take into account bytes in
//! transit through the kernel. On Linux they have arrived when `write` returns. So before the clock
//! advances, the sockets are polled a few more times ([`QuietClock`]): only if the server has
//! neither received nor sent a byte meanwhile are all parties really waiting.

use std::future::Future;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures_util::FutureExt;
use number_verify::internals::{HttpBackend, NetworkError};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::phone::Phone;
use super::world::{BACKEND, World};
use crate::network::{Lookup, Reachability};
use crate::server::{self, Hosts, Socket};

const SERVES: Ipv4Addr = Ipv4Addr::LOCALHOST;
const REFUSES: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// The queue of its listener is full: the kernel drops incoming connections.
const BLACK_HOLE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
/// Linux has no route for a TCP connection to a multicast address.
const UNREACHABLE: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);

/// Prevents the virtual clock from advancing while bytes are in transit.
#[derive(Clone, Default)]
pub struct QuietClock(Arc<Inner>);

#[derive(Default)]
struct Inner {
    looks: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

impl QuietClock {
    /// One for the client after the server, one for the server after that, and one more.
    const POLLS: usize = 3;

    fn on_idle(&self) {
        if self.0.looks.fetch_add(1, Ordering::Relaxed) < Self::POLLS {
            // A ready task prevents the thread from blocking: it only polls the sockets.
            self.0.waker.lock().unwrap().iter().for_each(Waker::wake_by_ref);
        } else {
            self.start_over();
        }
    }

    fn start_over(&self) {
        self.0.looks.store(0, Ordering::Relaxed);
    }

    async fn ready(self) {
        poll_fn(|cx| {
            *self.0.waker.lock().unwrap() = Some(cx.waker().clone());
            Poll::<()>::Pending
        })
        .await;
    }
}

/// Runs a test on the virtual clock.
pub fn run<F: Future<Output = ()>>(test: impl FnOnce(QuietClock) -> F) {
    let clock = QuietClock::default();
    let (idle, handle) = (clock.clone(), clock.clone());
    let mut runtime = Builder::new_current_thread();
    runtime.enable_all().start_paused(true).on_thread_park(move || idle.on_idle());
    runtime.build().unwrap().block_on(async {
        tokio::spawn(clock.clone().ready());
        test(clock).await;
    });
    // The waker holds the runtime, which holds the clock.
    handle.0.waker.lock().unwrap().take();
}

/// The backend of one cell.
pub struct Server {
    port: u16,
    open: Arc<AtomicUsize>,
    _accepting: JoinSet<()>,
    /// Occupies the only place in the listener's queue.
    _black_hole: (TcpListener, std::net::TcpStream),
}

impl Server {
    pub fn start(world: &Arc<World>, clock: &QuietClock) -> Self {
        let (listener, black_hole) = listeners();
        let port = listener.local_addr().unwrap().port();
        let filled = std::net::TcpStream::connect((BLACK_HOLE, port)).unwrap();
        let (open, mut accepting) = (Arc::<AtomicUsize>::default(), JoinSet::new());
        let (world, clock, counted) = (world.clone(), clock.clone(), open.clone());
        accepting.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                clock.start_over();
                counted.fetch_add(1, Ordering::Relaxed);
                let (hosts, counted, stream) =
                    (world.clone(), counted.clone(), Observed { stream, clock: clock.clone() });
                tokio::spawn(async move {
                    server::converse(stream, format!("{BACKEND}:{port}"), true, hosts).await;
                    counted.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Self { port, open, _accepting: accepting, _black_hole: (black_hole, filled) }
    }

    pub fn phone(&self, world: &Arc<World>) -> Phone {
        let url = format!("https://{BACKEND}:{}", self.port);
        let hosts = world.clone();
        Phone::new(world, &url, |settings, tls, threads| {
            let backend = HttpBackend::new(settings, tls, threads);
            Arc::new(backend.with_resolver(Arc::new(move |host| resolve(hosts.clone(), host).boxed())))
        })
    }

    pub fn open_connections(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

async fn resolve(world: Arc<World>, host: String) -> Result<Vec<IpAddr>, NetworkError> {
    match world.lookup(&host) {
        Lookup::Usual => {}
        Lookup::Slow(time) => sleep(time).await,
        Lookup::Fails(error) => return Err(error),
        Lookup::Finds(addresses) => return Ok(addresses),
    }
    let address = match world.reachability(&host) {
        Reachability::Open => SERVES,
        Reachability::Refused | Reachability::Unknown => REFUSES,
        Reachability::Unreachable => UNREACHABLE,
        Reachability::BlackHole | Reachability::Slow(_) => BLACK_HOLE,
    };
    Ok(vec![address.into()])
}

/// Both on the same port.
fn listeners() -> (TcpListener, TcpListener) {
    let listen = |address, queue| {
        let socket = TcpSocket::new_v4()?;
        socket.bind(address)?;
        socket.listen(queue)
    };
    loop {
        let serves = listen(SocketAddr::from((SERVES, 0)), 64).unwrap();
        let port = serves.local_addr().unwrap().port();
        if let Ok(black_hole) = listen(SocketAddr::from((BLACK_HOLE, port)), 0) {
            return (serves, black_hole);
        }
    }
}

/// A connection that reports its activity to the clock.
struct Observed {
    stream: TcpStream,
    clock: QuietClock,
}

impl Observed {
    fn observe<T>(&self, polled: Poll<T>) -> Poll<T> {
        if polled.is_ready() {
            self.clock.start_over();
        }
        polled
    }
}

impl Socket for Observed {
    fn reset(&mut self) {
        self.stream.set_zero_linger().unwrap();
    }
}

impl AsyncRead for Observed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.observe(polled)
    }
}

impl AsyncWrite for Observed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.observe(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.observe(polled)
    }
}
