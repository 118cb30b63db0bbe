//! The results of verifications and retrievals.

use std::fmt;
use std::sync::Arc;

use secrecy::ExposeSecret;

use crate::backend::result::FlowResult;
use crate::error::VerifyError;
use crate::phone_number::PhoneNumber;
use crate::purpose::FlowValue;
use crate::trace::Trace;

/// The result of a verification.
#[derive(uniffi::Object)]
pub struct Verification {
    verified: bool,
    ended: Arc<Ended>,
}

/// The result of a retrieval: the phone number of the SIM, from its operator. Never included in
/// `Debug` or `toString()`.
#[derive(uniffi::Object)]
pub struct RetrievedNumber {
    number: PhoneNumber,
    ended: Arc<Ended>,
}

/// A result, and the trace that led to it.
pub struct Ended {
    pub result: FlowResult,
    pub trace: Trace,
}

#[uniffi::export]
impl Verification {
    /// Whether the operator confirmed that the SIM in this phone owns the number. `false` may also
    /// mean that the phone used its other SIM.
    #[must_use]
    pub fn verified(&self) -> bool {
        self.verified
    }

    /// The backend's raw JSON response, for custom fields. Never included in `Debug` or
    /// `toString()`.
    #[must_use]
    pub fn response_json(&self) -> String {
        self.ended.response_json()
    }

    /// The trace of the verification.
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.ended.trace.clone()
    }
}

#[uniffi::export]
impl RetrievedNumber {
    /// The phone number, in E.164 form. Personal data: only for this screen and this user. A
    /// backend must not trust a number that the phone sends, but use the one that it received from
    /// the operator.
    #[must_use]
    pub fn phone_number(&self) -> String {
        self.number.expose_secret().to_owned()
    }

    /// The backend's raw JSON response, for custom fields. It contains the number and is never
    /// included in `Debug` or `toString()`.
    #[must_use]
    pub fn response_json(&self) -> String {
        self.ended.response_json()
    }

    /// The trace of the retrieval.
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.ended.trace.clone()
    }
}

impl Verification {
    pub(crate) fn of(ended: Arc<Ended>) -> Result<Arc<Self>, VerifyError> {
        match ended.result.value {
            FlowValue::Verified(verified) => Ok(Arc::new(Self { verified, ended })),
            FlowValue::Number(_) => Err(VerifyError::Internal),
        }
    }
}

impl RetrievedNumber {
    pub(crate) fn of(ended: Arc<Ended>) -> Result<Arc<Self>, VerifyError> {
        match &ended.result.value {
            FlowValue::Number(number) => Ok(Arc::new(Self { number: number.clone(), ended })),
            FlowValue::Verified(_) => Err(VerifyError::Internal),
        }
    }
}

impl Ended {
    fn response_json(&self) -> String {
        self.result.response_json.expose_secret().to_owned()
    }
}

impl fmt::Debug for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verification").field("verified", &self.verified).finish_non_exhaustive()
    }
}

impl fmt::Debug for RetrievedNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RetrievedNumber(…)")
    }
}
