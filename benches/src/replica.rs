//! The server processes: replicas of a reference backend, and a real Redis. Each ends when its
//! value is dropped.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use number_verify_simulator::{CLIENT_ID, CLIENT_SECRET};
use rustix::process::{Pid, Signal, kill_process};

/// An example of a Fernet key.
const KEY: &str = "bm90IGEgc2VjcmV0LCBmb3IgdGVzdHMgb25seSEhISE=";
const GENEROUS: &str = "100000000/60";
const REDIRECT_URI: &str = "https://backend.test/callback";
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Rust,
    Python,
}

impl Backend {
    pub const ALL: [Self; 2] = [Self::Rust, Self::Python];

    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "backend-rust",
            Self::Python => "backend-python",
        }
    }

    /// The program of the backend, from the environment of the calling script, or the reason why it
    /// is missing.
    pub fn program(self) -> Result<PathBuf, String> {
        let name = match self {
            Self::Rust => "BENCH_BACKEND_RUST",
            Self::Python => "BENCH_PYTHON",
        };
        std::env::var_os(name).map(PathBuf::from).ok_or_else(|| format!("the script did not build it (${name})"))
    }

    /// Its settings for this provider, whose verify API is at `verify_url` (CAMARA) and under
    /// `issuer` (Glide).
    pub fn provider(self, issuer: &str, verify_url: &str) -> Vec<(&'static str, String)> {
        match self {
            Self::Rust => vec![
                ("OIDC_ISSUER", issuer.to_owned()),
                ("OIDC_CLIENT_ID", CLIENT_ID.to_owned()),
                ("OIDC_CLIENT_SECRET", CLIENT_SECRET.to_owned()),
                ("OIDC_REDIRECT_URI", REDIRECT_URI.to_owned()),
                ("CAMARA_VERIFY_URL", verify_url.to_owned()),
            ],
            Self::Python => vec![
                ("GLIDE_CLIENT_ID", CLIENT_ID.to_owned()),
                ("GLIDE_CLIENT_SECRET", CLIENT_SECRET.to_owned()),
                ("GLIDE_AUTH_BASE_URL", issuer.to_owned()),
                ("GLIDE_API_BASE_URL", issuer.to_owned()),
                ("GLIDE_REDIRECT_URI", REDIRECT_URI.to_owned()),
            ],
        }
    }
}

/// The start parameters of all replicas.
pub struct Deployment {
    pub backend: Backend,
    pub program: PathBuf,
    /// The roots that they trust.
    pub roots: PathBuf,
    /// For their logs.
    pub folder: PathBuf,
    pub settings: Vec<(&'static str, String)>,
}

impl Deployment {
    /// Does not wait until the replica serves.
    pub fn start(&self, port: u16) -> Result<Replica> {
        let mut command = Command::new(&self.program);
        let log = self.folder.join(format!("{}-{port}.log", self.backend.name()));
        let out = File::create(&log)?;
        command.env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "PATH"));
        command.env("SSL_CERT_FILE", &self.roots).env("NUMBER_VERIFY_KEYS", KEY);
        for limit in ["STARTS_PER_NUMBER", "STARTS_PER_ADDRESS", "CALLS_PER_ADDRESS"] {
            command.env(format!("NUMBER_VERIFY_{limit}"), GENEROUS);
        }
        match self.backend {
            Backend::Rust => command.env("LISTEN", format!("127.0.0.1:{port}")),
            Backend::Python => command
                .args(["-m", "uvicorn", "app:app", "--timeout-graceful-shutdown", "10", "--port", &port.to_string()])
                .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/backend-python"))
                .env("PYTHONDONTWRITEBYTECODE", "1"),
        };
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        let child = command.stdout(out.try_clone()?).stderr(out).spawn();
        Ok(Replica { process: Process(child.with_context(|| self.program.display().to_string())?), port, log })
    }
}

pub struct Replica {
    pub process: Process,
    pub port: u16,
    pub log: PathBuf,
}

impl Replica {
    /// Waits until the replica and its store are healthy.
    pub fn await_readiness(&self) -> Result<()> {
        until(|| self.is_healthy().unwrap_or_default(), || format!("{} is not healthy", self.log.display()))
    }

    fn is_healthy(&self) -> Result<bool> {
        let request = format!("GET /health HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n", self.port);
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        let mut response = Vec::new();
        stream.read_to_end(&mut response)?;
        Ok(response.starts_with(b"HTTP/1.1 200 "))
    }
}

/// A real Redis.
pub struct Redis {
    pub process: Process,
    pub port: u16,
}

impl Redis {
    /// Without persistence, or with a folder that persists every confirmed write.
    pub fn start(port: u16, persistent_in: Option<&Path>) -> Result<Self> {
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        match persistent_in {
            None => command.args(["--appendonly", "no"]),
            Some(folder) => {
                fs::create_dir_all(folder)?;
                command.args(["--appendonly", "yes", "--appendfsync", "always"]).arg("--dir").arg(folder)
            }
        };
        let child = command.stdout(Stdio::null()).spawn();
        let child = child.context("redis-server (Debian: apt-get install redis-server)")?;
        let redis = Self { process: Process(child), port };
        until(
            || redis.execute("PING").is_ok_and(|reply| reply.starts_with("+PONG")),
            || format!("no Redis on {port}"),
        )?;
        Ok(redis)
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// The response to a command of one line; less than 16 KiB.
    pub fn execute(&self, command: &str) -> Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes())?;
        let mut response = String::new();
        stream.read_to_string(&mut response)?;
        Ok(response)
    }
}

/// A process that ends when this value is dropped.
pub struct Process(Child);

impl Process {
    pub fn id(&self) -> String {
        self.0.id().to_string()
    }

    /// Returns when it has ended.
    pub fn end(&mut self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.0), signal)?;
        let mut has_ended = || matches!(self.0.try_wait(), Ok(Some(_)));
        until(&mut has_ended, || format!("a process did not end after {signal:?}"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn until(mut is_so: impl FnMut() -> bool, else_what: impl Fn() -> String) -> Result<()> {
    let give_up = Instant::now() + PATIENCE;
    while !is_so() {
        ensure!(Instant::now() < give_up, "after {PATIENCE:?}: {}", else_what());
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
