"""The contract, endpoint by endpoint."""

import hashlib
from urllib.parse import parse_qsl, urlsplit

import pytest

from calls import COOKIE, FIX, OTHER, Backends, assert_problem, assert_result, new_request, start, state_in
from world import RIGHT, WRONG, World


def test_start_returns_auth_url_session_and_cookie(backend: Backends) -> None:
    app = backend()
    response = app.device().post("/start", json={"phoneNumber": RIGHT})
    body = response.json()
    query = dict(parse_qsl(urlsplit(body["authUrl"]).query))
    assert query["redirect_uri"] == f"{app.url}/callback"
    assert body.get("redirectUri", query["redirect_uri"]) == query["redirect_uri"]
    assert query["state"] == hashlib.sha256(body["session"].encode()).hexdigest()
    assert RIGHT.strip("+") not in response.text + str(response.headers)
    cookie, *flags = response.headers["set-cookie"].split("; ")
    assert cookie == f"{COOKIE}={body['session']}"
    assert {flag.lower() for flag in flags} == {"httponly", "max-age=300", "path=/", "samesite=lax"}
    assert response.headers["cache-control"] == "no-store"
    assert start(app.device())["session"] != body["session"]


@pytest.mark.parametrize(
    ("host", "secure"), [("127.0.0.1", False), ("localhost:8000", False), ("[::1]", False), ("api.example.com", True)]
)
def test_cookie_is_secure_unless_http_to_a_local_address(backend: Backends, host: str, secure: bool) -> None:
    response = backend().device().post("/start", json={"phoneNumber": RIGHT}, headers={"Host": host})
    assert ("secure" in response.headers["set-cookie"].lower().split("; ")) == secure


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
def test_cookie_is_secure_if_a_proxy_may_have_terminated_tls(
    backend: Backends, schemes: list[bytes], secure: bool
) -> None:
    headers = [("Host", "localhost"), *(("X-Forwarded-Proto", scheme) for scheme in schemes)]
    response = backend().device().post("/start", json={"phoneNumber": RIGHT}, headers=headers)
    assert ("secure" in response.headers["set-cookie"].lower().split("; ")) == secure


@pytest.mark.parametrize("number", [RIGHT, WRONG])
@pytest.mark.parametrize("by", ["body", "cookie", "both"])
def test_complete_reads_the_session_from_body_or_cookie(backend: Backends, world: World, number: str, by: str) -> None:
    app = backend()
    device = app.device()
    started = start(device, number)
    request = world.code(started["authUrl"])
    if by != "cookie":
        request["session"] = started["session"]
    assert_result((app.device() if by == "body" else device).post("/complete", json=request), number == RIGHT)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", "application/x.y+json"])
def test_json_content_types_are_accepted(backend: Backends, kind: str) -> None:
    body = f'{{"phoneNumber": "{RIGHT}"}}'
    assert backend().device().post("/start", content=body, headers={"Content-Type": kind}).status_code == 200


def test_unknown_members_are_ignored(backend: Backends) -> None:
    body = {"phoneNumber": RIGHT, "appVersion": "é", "more": {"deep": [1, 2.5, None, [[[[[]]]]]]}}
    assert backend().device().post("/start", json=body).status_code == 200


def test_used_session_returns_409(backend: Backends, world: World) -> None:
    device = backend().device()
    request = new_request(device, world)
    assert_result(device.post("/complete", json=request), True)
    assert_problem(device.post("/complete", json=request), 409, OTHER)


def test_used_code_returns_403(backend: Backends, world: World) -> None:
    device = backend().device()
    used = world.code(start(device)["authUrl"])
    assert_result(device.post("/complete", json=used), True)
    again = {"code": used["code"], "state": state_in(start(device))}
    assert_problem(device.post("/complete", json=again), 403, OTHER)
    assert_problem(device.post("/complete", json=again), 409, OTHER)


def callback_path(backend_url: str, world: World, auth_url: str, address: str | None = None) -> str:
    """The path of the last redirect."""
    location = world.open(auth_url, address).headers["location"]
    assert location.startswith(backend_url)
    return location.removeprefix(backend_url)


@pytest.mark.parametrize("number", [RIGHT, WRONG])
@pytest.mark.parametrize("by", ["header", "cookie", "both"])
def test_callback_with_proof_returns_the_result(backend: Backends, world: World, number: str, by: str) -> None:
    app = backend("follow-through")
    device = app.device()
    started = start(device, number)
    proof = {} if by == "cookie" else {"X-Number-Verify-Session": started["session"]}
    path = callback_path(app.url, world, started["authUrl"])
    client = app.device() if by == "header" else device
    assert_result(client.get(path, headers=proof), number == RIGHT)
    assert_problem(client.get(path, headers=proof), 409, OTHER)


def test_proof_header_takes_precedence_over_an_older_cookie(backend: Backends, world: World) -> None:
    app = backend("follow-through")
    device = app.device()
    earlier, started = start(app.device()), start(device)
    path = callback_path(app.url, world, started["authUrl"])
    device.cookies.clear()
    proofs = {"X-Number-Verify-Session": started["session"], "Cookie": f"{COOKIE}={earlier['session']}"}
    assert_result(device.get(path, headers=proofs), True)


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
def test_callback_with_error_or_invalid_code_is_rejected(
    backend: Backends, query: str, status: int, fallback: str
) -> None:
    device = backend("follow-through").device()
    state = state_in(start(device))
    assert_problem(device.get(f"/callback?{query}&state={state}"), status, fallback)


def test_health_returns_ok(backend: Backends) -> None:
    response = backend().device().get("/health")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert response.headers["cache-control"] == "no-store"


def test_complete_without_a_code_or_result_returns_409(backend: Backends) -> None:
    """If the response to the callback was a proxy's page, the app uses another channel; it is not an app error."""
    app = backend("follow-through")
    device = app.device()
    session = start(device)["session"]
    assert_problem(device.post("/complete", json={"session": session}), 409, OTHER)
    assert_problem(app.device().post("/complete", json={}), 400, FIX)


def test_code_over_4096_characters_returns_400(backend: Backends, world: World) -> None:
    device = backend().device()
    request = new_request(device, world)
    assert_problem(device.post("/complete", json=request | {"code": "c" * 4097}), 400, FIX)
    assert_problem(device.post("/complete", json=request | {"code": "c" * 4096}), 403, OTHER)
