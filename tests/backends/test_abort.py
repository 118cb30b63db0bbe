"""Abort: the session is marked as used on all replicas, and existing results are kept."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from calls import (
    AGAIN,
    COOKIE,
    FIX,
    OTHER,
    Backends,
    assert_problem,
    assert_result,
    new_key,
    new_request,
    start,
    state_in,
)
from implementations import Implementation, PatchedPython
from provider_stub import StubbedProvider, start_with_code
from redis_server import RedisServer
from running import Backend
from stuck import StuckServer
from test_attacks import forged_sessions
from test_lost_callback import running_callback
from test_openapi import document
from test_rate_limits import assert_limited
from waiting import until
from world import RIGHT, TIMEOUT_S, WRONG, World

REASONS = [
    *("cancelled", "deadline_exceeded", "cellular_unavailable", "authorization"),
    *("denied_by_operator", "state_mismatch", "backend", "invalid_config", "internal"),
]
USED = "the session was used before"


def abort(device: httpx.Client, session: str = "", reason: str = "cancelled", **headers: str) -> httpx.Response:
    body = {"session": session, "reason": reason} if session else {"reason": reason}
    return device.post("/abort", json=body, headers=headers)


def assert_aborted(response: httpx.Response) -> None:
    assert (response.status_code, response.content) == (204, b""), response.text
    assert response.headers["cache-control"] == "no-store" and "content-type" not in response.headers
    document["/abort"]["POST"].validate_response(response)


def assert_used(response: httpx.Response) -> None:
    assert_problem(response, 409, OTHER)
    assert response.json()["title"] == USED


def aborts_in(app: Backend, **members: object) -> list[dict[str, Any]]:
    lines = [line for replica in app.replicas for line in replica.log_lines() if line["event"] == "aborted"]
    return [line for line in lines if members.items() <= line.items()]


@pytest.mark.parametrize("reason", [*REASONS, "a", "_" * 64])
def test_abort_then_complete_is_rejected(backend: Backends, world: World, reason: str) -> None:
    app = backend()
    request, flow = new_request(app.device(), world), str(uuid4())
    assert_aborted(abort(app.device(), request["session"], reason, **new_key(), **{"x-correlator": flow}))
    for headers in ({}, new_key()):
        assert_used(app.device().post("/complete", json=request, headers=headers))
    [line] = app.replicas[0].await_log_lines(1, event="aborted", flow=flow)
    assert (line["reason"], line["was_unused"]) == (reason, True)
    app.replicas[0].await_log_lines(1, event="answered", call="/abort", status=204, flow=flow)
    log = app.log()
    assert not any(secret in log for secret in (*request.values(), RIGHT.strip("+")))


@pytest.mark.parametrize("by", ["body", "cookie", "both"])
def test_abort_reads_the_session_from_body_or_cookie(backend: Backends, world: World, by: str) -> None:
    app = backend()
    device = app.device()
    started = start(device)
    client = app.device() if by == "body" else device
    assert_aborted(abort(client, "" if by == "cookie" else started["session"]))
    assert_used(device.post("/complete", json=world.code(started["authUrl"])))


def test_abort_then_callback_is_rejected(backend: Backends, world: World) -> None:
    device = backend("follow-through").device()
    started = start(device)
    assert_aborted(abort(device))
    assert_used(device.get("/callback", params=world.code(started["authUrl"])))
    assert_problem(device.post("/complete", json={"session": started["session"]}), 409, OTHER)


@pytest.mark.parametrize("number", [RIGHT, WRONG])
def test_complete_then_abort_keeps_the_result(backend: Backends, world: World, number: str) -> None:
    app = backend()
    request, key = new_request(app.device(), world, number), new_key()
    assert_result(app.device().post("/complete", json=request, headers=key), number == RIGHT)
    for headers in ({}, new_key()):
        assert_aborted(abort(app.device(), request["session"], **headers))
    assert_result(app.device().post("/complete", json=request, headers=key), number == RIGHT)
    assert_used(app.device().post("/complete", json=request))


def test_callback_then_abort_keeps_the_result(backend: Backends, world: World) -> None:
    device = backend("follow-through").device()
    started = start(device)
    assert_result(device.get("/callback", params=world.code(started["authUrl"])), True)
    assert_aborted(abort(device))
    assert_result(device.post("/complete", json={"session": started["session"]}), True)


def test_abort_of_a_running_complete_keeps_its_result(
    new_backend: Backends, implementation: Implementation, world: World
) -> None:
    with StuckServer() as stuck:
        app = new_backend(**implementation.verify_at(stuck.url) | {"NUMBER_VERIFY_PROVIDER_TIMEOUT_S": "8"})
        request = new_request(app.device(), world)
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(app.device().post, "/complete", json=request)
            stuck.await_connection()
            assert_aborted(abort(app.device(), request["session"]))
            assert_problem(running.result(), 504, AGAIN)
        assert len(aborts_in(app, was_unused=False)) == len(aborts_in(app)) == 1


@pytest.mark.parametrize("call", ["complete", "callback"])
def test_positive_result_survives_an_abort_during_the_call(
    new_backend: Backends, new_stub: StubbedProvider, implementation: Implementation, world: World, call: str
) -> None:
    """The provider responds only after the response to the abort."""
    settings = new_stub.settings(world) | implementation.provider_at(new_stub.url)
    app = new_backend("redirect" if call == "complete" else "follow-through", **settings)
    device, key = app.device(), new_key()
    _, request = start_with_code(device, "code")
    session = request["session"]
    new_stub.may_verify.clear()

    def called() -> httpx.Response:
        if call == "complete":
            return app.device().post("/complete", json=request, headers=key)
        return device.get("/callback", params={"code": request["code"], "state": request["state"]})

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(called)
        assert new_stub.verify_called.wait(TIMEOUT_S)
        assert_aborted(abort(app.device(), session))
        assert not running.done()
        new_stub.may_verify.set()
        assert_result(running.result(), True)
    assert len(aborts_in(app, was_unused=False)) == len(aborts_in(app)) == 1
    again = called() if call == "complete" else app.device().post("/complete", json={"session": session})
    assert_result(again, True)


def test_abort_of_a_running_callback_on_another_replica_keeps_its_result(
    new_backend: Backends, implementation: Implementation, redis: RedisServer, world: World
) -> None:
    with StuckServer() as stuck:
        provider = implementation.verify_at(stuck.url) | {"NUMBER_VERIFY_PROVIDER_TIMEOUT_S": "8"}
        app = new_backend("follow-through", replicas=2, REDIS_URL=redis.url(), **provider)
        with running_callback(app, world, stuck) as body:
            assert_aborted(abort(app.device(1), body["session"]))
        for replica in (1, 0):
            assert_problem(app.device(replica).post("/complete", json=body, headers=new_key()), 504, AGAIN)


def test_abort_on_one_replica_spends_the_session_on_all(
    new_backend: Backends, redis: RedisServer, world: World
) -> None:
    url = redis.url()
    app = new_backend(replicas=2, REDIS_URL=url)
    for aborting in (0, 1):
        request = new_request(app.device(0), world)
        assert_aborted(abort(app.device(aborting), request["session"]))
        for replica in (0, 1):
            assert_used(app.device(replica).post("/complete", json=request))
            assert_aborted(abort(app.device(replica), request["session"], **new_key()))
    assert len(aborts_in(app, was_unused=True)) == 2
    assert b"cancelled" not in redis.everything_in(url) and redis.all_end_within(url, 660)


def test_exactly_one_concurrent_abort_spends_the_session(new_backend: Backends, redis: RedisServer) -> None:
    app = new_backend(replicas=2, REDIS_URL=redis.url())
    session = start(app.device())["session"]
    with ThreadPoolExecutor(8) as pool:
        devices = [app.device(index % 2) for index in range(8)]
        for response in pool.map(lambda device: abort(device, session, **new_key()), devices):
            assert_aborted(response)
    assert (len(aborts_in(app, was_unused=True)), len(aborts_in(app, was_unused=False))) == (1, 7)


def test_exactly_one_of_concurrent_abort_and_complete_wins(
    new_backend: Backends, redis: RedisServer, world: World
) -> None:
    app = new_backend(replicas=2, REDIS_URL=redis.url())
    for _ in range(8):
        request, flow = new_request(app.device(0), world), str(uuid4())
        with ThreadPoolExecutor(2) as pool:
            completing = pool.submit(app.device(0).post, "/complete", json=request)
            assert_aborted(abort(app.device(1), request["session"], **{"x-correlator": flow}))
        [line] = app.replicas[1].await_log_lines(1, event="aborted", flow=flow)
        if line["was_unused"]:
            assert_used(completing.result())
        else:
            assert_result(completing.result(), True)


def test_session_of_another_client_cannot_be_aborted(backend: Backends, world: World) -> None:
    """An attacker who knows the state of a victim, or the authorization code, cannot spend the victim's session."""
    app = backend()
    victim, attacker = app.device(), app.device()
    started = start(victim)
    request, attacker_start = world.code(started["authUrl"]), start(attacker)
    known = {"state": state_in(started), "code": request["code"], "reason": "cancelled"}
    assert_problem(app.device().post("/abort", json=known), 409, OTHER)
    assert_problem(app.device().post("/abort", json=known | {"session": known["state"]}), 401, OTHER)
    assert_problem(abort(app.device(), Cookie=f"{COOKIE}={known['state']}"), 401, OTHER)
    assert_aborted(attacker.post("/abort", json=known))  # marks the attacker's session as used
    assert_problem(app.device().post("/abort", params={"session": started["session"]}, json=known), 409, OTHER)
    proof = {"X-Number-Verify-Session": started["session"]}
    assert_problem(app.device().post("/abort", json=known, headers=proof), 409, OTHER)
    injected = {"session": attacker_start["session"], "state": state_in(attacker_start)}
    assert_used(app.device().post("/complete", json=request | injected))
    assert_result(victim.post("/complete", json=request), True)


