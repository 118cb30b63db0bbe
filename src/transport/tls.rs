//! TLS for both legs: what is trusted, what is offered, and what an error of it means.

use std::io;
use std::sync::Arc;

use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{self, ClientConfig, ClientConnection, HandshakeKind};

use super::TransportError;

/// Sessions of one network: a flow meets a handful of hosts.
const SESSIONS: usize = 64;

/// The settings cannot be used: a root certificate does not parse, or the platform trusts nobody.
#[derive(Debug)]
pub struct NoTrust;

/// TLS 1.2 and 1.3 with ring, HTTP/1.1 only, the platform's trust and these further roots (PEM).
///
/// ring has no post-quantum key share, so a `ClientHello` fits one packet: operators' middleboxes drop those that do not.
pub fn client_config(roots: &[String]) -> Result<ClientConfig, NoTrust> {
    let provider = Arc::new(ring::default_provider());
    let roots = roots.iter().map(|pem| certificates(pem)).collect::<Result<Vec<_>, _>>()?.concat();
    let mut config = with_platform_trust(provider, roots)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The same settings, with an empty store of sessions: tickets must not outlive the network that they were got on.
pub(super) fn with_own_sessions(config: &ClientConfig) -> ClientConfig {
    let mut config = config.clone();
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    config
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

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, NoTrust> {
    let all = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>().map_err(|_| NoTrust)?;
    if all.is_empty() { Err(NoTrust) } else { Ok(all) }
}

#[cfg(not(target_os = "android"))]
fn with_platform_trust(
    provider: Arc<CryptoProvider>,
    roots: Vec<CertificateDer<'static>>,
) -> Result<ClientConfig, NoTrust> {
    let verifier =
        rustls_platform_verifier::Verifier::new_with_extra_roots(roots, provider.clone()).map_err(|_| NoTrust)?;
    Ok(ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|_| NoTrust)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

/// On Android the platform's trust is reached through the bindings; until they bring it, nobody is trusted.
#[cfg(target_os = "android")]
fn with_platform_trust(_: Arc<CryptoProvider>, _: Vec<CertificateDer<'static>>) -> Result<ClientConfig, NoTrust> {
    Err(NoTrust)
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
        assert!(client_config(&["nonsense".to_owned()]).is_err());
        assert!(client_config(&["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----".to_owned()]).is_err());
    }
}
