//! A phone's network on one machine: a phone and a server, a delay line between them, a name
//! server, and an operator's web servers with counters. The thread that owns a lab is in the
//! phone's namespace, and so are the processes that it starts.

pub mod certificates;
pub mod chain;
pub mod dns;
pub mod link;
pub mod namespaces;
pub mod web;

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::unistd::gettid;

use self::dns::NameServer;
use self::link::{Crossed, Link};
use self::web::{Handshakes, Web};

pub struct Lab {
    pub link: Arc<Link>,
    web: Arc<Web>,
    names: Arc<NameServer>,
    /// The root certificate as a file.
    pub root_ca: PathBuf,
}

/// The cost of one verification, or of the preparation for it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub link: Crossed,
    pub handshakes: Handshakes,
}

/// The state of the link.
#[derive(Debug, Clone, Copy)]
pub struct Conditions {
    pub rtt: Duration,
    /// For each direction.
    pub loss: f64,
    pub seed: u64,
}

impl Lab {
    /// Builds a lab and moves the calling thread into its phone. The folder is for files that its
    /// clients read.
    pub fn enter(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let phone = namespaces::enter_phone(folder)?;
        let web = Web::new()?;
        let root_ca = folder.join("root.pem");
        std::fs::write(&root_ca, web.root_pem())?;
        let id = gettid();
        let (report, ready) = mpsc::channel();
        let servers = web.clone();
        thread::spawn(move || {
            let start = || {
                let hosts = chain::HOSTS.into_iter().map(|(_, address, _)| address);
                let server = namespaces::enter_server(id, hosts)?;
                let link = Link::start(phone, server)?;
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                Ok::<_, anyhow::Error>((runtime, NameServer::new(link.clone()), link))
            };
            match start() {
                Err(error) => drop(report.send(Err(error))),
                Ok((runtime, names, link)) => {
                    let _ = report.send(Ok((link, names.clone())));
                    let ended = runtime.block_on(async { tokio::try_join!(names.serve(), servers.serve()) });
                    eprintln!("the servers of a lab ended: {ended:?}");
                }
            }
        });
        let (link, names) = ready.recv().context("the servers' thread")??;
        namespaces::attach_wlan()?;
        Ok(Self { link, web, names, root_ca })
    }

    pub fn set(&self, conditions: Conditions) {
        self.link.set(conditions.rtt, conditions.loss, conditions.seed);
    }

    /// Makes the next verification cold for any client: all connections, TLS sessions and cached
    /// names are dropped by the servers. Resets the counters.
    pub fn forget(&self) -> Result<()> {
        self.web.forget()?;
        self.names.forget();
        self.reset();
        Ok(())
    }

    /// Waits until the link is idle, and resets the counters.
    pub fn reset(&self) {
        self.names.abandon_queries();
        self.link.await_silence();
        self.link.reset();
        self.web.reset();
    }

    /// Starts a cold measurement under these conditions.
    pub fn begin_cold(&self, conditions: Conditions) -> Result<()> {
        self.forget()?;
        self.set(conditions);
        Ok(())
    }

    /// Starts a measurement under these conditions without dropping state.
    pub fn begin_next(&self, conditions: Conditions) {
        self.reset();
        self.set(conditions);
    }

    pub fn counts(&self) -> Counts {
        Counts { link: self.link.crossed(), handshakes: self.web.handshakes() }
    }
}
