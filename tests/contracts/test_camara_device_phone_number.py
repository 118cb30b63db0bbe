"""The simulator's `device-phone-number` conforms to CAMARA's definition: the number, and every error."""

from pathlib import Path

import httpx
import pytest
from openapi_core.exceptions import OpenAPIError

from contract import Contract, Exchange
from simulator import RETRIEVAL_SCOPE, RIGHT, Simulator
from test_camara_scenarios import CAMARA, CORRELATOR
from test_camara_verify import DOCUMENTED, error_in
from test_camara_verify import send as send_verify


def send(simulator: Simulator, token: str | None, **headers: str) -> httpx.Response:
    auth = {"Authorization": f"Bearer {token}"} if token else {}
    return simulator.http.get(f"{simulator.url}/number-verification/v2/device-phone-number", headers=auth | headers)


def check(simulator: Simulator, response: httpx.Response) -> None:
    contract = Contract(CAMARA / "number-verification.yaml", f"{simulator.url}/number-verification/v2")
    exchange = Exchange("GET", str(response.request.url), dict(response.request.headers), b"", response.status_code)
    exchange.response_headers, exchange.response_body = list(response.headers.items()), response.content
    contract.check(exchange)


def assert_error(simulator: Simulator, response: httpx.Response, status: int, code: str) -> None:
    assert error_in(response) == (status, code)
    assert RIGHT not in response.text
    check(simulator, response)


def test_number_of_the_sim_is_returned(simulator: Simulator) -> None:
    response = send(simulator, simulator.token_for_retrieval(), **{"x-correlator": CORRELATOR})
    assert (response.status_code, response.json()) == (200, {"devicePhoneNumber": RIGHT})
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-correlator"] == CORRELATOR
    check(simulator, response)


def test_definition_has_the_errors_of_verify() -> None:
    paths = Contract(CAMARA / "number-verification.yaml", "https://unused.test").document["paths"]
    [share], [verify] = paths["/device-phone-number"].values(), paths["/verify"].values()
    assert share["security"] == [{"openId": [RETRIEVAL_SCOPE]}]
    for responses in (share["responses"], verify["responses"]):
        responses.pop("200")
    assert share["responses"] == verify["responses"]


def test_every_error_is_returned_on_demand(tmp_path: Path, simulator: Simulator) -> None:
    """A SIM with a number of the simulator's list gets its error."""
    for index, error in enumerate(simulator.ready["verify_errors"]):
        folder = tmp_path / str(index)
        folder.mkdir()
        other = Simulator(folder, f"--sim=127.0.0.0/8={error['number']}")
        try:
            response = send(other, other.token_for_retrieval(), **{"x-correlator": CORRELATOR})
            expected = (error["status"], error["code"])
            assert error_in(response) == expected
            assert response.headers["x-correlator"] == CORRELATOR
            if expected in DOCUMENTED:
                check(other, response)
            else:
                with pytest.raises(OpenAPIError):
                    check(other, response)
        finally:
            other.stop()


def test_used_token_returns_401(simulator: Simulator) -> None:
    token = simulator.token_for_retrieval()
    assert send(simulator, token).status_code == 200
    assert_error(simulator, send(simulator, token), 401, "UNAUTHENTICATED")


@pytest.mark.parametrize("scope", ["openid number-verification:verify", "openid", "number-verification"])
def test_token_without_the_scope_returns_403(simulator: Simulator, scope: str) -> None:
    token = simulator.token(simulator.code(scope=scope))
    assert_error(simulator, send(simulator, token), 403, "PERMISSION_DENIED")


def test_retrieval_token_at_verify_returns_403(simulator: Simulator) -> None:
    response = send_verify(simulator, simulator.token_for_retrieval(), {"phoneNumber": RIGHT})
    assert error_in(response) == (403, "PERMISSION_DENIED")


def test_token_with_both_scopes_permits_either(simulator: Simulator) -> None:
    both = f"number-verification:verify {RETRIEVAL_SCOPE}"
    assert send(simulator, simulator.token(simulator.code(scope=both))).status_code == 200
    response = send_verify(simulator, simulator.token(simulator.code(scope=both)), {"phoneNumber": RIGHT})
    assert response.json() == {"devicePhoneNumberVerified": True}


def test_password_login_returns_403(simulator: Simulator) -> None:
    token = simulator.token(simulator.code(scope=RETRIEVAL_SCOPE, prompt="login"))
    code = "NUMBER_VERIFICATION.USER_NOT_AUTHENTICATED_BY_MOBILE_NETWORK"
    assert_error(simulator, send(simulator, token), 403, code)


def test_client_credentials_token_returns_403(simulator: Simulator) -> None:
    token = simulator.token(scope=RETRIEVAL_SCOPE)
    assert_error(simulator, send(simulator, token), 403, "PERMISSION_DENIED")


def test_expired_token_returns_401(tmp_path: Path) -> None:
    simulator = Simulator(tmp_path, "--token-lifetime", "0")
    try:
        assert_error(simulator, send(simulator, simulator.token_for_retrieval()), 401, "UNAUTHENTICATED")
    finally:
        simulator.stop()


@pytest.mark.parametrize("token", [None, "", "0" * 32])
def test_missing_or_unknown_token_returns_401(simulator: Simulator, token: str | None) -> None:
    response = send(simulator, token)
    assert_error(simulator, response, 401, "UNAUTHENTICATED")
    assert response.headers["www-authenticate"] == "Bearer"


def test_code_instead_of_token_returns_401(simulator: Simulator) -> None:
    code = simulator.code(scope=RETRIEVAL_SCOPE)
    assert_error(simulator, send(simulator, code), 401, "UNAUTHENTICATED")


def test_invalid_correlator_returns_400(simulator: Simulator) -> None:
    response = send(simulator, simulator.token_for_retrieval(), **{"x-correlator": "two words"})
    assert error_in(response) == (400, "INVALID_ARGUMENT") and "x-correlator" not in response.headers
