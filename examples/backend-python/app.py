"""A backend for number-verify whose `getAuthUrl` and `verifyNumber` are Glide's own: the `glide_sdk` package.

POST /start     makes a session for a phone number and answers with Glide's auth URL.
POST /complete  exchanges the code and answers whether the number is the SIM's. The number comes from the session.
GET  /callback  does the same where the phone follows the last redirect, and only for the client that called start.

A session is used once. Its `state` is its hash: operators, who see the state, cannot make the session out of it, and
the state is all that is kept here. Numbers, codes, states and sessions are never logged.

All is in memory: run one process.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import os
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
from cachetools import TTLCache
from glide_sdk import GlideClient
from glide_sdk.src.glide_sdk.utils import FetchError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

T = TypeVar("T")
DEV_PRINT, REDIRECT, FOLLOW_THROUGH = "dev_print", "redirect", "follow-through"
DELIVERY = os.environ.get("NUMBER_VERIFY_DELIVERY", REDIRECT)
# The phone waits 8 s for an answer. The SDK sets no limit; aiohttp's, under it, is 5 minutes.
GLIDE_TIMEOUT_S = float(os.environ.get("NUMBER_VERIFY_GLIDE_TIMEOUT_S", "6"))

USE_ANOTHER_CHANNEL, RETRY_LATER, FIX_INTEGRATION = "use_another_channel", "retry_later", "fix_integration"
E164 = re.compile(r"\+[1-9][0-9]{4,14}")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
COOKIE = "number_verify_session"
BODY_LIMIT = 16 * 1024
LIFETIME_S = int(os.environ.get("NUMBER_VERIFY_LIFETIME_S", "300"))  # of sessions and of stored answers
CAPACITY = 20_000  # of each

# The SDK would search a .env in the parents of the virtual environment. Its variables count all the same.
glide = GlideClient(use_env=False)
numbers: MutableMapping[str, str] = TTLCache(CAPACITY, LIFETIME_S)  # by state
answers: MutableMapping[str, tuple[str, asyncio.Task[Response]]] = TTLCache(CAPACITY, LIFETIME_S)  # by Idempotency-Key

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
logging.getLogger("uvicorn.access").disabled = True  # it shows queries: code and state
log = logging.getLogger("number_verify")


class Problem(Exception):
    """An error answer (RFC 9457). `fallback` tells the app what to do."""

    def __init__(self, status: int, title: str, fallback: str) -> None:
        super().__init__(title)
        self.status, self.title, self.fallback = status, title, fallback

    def answer(self) -> Response:
        body = {"type": "about:blank", "title": self.title, "status": self.status, "fallback": self.fallback}
        return answer(body, self.status, "application/problem+json")


def answer(body: dict[str, Any], status: int = 200, media_type: str = "application/json") -> Response:
    """No answer is for a cache."""
    return JSONResponse(body, status, {"Cache-Control": "no-store"}, media_type)


async def start(request: Request) -> Response:
    """The auth URL for the number, and the session that the number belongs to."""
    body = await read(request)
    number = json_object(body).get("phoneNumber")
    if not isinstance(number, str) or not E164.fullmatch(number):
        raise Problem(400, "phoneNumber must be an E.164 number", FIX_INTEGRATION)

    async def run() -> Response:
        session = secrets.token_urlsafe(32)
        state = state_of(session)
        auth_url = await ask(glide.number_verify.get_auth_url(print_code=DELIVERY == DEV_PRINT, state=state))
        numbers[state] = number
        redirect_uri = glide.settings.redirectUri
        told = {"authUrl": auth_url, "session": session} | ({"redirectUri": redirect_uri} if redirect_uri else {})
        response, secure = answer(told), is_https(request)
        response.set_cookie(COOKIE, session, max_age=LIFETIME_S, httponly=True, secure=secure, samesite="lax")
        return response

    return await once(request, body, run)


async def complete(request: Request) -> Response:
    """The verdict for a code, once for a session."""
    body = await read(request)
    given = json_object(body)
    code, state, session = plain(given, "code"), plain(given, "state"), plain(given, "session")
    cookie = request.cookies.get(COOKIE)
    if session and cookie and not same(session, cookie):
        raise Problem(403, "session and cookie differ", USE_ANOTHER_CHANNEL)
    if not code:
        raise Problem(400, "code is missing", FIX_INTEGRATION)
    own_state = state_of(session or cookie or "")

    async def run() -> Response:
        number = use(own_state)
        may_lack_state = DELIVERY == DEV_PRINT  # a JSON answer comes on the phone's own request
        if not same(state or "", own_state) and not (may_lack_state and not state):
            raise Problem(403, "the state is of another session", USE_ANOTHER_CHANNEL)
        return await verdict(code, number)

    return await once(request, body + own_state.encode(), run)


async def callback(request: Request) -> Response:
    """Without the proof that start's client sends this, somebody's phone was sent to somebody else's auth URL."""
    query = dict(request.query_params)
    state = query.get("state", "")
    number = use(state)  # burnt, whatever comes next
    proofs = request.cookies.get(COOKIE), request.headers.get("x-number-verify-session")
    is_starter = any(proof and same(state_of(proof), state) for proof in proofs)
    if DELIVERY != FOLLOW_THROUGH or not is_starter:
        raise Problem(403, "the callback does not come from the client that called start", USE_ANOTHER_CHANNEL)
    code = plain(query, "code")
    if not code:
        may_pass = query.get("error") in ("server_error", "temporarily_unavailable")
        raise Problem(403, "the operator refused", RETRY_LATER if may_pass else USE_ANOTHER_CHANNEL)
    return await verdict(code, number)