def test_two_different_sessions_return_403_and_neither_is_spent(backend: Backends, world: World) -> None:
    app = backend()
    one, other = new_request(app.device(), world), new_request(app.device(), world)
    for cookies in [
        f"{COOKIE}={other['session']}",
        f"{COOKIE}={one['session']}; {COOKIE}={other['session']}",
        f"__Host-{COOKIE}={one['session']}; {COOKIE}={one['session']}",
    ]:
        assert_problem(abort(app.device(), one["session"], Cookie=cookies), 403, OTHER)
    for request in (one, other):
        assert_result(app.device().post("/complete", json=request), True)


def test_forged_session_returns_401(backend: Backends, world: World) -> None:
    app = backend()
    request = new_request(app.device(), world)
    for forged in forged_sessions(request["session"]):
        assert_problem(abort(app.device(), forged), 401, OTHER)
        if " " not in forged:
            assert_problem(abort(app.device(), Cookie=f"{COOKIE}={forged}"), 401, OTHER)
    assert_result(app.device().post("/complete", json=request), True)


@pytest.mark.parametrize("session", [None, ""])
def test_missing_session_returns_409(backend: Backends, session: str | None) -> None:
    response = backend().device().post("/abort", json={"session": session, "reason": "internal"})
    assert_problem(response, 409, OTHER)


