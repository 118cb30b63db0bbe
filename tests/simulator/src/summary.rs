//! What the program prints for a person.

use std::fmt::Write;

use number_verify_simulator::{Simulator, page};
use serde_json::Value;

/// How to use this simulator.
pub(crate) fn of(ready: &Value, simulator: &Simulator) -> String {
    let text = |name: &str| ready[name].as_str().unwrap_or_default();
    let (url, backend) = (text("page"), text("backend"));
    let mut summary = format!(
        "The simulator is ready. Ctrl-C stops it.\n\n  \
         Page     {url}\n           each verification live, faults to switch on, and how to connect a phone\n  \
         Backend  {backend}\n           https, for the hosts and the root certificate of this simulator\n\n\
         Numbers to verify\n"
    );
    let mut number = |number: &str, effect: &str| {
        let _ = writeln!(summary, "  {number:<13} {effect}");
    };
    let sims = simulator.sims();
    for (sim, network) in sims.iter().filter_map(|sim| sim.split_once(' ')) {
        number(sim, &format!("the SIM of connections from {}: verified", network.trim_matches(['(', ')'])));
    }
    number("any other", "another subscriber's: not verified");
    for (error, status, code) in simulator.verify_errors() {
        number(&error, &format!("the provider's error {status} {code}"));
    }
    let commands = page::commands(ready, simulator).replace('\n', "\n  ");
    let _ = write!(
        summary,
        "\nFrom the command line, in another terminal at the root of the repository\n  {commands}\n\n\
         For programs: --json prints one line of JSON instead; {url}simulator.json is the same.\n"
    );
    summary
}
