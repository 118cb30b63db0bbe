//! The production flow over an in-memory network with a virtual clock and real TLS: its cost in
//! round trips, what it overlaps, and how it ends if hosts misbehave. All results are exact and
//! identical in every run.

mod ahead;
#[path = "../support/captured.rs"]
mod captured;
mod dialling;
mod families;
mod faults;
mod flow;
mod heads;
mod hints;
mod interleavings;
mod losses;
mod matrix;
mod network;
mod pipe;
mod prepare;
mod recorded;
mod repeats;
mod requests;
mod round_trips;
mod same_network;
mod script;
mod secrets;
mod server;
mod timing;
mod tls;
mod trace_ids;
mod trust;