def test_expired_session_returns_409(backend: Backends) -> None:
    app = backend(NUMBER_VERIFY_LIFETIME_S="1")
    session, created = start(app.device())["session"], time.time()
    until(lambda: time.time() > created + 2.1, "the session expires")
    assert_problem(abort(app.device(), session), 409, OTHER)


@pytest.mark.parametrize(
    "reason",
    [
        *("", "Cancelled", "CANCELLED", "user cancelled", "user-cancelled", "cancelled1", "cancelled\n", " cancelled"),
        *("a" * 65, "é", "\N{FULLWIDTH LATIN SMALL LETTER A}", "\0", RIGHT),
        *(None, True, 1, [], ["cancelled"], {"reason": "cancelled"}),
    ],
)
def test_bad_reason_returns_400_and_does_not_spend_the_session(backend: Backends, world: World, reason: object) -> None:
    app = backend()
    request = new_request(app.device(), world)
    for body in ({"reason": reason}, {}):
        response = app.device().post("/abort", json=body | {"session": request["session"]})
        assert_problem(response, 400, FIX)
        assert response.json()["title"] == "reason must be 1 to 64 characters of a-z and _"
    assert_result(app.device().post("/complete", json=request), True)


def test_session_of_the_wrong_type_returns_400(backend: Backends) -> None:
    device = backend().device()
    for session in [1, True, [], {}, "é", "line\nline", "s" * 4097]:
        assert_problem(device.post("/abort", json={"session": session, "reason": "internal"}), 400, FIX)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_another_method_returns_405(backend: Backends, method: str) -> None:
    response = backend().device().request(method, "/abort")
    assert response.status_code == 405
    assert {name.strip() for name in response.headers["allow"].split(",")} == {"POST"}


