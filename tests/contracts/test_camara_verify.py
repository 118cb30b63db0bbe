"""Cases that CAMARA's scenarios do not cover: each error on demand, and single-use tokens."""

import hashlib
import json

import httpx
import pytest
from openapi_core.exceptions import OpenAPIError

from contract import Contract, Exchange
from simulator import RIGHT, Simulator
from test_camara_scenarios import CAMARA, CORRELATOR

# The errors of the definition. The others are from older releases or from CAMARA's generic list.
DOCUMENTED = [
    (400, "INVALID_ARGUMENT"),
    (401, "UNAUTHENTICATED"),
    (403, "PERMISSION_DENIED"),
    (403, "NUMBER_VERIFICATION.USER_NOT_AUTHENTICATED_BY_MOBILE_NETWORK"),
]


def send(simulator: Simulator, token: str | None, body: object, **headers: str) -> httpx.Response:
    defaults = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    url = f"{simulator.url}/number-verification/v2/verify"
    return simulator.http.post(url, content=json.dumps(body), headers=defaults | headers)


def error_in(response: httpx.Response) -> tuple[int, str]:
    body = response.json()
    assert body.keys() == {"status", "code", "message"} and body["status"] == response.status_code, body
    assert response.headers["content-type"] == "application/json"
    return response.status_code, body["code"]


def test_every_error_is_returned_on_demand(simulator: Simulator) -> None:
    contract = Contract(CAMARA / "number-verification.yaml", f"{simulator.url}/number-verification/v2")
    errors = simulator.ready["verify_errors"]
    assert {(error["status"], error["code"]) for error in errors} >= set(DOCUMENTED)
    for error in errors:
        expected = (error["status"], error["code"])
        for body in (
            {"phoneNumber": error["number"]},
            {"hashedPhoneNumber": hashlib.sha256(error["number"].encode()).hexdigest()},
        ):
            response = send(simulator, simulator.token_for_verify(), body, **{"x-correlator": CORRELATOR})
            assert error_in(response) == expected
            assert response.headers["x-correlator"] == CORRELATOR
            sent = response.request
            exchange = Exchange("POST", str(sent.url), dict(sent.headers), sent.content)
            exchange.status, exchange.response_body = response.status_code, response.content
            exchange.response_headers = list(response.headers.items())
            if expected in DOCUMENTED:
                contract.check(exchange)
            else:
                with pytest.raises(OpenAPIError):
                    contract.check(exchange)


def test_definition_has_no_other_error() -> None:
    definition = Contract(CAMARA / "number-verification.yaml", "https://unused.test").document
    responses = definition["paths"]["/verify"]["post"]["responses"]
    errors = []
    for response in responses.values():
        if "$ref" in response:
            content = definition["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]["content"]
            members = content["application/json"]["schema"]["allOf"][1]["properties"]
            errors += [(status, code) for status in members["status"]["enum"] for code in members["code"]["enum"]]
    assert errors == DOCUMENTED


def test_used_token_returns_401(simulator: Simulator) -> None:
    token = simulator.token_for_verify()
    assert send(simulator, token, {"phoneNumber": RIGHT}).json() == {"devicePhoneNumberVerified": True}
    assert error_in(send(simulator, token, {"phoneNumber": RIGHT})) == (401, "UNAUTHENTICATED")


def test_code_instead_of_token_returns_401(simulator: Simulator) -> None:
    code = simulator.code(scope="openid number-verification:verify")
    assert error_in(send(simulator, code, {"phoneNumber": RIGHT})) == (401, "UNAUTHENTICATED")


def test_client_credentials_token_returns_403(simulator: Simulator) -> None:
    token = simulator.token(scope="number-verification:verify")
    assert error_in(send(simulator, token, {"phoneNumber": RIGHT})) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "phoneNumber",
        {"phoneNumber": None},
        {"phoneNumber": 14155550100},
        {"phoneNumber": "+0123456"},
        {"phoneNumber": RIGHT, "more": 1},
        {"hashedPhoneNumber": "0" * 63},
        {"hashedPhoneNumber": "g" * 64},
    ],
)
def test_body_that_violates_the_schema_returns_400(simulator: Simulator, body: object) -> None:
    assert error_in(send(simulator, simulator.token_for_verify(), body)) == (400, "INVALID_ARGUMENT")


def test_invalid_header_is_rejected(simulator: Simulator) -> None:
    body = {"phoneNumber": RIGHT}
    response = send(simulator, simulator.token_for_verify(), body, **{"x-correlator": "two words"})
    assert error_in(response) == (400, "INVALID_ARGUMENT") and "x-correlator" not in response.headers
    response = send(simulator, simulator.token_for_verify(), body, **{"Content-Type": "text/plain"})
    assert error_in(response) == (415, "UNSUPPORTED_MEDIA_TYPE")
    response = send(simulator, None, body, Authorization="Basic abc")
    assert error_in(response) == (401, "UNAUTHENTICATED") and response.headers["www-authenticate"] == "Bearer"
