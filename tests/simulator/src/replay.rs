//! Servers that repeat a recorded verification: the same sequence of hosts, statuses and delays,
//! and the same failure at the same request. They need only the trace (`docs/trace.schema.json`),
//! and no state of the simulated environment.
//!
//! The recorded hosts are mapped to host names of the simulator, so that nothing is ever sent to a
//! real host. A fault of DNS, TCP or TLS affects the failing request only: its URL has the port of
//! a listener with that fault, which also forces a new connection.

mod responses;
mod script;
mod servers;

use std::fmt;
use std::io;

use serde_json::Value;

use self::script::Script;
pub use self::servers::RunningReplay;

/// Why a trace cannot be replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotReplayable {
    /// It is not a trace of a verification that ended.
    NotATrace(&'static str),
    /// It ended for a reason that is in the phone, the app or the user, as described.
    NotOnAServer(String),
}

impl fmt::Display for NotReplayable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotATrace(what) => write!(f, "this is not the trace of a verification that ended: {what}"),
            Self::NotOnAServer(what) => f.write_str(what),
        }
    }
}

/// What a client must do differently to reproduce the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClientChanges {
    /// Its redirect limit.
    pub redirect_limit: Option<u8>,
    /// The step during which its overall deadline must pass.
    pub deadline: Option<&'static str>,
    /// It retrieves the number instead of verifying one.
    pub retrieves: bool,
}

/// A recorded verification, ready to be replayed.
#[derive(Debug)]
pub struct Replay {
    script: Script,
}

impl Replay {
    /// Reads a trace in its JSON form.
    pub fn of_trace(trace: &Value) -> Result<Self, NotReplayable> {
        Script::of_trace(trace).map(|script| Self { script })
    }

    /// The recorded hosts in order, each with the name that stands for it.
    #[must_use]
    pub fn hosts(&self) -> Vec<(String, String)> {
        self.script.hosts.iter().enumerate().map(|(index, host)| (host.clone(), script::stand_in(index))).collect()
    }

    /// What the client must do differently.
    #[must_use]
    pub fn client_changes(&self) -> ClientChanges {
        self.script.client
    }

    /// Starts the servers; they are ready when this returns.
    pub fn start(self) -> io::Result<RunningReplay> {
        RunningReplay::start(self.script)
    }
}
