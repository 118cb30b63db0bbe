"""A backend for number-verify that uses Glide's `glide_sdk` package for `getAuthUrl` and `verifyNumber`.

POST /start     creates a session for a phone number and returns Glide's auth URL.
POST /complete  exchanges the code and returns whether the number belongs to the SIM. The number is in the session.
GET  /callback  does the same if the phone follows the last redirect, and only for the client that called start.
POST /abort     ends a session without a result.
GET  /health    returns 200 if this replica and its store are available.

The backend stores only that a session was used, so any replica can complete what another one started:

settings.py  environment variables    contract.py  requests and errors                     sealed.py  keys and sessions
store.py     memory or Redis          once.py      Idempotency-Key                         glide.py   Glide
uses.py      single use of a session  addresses.py rate limit keys                         log.py     JSON, no secrets
hints.py     hints for the phone's requests                                attestation.py  app attestation
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import log
from addresses import networks
from attestation import accepts
from contract import (
    COOKIE,
    FIX_INTEGRATION,
    RETRY_LATER,
    SECURE_COOKIE,
    USE_ANOTHER_CHANNEL,
    Problem,
    attestation,
    authorization,
    idempotency_key,
    is_retrieval,
    is_secure,
    json_object,
    json_response,
    no_content,
    phone_number,
    printable_ascii,
    proof_header,
    query,
    read,
    reason,
    session_cookie,
)
from glide import Glide
from once import Once
from sealed import Keys, Session, Sessions, constant_time_equal, state_of
from settings import DEV_PRINT, FOLLOW_THROUGH, Limit
from settings import read as read_settings
from store import Memory, Shared, Store
from uses import Uses

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

settings = read_settings()
keys = Keys(settings.keys)
sessions = Sessions(keys, settings.lifetime_s)
store: Store = Shared(settings.redis_url) if settings.redis_url else Memory()
once = Once(store, keys, settings.lifetime_s, settings.provider_timeout_s)
uses = Uses(store, keys, sessions, settings.provider_timeout_s)
glide = Glide(settings)


async def start(request: Request) -> Response:
    """Returns the auth URL for the number, and the session that contains the number."""
    await limit_by_address("starts", request, settings.starts_per_address)
    key, body = idempotency_key(request), await read(request)
    members = json_object(body)
    requests_number, app_attestation = is_retrieval(members), attestation(members)
    if requests_number:
        raise Problem(501, "this backend does not retrieve numbers", FIX_INTEGRATION)
    number = phone_number(members)

    async def run() -> Response:
        await limit("starts", number, settings.starts_per_number)
        deadline = time.monotonic() + settings.provider_timeout_s  # shared by the check and Glide
        kind, timeout_s = settings.attestation, remaining_s(deadline)
        if kind and not await accepts(kind, number, app_attestation, timeout_s):
            raise Problem(403, "the app is not attested", USE_ANOTHER_CHANNEL)
        session = sessions.make(Session(number))
        auth_url = await glide.auth_url(state_of(session), remaining_s(deadline))
        response_body: dict[str, Any] = {"authUrl": auth_url, "session": session}
        if settings.redirect_uri:
            response_body["redirectUri"] = settings.redirect_uri
        if settings.hints is not None:
            response_body["hints"] = settings.hints
        response = json_response(response_body)
        secure = is_secure(request)
        name, lifetime_s = SECURE_COOKIE if secure else COOKIE, settings.lifetime_s
        response.set_cookie(name, session, max_age=lifetime_s, httponly=True, secure=secure, samesite="lax")
        return response

    return await once(key, f"start {authorization(request)}\n{body.decode()}", run)


def remaining_s(deadline: float) -> float:
    return deadline - time.monotonic()


async def complete(request: Request) -> Response:
    """Returns the result for a code, once per session; without a code, the result of the callback."""
    await limit_by_address("calls", request, settings.calls_per_address)
    key, body = idempotency_key(request), await read(request)
    members = json_object(body)
    code, state = printable_ascii(members, "code"), printable_ascii(members, "state")
    session = session_of(members, request)
    has_no_code = session and "code" not in members and settings.delivery == FOLLOW_THROUGH
    if not code and not has_no_code:
        raise Problem(400, "code is missing", FIX_INTEGRATION)
    if not session:
        raise Problem(409, "the session is missing", USE_ANOTHER_CHANNEL)
    number = sessions.open(session).number
    # The phone receives a `dev_print` code as the response to its own request.
    is_state_optional = has_no_code or settings.delivery == DEV_PRINT
    if not constant_time_equal(state or "", state_of(session)) and not (is_state_optional and not state):
        raise Problem(403, "the state is of another session", USE_ANOTHER_CHANNEL)

    async def run() -> Response:
        sessions.check_age(session)
        if not code:
            return await uses.result(session)
        await uses.by_complete(session)
        return await result(code, number)

    return await once(key, f"complete {session} {authorization(request)}\n{body.decode()}", run)


async def callback(request: Request) -> Response:
    """Requires proof of start's session: otherwise a victim's phone could complete an attacker's session (fixation)."""
    if request.method == "HEAD":
        raise Problem(405, "there is no such call", FIX_INTEGRATION, {"Allow": "GET"})
    await limit_by_address("calls", request, settings.calls_per_address)
    members = query(request)
    code, state, error = (printable_ascii(members, name) for name in ("code", "state", "error"))
    in_header = proof_header(request)  # other hosts cannot set the header, but may have set the cookie
    session = (session_cookie(request) or "") if in_header is None else in_header
    if settings.delivery != FOLLOW_THROUGH or not constant_time_equal(state_of(session), state or ""):
        raise Problem(403, "the callback does not come from the client that called start", USE_ANOTHER_CHANNEL)
    number = sessions.open(session).number
    sessions.check_age(session)
    if bool(code) == bool(error):
        raise Problem(400, "there must be a code or an error", FIX_INTEGRATION)

    async def run() -> Response:
        if error:
            raise Problem(403, "the operator refused", fallback_of(error))
        return await result(code or "", number)

    return await uses.by_callback(session, run)


