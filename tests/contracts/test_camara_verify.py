"""What CAMARA's scenarios leave open: each error on demand, and tokens that work once."""

import hashlib
import json

import httpx
import pytest
from openapi_core.exceptions import OpenAPIError

from contract import Contract, Exchange
from simulator import RIGHT, Simulator
from test_camara_scenarios import CAMARA, CORRELATOR

# Those of the definition's own answers. The others are of older releases or of CAMARA's generic list.
NAMED = [
    (400, "INVALID_ARGUMENT"),
    (401, "UNAUTHENTICATED"),
    (403, "PERMISSION_DENIED"),
    (403, "NUMBER_VERIFICATION.USER_NOT_AUTHENTICATED_BY_MOBILE_NETWORK"),
]


def ask(simulator: Simulator, token: str | None, body: object, **headers: str) -> httpx.Response:
    given = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    url = f"{simulator.url}/number-verification/v2/verify"
    return simulator.http.post(url, content=json.dumps(body), headers=given | headers)


def refused(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert body.keys() == {"status", "code", "message"} and body["status"] == answer.status_code, body
    assert answer.headers["content-type"] == "application/json"
    return answer.status_code, body["code"]


def test_every_error_on_demand(simulator: Simulator) -> None:
    contract = Contract(CAMARA / "number-verification.yaml", f"{simulator.url}/number-verification/v2")
    errors = simulator.ready["verify_errors"]
    assert {(error["status"], error["code"]) for error in errors} >= set(NAMED)
    for error in errors:
        expected = (error["status"], error["code"])
        for body in (
            {"phoneNumber": error["number"]},
            {"hashedPhoneNumber": hashlib.sha256(error["number"].encode()).hexdigest()},
        ):
            answer = ask(simulator, simulator.verifying_token(), body, **{"x-correlator": CORRELATOR})
            assert refused(answer) == expected
            assert answer.headers["x-correlator"] == CORRELATOR
            exchange = Exchange("POST", str(answer.request.url), dict(answer.request.headers), answer.request.content)
            exchange.status, exchange.answer_body = answer.status_code, answer.content
            exchange.answer_headers = list(answer.headers.items())
            if expected in NAMED:
                contract.check(exchange)
            else:
                with pytest.raises(OpenAPIError):
                    contract.check(exchange)


def test_the_definition_names_no_other_error() -> None:
    definition = Contract(CAMARA / "number-verification.yaml", "https://unused.test").document
    responses = definition["paths"]["/verify"]["post"]["responses"]
    named = []
    for response in responses.values():
        if "$ref" in response:
            content = definition["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]["content"]
            told = content["application/json"]["schema"]["allOf"][1]["properties"]
            named += [(status, code) for status in told["status"]["enum"] for code in told["code"]["enum"]]
    assert named == NAMED


def test_a_token_works_once(simulator: Simulator) -> None:
    token = simulator.verifying_token()
    assert ask(simulator, token, {"phoneNumber": RIGHT}).json() == {"devicePhoneNumberVerified": True}
    assert refused(ask(simulator, token, {"phoneNumber": RIGHT})) == (401, "UNAUTHENTICATED")


def test_a_code_is_no_token(simulator: Simulator) -> None:
    code = simulator.code(scope="openid number-verification:verify")
    assert refused(ask(simulator, code, {"phoneNumber": RIGHT})) == (401, "UNAUTHENTICATED")


def test_a_client_verifies_nobody(simulator: Simulator) -> None:
    token = simulator.token(scope="number-verification:verify")
    assert refused(ask(simulator, token, {"phoneNumber": RIGHT})) == (403, "PERMISSION_DENIED")


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
def test_a_body_that_is_not_of_the_schema(simulator: Simulator, body: object) -> None:
    assert refused(ask(simulator, simulator.verifying_token(), body)) == (400, "INVALID_ARGUMENT")


def test_headers_that_are_not_valid(simulator: Simulator) -> None:
    body = {"phoneNumber": RIGHT}
    answer = ask(simulator, simulator.verifying_token(), body, **{"x-correlator": "two words"})
    assert refused(answer) == (400, "INVALID_ARGUMENT") and "x-correlator" not in answer.headers
    answer = ask(simulator, simulator.verifying_token(), body, **{"Content-Type": "text/plain"})
    assert refused(answer) == (415, "UNSUPPORTED_MEDIA_TYPE")
    answer = ask(simulator, None, body, Authorization="Basic abc")
    assert refused(answer) == (401, "UNAUTHENTICATED") and answer.headers["www-authenticate"] == "Bearer"
