//! The verifier's own I/O thread: one for all its flows, whatever the app has. It starts with the first use.

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

/// The thread, once it is needed. It ends when this and all [`RuntimeGuard`] tokens are gone.
pub(crate) struct Runtime {
    running: Mutex<Option<Running>>,
    /// Closed when this is gone and the thread, if there was one, has ended.
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
    /// Nothing is started yet.
    pub(crate) fn new() -> Self {
        Self { running: Mutex::default(), ended: watch::channel(()).0 }
    }

    /// Starts the thread, unless it runs. Fails if the system refuses it; a later call may succeed.
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
    let (token, mut gone) = mpsc::channel(1);
    thread::Builder::new().name("number-verify".to_owned()).spawn(move || {
        if let Background(Some(runtime)) = &runtime {
            runtime.block_on(gone.recv());
        }
        drop(runtime);
        drop(ended);
    })?;
    Ok(Running { handle, alive: RuntimeGuard { _token: token } })
}

/// A runtime that can be dropped anywhere, also in a task of another one: without its thread, this is there.
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

    /// Boxed: the code that runs a task is there once for each type of future.
    pub(crate) fn spawn<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.handle.spawn(future.boxed())
    }
}
