"""CAMARA's `device-phone-number` of the simulator against CAMARA's definition: the number, and every error."""

from pathlib import Path

import httpx
import pytest
from openapi_core.exceptions import OpenAPIError

from contract import Contract, Exchange
from simulator import RETRIEVAL_SCOPE, RIGHT, Simulator
from test_camara_scenarios import CAMARA, CORRELATOR
from test_camara_verify import NAMED, refused
from test_camara_verify import ask as ask_verify


def ask(simulator: Simulator, token: str | None, **headers: str) -> httpx.Response:
    given = {"Authorization": f"Bearer {token}"} if token else {}
    return simulator.http.get(f"{simulator.url}/number-verification/v2/device-phone-number", headers=given | headers)


def check(simulator: Simulator, answer: httpx.Response) -> None:
    contract = Contract(CAMARA / "number-verification.yaml", f"{simulator.url}/number-verification/v2")
    exchange = Exchange("GET", str(answer.request.url), dict(answer.request.headers), b"", answer.status_code)
    exchange.answer_headers, exchange.answer_body = list(answer.headers.items()), answer.content
    contract.check(exchange)


def assert_refused(simulator: Simulator, answer: httpx.Response, status: int, code: str) -> None:
    assert refused(answer) == (status, code)
    assert RIGHT not in answer.text
    check(simulator, answer)


def test_the_number_of_the_sim(simulator: Simulator) -> None:
    answer = ask(simulator, simulator.retrieving_token(), **{"x-correlator": CORRELATOR})
    assert (answer.status_code, answer.json()) == (200, {"devicePhoneNumber": RIGHT})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-correlator"] == CORRELATOR
    check(simulator, answer)


def test_the_definition_names_the_errors_of_verify() -> None:
    paths = Contract(CAMARA / "number-verification.yaml", "https://unused.test").document["paths"]
    [share], [verify] = paths["/device-phone-number"].values(), paths["/verify"].values()
    assert share["security"] == [{"openId": [RETRIEVAL_SCOPE]}]
    for responses in (share["responses"], verify["responses"]):
        responses.pop("200")
    assert share["responses"] == verify["responses"]


def test_every_error_on_demand(tmp_path: Path, simulator: Simulator) -> None:
    """A SIM with a number of the simulator's list gets that error."""
    for index, error in enumerate(simulator.ready["verify_errors"]):
        folder = tmp_path / str(index)
        folder.mkdir()
        other = Simulator(folder, f"--sim=127.0.0.0/8={error['number']}")
        try:
            answer = ask(other, other.retrieving_token(), **{"x-correlator": CORRELATOR})
            expected = (error["status"], error["code"])
            assert refused(answer) == expected
            assert answer.headers["x-correlator"] == CORRELATOR
            if expected in NAMED:
                check(other, answer)
            else:
                with pytest.raises(OpenAPIError):
                    check(other, answer)
        finally:
            other.stop()


def test_a_token_works_once(simulator: Simulator) -> None:
    token = simulator.retrieving_token()
    assert ask(simulator, token).status_code == 200
    assert_refused(simulator, ask(simulator, token), 401, "UNAUTHENTICATED")


@pytest.mark.parametrize("scope", ["openid number-verification:verify", "openid", "number-verification"])
def test_a_token_without_the_scope_is_denied(simulator: Simulator, scope: str) -> None:
    token = simulator.token(simulator.code(scope=scope))
    assert_refused(simulator, ask(simulator, token), 403, "PERMISSION_DENIED")


def test_a_token_for_the_number_does_not_verify(simulator: Simulator) -> None:
    answer = ask_verify(simulator, simulator.retrieving_token(), {"phoneNumber": RIGHT})
    assert refused(answer) == (403, "PERMISSION_DENIED")


def test_a_token_with_both_scopes_permits_either(simulator: Simulator) -> None:
    both = f"number-verification:verify {RETRIEVAL_SCOPE}"
    assert ask(simulator, simulator.token(simulator.code(scope=both))).status_code == 200
    answer = ask_verify(simulator, simulator.token(simulator.code(scope=both)), {"phoneNumber": RIGHT})
    assert answer.json() == {"devicePhoneNumberVerified": True}


def test_a_login_with_a_password_returns_no_number(simulator: Simulator) -> None:
    token = simulator.token(simulator.code(scope=RETRIEVAL_SCOPE, prompt="login"))
    code = "NUMBER_VERIFICATION.USER_NOT_AUTHENTICATED_BY_MOBILE_NETWORK"
    assert_refused(simulator, ask(simulator, token), 403, code)


def test_a_client_has_no_number(simulator: Simulator) -> None:
    token = simulator.token(scope=RETRIEVAL_SCOPE)
    assert_refused(simulator, ask(simulator, token), 403, "PERMISSION_DENIED")


def test_an_expired_token(tmp_path: Path) -> None:
    simulator = Simulator(tmp_path, "--token-lifetime", "0")
    try:
        assert_refused(simulator, ask(simulator, simulator.retrieving_token()), 401, "UNAUTHENTICATED")
    finally:
        simulator.stop()


@pytest.mark.parametrize("token", [None, "", "0" * 32])
def test_no_valid_token(simulator: Simulator, token: str | None) -> None:
    answer = ask(simulator, token)
    assert_refused(simulator, answer, 401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_code_is_no_token(simulator: Simulator) -> None:
    code = simulator.code(scope=RETRIEVAL_SCOPE)
    assert_refused(simulator, ask(simulator, code), 401, "UNAUTHENTICATED")


def test_a_correlator_that_is_not_valid(simulator: Simulator) -> None:
    answer = ask(simulator, simulator.retrieving_token(), **{"x-correlator": "two words"})
    assert refused(answer) == (400, "INVALID_ARGUMENT") and "x-correlator" not in answer.headers
