//! The reference backends: how many verifications they start per second, and their memory; with one
//! replica, and with three and Redis.
//!
//! The simulator is the provider. Load generator and backend share this machine's processors.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use number_verify_simulator::{Options, Simulator};

use crate::load::{self, Load};
use crate::process::status;
use crate::replica::{Backend, Deployment, Redis, Replica, free_port};

const REPLICAS: usize = 3;

/// One row: a backend in one deployment, or the reason for its omission.
pub struct Row {
    pub name: &'static str,
    pub replicas: usize,
    pub measured: Result<Measured, String>,
}

pub struct Measured {
    pub load: Load,
    /// For each replica, before and after the load.
    pub idle_kib: Vec<u64>,
    pub peak_kib: Vec<u64>,
}

pub fn measure(folder: &Path, how_long: Duration) -> Result<Vec<Row>> {
    let simulator = Simulator::start(Options::default())?;
    let roots = folder.join("simulator.pem");
    std::fs::write(&roots, simulator.root_ca_pem())?;
    let mut rows = Vec::new();
    for backend in Backend::ALL {
        let issuer = match backend {
            Backend::Rust => simulator.camara_issuer(),
            Backend::Python => simulator.glide_url(),
        };
        let provider = backend.provider(&issuer, &simulator.camara_verify_url());
        for replicas in [1, REPLICAS] {
            eprintln!("{}, replicas: {replicas}", backend.name());
            let measured = match backend.program().and_then(|program| Ok((program, redis_if(replicas > 1)?))) {
                Err(reason) => Err(reason),
                Ok((program, redis)) => {
                    let url = redis.iter().map(|redis| ("REDIS_URL", redis.url()));
                    let settings = provider.iter().cloned().chain(url).collect();
                    let (roots, folder) = (roots.clone(), PathBuf::from(folder));
                    let deployment = Deployment { backend, program, roots, folder, settings };
                    Ok(measure_one(&deployment, replicas, how_long)?)
                }
            };
            rows.push(Row { name: backend.name(), replicas, measured });
        }
    }
    Ok(rows)
}

fn measure_one(deployment: &Deployment, replicas: usize, how_long: Duration) -> Result<Measured> {
    let started = (0..replicas).map(|_| deployment.start(free_port()?));
    let replicas = started.collect::<Result<Vec<Replica>>>()?;
    for replica in &replicas {
        replica.await_readiness()?;
    }
    let memory =
        |field| -> Result<Vec<u64>> { replicas.iter().map(|replica| status(&replica.process.id(), field)).collect() };
    let ports: Vec<u16> = replicas.iter().map(|replica| replica.port).collect();
    let idle_kib = memory("VmRSS")?;
    let load = load::run(&ports, how_long)?;
    Ok(Measured { load, idle_kib, peak_kib: memory("VmHWM")? })
}

/// Redis, if it is needed, or the reason why it is missing.
fn redis_if(is_needed: bool) -> Result<Option<Redis>, String> {
    let start = || Redis::start(free_port()?, None);
    is_needed.then(start).transpose().map_err(|error| format!("{error:#}"))
}
