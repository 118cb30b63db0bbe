//! The reference backends: how many verifications they start in a second, and their memory; one replica, and three with Redis.
//!
//! The simulator is the provider. Load generator and backend share this machine's processors.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use number_verify_simulator::{CLIENT_ID, CLIENT_SECRET, Options, Simulator};

use crate::load::{self, Load};
use crate::process::status;

/// An example of a Fernet key.
const KEY: &str = "bm90IGEgc2VjcmV0LCBmb3IgdGVzdHMgb25seSEhISE=";
const GENEROUS: &str = "100000000/60";
const PATIENCE: Duration = Duration::from_secs(30);
const REPLICAS: usize = 3;

/// One row: a backend in one arrangement, or why it was left out.
pub struct Row {
    pub name: &'static str,
    pub replicas: usize,
    pub measured: Result<Measured, String>,
}

pub struct Measured {
    pub load: Load,
    /// Of each replica, before and after the load.
    pub idle_kib: Vec<u64>,
    pub peak_kib: Vec<u64>,
}

#[derive(Clone, Copy)]
enum Backend {
    Rust,
    Python,
}

pub fn measure(folder: &Path, how_long: Duration) -> Result<Vec<Row>> {
    let simulator = Simulator::start(Options::default())?;
    let root = folder.join("simulator.pem");
    std::fs::write(&root, simulator.root_ca_pem())?;
    let mut rows = Vec::new();
    for backend in [Backend::Rust, Backend::Python] {
        for replicas in [1, REPLICAS] {
            eprintln!("{}, {replicas} at once", backend.name());
            let measured = match backend.program().and_then(|program| Ok((program, redis_if(replicas > 1)?))) {
                Err(reason) => Err(reason),
                Ok((program, redis)) => {
                    let world = World { simulator: &simulator, root: &root, redis: redis.as_ref(), folder };
                    Ok(world.measure(backend, &program, replicas, how_long)?)
                }
            };
            rows.push(Row { name: backend.name(), replicas, measured });
        }
    }
    Ok(rows)
}

impl Backend {
    fn name(self) -> &'static str {
        match self {
            Self::Rust => "backend-rust",
            Self::Python => "backend-python",
        }
    }

    /// The program that serves it, which `scripts/bench` names; or why there is none.
    fn program(self) -> Result<PathBuf, String> {
        let name = match self {
            Self::Rust => "BENCH_BACKEND_RUST",
            Self::Python => "BENCH_PYTHON",
        };
        std::env::var_os(name).map(PathBuf::from).ok_or_else(|| format!("scripts/bench did not build it (${name})"))
    }
}

struct World<'a> {
    simulator: &'a Simulator,
    root: &'a Path,
    redis: Option<&'a Redis>,
    folder: &'a Path,
}

impl World<'_> {
    fn measure(&self, backend: Backend, program: &Path, replicas: usize, how_long: Duration) -> Result<Measured> {
        let started = (0..replicas).map(|_| self.start(backend, program));
        let replicas = started.collect::<Result<Vec<Replica>>>()?;
        for replica in &replicas {
            replica.await_readiness()?;
        }
        let memory = |field| -> Result<Vec<u64>> {
            replicas.iter().map(|replica| status(&replica.child.0.id().to_string(), field)).collect()
        };
        let ports: Vec<u16> = replicas.iter().map(|replica| replica.port).collect();
        let idle_kib = memory("VmRSS")?;
        let load = load::run(&ports, how_long)?;
        Ok(Measured { load, idle_kib, peak_kib: memory("VmHWM")? })
    }

    fn start(&self, backend: Backend, program: &Path) -> Result<Replica> {
        let port = free_port()?;
        let mut command = Command::new(program);
        let log = std::fs::File::create(self.folder.join(format!("{}-{port}.log", backend.name())))?;
        command.env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "PATH"));
        command.env("SSL_CERT_FILE", self.root).env("NUMBER_VERIFY_KEYS", KEY);
        for limit in ["STARTS_PER_NUMBER", "STARTS_PER_ADDRESS", "CALLS_PER_ADDRESS"] {
            command.env(format!("NUMBER_VERIFY_{limit}"), GENEROUS);
        }
        if let Some(redis) = self.redis {
            command.env("REDIS_URL", redis.url());
        }
        let redirect_uri = "https://backend.test/callback";
        match backend {
            Backend::Rust => command
                .env("LISTEN", format!("127.0.0.1:{port}"))
                .env("OIDC_ISSUER", self.simulator.camara_issuer())
                .env("OIDC_CLIENT_ID", CLIENT_ID)
                .env("OIDC_CLIENT_SECRET", CLIENT_SECRET)
                .env("OIDC_REDIRECT_URI", redirect_uri)
                .env("CAMARA_VERIFY_URL", self.simulator.camara_verify_url()),
            Backend::Python => command
                .args(["-m", "uvicorn", "app:app", "--port", &port.to_string()])
                .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/backend-python"))
                .env("PYTHONDONTWRITEBYTECODE", "1")
                .env("GLIDE_CLIENT_ID", CLIENT_ID)
                .env("GLIDE_CLIENT_SECRET", CLIENT_SECRET)
                .env("GLIDE_AUTH_BASE_URL", self.simulator.glide_url())
                .env("GLIDE_API_BASE_URL", self.simulator.glide_url())
                .env("GLIDE_REDIRECT_URI", redirect_uri),
        };
        let child =
            command.stdout(log.try_clone()?).stderr(log).spawn().with_context(|| program.display().to_string())?;
        Ok(Replica { child: Running(child), port })
    }
}

struct Replica {
    child: Running,
    port: u16,
}

impl Replica {
    fn await_readiness(&self) -> Result<()> {
        await_port(self.port)
    }
}

/// A real Redis, which keeps nothing.
struct Redis {
    _server: Running,
    port: u16,
}

/// Why there is none, if one is needed.
fn redis_if(is_needed: bool) -> Result<Option<Redis>, String> {
    if !is_needed {
        return Ok(None);
    }
    let start = || {
        let port = free_port()?;
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        let child =
            command.stdout(Stdio::null()).spawn().context("redis-server (Debian: apt-get install redis-server)")?;
        let redis = Redis { _server: Running(child), port };
        await_port(port)?;
        Ok::<_, anyhow::Error>(redis)
    };
    start().map(Some).map_err(|error| format!("{error:#}"))
}

impl Redis {
    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }
}

/// A process that ends with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn await_port(port: u16) -> Result<()> {
    let give_up = Instant::now() + PATIENCE;
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        ensure!(Instant::now() < give_up, "nothing listens on port {port}");
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
