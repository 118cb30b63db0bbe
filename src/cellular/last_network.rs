//! The state that outlives the release of a network: TLS sessions and DNS, never a connection. It
//! is reused only if the next network is verifiably the same: same binding, interface and operator,
//! the same addresses of the phone on it, at its release as at both acquisitions, and no loss or
//! failed acquisition in between. Otherwise it is dropped, so that no server can recognise the
//! phone on another network or SIM by its session tickets (decision 14 in `docs/adr`).

use super::binding::ValidBinding;
use super::provider::NetworkBinding;
use crate::clock::{Clock, Deadline};
use crate::error::VerifyError;
use crate::limits;
use crate::network::Network;
use crate::network::local_addresses::LocalAddresses;
use crate::transport::Transport;

/// Creates a transport over a binding, once that is available.
pub type Open<N> = dyn Fn(&ValidBinding) -> Result<Transport<N>, VerifyError> + Send + Sync;

/// The current or last network.
pub(super) struct LastNetwork<N: Network> {
    clock: Clock,
    known: Option<Known<N>>,
}

/// A network that can be identified.
struct Known<N: Network> {
    binding: ValidBinding,
    /// As reported by the provider: without it only the addresses distinguish one SIM from another.
    operator: Option<u32>,
    addresses: LocalAddresses,
    /// Starts with the first acquisition, so that a server cannot link visits over a longer time.
    until: Deadline,
    /// Absent while the network is held.
    released: Option<Transport<N>>,
}

impl<N: Network> LastNetwork<N> {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, known: None }
    }

    /// A transport without connections: that of the last network if this is the same one, otherwise
    /// a new one.
    pub(super) fn acquired(
        &mut self,
        binding: &ValidBinding,
        operator: Option<u32>,
        open: &Open<N>,
    ) -> Result<Transport<N>, VerifyError> {
        if let Some(mut known) = self.known.take()
            && let Some(transport) = known.released.take()
            && known.binding == *binding
            && known.operator == operator
            && !known.until.has_passed()
            && is_unchanged(&transport, known.addresses)
        {
            self.known = Some(known);
            return Ok(transport);
        }
        let transport = open(binding)?;
        let addresses = transport.local_addresses().filter(|addresses| identify(*addresses, binding, operator));
        self.known = addresses.map(|addresses| Known {
            binding: binding.clone(),
            operator,
            addresses,
            until: Deadline::after(limits::SAME_NETWORK, &self.clock),
            released: None,
        });
        Ok(transport)
    }

    /// The network will be released, and was not lost.
    pub(super) fn released(&mut self, transport: &Transport<N>) {
        self.known = self.known.take().filter(|known| is_unchanged(transport, known.addresses));
        if let Some(known) = &mut self.known {
            known.released = Some(transport.without_connections());
        }
    }

    /// The network was lost, or could not be acquired.
    pub(super) fn lost(&mut self) {
        self.known = None;
    }
}

/// Only an Android handle identifies a single network: an interface is the same with every SIM, and
/// a private address may be.
fn identify(addresses: LocalAddresses, binding: &ValidBinding, operator: Option<u32>) -> bool {
    let differs_by_sim = matches!(binding.get(), NetworkBinding::AndroidNetwork { .. }) || operator.is_some();
    differs_by_sim || addresses.are_global()
}

fn is_unchanged<N: Network>(transport: &Transport<N>, addresses: LocalAddresses) -> bool {
    transport.is_usable() && transport.local_addresses() == Some(addresses)
}