async def health(_: Request) -> Response:
    """This process answers; Glide is not asked."""
    return answer({"status": "ok"})


async def verdict(code: str, number: str) -> Response:
    """Glide's `verifyNumber`. An app with accounts notes the verified number here, where no client can forge it."""

    async def verify_number() -> bool:
        user = await glide.number_verify.for_user(code, number)
        return (await user.verify_number()).devicePhoneNumberVerified is True

    return answer({"verified": await ask(verify_number())})


async def ask(call: Awaitable[T]) -> T:
    """A call of the SDK, with a limit. Of its errors only the kind is logged: the text may quote what Glide said."""
    try:
        return await asyncio.wait_for(call, GLIDE_TIMEOUT_S)
    except Exception as error:
        log.warning("glide: %s %s", type(error).__name__, getattr(error, "status", ""))
        raise explain(error) from None


def explain(error: Exception) -> Problem:
    """What an error of the SDK means for the app."""
    if isinstance(error, asyncio.TimeoutError):
        return Problem(504, "Glide did not answer in time", RETRY_LATER)
    if isinstance(error, FetchError):
        if error.status == 429 or error.status >= 500:
            return Problem(502, "Glide cannot answer now", RETRY_LATER)
        if error.status in (403, 409, 410, 422) or "invalid_grant" in error.data:
            return Problem(403, "Glide refuses this code", USE_ANOTHER_CHANNEL)
    elif isinstance(error, aiohttp.ClientError) and not isinstance(error, aiohttp.ClientSSLError):
        return Problem(502, "Glide cannot be reached", RETRY_LATER)
    return Problem(500, "this backend and Glide do not understand each other", FIX_INTEGRATION)


async def once(request: Request, identity: bytes, run: Callable[[], Awaitable[Response]]) -> Response:
    """Runs a request once for its Idempotency-Key. The same request gets the same answer, also while the first runs."""

    async def outcome() -> Response:
        try:
            return await run()
        except Problem as problem:
            return problem.answer()

    key = request.headers.get("idempotency-key")
    if not key:
        return await outcome()
    key, fingerprint = digest(key.encode()), digest(request.url.path.encode() + b" " + identity)
    if key not in answers:
        answers[key] = fingerprint, asyncio.create_task(outcome())
    stored, task = answers[key]
    if not same(stored, fingerprint):
        raise Problem(422, "the Idempotency-Key was used for another request", FIX_INTEGRATION)
    return await asyncio.shield(task)


