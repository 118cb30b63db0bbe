//! Whole verifications against the simulator, over real TCP connections of a foreign side in Rust.

use std::sync::Arc;

use foreign_stream::{ForeignVerifier, Report, Setup, SocketVerifier, SpikeError, TcpConnections};
use number_verify_simulator::{Operator, Options, Simulator};
use tokio::runtime::Builder;

const NUMBER: &str = "+14155550100";

fn setup(simulator: &Simulator, phone_number: &str) -> Setup {
    Setup {
        backend_url: simulator.backend_url(Operator::B),
        hosts: simulator.hosts(),
        root_certificate: simulator.root_ca_pem().to_owned(),
        phone_number: phone_number.to_owned(),
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn verification_over_foreign_connections_equals_the_one_over_sockets() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let setup = setup(&simulator, NUMBER);
    let sockets = block_on(SocketVerifier::new(setup.clone()).unwrap().verify()).unwrap();
    let first = simulator.requests().len();
    let foreign = block_on(ForeignVerifier::over_rust(setup).unwrap().verify()).unwrap();
    assert!(sockets.verified);
    assert_eq!(foreign, sockets);
    assert_eq!(simulator.requests().len(), 2 * first);
}

#[test]
fn other_phone_number_is_not_verified() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let verifier = ForeignVerifier::over_rust(setup(&simulator, "+14155550199")).unwrap();
    let report = block_on(verifier.verify()).unwrap();
    assert!(matches!(report, Report { verified: false, .. }), "{report:?}");
}

#[test]
fn host_unknown_to_the_foreign_side_is_an_error() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let no_hosts = Arc::new(TcpConnections::new(&[]));
    let error = block_on(ForeignVerifier::new(setup(&simulator, NUMBER), no_hosts).unwrap().verify()).unwrap_err();
    assert!(matches!(error, SpikeError::Verify { .. }), "{error}");
}
