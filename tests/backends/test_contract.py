"""The contract, call by call, and who tries to get around it."""

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import sleep
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import httpx
import pytest
from conftest import RIGHT, WRONG, Backend, World

Backends = Callable[..., Backend]
COOKIE = "number_verify_session"


def start(device: httpx.Client, number: str = RIGHT) -> dict[str, Any]:
    answer = device.post("/start", json={"phoneNumber": number})
    assert answer.status_code == 200, answer.text
    return answer.json()


def state_in(started: dict[str, Any]) -> str:
    return dict(parse_qsl(urlsplit(started["authUrl"]).query))["state"]


def assert_problem(answer: httpx.Response, status: int, fallback: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert (told["type"], told["status"], told["fallback"]) == ("about:blank", status, fallback)
    assert isinstance(told["title"], str)


# start


def test_start_makes_a_session(backend: Backends) -> None:
    app = backend("redirect")
    answer = app.device().post("/start", json={"phoneNumber": RIGHT})
    told = answer.json()
    query = dict(parse_qsl(urlsplit(told["authUrl"]).query))
    assert query["redirect_uri"] == told["redirectUri"] == f"{app.url}/callback"
    assert query["state"] == hashlib.sha256(told["session"].encode()).hexdigest()
    assert RIGHT.strip("+") not in told["authUrl"]
    assert "dev_print" not in query
    cookie, *flags = answer.headers["set-cookie"].split("; ")
    assert cookie == f"{COOKIE}={told['session']}"
    assert {flag.lower() for flag in flags} == {"httponly", "max-age=300", "path=/", "samesite=lax", "secure"}
    assert answer.headers["cache-control"] == "no-store"
    assert start(app.device())["session"] != told["session"]


def test_the_cookie_is_secure_but_on_a_plain_local_address(backend: Backends) -> None:
    device = backend("redirect", https=False).device()
    for host, secure in [("127.0.0.1", False), ("localhost:8000", False), ("api.example.com", True)]:
        answer = device.post("/start", json={"phoneNumber": RIGHT}, headers={"Host": host})
        assert ("secure" in answer.headers["set-cookie"].lower()) == secure, host
    forwarded = {"Host": "127.0.0.1", "X-Forwarded-Proto": "https"}
    answer = device.post("/start", json={"phoneNumber": RIGHT}, headers=forwarded)
    assert "secure" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize(
    "number",
    [
        *("", "+", "12", "14155550100", "+1415", "+04155550100", "+1415555010012345", "+1 415 555 0100"),
        *("+14155550100\n", "+1415555010O", "+١٤١٥٥٥٥٠١٠٠", "tel:+14155550100"),
        *(None, 14155550100, True, [RIGHT], {"number": RIGHT}),
    ],
)
def test_a_bad_number(backend: Backends, number: object) -> None:
    answer = backend("redirect").device().post("/start", json={"phoneNumber": number})
    assert_problem(answer, 400, "fix_integration")
    assert "4155" not in answer.text


@pytest.mark.parametrize("path", ["/start", "/complete"])
@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"null", b'"text"', b"\xff\xfe", b"{", b"[" * 10_000, b"{}"])
def test_a_bad_body(backend: Backends, path: str, body: bytes) -> None:
    assert_problem(backend("redirect").device().post(path, content=body), 400, "fix_integration")


@pytest.mark.parametrize("path", ["/start", "/complete"])
def test_a_large_body(backend: Backends, path: str) -> None:
    device = backend("redirect").device()
    large = json.dumps({"phoneNumber": RIGHT, "more": "x" * 20_000}).encode()
    assert_problem(device.post(path, content=large), 413, "fix_integration")
    assert_problem(device.post(path, content=iter([large])), 413, "fix_integration")  # chunked: no Content-Length


def test_other_calls(backend: Backends) -> None:
    device = backend("redirect").device()
    assert_problem(device.get(f"/nowhere/{RIGHT}"), 404, "fix_integration")
    assert_problem(device.get("/start"), 405, "fix_integration")
    assert_problem(device.post("/callback"), 405, "fix_integration")


# complete


@pytest.mark.parametrize("number", [RIGHT, WRONG])
@pytest.mark.parametrize("by", ["body", "cookie", "both"])
def test_the_session_comes_by_body_or_cookie(backend: Backends, world: World, number: str, by: str) -> None:
    app = backend("redirect")
    device = app.device()
    started = start(device, number)
    request = world.code(started["authUrl"])
    if by != "cookie":
        request["session"] = started["session"]
    answer = (app.device() if by == "body" else device).post("/complete", json=request)
    assert (answer.status_code, answer.json()) == (200, {"verified": number == RIGHT})


def test_the_number_comes_from_the_session_only(backend: Backends, world: World) -> None:
    device = backend("redirect").device()
    request = world.code(start(device, WRONG)["authUrl"]) | {"phoneNumber": RIGHT, "number": RIGHT}
    assert device.post("/complete", json=request).json() == {"verified": False}


def test_a_session_is_used_once(backend: Backends, world: World) -> None:
    device = backend("redirect").device()
    request = world.code(start(device)["authUrl"])
    assert device.post("/complete", json=request).json() == {"verified": True}
    assert_problem(device.post("/complete", json=request), 409, "use_another_channel")


