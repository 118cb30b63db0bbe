"""Limits by number and by address. They count on all copies together, and who is over one is told when to return."""

import pytest
from httpx import Response

from calls import AGAIN, FIX, Backends, a_key, a_request, assert_problem, assert_verdict, start
from implementations import Implementation
from redis_server import RedisServer
from running import Backend
from waiting import until
from world import RIGHT, WRONG, World

HERE, THERE = "127.0.0.2", "127.0.0.3"


@pytest.fixture(params=["one copy", "three copies"])
def limited(request: pytest.FixtureRequest, own_backend: Backends) -> Backends:
    if request.param == "one copy":
        return own_backend
    redis: RedisServer = request.getfixturevalue("redis")
    return lambda **settings: own_backend(copies=3, REDIS_URL=redis.url(), **settings)


def assert_limited(answer: Response, window_s: int) -> None:
    assert_problem(answer, 429, AGAIN)
    assert 0 < int(answer.headers["retry-after"]) <= window_s


def post_start(app: Backend, index: int, number: str = RIGHT, address: str = HERE, **headers: str) -> Response:
    """To one copy after the other."""
    device = app.device(index % len(app.copies), address)
    return device.post("/start", json={"phoneNumber": number}, headers=headers)


def test_starts_for_a_number(limited: Backends) -> None:
    app = limited(NUMBER_VERIFY_STARTS_PER_NUMBER="4/600")
    answers = [post_start(app, index, address=f"127.0.1.{index + 1}") for index in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2
    for answer in answers[4:]:
        assert_limited(answer, 600)
        assert "set-cookie" not in answer.headers
    assert post_start(app, 0, WRONG).status_code == 200


def test_starts_from_an_address(limited: Backends) -> None:
    app = limited(NUMBER_VERIFY_STARTS_PER_ADDRESS="4/600")
    answers = [post_start(app, index, f"+1415555{index:04}") for index in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2
    assert_limited(answers[5], 600)
    assert post_start(app, 0, address=THERE).status_code == 200


def test_calls_from_an_address(limited: Backends) -> None:
    """Whatever they are about: guessing is counted too."""
    app = limited(NUMBER_VERIFY_CALLS_PER_ADDRESS="6/600")
    for index in range(3):
        device = app.device(index % len(app.copies), HERE)
        assert_problem(device.post("/complete", json={}), 400, FIX)
        assert device.get("/callback?code=c&state=s").status_code == 403
    device = app.device(0, HERE)
    assert_limited(device.post("/complete", json={"code": "c"}), 600)
    assert_limited(device.get("/callback?code=c&state=s"), 600)
    assert device.get("/health").status_code == 200
    assert post_start(app, 1).status_code == 200


def test_a_window_ends(own_backend: Backends) -> None:
    app = own_backend(NUMBER_VERIFY_STARTS_PER_NUMBER="1/1")
    assert post_start(app, 0).status_code == 200
    until(lambda: post_start(app, 0).status_code == 200, "the window of one second ends")


def test_the_same_key_counts_once_and_a_refusal_is_not_kept(own_backend: Backends) -> None:
    """The phone repeats a call with its key after Retry-After: then it must get a new answer."""
    app = own_backend(NUMBER_VERIFY_STARTS_PER_NUMBER="1/2")
    key = a_key()
    answers = {post_start(app, 0, **key).text for _ in range(3)}
    assert len(answers) == 1 and "authUrl" in answers.pop()
    other = a_key()
    assert_limited(post_start(app, 0, **other), 2)
    until(lambda: post_start(app, 0, **other).status_code == 200, "the window of two seconds ends")


def test_a_limit_leaves_flows_under_way_alone(own_backend: Backends, world: World) -> None:
    app = own_backend(NUMBER_VERIFY_STARTS_PER_NUMBER="1/600")
    device = app.device()
    request = a_request(device, world)
    assert_limited(device.post("/start", json={"phoneNumber": RIGHT}), 600)
    assert_verdict(device.post("/complete", json=request), True)


@pytest.mark.parametrize("is_trusted", [True, False])
def test_who_a_proxy_says_it_is(own_backend: Backends, implementation: Implementation, is_trusted: bool) -> None:
    """Anybody can send X-Forwarded-For; it counts only from a proxy that the operator named."""
    proxy = implementation.behind("127.0.0.1" if is_trusted else "192.0.2.1")
    app = own_backend(NUMBER_VERIFY_STARTS_PER_ADDRESS="1/600", **proxy)
    clients = ["198.51.100.1", "198.51.100.2", "2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1"]
    numbers = [f"+1415555{index:04}" for index in range(len(clients))]
    statuses = [
        post_start(app, 0, number, "127.0.0.1", **{"X-Forwarded-For": client}).status_code
        for number, client in zip(numbers, clients, strict=True)
    ]
    # Of IPv6 clients the network is counted.
    assert statuses == ([200, 200, 200, 429, 200] if is_trusted else [200, 429, 429, 429, 429])


def test_the_default_limits(own_backend: Backends) -> None:
    app = own_backend(NUMBER_VERIFY_STARTS_PER_NUMBER="", NUMBER_VERIFY_STARTS_PER_ADDRESS="")
    for _ in range(5):
        start(app.device())
    assert_limited(post_start(app, 0), 600)
    statuses = [post_start(app, 0, f"+1415555{index:04}", THERE).status_code for index in range(61)]
    assert statuses == [200] * 60 + [429]
