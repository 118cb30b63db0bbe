"""Special to the backend for any OpenID provider: what it asks, and what the provider's failures mean for the app.

The provider is a stub here, which does what the code says; where it has to be right, it is the simulator's.
"""

import json
import ssl
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from time import time
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit
from uuid import UUID, uuid4

import httpx
import jwt
import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from calls import AGAIN, FIX, OTHER, Backends, a_request, assert_problem, assert_verdict, start
from running import KEY, Backend
from waiting import free_port, until
from world import RIGHT, World

pytestmark = pytest.mark.only("rust")

CLIENT, SECRET = "client of the stub", "a secret: %&+ä"
TOKEN = {"access_token": "token", "token_type": "Bearer", "expires_in": 300}
VERIFIED = (200, '{"devicePhoneNumberVerified": true}')
REFUSED = '{"code": "NUMBER_VERIFICATION.USER_NOT_AUTHENTICATED_BY_MOBILE_NETWORK"}'

Answer = tuple[int, str]
# code: (status and body of the token call, of the verify call), (status and fallback for the app), kind in the log
CASES: dict[str, tuple[Answer, Answer, tuple[int, str], str]] = {
    "used": ((400, '{"error": "invalid_grant"}'), VERIFIED, (403, OTHER), "token_refused"),
    "bad-request": ((400, '{"error": "invalid_request"}'), VERIFIED, (500, FIX), "token_misused"),
    "bad-secret": ((401, '{"error": "invalid_client"}'), VERIFIED, (500, FIX), "token_misused"),
    "not-for-us": ((403, '{"error": "unauthorized_client"}'), VERIFIED, (500, FIX), "token_misused"),
    "no-such-path": ((404, "<html>"), VERIFIED, (500, FIX), "token_malformed"),
    "busy": ((429, ""), VERIFIED, (502, AGAIN), "token_busy"),
    "broken": ((503, "<html>"), VERIFIED, (502, AGAIN), "token_busy"),
    "slow": ((408, ""), VERIFIED, (502, AGAIN), "token_busy"),
    "early": ((425, ""), VERIFIED, (502, AGAIN), "token_busy"),
    "not-there": ((501, ""), VERIFIED, (502, OTHER), "token_unavailable"),
    "behind-a-portal": ((511, "<html>"), VERIFIED, (502, OTHER), "token_unavailable"),
    "moved": ((307, json.dumps(TOKEN)), VERIFIED, (500, FIX), "token_malformed"),
    "page": ((200, "<html>"), VERIFIED, (500, FIX), "token_malformed"),
    "no-token": ((200, "{}"), VERIFIED, (500, FIX), "token_malformed"),
    "endless": ((200, " " * 300_000 + json.dumps(TOKEN)), VERIFIED, (500, FIX), "token_malformed"),
    "wifi": ((200, json.dumps(TOKEN)), (403, REFUSED), (403, OTHER), "verify_refused"),
    "not-covered": ((200, json.dumps(TOKEN)), (422, '{"code": "NOT_SUPPORTED"}'), (403, OTHER), "verify_refused"),
    "not-allowed": ((200, json.dumps(TOKEN)), (403, '{"code": "PERMISSION_DENIED"}'), (500, FIX), "verify_misused"),
    "a-firewall": ((200, json.dumps(TOKEN)), (403, "<html>"), (500, FIX), "verify_misused"),
    "a-list": ((200, json.dumps(TOKEN)), (403, "[]"), (500, FIX), "verify_misused"),
    "bad-token": ((200, json.dumps(TOKEN)), (401, '{"code": "UNAUTHENTICATED"}'), (500, FIX), "verify_misused"),
    "verify-busy": ((200, json.dumps(TOKEN)), (429, '{"code": "QUOTA_EXCEEDED"}'), (502, AGAIN), "verify_busy"),
    "verify-broken": ((200, json.dumps(TOKEN)), (500, ""), (502, AGAIN), "verify_busy"),
    "verify-not-there": (
        (200, json.dumps(TOKEN)),
        (501, '{"code": "NOT_IMPLEMENTED"}'),
        (502, OTHER),
        "verify_unavailable",
    ),
    "verify-full": ((200, json.dumps(TOKEN)), (507, ""), (502, OTHER), "verify_unavailable"),
    "no-verdict": ((200, json.dumps(TOKEN)), (200, '{"verified": true}'), (500, FIX), "verify_malformed"),
    "a-word": (
        (200, json.dumps(TOKEN)),
        (200, '{"devicePhoneNumberVerified": "true"}'),
        (500, FIX),
        "verify_malformed",
    ),
    "hangs": ((200, json.dumps(TOKEN)), (-1, "hang"), (504, AGAIN), "timeout"),
    "hangs-up": ((200, json.dumps(TOKEN)), (-1, "hang up"), (502, AGAIN), "unreachable"),
}
# code: what is wrong with the claims of the ID token, (status and fallback for the app), kind in the log
ID_TOKENS: dict[str, tuple[dict[str, Any], tuple[int, str], str]] = {
    "of-another-flow": ({"nonce": "other"}, (403, OTHER), "id_token_refused"),
    "for-another-client": ({"aud": "other"}, (500, FIX), "id_token_malformed"),
    "by-another-party": ({"azp": "other"}, (500, FIX), "id_token_malformed"),
    "for-others-too": ({"aud": [CLIENT, "other"]}, (500, FIX), "id_token_malformed"),
    "of-another-issuer": ({"iss": "https://other.example"}, (500, FIX), "id_token_malformed"),
    "old": ({"exp": 1}, (500, FIX), "id_token_malformed"),
}


