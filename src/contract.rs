//! Names of the contract with the backend (`docs/backend-api.yaml`).

use http::HeaderName;

/// The same for all attempts of one call.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The same for all calls of one flow.
pub const CORRELATOR: HeaderName = HeaderName::from_static("x-correlator");
/// The member of a start request for a purpose other than verifying a number.
pub const PURPOSE: &str = "purpose";
/// The purpose of a retrieval, CAMARA's name for the operation.
#[cfg(feature = "http-backend")]
pub const DEVICE_PHONE_NUMBER: &str = "device-phone-number";
/// CAMARA's name for the result of a verification, accepted in addition to the configured one.
pub const CAMARA_VERIFIED: &str = "devicePhoneNumberVerified";
/// The same for a retrieval.
pub const CAMARA_NUMBER: &str = "devicePhoneNumber";
/// The member of the abort request with the kind of the error.
pub const REASON: &str = "reason";
/// Proves to `redirect_uri` that the request comes from the client that called `start`.
pub const SESSION: HeaderName = HeaderName::from_static("x-number-verify-session");
/// The prefix of further headers of this contract.
pub const HEADER_PREFIX: &str = "x-number-verify-";
