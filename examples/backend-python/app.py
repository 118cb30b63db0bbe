"""A backend for number-verify whose `getAuthUrl` and `verifyNumber` are Glide's own: the `glide_sdk` package.

POST /start     makes a session for a phone number and answers with Glide's auth URL.
POST /complete  exchanges the code and answers whether the number is the SIM's. The number comes from the session.
GET  /callback  does the same where the phone follows the last redirect, and only for the client that called start.
POST /abort     ends a session without a result.
GET  /health    answers that this replica can work.

Nothing is remembered of a session but that it was used, so any replica can complete what another started:

settings.py  from the environment     contract.py  what requests and errors look like     sealed.py  keys and sessions
store.py     memory or Redis          once.py      Idempotency-Key                         glide.py   Glide
uses.py      a session's only use     addresses.py who shares a limit                      log.py    JSON, no secrets
hints.py     hints for the phone's requests            attestation.py  whether a start comes from a genuine app
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
    answer,
    attestation,
    authorization,
    idempotency_key,
    is_retrieval,
    is_secure,
    json_object,
    no_content,
    phone_number,
    plain,
    proof_header,
    query,
    read,
    reason,
    session_cookie,
)
from glide import Glide
from once import Once
from sealed import Keys, Session, Sessions, same, state_of
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
    """The auth URL for the number, and the session that the number belongs to."""
    await limit_by_address("starts", request, settings.starts_per_address)
    key, body = idempotency_key(request), await read(request)
    given = json_object(body)
    retrieves, attested = is_retrieval(given), attestation(given)
    if retrieves:
        raise Problem(501, "this backend does not retrieve numbers", FIX_INTEGRATION)
    number = phone_number(given)

    async def run() -> Response:
        await limit("starts", number, settings.starts_per_number)
        deadline = time.monotonic() + settings.provider_timeout_s  # of the check and Glide together
        if settings.attestation and not await accepts(settings.attestation, number, attested, left(deadline)):
            raise Problem(403, "the app is not attested", USE_ANOTHER_CHANNEL)
        session = sessions.make(Session(number))
        told = {"authUrl": await glide.auth_url(state_of(session), left(deadline)), "session": session}
        if settings.redirect_uri:
            told["redirectUri"] = settings.redirect_uri
        if settings.hints is not None:
            told["hints"] = settings.hints
        response = answer(told)
        secure = is_secure(request)
        name, lifetime_s = SECURE_COOKIE if secure else COOKIE, settings.lifetime_s
        response.set_cookie(name, session, max_age=lifetime_s, httponly=True, secure=secure, samesite="lax")
        return response

    return await once(key, f"start {authorization(request)}\n{body.decode()}", run)


def left(deadline: float) -> float:
    return deadline - time.monotonic()


async def complete(request: Request) -> Response:
    """The verdict for a code, once for a session; without a code, the result of the callback."""
    await limit_by_address("calls", request, settings.calls_per_address)
    key, body = idempotency_key(request), await read(request)
    given = json_object(body)
    code, state = plain(given, "code"), plain(given, "state")
    session = session_of(given, request)
    has_no_code = session and "code" not in given and settings.delivery == FOLLOW_THROUGH
    if not code and not has_no_code:
        raise Problem(400, "code is missing", FIX_INTEGRATION)
    if not session:
        raise Problem(409, "the session is missing", USE_ANOTHER_CHANNEL)
    number = sessions.open(session).number
    may_lack_state = has_no_code or settings.delivery == DEV_PRINT  # a JSON answer comes on the phone's own request
    if not same(state or "", state_of(session)) and not (may_lack_state and not state):
        raise Problem(403, "the state is of another session", USE_ANOTHER_CHANNEL)

    async def run() -> Response:
        sessions.check_age(session)
        if not code:
            return await uses.result(session)
        await uses.by_complete(session)
        return await verdict(code, number)

    return await once(key, f"complete {session} {authorization(request)}\n{body.decode()}", run)


async def callback(request: Request) -> Response:
    """Without the proof that start's client sends this, somebody's phone was sent to somebody else's auth URL."""
    if request.method == "HEAD":
        raise Problem(405, "there is no such call", FIX_INTEGRATION, {"Allow": "GET"})
    await limit_by_address("calls", request, settings.calls_per_address)
    given = query(request)
    code, state, error = plain(given, "code"), plain(given, "state"), plain(given, "error")
    in_header = proof_header(request)  # which no other host can set; a cookie may be another host's
    session = (session_cookie(request) or "") if in_header is None else in_header
    if settings.delivery != FOLLOW_THROUGH or not same(state_of(session), state or ""):
        raise Problem(403, "the callback does not come from the client that called start", USE_ANOTHER_CHANNEL)
    number = sessions.open(session).number
    sessions.check_age(session)
    if bool(code) == bool(error):
        raise Problem(400, "there must be a code or an error", FIX_INTEGRATION)

    async def run() -> Response:
        if error:
            raise Problem(403, "the operator refused", fallback_of(error))
        return await verdict(code or "", number)

    return await uses.by_callback(session, run)


