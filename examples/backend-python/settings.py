"""Settings, from environment variables. An invalid one ends the program with its name, never its value."""

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from redis.asyncio import Redis

import hints
from attestation import KINDS

T = TypeVar("T")
DEV_PRINT, REDIRECT, FOLLOW_THROUGH = "dev_print", "redirect", "follow-through"


@dataclass(frozen=True)
class Limit:
    """At most `count` in every `seconds`."""

    count: int
    seconds: int


@dataclass(frozen=True)
class Settings:
    keys: tuple[str, ...]
    redis_url: str
    delivery: str
    lifetime_s: int
    provider_timeout_s: float
    starts_per_number: Limit
    starts_per_address: Limit
    calls_per_address: Limit
    hints: list[dict[str, Any]] | None
    attestation: str | None
    client_id: str
    client_secret: str
    redirect_uri: str
    auth_base_url: str
    api_base_url: str


def read(environment: Mapping[str, str] = os.environ) -> Settings:
    def setting(name: str, default: str, parse: Callable[[str], T], requirement: str) -> T:
        try:
            return parse(environment.get(name) or default)
        except ValueError:
            raise SystemExit(f"{name} must be {requirement}") from None

    base_url = "an https URL without a trailing slash"
    limit = "COUNT/SECONDS, such as 5/600"
    settings = Settings(
        keys=setting("NUMBER_VERIFY_KEYS", "", _keys, "Fernet keys (32 bytes in URL-safe base64), comma-separated"),
        redis_url=setting("REDIS_URL", "", _redis_url, "a redis://, rediss:// or unix:// URL"),
        delivery=setting("NUMBER_VERIFY_DELIVERY", REDIRECT, _delivery, "redirect, follow-through or dev_print"),
        lifetime_s=setting("NUMBER_VERIFY_LIFETIME_S", "300", _lifetime, "whole seconds, 1 to 3600"),
        provider_timeout_s=setting("NUMBER_VERIFY_PROVIDER_TIMEOUT_S", "6", _timeout, "seconds, above 0 and up to 60"),
        starts_per_number=setting("NUMBER_VERIFY_STARTS_PER_NUMBER", "5/600", _limit, limit),
        starts_per_address=setting("NUMBER_VERIFY_STARTS_PER_ADDRESS", "60/60", _limit, limit),
        calls_per_address=setting("NUMBER_VERIFY_CALLS_PER_ADDRESS", "300/60", _limit, limit),
        hints=_hints(environment.get("NUMBER_VERIFY_HINTS", "")),
        attestation=_attestation(environment.get("NUMBER_VERIFY_ATTESTATION")),
        client_id=setting("GLIDE_CLIENT_ID", "", _non_empty, "set"),
        client_secret=setting("GLIDE_CLIENT_SECRET", "", _non_empty, "set"),
        redirect_uri=environment.get("GLIDE_REDIRECT_URI", ""),
        auth_base_url=setting("GLIDE_AUTH_BASE_URL", "https://oidc.gateway-x.io", _base_url, base_url),
        api_base_url=setting("GLIDE_API_BASE_URL", "https://api.gateway-x.io", _base_url, base_url),
    )
    uri = urlsplit(settings.redirect_uri)
    if settings.delivery == REDIRECT and not uri.scheme:
        raise SystemExit("GLIDE_REDIRECT_URI must be set")
    if settings.delivery == FOLLOW_THROUGH and not (uri.scheme == "https" and uri.path.endswith("/callback")):
        raise SystemExit("GLIDE_REDIRECT_URI must be the https URL of this backend's /callback")
    return settings


def _keys(text: str) -> tuple[str, ...]:
    keys = tuple(key.strip() for key in text.split(","))
    for key in keys:
        if not re.fullmatch(r"[A-Za-z0-9_-]{43}=", key):  # Fernet ignores characters that are not base64
            raise ValueError
        Fernet(key)
    return keys


def _redis_url(text: str) -> str:
    if text:
        Redis.from_url(text)
    return text


def _delivery(text: str) -> str:
    if text not in (DEV_PRINT, REDIRECT, FOLLOW_THROUGH):
        raise ValueError
    return text


def _lifetime(text: str) -> int:
    if not 1 <= int(text) <= 3600:
        raise ValueError
    return int(text)


def _timeout(text: str) -> float:
    seconds = float(text)
    if not (math.isfinite(seconds) and 0 < seconds <= 60):
        raise ValueError
    return seconds


def _limit(text: str) -> Limit:
    if not re.fullmatch(r"[1-9][0-9]{0,8}/[1-9][0-9]{0,5}", text):
        raise ValueError
    return Limit(*map(int, text.split("/")))


def _hints(path: str) -> list[dict[str, Any]] | None:
    try:
        return hints.read(path) if path else None
    except ValueError as requirement:
        raise SystemExit(f"NUMBER_VERIFY_HINTS must be {requirement}") from None


def _attestation(kind: str | None) -> str | None:
    """An empty value is invalid, unlike an unset one: a variable left empty by mistake must not disable the check."""
    if kind is not None and kind not in KINDS:
        raise SystemExit("NUMBER_VERIFY_ATTESTATION must be play-integrity, app-attest or unset")
    return kind


def _non_empty(text: str) -> str:
    if not text:
        raise ValueError
    return text


def _base_url(text: str) -> str:
    if not re.fullmatch(r"https://[^/].*[^/]", text):
        raise ValueError
    return text
