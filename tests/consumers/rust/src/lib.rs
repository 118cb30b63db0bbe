//! What both apps need to reach the simulator: its settings, and this machine's network instead of
//! a cellular one.

use std::net::IpAddr;
use std::sync::Arc;

use number_verify::{CellularError, CellularProvider, CellularStatus, Config, NetworkBinding, NetworkEvents};

/// The settings for this backend.
#[must_use]
pub fn config(backend: &str) -> Config {
    let Simulator { root, hosts } = Simulator::started();
    let mut config = Config::new(backend);
    config.development.allow_unbound = true;
    config.development.root_certificates.push(root);
    config.development.resolve.extend(hosts);
    config
}

/// The HTTP client of an app.
#[must_use]
pub fn client() -> reqwest::Client {
    let Simulator { root, hosts } = Simulator::started();
    let root = reqwest::Certificate::from_pem(root.as_bytes()).expect("a certificate");
    let client = hosts.iter().fold(reqwest::Client::builder().tls_certs_only([root]), |client, entry| {
        let [host, _, addresses] = entry.splitn(3, ':').collect::<Vec<_>>()[..] else {
            panic!("{entry} is not HOST:PORT:ADDRESSES")
        };
        let address = |text: &str| text.trim_matches(['[', ']']).parse::<IpAddr>().expect("an address");
        // Port 0: that of the URL.
        let addresses: Vec<_> = addresses.split(',').map(|text| (address(text), 0).into()).collect();
        client.resolve_to_addrs(host, &addresses)
    });
    client.build().expect("a client")
}

struct Simulator {
    root: String,
    hosts: Vec<String>,
}

impl Simulator {
    /// As described by the line that the simulator has printed.
    fn started() -> Self {
        let line = std::env::var("NUMBER_VERIFY_SIMULATOR").expect("NUMBER_VERIFY_SIMULATOR is set");
        let line: serde_json::Value = serde_json::from_str(&line).expect("the simulator's line");
        let root = line["root_ca_pem"].as_str().expect("a certificate").to_owned();
        let hosts = line["hosts"].as_array().expect("hosts").iter();
        Self { root, hosts: hosts.map(|host| host.as_str().expect("a host").to_owned()).collect() }
    }
}

/// This machine's network.
#[must_use]
pub fn cellular() -> Arc<dyn CellularProvider> {
    Arc::new(AnyNetwork)
}

struct AnyNetwork;

#[async_trait::async_trait]
impl CellularProvider for AnyNetwork {
    async fn acquire(&self, _: Arc<NetworkEvents>) -> Result<NetworkBinding, CellularError> {
        Ok(NetworkBinding::Unbound)
    }

    async fn release(&self) -> Result<(), CellularError> {
        Ok(())
    }

    async fn status(&self) -> Result<CellularStatus, CellularError> {
        Ok(CellularStatus::Ready)
    }
}
