//! Proof that the two legs of a flow use only their networks: packets are counted on both, and both
//! have servers with the same host names and addresses, which would respond to a packet on the
//! wrong network.
//!
//! Needs root and `ip`. Otherwise it prints "skipped: two networks: …" and passes, unless
//! `NUMBER_VERIFY_NO_SKIP=1` is set. `--nocapture` shows the counts.

#![cfg(target_os = "linux")]

mod capture;
mod hooks;
mod lab;
mod same_network;

use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::time::{Duration, Instant};

use number_verify::{CellularCause, Config, NetworkBinding, VerifyError};
use number_verify_simulator::Operator;
use serde_json::Value;

use crate::capture::Kind::{Backend, BackendLookup, Bystander, Cellular, CellularLookup};
use crate::capture::{BACKEND_HOST, expect_only};
use crate::lab::{
    CELL, HOTSPOT_NUMBER, Lab, NUMBER, PATIENCE, SPARE, WLAN, bring_up, ip, network_of_bystander, retrieve, verify,
    verify_prepared, verify_repeatedly,
};

/// The maximum time from the loss of the interface to the end of the verification, including the
/// release of the network. The fastest of several attempts, because another process may occupy the
/// processor.
const ENDS_AFTER_A_LOSS: Duration = Duration::from_millis(250);
const ATTEMPTS: usize = 3;
/// B's redirect chain includes plain http.
const OPERATORS: [Operator; 2] = [Operator::A, Operator::B];
/// Commands of `ip`, and the error that a flow then reports.
const LOSSES: [(&str, CellularCause, &str); 2] = [
    ("link set cell down", CellularCause::InterfaceDown, "interface_down"),
    ("link delete cell", CellularCause::NoInterface, "no_interface"),
];

#[test]
fn each_leg_uses_only_its_network() {
    for operator in OPERATORS {
        Lab::run(|lab| {
            let outcome = verify(lab.config(operator), interface(CELL.name), |_| {});
            assert!(matches!(outcome, Ok(true)), "operator {operator}: {outcome:?}");
            let packets = lab.packets();
            let scenario = format!("cell, operator {operator}");
            packets.expect(&scenario, &[Backend, BackendLookup], &[Cellular, CellularLookup]);
            assert_servers_agree(lab);
            let lookups = packets.wlan[&BackendLookup] + packets.cell[&CellularLookup];
            let queries = lab.simulator.dns_queries().len();
            assert!(lookups >= 2 * queries, "{lookups} packets were counted for {queries} queries and their responses");
        });
    }
}

/// Connections opened ahead of a request, by `prepare()` or by a flow, are bound like all others;
/// the backend's connection is not.
#[test]
fn connections_opened_ahead_use_only_their_network() {
    for operator in OPERATORS {
        Lab::run(|lab| {
            let traces = verify_repeatedly(lab.config(operator), interface(CELL.name), || {});
            let [first, second, third] = traces.map(Result::unwrap);
            assert!(first.opened_ahead.is_empty() && !second.opened_ahead.is_empty(), "{first:?} {second:?}");
            for trace in [second, third] {
                let (ahead, hops) = (trace.hops.iter().filter(|hop| hop.opened_ahead).count(), trace.hops);
                assert!(ahead >= 2, "operator {operator}: {hops:?}");
            }
            let scenario = format!("ahead on cell, operator {operator}");
            lab.packets().expect(&scenario, &[Backend, BackendLookup], &[Cellular, CellularLookup]);
            assert_servers_agree(lab);
        });
    }
}

/// The hosts are remembered for the name of the interface, which another network has now.
#[test]
fn connections_opened_ahead_after_a_loss_use_only_the_new_network() {
    let (cell, spare, far) = (CELL.name, SPARE.name, SPARE.far);
    let replace = format!(
        "link delete {cell}
        link set {spare} down
        link set {spare} name {cell}
        link set {cell} up
        route add default via {far} metric 200"
    );
    Lab::run(|lab| {
        let [first, second, third] = verify_repeatedly(lab.config(Operator::B), interface(cell), || {
            ip(&replace).unwrap();
            bring_up(CELL).unwrap();
        });
        assert!(first.is_ok());
        for outcome in [second, third] {
            let opened_ahead = outcome.map(|trace| trace.opened_ahead);
            assert!(opened_ahead.as_ref().is_ok_and(|hosts| !hosts.is_empty()), "{opened_ahead:?}");
        }
        expect_only("ahead on wlan", &lab.wlan.packets(), &[Backend, BackendLookup]);
        expect_only("ahead on spare", &lab.spare.packets(), &[Cellular, CellularLookup]);
    });
}