def a_signing_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


class StubbedProvider(ThreadingHTTPServer):
    def __init__(self, world: World, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(world.certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = f"https://localhost:{self.server_port}"
        self.over, self.key, self.key_id = Event(), a_signing_key(), "first"
        self.publishes = True
        self.metadata: dict[str, Any] = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
        }
        self.calls: list[tuple[str, dict[str, str], str]] = []  # path, headers, body
        self._case = ""
        self._thread = Thread(target=self.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        self.over.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def settings(self, world: World, **more: str) -> dict[str, str]:
        return {
            "OIDC_ISSUER": self.url,
            "OIDC_CLIENT_ID": CLIENT,
            "OIDC_CLIENT_SECRET": SECRET,
            "CAMARA_VERIFY_URL": f"{self.url}/verify",
            "SSL_CERT_FILE": str(world.own_root),
        } | more

    def answer(self, path: str, body: str) -> Answer:
        if path == "/.well-known/openid-configuration":
            return 200, json.dumps(self.metadata)
        if path == "/jwks":
            if not self.publishes:
                return 200, json.dumps({"keys": []})
            jwk = jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
            return 200, json.dumps({"keys": [jwk | {"kid": self.key_id, "use": "sig", "alg": "ES256"}]})
        if path == "/token":
            self._case, _, nonce = parse_qs(body)["code"][0].partition(" ")
            return CASES[self._case][0] if self._case in CASES else (200, self._token(nonce))
        return CASES[self._case][1] if self._case in CASES else VERIFIED

    def _token(self, nonce: str) -> str:
        claims = {"iss": self.url, "aud": CLIENT, "sub": "user", "exp": int(time()) + 60, "nonce": nonce}
        claims |= ID_TOKENS.get(self._case, ({},))[0]
        id_token = jwt.encode(claims, self.key, "ES256", {"kid": self.key_id})
        return json.dumps(TOKEN | {"id_token": id_token})


class Handler(BaseHTTPRequestHandler):
    server: StubbedProvider
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        self.server.calls.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        status, answer = self.server.answer(self.path, body)
        if answer == "hang":
            self.server.over.wait()
        if status < 0:
            self.close_connection = True
            return
        self.send_response(status)
        if status == 307:
            self.send_header("location", f"{self.server.url}/elsewhere")
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def stub(world: World) -> Iterator[StubbedProvider]:
    stub = StubbedProvider(world)
    yield stub
    stub.stop()


@pytest.fixture
def own_stub(world: World) -> Iterator[StubbedProvider]:
    stub = StubbedProvider(world)
    yield stub
    stub.stop()


def completed(app: Backend, code: str, **headers: str) -> tuple[dict[str, str], httpx.Response]:
    """The parameters of the auth URL, and the answer for a code with its nonce."""
    device = app.device()
    started = start(device)
    query = dict(parse_qsl(urlsplit(started["authUrl"]).query))
    request = {"code": f"{code} {query['nonce']}", "state": query["state"], "session": started["session"]}
    return query, device.post("/complete", json=request, headers=headers)


def last_failure(app: Backend) -> str:
    failed = [line for line in app.replicas[0].log_lines() if line["event"] == "provider_failed"]
    return failed[-1]["kind"]


@pytest.mark.parametrize("code", CASES)
def test_a_provider_in_trouble(backend: Backends, world: World, stub: StubbedProvider, code: str) -> None:
    """Without `openid` it need not give an ID token."""
    settings = stub.settings(world, OIDC_SCOPE="dpv:FraudPreventionAndDetection number-verification:verify")
    app = backend(**settings | ({"NUMBER_VERIFY_PROVIDER_TIMEOUT_S": "1"} if code == "hangs" else {}))
    device = app.device()
    until(lambda: device.post("/start", json={"phoneNumber": RIGHT}).status_code == 200, "the provider is discovered")
    _, answer = completed(app, code)
    _, _, (status, fallback), kind = CASES[code]
    assert_problem(answer, status, fallback)
    assert RIGHT not in answer.text
    assert last_failure(app) == kind
    assert "/elsewhere" not in [path for path, _, _ in stub.calls]


@pytest.mark.parametrize("code", ID_TOKENS)
def test_an_id_token_that_is_wrong(backend: Backends, world: World, stub: StubbedProvider, code: str) -> None:
    app = backend(**stub.settings(world))
    stub.calls.clear()
    _, answer = completed(app, code)
    _, (status, fallback), kind = ID_TOKENS[code]
    assert_problem(answer, status, fallback)
    assert last_failure(app) == kind
    assert "/verify" not in [path for path, _, _ in stub.calls]


def test_no_id_token_though_it_was_asked_for(backend: Backends, world: World, stub: StubbedProvider) -> None:
    app = backend(**stub.settings(world))
    stub.calls.clear()
    assert_problem(completed(app, "no-verdict")[1], 500, FIX)
    assert last_failure(app) == "id_token_malformed"
    assert "/verify" not in [path for path, _, _ in stub.calls]


def test_an_id_token_of_a_new_key_and_of_no_published_one(
    own_backend: Backends, world: World, own_stub: StubbedProvider
) -> None:
    app = own_backend(**own_stub.settings(world))
    assert_verdict(completed(app, "good")[1], True)
    own_stub.key, own_stub.key_id = a_signing_key(), "second"
    assert_verdict(completed(app, "good")[1], True)
    asked = [path for path, _, _ in own_stub.calls]
    assert (asked.count("/jwks"), asked.count("/.well-known/openid-configuration")) == (2, 1)
    own_stub.key, own_stub.publishes = a_signing_key(), False
    assert_problem(completed(app, "good")[1], 500, FIX)
    assert last_failure(app) == "id_token_malformed"


def test_what_the_provider_is_asked(backend: Backends, world: World, stub: StubbedProvider) -> None:
    app, flow = backend(**stub.settings(world)), str(uuid4())
    stub.calls.clear()
    query, answer = completed(app, "good", **{"x-correlator": flow})
    assert_verdict(answer, True)
    challenge, redirect_uri = query.pop("code_challenge"), query.pop("redirect_uri")
    nonce = query.pop("nonce")
    assert (len(query.pop("state")), len(challenge)) == (64, 43) and len(nonce) >= 20
    assert query == {
        "response_type": "code",
        "client_id": CLIENT,
        "scope": "openid dpv:FraudPreventionAndDetection number-verification:verify",
        "prompt": "none",
        "code_challenge_method": "S256",
    }
    calls = {path: (headers, body) for path, headers, body in stub.calls}
    headers, body = calls["/token"]
    form = dict(parse_qsl(body))
    verifier = form.pop("code_verifier")
    assert jwt.utils.base64url_encode(sha256(verifier.encode()).digest()).decode() == challenge
    assert form == {"grant_type": "authorization_code", "code": f"good {nonce}", "redirect_uri": redirect_uri}
    basic = httpx.BasicAuth("client+of+the+stub", "a+secret%3A+%25%26%2B%C3%A4")._auth_header  # RFC 6749, section 2.3.1
    assert headers["authorization"] == basic
    headers, body = calls["/verify"]
    assert (headers["authorization"], headers["x-correlator"]) == ("Bearer token", flow)
    assert json.loads(body) == {"phoneNumber": RIGHT}


def test_without_a_correlator_of_the_phone_there_is_one(backend: Backends, world: World, stub: StubbedProvider) -> None:
    app = backend(**stub.settings(world))
    stub.calls.clear()
    assert_verdict(completed(app, "good", **{"x-correlator": RIGHT})[1], True)
    sent = next(headers for path, headers, _ in stub.calls if path == "/verify")["x-correlator"]
    assert UUID(sent).version == 4


def test_the_provider_is_told_the_number_beforehand_only_if_it_is_to_be(
    backend: Backends, world: World, stub: StubbedProvider
) -> None:
    device = backend(**stub.settings(world, OIDC_LOGIN_HINT="tel", OIDC_SCOPE="openid more")).device()
    query = dict(parse_qsl(urlsplit(start(device)["authUrl"]).query))
    assert (query["login_hint"], query["scope"]) == (f"tel:{RIGHT}", "openid more")


def test_a_secret_in_the_body_where_the_provider_wants_it_there(
    own_backend: Backends, world: World, own_stub: StubbedProvider
) -> None:
    own_stub.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post", "private_key_jwt"]
    app = own_backend(**own_stub.settings(world))
    assert_verdict(completed(app, "good")[1], True)
    headers, body = next((headers, body) for path, headers, body in own_stub.calls if path == "/token")
    assert "authorization" not in headers
    assert dict(parse_qsl(body)) | {"client_id": CLIENT, "client_secret": SECRET} == dict(parse_qsl(body))


@pytest.mark.parametrize("of_the_client", [True, False])
def test_a_private_key_instead_of_a_secret(
    own_backend: Backends, world: World, tmp_path: Path, of_the_client: bool
) -> None:
    """CAMARA's own way (`private_key_jwt`), with the simulator, which checks it."""
    other = a_signing_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    key = tmp_path / "key.pem"
    key.write_text(world.ready["camara"]["client_private_key"] if of_the_client else other)
    app = own_backend(OIDC_CLIENT_SECRET="", OIDC_PRIVATE_KEY_FILE=str(key))
    for _ in range(2):
        answer = app.device().post("/complete", json=a_request(app.device(), world))
        if of_the_client:
            assert_verdict(answer, True)
        else:
            assert_problem(answer, 500, FIX)
            assert last_failure(app) == "token_misused"


def test_a_provider_that_says_it_is_another(own_backend: Backends, world: World, own_stub: StubbedProvider) -> None:
    own_stub.metadata["issuer"] = "https://other.example"
    app = own_backend(**own_stub.settings(world))
    assert_problem(app.device().post("/start", json={"phoneNumber": RIGHT}), 500, FIX)
    assert last_failure(app) == "discovery_malformed"


@pytest.mark.parametrize("endpoint", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_endpoints_without_tls(own_backend: Backends, world: World, own_stub: StubbedProvider, endpoint: str) -> None:
    own_stub.metadata[endpoint] = "http://localhost:1/"
    app = own_backend(**own_stub.settings(world))
    assert_problem(app.device().post("/start", json={"phoneNumber": RIGHT}), 500, FIX)
    assert last_failure(app) == "discovery_malformed"


def test_a_provider_that_comes_up_later(own_backend: Backends, world: World) -> None:
    port = free_port()
    app = own_backend(
        OIDC_ISSUER=f"https://localhost:{port}",
        OIDC_CLIENT_ID=CLIENT,
        CAMARA_VERIFY_URL=f"https://localhost:{port}/verify",
        SSL_CERT_FILE=str(world.own_root),
    )
    assert_problem(app.device().post("/start", json={"phoneNumber": RIGHT}), 502, AGAIN)
    assert last_failure(app) == "unreachable"
    stub = StubbedProvider(world, port)
    try:
        assert_verdict(completed(app, "good")[1], True)
    finally:
        stub.stop()


def test_a_certificate_that_is_not_trusted(backend: Backends, world: World, stub: StubbedProvider) -> None:
    app = backend(**stub.settings(world, SSL_CERT_FILE=str(world.root)))
    assert_problem(app.device().post("/start", json={"phoneNumber": RIGHT}), 500, FIX)
    assert last_failure(app) == "tls"


def test_a_session_of_python_is_not_of_this_backend(backend: Backends, world: World) -> None:
    """The same key makes tokens of the same format in both; what is in them differs, and is checked."""
    app = backend()
    session = Fernet(KEY).encrypt(json.dumps({"number": RIGHT}).encode()).decode()
    request = {"code": "c", "state": sha256(session.encode()).hexdigest(), "session": session}
    assert_problem(app.device().post("/complete", json=request), 401, OTHER)
