//! Certificate chain verification, between the handshake and the first byte of a request.
//!
//! During the handshake rustls checks that the certificate matches the host and that the server has
//! its private key. Verifying that the chain leads to a trusted root may block (a callback into the
//! app, a revocation check), so it runs on a thread of the leg's budget (`threads.rs`), never on
//! the I/O thread. Nothing is sent until the chain is trusted; if it is rejected, the connection is
//! dropped.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::chain;
use super::roots::{NoRoots, Roots};
use crate::threads::{Threads, Work};

/// Whether the platform's trust store is accessible only through the app.
pub const NEEDS_THE_APP: bool = cfg!(target_os = "android");

/// Access to the platform's trust store if rustls cannot reach it.
pub trait AppTrust: Send + Sync {
    /// Whether the platform trusts this chain (DER, the server's certificate first) for this host,
    /// with the OCSP response that the server stapled. May block.
    fn is_trusted(&self, chain: Vec<Vec<u8>>, host: String, ocsp_response: Option<Vec<u8>>) -> bool;
}

/// The size-limited certificate chain of a handshake.
#[derive(Clone)]
pub struct PeerChain {
    pub(super) host: ServerName<'static>,
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// Empty if the server stapled none.
    pub(super) ocsp_response: Vec<u8>,
}

/// Verifies certificate chains.
#[derive(Clone)]
pub(super) struct ChainVerifier {
    app: Option<Arc<dyn AppTrust>>,
    /// The platform's roots through rustls, or the development roots in addition to the app.
    roots: Option<Arc<Roots>>,
    threads: Threads,
}

impl ChainVerifier {
    pub(super) fn new(
        app: Option<Arc<dyn AppTrust>>,
        provider: Arc<CryptoProvider>,
        roots: Vec<CertificateDer<'static>>,
        threads: Threads,
    ) -> Self {
        let roots = match &app {
            Some(_) if roots.is_empty() => None,
            Some(_) => Some(Arc::new(Roots::roots_only(&provider, roots))),
            None => Some(Arc::new(Roots::with_platform(provider, roots))),
        };
        Self { app, roots, threads }
    }

    /// Reads the platform's roots, unless they are already read.
    pub(super) async fn read_roots(&self) -> Result<(), NoRoots> {
        match &self.roots {
            Some(roots) => roots.read(&self.threads).await,
            None => Ok(()),
        }
    }

    pub(super) async fn verify(&self, peer: PeerChain, work: Work) -> Result<(), Error> {
        let verifier = self.clone();
        let outcome = self.threads.run(work, move || verifier.verify_blocking(&peer)).await;
        outcome.unwrap_or(Err(Error::General("the trust check ended early".to_owned())))
    }

    fn verify_blocking(&self, peer: &PeerChain) -> Result<(), Error> {
        let known = self.roots.as_ref().map(|roots| verify_with(roots, peer));
        match (known, &self.app) {
            (Some(Ok(())), _) => Ok(()),
            (_, Some(app)) => ask_app(&**app, peer),
            (Some(Err(error)), None) => Err(error),
            (None, None) => Err(CertificateError::UnknownIssuer.into()),
        }
    }
}

fn ask_app(app: &dyn AppTrust, peer: &PeerChain) -> Result<(), Error> {
    let chain = peer.chain.iter().map(|certificate| certificate.to_vec()).collect();
    let ocsp_response = Some(peer.ocsp_response.clone()).filter(|response| !response.is_empty());
    let is_trusted = app.is_trusted(chain, peer.host.to_str().into_owned(), ocsp_response);
    if is_trusted { Ok(()) } else { Err(CertificateError::ApplicationVerificationFailure.into()) }
}

fn verify_with(roots: &Roots, peer: &PeerChain) -> Result<(), Error> {
    let (server, others) = peer.chain.split_first().ok_or(Error::NoCertificatesPresented)?;
    roots.verify(&peer.host, server, others, &peer.ocsp_response)
}

type Captured = Arc<Mutex<Option<PeerChain>>>;

tokio::task_local! {
    static CAPTURED: Captured;
}

/// Runs a handshake with the [`DeferredVerifier`] and returns its chain; absent if a session was
/// resumed.
pub(super) async fn capture_chain<T>(handshake: impl Future<Output = T>) -> (T, Option<PeerChain>) {
    let captured = Captured::default();
    let outcome = CAPTURED.scope(captured.clone(), handshake).await;
    let peer = captured.lock().unwrap_or_else(PoisonError::into_inner).take();
    (outcome, peer)
}

/// Verifies host name and signatures, and leaves the chain to [`capture_chain`]; without that it
/// rejects.
pub(super) struct DeferredVerifier(pub(super) WebPkiSupportedAlgorithms);

impl ServerCertVerifier for DeferredVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        let peer = PeerChain {
            host: server_name.to_owned(),
            chain: chain::bounded(end_entity, intermediates)?,
            ocsp_response: chain::bounded_ocsp(ocsp_response).to_owned(),
        };
        CAPTURED
            .try_with(|captured| *captured.lock().unwrap_or_else(PoisonError::into_inner) = Some(peer))
            .map_err(|_| Error::General("nothing would verify the chain".to_owned()))?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

impl fmt::Debug for DeferredVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeferredVerifier")
    }
}
