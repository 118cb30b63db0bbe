//! Whether a certificate chain is trusted, asked between the handshake and the first byte of a request.
//!
//! During the handshake rustls checks that the certificate is for the host and that the server has its key. Whether the chain leads to
//! somebody trusted may block (a callback into the app, a revocation check), so it is
//! asked on a thread of its leg's budget (`threads.rs`), never on the I/O thread.
//! Until the answer is yes nothing is sent, and a connection whose chain is refused is dropped.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::chain;
use super::tls::NoRoots;
use crate::threads::{Threads, Work};
use crate::trust::ServerTrust;

/// A chain that a handshake brought, bounded.
#[derive(Clone)]
pub(crate) struct Presented {
    pub(super) host: ServerName<'static>,
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) ocsp_response: Vec<u8>,
}

/// Who decides.
#[derive(Clone)]
pub(super) struct Judge {
    /// Reaches the platform where rustls does not.
    app: Option<Arc<dyn ServerTrust>>,
    /// The platform through rustls, or development's roots beside the app.
    verifier: Option<Arc<dyn ServerCertVerifier>>,
    threads: Threads,
}

impl Judge {
    pub(super) fn new(
        app: Option<Arc<dyn ServerTrust>>,
        provider: Arc<CryptoProvider>,
        roots: Vec<CertificateDer<'static>>,
        threads: Threads,
    ) -> Result<Self, NoRoots> {
        let verifier = match &app {
            Some(_) if roots.is_empty() => None,
            Some(_) => Some(only(provider, roots)?),
            None => Some(platform(provider, roots)?),
        };
        Ok(Self { app, verifier, threads })
    }

    pub(super) async fn confirm(&self, presented: Presented, work: Work) -> Result<(), Error> {
        let judge = self.clone();
        let verdict = self.threads.run(work, move || judge.check(&presented)).await;
        verdict.unwrap_or(Err(Error::General("the trust check ended early".to_owned())))
    }

    fn check(&self, presented: &Presented) -> Result<(), Error> {
        let known = self.verifier.as_ref().map(|verifier| verify(&**verifier, presented));
        match (known, &self.app) {
            (Some(Ok(())), _) => Ok(()),
            (_, Some(app)) => ask(&**app, presented),
            (Some(Err(error)), None) => Err(error),
            (None, None) => Err(CertificateError::UnknownIssuer.into()),
        }
    }
}

fn ask(app: &dyn ServerTrust, presented: &Presented) -> Result<(), Error> {
    let chain = presented.chain.iter().map(|certificate| certificate.to_vec()).collect();
    match app.check_server_trusted(chain, presented.host.to_str().into_owned()) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(CertificateError::ApplicationVerificationFailure.into()),
    }
}

fn verify(verifier: &dyn ServerCertVerifier, presented: &Presented) -> Result<(), Error> {
    let (server, intermediates) = presented.chain.split_first().ok_or(Error::NoCertificatesPresented)?;
    let Presented { host, ocsp_response, .. } = presented;
    verifier.verify_server_cert(server, intermediates, host, ocsp_response, UnixTime::now()).map(|_| ())
}

fn only(
    provider: Arc<CryptoProvider>,
    roots: Vec<CertificateDer<'static>>,
) -> Result<Arc<dyn ServerCertVerifier>, NoRoots> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots);
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build();
    Ok(verifier.map_err(|_| NoRoots)?)
}

#[cfg(not(target_os = "android"))]
fn platform(
    provider: Arc<CryptoProvider>,
    roots: Vec<CertificateDer<'static>>,
) -> Result<Arc<dyn ServerCertVerifier>, NoRoots> {
    let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(roots, provider);
    Ok(Arc::new(verifier.map_err(|_| NoRoots)?))
}

/// There it is reached through the app only.
#[cfg(target_os = "android")]
fn platform(_: Arc<CryptoProvider>, _: Vec<CertificateDer<'static>>) -> Result<Arc<dyn ServerCertVerifier>, NoRoots> {
    Err(NoRoots)
}

type Seen = Arc<Mutex<Option<Presented>>>;

tokio::task_local! {
    static SEEN: Seen;
}

/// Runs a handshake under the [`Deferred`] verifier, and returns the chain that it brought; none where a session was resumed.
pub(crate) async fn observe<T>(handshake: impl Future<Output = T>) -> (T, Option<Presented>) {
    let seen = Seen::default();
    let outcome = SEEN.scope(seen.clone(), handshake).await;
    let presented = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    (outcome, presented)
}

/// Checks host name and signatures, and leaves the chain to [`observe`]; without that it refuses.
pub(super) struct Deferred(pub(super) WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Deferred {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        let presented = Presented {
            host: server_name.to_owned(),
            chain: chain::bounded(end_entity, intermediates)?,
            ocsp_response: ocsp_response.to_owned(),
        };
        SEEN.try_with(|seen| *seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(presented))
            .map_err(|_| Error::General("nobody would ask whether the chain is trusted".to_owned()))?;
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

impl fmt::Debug for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Deferred")
    }
}
