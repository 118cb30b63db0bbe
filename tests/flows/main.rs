//! Complete flows through the public API and real sockets, against the simulator and against a
//! backend with scripted responses.

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
mod traces;
mod trust;
