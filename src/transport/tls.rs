//! TLS for both legs: what is offered, and how errors are classified. `certificates.rs` decides
//! which certificates are trusted.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::{CryptoProvider, KeyProvider, ring};
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio_rustls::rustls::sign::SigningKey;
use tokio_rustls::rustls::{
    self, AlertDescription, ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion, SupportedProtocolVersion,
};

use super::certificates::{AppTrust, ChainVerifier, DeferredVerifier, PeerChain, capture_chain};
use super::chain;
use super::error::TransportError;
use super::roots::{self, NoRoots};
use crate::limits;
use crate::threads::{Threads, Work};

#[cfg(feature = "http-backend")]
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// TLS 1.2 and 1.3 with ring, HTTP/1.1 only, and the platform's trust. Clones share nothing that
/// outlives a connection.
///
/// ring has no post-quantum key share, so a `ClientHello` without a session ticket fits one packet.
#[derive(Clone)]
pub struct Tls {
    config: ClientConfig,
    /// With TLS 1.2 only.
    tls12: ClientConfig,
    verifier: ChainVerifier,
}

impl Tls {
    /// Uses the platform's trust store, through the app if necessary, and trusts these additional
    /// roots (PEM). Does not read the platform's roots yet.
    pub fn new(roots: &[String], app: Option<Arc<dyn AppTrust>>, threads: Threads) -> Result<Self, NoRoots> {
        let provider = Arc::new(CryptoProvider { key_provider: &NoClientKeys, ..ring::default_provider() });
        let verifier = ChainVerifier::new(app, provider.clone(), roots::parse(roots)?, threads);
        let both = config(provider.clone(), &[&rustls::version::TLS13, &rustls::version::TLS12])?;
        // rustls would still offer the cipher suites of TLS 1.3.
        let mut older = CryptoProvider::clone(&provider);
        older.cipher_suites.retain(|suite| suite.version().version == ProtocolVersion::TLSv1_2);
        let tls12 = config(Arc::new(older), &[&rustls::version::TLS12])?;
        Ok(Self { config: both, tls12, verifier })
    }

    /// Reads the platform's roots, unless they are already read; call it before the first
    /// handshake. Fails if there are none, or if it takes longer than [`limits::ROOTS`].
    pub async fn read_roots(&self) -> Result<(), NoRoots> {
        self.verifier.read_roots().await
    }

    /// For another client's handshakes, each of which must run in [`Tls::verify_handshake`].
    /// Without resumption, so that each handshake has a chain.
    #[cfg(feature = "http-backend")]
    #[must_use]
    pub fn config(&self) -> ClientConfig {
        self.config.clone()
    }

    /// Runs another client's handshake and verifies its chain. Fails if there is none.
    #[cfg(feature = "http-backend")]
    pub async fn verify_handshake<T>(
        &self,
        handshake: impl Future<Output = Result<T, BoxError>>,
        work: Work,
    ) -> Result<T, BoxError> {
        let (connected, peer) = capture_chain(handshake).await;
        let connected = connected?;
        let peer = peer.ok_or(rustls::Error::NoCertificatesPresented)?;
        self.verifier.verify(peer, work).await?;
        Ok(connected)
    }
}

fn config(
    provider: Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<ClientConfig, NoRoots> {
    let deferred = DeferredVerifier(provider.signature_verification_algorithms);
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|_| NoRoots)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(deferred))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// There are no client certificates, so the code that signs with them is not linked (44 KB).
#[derive(Debug)]
struct NoClientKeys;

impl KeyProvider for NoClientKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        Err(rustls::Error::General("there are no client certificates".to_owned()))
    }
}

/// A TLS version, none below 1.2 (RFC 8996). A `ClientHello` offers one and those below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// The outcome of a handshake.
#[derive(Debug, Clone, Copy)]
pub(super) struct TlsSession {
    pub(super) version: Version,
    /// Whether an earlier session was resumed.
    pub(super) is_resumed: bool,
}