def test_a_code_is_used_once(backend: Backends, world: World) -> None:
    device = backend("redirect").device()
    used = world.code(start(device)["authUrl"])
    assert device.post("/complete", json=used).json() == {"verified": True}
    again = {"code": used["code"], "state": state_in(start(device))}
    assert_problem(device.post("/complete", json=again), 403, "use_another_channel")
    assert_problem(device.post("/complete", json=again), 409, "use_another_channel")


def test_the_state_is_the_sessions(backend: Backends, world: World) -> None:
    app = backend("redirect")
    of_another = state_in(start(app.device()))
    for state in [of_another, "", "nonsense", None]:
        device = app.device()
        request = world.code(start(device)["authUrl"])
        assert_problem(device.post("/complete", json=request | {"state": state}), 403, "use_another_channel")
        assert_problem(device.post("/complete", json=request), 409, "use_another_channel")  # burnt


def test_a_json_answer_may_lack_the_state_but_have_no_other(backend: Backends, world: World) -> None:
    device = backend("dev_print").device()
    request = world.code(start(device)["authUrl"])
    assert device.post("/complete", json={"code": request["code"]}).json() == {"verified": True}
    request = world.code(start(device)["authUrl"])
    assert_problem(device.post("/complete", json=request | {"state": "other"}), 403, "use_another_channel")


def test_session_and_cookie_must_not_differ(backend: Backends, world: World) -> None:
    app = backend("redirect")
    device, of_another = app.device(), start(app.device())["session"]
    request = world.code(start(device)["authUrl"])
    for session in [of_another, "nonsense"]:
        answer = device.post("/complete", json=request | {"session": session})
        assert_problem(answer, 403, "use_another_channel")


def test_no_session_or_an_unknown_one(backend: Backends, world: World) -> None:
    app = backend("redirect")
    request = world.code(start(app.device())["authUrl"])
    for session in [None, "", "nonsense", request["state"]]:
        answer = app.device().post("/complete", json=request | {"session": session})
        assert_problem(answer, 409, "use_another_channel")
        answer = app.device().post("/complete", json=request, headers={"Cookie": f"{COOKIE}={session}"})
        assert_problem(answer, 409, "use_another_channel")


def test_members_of_the_wrong_kind(backend: Backends) -> None:
    device = backend("redirect").device()
    request = {"code": "code", "state": state_in(start(device))}
    for name in ["code", "state", "session"]:
        for value in [1, True, [], {}, "\ud800", "é", "line\nline"]:
            answer = device.post("/complete", content=json.dumps(request | {name: value}))
            assert_problem(answer, 400, "fix_integration")


def test_a_session_expires(backend: Backends, world: World) -> None:
    device = backend("redirect", NUMBER_VERIFY_LIFETIME_S="1").device()
    key = {"Idempotency-Key": str(uuid4())}
    first = device.post("/start", json={"phoneNumber": RIGHT}, headers=key)
    request = world.code(first.json()["authUrl"]) | {"session": first.json()["session"]}
    sleep(1.1)
    assert_problem(device.post("/complete", json=request), 409, "use_another_channel")
    second = device.post("/start", json={"phoneNumber": RIGHT}, headers=key)
    assert second.json()["session"] != first.json()["session"]


# Idempotency-Key


def test_the_same_start_gets_the_same_answer(backend: Backends) -> None:
    app = backend("redirect")
    key = {"Idempotency-Key": str(uuid4())}
    device = app.device()
    first = device.post("/start", json={"phoneNumber": RIGHT}, headers=key)
    for client in [device, app.device()]:
        again = client.post("/start", json={"phoneNumber": RIGHT}, headers=key)
        assert (again.status_code, again.content) == (200, first.content)
        assert again.headers["set-cookie"] == first.headers["set-cookie"]
    assert_problem(device.post("/start", json={"phoneNumber": WRONG}, headers=key), 422, "fix_integration")
    same_body = device.post("/complete", json={"phoneNumber": RIGHT, "code": "code"}, headers=key)
    assert_problem(same_body, 422, "fix_integration")


@pytest.mark.parametrize("number", [RIGHT, WRONG])
def test_the_same_complete_gets_the_same_answer(backend: Backends, world: World, number: str) -> None:
    app = backend("redirect")
    key = {"Idempotency-Key": str(uuid4())}
    device = app.device()
    request = world.code(start(device, number)["authUrl"])
    for _ in range(3):
        answer = device.post("/complete", json=request, headers=key)
        assert (answer.status_code, answer.json()) == (200, {"verified": number == RIGHT})
    assert_problem(device.post("/complete", json=request | {"code": "x"}, headers=key), 422, "fix_integration")
    other = app.device()
    start(other)
    assert_problem(other.post("/complete", json=request, headers=key), 422, "fix_integration")
    assert_problem(app.device().post("/complete", json=request, headers=key), 422, "fix_integration")


