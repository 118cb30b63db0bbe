"""The forms that the responses of providers have. Of a token response, only the access token is read."""

import json
from collections.abc import Callable

import httpx
import pytest

from calls import AGAIN, FIX, OTHER, Backends, assert_problem, assert_verdict
from implementations import Implementation
from provider_stub import VERIFIED, Answer, StubbedProvider, completed
from world import World

Responded = Callable[..., httpx.Response]
MISSING = object()


def token(status: int = 200, **members: object) -> Answer:
    """A token response of the usual form, but for these members."""
    usual = {"access_token": "token", "token_type": "Bearer", "expires_in": 300, "scope": "openid"}
    return status, json.dumps({name: value for name, value in (usual | members).items() if value is not MISSING})


TOKENS = [
    *(token(expires_in=lifetime) for lifetime in (300, "300", 299.5, 1e20, -1, 0, True, "soon", [300], None, MISSING)),
    *(token(scope=scope) for scope in ("a b", "", ["a", "b"], [], {"a": 1}, 5, None, MISSING)),
    *(token(token_type=kind) for kind in ("bearer", "BEARER", "bEaReR", "N_A", "", 5, None, MISSING)),
    *(token(refresh_token=refresh) for refresh in (5, ["one"], None)),
    *(token(status) for status in (201, 202, 203, 206, 299)),
    token(expires_in=MISSING, scope=MISSING, token_type=MISSING),
    token(error=None, code=5, more={"deep": [1]}),
]
NO_TOKENS = [
    *(token(access_token=access) for access in ("", 5, True, ["token"], {"token": "token"}, None, MISSING)),
    *(token(201, access_token=access) for access in ("", MISSING)),
    token(access_token=MISSING, accessToken="token", token="token", id_token="token"),
    *(
        (200, body)
        for body in ("", "token", '"token"', "null", "true", "[]", '["token", null]', '[{"access_token": "token"}]')
    ),
    (200, '{"access_token": "token"'),
    (200, "access_token=token&token_type=bearer"),
    (201, "<html>"),
    (204, ""),
    (302, json.dumps({"access_token": "token"})),
]


def camara(status: int, code: str) -> Answer:
    return status, json.dumps({"status": status, "code": code, "message": "The text of the operator."})


def error(status: int, **members: object) -> Answer:
    return status, json.dumps(members)


# Token endpoint
ABOUT_THE_USER = [
    camara(403, "INVALID_GRANT"),
    camara(400, "INVALID_GRANT"),
    camara(401, "ACCESS_DENIED"),
    camara(403, "invalid_grant"),
    camara(403, "Access_Denied"),
    error(400, error="invalid_grant"),
    error(400, error="INVALID_GRANT"),
    error(403, error="access_denied"),
    error(403, error="ACCESS_DENIED", error_description="x"),
    error(403, error="Forbidden", code="INVALID_GRANT"),
    error(403, error=None, code="ACCESS_DENIED"),
    error(403, error={"type": "x"}, code="INVALID_GRANT"),
    error(400, code="INVALID_GRANT"),
]
ABOUT_THE_BACKEND = [
    *(
        camara(status, code)
        for status, code in [
            (400, "INVALID_ARGUMENT"),
            (400, "INVALID_REQUEST"),
            (401, "UNAUTHENTICATED"),
            (401, "INVALID_CLIENT"),
            (403, "PERMISSION_DENIED"),
            (403, "UNAUTHORIZED_CLIENT"),
            (403, "INVALID_GRANTS"),
            (404, "NOT_FOUND"),
            (404, "IDENTIFIER_NOT_FOUND"),
        ]
    ),
    error(400, error="unsupported_grant_type"),
    error(400, error="invalid_request", error_description="invalid_grant"),
    error(403, message="INVALID_GRANT"),
    error(403, code=["INVALID_GRANT"]),
    error(403, code={"INVALID_GRANT": True}),
    error(403, error={"code": "INVALID_GRANT"}),
    (403, '"INVALID_GRANT"'),
    (403, '["invalid_grant"]'),
    (403, '["invalid_grant", "invalid_grant"]'),
    (403, '[{"error": "invalid_grant"}]'),
    (403, "INVALID_GRANT"),
    (403, "error=invalid_grant"),
    (403, ""),
]
# Verify
UNKNOWN_SIM = [
    camara(404, "IDENTIFIER_NOT_FOUND"),
    camara(404, "DEVICE_NOT_FOUND"),
    camara(404, "identifier_not_found"),
    camara(404, "Device_Not_Found"),
    error(404, code="IDENTIFIER_NOT_FOUND"),
    error(404, code="DEVICE_NOT_FOUND", error="Not Found"),
]
NO_SUCH_CALL = [
    camara(404, "NOT_FOUND"),
    camara(404, "RESOURCE_NOT_FOUND"),
    camara(404, "IDENTIFIER_NOT_FOUND_"),
    camara(400, "IDENTIFIER_NOT_FOUND"),
    camara(401, "DEVICE_NOT_FOUND"),
    camara(403, "permission_denied"),
    error(404, error="IDENTIFIER_NOT_FOUND"),
    error(404, message="DEVICE_NOT_FOUND"),
    error(404, code=["IDENTIFIER_NOT_FOUND"]),
    (404, '"DEVICE_NOT_FOUND"'),
    (404, '["DEVICE_NOT_FOUND"]'),
    (404, "<html>DEVICE_NOT_FOUND"),
    (404, ""),
]


