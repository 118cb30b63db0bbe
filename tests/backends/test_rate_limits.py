"""Limits by number and by address. They count on all replicas together, and who is over one is told when to return."""

import time

import pytest
from httpx import Response

from calls import AGAIN, FIX, Backends, a_key, a_request, assert_problem, assert_verdict, start
from implementations import Implementation
from redis_server import RedisServer
from running import Backend
from waiting import until
from world import RIGHT, WRONG, World

HERE, THERE = "127.0.0.2", "127.0.0.3"


@pytest.fixture(params=["one replica", "three replicas"])
def limited(request: pytest.FixtureRequest, own_backend: Backends) -> Backends:
    if request.param == "one replica":
        return own_backend
    redis: RedisServer = request.getfixturevalue("redis")
    return lambda **settings: own_backend(replicas=3, REDIS_URL=redis.url(), **settings)


def assert_limited(answer: Response, window_s: int) -> None:
    assert_problem(answer, 429, AGAIN)
    assert 0 < int(answer.headers["retry-after"]) <= window_s


def post_start(app: Backend, index: int, number: str = RIGHT, address: str = HERE, **headers: str) -> Response:
    """To one replica after the other."""
    device = app.device(index % len(app.replicas), address)
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
        device = app.device(index % len(app.replicas), HERE)
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
    refused: dict[str, str] = {}

    def is_refused() -> bool:
        """Not at once if the window has ended meanwhile: then the start begins another one."""
        refused.update(a_key())
        answer = post_start(app, 0, **refused)
        if answer.status_code == 200:
            return False
        assert_limited(answer, 2)
        return True

    until(is_refused, "a start within the window of two seconds")
    until(lambda: post_start(app, 0, **refused).status_code == 200, "the window ends")


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


def forwarded(app: Backend, *lines: bytes) -> Response:
    """A start that comes from the proxy with these lines of X-Forwarded-For."""
    headers = [("X-Forwarded-For", line) for line in lines]
    return app.device().post("/start", json={"phoneNumber": RIGHT}, headers=headers)


@pytest.fixture
def proxied(own_backend: Backends, implementation: Implementation) -> Backend:
    return own_backend(NUMBER_VERIFY_STARTS_PER_ADDRESS="1/600", **implementation.behind("127.0.0.1"))


def test_a_client_has_one_limit_whatever_comes_before_its_address(proxied: Backend) -> None:
    assert forwarded(proxied, b"198.51.100.1").status_code == 200
    for lines in [
        [b"\xff, 198.51.100.1"],
        [b"\xff", b"198.51.100.1"],
        ["é, 198.51.100.1".encode()],
        [b"203.0.113.9,198.51.100.1"],
        [b"203.0.113.9\xff,\t198.51.100.1"],
        [b", ,198.51.100.1"],
        [b"", b"198.51.100.1"],
        [b"198.51.100.1:4711"],
        [b"::ffff:198.51.100.1"],
        [b"::FFFF:c633:6401"],
        [b"[::ffff:198.51.100.1]:4711"],
        [b"198.51.100.1, 127.0.0.1"],
        [b"\xff, 198.51.100.1", b"127.0.0.1"],
    ]:
        assert_limited(forwarded(proxied, *lines), 600)


@pytest.mark.parametrize(
    "lines",
    [
        [b"\xff"],
        [b"198.51.100.1\xff"],
        [b"198.51.100.1, \xff"],
        [b"198.51.100.1", b"\xff"],
        [b"198.51.100.1, unknown"],
        [b"\xff, 127.0.0.1"],
        ["198.51.100.\N{FULLWIDTH DIGIT ONE}".encode()],
        [b"2001:db8::1%25zone"],
        [b"2001:db8::1%zone"],
        [b"999.51.100.1"],
        [b"198.51.100.01"],
    ],
)
def test_a_client_whose_address_is_not_understood_is_refused(proxied: Backend, lines: list[bytes]) -> None:
    """Otherwise it would have a limit of its own, or the proxy's."""
    headers = [("X-Forwarded-For", line) for line in lines]
    device = proxied.device()
    for answer in [
        forwarded(proxied, *lines),
        device.post("/complete", json={"code": "c"}, headers=headers),
        device.get("/callback?code=c&state=s", headers=headers),
        device.post("/abort", json={"reason": "cancelled"}, headers=headers),
    ]:
        assert_problem(answer, 400, FIX)
    assert device.get("/health", headers=headers).status_code == 200
    assert forwarded(proxied, b"198.51.100.1").status_code == 200


def test_a_header_that_is_not_believed_is_not_read(own_backend: Backends, implementation: Implementation) -> None:
    app = own_backend(NUMBER_VERIFY_STARTS_PER_ADDRESS="1/600", **implementation.behind("192.0.2.1"))
    assert forwarded(app, b"198.51.100.1, \xff").status_code == 200
    for lines in [[b"\xff"], [b"198.51.100.2"], [b"nonsense", b"\xff"], []]:
        assert_limited(forwarded(app, *lines), 600)


def test_ipv6_clients_count_by_64_and_all_of_a_48_together(proxied: Backend) -> None:
    """A /48 may have ten times as many calls. What the /64's limit refuses is not counted for its /48."""
    assert forwarded(proxied, b"2001:db8:0:1::1").status_code == 200
    for host in range(20):
        assert_limited(forwarded(proxied, b"2001:db8:0:1:%x::2" % host), 600)
    for subnet in range(2, 11):
        assert forwarded(proxied, b"2001:db8:0:%x::1" % subnet).status_code == 200
    for subnet in ("b", "ffff"):
        assert_limited(forwarded(proxied, f"2001:db8:0:{subnet}::1".encode()), 600)
    assert forwarded(proxied, b"2001:db8:1:1::1").status_code == 200
    assert forwarded(proxied, b"198.51.100.1").status_code == 200


def test_ipv4_clients_count_by_address(proxied: Backend) -> None:
    for host in range(30):
        assert forwarded(proxied, (b"198.51.100.%d", b"::ffff:198.51.100.%d")[host % 2] % host).status_code == 200


def test_the_default_limits(own_backend: Backends) -> None:
    app = own_backend(NUMBER_VERIFY_STARTS_PER_NUMBER="", NUMBER_VERIFY_STARTS_PER_ADDRESS="")
    for _ in range(5):
        start(app.device())
    assert_limited(post_start(app, 0), 600)

    def is_limited_after_60() -> bool:
        """A minute's window must not end meanwhile. If it has, a new one began."""
        until(lambda: post_start(app, 0, numbers.pop(), THERE).status_code == 200, "a window begins")
        began = time.monotonic()
        statuses = [post_start(app, 0, numbers.pop(), THERE).status_code for _ in range(60)]
        return time.monotonic() - began < 50 and statuses == [200] * 59 + [429]

    numbers = [f"+1415555{index:04}" for index in range(10_000)]
    assert is_limited_after_60() or is_limited_after_60()
