//! Server certificate validation through the app, for platforms without a native API.
//!
//! The rule for every foreign callback: a security decision depends on a value that the callback
//! returned, and the zero of that value means rejection. uniffi's call status is initially success,
//! and not everything that ends a callback sets it (on the JVM only a `kotlin.Exception` does; a
//! `java.lang.Error` leaves success and a zeroed value). The absence of an error therefore proves
//! nothing:
//! - `ServerTrust::check_server_trusted` decides trust: `false` unless the callback returned
//!   `true`.
//! - `CellularProvider::acquire` decides the network: its value is checked (`cellular/`), and zero
//!   is not a network.
//! - `Backend::start` and `complete` decide the result: their values are parsed, and an empty one
//!   is malformed.
//! - `CellularProvider::release`, `status` and `ProgressListener::on_progress` decide nothing.

/// Validates a server's certificate chain with the platform's trust manager. Required on Android
/// (with `X509TrustManagerExtensions`, so that the app's Network Security Config applies); on other
/// platforms the library calls the platform itself.
///
/// The library checks that the certificate matches the host and that the server has its private key
/// (RFC 8446, section 4.4.3).
#[uniffi::export(foreign)]
pub trait ServerTrust: Send + Sync {
    /// Returns `true` if the platform trusts this chain for this host. Anything else (`false`, an
    /// error, a callback that does not return) means untrusted, and nothing is sent to the server.
    ///
    /// The chain is DER, the server's certificate first, each further one the issuer of the
    /// previous one by name: at most 8 certificates of 16 KiB, 64 KiB in total. The OCSP response
    /// (DER, RFC 6960) is the one that the server stapled to the handshake, at most 16 KiB; absent
    /// if there was none. Certificate Transparency may need it (RFC 6962, section 3.3).
    ///
    /// Called once for each new connection, on a thread that may block; a connection to the backend
    /// is reused by verifications that follow within 30 seconds.
    fn check_server_trusted(
        &self,
        chain: Vec<Vec<u8>>,
        host: String,
        ocsp_response: Option<Vec<u8>>,
    ) -> Result<bool, ServerTrustError>;
}

/// Why a chain is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum ServerTrustError {
    /// The platform does not trust it. Returning `false` means the same.
    #[error("the certificate chain is not trusted")]
    NotTrusted,
    /// The platform could not validate it.
    #[error("the platform could not validate the chain")]
    Failed,
}

impl From<uniffi::UnexpectedUniFFICallbackError> for ServerTrustError {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed
    }
}
