//! Whole flows through the public surface and real sockets: against the simulator, and against a backend that answers as a test says.

#![cfg(target_os = "linux")]

mod abort;
mod backend;
mod cancellation;
#[path = "../support/captured.rs"]
mod captured;
mod deliveries;
mod options;
mod panics;
mod phone;
mod prepare;
mod retrieval;
mod scripted;
mod secrets;
mod sharing;
mod trust;
