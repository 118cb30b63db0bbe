//! The app's word on whether a server is trusted, where the platform can be asked only through the app.

/// Asks the platform whether it trusts a server's certificate chain. Android needs it (with `X509TrustManagerExtensions`, so that the
/// app's Network Security Config counts); elsewhere the library asks the platform itself.
///
/// The library has then checked that the certificate is for the host and that the server has its key.
#[uniffi::export(foreign)]
pub trait ServerTrust: Send + Sync {
    /// Returns where the platform trusts this chain (DER, the server's own certificate first) for this host, and fails where it does not.
    /// Called on a thread that may block.
    fn check_server_trusted(&self, chain: Vec<Vec<u8>>, host: String) -> Result<(), ServerTrustError>;
}

/// The chain is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum ServerTrustError {
    /// The platform says so.
    #[error("the certificate chain is not trusted")]
    NotTrusted,
    /// The platform could not be asked.
    #[error("the platform could not be asked")]
    Failed,
}

impl From<uniffi::UnexpectedUniFFICallbackError> for ServerTrustError {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed
    }
}
