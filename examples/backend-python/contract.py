"""Parsing of requests and the format of errors. Every malformed request gets a 4xx.

Responses never contain anything from the request.
"""

import asyncio
import json
import math
import re
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

USE_ANOTHER_CHANNEL, RETRY_LATER, FIX_INTEGRATION = "use_another_channel", "retry_later", "fix_integration"
COOKIE, PROOF_HEADER = "number_verify_session", "x-number-verify-session"
SECURE_COOKIE = f"__Host-{COOKIE}"  # other hosts cannot set it (RFC 6265bis)
MAX_LENGTH = 4096  # of a code, state or session
RETRIEVAL = "device-phone-number"  # the purpose of a start without a number
E164 = re.compile(r"\+[1-9][0-9]{4,14}")
JSON_TYPE = re.compile(r"application/json|[a-z]+/[a-z0-9!#$&^_.-]+\+json")
ATTESTATION_LIMIT = 16 * 1024
BODY_LIMIT = ATTESTATION_LIMIT + 4 * 1024  # the largest attestation plus the other members of a start
DRAIN_LIMIT = 256 * 1024
DEPTH_LIMIT = 128
BODY_TIMEOUT_S = 10


class Problem(Exception):
    """An error response (RFC 9457). `fallback` is the recommended action for the app."""

    def __init__(self, status: int, title: str, fallback: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(title)
        self.status, self.title, self.fallback, self.headers = status, title, fallback, headers or {}

    def response(self) -> Response:
        body = {"type": "about:blank", "title": self.title, "status": self.status, "fallback": self.fallback}
        return json_response(body, self.status, self.headers, "application/problem+json")


def json_response(
    body: dict[str, Any],
    status: int = 200,
    headers: dict[str, str] | None = None,
    media_type: str = "application/json",
) -> Response:
    """No response may be cached."""
    return JSONResponse(body, status, {"Cache-Control": "no-store"} | (headers or {}), media_type)


def no_content() -> Response:
    return Response(status_code=204, headers={"Cache-Control": "no-store"})


async def read(request: Request) -> bytes:
    """The body of a request whose content type is JSON."""
    types = request.headers.getlist("content-type")
    if len(types) != 1 or not JSON_TYPE.fullmatch(types[0].partition(";")[0].strip().lower()):
        raise Problem(415, "the content type must be application/json", FIX_INTEGRATION)
    try:
        return await asyncio.wait_for(_read(request), BODY_TIMEOUT_S)
    except asyncio.TimeoutError:
        raise Problem(408, "the body took too long", RETRY_LATER, {"Connection": "close"}) from None
    except ClientDisconnect:
        raise Problem(400, "the body ended early", FIX_INTEGRATION) from None


async def _read(request: Request) -> bytes:
    """Drains a body that is slightly too large, so that the client can read the response."""
    body, size = b"", 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= BODY_LIMIT:
            body += chunk
        elif size > DRAIN_LIMIT:
            break
    if size > BODY_LIMIT:
        headers = {"Connection": "close"} if size > DRAIN_LIMIT else {}
        raise Problem(413, "the body must not be over 20 KiB", FIX_INTEGRATION, headers)
    return body


def json_object(body: bytes) -> dict[str, Any]:
    try:
        value = strict_json(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Problem(400, "the body must be a JSON object", FIX_INTEGRATION)
    return value


def strict_json(text: bytes) -> Any:  # noqa: ANN401
    """Stricter than `json`: UTF-8, no repeated member, finite numbers, no lone surrogates, limited depth."""
    try:
        value = json.loads(
            text.decode(), object_pairs_hook=_unique, parse_int=_integer, parse_float=_finite, parse_constant=_finite
        )
        json.dumps(value, ensure_ascii=False).encode()
        if _depth(value) > DEPTH_LIMIT:
            raise ValueError
    except RecursionError:
        raise ValueError from None
    return value


def _depth(value: Any) -> int:  # noqa: ANN401
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError
    return value


def _integer(text: str) -> int:
    _finite(text)
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def phone_number(members: dict[str, Any]) -> str:
    number = members.get("phoneNumber")
    if not isinstance(number, str) or not E164.fullmatch(number):
        raise Problem(400, "phoneNumber must be an E.164 number", FIX_INTEGRATION)
    return number


def is_retrieval(members: dict[str, Any]) -> bool:
    """Whether a start requests the number of the SIM: it has that purpose and no number."""
    if "purpose" not in members:
        return False
    if members["purpose"] != RETRIEVAL or "phoneNumber" in members:
        raise Problem(400, "purpose must be device-phone-number, without a phoneNumber", FIX_INTEGRATION)
    return True


def attestation(members: dict[str, Any]) -> Any:  # noqa: ANN401
    """The app attestation, if any; null means absent. Its size is measured as compact JSON."""
    value = members.get("attestation")
    if len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) > ATTESTATION_LIMIT:
        raise Problem(400, "attestation must not be over 16 KiB", FIX_INTEGRATION)
    return value


def reason(members: dict[str, Any]) -> str:
    """The reason of an abort. It has no digits, because it is logged."""
    value = members.get("reason")
    if not isinstance(value, str) or not re.fullmatch("[a-z_]{1,64}", value):
        raise Problem(400, "reason must be 1 to 64 characters of a-z and _", FIX_INTEGRATION)
    return value


def printable_ascii(members: dict[str, Any], name: str) -> str | None:
    """An optional member of printable ASCII, as codes and states are (RFC 6749, appendix A)."""
    value = members.get(name)
    is_printable = isinstance(value, str) and value.isascii() and value.isprintable() and len(value) <= MAX_LENGTH
    if value is not None and not is_printable:
        title = f"{name} must be a string of at most {MAX_LENGTH} printable ASCII characters"
        raise Problem(400, title, FIX_INTEGRATION)
    return value


def session_cookie(request: Request) -> str | None:
    """Rejects two session cookies: one may have been set by an attacker. Only spaces and tabs are trimmed.

    Over TLS, the name without the prefix is ignored, because other hosts of the site can set that cookie.
    """
    names = (SECURE_COOKIE,) if is_secure(request) else (COOKIE, SECURE_COOKIE)
    pairs = [pair.partition("=") for line in request.headers.getlist("cookie") for pair in line.split(";")]
    sessions = [value.strip(" \t") for name, _, value in pairs if name.strip(" \t") in names]
    if len(sessions) > 1:
        raise Problem(403, "there is more than one session cookie", USE_ANOTHER_CHANNEL)
    return sessions[0] if sessions else None


def is_secure(request: Request) -> bool:
    """False only for plain http to a local address: a proxy that terminates TLS may not report it."""
    is_local = re.fullmatch(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?", request.headers.get("host", ""))
    schemes = request.headers.getlist("x-forwarded-proto")
    return not is_local or any(scheme != "http" for scheme in [request.url.scheme, *schemes])


def proof_header(request: Request) -> str | None:
    """A repeated header is rejected; there is no fallback to the cookie."""
    proofs = request.headers.getlist(PROOF_HEADER)
    if len(proofs) > 1:
        raise Problem(403, f"there is more than one {PROOF_HEADER}", USE_ANOTHER_CHANNEL)
    return proofs[0] if proofs else None


def authorization(request: Request) -> str:
    """The login of the request, for backends that authenticate users. Headers contain no line breaks."""
    return "\n".join(request.headers.getlist("authorization"))


def query(request: Request) -> dict[str, Any]:
    """The query parameters, none of which may be repeated (RFC 6749, section 3.1)."""
    pairs = request.query_params.multi_items()
    members = dict(pairs)
    if len(members) < len(pairs):
        raise Problem(400, "a parameter is repeated", FIX_INTEGRATION)
    return members


def idempotency_key(request: Request) -> str | None:
    keys = request.headers.getlist("idempotency-key")
    if keys and not (len(keys) == 1 and re.fullmatch(r"[\x20-\x7e]{1,255}", keys[0])):
        raise Problem(422, "the Idempotency-Key must be 1 to 255 printable ASCII characters", FIX_INTEGRATION)
    return keys[0] if keys else None
