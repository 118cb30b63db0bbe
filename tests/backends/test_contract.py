"""The contract, call by call."""

import hashlib
from urllib.parse import parse_qsl, urlsplit

import pytest

from calls import COOKIE, FIX, OTHER, Backends, a_request, assert_problem, assert_verdict, start, state_in
from world import RIGHT, WRONG, World


def test_start_makes_a_session(backend: Backends) -> None:
    app = backend()
    answer = app.device().post("/start", json={"phoneNumber": RIGHT})
    told = answer.json()
    query = dict(parse_qsl(urlsplit(told["authUrl"]).query))
    assert query["redirect_uri"] == f"{app.url}/callback"
    assert told.get("redirectUri", query["redirect_uri"]) == query["redirect_uri"]
    assert query["state"] == hashlib.sha256(told["session"].encode()).hexdigest()
    assert RIGHT.strip("+") not in answer.text + str(answer.headers)
    cookie, *flags = answer.headers["set-cookie"].split("; ")
    assert cookie == f"{COOKIE}={told['session']}"
    assert {flag.lower() for flag in flags} == {"httponly", "max-age=300", "path=/", "samesite=lax"}
    assert answer.headers["cache-control"] == "no-store"
    assert start(app.device())["session"] != told["session"]


@pytest.mark.parametrize(
    ("host", "secure"), [("127.0.0.1", False), ("localhost:8000", False), ("[::1]", False), ("api.example.com", True)]
)
def test_the_cookie_is_secure_but_on_a_plain_local_address(backend: Backends, host: str, secure: bool) -> None:
    answer = backend().device().post("/start", json={"phoneNumber": RIGHT}, headers={"Host": host})
    assert ("secure" in answer.headers["set-cookie"].lower().split("; ")) == secure


@pytest.mark.parametrize(
    ("schemes", "secure"),
    [
        ([b"http"], False),
        ([b"https"], True),
        ([b"HTTPS"], True),
        ([b"http, https"], True),
        ([b"http", b"https"], True),
        ([b"https", b"http"], True),
        ([b"\xff"], True),
    ],
)
def test_the_cookie_is_secure_if_a_proxy_may_have_ended_tls(
    backend: Backends, schemes: list[bytes], secure: bool
) -> None:
    headers = [("Host", "localhost"), *(("X-Forwarded-Proto", scheme) for scheme in schemes)]
    answer = backend().device().post("/start", json={"phoneNumber": RIGHT}, headers=headers)
    assert ("secure" in answer.headers["set-cookie"].lower().split("; ")) == secure


@pytest.mark.parametrize("number", [RIGHT, WRONG])
@pytest.mark.parametrize("by", ["body", "cookie", "both"])
def test_the_session_comes_by_body_or_cookie(backend: Backends, world: World, number: str, by: str) -> None:
    app = backend()
    device = app.device()
    started = start(device, number)
    request = world.code(started["authUrl"])
    if by != "cookie":
        request["session"] = started["session"]
    assert_verdict((app.device() if by == "body" else device).post("/complete", json=request), number == RIGHT)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", "application/x.y+json"])
def test_all_names_of_json(backend: Backends, kind: str) -> None:
    body = f'{{"phoneNumber": "{RIGHT}"}}'
    assert backend().device().post("/start", content=body, headers={"Content-Type": kind}).status_code == 200


def test_members_that_nobody_asked_for_are_overlooked(backend: Backends) -> None:
    body = {"phoneNumber": RIGHT, "appVersion": "é", "more": {"deep": [1, 2.5, None, [[[[[]]]]]]}}
    assert backend().device().post("/start", json=body).status_code == 200


def test_a_session_is_used_once(backend: Backends, world: World) -> None:
    device = backend().device()
    request = a_request(device, world)
    assert_verdict(device.post("/complete", json=request), True)
    assert_problem(device.post("/complete", json=request), 409, OTHER)


def test_a_code_is_used_once(backend: Backends, world: World) -> None:
    device = backend().device()
    used = world.code(start(device)["authUrl"])
    assert_verdict(device.post("/complete", json=used), True)
    again = {"code": used["code"], "state": state_in(start(device))}
    assert_problem(device.post("/complete", json=again), 403, OTHER)
    assert_problem(device.post("/complete", json=again), 409, OTHER)


def landing(backend_url: str, world: World, auth_url: str, address: str | None = None) -> str:
    """Where the last redirect leads, on this machine."""
    location = world.open(auth_url, address).headers["location"]
    assert location.startswith(backend_url)
    return location.removeprefix(backend_url)


@pytest.mark.parametrize("number", [RIGHT, WRONG])
@pytest.mark.parametrize("by", ["header", "cookie", "both"])
def test_the_callback_counts_for_the_client_that_called_start(
    backend: Backends, world: World, number: str, by: str
) -> None:
    app = backend("follow-through")
    device = app.device()
    started = start(device, number)
    proof = {} if by == "cookie" else {"X-Number-Verify-Session": started["session"]}
    path = landing(app.url, world, started["authUrl"])
    client = app.device() if by == "header" else device
    assert_verdict(client.get(path, headers=proof), number == RIGHT)
    assert_problem(client.get(path, headers=proof), 409, OTHER)


def test_a_cookie_of_an_earlier_flow_does_not_spoil_the_header(backend: Backends, world: World) -> None:
    app = backend("follow-through")
    device = app.device()
    earlier, started = start(app.device()), start(device)
    path = landing(app.url, world, started["authUrl"])
    device.cookies.clear()
    proofs = {"X-Number-Verify-Session": started["session"], "Cookie": f"{COOKIE}={earlier['session']}"}
    assert_verdict(device.get(path, headers=proofs), True)


@pytest.mark.parametrize(
    ("query", "status", "fallback"),
    [
        ("error=access_denied", 403, OTHER),
        ("error=temporarily_unavailable", 403, "retry_later"),
        ("error=invalid_scope", 403, FIX),
        ("error=unauthorized_client", 403, FIX),
        ("error=request_uri_not_supported", 403, FIX),
        ("code=invented", 403, OTHER),
        ("", 400, FIX),
        ("code=", 400, FIX),
        ("code=%C3%A9", 400, FIX),
        ("code=%FF", 400, FIX),
        ("code=%00", 400, FIX),
        ("code=one&code=other", 400, FIX),
        ("code=one&error=access_denied", 400, FIX),
    ],
)
def test_a_callback_without_a_good_code(backend: Backends, query: str, status: int, fallback: str) -> None:
    device = backend("follow-through").device()
    state = state_in(start(device))
    assert_problem(device.get(f"/callback?{query}&state={state}"), status, fallback)


def test_health(backend: Backends) -> None:
    answer = backend().device().get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["cache-control"] == "no-store"


def test_complete_without_a_code_in_follow_through(backend: Backends) -> None:
    """The callback's answer was a proxy's page: another channel, not a mistake of the app."""
    app = backend("follow-through")
    device = app.device()
    session = start(device)["session"]
    assert_problem(device.post("/complete", json={"session": session}), 409, OTHER)
    assert_problem(app.device().post("/complete", json={}), 400, FIX)


def test_a_code_that_is_too_long(backend: Backends, world: World) -> None:
    device = backend().device()
    request = a_request(device, world)
    assert_problem(device.post("/complete", json=request | {"code": "c" * 4097}), 400, FIX)
    assert_problem(device.post("/complete", json=request | {"code": "c" * 4096}), 403, OTHER)