def use(state: str) -> str:
    """The number of a session that is over from here on."""
    number = numbers.pop(state, None)
    if not number:
        raise Problem(409, "no such session, or used before", USE_ANOTHER_CHANNEL)
    return number


def state_of(session: str) -> str:
    return digest(session.encode())


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def is_https(request: Request) -> bool:
    """A proxy that ends TLS may not say so; only a plain local address is surely without."""
    return request.url.scheme == "https" or request.url.hostname not in ("localhost", "127.0.0.1", "::1")


async def read(request: Request) -> bytes:
    """The body, up to a limit."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise Problem(413, "the body is too large", FIX_INTEGRATION)
    return body


def json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Problem(400, "the body must be a JSON object", FIX_INTEGRATION)
    return value


def plain(given: dict[str, Any], name: str) -> str | None:
    """A member that may be absent, but else is printable ASCII, as codes and states are (RFC 6749, appendix A)."""
    value = given.get(name)
    if value is not None and not (isinstance(value, str) and value.isascii() and value.isprintable()):
        raise Problem(400, f"{name} must be a string of printable ASCII", FIX_INTEGRATION)
    return value


def endpoint(path: str, handler: Callable[[Request], Awaitable[Response]], method: str) -> Route:
    """A route whose errors are problems, and whose log line has nothing personal."""

    async def handled(request: Request) -> Response:
        began = time.monotonic()
        try:
            response = await handler(request)
        except Problem as problem:
            response = problem.answer()
        except Exception as error:
            log.error("%s failed: %s", path, type(error).__name__)
            response = Problem(500, "this backend failed", RETRY_LATER).answer()
        flow = request.headers.get("x-correlator", "")
        took_ms = (time.monotonic() - began) * 1000
        log.info("%s %d, %d ms, flow %s", path, response.status_code, took_ms, flow if UUID.fullmatch(flow) else "-")
        return response

    return Route(path, handled, methods=[method])


async def no_such_call(_: Request, error: Exception) -> Response:
    return Problem(getattr(error, "status_code", 404), "there is no such call", FIX_INTEGRATION).answer()


def complaints() -> Iterator[str]:
    """What would not work, or not be safe."""
    settings = glide.settings
    uri = urlsplit(settings.redirectUri)
    if not settings.clientSecret:
        yield "GLIDE_CLIENT_SECRET is not set"
    if not all(re.fullmatch(r"https://[^/].*[^/]", base) for base in settings.internal.model_dump().values()):
        yield "GLIDE_AUTH_BASE_URL and GLIDE_API_BASE_URL must be https URLs without a slash at the end"
    if DELIVERY not in (DEV_PRINT, REDIRECT, FOLLOW_THROUGH):
        yield f"NUMBER_VERIFY_DELIVERY must be {DEV_PRINT}, {REDIRECT} or {FOLLOW_THROUGH}"
    if DELIVERY == REDIRECT and not uri.scheme:
        yield "GLIDE_REDIRECT_URI must be set"
    if DELIVERY == FOLLOW_THROUGH and not (uri.scheme == "https" and uri.path.endswith("/callback")):
        yield "GLIDE_REDIRECT_URI must be the https URL of this backend's /callback"


if wrong := "; ".join(complaints()):
    raise SystemExit(wrong)
app = Starlette(
    routes=[
        endpoint("/start", start, "POST"),
        endpoint("/complete", complete, "POST"),
        endpoint("/callback", callback, "GET"),
        endpoint("/health", health, "GET"),
    ],
    exception_handlers={HTTPException: no_such_call},
)
