"""Idempotency-Key: a repeated request gets the same response; another request with the same key is rejected."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from calls import AGAIN, FIX, OTHER, Backends, assert_problem, assert_result, new_key, new_request, start, state_in
from implementations import Implementation
from redis_server import RedisServer
from running import Backend
from stuck import StuckServer
from world import RIGHT, WRONG, World


@pytest.fixture(params=["one replica", "two replicas"])
def app(request: pytest.FixtureRequest, backend: Backends) -> Backend:
    return backend() if request.param == "one replica" else request.getfixturevalue("two_replicas")


@pytest.fixture(scope="session")
def two_replicas(backend: Backends, redis: RedisServer) -> Backend:
    return backend("redirect", replicas=2, REDIS_URL=redis.url())


def send_all(app: Backend, path: str, times: int, concurrent: bool, **request: object) -> list[httpx.Response]:
    """Sends the same request from different devices, to the replicas in turn."""
    devices = [app.device(index % len(app.replicas)) for index in range(times)]
    with ThreadPoolExecutor(times if concurrent else 1) as pool:
        return list(pool.map(lambda device: device.post(path, **request), devices))


@pytest.mark.parametrize("concurrent", [False, True])
def test_repeated_start_returns_the_same_response(app: Backend, concurrent: bool) -> None:
    key = new_key()
    responses = send_all(app, "/start", 6, concurrent, json={"phoneNumber": RIGHT}, headers=key)
    assert {response.status_code for response in responses} == {200}
    assert len({response.content for response in responses}) == 1
    assert len({response.headers["set-cookie"] for response in responses}) == 1
    for response in send_all(app, "/start", 2, concurrent, json={"phoneNumber": WRONG}, headers=key):
        assert_problem(response, 422, FIX)
    started = responses[0].json()
    body = {"phoneNumber": RIGHT, "code": "c", "state": state_in(started), "session": started["session"]}
    for response in send_all(app, "/complete", 2, concurrent, json=body, headers=key):
        assert_problem(response, 422, FIX)


@pytest.mark.parametrize("concurrent", [False, True])
@pytest.mark.parametrize("number", [RIGHT, WRONG])
def test_repeated_complete_returns_the_same_result(app: Backend, world: World, number: str, concurrent: bool) -> None:
    request, key = new_request(app.device(), world, number), new_key()
    for response in send_all(app, "/complete", 6, concurrent, json=request, headers=key):
        assert_result(response, number == RIGHT)
    for response in send_all(app, "/complete", 2, concurrent, json=request | {"code": "x"}, headers=key):
        assert_problem(response, 422, FIX)


@pytest.mark.parametrize("concurrent", [False, True])
def test_repeated_complete_returns_the_same_error(app: Backend, concurrent: bool) -> None:
    started, key = start(app.device()), new_key()
    request = {"code": "invented", "state": state_in(started), "session": started["session"]}
    responses = send_all(app, "/complete", 4, concurrent, json=request, headers=key)
    for response in responses:
        assert_problem(response, 403, OTHER)
    assert len({response.content for response in responses}) == 1


def test_exactly_one_concurrent_complete_without_key_wins(app: Backend, world: World) -> None:
    responses = send_all(app, "/complete", 8, True, json=new_request(app.device(), world))
    assert sorted(response.status_code for response in responses) == [200, *[409] * 7]


def test_exactly_one_concurrent_complete_with_different_keys_wins(app: Backend, world: World) -> None:
    request = new_request(app.device(), world)
    with ThreadPoolExecutor(8) as pool:
        devices = [app.device(index % len(app.replicas)) for index in range(8)]
        responses = list(pool.map(lambda device: device.post("/complete", json=request, headers=new_key()), devices))
    assert sorted(response.status_code for response in responses) == [200, *[409] * 7]


def test_waiting_for_inflight_request_times_out(
    new_backend: Backends, implementation: Implementation, redis: RedisServer, world: World
) -> None:
    """The first request waits for a provider that does not respond, and its replica is killed."""
    with StuckServer() as stuck:
        settings = implementation.verify_at(stuck.url) | {"REDIS_URL": redis.url()}
        app = new_backend(**settings)
        app.add_replica(**settings | {"NUMBER_VERIFY_PROVIDER_TIMEOUT_S": "2"}).await_readiness()
        request, key = new_request(app.device(0), world), new_key()
        with ThreadPoolExecutor(1) as pool:
            interrupted = pool.submit(app.device(0).post, "/complete", json=request, headers=key)
            stuck.await_connection()
            app.replicas[0].kill()
            with pytest.raises(httpx.TransportError):
                interrupted.result()
        assert_problem(app.device(1).post("/complete", json=request | {"code": "x"}, headers=key), 422, FIX)
        assert_problem(app.device(1).post("/complete", json=request, headers=key), 409, AGAIN)
        assert_problem(app.device(1).post("/complete", json=request, headers=new_key()), 409, OTHER)