/// Why a TLS connection failed.
pub(super) struct HandshakeError {
    pub(super) error: TransportError,
    /// Whether the offer of TLS 1.3 may be the cause, and not a certificate or the network.
    pub(super) may_be_the_offer: bool,
}

const UNTRUSTED: HandshakeError =
    HandshakeError { error: TransportError::Tls { alert: None }, may_be_the_offer: false };

impl HandshakeError {
    /// A connection that the peer closes during the handshake is treated as a rejection without an
    /// alert.
    fn of(error: &io::Error) -> Self {
        use AlertDescription as Alert;
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        match error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::AlertReceived(alert)) => Self {
                error: TransportError::Tls { alert: Some(alert_name(*alert)) },
                may_be_the_offer: matches!(
                    alert,
                    Alert::ProtocolVersion | Alert::HandshakeFailure | Alert::IllegalParameter
                ),
            },
            Some(_) => UNTRUSTED,
            None => match error.kind() {
                UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe => {
                    Self { error: TransportError::Tls { alert: None }, may_be_the_offer: true }
                }
                _ => TransportError::Closed.into(),
            },
        }
    }
}

impl From<TransportError> for HandshakeError {
    fn from(error: TransportError) -> Self {
        Self { error, may_be_the_offer: false }
    }
}

/// TLS on one network: sessions are resumed only on the network that they were created on.
pub(super) struct NetworkTls {
    resuming: TlsConnector,
    /// For servers whose tickets are too long.
    fresh: TlsConnector,
    /// For servers that fail if TLS 1.3 is offered.
    tls12: TlsConnector,
    tls12_hosts: Mutex<HashSet<ServerName<'static>>>,
    verifier: ChainVerifier,
    /// OCSP responses by host: a resumed session includes its chain but not the response, which
    /// verification may need again.
    stapled: Mutex<HashMap<ServerName<'static>, Vec<u8>>>,
}

impl NetworkTls {
    pub(super) fn new(tls: &Tls) -> Self {
        let mut config = tls.config.clone();
        config.resumption = Resumption::in_memory_sessions(limits::TLS_SESSIONS);
        let connector = |config: ClientConfig| TlsConnector::from(Arc::new(config));
        Self {
            resuming: connector(config),
            fresh: connector(tls.config.clone()),
            tls12: connector(tls.tls12.clone()),
            tls12_hosts: Mutex::default(),
            verifier: tls.verifier.clone(),
            stapled: Mutex::default(),
        }
    }

    /// The highest version to offer to this host.
    pub(super) fn offer(&self, host: &ServerName<'static>) -> Version {
        let hosts = self.tls12_hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.contains(host) { Version::Tls12 } else { Version::Tls13 }
    }

    /// Offers only TLS 1.2 to this host on this network.
    pub(super) fn remember_tls12(&self, host: ServerName<'static>) {
        let mut hosts = self.tls12_hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() < limits::TLS_SESSIONS {
            hosts.insert(host);
        }
    }

