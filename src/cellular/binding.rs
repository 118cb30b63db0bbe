//! Validates a provider's binding, once, when it is received from the app. A value that binds
//! nothing, although binding to it succeeds, is rejected.

use super::provider::NetworkBinding;
use crate::network::Unusable;

/// `Network.getNetworkHandle()`: the network id in the upper half, this constant in the lower half
/// (`HANDLE_MAGIC` in `multinetwork.cpp`).
const ANDROID_MAGIC: u64 = 0xcafe_d00d;
/// `IFNAMSIZ` without the terminating null byte.
const LONGEST_INTERFACE_NAME: usize = 15;

/// A binding that identifies a network, or the unbound one of development.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidBinding(NetworkBinding);

impl ValidBinding {
    /// The binding.
    #[must_use]
    pub fn get(&self) -> &NetworkBinding {
        &self.0
    }
}

impl TryFrom<NetworkBinding> for ValidBinding {
    type Error = Unusable;

    /// Fails with `NoInterface`.
    fn try_from(binding: NetworkBinding) -> Result<Self, Unusable> {
        let is_valid = match &binding {
            // Without an id it is NETWORK_UNSPECIFIED, which netd "selects" without binding
            // anything.
            NetworkBinding::AndroidNetwork { handle } => {
                handle & u64::from(u32::MAX) == ANDROID_MAGIC && handle >> u32::BITS != 0
            }
            // Index 0 removes the binding of a socket (IP_BOUND_IF).
            NetworkBinding::AppleInterface { index } => *index != 0,
            // An empty name removes the binding of a socket (SO_BINDTODEVICE), and a longer one is
            // truncated.
            NetworkBinding::LinuxInterface { name } => {
                (1..=LONGEST_INTERFACE_NAME).contains(&name.len()) && !name.contains('\0')
            }
            NetworkBinding::Unbound => true,
        };
        if is_valid { Ok(Self(binding)) } else { Err(Unusable::NoInterface) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binding_that_binds_nothing_is_rejected() {
        let android = |handle| NetworkBinding::AndroidNetwork { handle };
        let linux = |name: &str| NetworkBinding::LinuxInterface { name: name.to_owned() };
        for (binding, is_valid) in [
            (android(0), false),
            (android(ANDROID_MAGIC), false),
            (android(100 << 32), false),
            (android(100 << 32 | 0xfeed_d00d), false),
            (android(1), false),
            (android(u64::MAX), false),
            (android(100 << 32 | ANDROID_MAGIC), true),
            (android(0xffff_ffff_cafe_d00d), true),
            (NetworkBinding::AppleInterface { index: 0 }, false),
            (NetworkBinding::AppleInterface { index: 1 }, true),
            (linux(""), false),
            (linux("\0wwan0"), false),
            (linux("wwan0\0"), false),
            (linux("sixteen-letters."), false),
            (linux("fifteen-letters"), true),
            (linux("wwan0"), true),
            (NetworkBinding::Unbound, true),
        ] {
            let expected = if is_valid { Ok(&binding) } else { Err(Unusable::NoInterface) };
            let checked = ValidBinding::try_from(binding.clone());
            assert_eq!(checked.as_ref().map(ValidBinding::get).map_err(|cause| *cause), expected, "{binding:?}");
        }
    }
}
