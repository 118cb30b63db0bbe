//! TLS for both legs: what is offered, and what an error of it means. Who is trusted stands in `trust.rs`.

use std::future::Future;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, ClientConnection, HandshakeKind};

use super::TransportError;
use super::trust::{Deferred, Judge, Presented, observe};
use crate::trust::ServerTrust;

/// Sessions of one network: a flow meets a handful of hosts.
const SESSIONS: usize = 64;

/// A root certificate does not parse, or the platform has none.
#[derive(Debug)]
pub struct NoRoots;

/// TLS 1.2 and 1.3 with ring, HTTP/1.1 only, and the platform's trust. Clones share nothing that lives longer than a connection.
///
/// ring has no post-quantum key share, so a `ClientHello` fits one packet: operators' middleboxes drop those that do not.
#[derive(Clone)]
pub struct Tls {
    config: ClientConfig,
    judge: Judge,
}

impl Tls {
    /// Asks the platform, through the app where it has to, and trusts these further roots (PEM).
    pub fn new(roots: &[String], app: Option<Arc<dyn ServerTrust>>) -> Result<Self, NoRoots> {
        let provider = Arc::new(ring::default_provider());
        let roots = roots.iter().map(|pem| certificates(pem)).collect::<Result<Vec<_>, _>>()?.concat();
        let judge = Judge::new(app, provider.clone(), roots)?;
        let deferred = Deferred(provider.signature_verification_algorithms);
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|_| NoRoots)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(deferred))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = Resumption::disabled();
        Ok(Self { config, judge })
    }

    /// For a client that connects within [`Tls::connect_confirmed`]. Sessions are not resumed: the chain comes with every handshake.
    pub(crate) fn config(&self) -> ClientConfig {
        self.config.clone()
    }

    /// Waits for a connection that uses [`Tls::config`], and then for the word that its chain is trusted.
    pub(crate) async fn connect_confirmed<T, E: From<rustls::Error>>(
        &self,
        connecting: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let (connected, presented) = observe(connecting).await;
        let connection = connected?;
        self.judge.confirm(presented.ok_or(rustls::Error::NoCertificatesPresented)?).await?;
        Ok(connection)
    }
}

/// TLS on one network: sessions resume, and do not outlive it.
pub(super) struct NetworkTls {
    connector: TlsConnector,
    judge: Judge,
}

impl NetworkTls {
    pub(super) fn new(tls: &Tls) -> Self {
        let mut config = tls.config.clone();
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        Self { connector: TlsConnector::from(Arc::new(config)), judge: tls.judge.clone() }
    }

    /// A connection to somebody who is trusted.
    pub(super) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        host: ServerName<'static>,
        stream: S,
    ) -> Result<TlsStream<S>, TransportError> {
        let (handshake, presented) = observe(self.connector.connect(host.clone(), stream)).await;
        let stream = handshake.map_err(|handshake| error(&handshake))?;
        // A resumed session may be one whose chain was refused: it is asked about again.
        let presented = match presented {
            Some(presented) => presented,
            None => resumed(host, stream.get_ref().1).ok_or(TransportError::Tls { alert: None })?,
        };
        self.judge.confirm(presented).await.map_err(|_| TransportError::Tls { alert: None })?;
        Ok(stream)
    }
}

fn resumed(host: ServerName<'static>, connection: &ClientConnection) -> Option<Presented> {
    let chain = connection.peer_certificates()?.to_vec();
    Some(Presented { host, chain, ocsp_response: Vec::new() })
}

pub(super) fn is_resumed(connection: &ClientConnection) -> bool {
    connection.handshake_kind() == Some(HandshakeKind::Resumed)
}

/// An alert or a refused certificate is a matter of TLS; a connection that just ended is not.
pub(super) fn error(error: &io::Error) -> TransportError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(alert)) => {
            TransportError::Tls { alert: Some(snake_case(&format!("{alert:?}"))) }
        }
        Some(_) => TransportError::Tls { alert: None },
        None => TransportError::Closed,
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, NoRoots> {
    let all = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>().map_err(|_| NoRoots)?;
    if all.is_empty() { Err(NoRoots) } else { Ok(all) }
}

/// `HandshakeFailure` → `handshake_failure`, the spelling of RFC 8446, section 6.
fn snake_case(name: &str) -> String {
    let mut text = String::new();
    let mut after_lower_case = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && after_lower_case {
            text.push('_');
        }
        after_lower_case = c.is_ascii_lowercase();
        text.push(c.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use tokio_rustls::rustls::AlertDescription;

    use super::*;

    #[test]
    fn alerts_are_spelled_as_in_the_rfc() {
        let alert = |alert| error(&io::Error::other(rustls::Error::AlertReceived(alert)));
        let tls = |name: &str| TransportError::Tls { alert: Some(name.to_owned()) };
        assert_eq!(alert(AlertDescription::HandshakeFailure), tls("handshake_failure"));
        assert_eq!(alert(AlertDescription::UnknownCA), tls("unknown_ca"));
        assert_eq!(error(&io::Error::from(io::ErrorKind::UnexpectedEof)), TransportError::Closed);
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        assert!(Tls::new(&["nonsense".to_owned()], None).is_err());
        assert!(Tls::new(&["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----".to_owned()], None).is_err());
    }
}
