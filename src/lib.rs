//! Verifies a phone number silently, from the phone, with no SMS code.
//!
//! The operator knows which SIM a cellular connection comes from. This crate drives the phone's part of CAMARA Number
//! Verification: it asks the app's backend for an auth URL, opens that URL over the cellular network even while the phone is on
//! Wi-Fi, follows the operator's redirects, catches the one-time code, and hands it to the backend, which answers yes or no.
//!
//! In scope: the walk through the redirects, over sockets that are bound to the cellular network, their names included;
//! the two calls to the backend; typed errors with advice; a trace that can be sent to support.
//!
//! Out of scope: the backend's own part (the calls to the operator's or aggregator's API), web pages (never rendered, never
//! scripted), any other way to verify a number.
//!
//! | file | subject |
//! |---|---|
//! | `verifier.rs`, `flow.rs` | what the app calls, and the flow as one function |
//! | `config.rs`, `error.rs`, `progress.rs`, `trace.rs` | the rest of the public surface |
//! | `backend.rs`, `backend/` | the app's backend |
//! | `authorization/` | the redirects as a state machine without I/O |
//! | `transport/` | one request over a given network |
//! | `cellular/` | bringing the network up and binding sockets to it |
//! | `network/` | what a network is, addresses, lookups, and the app's default network |
//! | `delivery.rs` | progress on its way to the app |
//! | `clock.rs` | time limits that hold for a device that sleeps |
//! | `threads.rs` | budgets of threads for work that blocks |
//! | `server_trust.rs`, `logging.rs` | whom the app trusts, and what it hears in the system's log |
//!
//! What was done where:
//!
//! | system | compiled and linted | linked | run |
//! |---|---|---|---|
//! | Linux | yes | yes | yes, in two networks that share all addresses |
//! | Android (arm64, armv7) | yes | yes, with stand-ins for the system's libraries | not yet on a device |
//! | Apple (arm64 iOS) | yes | yes, as a static library | not yet on a device |
//!
//! The Kotlin and Swift layers over this crate, and their sample apps, run on the JVM and on Linux, against the simulator.
//!
//! What the phones' answers mean (`cellular/*_rules.rs`) is pure and tested on Linux. On any other system a flow ends with
//! `cellular_unavailable`, cause `unsupported`.

#![cfg_attr(feature = "internals", allow(missing_docs))]

uniffi::setup_scaffolding!();

mod alphanumerics;
mod authorization;
mod backend;
mod cellular;
mod clock;
mod config;
mod contract;
mod cookies;
mod delivery;
mod error;
mod flow;
mod json;
mod limits;
mod logging;
mod network;
mod phone_number;
mod progress;
mod recorder;
mod runtime;
mod secret;
mod server_trust;
mod settings;
mod threads;
mod trace;
mod transport;
mod unescape;
mod url_text;
mod verifier;

pub use backend::{AuthorizationStart, Backend, BackendError, CompletionRequest, StartRequest};
pub use cellular::{CellularError, CellularProvider, CellularStatus, NetworkBinding};
pub use config::{Cleartext, CodeDelivery, Config, Deadlines, Development, FieldNames, Header, OperatorHeaders};
pub use error::{AuthorizationCause, BackendCause, CellularCause, Fallback, OperatorMessage, Setting, VerifyError};
pub use logging::{LogLevel, log_to_system};
pub use progress::{ListenerError, Progress, ProgressListener, Step};
pub use server_trust::{ServerTrust, ServerTrustError};
pub use trace::{Hop, NetworkKind, Trace};
pub use verifier::{NumberVerifier, Verification, VerificationFlow};

/// The examples in the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The inside, for this crate's own tests, fuzz targets and benchmarks.
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals {
    pub use crate::authorization::{
        Completion, Delivery, Denial, Failure, Head, MalformedStart, Next, Request, Rules, StartResponse, Unreadable,
        Walk,
    };
    pub use crate::backend::call::AppBackend;
    pub use crate::backend::result::VerificationResult;
    pub use crate::cellular::{Lease, SharedNetwork, ValidBinding};
    pub use crate::clock::Clock;
    pub use crate::cookies::CookieJar;
    pub use crate::flow::Verifier;
    pub use crate::network::address::{AllowedHosts, is_forbidden};
    pub use crate::network::{Family, Network, NetworkError, Unusable};
    pub use crate::recorder::Recorder;
    pub use crate::secret::Redactor;
    pub use crate::settings::Settings;
    pub use crate::threads::{Threads, Work};
    pub use crate::transport::certificates::AppTrust;
    pub use crate::transport::tls::Tls;
    pub use crate::transport::{Limits, Repeat, Timings, Transport, TransportError};
}