def fallback_of(error: str) -> str:
    """Of an error of RFC 6749, section 4.1.2.1, or OpenID Connect."""
    if error in ("server_error", "temporarily_unavailable"):
        return RETRY_LATER
    ours = ("unauthorized_client", "request_not_supported", "request_uri_not_supported")
    is_ours = error in ours or error.startswith(("invalid_", "unsupported_"))
    return FIX_INTEGRATION if is_ours else USE_ANOTHER_CHANNEL


async def verdict(code: str, number: str) -> Response:
    """Glide's `verifyNumber`. An app with accounts notes the verified number here, where no client can forge it."""
    return answer({"verified": await glide.is_number_of_sim(code, number)})


async def abort(request: Request) -> Response:
    """Ends a session without a result. A result that there is, or that a call is about to get, stays."""
    await limit_by_address("calls", request, settings.calls_per_address)
    key, body = idempotency_key(request), await read(request)
    given = json_object(body)
    session, why = session_of(given, request), reason(given)
    if not session:
        raise Problem(409, "the session is missing", USE_ANOTHER_CHANNEL)
    opened = sessions.open(session)

    async def run() -> Response:
        sessions.check_age(session)
        is_spent_now = await uses.by_abort(session)
        log.info("aborted", reason=why, was_unused=is_spent_now, flow=flow_of(request))
        if is_spent_now:
            await release(opened)
        return no_content()

    return await once(key, f"abort {session} {authorization(request)}\n{body.decode()}", run)


async def release(session: Session) -> None:
    """No response depends on it: a failure or a timeout is logged by its kind."""
    try:
        await asyncio.wait_for(glide.release(session), settings.provider_timeout_s)
    except Exception as error:
        log.warning("release_failed", kind=log.kind_of(error))


def session_of(given: dict[str, Any], request: Request) -> str | None:
    """The session of a request: in its body, in its cookie, or in both."""
    in_body, in_cookie = plain(given, "session"), session_cookie(request)
    if in_body and in_cookie and not same(in_body, in_cookie):
        raise Problem(403, "session and cookie differ", USE_ANOTHER_CHANNEL)
    return in_body or in_cookie


async def health(_: Request) -> Response:
    """This replica answers, and its store too; Glide is not asked."""
    await store.check()
    return answer({"status": "ok"})


async def limit_by_address(what: str, request: Request, limited: Limit) -> None:
    for network, times in networks(request):
        await limit(what, network, Limit(limited.count * times, limited.seconds))


async def limit(what: str, whose: str, limit: Limit) -> None:
    count, ends_in_s = await store.count(f"{what}:{keys.hide(whose)}", limit.seconds)
    if count > limit.count:
        raise Problem(429, "too many requests", RETRY_LATER, {"Retry-After": str(ends_in_s)})


class Logged:
    """One line for each answer, also where all went wrong. An unknown path is not named: it may hold anything."""

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

        async def noting_the_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            fault = fault_of(scope)
            await (fault.answer() if fault else self.app)(scope, receive, noting_the_status)
        except asyncio.CancelledError:  # by uvicorn, when the time for the end is over; its own response is plain text
            if not status:
                problem = Problem(503, "this replica is stopping", RETRY_LATER, {"Retry-After": "1"})
                await problem.answer()(scope, receive, noting_the_status)
            raise
        except Exception as error:
            log.warning("failed", kind=type(error).__name__)
            if not status:
                problem = Problem(500, "this backend failed", RETRY_LATER)
                await problem.answer()(scope, receive, noting_the_status)
        finally:
            if task:
                self.running.discard(task)
            log.info(
                "answered",
                call=scope["path"] if scope["path"] in self.CALLS else None,
                status=status,
                took_ms=round((time.monotonic() - began) * 1000),
                flow=flow_of(Request(scope)),
            )


def flow_of(request: Request) -> str | None:
    flow = request.headers.get("x-correlator", "")
    return flow if UUID.fullmatch(flow) else None


def fault_of(scope: Scope) -> Problem | None:
    """What a proxy in front may read in another way than we do: the path's spelling, and where the body ends."""
    names = {name for name, _ in scope["headers"]}
    if {b"content-length", b"transfer-encoding"} <= names:
        return Problem(400, "the body has two lengths", FIX_INTEGRATION, {"Connection": "close"})
    if scope["raw_path"] != scope["path"].encode():
        return Problem(404, "there is no such call", FIX_INTEGRATION)
    return None


async def problem(_: Request, problem: Problem) -> Response:
    return problem.answer()


async def no_such_call(_: Request, error: HTTPException) -> Response:
    headers = dict(error.headers or {})
    return Problem(error.status_code, "there is no such call", FIX_INTEGRATION, headers).answer()


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    kind = settings.attestation or "none"
    log.info("started", store=type(store).__name__.lower(), delivery=settings.delivery, attestation=kind)
    yield
    if Logged.running:  # they were cancelled, and the process ends without waiting for their responses
        await asyncio.wait(Logged.running, timeout=1)
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
    middleware=[Middleware(Logged)],
    exception_handlers={Problem: problem, HTTPException: no_such_call},
    lifespan=lifespan,
)
app.router.redirect_slashes = False
