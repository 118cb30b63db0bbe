//! A root, an intermediate, and a certificate for each host, as on the real web.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::chain::{BACKEND_HOST, HOSTS};
use super::namespaces::BACKEND;

pub struct Certificates {
    pub root_pem: String,
    hosts: Vec<Host>,
}

struct Host {
    address: Ipv4Addr,
    has_http2: bool,
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

impl Certificates {
    pub fn new() -> Result<Self> {
        let (root_params, root_key) = authority("bench root")?;
        let root = root_params.self_signed(&root_key)?;
        let root_issuer = Issuer::new(root_params, root_key);
        let (params, key) = authority("bench intermediate")?;
        let intermediate = params.signed_by(&key, &root_issuer)?;
        let issuer = Issuer::new(params, key);
        let hosts = HOSTS.into_iter().chain([(BACKEND_HOST, BACKEND, false)]).map(|(name, address, has_http2)| {
            let key = KeyPair::generate()?;
            let leaf = CertificateParams::new([name.to_owned()])?.signed_by(&key, &issuer)?;
            let chain = vec![leaf.der().clone(), intermediate.der().clone()];
            Ok(Host { address, has_http2, chain, key: key.serialize_der() })
        });
        Ok(Self { root_pem: root.pem(), hosts: hosts.collect::<Result<_>>()? })
    }

    /// New TLS configurations by address. They have no session state, so that no earlier ticket is
    /// accepted.
    pub fn fresh_configs(&self) -> Result<HashMap<Ipv4Addr, Arc<ServerConfig>>> {
        let config = |host: &Host| {
            let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_single_cert(host.chain.clone(), PrivateKeyDer::Pkcs8(host.key.clone().into()))?;
            let protocols: &[&str] = if host.has_http2 { &["h2", "http/1.1"] } else { &["http/1.1"] };
            config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
            Ok((host.address, Arc::new(config)))
        };
        self.hosts.iter().map(config).collect()
    }
}

pub fn authority(name: &str) -> Result<(CertificateParams, KeyPair)> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, name);
    Ok((params, KeyPair::generate()?))
}
