//! A load generator for a backend's `start`: persistent connections, each with one request at a
//! time.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hyper::Request;
use hyper::header::CONTENT_TYPE;

use crate::http::Connection;

const CONNECTIONS: usize = 32;

/// The throughput of a backend.
pub struct Load {
    pub starts_per_second: f64,
    pub median: Duration,
}

/// Calls `start` on these replicas in turn. The first second is not counted.
pub fn run(replicas: &[u16], how_long: Duration) -> Result<Load> {
    let warm_up = Duration::from_secs(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let began = Instant::now();
        let (count_from, end) = (began + warm_up, began + warm_up + how_long);
        let mut clients = tokio::task::JoinSet::new();
        for nth in 0..CONNECTIONS {
            clients.spawn(call(replicas[nth % replicas.len()], count_from, end));
        }
        let mut times = Vec::new();
        while let Some(done) = clients.join_next().await {
            times.extend(done??);
        }
        ensure!(!times.is_empty(), "no start received a response");
        times.sort_unstable();
        Ok(Load { starts_per_second: times.len() as f64 / how_long.as_secs_f64(), median: times[times.len() / 2] })
    })
}

/// The duration of each call that ended in the measured time.
async fn call(port: u16, count_from: Instant, end: Instant) -> Result<Vec<Duration>> {
    let mut connection = Connection::open(port).await?;
    let mut times = Vec::new();
    loop {
        let key = format!("{:032x}", fastrand::u128(..));
        let number = format!("+1415{:07}", fastrand::u32(..10_000_000));
        let request = Request::post("/start").header(CONTENT_TYPE, "application/json").header("Idempotency-Key", key);
        let began = Instant::now();
        let response = connection.send(request, format!(r#"{{"phoneNumber":"{number}"}}"#)).await?;
        let (status, body) = (response.status(), String::from_utf8_lossy(response.body()));
        ensure!(status.is_success(), "start responded {status}: {body}");
        let now = Instant::now();
        if now > end {
            return Ok(times);
        }
        if now > count_from {
            times.push(now - began);
        }
    }
}
