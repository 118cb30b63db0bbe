//! What a flow is for, and what comes of it: by the two operations of CAMARA Number Verification.

use crate::phone_number::PhoneNumber;

/// What the start request asks for.
#[derive(Clone)]
pub enum Purpose {
    /// Whether the SIM has this number (`phoneNumberVerify`).
    Verify(PhoneNumber),
    /// Which number the SIM has (`phoneNumberShare`).
    Retrieve,
}

/// What the backend's response has.
#[derive(Debug)]
pub enum FlowValue {
    /// Whether the operator confirmed the number.
    Verified(bool),
    /// The number that the operator gave.
    Number(PhoneNumber),
}
