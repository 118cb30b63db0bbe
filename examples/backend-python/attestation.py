"""App attestation: whether a `start` comes from a genuine copy of the app on a genuine device.

It is checked before a session is created or Glide is called. Both kinds are templates: their docstrings list what to
check, and until you implement them they reject every request. Fail closed: if something cannot be checked, for example
because a platform service does not respond, reject the request. A check that exceeds the provider timeout, which it
shares with Glide, is rejected too. The client receives no reason, and no attestation data may reach a log or an error.

Both need a challenge: at least 16 random bytes that a custom endpoint issues to the app before `start`, stored for a
few minutes and valid for one `start`; `Store.claim` ensures a single use across replicas. An app on both platforms
needs a third kind, which selects one of the two by a member of the attestation.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import log

# Called with the phone number and the member `attestation` of the request, or None; returns True to accept it.
# A retry with the same Idempotency-Key gets the stored response and is not checked again.
Check = Callable[[str, Any], Awaitable[bool]]


async def play_integrity(_number: str, _attestation: Any) -> bool:  # noqa: ANN401
    """Android: Google's Play Integrity API, with a standard request. Not implemented: rejects every request.

    The app sends `{"challenge": …, "integrityToken": …}`, the token requested with the `requestHash` below. To
    implement it:

    1. Look up and claim the challenge. Reject one that is unknown, expired or used.
    2. Post the token to `https://playintegrity.googleapis.com/v1/PACKAGE_NAME:decodeIntegrityToken`, with an
       access token of your service account (scope `https://www.googleapis.com/auth/playintegrity`), within the
       timeout of the phone. Check the `tokenPayloadExternal` of the response.
    3. `requestDetails.requestHash` equals the SHA-256 of this request's number and challenge (of a classic request:
       `nonce`). This binds the token to this request: otherwise it could be replayed for another number.
    4. `requestDetails.requestPackageName` and `appIntegrity.packageName` are your app's, and
       `requestDetails.timestampMillis` is at most two minutes old.
    5. `appIntegrity.appRecognitionVerdict` is `PLAY_RECOGNIZED`, `certificateSha256Digest` has the digest of your
       signing certificate, and `versionCode` is one that you support.
    6. `deviceIntegrity.deviceRecognitionVerdict` has `MEETS_DEVICE_INTEGRITY`.
    """
    log.warning("attestation_not_implemented", kind="play-integrity")
    return False


async def app_attest(_number: str, _attestation: Any) -> bool:  # noqa: ANN401
    """iOS: Apple's App Attest. Not implemented: rejects every request.

    The app sends `{"challenge": …, "keyId": …, "assertion": …}`, in base64. Before that, once per installation, a
    custom endpoint has verified the attestation object of the key (its certificate chain up to Apple's App Attest
    root, its nonce, its App ID hash, a counter of 0) and stored the public key and the counter by `keyId`. To implement
    it:

    1. Look up and claim the challenge. Reject one that is unknown, expired or used.
    2. Find the public key by `keyId`. Reject an unknown one: a key that comes with the request proves nothing.
    3. Compute `clientDataHash`, the SHA-256 of this request's number and challenge. This binds the assertion to this
       request: otherwise it could be replayed for another number.
    4. The assertion is CBOR with `signature` and `authenticatorData`. Verify the signature with that key (ECDSA with
       P-256 and SHA-256); the signed message is the SHA-256 of `authenticatorData` followed by `clientDataHash`.
    5. The first 32 bytes of `authenticatorData` are the SHA-256 of your App ID (`TEAM_ID.BUNDLE_ID`).
    6. The counter, the next bytes after one byte of flags (4 bytes, big-endian), is greater than the stored one. Store
       it atomically for all replicas, so that the second of two requests with the same assertion is rejected.
    """
    log.warning("attestation_not_implemented", kind="app-attest")
    return False


KINDS: dict[str, Check] = {"play-integrity": play_integrity, "app-attest": app_attest}  # NUMBER_VERIFY_ATTESTATION


async def accepts(kind: str, number: str, attestation: Any, timeout_s: float) -> bool:  # noqa: ANN401
    """Fails closed: only True accepts. Any other result, an exception or a timeout rejects the request."""
    try:
        return await asyncio.wait_for(KINDS[kind](number, attestation), timeout_s) is True
    except Exception as error:
        log.warning("attestation_failed", kind=log.kind_of(error))
        return False
