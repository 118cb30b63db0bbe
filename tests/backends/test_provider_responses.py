"""Variants of provider responses. Only the access token of a token response is read."""

import json
from collections.abc import Callable

import httpx
import pytest

from calls import AGAIN, FIX, OTHER, Backends, assert_problem, assert_result
from implementations import Implementation
from provider_stub import VERIFIED, StubbedProvider, StubResponse, complete_with_code
from world import World

CompleteWith = Callable[..., httpx.Response]
MISSING = object()


def token(status: int = 200, **members: object) -> StubResponse:
    """A typical token response, with these members replaced."""
    typical = {"access_token": "token", "token_type": "Bearer", "expires_in": 300, "scope": "openid"}
    return status, json.dumps({name: value for name, value in (typical | members).items() if value is not MISSING})


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


def camara(status: int, code: str) -> StubResponse:
    return status, json.dumps({"status": status, "code": code, "message": "The text of the operator."})


def error(status: int, **members: object) -> StubResponse:
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
def complete_with(
    backend: Backends, world: World, implementation: Implementation, stub: StubbedProvider
) -> CompleteWith:
    """The response of `complete` to these responses of the token call and the verify call."""

    def complete_with(token: StubResponse, verify: StubResponse = VERIFIED) -> httpx.Response:
        app = backend(SSL_CERT_FILE=str(world.own_root), **implementation.provider_at(stub.url))
        stub.responses = {"case": (token, verify)}
        stub.calls.clear()
        return complete_with_code(app, "case")[1]

    return complete_with


@pytest.mark.parametrize("provider_response", TOKENS)
def test_token_response_needs_only_the_access_token(
    complete_with: CompleteWith, stub: StubbedProvider, provider_response: StubResponse
) -> None:
    assert_result(complete_with(provider_response), True)
    _, headers, _ = stub.calls[-1]
    assert headers["authorization"] == "Bearer token"


@pytest.mark.parametrize("provider_response", NO_TOKENS)
def test_response_without_access_token_returns_500(
    complete_with: CompleteWith, stub: StubbedProvider, provider_response: StubResponse
) -> None:
    assert_problem(complete_with(provider_response), 500, FIX)
    assert not any("verify" in path for path in stub.paths)


@pytest.mark.parametrize("provider_response", ABOUT_THE_USER)
def test_token_error_of_the_user_returns_403(complete_with: CompleteWith, provider_response: StubResponse) -> None:
    assert_problem(complete_with(provider_response), 403, OTHER)


@pytest.mark.parametrize("provider_response", ABOUT_THE_BACKEND)
def test_token_error_of_the_backend_returns_500(complete_with: CompleteWith, provider_response: StubResponse) -> None:
    assert_problem(complete_with(provider_response), 500, FIX)


@pytest.mark.parametrize("provider_response", UNKNOWN_SIM)
def test_unknown_sim_returns_403(complete_with: CompleteWith, provider_response: StubResponse) -> None:
    assert_problem(complete_with(token(), provider_response), 403, OTHER)


@pytest.mark.parametrize("provider_response", NO_SUCH_CALL)
def test_verify_error_of_the_backend_returns_500(complete_with: CompleteWith, provider_response: StubResponse) -> None:
    assert_problem(complete_with(token(), provider_response), 500, FIX)


@pytest.mark.parametrize(
    "provider_response",
    [
        (200, '{"devicePhoneNumberVerified": false, "devicePhoneNumberVerified": true}'),
        (200, '{"devicePhoneNumberVerified": true, "more": {"a": 1, "a": 1}}'),
        (403, '{"code": "PERMISSION_DENIED", "code": "SERVICE_NOT_APPLICABLE"}'),
    ],
)
def test_repeated_member_in_verify_response_returns_500(
    complete_with: CompleteWith, provider_response: StubResponse
) -> None:
    assert_problem(complete_with(token(), provider_response), 500, FIX)


@pytest.mark.parametrize(
    "provider_response", [camara(501, "NOT_IMPLEMENTED"), camara(501, "DEVICE_NOT_FOUND"), (501, "<html>"), (501, "")]
)
@pytest.mark.parametrize("call", ["token", "verify"])
def test_501_of_the_provider_is_not_temporary(
    complete_with: CompleteWith, call: str, provider_response: StubResponse
) -> None:
    response = complete_with(provider_response) if call == "token" else complete_with(token(), provider_response)
    assert_problem(response, 502, OTHER)


@pytest.mark.parametrize("page", ["<html>K\udcf6ln", "<html>" + "x" * 300_000, '{"code": "NOT_FOUND"'])
@pytest.mark.parametrize("call", ["token", "verify"])
def test_provider_status_takes_precedence_over_its_body(complete_with: CompleteWith, call: str, page: str) -> None:
    response = complete_with((503, page)) if call == "token" else complete_with(token(), (503, page))
    assert_problem(response, 502, AGAIN)
