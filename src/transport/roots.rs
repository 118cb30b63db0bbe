//! The roots for chain verification: the development roots, parsed immediately, and the platform's,
//! read on first use.
//!
//! On Linux the platform's roots are a file of about 200 KB or a directory of files, read and
//! parsed as a whole. The result is cached. A store without a certificate is not: it is read again
//! on the next use.

use std::sync::Arc;
#[cfg(not(target_os = "android"))]
use std::sync::{Mutex, OnceLock, PoisonError};

#[cfg(not(target_os = "android"))]
use futures_util::FutureExt;
#[cfg(not(target_os = "android"))]
use futures_util::future::{BoxFuture, Shared, WeakShared};
#[cfg(not(target_os = "android"))]
use tokio::time::timeout;
#[cfg(not(target_os = "android"))]
use tokio_rustls::rustls::CertificateError;
#[cfg(not(target_os = "android"))]
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use tokio_rustls::rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{Error, RootCertStore};
use webpki::anchor_from_trusted_cert;

#[cfg(not(target_os = "android"))]
use crate::limits;
use crate::threads::Threads;
#[cfg(not(target_os = "android"))]
use crate::threads::Work;

/// A root certificate cannot be parsed, or the platform has none.
#[derive(Debug, Clone)]
pub struct NoRoots;

/// All root certificates in these texts. Each text must have at least one.
pub(super) fn parse(pems: &[String]) -> Result<Vec<CertificateDer<'static>>, NoRoots> {
    let mut roots = Vec::new();
    for pem in pems {
        let before = roots.len();
        for root in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let root = root.map_err(|_| NoRoots)?;
            anchor_from_trusted_cert(&root).map_err(|_| NoRoots)?;
            roots.push(root);
        }
        if roots.len() == before {
            return Err(NoRoots);
        }
    }
    Ok(roots)
}

/// Verifies chains against a set of roots.
pub(super) enum Roots {
    /// Only these roots.
    Only { store: RootCertStore, algorithms: WebPkiSupportedAlgorithms },
    #[cfg(not(target_os = "android"))]
    Platform(Arc<Platform>),
}

impl Roots {
    pub(super) fn roots_only(provider: &CryptoProvider, roots: Vec<CertificateDer<'static>>) -> Self {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots);
        Self::Only { store, algorithms: provider.signature_verification_algorithms }
    }

    /// The platform's roots and these. Reads nothing.
    #[cfg(not(target_os = "android"))]
    pub(super) fn with_platform(provider: Arc<CryptoProvider>, additional: Vec<CertificateDer<'static>>) -> Self {
        let (verifier, read_lock, reading) = Default::default();
        Self::Platform(Arc::new(Platform { provider, additional, verifier, read_lock, reading }))
    }

    /// On Android the platform's roots are reached through the app only.
    #[cfg(target_os = "android")]
    pub(super) fn with_platform(provider: Arc<CryptoProvider>, additional: Vec<CertificateDer<'static>>) -> Self {
        Self::roots_only(&provider, additional)
    }

    /// Reads them on a thread, unless they are already read.
    #[cfg(not(target_os = "android"))]
    pub(super) async fn read(&self, threads: &Threads) -> Result<(), NoRoots> {
        match self {
            Self::Platform(platform) if platform.verifier.get().is_none() => platform.join(threads).await,
            Self::Platform(_) | Self::Only { .. } => Ok(()),
        }
    }

    #[cfg(target_os = "android")]
    #[allow(clippy::unused_self)]
    pub(super) fn read(&self, _: &Threads) -> impl Future<Output = Result<(), NoRoots>> {
        std::future::ready(Ok(()))
    }

    /// Verifies that the server's certificate matches this host and leads to one of the roots
    /// through the others. Blocks while the roots are read.
    #[cfg_attr(target_os = "android", expect(unused_variables))] // The OCSP response is for a platform's verifier.
    pub(super) fn verify(
        &self,
        host: &ServerName<'_>,
        server: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        ocsp_response: &[u8],
    ) -> Result<(), Error> {
        let now = UnixTime::now();
        match self {
            // rustls' verifier would do the same, and contains the code for revocation lists (27
            // KB).
            Self::Only { store, algorithms } => {
                let server = ParsedCertificate::try_from(server)?;
                verify_server_cert_signed_by_trust_anchor(&server, store, others, now, algorithms.all)?;
                verify_server_name(&server, host)
            }
            #[cfg(not(target_os = "android"))]
            Self::Platform(platform) => {
                let verifier = platform.verifier().map_err(|NoRoots| CertificateError::UnknownIssuer)?;
                verifier.verify_server_cert(server, others, host, ocsp_response, now).map(|_| ())
            }
        }
    }
}