@pytest.fixture
def responded(backend: Backends, world: World, implementation: Implementation, stub: StubbedProvider) -> Responded:
    """What `complete` responds if the token call and the verify call get these."""

    def responded(token: Answer, verify: Answer = VERIFIED) -> httpx.Response:
        app = backend(SSL_CERT_FILE=str(world.own_root), **implementation.provider_at(stub.url))
        stub.answers = {"case": (token, verify)}
        stub.calls.clear()
        return completed(app, "case")[1]

    return responded


@pytest.mark.parametrize("response", TOKENS)
def test_only_the_access_token_is_needed(responded: Responded, stub: StubbedProvider, response: Answer) -> None:
    assert_verdict(responded(response), True)
    _, headers, _ = stub.calls[-1]
    assert headers["authorization"] == "Bearer token"


@pytest.mark.parametrize("response", NO_TOKENS)
def test_a_response_without_an_access_token(responded: Responded, stub: StubbedProvider, response: Answer) -> None:
    assert_problem(responded(response), 500, FIX)
    assert not any("verify" in path for path in stub.paths)


@pytest.mark.parametrize("response", ABOUT_THE_USER)
def test_a_token_error_about_the_user(responded: Responded, response: Answer) -> None:
    assert_problem(responded(response), 403, OTHER)


@pytest.mark.parametrize("response", ABOUT_THE_BACKEND)
def test_a_token_error_about_the_backend(responded: Responded, response: Answer) -> None:
    assert_problem(responded(response), 500, FIX)


@pytest.mark.parametrize("response", UNKNOWN_SIM)
def test_verify_does_not_know_the_sim(responded: Responded, response: Answer) -> None:
    assert_problem(responded(token(), response), 403, OTHER)


@pytest.mark.parametrize("response", NO_SUCH_CALL)
def test_verify_is_misused(responded: Responded, response: Answer) -> None:
    assert_problem(responded(token(), response), 500, FIX)


@pytest.mark.parametrize(
    "response",
    [
        (200, '{"devicePhoneNumberVerified": false, "devicePhoneNumberVerified": true}'),
        (200, '{"devicePhoneNumberVerified": true, "more": {"a": 1, "a": 1}}'),
        (403, '{"code": "PERMISSION_DENIED", "code": "SERVICE_NOT_APPLICABLE"}'),
    ],
)
def test_repeated_member_in_a_response_of_verify(responded: Responded, response: Answer) -> None:
    assert_problem(responded(token(), response), 500, FIX)


@pytest.mark.parametrize(
    "response", [camara(501, "NOT_IMPLEMENTED"), camara(501, "DEVICE_NOT_FOUND"), (501, "<html>"), (501, "")]
)
@pytest.mark.parametrize("call", ["token", "verify"])
def test_501_is_not_temporary(responded: Responded, call: str, response: Answer) -> None:
    answer = responded(response) if call == "token" else responded(token(), response)
    assert_problem(answer, 502, OTHER)


@pytest.mark.parametrize("page", ["<html>K\udcf6ln", "<html>" + "x" * 300_000, '{"code": "NOT_FOUND"'])
@pytest.mark.parametrize("call", ["token", "verify"])
def test_a_page_does_not_hide_its_status(responded: Responded, call: str, page: str) -> None:
    answer = responded((503, page)) if call == "token" else responded(token(), (503, page))
    assert_problem(answer, 502, AGAIN)
