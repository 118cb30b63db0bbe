"""The published key that signed an ID token must have the type, use and algorithm that the token's `alg` requires.

Specific to the backend for any OpenID provider: Glide's SDK ignores ID tokens.
"""

import hmac
import json
from base64 import urlsafe_b64encode
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from calls import FIX, Backends, assert_problem, assert_result
from provider_stub import StubbedProvider, complete_with_code, last_failure
from world import World

pytestmark = pytest.mark.only("rust")

SECRET = b"a published secret"
KEYS = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "rsa2": rsa.generate_private_key(65537, 2048),
    "rsa3": rsa.generate_private_key(65537, 2048),
    "p256": ec.generate_private_key(ec.SECP256R1()),
    "p256b": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "p521": ec.generate_private_key(ec.SECP521R1()),
    "secp256k1": ec.generate_private_key(ec.SECP256K1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
}
FORMS = {"rsa": RSAAlgorithm, "p": ECAlgorithm, "s": ECAlgorithm, "ed": OKPAlgorithm}


def published(name: str, **members: object) -> dict[str, Any]:
    """This key as a JWK, with these members replaced."""
    form = next(form for prefix, form in FORMS.items() if name.startswith(prefix))
    return form.to_jwk(KEYS[name].public_key(), as_dict=True) | {"key_ops": None} | members


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


OCT = {"kty": "oct", "k": base64url(SECRET)}
OF_OTHER_TYPES = [published(name) for name in ("p521", "secp256k1")] + [
    OCT,
    {"kty": "new"},
    {"kid": "x"},
    {},
    1,
    None,
    [],
]
UNREADABLE = [
    {"kty": "RSA"},
    published("rsa2", n=5),
    published("rsa2", n="not base64!"),
    published("rsa2", n="", e=""),
    published("rsa2", kid=1),
    published("rsa2", use=["sig"]),
    published("rsa2", key_ops="verify"),
    published("rsa2", kty="EC"),
    published("p256b", x="AA"),
    published("p256b", y=None),
    published("p256b", crv=256),
    published("p256b", kty="RSA"),
]
# algorithm of the token, key that signs it, kid, published keys
GOOD = {
    "ec-before-rsa": ("RS256", "rsa", None, [published("p256"), published("rsa")]),
    "rsa-before-ec": ("ES256", "p256", None, [published("rsa"), published("p256")]),
    "ed-before-rsa": ("RS256", "rsa", None, [published("ed25519"), published("rsa")]),
    "rsa-before-ed": ("EdDSA", "ed25519", None, [published("rsa"), published("ed25519")]),
    "p384-before-p256": ("ES256", "p256", None, [published("p384"), published("p256")]),
    "p256-before-p384": ("ES384", "p384", None, [published("p256"), published("p384")]),
    "pss-of-a-key-for-all": ("PS256", "rsa", None, [published("p256"), published("rsa")]),
    "one-kid-for-all": (
        "RS512",
        "rsa",
        "one",
        [published(name, kid="one") for name in ("p256", "ed25519", "rsa2", "rsa")],
    ),
    "one-kid-for-all-reversed": (
        "ES256",
        "p256",
        "one",
        [published(name, kid="one") for name in ("p256", "rsa", "ed25519")],
    ),
    "the-third-of-its-kind": ("RS256", "rsa", None, [published(name) for name in ("rsa3", "rsa2", "rsa")]),
    "the-first-of-its-kind": ("RS256", "rsa", None, [published(name) for name in ("rsa", "rsa2", "rsa3")]),
    "for-encryption": ("RS256", "rsa", None, [published("rsa2", use="enc"), published("rsa", use="sig")]),
    "for-encryption-with-the-kid": (
        "RS256",
        "rsa",
        "x",
        [published("rsa2", use="enc", kid="x"), published("rsa", kid="x")],
    ),
    "for-another-use": ("RS256", "rsa", None, [published("rsa2", use="tls"), published("rsa")]),
    "for-another-operation": (
        "RS256",
        "rsa",
        None,
        [published("rsa2", key_ops=["encrypt"]), published("rsa", key_ops=["verify"])],
    ),
    "by-pss-only": ("RS256", "rsa", None, [published("rsa", alg="PS256"), published("rsa", alg="RS256")]),
    "by-oaep-only": ("RS256", "rsa", None, [published("rsa2", alg="RSA-OAEP-256"), published("rsa")]),
    "by-a-new-algorithm": ("ES256", "p256", None, [published("p256b", alg="ESX"), published("p256")]),
    "others-before": ("RS256", "rsa", None, [*OF_OTHER_TYPES, published("rsa")]),
    "others-after": ("ES384", "p384", None, [published("p384"), *OF_OTHER_TYPES]),
    "others-with-the-kid": (
        "ES256",
        "p256",
        "x",
        [{"kty": "new", "kid": "x"}, OCT | {"kid": "x"}, published("p256", kid="x")],
    ),
    "unreadable-before": ("RS256", "rsa", None, [*UNREADABLE, published("rsa")]),
    "unreadable-before-ec": ("ES256", "p256", None, [*UNREADABLE, published("p256")]),
    "unreadable-with-the-kid": ("RS256", "rsa", "x", [published("rsa2", kid="x", e=3), published("rsa", kid="x")]),
    "a-certificate-of-another-form": ("RS256", "rsa", "x", [published("rsa", kid="x", x5c="MII", x5t=1, exp="soon")]),
}
BAD = {
    "no-keys": ("RS256", "rsa", None, []),
    "no-key-fits": ("RS256", "rsa", None, [published(name) for name in ("p256", "rsa2", "ed25519", "rsa3")]),
    "no-key-with-the-kid-fits": ("RS256", "rsa", "x", [published("rsa2", kid="x"), published("rsa", kid="y")]),
    "only-other-kinds": ("RS256", "rsa", None, [*OF_OTHER_TYPES, published("p256")]),
    "only-for-encryption": ("RS256", "rsa", None, [published("rsa", use="enc")]),
    "only-for-another-operation": ("RS256", "rsa", None, [published("rsa", key_ops=["encrypt"])]),
    "only-by-pss": ("RS256", "rsa", None, [published("rsa", alg="PS256")]),
    "only-by-pkcs1": ("PS256", "rsa", None, [published("rsa", alg="RS256")]),
    "only-by-another-hash": ("RS512", "rsa", None, [published("rsa", alg="RS256")]),
    "of-another-kind-by-its-alg": ("RS256", "rsa", None, [published("rsa", alg="ES256")]),
    "of-another-kind-by-its-kty": ("RS256", "rsa", None, [published("rsa", kty="EC"), published("rsa", kty="oct")]),
    "of-another-curve": ("ES256", "p256", None, [published("p256", crv="P-384")]),
    "secret": ("HS256", SECRET, None, [OCT, published("rsa")]),
    "secret-with-kid": ("HS256", SECRET, "x", [OCT | {"kid": "x", "alg": "HS256", "use": "sig"}]),
    "modulus-as-secret": ("HS256", published("rsa")["n"].encode(), None, [published("rsa")]),
    "unsigned": ("none", b"", None, [published("rsa"), published("p256")]),
    "unsigned-in-capitals": ("NONE", b"", None, [published("rsa"), {"kty": "new", "alg": "NONE"}]),
}