def fallback_of(error: str) -> str:
    """The fallback for an `error` of RFC 6749, section 4.1.2.1, or OpenID Connect."""
    if error in ("server_error", "temporarily_unavailable"):
        return RETRY_LATER
    client_errors = ("unauthorized_client", "request_not_supported", "request_uri_not_supported")
    is_client_error = error in client_errors or error.startswith(("invalid_", "unsupported_"))
    return FIX_INTEGRATION if is_client_error else USE_ANOTHER_CHANNEL


async def result(code: str, number: str) -> Response:
    """Glide's `verifyNumber`. A backend with accounts stores the verified number here, where no client can forge it."""
    return json_response({"verified": await glide.is_number_of_sim(code, number)})


async def abort(request: Request) -> Response:
    """Ends a session without a result. A result that exists, or that a running call will produce, is kept."""
    await limit_by_address("calls", request, settings.calls_per_address)
    key, body = idempotency_key(request), await read(request)
    members = json_object(body)
    session, abort_reason = session_of(members, request), reason(members)
    if not session:
        raise Problem(409, "the session is missing", USE_ANOTHER_CHANNEL)
    opened = sessions.open(session)

    async def run() -> Response:
        sessions.check_age(session)
        was_unused = await uses.by_abort(session)
        log.info("aborted", reason=abort_reason, was_unused=was_unused, flow=correlator(request))
        if was_unused:
            await release(opened)
        return no_content()

    return await once(key, f"abort {session} {authorization(request)}\n{body.decode()}", run)


async def release(session: Session) -> None:
    """Does not affect the response: a failure or timeout is logged with its kind."""
    try:
        await asyncio.wait_for(glide.release(session), settings.provider_timeout_s)
    except Exception as error:
        log.warning("release_failed", kind=log.kind_of(error))


