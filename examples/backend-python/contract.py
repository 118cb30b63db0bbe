"""What requests must look like, and what errors look like. Whatever is thrown at it, a bad request gets a 4xx.

It never repeats anything of a request in an answer.
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
SECURE_COOKIE = f"__Host-{COOKIE}"  # which no other host can set (RFC 6265bis)
LONGEST = 4096  # of a code, state or session
RETRIEVAL = "device-phone-number"  # the purpose of a start without a number
E164 = re.compile(r"\+[1-9][0-9]{4,14}")
JSON_TYPE = re.compile(r"application/json|[a-z]+/[a-z0-9!#$&^_.-]+\+json")
ATTESTATION_LIMIT = 16 * 1024
BODY_LIMIT = ATTESTATION_LIMIT + 4 * 1024  # for the largest attestation, and all else in a start
DRAIN_LIMIT = 256 * 1024
DEPTH_LIMIT = 128
BODY_TIMEOUT_S = 10


class Problem(Exception):
    """An error answer (RFC 9457). `fallback` tells the app what to do."""

    def __init__(self, status: int, title: str, fallback: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(title)
        self.status, self.title, self.fallback, self.headers = status, title, fallback, headers or {}

    def answer(self) -> Response:
        body = {"type": "about:blank", "title": self.title, "status": self.status, "fallback": self.fallback}
        return answer(body, self.status, self.headers, "application/problem+json")


def answer(
    body: dict[str, Any],
    status: int = 200,
    headers: dict[str, str] | None = None,
    media_type: str = "application/json",
) -> Response:
    """No answer is for a cache."""
    return JSONResponse(body, status, {"Cache-Control": "no-store"} | (headers or {}), media_type)


def no_content() -> Response:
    return Response(status_code=204, headers={"Cache-Control": "no-store"})


async def read(request: Request) -> bytes:
    """The body of a request that says that it is JSON."""
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
    """A body that is a little too large is read to its end, so that its sender gets to see the answer."""
    body, size = b"", 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= BODY_LIMIT:
            body += chunk
        elif size > DRAIN_LIMIT:
            break
    if size > BODY_LIMIT:
        hang_up = {"Connection": "close"} if size > DRAIN_LIMIT else {}
        raise Problem(413, "the body must not be over 20 KiB", FIX_INTEGRATION, hang_up)
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
    """Stricter than `json` alone: UTF-8 only, each member once, finite numbers, no lone surrogates, not deep."""
    try:
        value = json.loads(
            text.decode(), object_pairs_hook=_once_each, parse_int=_integer, parse_float=_finite, parse_constant=_finite
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


def _once_each(members: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(members)
    if len(value) < len(members):
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


def phone_number(given: dict[str, Any]) -> str:
    number = given.get("phoneNumber")
    if not isinstance(number, str) or not E164.fullmatch(number):
        raise Problem(400, "phoneNumber must be an E.164 number", FIX_INTEGRATION)
    return number


def is_retrieval(given: dict[str, Any]) -> bool:
    """Whether a start asks for the SIM's number: it has that purpose, and no number."""
    if "purpose" not in given:
        return False
    if given["purpose"] != RETRIEVAL or "phoneNumber" in given:
        raise Problem(400, "purpose must be device-phone-number, without a phoneNumber", FIX_INTEGRATION)
    return True


def attestation(given: dict[str, Any]) -> Any:  # noqa: ANN401
    """The app's proof that it is genuine, if there is one; null is none. Its size is that of compact JSON."""
    value = given.get("attestation")
    if len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) > ATTESTATION_LIMIT:
        raise Problem(400, "attestation must not be over 16 KiB", FIX_INTEGRATION)
    return value


def reason(given: dict[str, Any]) -> str:
    """Why the phone aborts. It is logged, so it has no digits."""
    value = given.get("reason")
    if not isinstance(value, str) or not re.fullmatch("[a-z_]{1,64}", value):
        raise Problem(400, "reason must be 1 to 64 characters of a-z and _", FIX_INTEGRATION)
    return value


def plain(given: dict[str, Any], name: str) -> str | None:
    """A member that may be absent, but else is printable ASCII, as codes and states are (RFC 6749, appendix A)."""
    value = given.get(name)
    is_plain = isinstance(value, str) and value.isascii() and value.isprintable() and len(value) <= LONGEST
    if value is not None and not is_plain:
        raise Problem(400, f"{name} must be a string of at most {LONGEST} printable ASCII characters", FIX_INTEGRATION)
    return value


def session_cookie(request: Request) -> str | None:
    """Of two, one would be of another client. Other blanks than HTTP's own are part of a name.

    Over TLS the name without the prefix is another cookie: other hosts of the site can set it.
    """
    names = (SECURE_COOKIE,) if is_secure(request) else (COOKIE, SECURE_COOKIE)
    pairs = [pair.partition("=") for line in request.headers.getlist("cookie") for pair in line.split(";")]
    sessions = [value.strip(" \t") for name, _, value in pairs if name.strip(" \t") in names]
    if len(sessions) > 1:
        raise Problem(403, "there is more than one session cookie", USE_ANOTHER_CHANNEL)
    return sessions[0] if sessions else None


def is_secure(request: Request) -> bool:
    """A proxy that ends TLS may not say so; only a plain local address is surely without."""
    is_local = re.fullmatch(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?", request.headers.get("host", ""))
    schemes = request.headers.getlist("x-forwarded-proto")
    return not is_local or any(scheme != "http" for scheme in [request.url.scheme, *schemes])


def proof_header(request: Request) -> str | None:
    """What is not understood proves nothing, and does not let a cookie prove it either."""
    proofs = request.headers.getlist(PROOF_HEADER)
    if len(proofs) > 1:
        raise Problem(403, f"there is more than one {PROOF_HEADER}", USE_ANOTHER_CHANNEL)
    return proofs[0] if proofs else None


def authorization(request: Request) -> str:
    """Whose request it is, for those who ask their clients to log in. No header has a line end in it."""
    return "\n".join(request.headers.getlist("authorization"))


def query(request: Request) -> dict[str, Any]:
    """The parameters, each of which may be there once (RFC 6749, section 3.1)."""
    pairs = request.query_params.multi_items()
    given = dict(pairs)
    if len(given) < len(pairs):
        raise Problem(400, "a parameter is repeated", FIX_INTEGRATION)
    return given


def idempotency_key(request: Request) -> str | None:
    keys = request.headers.getlist("idempotency-key")
    if keys and not (len(keys) == 1 and re.fullmatch(r"[\x20-\x7e]{1,255}", keys[0])):
        raise Problem(422, "the Idempotency-Key must be 1 to 255 printable ASCII characters", FIX_INTEGRATION)
    return keys[0] if keys else None
