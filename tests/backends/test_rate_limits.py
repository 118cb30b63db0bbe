"""Rate limits by number and by address, shared by all replicas. Exceeding one returns 429 with Retry-After."""

import time

import pytest
from httpx import Response

from calls import AGAIN, FIX, Backends, assert_problem, assert_result, new_key, new_request, start
from implementations import Implementation
from redis_server import RedisServer
from running import Backend
from waiting import until
from world import RIGHT, WRONG, World

HERE, THERE = "127.0.0.2", "127.0.0.3"


@pytest.fixture(params=["one replica", "three replicas"])
def limited(request: pytest.FixtureRequest, new_backend: Backends) -> Backends:
    if request.param == "one replica":
        return new_backend
    redis: RedisServer = request.getfixturevalue("redis")
    return lambda **settings: new_backend(replicas=3, REDIS_URL=redis.url(), **settings)


def assert_limited(response: Response, window_s: int) -> None:
    assert_problem(response, 429, AGAIN)
    assert 0 < int(response.headers["retry-after"]) <= window_s


def post_start(app: Backend, index: int, number: str = RIGHT, address: str = HERE, **headers: str) -> Response:
    """To the replicas in turn."""
    device = app.device(index % len(app.replicas), address)
    return device.post("/start", json={"phoneNumber": number}, headers=headers)


def test_starts_over_the_number_limit_return_429(limited: Backends) -> None:
    app = limited(NUMBER_VERIFY_STARTS_PER_NUMBER="4/600")
    responses = [post_start(app, index, address=f"127.0.1.{index + 1}") for index in range(6)]
    assert [response.status_code for response in responses] == [200] * 4 + [429] * 2
    for response in responses[4:]:
        assert_limited(response, 600)
        assert "set-cookie" not in response.headers
    assert post_start(app, 0, WRONG).status_code == 200


def test_starts_over_the_address_limit_return_429(limited: Backends) -> None:
    app = limited(NUMBER_VERIFY_STARTS_PER_ADDRESS="4/600")
    responses = [post_start(app, index, f"+1415555{index:04}") for index in range(6)]
    assert [response.status_code for response in responses] == [200] * 4 + [429] * 2
    assert_limited(responses[5], 600)
    assert post_start(app, 0, address=THERE).status_code == 200


def test_calls_over_the_address_limit_return_429(limited: Backends) -> None:
    """Failed calls count as well, to limit guessing."""
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


def test_limit_resets_after_its_window(new_backend: Backends) -> None:
    app = new_backend(NUMBER_VERIFY_STARTS_PER_NUMBER="1/1")
    assert post_start(app, 0).status_code == 200
    until(lambda: post_start(app, 0).status_code == 200, "the window of one second ends")


def test_repeat_counts_once_and_429_is_not_stored(new_backend: Backends) -> None:
    """The phone retries with the same key after Retry-After, and must get a new response."""
    app = new_backend(NUMBER_VERIFY_STARTS_PER_NUMBER="1/2")
    key = new_key()
    responses = {post_start(app, 0, **key).text for _ in range(3)}
    assert len(responses) == 1 and "authUrl" in responses.pop()
    headers: dict[str, str] = {}

    def is_limited() -> bool:
        """False if the window has ended meanwhile and this start began a new one."""
        headers.update(new_key())
        response = post_start(app, 0, **headers)
        if response.status_code == 200:
            return False
        assert_limited(response, 2)
        return True

    until(is_limited, "a start within the window of two seconds")
    until(lambda: post_start(app, 0, **headers).status_code == 200, "the window ends")


def test_start_limit_does_not_affect_complete(new_backend: Backends, world: World) -> None:
    app = new_backend(NUMBER_VERIFY_STARTS_PER_NUMBER="1/600")
    device = app.device()
    request = new_request(device, world)
    assert_limited(device.post("/start", json={"phoneNumber": RIGHT}), 600)
    assert_result(device.post("/complete", json=request), True)