def session_of(members: dict[str, Any], request: Request) -> str | None:
    """The session of a request, from its body, its cookie, or both."""
    in_body, in_cookie = printable_ascii(members, "session"), session_cookie(request)
    if in_body and in_cookie and not constant_time_equal(in_body, in_cookie):
        raise Problem(403, "session and cookie differ", USE_ANOTHER_CHANNEL)
    return in_body or in_cookie


async def health(_: Request) -> Response:
    """Whether this replica and its store respond; Glide is not called."""
    await store.check()
    return json_response({"status": "ok"})


async def limit_by_address(what: str, request: Request, per_address: Limit) -> None:
    for network, factor in networks(request):
        await limit(what, network, Limit(per_address.count * factor, per_address.seconds))


async def limit(what: str, client: str, limit: Limit) -> None:
    count, ends_in_s = await store.count(f"{what}:{keys.keyed_hash(client)}", limit.seconds)
    if count > limit.count:
        raise Problem(429, "too many requests", RETRY_LATER, {"Retry-After": str(ends_in_s)})


class RequestLog:
    """Logs one line per response, also after errors. Unknown paths are not logged: they may contain anything."""

    CALLS = ("/start", "/complete", "/callback", "/abort", "/health")
    running: ClassVar[set[asyncio.Task[Any]]] = set()

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.monotonic(), 0
        if task := asyncio.current_task():
            self.running.add(task)

        async def send_and_record_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            rejection = smuggling_problem(scope)
            await (rejection.response() if rejection else self.app)(scope, receive, send_and_record_status)
        except asyncio.CancelledError:  # by uvicorn, after the shutdown timeout; its own response is plain text
            if not status:
                problem = Problem(503, "this replica is stopping", RETRY_LATER, {"Retry-After": "1"})
                await problem.response()(scope, receive, send_and_record_status)
            raise
        except Exception as error:
            log.warning("failed", kind=type(error).__name__)
            if not status:
                problem = Problem(500, "internal error of this backend", RETRY_LATER)
                await problem.response()(scope, receive, send_and_record_status)
        finally:
            if task:
                self.running.discard(task)
            log.info(
                "answered",
                call=scope["path"] if scope["path"] in self.CALLS else None,
                status=status,
                took_ms=round((time.monotonic() - began) * 1000),
                flow=correlator(Request(scope)),
            )


def correlator(request: Request) -> str | None:
    value = request.headers.get("x-correlator", "")
    return value if UUID.fullmatch(value) else None


def smuggling_problem(scope: Scope) -> Problem | None:
    """Rejects requests that a proxy may parse differently: two body lengths, or an encoded path."""
    names = {name for name, _ in scope["headers"]}
    if {b"content-length", b"transfer-encoding"} <= names:
        return Problem(400, "the request has two body lengths", FIX_INTEGRATION, {"Connection": "close"})
    if scope["raw_path"] != scope["path"].encode():
        return Problem(404, "there is no such call", FIX_INTEGRATION)
    return None


async def problem(_: Request, problem: Problem) -> Response:
    return problem.response()


async def no_such_call(_: Request, error: HTTPException) -> Response:
    headers = dict(error.headers or {})
    return Problem(error.status_code, "there is no such call", FIX_INTEGRATION, headers).response()


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    kind = settings.attestation or "none"
    log.info("started", store=type(store).__name__.lower(), delivery=settings.delivery, attestation=kind)
    yield
    if RequestLog.running:  # cancelled; the process would exit before their responses are sent
        await asyncio.wait(RequestLog.running, timeout=1)
    await store.close()
    log.info("stopped")


log.set_up()
app = Starlette(
    routes=[
        Route("/start", start, methods=["POST"]),
        Route("/complete", complete, methods=["POST"]),
        Route("/callback", callback, methods=["GET"]),
        Route("/abort", abort, methods=["POST"]),
        Route("/health", health, methods=["GET"]),
    ],
    middleware=[Middleware(RequestLog)],
    exception_handlers={Problem: problem, HTTPException: no_such_call},
    lifespan=lifespan,
)
app.router.redirect_slashes = False
