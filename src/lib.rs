//! Verifies a phone number silently on the device, without an SMS code.
//!
//! The operator knows which SIM a cellular connection comes from. This crate implements the device
//! side of CAMARA Number Verification: it requests an auth URL from the app's backend, opens that
//! URL over the cellular network even while the phone is on Wi-Fi, follows the operator's
//! redirects, captures the authorization code, and sends it to the backend, which returns the
//! result.
//!
//! In scope: the redirect chain, over sockets that are bound to the cellular network (including
//! DNS); the two calls to the backend; typed errors with a recommended action; a trace that can be
//! sent to support.
//!
//! Out of scope: the backend's side (the calls to the operator's or aggregator's API), rendering or
//! scripting web pages, any other way to verify a number.
//!
//! `ARCHITECTURE.md` in the repository describes the modules and their dependency rules; the README
//! has the status of each platform. On a system without socket binding, a verification fails with
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
mod explain;
mod flow;
mod flow_handle;
mod hints;
mod hop_memory;
mod json;
mod lenient_date;
mod limits;
mod logging;
mod network;
mod number_in_text;
mod options;
mod phone_number;
mod progress;
mod purpose;
mod recorder;
mod results;
mod retry_after;
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
pub use cellular::{CellularError, CellularProvider, CellularStatus, NetworkBinding, NetworkEvents};
pub use config::{Cleartext, CodeDelivery, Config, Deadlines, Development, FieldNames, Header, OperatorHeaders};
pub use error::{AuthorizationCause, BackendCause, CellularCause, Fallback, OperatorMessage, Setting, VerifyError};
pub use flow_handle::{RetrievalFlow, VerificationFlow};
pub use hints::{Hint, hints_from_json};
pub use logging::{LogLevel, log_to_system};
pub use options::{StartField, VerificationOptions};
pub use progress::{ListenerError, Progress, ProgressListener, Step};
pub use results::{RetrievedNumber, Verification};
pub use server_trust::{ServerTrust, ServerTrustError};
pub use trace::{AddressFamily, Hop, NetworkKind, TlsVersion, Trace, TraceError, TraceErrorDetail, TraceOutcome};
pub use verifier::NumberVerifier;

/// The examples in the documentation compile.
#[cfg(doctest)]
#[doc = include_str!("../docs/rust.md")]
struct Documentation;

/// Internals, exposed to this crate's tests, benchmarks and fuzz targets.
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals {
    pub use crate::alphanumerics::alphanumerics;
    pub use crate::authorization::{
        Completion, Delivery, Denial, Failure, Head, MalformedStart, Next, Request, Rules, StartResponse, Unreadable,
        Walk, resolve_location,
    };
    pub use crate::backend::call::{AppBackend, BackendClient};
    #[cfg(feature = "http-backend")]
    pub use crate::backend::http::HttpBackend;
    pub use crate::backend::result::FlowResult;
    #[cfg(feature = "http-backend")]
    pub use crate::backend::retry::{Attempt, Retries};
    pub use crate::cellular::{Lease, SharedNetwork, ValidBinding};
    pub use crate::clock::Clock;
    pub use crate::cookies::CookieJar;
    pub use crate::flow::{Prepared, Verifier, auth_destination};
    pub use crate::hints::Hints;
    pub use crate::hop_memory::HopMemory;
    pub use crate::json::JsonObject;
    pub use crate::lenient_date::parse as parse_lenient_date;
    pub use crate::network::address::{AllowedHosts, is_forbidden};
    pub use crate::network::local_addresses::LocalAddresses;
    pub use crate::network::{Family, Network, NetworkError, Unusable};
    pub use crate::options::Input;
    pub use crate::phone_number::PhoneNumber;
    pub use crate::purpose::{FlowValue, Purpose};
    pub use crate::recorder::Recorder;
    pub use crate::retry_after::{retry_after, retry_after_s};
    pub use crate::secret::Redactor;
    pub use crate::settings::Settings;
    pub use crate::threads::{Threads, Work};
    pub use crate::transport::certificates::AppTrust;
    pub use crate::transport::chain::bounded as bounded_chain;
    pub use crate::transport::tls::Tls;
    pub use crate::transport::{Limits, Repeat, Restrictions, Timings, Transport, TransportError};
    pub use crate::unescape::readings;
    pub use crate::url_text::{has_userinfo, is_plain_host, parse_url};

    /// Maps a backend response with a status of 400 or more to the app's error.
    #[must_use]
    pub fn backend_status(status: u16, body: &[u8], retry_after: Option<&http::HeaderValue>) -> crate::VerifyError {
        crate::BackendError::status(status, body, retry_after).at(crate::Step::Complete)
    }
}
