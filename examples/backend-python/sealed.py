"""Encryption and authentication with the keys: sessions, and personal data in the store.

A session is a Fernet token that contains the number; no replica stores it. Its `state` is its hash, so that operators,
which see the state, cannot derive the session from it.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from contract import USE_ANOTHER_CHANNEL, Problem

CLOCK_SKEW_S = 60  # between replicas


class Keys:
    """The first key encrypts, all keys decrypt, so that a key can be replaced during running verifications."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._hmac_key = keys[0].encode()

    def seal(self, purpose: str, value: dict[str, Any]) -> str:
        return self._fernet.encrypt(json.dumps(value | {"for": purpose}).encode()).decode()

    def open(self, purpose: str, sealed: str) -> dict[str, Any]:
        value = json.loads(self._fernet.decrypt(sealed))
        if value.get("for") != purpose:
            raise InvalidToken
        return value

    def created_at(self, sealed: str) -> int:
        return self._fernet.extract_timestamp(sealed)

    def keyed_hash(self, text: str) -> str:
        """An HMAC: numbers and addresses are few, so an unkeyed hash could be reversed by brute force."""
        return hmac.new(self._hmac_key, b"hidden " + text.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Session:
    """The data of one verification, and the only source of the number."""

    number: str


class Sessions:
    def __init__(self, keys: Keys, lifetime_s: int) -> None:
        self._keys, self._lifetime_s = keys, lifetime_s

    @property
    def max_lifetime_s(self) -> int:
        """The longest time for which a replica accepts a session."""
        return self._lifetime_s + CLOCK_SKEW_S

    def make(self, session: Session) -> str:
        """Returns the token without its padding, which would need quoting in a cookie."""
        return self._keys.seal("session", asdict(session)).rstrip("=")

    def open(self, session: str) -> Session:
        """Decrypts a session, which may have expired."""
        try:
            return Session(number=self._keys.open("session", token_of(session))["number"])
        except (InvalidToken, KeyError):
            raise Problem(401, "the session was not issued by this backend", USE_ANOTHER_CHANNEL) from None

    def check_age(self, session: str) -> None:
        age_s = time.time() - self._keys.created_at(token_of(session))
        if not -CLOCK_SKEW_S <= age_s <= self._lifetime_s:
            raise Problem(409, "the session has expired", USE_ANOTHER_CHANNEL)


def token_of(session: str) -> str:
    """Restores the padding. Rejects other spellings of a session, which Python's lenient base64 would accept."""
    token = session + "=" * (-len(session) % 4)
    try:
        is_canonical = base64.urlsafe_b64encode(base64.urlsafe_b64decode(token)).decode().rstrip("=") == session
    except ValueError:
        is_canonical = False
    if not is_canonical:
        raise InvalidToken
    return token


def state_of(session: str) -> str:
    return digest(session)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def constant_time_equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
