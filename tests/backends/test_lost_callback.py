"""Lost callback responses: a code is never sent twice, so `complete` without a code returns the result."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from calls import AGAIN, COOKIE, FIX, OTHER, Backends, assert_problem, assert_result, new_key, start, state_in
from implementations import Implementation
from redis_server import RedisServer
from running import Backend
from stuck import StuckServer
from waiting import until
from world import RIGHT, TIMEOUT_S, WRONG, World

PROOF = "X-Number-Verify-Session"


def send_callback(app: Backend, query: dict[str, str], proof: str, flow: str = "", replica: int = 0) -> socket.socket:
    """Sends a request whose response is not read."""
    stream = socket.create_connection(("127.0.0.1", app.replicas[replica].port), timeout=TIMEOUT_S)
    head = f"GET /callback?{urlencode(query)} HTTP/1.1\r\nHost: localhost\r\nx-correlator: {flow}\r\n{proof}\r\n\r\n"
    stream.sendall(head.encode())
    return stream


def lose_response(app: Backend, query: dict[str, str], session: str, by: str = "header") -> None:
    flow = str(uuid4())
    proof = f"{PROOF}: {session}" if by == "header" else f"Cookie: {COOKIE}={session}"
    with send_callback(app, query, proof, flow):
        app.replicas[0].await_log_lines(1, call="/callback", flow=flow)


@pytest.fixture
def app(backend: Backends) -> Backend:
    return backend("follow-through")


@pytest.mark.parametrize("number", [RIGHT, WRONG])
@pytest.mark.parametrize("by", ["header", "cookie"])
def test_complete_returns_result_of_callback(app: Backend, world: World, number: str, by: str) -> None:
    device = app.device()
    started, key = start(device, number), new_key()
    lose_response(app, world.code(started["authUrl"]), started["session"], by)
    body = {"session": started["session"]} if by == "header" else {}
    if by == "header":
        device.cookies.clear()
    responses = [device.post("/complete", json=body, headers=key) for _ in range(2)]
    for response in [*responses, device.post("/complete", json=body, headers=new_key())]:
        assert_result(response, number == RIGHT)
    assert responses[0].content == responses[1].content
    assert_problem(device.post("/complete", json=body | {"more": 1}, headers=key), 422, FIX)


def test_complete_on_another_replica_returns_result(new_backend: Backends, redis: RedisServer, world: World) -> None:
    url = redis.url()
    app = new_backend("follow-through", replicas=2, REDIS_URL=url)
    for number in (RIGHT, WRONG):
        started = start(app.device(0), number)
        lose_response(app, world.code(started["authUrl"]), started["session"])
        for replica in (1, 0):
            response = app.device(replica).post("/complete", json={"session": started["session"]}, headers=new_key())
            assert_result(response, number == RIGHT)
        stored = app.replicas[0].log.read_bytes() + redis.everything_in(url)
        for secret in (b"verified", started["session"].encode(), number.strip("+").encode()):
            assert secret not in stored


@pytest.mark.parametrize(
    ("query", "fallback"),
    [
        ({"code": "invented"}, OTHER),
        ({"error": "access_denied"}, OTHER),
        ({"error": "temporarily_unavailable"}, AGAIN),
        ({"error": "invalid_scope"}, FIX),
    ],
)
def test_complete_returns_error_of_callback(app: Backend, query: dict[str, str], fallback: str) -> None:
    device = app.device()
    started = start(device)
    lose_response(app, query | {"state": state_in(started)}, started["session"])
    for _ in range(2):
        assert_problem(device.post("/complete", json={"session": started["session"]}, headers=new_key()), 403, fallback)


def test_only_holder_of_session_receives_result(app: Backend, world: World) -> None:
    started, other = start(app.device()), start(app.device())["session"]
    session, state = started["session"], state_in(started)
    lose_response(app, world.code(started["authUrl"]), session)
    for body, cookie, expected in [
        ({}, None, (400, FIX)),
        ({"state": state}, None, (400, FIX)),
        ({"session": state}, None, (401, OTHER)),
        ({"session": f"{session}AAAA"}, None, (401, OTHER)),
        ({"session": other}, None, (409, OTHER)),
        ({}, other, (409, OTHER)),
        ({"session": session}, other, (403, OTHER)),
        ({"session": session, "state": state_in(start(app.device()))}, None, (403, OTHER)),
        ({"session": session, "code": "other", "state": state}, None, (409, OTHER)),
        ({"session": session, "code": None}, None, (400, FIX)),
    ]:
        headers = {"Cookie": f"{COOKIE}={cookie}"} if cookie else {}
        assert_problem(app.device().post("/complete", json=body, headers=headers), *expected)
    assert_result(app.device().post("/complete", json={"session": session}), True)


def test_callback_without_proof_leaves_no_result(app: Backend, world: World) -> None:
    device = app.device()
    started = start(device)
    query = world.code(started["authUrl"])
    lose_response(app, query, "nonsense")
    body = {"session": started["session"]}
    assert_problem(device.post("/complete", json=body, headers=new_key()), 409, OTHER)
    lose_response(app, query, started["session"])
    assert_result(device.post("/complete", json=body, headers=new_key()), True)


def test_complete_with_code_leaves_no_result(app: Backend, world: World) -> None:
    device = app.device()
    query = world.code(start(device)["authUrl"])
    assert_result(device.post("/complete", json=query), True)
    assert_problem(device.post("/complete", json={}), 409, OTHER)


def test_result_expires_with_session(backend: Backends, world: World) -> None:
    app = backend("follow-through", NUMBER_VERIFY_LIFETIME_S="10")
    device = app.device()

    def is_in_time() -> bool:
        started = start(device)
        lose_response(app, world.code(started["authUrl"]), started["session"])
        body.update(session=started["session"])
        return device.post("/complete", json=body).status_code == 200

    body: dict[str, str] = {}
    until(is_in_time, "a result is fetched before it expires")
    until(lambda: device.post("/complete", json=body).status_code != 200, "the result expires")
    assert_problem(device.post("/complete", json=body), 409, OTHER)


@contextmanager
def running_callback(app: Backend, world: World, stuck: StuckServer) -> Iterator[dict[str, str]]:
    """A callback that waits for the provider, on the first replica. Yields the body for complete."""
    until(lambda: app.device().post("/start", json={"phoneNumber": RIGHT}).status_code == 200, "the provider is known")
    started = start(app.device())
    with send_callback(app, world.code(started["authUrl"]), f"{PROOF}: {started['session']}"):
        stuck.await_connection()
        yield {"session": started["session"]}


def test_complete_waits_for_running_callback(
    new_backend: Backends, implementation: Implementation, redis: RedisServer, world: World
) -> None:
    """The phone has disconnected. Its complete call then returns the callback's result: a provider timeout."""
    with StuckServer() as stuck:
        provider = implementation.verify_at(stuck.url) | {"NUMBER_VERIFY_PROVIDER_TIMEOUT_S": "15"}
        app = new_backend("follow-through", replicas=2, REDIS_URL=redis.url(), **provider)
        with running_callback(app, world, stuck) as body:
            pass
        for replica in (1, 0):
            assert_problem(app.device(replica).post("/complete", json=body, headers=new_key()), 504, AGAIN)


def test_replica_that_dies_in_callback_leaves_no_result(
    new_backend: Backends, implementation: Implementation, redis: RedisServer, world: World
) -> None:
    with StuckServer() as stuck:
        settings = implementation.verify_at(stuck.url) | {"REDIS_URL": redis.url()}
        app = new_backend("follow-through", **settings)
        app.add_replica(**settings | {"NUMBER_VERIFY_PROVIDER_TIMEOUT_S": "1"}).await_readiness()
        with running_callback(app, world, stuck) as body:
            app.replicas[0].kill()
        assert_problem(app.device(1).post("/complete", json=body), 409, OTHER)