/// The platform's trust store, read at most once.
#[cfg(not(target_os = "android"))]
pub(super) struct Platform {
    provider: Arc<CryptoProvider>,
    additional: Vec<CertificateDer<'static>>,
    /// Absent until the roots are read.
    verifier: OnceLock<Arc<dyn ServerCertVerifier>>,
    /// Only one thread reads.
    read_lock: Mutex<()>,
    /// The reading that others wait for.
    reading: Mutex<Option<WeakShared<Reading>>>,
}

#[cfg(not(target_os = "android"))]
type Reading = BoxFuture<'static, Result<(), NoRoots>>;

#[cfg(not(target_os = "android"))]
impl Platform {
    /// Returns the reading in progress, or starts one. If each verification started its own, a
    /// thousand concurrent ones would queue for a few threads, and the last ones would exceed their
    /// deadline.
    fn join(self: &Arc<Self>, threads: &Threads) -> Shared<Reading> {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reading) = reading.as_ref().and_then(WeakShared::upgrade) {
            return reading;
        }
        let (platform, threads) = (self.clone(), threads.clone());
        let new = async move {
            let read = threads.run(Work::CellularTrust, move || platform.verifier().map(drop));
            timeout(limits::ROOTS, read).await.map_or(Err(NoRoots), |read| read.unwrap_or(Err(NoRoots)))
        };
        let new = new.boxed().shared();
        *reading = new.downgrade();
        new
    }

    /// Blocks while the roots are read.
    fn verifier(&self) -> Result<&dyn ServerCertVerifier, NoRoots> {
        let _guard = match self.verifier.get() {
            Some(verifier) => return Ok(&**verifier),
            None => self.read_lock.lock().unwrap_or_else(PoisonError::into_inner),
        };
        if let Some(verifier) = self.verifier.get() {
            return Ok(&**verifier);
        }
        let (provider, additional) = (self.provider.clone(), self.additional.clone());
        let read =
            rustls_platform_verifier::Verifier::new_with_extra_roots(additional, provider).map_err(|_| NoRoots)?;
        Ok(&**self.verifier.get_or_init(|| Arc::new(read)))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use tokio_rustls::rustls::crypto::ring;

    use super::*;

    #[tokio::test]
    async fn uses_at_once_share_one_reading() {
        let threads = Threads::new();
        let roots = Roots::with_platform(Arc::new(ring::default_provider()), Vec::new());
        let Roots::Platform(platform) = &roots else { unreachable!() };
        let (mut reads, admitted) = {
            let _guard = platform.read_lock.lock().unwrap();
            let mut reads = Box::pin(join_all((0..1000).map(|_| roots.read(&threads))));
            assert!((&mut reads).now_or_never().is_none());
            let others = limits::THREADS_OF_A_KIND - 1;
            let admitted = join_all((0..others).map(|_| threads.admit(Work::CellularTrust))).now_or_never();
            (reads, admitted.unwrap())
        };
        assert!(admitted.iter().all(Result::is_ok));
        let first = roots.read(&threads).await;
        assert!((&mut reads).await.iter().all(|result| result.is_ok() == first.is_ok()));
        // A machine without a trust store has none to cache.
        assert_eq!(platform.verifier.get().is_some(), first.is_ok());
    }

    #[test]
    fn invalid_pem_is_rejected() {
        for pem in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"] {
            assert!(parse(&[pem.to_owned()]).is_err(), "{pem:?}");
        }
    }

    #[test]
    fn one_invalid_root_among_valid_ones_is_rejected() {
        let key = rcgen::KeyPair::generate().unwrap();
        let valid = rcgen::CertificateParams::default().self_signed(&key).unwrap().pem();
        assert_eq!(parse(&[valid.clone(), valid.repeat(2)]).unwrap().len(), 3);
        assert!(parse(&[valid, String::new()]).is_err());
    }
}