def test_same_key_returns_the_same_response(backend: Backends, world: World) -> None:
    app, key = backend(), new_key()
    request, flow = new_request(app.device(), world), str(uuid4())
    for _ in range(3):
        assert_aborted(abort(app.device(), request["session"], **key, **{"x-correlator": flow}))
    app.replicas[0].await_log_lines(3, event="answered", call="/abort", flow=flow)
    assert len(aborts_in(app, flow=flow)) == 1
    assert_problem(abort(app.device(), request["session"], "internal", **key), 422, FIX)
    assert_problem(abort(app.device(), start(app.device())["session"], **key), 422, FIX)
    assert_problem(app.device().post("/complete", json=request, headers=key), 422, FIX)
    assert_problem(abort(app.device(), request["session"], **{"Idempotency-Key": "x" * 256}), 422, FIX)


def test_abort_shares_the_limit_of_complete_and_callback(new_backend: Backends, world: World) -> None:
    app = new_backend(NUMBER_VERIFY_CALLS_PER_ADDRESS="3/600")
    request = new_request(app.device(), world)
    assert_problem(abort(app.device(), "nonsense"), 401, OTHER)
    assert_problem(app.device().post("/complete", json={}), 400, FIX)
    assert_problem(app.device().post("/abort", json={}), 400, FIX)
    assert_limited(abort(app.device(), request["session"]), 600)
    assert aborts_in(app) == []


def test_provider_of_the_reference_backend_is_not_called(
    new_backend: Backends, new_stub: StubbedProvider, implementation: Implementation, world: World
) -> None:
    """It has nothing to release."""
    app = new_backend(**new_stub.settings(world) | implementation.provider_at(new_stub.url))
    session = start(app.device())["session"]
    called = len(new_stub.calls)
    assert_aborted(abort(app.device(), session))
    assert len(new_stub.calls) == called


RELEASES = {
    "raises": ("async def release(_, session): raise ValueError(session.number)", "ValueError"),
    "hangs": ("async def release(_, session): await asyncio.sleep(3600)", "timeout"),
    "is not async": ("def release(_, session): pass", "TypeError"),
}


@pytest.mark.only("python")
@pytest.mark.parametrize(("hook", "kind"), RELEASES.values(), ids=RELEASES)
def test_release_that_fails_or_hangs_does_not_change_the_response(
    implementation: Implementation, world: World, hook: str, kind: str
) -> None:
    patched = PatchedPython(f"import asyncio, glide\n{hook}\nglide.Glide.release = release")
    app = Backend(patched, world, "redirect", NUMBER_VERIFY_PROVIDER_TIMEOUT_S="1")
    try:
        session, key = start(app.device())["session"], new_key()
        for _ in range(2):
            assert_aborted(abort(app.device(), session, **key))
        app.replicas[0].await_log_lines(1, event="release_failed", kind=kind)
        assert len(aborts_in(app, was_unused=True)) == len(aborts_in(app)) == 1
        assert RIGHT.strip("+") not in app.log()
    finally:
        app.stop()


@pytest.mark.only("python")
def test_release_receives_the_session(implementation: Implementation, world: World) -> None:
    """It contains what start has stored, such as the provider's request id."""
    hook = "async def release(_, session): assert (type(session).__name__, session.number) == ('Session', NUMBER)"
    patched = PatchedPython(f"import glide\nNUMBER = {RIGHT!r}\n{hook}\nglide.Glide.release = release")
    app = Backend(patched, world, "redirect")
    try:
        assert_aborted(abort(app.device(), start(app.device())["session"]))
        app.replicas[0].await_log_lines(1, event="answered", call="/abort", status=204)
        assert "release_failed" not in app.log()
    finally:
        app.stop()
