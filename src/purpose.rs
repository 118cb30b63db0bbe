//! The purpose of a flow and its result, for the two operations of CAMARA Number Verification.

use crate::phone_number::PhoneNumber;

/// The purpose of the start request.
#[derive(Clone)]
pub enum Purpose {
    /// Whether the SIM has this number (`phoneNumberVerify`).
    Verify(PhoneNumber),
    /// Which number the SIM has (`phoneNumberShare`).
    Retrieve,
}

/// The result in the backend's response.
#[derive(Debug)]
pub enum FlowValue {
    /// Whether the operator confirmed the number.
    Verified(bool),
    /// The number that the operator returned.
    Number(PhoneNumber),
}