    /// Connects to a server and verifies its chain. The stream rejects a first write over
    /// [`limits::CLIENT_HELLO`].
    pub(super) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        host: ServerName<'static>,
        offer: Version,
        stream: S,
    ) -> Result<(TlsStream<S>, TlsSession), HandshakeError> {
        let handshake = |connector: &TlsConnector, stream| connector.connect(host.clone(), stream).into_fallible();
        let first = if offer == Version::Tls12 { &self.tls12 } else { &self.resuming };
        let (mut outcome, mut peer) = capture_chain(handshake(first, stream)).await;
        if let Err((error, stream)) = outcome {
            if error.kind() != io::ErrorKind::InvalidInput {
                return Err(HandshakeError::of(&error));
            }
            (outcome, peer) = capture_chain(handshake(&self.fresh, stream)).await;
        }
        let stream = outcome.map_err(|(error, _)| HandshakeError::of(&error))?;
        // The chain of a resumed session may have been rejected earlier: it is verified again.
        let peer = match peer {
            Some(peer) => {
                self.store_stapled(&peer);
                peer
            }
            None => self.resumed(host, stream.get_ref().1).ok_or(UNTRUSTED)?,
        };
        self.verifier.verify(peer, Work::CellularTrust).await.map_err(|_| UNTRUSTED)?;
        let session = session(stream.get_ref().1).ok_or(UNTRUSTED)?;
        Ok((stream, session))
    }

    fn store_stapled(&self, peer: &PeerChain) {
        let mut stapled = self.stapled.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = stapled.len() < limits::TLS_SESSIONS || stapled.contains_key(&peer.host);
        if !peer.ocsp_response.is_empty() && has_room {
            stapled.insert(peer.host.clone(), peer.ocsp_response.clone());
        }
    }

    fn resumed(&self, host: ServerName<'static>, connection: &ClientConnection) -> Option<PeerChain> {
        let (server, others) = connection.peer_certificates()?.split_first()?;
        let chain = chain::bounded(server, others).ok()?;
        let stapled = self.stapled.lock().unwrap_or_else(PoisonError::into_inner);
        let ocsp_response = stapled.get(&host).cloned().unwrap_or_default();
        Some(PeerChain { host, chain, ocsp_response })
    }
}

fn session(connection: &ClientConnection) -> Option<TlsSession> {
    let version = match connection.protocol_version()? {
        ProtocolVersion::TLSv1_2 => Version::Tls12,
        ProtocolVersion::TLSv1_3 => Version::Tls13,
        _ => return None,
    };
    Some(TlsSession { version, is_resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed) })
}

/// An alert or a rejected certificate is a TLS failure; a closed connection is not.
pub(super) fn failure(error: &io::Error) -> Option<TransportError> {
    let alert = match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::AlertReceived(alert) => Some(alert_name(*alert)),
        _ => None,
    };
    Some(TransportError::Tls { alert })
}

/// The names in RFC 8446, section 6, by number; an alert without a name is its number.
fn alert_name(alert: AlertDescription) -> String {
    let number = u8::from(alert);
    let name = match number {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        60 => "export_restriction",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        111 => "certificate_unobtainable",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        114 => "bad_certificate_hash_value",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        121 => "ech_required",
        _ => return number.to_string(),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_spelled_as_in_the_rfc() {
        for (alert, name) in [
            (AlertDescription::HandshakeFailure, "handshake_failure"),
            (AlertDescription::UnknownCA, "unknown_ca"),
            (AlertDescription::CertificateRequired, "certificate_required"),
            (AlertDescription::UnrecognisedName, "unrecognized_name"),
            (AlertDescription::UnknownPSKIdentity, "unknown_psk_identity"),
            (AlertDescription::Unknown(200), "200"),
        ] {
            let error = io::Error::other(rustls::Error::AlertReceived(alert));
            assert_eq!(failure(&error), Some(TransportError::Tls { alert: Some(name.to_owned()) }));
        }
        assert_eq!(failure(&io::Error::from(io::ErrorKind::UnexpectedEof)), None);
    }

    /// In snake case they are the names in rustls, with a few exceptions.
    #[test]
    fn every_alert_known_to_rustls_has_a_name() {
        for number in 0..=u8::MAX {
            let alert = AlertDescription::from(number);
            let expected = match alert {
                AlertDescription::Unknown(number) => number.to_string(),
                AlertDescription::UnknownCA => "unknown_ca".to_owned(),
                AlertDescription::UnknownPSKIdentity => "unknown_psk_identity".to_owned(),
                AlertDescription::UnrecognisedName => "unrecognized_name".to_owned(),
                AlertDescription::EncryptedClientHelloRequired => "ech_required".to_owned(),
                known => format!("{known:?}").split_inclusive(char::is_lowercase).fold(String::new(), |name, part| {
                    let begins_a_word = part.len() > 1 && !name.is_empty();
                    name + if begins_a_word { "_" } else { "" } + &part.to_lowercase()
                }),
            };
            assert_eq!(alert_name(alert), expected, "{number}");
        }
    }
}