def test_a_refusal_is_an_answer_too(backend: Backends) -> None:
    device = backend("redirect").device()
    key = {"Idempotency-Key": str(uuid4())}
    request = {"code": "invented", "state": state_in(start(device))}
    answers = [device.post("/complete", json=request, headers=key) for _ in range(2)]
    for answer in answers:
        assert_problem(answer, 403, "use_another_channel")


def test_duplicates_at_the_same_time_run_once(backend: Backends, world: World) -> None:
    app = backend("redirect")
    started = start(app.device())
    request = world.code(started["authUrl"]) | {"session": started["session"]}

    def complete(headers: dict[str, str]) -> httpx.Response:
        return app.device().post("/complete", json=request, headers=headers)

    key = {"Idempotency-Key": str(uuid4())}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(complete, [key] * 8))
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, '{"verified":true}')}

    started = start(app.device())
    request = world.code(started["authUrl"]) | {"session": started["session"]}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(complete, [{}] * 8))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 7]


# callback


def landing(app: Backend, world: World, auth_url: str) -> str:
    """Where the last redirect leads, on this machine."""
    location = world.open(auth_url).headers["location"]
    assert location.startswith(app.url)
    return location.removeprefix(app.url)


@pytest.mark.parametrize("number", [RIGHT, WRONG])
@pytest.mark.parametrize("by", ["header", "cookie", "both"])
def test_the_callback_counts_for_the_client_that_called_start(
    backend: Backends, world: World, number: str, by: str
) -> None:
    app = backend("follow-through")
    device = app.device()
    started = start(device, number)
    proof = {} if by == "cookie" else {"X-Number-Verify-Session": started["session"]}
    path = landing(app, world, started["authUrl"])
    client = app.device() if by == "header" else device
    answer = client.get(path, headers=proof)
    assert (answer.status_code, answer.json()) == (200, {"verified": number == RIGHT})
    assert_problem(client.get(path, headers=proof), 409, "use_another_channel")


@pytest.mark.parametrize("victim", ["stranger", "has a session", "knows the state"])
def test_the_victims_phone_does_not_verify_the_attacker(backend: Backends, world: World, victim: str) -> None:
    """The attacker starts with the victim's number, and has the victim's phone open his auth URL."""
    app = backend("follow-through")
    attacker, phone = app.device(), app.device()
    started = start(attacker)
    headers = {}
    if victim == "has a session":
        headers = {"X-Number-Verify-Session": start(phone)["session"]}
    if victim == "knows the state":
        headers = {"X-Number-Verify-Session": state_in(started), "Cookie": f"{COOKIE}={state_in(started)}"}
    path = landing(app, world, started["authUrl"])
    assert_problem(phone.get(path, headers=headers), 403, "use_another_channel")
    # The session is burnt, for the attacker too, and even with the code.
    assert_problem(attacker.get(path), 409, "use_another_channel")
    answer = attacker.post("/complete", json=dict(parse_qsl(urlsplit(path).query)))
    assert_problem(answer, 409, "use_another_channel")


def test_the_callback_is_closed_for_other_deliveries(backend: Backends, world: World) -> None:
    app = backend("redirect")
    device = app.device()
    path = landing(app, world, start(device)["authUrl"])
    assert_problem(device.get(path), 403, "use_another_channel")
    answer = device.post("/complete", json=dict(parse_qsl(urlsplit(path).query)))
    assert_problem(answer, 409, "use_another_channel")


@pytest.mark.parametrize(
    ("query", "status", "fallback"),
    [
        ("error=access_denied", 403, "use_another_channel"),
        ("error=temporarily_unavailable", 403, "retry_later"),
        ("", 403, "use_another_channel"),
        ("code=", 403, "use_another_channel"),
        ("code=%C3%A9", 400, "fix_integration"),
        ("code=invented", 403, "use_another_channel"),
    ],
)
def test_a_callback_without_a_good_code(backend: Backends, query: str, status: int, fallback: str) -> None:
    device = backend("follow-through").device()
    state = state_in(start(device))
    assert_problem(device.get(f"/callback?{query}&state={state}"), status, fallback)


@pytest.mark.parametrize("query", ["", "code=c", "code=c&state=", "code=c&state=nonsense", "code=c&state=%FF"])
def test_a_callback_of_no_session(backend: Backends, query: str) -> None:
    assert_problem(backend("follow-through").device().get(f"/callback?{query}"), 409, "use_another_channel")


# logs


def test_nothing_personal_is_logged(backend: Backends, world: World) -> None:
    """The fixture checks every line of every backend against what may be said; here we know what must not be."""
    app = backend("follow-through")
    device, correlator = app.device(), str(uuid4())
    device.headers["x-correlator"] = correlator
    started = start(device)
    path = landing(app, world, started["authUrl"])
    device.get(path)
    device.get(path, headers={"x-correlator": RIGHT})
    device.post("/complete", json=dict(parse_qsl(urlsplit(path).query)) | {"session": started["session"]})
    log = app.log.read_text()
    secrets = [RIGHT.strip("+"), started["session"], *dict(parse_qsl(urlsplit(path).query)).values()]
    assert len(secrets) == 4
    for secret in secrets:
        assert secret not in log
    assert log.count(f"flow {correlator}") == 3
