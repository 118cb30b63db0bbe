//! App attestation: whether a `start` comes from a genuine copy of the app on a genuine device. It
//! is checked before a session is created or the provider is called.
//!
//! Both kinds are templates: their comments list what to check, and until you implement them they
//! reject every request. Fail closed: if something cannot be checked, for example because a
//! platform service does not respond, reject the request. A check that exceeds the provider
//! timeout, which it shares with the provider, is rejected too. The client receives no reason, and
//! no attestation data may reach a log or an error.
//!
//! Both need a challenge: at least 16 random bytes that a custom endpoint issues to the app before
//! `start`, stored for a few minutes and valid for one `start`; `Store::claim` ensures a single use
//! across replicas. An app on both platforms needs a third kind, which selects one of the two by a
//! member of the attestation.

use serde_json::{Value, json};

use crate::log;
use crate::session::Purpose;

/// The kinds of `NUMBER_VERIFY_ATTESTATION`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attestation {
    PlayIntegrity,
    AppAttest,
}

impl Attestation {
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "play-integrity" => Some(Self::PlayIntegrity),
            "app-attest" => Some(Self::AppAttest),
            _ => None,
        }
    }

    /// For the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::PlayIntegrity => "play-integrity",
            Self::AppAttest => "app-attest",
        }
    }

    /// Called with the purpose, including the phone number if there is one, and the member
    /// `attestation` of the request. A retry with the same `Idempotency-Key` gets the stored
    /// response and is not checked again.
    pub async fn accepts(self, purpose: &Purpose, attestation: Option<&Value>) -> bool {
        match self {
            Self::PlayIntegrity => play_integrity(purpose, attestation).await,
            Self::AppAttest => app_attest(purpose, attestation).await,
        }
    }
}

/// Android: Google's Play Integrity API, with a standard request. Not implemented: rejects every
/// request.
///
/// The app sends `{"challenge": …, "integrityToken": …}`, the token requested with the
/// `requestHash` below. To implement it:
///
/// 1. Look up and claim the challenge. Reject one that is unknown, expired or used.
/// 2. Post the token to
///    `https://playintegrity.googleapis.com/v1/PACKAGE_NAME:decodeIntegrityToken`, with an access
///    token of your service account (scope `https://www.googleapis.com/auth/playintegrity`),
///    within the timeout of the phone. Check the `tokenPayloadExternal` of the response.
/// 3. `requestDetails.requestHash` equals the SHA-256 of this request's number and challenge (of a
///    classic request: `nonce`). A retrieval has no number: its `purpose` takes that place. This
///    binds the token to this request: otherwise it could be replayed for another number, or for a
///    retrieval.
/// 4. `requestDetails.requestPackageName` and `appIntegrity.packageName` are your app's, and
///    `requestDetails.timestampMillis` is at most two minutes old.
/// 5. `appIntegrity.appRecognitionVerdict` is `PLAY_RECOGNIZED`, `certificateSha256Digest` has the
///    digest of your signing certificate, and `versionCode` is one that you support.
/// 6. `deviceIntegrity.deviceRecognitionVerdict` has `MEETS_DEVICE_INTEGRITY`.
#[expect(clippy::unused_async, reason = "an implementation calls Google and the store")]
async fn play_integrity(_purpose: &Purpose, _attestation: Option<&Value>) -> bool {
    log::warning("attestation_not_implemented", json!({ "kind": "play-integrity" }));
    false
}

/// iOS: Apple's App Attest. Not implemented: rejects every request.
///
/// The app sends `{"challenge": …, "keyId": …, "assertion": …}`, in base64. Before that, once per
/// installation, a custom endpoint has verified the attestation object of the key (its
/// certificate chain up to Apple's App Attest root, its nonce, its App ID hash, a counter of 0) and
/// stored the public key and the counter by `keyId`. To implement it:
///
/// 1. Look up and claim the challenge. Reject one that is unknown, expired or used.
/// 2. Find the public key by `keyId`. Reject an unknown one: a key that comes with the request
///    proves nothing.
/// 3. Compute `clientDataHash`, the SHA-256 of this request's number and challenge. A retrieval has
///    no number: its `purpose` takes that place. This binds the assertion to this request:
///    otherwise it could be replayed for another number, or for a retrieval.
/// 4. The assertion is CBOR with `signature` and `authenticatorData`. Verify the signature with
///    that key (ECDSA with P-256 and SHA-256); the signed message is the SHA-256 of
///    `authenticatorData` followed by `clientDataHash`.
/// 5. The first 32 bytes of `authenticatorData` are the SHA-256 of your App ID
///    (`TEAM_ID.BUNDLE_ID`).
/// 6. The counter, the next bytes after one byte of flags (4 bytes, big-endian), is greater than
///    the stored one. Store it atomically for all replicas, so that the second of two requests with
///    the same assertion is rejected.
#[expect(clippy::unused_async, reason = "an implementation calls the store")]
async fn app_attest(_purpose: &Purpose, _attestation: Option<&Value>) -> bool {
    log::warning("attestation_not_implemented", json!({ "kind": "app-attest" }));
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn unimplemented_attestation_rejects_every_request() {
        for name in ["play-integrity", "app-attest"] {
            let attestation = Attestation::parse(name).unwrap();
            assert_eq!(attestation.name(), name);
            for value in [None, Some(json!({ "challenge": "c", "integrityToken": "t" })), Some(json!(true))] {
                let verification = Purpose::Verification { number: "+14155550100".to_owned() };
                for purpose in [verification, Purpose::Retrieval] {
                    assert!(!attestation.accepts(&purpose, value.as_ref()).await, "{name} {value:?}");
                }
            }
        }
        for name in ["", "none", "Play-Integrity", "play-integrity,app-attest"] {
            assert_eq!(Attestation::parse(name), None, "{name}");
        }
    }
}
