"""Tests specific to the backend for any OpenID provider: its requests, and the mapping of the provider's failures.

The provider is a stub whose responses are selected by the code; tests of the success path use the simulator's.
"""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID, uuid4

import httpx
import jwt
import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from calls import AGAIN, FIX, OTHER, Backends, assert_problem, assert_result, new_request, start
from provider_stub import (
    CLIENT,
    SECRET,
    TOKEN,
    VERIFIED,
    StubbedProvider,
    StubResponse,
    complete_with_code,
    last_failure,
    new_signing_key,
)
from running import KEY
from waiting import free_port, until
from world import RIGHT, World

pytestmark = pytest.mark.only("rust")

REFUSED = '{"code": "NUMBER_VERIFICATION.USER_NOT_AUTHENTICATED_BY_MOBILE_NETWORK"}'

# code: (status and body of the token call, of the verify call), (status and fallback for the app), kind in the log
CASES: dict[str, tuple[StubResponse, StubResponse, tuple[int, str], str]] = {
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
    "moved": ((307, json.dumps(TOKEN)), VERIFIED, (500, FIX), "token_misused"),
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
    "no-result": ((200, json.dumps(TOKEN)), (200, '{"verified": true}'), (500, FIX), "verify_malformed"),
    "a-word": (
        (200, json.dumps(TOKEN)),
        (200, '{"devicePhoneNumberVerified": "true"}'),
        (500, FIX),
        "verify_malformed",
    ),
    "hangs": ((200, json.dumps(TOKEN)), (-1, "hang"), (504, AGAIN), "timeout"),
    "hangs-up": ((200, json.dumps(TOKEN)), (-1, "hang up"), (502, AGAIN), "unreachable"),
}
# code: invalid claims of the ID token, (status and fallback for the app), kind in the log
ID_TOKENS: dict[str, tuple[dict[str, Any], tuple[int, str], str]] = {
    "of-another-flow": ({"nonce": "other"}, (403, OTHER), "id_token_refused"),
    "for-another-client": ({"aud": "other"}, (500, FIX), "id_token_malformed"),
    "by-another-party": ({"azp": "other"}, (500, FIX), "id_token_malformed"),
    "for-others-too": ({"aud": [CLIENT, "other"]}, (500, FIX), "id_token_malformed"),
    "of-another-issuer": ({"iss": "https://other.example"}, (500, FIX), "id_token_malformed"),
    "old": ({"exp": 1}, (500, FIX), "id_token_malformed"),
}


@pytest.mark.parametrize("code", CASES)
def test_provider_failure_maps_to_problem(backend: Backends, world: World, stub: StubbedProvider, code: str) -> None:
    """Without `openid` in the scope, no ID token is required."""
    settings = stub.settings(world, OIDC_SCOPE="dpv:FraudPreventionAndDetection number-verification:verify")
    app = backend(**settings | ({"NUMBER_VERIFY_PROVIDER_TIMEOUT_S": "1"} if code == "hangs" else {}))
    stub.responses = {code: CASES[code][:2]}
    device = app.device()
    until(lambda: device.post("/start", json={"phoneNumber": RIGHT}).status_code == 200, "the provider is discovered")
    _, response = complete_with_code(app, code)
    _, _, (status, fallback), kind = CASES[code]
    assert_problem(response, status, fallback)
    assert RIGHT not in response.text
    assert last_failure(app) == kind
    assert "/elsewhere" not in stub.paths


@pytest.mark.parametrize("code", ID_TOKENS)
def test_invalid_id_token_is_rejected(backend: Backends, world: World, stub: StubbedProvider, code: str) -> None:
    app = backend(**stub.settings(world))
    stub.calls.clear()
    stub.claims = {code: ID_TOKENS[code][0]}
    _, response = complete_with_code(app, code)
    _, (status, fallback), kind = ID_TOKENS[code]
    assert_problem(response, status, fallback)
    assert last_failure(app) == kind
    assert "/verify" not in stub.paths


@pytest.mark.parametrize("members", [{}, *({"id_token": value} for value in (None, "", "a.b.c", 5, ["a.b.c"], {}))])
def test_missing_or_malformed_id_token_is_rejected(
    backend: Backends, world: World, stub: StubbedProvider, members: dict[str, object]
) -> None:
    app = backend(**stub.settings(world))
    stub.calls.clear()
    stub.responses = {"no-id-token": ((200, json.dumps(TOKEN | members)), VERIFIED)}
    assert_problem(complete_with_code(app, "no-id-token")[1], 500, FIX)
    assert last_failure(app) in ("id_token_malformed", "token_malformed")
    assert "/verify" not in stub.paths


def test_rotated_key_is_fetched_and_unpublished_key_is_rejected(
    new_backend: Backends, world: World, new_stub: StubbedProvider
) -> None:
    app = new_backend(**new_stub.settings(world))
    assert_result(complete_with_code(app, "good")[1], True)
    new_stub.key, new_stub.key_id = new_signing_key(), "second"
    assert_result(complete_with_code(app, "good")[1], True)
    paths = new_stub.paths
    assert (paths.count("/jwks"), paths.count("/.well-known/openid-configuration")) == (2, 1)
    new_stub.key, new_stub.publishes = new_signing_key(), False
    assert_problem(complete_with_code(app, "good")[1], 500, FIX)
    assert last_failure(app) == "id_token_malformed"


