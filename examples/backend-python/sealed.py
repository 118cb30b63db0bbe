"""What only the keys can make and read: sessions, and whatever a store keeps that is personal.

A session is a Fernet token of the number; no replica of this backend remembers it. Its `state` is its hash: operators
see the state, and cannot make the session out of it.
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
    """The first key makes, all of them check: so a key can be replaced while flows are under way."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._hiding_key = keys[0].encode()

    def seal(self, purpose: str, value: dict[str, Any]) -> str:
        return self._fernet.encrypt(json.dumps(value | {"for": purpose}).encode()).decode()

    def open(self, purpose: str, sealed: str) -> dict[str, Any]:
        value = json.loads(self._fernet.decrypt(sealed))
        if value.get("for") != purpose:
            raise InvalidToken
        return value

    def made_at(self, sealed: str) -> int:
        return self._fernet.extract_timestamp(sealed)

    def hide(self, text: str) -> str:
        """The same for the same text. Numbers and addresses are few: a hash without a key could be tried out."""
        return hmac.new(self._hiding_key, b"hidden " + text.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Session:
    """What belongs to one flow. The number comes from here only."""

    number: str


class Sessions:
    def __init__(self, keys: Keys, lifetime_s: int) -> None:
        self._keys, self._lifetime_s = keys, lifetime_s

    @property
    def longest_s(self) -> int:
        """How long a session can be valid on any replica."""
        return self._lifetime_s + CLOCK_SKEW_S

    def make(self, session: Session) -> str:
        """Without the token's padding, which cookies would have to quote."""
        return self._keys.seal("session", asdict(session)).rstrip("=")

    def open(self, session: str) -> Session:
        """A genuine session, though it may be too old."""
        try:
            return Session(number=self._keys.open("session", token_of(session))["number"])
        except (InvalidToken, KeyError):
            raise Problem(401, "the session is not of this backend", USE_ANOTHER_CHANNEL) from None

    def check_age(self, session: str) -> None:
        age_s = time.time() - self._keys.made_at(token_of(session))
        if not -CLOCK_SKEW_S <= age_s <= self._lifetime_s:
            raise Problem(409, "the session has expired", USE_ANOTHER_CHANNEL)


def token_of(session: str) -> str:
    """With the padding. Python's base64 overlooks characters: one session could be written, and used, in many ways."""
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


def same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
