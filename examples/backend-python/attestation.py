"""App attestation: whether a `start` comes from a genuine copy of the app on a genuine device.

It is checked before a session is made or Glide is called. Both kinds are worked examples: their texts list what to
check, and until you implement it they refuse every request. Fail closed: whatever cannot be checked, such as a service
of the platform that does not respond, is a refusal. So is a check that exceeds the provider timeout, which it shares
with Glide. The client receives no reason, and nothing of the attestation may reach a log or an error.

Both need a challenge: at least 16 random bytes that a custom call gives the app before `start`, kept in the store for a
few minutes, and good for one `start`: `Store.claim` lets one of all replicas use them. An app on both platforms needs a
third kind, which selects one of the two by a member of the attestation.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import log

# Called with the request's phone number and its member `attestation`, or None; returns True if the request is accepted.
# A repeat with the same Idempotency-Key gets the response of the first request, and is not checked again.
Check = Callable[[str, Any], Awaitable[bool]]


async def play_integrity(_number: str, _attestation: Any) -> bool:  # noqa: ANN401
    """Android: Google's Play Integrity API, with a standard request. Not implemented: refuses every request.

    The app sends `{"challenge": …, "integrityToken": …}`, the token requested with the `requestHash` below. To
    implement it:

    1. Look the challenge up and claim it. One that is unknown, expired or used is a refusal.
    2. Post the token to `https://playintegrity.googleapis.com/v1/PACKAGE_NAME:decodeIntegrityToken`, with an
       access token of your service account (scope `https://www.googleapis.com/auth/playintegrity`) and within the time
       that the phone waits. Check the `tokenPayloadExternal` of the response.
    3. `requestDetails.requestHash` equals the SHA-256 of this request's number and challenge (of a classic request:
       `nonce`). This binds the token to this request: otherwise it could be replayed for another number.
    4. `requestDetails.requestPackageName` and `appIntegrity.packageName` are your app's, and
       `requestDetails.timestampMillis` is at most two minutes old.
    5. `appIntegrity.appRecognitionVerdict` is `PLAY_RECOGNIZED`, `certificateSha256Digest` has the digest of your
       signing certificate, and `versionCode` is one that you still support.
    6. `deviceIntegrity.deviceRecognitionVerdict` has `MEETS_DEVICE_INTEGRITY`.
    """
    log.warning("attestation_not_implemented", kind="play-integrity")
    return False


async def app_attest(_number: str, _attestation: Any) -> bool:  # noqa: ANN401
    """iOS: Apple's App Attest. Not implemented: refuses every request.

    The app sends `{"challenge": …, "keyId": …, "assertion": …}`, in base64. Before that, once for each installation, a
    custom call has verified the attestation object of the key (its certificate chain up to Apple's App Attest
    root, its nonce, its App ID hash, a counter of 0) and stored the public key and the counter by `keyId`. To implement
    it:

    1. Look the challenge up and claim it. One that is unknown, expired or used is a refusal.
    2. Find the public key by `keyId`. An unknown one is a refusal: a key that comes with the request proves nothing.
    3. Compute `clientDataHash`, the SHA-256 of this request's number and challenge. This binds the assertion to this
       request: otherwise it could be replayed for another number.
    4. The assertion is CBOR with `signature` and `authenticatorData`. Verify the signature with that key (ECDSA with
       P-256 and SHA-256); the signed message is the SHA-256 of `authenticatorData` followed by `clientDataHash`.
    5. The first 32 bytes of `authenticatorData` are the SHA-256 of your App ID (`TEAM_ID.BUNDLE_ID`).
    6. The counter, the next bytes after one byte of flags (4 bytes, big-endian), is greater than the stored one. Store
       it in the same step for all replicas, so that of two requests with the same assertion one is refused.
    """
    log.warning("attestation_not_implemented", kind="app-attest")
    return False


KINDS: dict[str, Check] = {"play-integrity": play_integrity, "app-attest": app_attest}  # NUMBER_VERIFY_ATTESTATION


async def accepts(kind: str, number: str, attestation: Any, timeout_s: float) -> bool:  # noqa: ANN401
    """Fails closed: only True accepts. Any other result, an exception or a timeout is a refusal."""
    try:
        return await asyncio.wait_for(KINDS[kind](number, attestation), timeout_s) is True
    except Exception as error:
        log.warning("attestation_failed", kind=log.kind_of(error))
        return False