def test_requests_to_the_provider_have_the_required_parameters(
    backend: Backends, world: World, stub: StubbedProvider
) -> None:
    app, flow = backend(**stub.settings(world)), str(uuid4())
    stub.calls.clear()
    query, response = complete_with_code(app, "good", **{"x-correlator": flow})
    assert_result(response, True)
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


def test_invalid_correlator_is_replaced_by_a_new_one(backend: Backends, world: World, stub: StubbedProvider) -> None:
    app = backend(**stub.settings(world))
    stub.calls.clear()
    assert_result(complete_with_code(app, "good", **{"x-correlator": RIGHT})[1], True)
    sent = next(headers for path, headers, _ in stub.calls if path == "/verify")["x-correlator"]
    assert UUID(sent).version == 4


def test_auth_url_contains_the_number_if_login_hint_is_tel(
    backend: Backends, world: World, stub: StubbedProvider
) -> None:
    device = backend(**stub.settings(world, OIDC_LOGIN_HINT="tel", OIDC_SCOPE="openid more")).device()
    query = dict(parse_qsl(urlsplit(start(device)["authUrl"]).query))
    assert (query["login_hint"], query["scope"]) == (f"tel:{RIGHT}", "openid more")


def test_client_secret_is_sent_in_the_body_if_only_that_is_supported(
    new_backend: Backends, world: World, new_stub: StubbedProvider
) -> None:
    new_stub.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post", "private_key_jwt"]
    app = new_backend(**new_stub.settings(world))
    assert_result(complete_with_code(app, "good")[1], True)
    headers, body = next((headers, body) for path, headers, body in new_stub.calls if path == "/token")
    assert "authorization" not in headers
    assert dict(parse_qsl(body)) | {"client_id": CLIENT, "client_secret": SECRET} == dict(parse_qsl(body))


@pytest.mark.parametrize("is_registered", [True, False])
def test_private_key_jwt_is_accepted_only_with_the_registered_key(
    new_backend: Backends, world: World, tmp_path: Path, is_registered: bool
) -> None:
    """`private_key_jwt`, as CAMARA requires, with the simulator, which verifies it."""
    other = new_signing_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    key = tmp_path / "key.pem"
    key.write_text(world.ready["camara"]["client_private_key"] if is_registered else other)
    app = new_backend(OIDC_CLIENT_SECRET="", OIDC_PRIVATE_KEY_FILE=str(key))
    for _ in range(2):
        response = app.device().post("/complete", json=new_request(app.device(), world))
        if is_registered:
            assert_result(response, True)
        else:
            assert_problem(response, 500, FIX)
            assert last_failure(app) == "token_misused"


def test_mismatched_issuer_is_rejected(new_backend: Backends, world: World, new_stub: StubbedProvider) -> None:
    new_stub.metadata["issuer"] = "https://other.example"
    app = new_backend(**new_stub.settings(world))
    assert_problem(app.device().post("/start", json={"phoneNumber": RIGHT}), 500, FIX)
    assert last_failure(app) == "discovery_malformed"


@pytest.mark.parametrize("endpoint", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_http_endpoint_in_metadata_is_rejected(
    new_backend: Backends, world: World, new_stub: StubbedProvider, endpoint: str
) -> None:
    new_stub.metadata[endpoint] = "http://localhost:1/"
    app = new_backend(**new_stub.settings(world))
    assert_problem(app.device().post("/start", json={"phoneNumber": RIGHT}), 500, FIX)
    assert last_failure(app) == "discovery_malformed"


@pytest.mark.parametrize("lost", [1, 2])
def test_metadata_is_requested_once_more_without_a_response(
    new_backend: Backends, world: World, new_stub: StubbedProvider, lost: int
) -> None:
    new_stub.lost = lost
    app = new_backend(**new_stub.settings(world))
    response = app.device().post("/start", json={"phoneNumber": RIGHT})
    assert new_stub.paths == ["/.well-known/openid-configuration"] * 2
    if lost == 1:
        assert response.status_code == 200
    else:
        assert_problem(response, 502, AGAIN)


def test_provider_that_starts_later_is_discovered(new_backend: Backends, world: World) -> None:
    port = free_port()
    app = new_backend(
        OIDC_ISSUER=f"https://localhost:{port}",
        OIDC_CLIENT_ID=CLIENT,
        CAMARA_VERIFY_URL=f"https://localhost:{port}/verify",
        SSL_CERT_FILE=str(world.own_root),
    )
    assert_problem(app.device().post("/start", json={"phoneNumber": RIGHT}), 502, AGAIN)
    assert last_failure(app) == "unreachable"
    stub = StubbedProvider(world, port)
    try:
        assert_result(complete_with_code(app, "good")[1], True)
    finally:
        stub.stop()


def test_untrusted_certificate_returns_500(backend: Backends, world: World, stub: StubbedProvider) -> None:
    app = backend(**stub.settings(world, SSL_CERT_FILE=str(world.root)))
    assert_problem(app.device().post("/start", json={"phoneNumber": RIGHT}), 500, FIX)
    assert last_failure(app) == "tls"


def test_session_of_backend_python_returns_401(backend: Backends, world: World) -> None:
    """Both backends use the same token format and key; the different content is rejected."""
    app = backend()
    session = Fernet(KEY).encrypt(json.dumps({"number": RIGHT}).encode()).decode()
    request = {"code": "c", "state": sha256(session.encode()).hexdigest(), "session": session}
    assert_problem(app.device().post("/complete", json=request), 401, OTHER)