/// According to the servers' records, which contain the origin of each request and query.
fn assert_servers_agree(lab: &Lab) {
    let requests = lab.simulator.requests().into_iter().map(|request| (request.host, request.peer));
    for (host, peer) in requests.chain(lab.simulator.dns_queries()) {
        let link = if host == BACKEND_HOST { WLAN } else { CELL };
        assert_eq!(peer, link.near, "{host} received a request from {peer}");
    }
}

#[test]
fn other_sockets_of_the_process_stay_on_the_default_network() {
    for operator in OPERATORS {
        Lab::run(|lab| {
            let (sender, receiver) = mpsc::channel();
            let outcome = verify(lab.config(operator), interface(CELL.name), move |hop| {
                if hop == 1 {
                    sender.send(network_of_bystander()).unwrap();
                }
            });
            assert!(matches!(outcome, Ok(true)), "operator {operator}: {outcome:?}");
            let (network, address) =
                receiver.recv_timeout(PATIENCE).expect("a bystander after hop 1").expect("its response");
            assert_eq!((network.as_str(), address), (WLAN.name, WLAN.near.into()));
            let scenario = format!("cell and a bystander, operator {operator}");
            lab.packets().expect(&scenario, &[Backend, BackendLookup, Bystander], &[Cellular, CellularLookup]);
        });
    }
}

#[test]
fn flow_without_its_interface_fails_and_sends_nothing_elsewhere() {
    for (before, name, reason, in_json) in [
        ("link set cell down", CELL.name, CellularCause::InterfaceDown, "interface_down"),
        ("", "nowhere", CellularCause::NoInterface, "no_interface"),
    ] {
        Lab::run(|lab| {
            ip(before).unwrap();
            let outcome = verify(lab.config(Operator::B), interface(name), |_| {});
            assert_unavailable(&outcome, reason, in_json);
            lab.packets().expect(in_json, &[Backend, BackendLookup], &[]);
        });
    }
}

#[test]
fn flow_ends_on_interface_loss_and_sends_nothing_elsewhere() {
    for (loss, reason, in_json) in LOSSES {
        for operator in OPERATORS {
            Lab::run(|lab| {
                let outcome = verify_until(lab.config(operator), loss, 1);
                assert_unavailable(&outcome, reason, in_json);
                let scenario = format!("{loss} after hop 1, operator {operator}");
                expect_only(&scenario, &lab.wlan.packets(), &[Backend, BackendLookup]);
            });
        }
    }
}

/// Hop 2 needs no lookup and connects immediately.
#[test]
fn after_interface_loss_nothing_connects_elsewhere() {
    for (loss, reason, in_json) in LOSSES {
        Lab::run(|lab| {
            let mut config = lab.config(Operator::A);
            config.development.resolve = lab.simulator.hosts();
            config.development.resolve.retain(|host| !host.starts_with(BACKEND_HOST));
            let outcome = verify_until(config, loss, 1);
            assert_unavailable(&outcome, reason, in_json);
            let scenario = format!("{loss} after hop 1, names known");
            expect_only(&scenario, &lab.wlan.packets(), &[Backend, BackendLookup]);
        });
    }
}

/// Hop 3 uses the connection of hop 1, which will never receive a response.
#[test]
fn after_interface_loss_pooled_connection_sends_nothing_elsewhere() {
    for (loss, reason, in_json) in LOSSES {
        let after_the_loss = Mutex::new(Vec::new());
        for _ in 0..ATTEMPTS {
            Lab::run(|lab| {
                let lost = Arc::new(OnceLock::new());
                let at = lost.clone();
                let outcome = verify(lab.config(Operator::A), interface(CELL.name), move |hop| {
                    if hop == 2 {
                        ip(loss).unwrap();
                        at.set(Instant::now()).unwrap();
                    }
                });
                after_the_loss.lock().unwrap().extend(lost.get().map(Instant::elapsed));
                assert_unavailable(&outcome, reason, in_json);
                let scenario = format!("{loss} after hop 2");
                expect_only(&scenario, &lab.wlan.packets(), &[Backend, BackendLookup]);
            });
        }
        let times = after_the_loss.into_inner().unwrap();
        eprintln!("{loss}: the verification ended after {times:?}");
        assert!(times.iter().min().is_none_or(|fastest| *fastest <= ENDS_AFTER_A_LOSS), "{loss}: {times:?}");
    }
}