class Provider(StubbedProvider):
    """Publishes these keys, and signs ID tokens with this key and algorithm."""

    def __init__(self, world: World, algorithm: str, key: str | bytes, kid: str | None, published: list[Any]) -> None:
        self.published, self.algorithm, self.signer, self.kid = published, algorithm, key, kid
        super().__init__(world)

    def jwks(self) -> list[Any]:
        return self.published

    def id_token(self, claims: dict[str, Any]) -> str:
        header = {"kid": self.kid} if self.kid else {}
        if isinstance(self.signer, str):
            return jwt.encode(claims, KEYS[self.signer], self.algorithm, header)
        parts = [base64url(json.dumps(part).encode()) for part in (header | {"alg": self.algorithm}, claims)]
        signature = hmac.digest(self.signer, ".".join(parts).encode(), "sha256") if self.signer else b""
        return ".".join([*parts, base64url(signature)])


@pytest.mark.parametrize("case", GOOD)
def test_matching_key_is_found_among_others(new_backend: Backends, world: World, case: str) -> None:
    provider = Provider(world, *GOOD[case])
    try:
        assert_result(complete_with_code(new_backend(**provider.settings(world)), "good")[1], True)
        assert provider.paths.count("/jwks") == 1
    finally:
        provider.stop()


@pytest.mark.parametrize("case", BAD)
def test_id_token_without_matching_key_is_rejected(new_backend: Backends, world: World, case: str) -> None:
    provider = Provider(world, *BAD[case])
    try:
        app = new_backend(**provider.settings(world))
        assert_problem(complete_with_code(app, "good")[1], 500, FIX)
        assert last_failure(app) == "id_token_malformed"
        assert "/verify" not in provider.paths
    finally:
        provider.stop()
