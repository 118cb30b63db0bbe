//! A generated root, and one certificate issued by it for all hosts.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, Error, IsCa, KeyPair, KeyUsagePurpose};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::hosts;

pub(crate) struct Certificates {
    pub(crate) root_pem: String,
    pub(crate) config: Arc<ServerConfig>,
}

pub(crate) fn make() -> Result<Certificates, Box<dyn std::error::Error + Send + Sync>> {
    let root = root()?;
    let local = ["localhost", "127.0.0.1", "::1"];
    let names: Vec<String> = hosts::all().map(|(host, _)| host.name).chain(local).map(str::to_owned).collect();
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names)?;
    params.use_authority_key_identifier_extension = true; // RFC 5280, section 4.2.1.1; required by Python 3.13 and later
    let leaf = params.signed_by(&key, &root)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Certificates { root_pem: root.pem(), config: Arc::new(config) })
}

fn root() -> Result<CertifiedIssuer<'static, KeyPair>, Error> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.distinguished_name.push(DnType::CommonName, "number-verify simulator");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}
