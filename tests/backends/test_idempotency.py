"""The same request with the same Idempotency-Key gets the same answer; another request with it is refused."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from calls import AGAIN, FIX, OTHER, Backends, a_key, a_request, assert_problem, assert_verdict, start, state_in
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


def sent(app: Backend, path: str, times: int, at_once: bool, **request: object) -> list[httpx.Response]:
    """The same request from different devices, to one replica after the other."""
    devices = [app.device(index % len(app.replicas)) for index in range(times)]
    with ThreadPoolExecutor(times if at_once else 1) as pool:
        return list(pool.map(lambda device: device.post(path, **request), devices))


@pytest.mark.parametrize("at_once", [False, True])
def test_the_same_start(app: Backend, at_once: bool) -> None:
    key = a_key()
    answers = sent(app, "/start", 6, at_once, json={"phoneNumber": RIGHT}, headers=key)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert len({answer.headers["set-cookie"] for answer in answers}) == 1
    for answer in sent(app, "/start", 2, at_once, json={"phoneNumber": WRONG}, headers=key):
        assert_problem(answer, 422, FIX)
    started = answers[0].json()
    body = {"phoneNumber": RIGHT, "code": "c", "state": state_in(started), "session": started["session"]}
    for answer in sent(app, "/complete", 2, at_once, json=body, headers=key):
        assert_problem(answer, 422, FIX)


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("number", [RIGHT, WRONG])
def test_the_same_complete(app: Backend, world: World, number: str, at_once: bool) -> None:
    request, key = a_request(app.device(), world, number), a_key()
    for answer in sent(app, "/complete", 6, at_once, json=request, headers=key):
        assert_verdict(answer, number == RIGHT)
    for answer in sent(app, "/complete", 2, at_once, json=request | {"code": "x"}, headers=key):
        assert_problem(answer, 422, FIX)


@pytest.mark.parametrize("at_once", [False, True])
def test_a_refusal_is_an_answer_too(app: Backend, at_once: bool) -> None:
    started, key = start(app.device()), a_key()
    request = {"code": "invented", "state": state_in(started), "session": started["session"]}
    answers = sent(app, "/complete", 4, at_once, json=request, headers=key)
    for answer in answers:
        assert_problem(answer, 403, OTHER)
    assert len({answer.content for answer in answers}) == 1


def test_without_the_key_one_of_many_wins(app: Backend, world: World) -> None:
    answers = sent(app, "/complete", 8, True, json=a_request(app.device(), world))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 7]


def test_different_keys_at_the_same_time(app: Backend, world: World) -> None:
    request = a_request(app.device(), world)
    with ThreadPoolExecutor(8) as pool:
        devices = [app.device(index % len(app.replicas)) for index in range(8)]
        answers = list(pool.map(lambda device: device.post("/complete", json=request, headers=a_key()), devices))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 7]


def test_who_waits_for_the_first_waits_not_for_ever(
    own_backend: Backends, implementation: Implementation, redis: RedisServer, world: World
) -> None:
    """The first is at a provider that does not answer, and its replica dies."""
    with StuckServer() as stuck:
        settings = implementation.verify_at(stuck.url) | {"REDIS_URL": redis.url()}
        app = own_backend(**settings)
        app.add_replica(**settings | {"NUMBER_VERIFY_PROVIDER_TIMEOUT_S": "2"}).await_readiness()
        request, key = a_request(app.device(0), world), a_key()
        with ThreadPoolExecutor(1) as pool:
            cut = pool.submit(app.device(0).post, "/complete", json=request, headers=key)
            stuck.await_connection()
            app.replicas[0].kill()
            with pytest.raises(httpx.TransportError):
                cut.result()
        assert_problem(app.device(1).post("/complete", json=request | {"code": "x"}, headers=key), 422, FIX)
        assert_problem(app.device(1).post("/complete", json=request, headers=key), 409, AGAIN)
        assert_problem(app.device(1).post("/complete", json=request, headers=a_key()), 409, OTHER)
