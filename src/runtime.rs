//! The verifier's own I/O thread: one for all its flows, whatever the app has.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::limits;

/// Runs futures on the thread. The thread ends when this and all its [`RuntimeGuard`] tokens are gone.
pub(crate) struct Runtime {
    handle: Handle,
    alive: RuntimeGuard,
    /// Closed when the thread has ended.
    ended: watch::Receiver<()>,
}

/// Keeps the thread running for work that outlives the verifier, such as releasing the network.
#[derive(Clone)]
pub(crate) struct RuntimeGuard {
    _token: mpsc::Sender<Infallible>,
}

impl Runtime {
    pub(crate) fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(limits::THREADS).build()?;
        let handle = runtime.handle().clone();
        let (token, mut gone) = mpsc::channel(1);
        let (running, ended) = watch::channel(());
        thread::Builder::new().name("number-verify".to_owned()).spawn(move || {
            runtime.block_on(gone.recv());
            runtime.shutdown_background();
            drop(running);
        })?;
        Ok(Self { handle, alive: RuntimeGuard { _token: token }, ended })
    }

    pub(crate) fn alive(&self) -> RuntimeGuard {
        self.alive.clone()
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(crate) fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut ended = self.ended.clone();
        async move { while ended.changed().await.is_ok() {} }
    }

    pub(crate) fn spawn<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.handle.spawn(future)
    }
}