@pytest.mark.parametrize("is_trusted", [True, False])
def test_forwarded_address_applies_only_from_a_trusted_proxy(
    new_backend: Backends, implementation: Implementation, is_trusted: bool
) -> None:
    """Any client can send X-Forwarded-For; it applies only from a configured proxy."""
    proxy = implementation.behind("127.0.0.1" if is_trusted else "192.0.2.1")
    app = new_backend(NUMBER_VERIFY_STARTS_PER_ADDRESS="1/600", **proxy)
    clients = ["198.51.100.1", "198.51.100.2", "2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1"]
    numbers = [f"+1415555{index:04}" for index in range(len(clients))]
    statuses = [
        post_start(app, 0, number, "127.0.0.1", **{"X-Forwarded-For": client}).status_code
        for number, client in zip(numbers, clients, strict=True)
    ]
    # IPv6 clients are counted by network.
    assert statuses == ([200, 200, 200, 429, 200] if is_trusted else [200, 429, 429, 429, 429])


def forwarded(app: Backend, *lines: bytes) -> Response:
    """A start from the proxy with these X-Forwarded-For lines."""
    headers = [("X-Forwarded-For", line) for line in lines]
    return app.device().post("/start", json={"phoneNumber": RIGHT}, headers=headers)


@pytest.fixture
def proxied(new_backend: Backends, implementation: Implementation) -> Backend:
    return new_backend(NUMBER_VERIFY_STARTS_PER_ADDRESS="1/600", **implementation.behind("127.0.0.1"))


def test_forged_forwarded_prefix_does_not_bypass_the_limit(proxied: Backend) -> None:
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
def test_malformed_forwarded_address_returns_400(proxied: Backend, lines: list[bytes]) -> None:
    """Otherwise it would have a separate limit, or that of the proxy."""
    headers = [("X-Forwarded-For", line) for line in lines]
    device = proxied.device()
    for response in [
        forwarded(proxied, *lines),
        device.post("/complete", json={"code": "c"}, headers=headers),
        device.get("/callback?code=c&state=s", headers=headers),
        device.post("/abort", json={"reason": "cancelled"}, headers=headers),
    ]:
        assert_problem(response, 400, FIX)
    assert device.get("/health", headers=headers).status_code == 200
    assert forwarded(proxied, b"198.51.100.1").status_code == 200


def test_forwarded_header_of_an_untrusted_peer_is_ignored(
    new_backend: Backends, implementation: Implementation
) -> None:
    app = new_backend(NUMBER_VERIFY_STARTS_PER_ADDRESS="1/600", **implementation.behind("192.0.2.1"))
    assert forwarded(app, b"198.51.100.1, \xff").status_code == 200
    for lines in [[b"\xff"], [b"198.51.100.2"], [b"nonsense", b"\xff"], []]:
        assert_limited(forwarded(app, *lines), 600)


def test_ipv6_clients_are_limited_by_64_and_48(proxied: Backend) -> None:
    """A /48 has ten times the limit. Requests rejected by the limit of a /64 do not count towards that of its /48."""
    assert forwarded(proxied, b"2001:db8:0:1::1").status_code == 200
    for host in range(20):
        assert_limited(forwarded(proxied, b"2001:db8:0:1:%x::2" % host), 600)
    for subnet in range(2, 11):
        assert forwarded(proxied, b"2001:db8:0:%x::1" % subnet).status_code == 200
    for subnet in ("b", "ffff"):
        assert_limited(forwarded(proxied, f"2001:db8:0:{subnet}::1".encode()), 600)
    assert forwarded(proxied, b"2001:db8:1:1::1").status_code == 200
    assert forwarded(proxied, b"198.51.100.1").status_code == 200


def test_ipv4_clients_are_limited_by_address(proxied: Backend) -> None:
    for host in range(30):
        assert forwarded(proxied, (b"198.51.100.%d", b"::ffff:198.51.100.%d")[host % 2] % host).status_code == 200


def test_default_limits_apply(new_backend: Backends) -> None:
    app = new_backend(NUMBER_VERIFY_STARTS_PER_NUMBER="", NUMBER_VERIFY_STARTS_PER_ADDRESS="")
    for _ in range(5):
        start(app.device())
    assert_limited(post_start(app, 0), 600)

    def is_limited_after_60() -> bool:
        """False if the one-minute window ended meanwhile."""
        until(lambda: post_start(app, 0, numbers.pop(), THERE).status_code == 200, "a window begins")
        began = time.monotonic()
        statuses = [post_start(app, 0, numbers.pop(), THERE).status_code for _ in range(60)]
        return time.monotonic() - began < 50 and statuses == [200] * 59 + [429]

    numbers = [f"+1415555{index:04}" for index in range(10_000)]
    assert is_limited_after_60() or is_limited_after_60()
