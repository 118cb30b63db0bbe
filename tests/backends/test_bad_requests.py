"""Malformed requests: each gets a 4xx with a fallback, nothing of it is in responses or logs, no crash."""

import json
import select
import socket
import string
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calls import FIX, OTHER, Backends, assert_problem, assert_result, is_problem, new_request, start, state_in
from running import Backend, plain_client
from world import RIGHT, TIMEOUT_S, World

CANARY = "canary4155550100"  # in every request, and never in a response or log
JSON = {"Content-Type": "application/json"}
fuzzed = settings(
    max_examples=300,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

canary = st.text(max_size=40).map(lambda text: CANARY + text)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | canary | st.just(RIGHT),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(canary, inner, max_size=4),
    max_leaves=12,
)
members = st.sampled_from(["phoneNumber", "purpose", "code", "state", "session", "reason", "verified", "__proto__"])
header_text = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=60
).map(lambda text: (CANARY + text).encode("latin-1"))


HEADERS = [
    *("Content-Type", "Idempotency-Key", "x-correlator", "X-Number-Verify-Session", "Cookie", "Accept", "Range"),
    *("X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "Authorization", "Origin", "Upgrade", "Accept-Encoding"),
]


@pytest.fixture
def app(backend: Backends) -> Iterator[Backend]:
    """Checks after each test that the backend still responds, and that its log is clean."""
    app, flow = backend("follow-through"), str(uuid4())
    yield app
    assert app.device().get("/health", headers={"x-correlator": flow}).status_code == 200
    app.replicas[0].await_log_lines(1, event="answered", flow=flow)
    log = app.log()
    for secret in (CANARY, RIGHT.strip("+")):
        assert secret not in log


def assert_rejected(response: httpx.Response) -> None:
    assert 400 <= response.status_code < 500, f"{response.status_code} {response.text}"
    assert is_problem(response)
    assert CANARY not in response.text + str(response.headers)


def post(app: Backend, path: str, body: bytes, headers: dict[str, Any] = JSON) -> httpx.Response:
    with plain_client() as client:
        return client.post(app.replicas[0].url + path, content=body, headers=headers)


@pytest.mark.parametrize(
    "number",
    [
        *("", "+", "12", "14155550100", "+1415", "+04155550100", "+1415555010012345", "+1 415 555 0100"),
        *("+14155550100\n", "+14155550100\0", "+1415555010O", "+١٤١٥٥٥٥٠١٠٠", "tel:+14155550100", " +14155550100"),
        *(None, 14155550100, True, [RIGHT], {"number": RIGHT}),
    ],
)
def test_invalid_phone_number_returns_400(app: Backend, number: object) -> None:
    response = app.device().post("/start", json={"phoneNumber": number})
    assert_problem(response, 400, FIX)
    assert "4155" not in response.text


@pytest.mark.parametrize(
    "purpose",
    [
        *(
            "",
            " ",
            "verify",
            "Device-Phone-Number",
            "device-phone-number ",
            "device_phone_number",
            "device-phone-number\0",
        ),
        *(None, True, 1, [], {}, ["device-phone-number"], {"purpose": "device-phone-number"}),
    ],
)
def test_invalid_purpose_returns_400(app: Backend, purpose: object) -> None:
    for body in ({"purpose": purpose}, {"purpose": purpose, "phoneNumber": RIGHT}):
        assert_problem(app.device().post("/start", json=body), 400, FIX)


@pytest.mark.parametrize("number", [RIGHT, "", "12", None, 0, False, [], {}])
def test_purpose_with_a_number_returns_400(app: Backend, number: object) -> None:
    """For any value of the number."""
    body = {"purpose": "device-phone-number", "phoneNumber": number}
    assert_problem(app.device().post("/start", json=body), 400, FIX)


BAD_JSON = {
    "empty": b"",
    "not JSON": b"nonsense",
    "a list": b"[]",
    "null": b"null",
    "a string": b'"text"',
    "no members": b"{}",
    "truncated": b'{"phoneNumber": "+14155550100"',
    "trailing data": b'{"phoneNumber": "+14155550100"} {}',
    "a trailing comma": b'{"phoneNumber": "+14155550100",}',
    "single quotes": b"{'phoneNumber': '+14155550100'}",
    "a comment": b'{"phoneNumber": "+14155550100"} // number',
    "nothing but 0xff": b"\xff\xfe\xff\xfe",
    "UTF-16": '{"phoneNumber": "+14155550100"}'.encode("utf-16"),
    "UTF-32": '{"phoneNumber": "+14155550100"}'.encode("utf-32"),
    "a byte order mark": b'\xef\xbb\xbf{"phoneNumber": "+14155550100"}',
    "Latin-1": b'{"phoneNumber": "+14155550100", "name": "\xe9"}',
    "an overlong NUL": b'{"phoneNumber": "+14155550100", "name": "\xc0\x80"}',
    "a lone surrogate": rb'{"phoneNumber": "+14155550100", "name": "\ud800"}',
    "a lone surrogate as a name": rb'{"phoneNumber": "+14155550100", "\udc00": 1}',
    "a raw NUL": b'{"phoneNumber": "+14155550100", "name": "\0"}',
    "a raw line feed": b'{"phoneNumber": "+14155550100", "name": "\n"}',
    "a number twice": b'{"phoneNumber": "+14155550100", "phoneNumber": "+14155550199"}',
    "the same number twice": b'{"phoneNumber": "+14155550100", "phoneNumber": "+14155550100"}',
    "a purpose twice": b'{"purpose": "device-phone-number", "purpose": "device-phone-number"}',
    "a huge number": b'{"phoneNumber": "+14155550100", "size": 1e999}',
    "a huge integer": b'{"phoneNumber": "+14155550100", "size": 1' + b"0" * 5000 + b"}",
    "NaN": b'{"phoneNumber": "+14155550100", "size": NaN}',
    "Infinity": b'{"phoneNumber": "+14155550100", "size": -Infinity}',
    "rather deep lists": b'{"phoneNumber": "+14155550100", "deep": ' + b"[" * 150 + b"]" * 150 + b"}",
    "deep lists": b'{"phoneNumber": "+14155550100", "deep": ' + b"[" * 7000 + b"]" * 7000 + b"}",
    "deep objects": b'{"a":' * 2500 + b"1" + b"}" * 2500,
    "unclosed lists": b"[" * 16_000,
}


@pytest.mark.parametrize("body", BAD_JSON.values(), ids=BAD_JSON)
@pytest.mark.parametrize("path", ["/start", "/complete", "/abort"])
def test_invalid_json_returns_400(app: Backend, path: str, body: bytes) -> None:
    assert_problem(post(app, path, body), 400, FIX)


def test_members_of_the_wrong_type_return_400(app: Backend) -> None:
    started = start(app.device())
    request = {"code": "code", "state": state_in(started), "session": started["session"]}
    for name in request:
        for value in [1, True, [], {}, "\ud800", "é", "line\nline", "\0", "\x7f"]:
            assert_problem(post(app, "/complete", json.dumps(request | {name: value}).encode()), 400, FIX)
    for value in [None, ""]:
        assert_problem(post(app, "/complete", json.dumps(request | {"code": value}).encode()), 400, FIX)


@pytest.mark.parametrize("path", ["/start", "/complete", "/abort"])
@pytest.mark.parametrize("size", [20 * 1024 + 1, 200_000])
def test_body_over_20_kib_returns_413(app: Backend, path: str, size: int) -> None:
    body = json.dumps({"phoneNumber": RIGHT, "code": CANARY, "reason": "internal", "more": ""}).encode()
    large = body[:-2] + b"x" * (size - len(body)) + body[-2:]
    assert len(large) == size
    assert_problem(post(app, path, large), 413, FIX)
    chunks = (large[at : at + 1000] for at in range(0, size, 1000))
    assert_problem(post(app, path, chunks), 413, FIX)


def test_body_of_20_kib_is_accepted(app: Backend) -> None:
    body = f'{{"phoneNumber": "{RIGHT}"}}'.encode()
    assert post(app, "/start", body + b" " * (20 * 1024 - len(body))).status_code == 200


def test_endless_body_closes_the_connection(app: Backend) -> None:
    """The server closes the connection while the client is still sending."""
    with socket.create_connection(("127.0.0.1", app.replicas[0].port), timeout=TIMEOUT_S) as stream:
        stream.sendall(b"POST /start HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n")
        stream.sendall(b"Transfer-Encoding: chunked\r\n\r\n")
        with pytest.raises(OSError):
            for _ in range(10_000):
                stream.sendall(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")


@pytest.mark.parametrize(
    "kind",
    [
        *("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json"),
        *(
            "application/xml",
            "application/",
            "application/jsonp",
            "text/plain; application/json",
            "application/json, x/y",
        ),
    ],
)
@pytest.mark.parametrize("path", ["/start", "/complete", "/abort"])
def test_content_type_other_than_json_returns_415(app: Backend, path: str, kind: str) -> None:
    body = json.dumps({"phoneNumber": RIGHT, "code": CANARY}).encode()
    assert_problem(post(app, path, body, {"Content-Type": kind}), 415, FIX)


def test_missing_content_type_returns_415(app: Backend) -> None:
    for path in ("/start", "/complete", "/abort"):
        assert_problem(post(app, path, b"{}", {}), 415, FIX)


@pytest.mark.parametrize("key", [b"", b"x" * 256, "é".encode("latin-1"), "é".encode(), b"a\tb", b"\x80"])
def test_invalid_idempotency_key_returns_422(app: Backend, key: bytes) -> None:
    body = json.dumps({"phoneNumber": RIGHT}).encode()
    assert_problem(post(app, "/start", body, JSON | {"Idempotency-Key": key}), 422, FIX)
    longest = JSON | {"Idempotency-Key": CANARY + "~" * (255 - len(CANARY))}
    assert post(app, "/start", body, longest).status_code == 200


def test_unknown_path_returns_404_and_wrong_method_405(app: Backend) -> None:
    device = app.device()
    for path in [f"/nowhere/{CANARY}", "/", "/start/", "//start", "/Start", "/start%00", "/%FF", "/start/../x", "/*"]:
        for method in ["GET", "POST", "DELETE"]:
            assert_problem(device.request(method, path), 404, FIX)
    wrong = ["GET /start", "PUT /complete", "POST /callback", "DELETE /abort", "POST /health"]
    for method, path in map(str.split, wrong):
        response = device.request(method, f"{path}?{CANARY}")
        assert_problem(response, 405, FIX)
        assert response.headers["allow"]


@pytest.mark.parametrize(
    ("call", "status"), [("POST /start", 415), ("POST /complete", 415), ("POST /nowhere", 404), ("GET /start", 405)]
)
def test_early_error_response_keeps_the_connection_open(app: Backend, call: str, status: int) -> None:
    """Closing it without `Connection: close` would lose the client's next request."""
    head = f"{call} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n"
    with socket.create_connection(("127.0.0.1", app.replicas[0].port), timeout=TIMEOUT_S) as stream:
        stream.sendall(head.encode())
        select.select([stream], [], [], 0.5)  # some respond to the head alone
        stream.sendall(b"{}GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        received = b"".join(iter(lambda: stream.recv(65536), b""))
    assert received.startswith(f"HTTP/1.1 {status} ".encode()) and b"HTTP/1.1 200 " in received


def test_request_smuggling_by_two_body_lengths_is_rejected(app: Backend) -> None:
    """A proxy may use the other length: the rest must not become a request (RFC 9112, section 6.3)."""
    head = "POST /start HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    hidden = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    body = f"Content-Length: {5 + len(hidden)}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"
    with socket.create_connection(("127.0.0.1", app.replicas[0].port), timeout=TIMEOUT_S) as stream:
        stream.sendall((head + body).encode())
        response = b"".join(iter(lambda: stream.recv(65536), b""))
    assert response.startswith(b"HTTP/1.1 400 ") and response.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("path", ["/%73tart", "/%63omplete", "/%61bort", "/start/", "//start", "/abort/"])
def test_encoded_path_returns_404(app: Backend, path: str) -> None:
    with socket.create_connection(("127.0.0.1", app.replicas[0].port), timeout=TIMEOUT_S) as stream:
        stream.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        response = b"".join(iter(lambda: stream.recv(65536), b""))
    assert response.startswith(b"HTTP/1.1 404 ")


@fuzzed
@given(path=st.sampled_from(["/start", "/complete", "/abort"]), body=values | st.dictionaries(members | canary, values))
def test_fuzzed_json(app: Backend, path: str, body: object) -> None:
    response = post(app, path, json.dumps(body).encode())
    if response.status_code == 200:  # only if the body is valid
        assert path == "/start" and isinstance(body, dict) and body["phoneNumber"] == RIGHT
    else:
        assert_rejected(response)


@fuzzed
@given(path=st.sampled_from(["/start", "/complete", "/abort"]), body=st.binary(max_size=300))
def test_fuzzed_bytes(app: Backend, path: str, body: bytes) -> None:
    assert_rejected(post(app, path, body + CANARY.encode()))


@pytest.fixture
def good_body(app: Backend) -> bytes:
    """Valid for /start and /abort; for /complete, all but the state."""
    members = {"phoneNumber": RIGHT, "code": CANARY, "state": "s", "reason": "cancelled"}
    body = json.dumps(members | {"session": start(app.device())["session"]}).encode()
    assert (post(app, "/start", body).status_code, post(app, "/abort", body).status_code) == (200, 204)
    return body


@fuzzed
@given(data=st.data(), path=st.sampled_from(["/start", "/complete", "/abort"]))
def test_mutated_body_is_rejected_or_valid(app: Backend, good_body: bytes, data: st.DataObject, path: str) -> None:
    body = bytearray(good_body)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    response = post(app, path, bytes(body))
    if (path, response.status_code) not in (("/start", 200), ("/abort", 204)):
        assert_rejected(response)


@fuzzed
@given(
    names=st.lists(
        st.sampled_from(HEADERS),
        unique=True,
    ),
    value=header_text,
    cookie=st.booleans(),
)
def test_fuzzed_headers(app: Backend, names: list[str], value: bytes, cookie: bool) -> None:
    headers: dict[str, Any] = JSON | dict.fromkeys(names, value)
    if cookie:
        headers["Cookie"] = b"number_verify_session=" + value
    body = json.dumps({"code": "c", "state": "s", "session": "s"}).encode()
    assert_rejected(post(app, "/complete", body, headers))
    with plain_client() as client:
        assert_rejected(client.get(f"{app.replicas[0].url}/callback?code=c&state=s", headers=headers))


@fuzzed
@given(
    query=st.lists(st.tuples(st.sampled_from(["code", "state", "error", CANARY]), st.binary(max_size=30)), max_size=5)
)
def test_fuzzed_queries(app: Backend, query: list[tuple[str, bytes]]) -> None:
    text = "&".join(f"{name}={quote(value)}" for name, value in query)
    assert_rejected(app.device().get(f"/callback?{CANARY}&{text}"))


@fuzzed
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"]),
    path=st.text(string.ascii_letters + string.digits + "/._-~%?#:@!$&'()*+,;=é\0", max_size=60),
)
def test_fuzzed_methods_and_paths(app: Backend, method: str, path: str) -> None:
    with plain_client() as client:
        assert_rejected(client.request(method, f"{app.replicas[0].url}/{CANARY}{quote(path)}"))


RAW = {
    "nonsense": b"nonsense\r\n\r\n",
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "a space in a header name": b"POST /start HTTP/1.1\r\nHost: h\r\nContent Type: x\r\n\r\n",
    "two lengths": b"POST /start HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "a bad length": b"POST /start HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n{}",
    "a bad chunk": b"POST /start HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}",
    "a NUL in a header": b"GET /health HTTP/1.1\r\nHost: h\r\nx-correlator: \0\r\n\r\n",
    "a TLS hello": bytes.fromhex("160301007b010000770303") + b"\0" * 100,
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "endless headers": b"GET /health HTTP/1.1\r\nHost: h\r\n" + b"x-more: y\r\n" * 20_000,
    "a short body": b"POST /start HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{",
}


@pytest.mark.parametrize("sent", RAW.values(), ids=RAW)
def test_malformed_http_is_rejected(app: Backend, sent: bytes) -> None:
    """The HTTP library rejects it or closes the connection."""
    with socket.create_connection(("127.0.0.1", app.replicas[0].port), timeout=TIMEOUT_S) as stream:
        try:
            stream.sendall(sent.replace(b"HTTP/1.1\r\n", f"HTTP/1.1\r\n{CANARY}: {CANARY}\r\n".encode()))
            stream.shutdown(socket.SHUT_WR)
            response = b"".join(iter(lambda: stream.recv(65536), b""))
        except OSError:
            return
    assert response == b"" or response.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), response
    assert CANARY.encode() not in response


def test_verification_works_after_malformed_requests(app: Backend, world: World) -> None:
    device = app.device()
    request = new_request(device, world)
    assert_problem(device.post("/complete", json=request | {"session": CANARY}), 401, OTHER)
    assert_result(device.post("/complete", json=request), True)