/// The new interface has the name of the lost one, and another index.
#[test]
fn network_lost_after_prepare_is_acquired_again() {
    let (cell, spare, far) = (CELL.name, SPARE.name, SPARE.far);
    let replace = format!(
        "link set {spare} down
        link set {spare} name {cell}
        link set {cell} up
        route add default via {far} metric 200"
    );
    let losses = [
        format!("link delete {cell}\n{replace}"),
        format!("link set {cell} down\nlink set {cell} name lost\n{replace}"),
    ];
    for loss in losses {
        for operator in OPERATORS {
            Lab::run(|lab| {
                let (outcome, acquired, released) = verify_prepared(lab.config(operator), interface(CELL.name), || {
                    ip(&loss).unwrap();
                    bring_up(CELL).unwrap();
                });
                let scenario = format!("{loss}, operator {operator}");
                assert!(matches!(outcome, Ok(true)), "{scenario}: {outcome:?}");
                assert_eq!((acquired, released), (2, 2), "{scenario}");
                expect_only(&scenario, &lab.wlan.packets(), &[Backend, BackendLookup]);
                expect_only(&scenario, &lab.spare.packets(), &[Cellular, CellularLookup]);
            });
        }
    }
}

/// The operators distinguish the networks: a flow over the wrong one finds no SIM. The counts show
/// the difference as well.
#[test]
fn wrong_network_verifies_nothing_and_the_counts_show_it() {
    for binding in [interface(WLAN.name), NetworkBinding::Unbound] {
        for operator in OPERATORS {
            Lab::run(|lab| {
                let scenario = format!("{binding:?}, operator {operator}");
                let mut config = lab.config(operator);
                config.development.allow_unbound = true;
                let outcome = verify(config, binding.clone(), |_| {});
                assert!(is_denied(&outcome), "{scenario}: {outcome:?}");
                lab.packets().expect(&scenario, &[Backend, BackendLookup, Cellular, CellularLookup], &[]);
            });
        }
    }
}

/// The operator returns the hotspot's number for all traffic over the hotspot. No flow of this
/// library sends any.
#[test]
fn hotspot_guest_retrieves_only_the_number_of_its_own_sim() {
    Lab::run_on_a_hotspot(|lab| {
        let retrieved = retrieve(lab.config_for_retrieval(), interface(CELL.name), |_| {});
        assert_eq!(retrieved.as_deref().ok(), Some(NUMBER), "{:?}", retrieved.as_ref().err());
        lab.packets().expect("the SIM of the guest", &[Backend, BackendLookup], &[Cellular, CellularLookup]);
    });
    for (loss, ..) in LOSSES {
        Lab::run_on_a_hotspot(|lab| {
            ip(loss).unwrap();
            let retrieved = retrieve(lab.config_for_retrieval(), interface(CELL.name), |_| {});
            assert!(matches!(retrieved, Err(VerifyError::CellularUnavailable { .. })), "{loss}: {:?}", retrieved.err());
            let packets = lab.wlan.packets();
            assert!(!packets.contains_key(&Cellular) && !packets.contains_key(&CellularLookup), "{loss}: {packets:?}");
        });
    }
    Lab::run_on_a_hotspot(|lab| {
        let mut config = lab.config_for_retrieval();
        config.development.allow_unbound = true;
        let retrieved = retrieve(config, NetworkBinding::Unbound, |_| {});
        assert_eq!(retrieved.ok().as_deref(), Some(HOTSPOT_NUMBER), "the control: without a binding");
    });
}

fn interface(name: &str) -> NetworkBinding {
    NetworkBinding::LinuxInterface { name: name.to_owned() }
}

/// A flow over the cellular interface, which is lost as soon as this hop has received a response.
fn verify_until(config: Config, loss: &'static str, last_hop: u32) -> Result<bool, VerifyError> {
    verify(config, interface(CELL.name), move |hop| {
        if hop == last_hop {
            ip(loss).unwrap();
        }
    })
}

fn assert_unavailable(outcome: &Result<bool, VerifyError>, expected: CellularCause, in_json: &str) {
    let Err(error @ VerifyError::CellularUnavailable { reason }) = outcome else { panic!("{in_json}: {outcome:?}") };
    assert_eq!(*reason, expected);
    let json: Value = serde_json::from_str(&error.to_json()).unwrap();
    assert_eq!((&json["kind"], &json["cause"]), (&"cellular_unavailable".into(), &in_json.into()), "{json}");
}

fn is_denied(outcome: &Result<bool, VerifyError>) -> bool {
    matches!(outcome, Err(VerifyError::DeniedByOperator { error: Some(code), .. }) if code == "access_denied")
}
