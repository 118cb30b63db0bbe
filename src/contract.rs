//! Names of the contract with the backend (`docs/backend-api.yaml`).

use http::HeaderName;

/// The same for all attempts of one call.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The same for all calls of one flow.
pub const CORRELATOR: HeaderName = HeaderName::from_static("x-correlator");
/// The member of a start request for another purpose than to verify a number.
pub const PURPOSE: &str = "purpose";
/// The purpose of a retrieval, by CAMARA's name for the operation.
#[cfg(feature = "http-backend")]
pub const DEVICE_PHONE_NUMBER: &str = "device-phone-number";
/// CAMARA's name of the result of a verification, understood in addition to the configured one.
pub const CAMARA_VERIFIED: &str = "devicePhoneNumberVerified";
/// The same of a retrieval.
pub const CAMARA_NUMBER: &str = "devicePhoneNumber";
/// The member of the abort request with the kind of the error.
pub const REASON: &str = "reason";
/// Proves to `redirect_uri` that the request comes from the client that called `start`.
pub const SESSION: HeaderName = HeaderName::from_static("x-number-verify-session");
/// What further headers of this contract will begin with.
pub const OWN_PREFIX: &str = "x-number-verify-";
