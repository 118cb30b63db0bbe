//! How the library recognises a network that it has released: from what the system reports about
//! it, without sending a packet.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use number_verify::{Config, NumberVerifier};
use number_verify_simulator::Operator;

use crate::capture::Kind::{Backend, BackendLookup, Cellular, CellularLookup};
use crate::capture::{BACKEND_HOST, expect_only};
use crate::lab::{CELL, CountedModem, Lab, NUMBER, OPERATOR, SPARE, bring_up, ip, wait_until};
use crate::{hooks, interface};

/// One verifier over `cell`, which is released after each use.
struct Phone {
    verifier: Arc<NumberVerifier>,
    modem: Arc<CountedModem>,
}

impl Phone {
    fn new(config: Config) -> Self {
        Self::of(config, OPERATOR)
    }

    fn of(config: Config, operator: Option<&'static str>) -> Self {
        hooks::set(|_| {});
        let modem = CountedModem::new(interface(CELL.name), operator);
        Self { verifier: NumberVerifier::new(config, modem.clone(), None).unwrap(), modem }
    }

    /// Whether the verification's handshakes resumed sessions: all of them, or none.
    fn verify(&self) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let verification = runtime.block_on(self.verifier.verify(NUMBER.to_owned())).unwrap();
        assert!(verification.verified());
        self.is_released();
        let hops = verification.trace().hops;
        let mut handshakes = hops.iter().filter(|hop| !hop.reused && hop.tls_version.is_some());
        let is_resumed = handshakes.next().expect("a handshake").tls_resumed;
        assert!(handshakes.all(|hop| hop.tls_resumed == is_resumed));
        is_resumed
    }

    fn is_released(&self) {
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        wait_until("the network is released", || count(&self.modem.acquired) == count(&self.modem.released));
    }
}

/// The number of DNS queries for the operators' host names.
fn queries(lab: &Lab) -> usize {
    lab.simulator.dns_queries().iter().filter(|(host, _)| host != BACKEND_HOST).count()
}

#[test]
fn same_interface_with_same_address_resumes_without_dns_queries() {
    Lab::run(|lab| {
        let phone = Phone::new(lab.config(Operator::A));
        assert!(!phone.verify());
        let queries_before = queries(lab);
        assert!(queries_before > 0);
        assert!(phone.verify());
        assert_eq!(queries(lab), queries_before);
        lab.packets().expect("the same", &[Backend, BackendLookup], &[Cellular, CellularLookup]);
    });
}

/// The SIM behind a router may differ while the router's addresses are the same.
#[test]
fn private_addresses_without_an_operator_identify_no_network() {
    Lab::run(|lab| {
        let phone = Phone::of(lab.config(Operator::A), None);
        assert!(!phone.verify());
        assert!(!phone.verify());
        lab.packets().expect("without an operator", &[Backend, BackendLookup], &[Cellular, CellularLookup]);
    });
}

#[test]
fn same_interface_with_new_address_starts_cold() {
    let (cell, near, far) = (CELL.name, CELL.near, CELL.far);
    let renumber = format!(
        "address delete {near}/24 dev {cell}
        address add 10.2.0.3/24 dev {cell}
        route add default via {far} metric 200"
    );
    Lab::run(|lab| {
        let phone = Phone::new(lab.config(Operator::A));
        assert!(!phone.verify());
        let queries_before = queries(lab);
        ip(&renumber).unwrap();
        assert!(!phone.verify());
        assert_eq!(queries(lab), 2 * queries_before);
        ip(&format!("address add {near}/24 dev {cell}")).unwrap();
        lab.packets().expect("renumbered", &[Backend, BackendLookup], &[Cellular, CellularLookup]);
    });
}

/// The name and the address are the same.
#[test]
fn other_interface_with_the_same_name_starts_cold() {
    let (cell, near, spare, spare_far) = (CELL.name, CELL.near, SPARE.name, SPARE.far);
    let replace = format!(
        "link set {cell} down
        address delete {near}/24 dev {cell}
        link set {cell} name lost
        link set {spare} down
        link set {spare} name {cell}
        link set {cell} up
        address add {near}/24 dev {cell}
        route add default via {spare_far} dev {cell} src {near} metric 200"
    );
    Lab::run(|lab| {
        let phone = Phone::new(lab.config(Operator::A));
        assert!(!phone.verify());
        ip(&replace).unwrap();
        bring_up(CELL).unwrap();
        assert!(!phone.verify());
        expect_only("replaced, on spare", &lab.spare.packets(), &[Cellular, CellularLookup]);
    });
}

#[test]
fn recognising_a_network_sends_no_packets() {
    Lab::run(|lab| {
        let phone = Phone::new(lab.config(Operator::A));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for _ in 0..2 {
            runtime.block_on(phone.verifier.prepare()).unwrap();
            let verification = phone.verifier.begin(NUMBER.to_owned(), None);
            verification.cancel();
            runtime.block_on(verification.result()).unwrap_err();
            phone.is_released();
        }
        assert_eq!(phone.modem.acquired.load(Ordering::Relaxed), 2);
        // On `wlan`, `prepare` may open a connection to the backend.
        expect_only("recognised, on cell", &lab.packets().cell, &[]);
    });
}
