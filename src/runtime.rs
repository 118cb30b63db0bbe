//! The verifier's I/O thread: one for all its flows, independent of the app's runtime. It starts on
//! first use.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread;

use futures_util::FutureExt;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::limits;

/// The thread, once it is needed. It ends when this and all [`RuntimeGuard`] tokens are dropped.
pub(crate) struct Runtime {
    running: Mutex<Option<Running>>,
    /// Closed when this is dropped and the thread, if there was one, has ended.
    ended: watch::Sender<()>,
}

/// Runs futures on the thread.
#[derive(Clone)]
pub(crate) struct Running {
    handle: Handle,
    alive: RuntimeGuard,
}

/// Keeps the thread running for work that outlives the verifier, such as releasing the network.
#[derive(Clone)]
pub(crate) struct RuntimeGuard {
    _token: mpsc::Sender<Infallible>,
}

impl Runtime {
    /// Starts nothing.
    pub(crate) fn new() -> Self {
        Self { running: Mutex::default(), ended: watch::channel(()).0 }
    }

    /// Starts the thread, unless it is running. Fails if the system cannot start one; a later call
    /// may succeed.
    pub(crate) fn running(&self) -> io::Result<Running> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = &*running {
            return Ok(running.clone());
        }
        Ok(running.insert(start(self.ended.clone())?).clone())
    }

    pub(crate) fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut ended = self.ended.subscribe();
        async move { while ended.changed().await.is_ok() {} }
    }
}

fn start(ended: watch::Sender<()>) -> io::Result<Running> {
    let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(limits::THREADS).build()?;
    let handle = runtime.handle().clone();
    let runtime = Background(Some(runtime));
    let (token, mut closed) = mpsc::channel(1);
    thread::Builder::new().name("number-verify".to_owned()).spawn(move || {
        if let Background(Some(runtime)) = &runtime {
            runtime.block_on(closed.recv());
        }
        drop(runtime);
        drop(ended);
    })?;
    Ok(Running { handle, alive: RuntimeGuard { _token: token } })
}

/// A runtime that can be dropped anywhere, including a task of another runtime: it is dropped here
/// if its thread could not be started.
struct Background(Option<tokio::runtime::Runtime>);

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Running {
    pub(crate) fn alive(&self) -> RuntimeGuard {
        self.alive.clone()
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Boxed: the code that runs a task is generated once per type of future.
    pub(crate) fn spawn<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.handle.spawn(future.boxed())
    }
}
