"""Attempts to retrieve a victim's number: code injection, session fixation, replay and forged sessions."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from calls import (
    COOKIE,
    FIX,
    OTHER,
    RETRIEVAL,
    RETRIEVAL_BODY,
    Backends,
    assert_number,
    assert_problem,
    assert_result,
    new_key,
    start,
    start_retrieval,
    state_in,
)
from provider_stub import NUMBER, VERIFIED, StubbedProvider, StubResponse, last_failure, start_with_code
from running import Backend
from test_attestation import KINDS, PLAUSIBLE
from test_attestation import NAME as ATTESTATION
from test_contract import callback_path
from test_lost_callback import PROOF
from world import RIGHT, Phone, World

pytestmark = pytest.mark.only("rust")

VICTIM = Phone(11)
VERIFY_SCOPE = "openid dpv:FraudPreventionAndDetection number-verification:verify"
RETRIEVAL_SCOPE = "openid dpv:FraudPreventionAndDetection number-verification:device-phone-number:read"


def assert_no_number(response: httpx.Response, status: int, fallback: str = OTHER) -> None:
    assert_problem(response, status, fallback)
    for number in (VICTIM.number, RIGHT):
        assert number.strip("+") not in response.text + str(response.headers)


@pytest.fixture
def app(backend: Backends) -> Backend:
    return backend("follow-through", **RETRIEVAL)


@pytest.mark.parametrize("by", ["complete", "callback"])
@pytest.mark.parametrize("begin", [start_retrieval, start])
def test_code_of_a_victims_flow_in_the_attackers_session_gives_no_number(
    app: Backend,
    world: World,
    by: str,
    begin: Any,  # noqa: ANN401
) -> None:
    """With the attacker's state: the provider rejects the code because of its PKCE challenge."""
    attacker, device = app.device(), app.device()
    started = start_retrieval(attacker)
    stolen = world.code(begin(device)["authUrl"], VICTIM.address)["code"]
    injected = {"code": stolen, "state": state_in(started)}
    if by == "complete":
        assert_no_number(attacker.post("/complete", json=injected), 403)
    else:
        assert_no_number(attacker.get("/callback", params=injected), 403)
        assert_no_number(attacker.post("/complete", json={}), 403)
    assert last_failure(app) == "token_refused"


def test_code_of_a_victims_flow_gives_no_number_if_the_provider_ignores_pkce(
    backend: Backends, world: World, stub: StubbedProvider
) -> None:
    """The ID token has the nonce of the victim's flow. The stub checks no verifier."""
    app = backend(**stub.settings(world, **RETRIEVAL))
    attacker, device = app.device(), app.device()
    _, victim_request = start_with_code(device, "good", start_retrieval)
    _, attacker_request = start_with_code(attacker, "good", start_retrieval)
    stub.calls.clear()
    assert_no_number(attacker.post("/complete", json=attacker_request | {"code": victim_request["code"]}), 403)
    assert last_failure(app) == "id_token_refused"
    assert "/device-phone-number" not in stub.paths


def test_code_used_a_second_time_gives_no_number(app: Backend, world: World) -> None:
    """In the same session, in another one, and by the callback."""
    victim, attacker = app.device(), app.device()
    used = world.code(start_retrieval(victim)["authUrl"], VICTIM.address)
    assert_number(victim.post("/complete", json=used), VICTIM.number)
    assert_no_number(victim.post("/complete", json=used, headers=new_key()), 409)
    assert_no_number(victim.get("/callback", params=used), 409)
    assert_no_number(victim.post("/complete", json={}), 409)
    for call in ("complete", "callback"):
        replayed = {"code": used["code"], "state": state_in(start_retrieval(attacker))}
        if call == "complete":
            assert_no_number(attacker.post("/complete", json=replayed), 403)
        else:
            assert_no_number(attacker.get("/callback", params=replayed), 403)


@pytest.mark.parametrize("victim", ["no session", "has a session", "knows the state", "has the attacker's cookie"])
def test_victims_phone_at_the_attackers_auth_url_gives_the_attacker_no_number(
    app: Backend, world: World, victim: str
) -> None:
    """The victim's phone fetches the callback of the attacker's session, without the attacker's proof."""
    attacker, phone = app.device(), app.device()
    started = start_retrieval(attacker)
    state, headers = state_in(started), {}
    if victim == "has a session":
        headers = {PROOF: start_retrieval(phone)["session"]}
    if victim == "knows the state":
        headers = {PROOF: state, "Cookie": f"{COOKIE}={state}"}
    if victim == "has the attacker's cookie":  # which another host of the site can set
        headers = {"Cookie": f"{COOKIE}={started['session']}", "Host": "backend.test"}
    path = callback_path(app.url, world, started["authUrl"], VICTIM.address)
    response = phone.get(path, headers=headers)
    assert_no_number(response, 403)
    assert dict(parse_qsl(urlsplit(path).query))["code"] not in response.text + str(response.headers)
    assert_no_number(attacker.post("/complete", json={"session": started["session"]}), 409)
    assert_no_number(attacker.post("/complete", json={"session": started["session"], "state": state}), 409)
    assert_no_number(attacker.get("/callback", params={"code": "guessed", "state": state}), 403)
    assert_no_number(attacker.post("/complete", json={"session": started["session"]}), 403)


def test_victims_phone_at_the_attackers_auth_url_gives_no_number_by_relay(backend: Backends, world: World) -> None:
    """The redirect_uri of the backend accepts no code, even from the attacker."""
    app = backend(**RETRIEVAL)
    attacker, phone = app.device(), app.device()
    started = start_retrieval(attacker)
    path = callback_path(app.url, world, started["authUrl"], VICTIM.address)
    assert_no_number(phone.get(path), 403)
    assert_no_number(attacker.post("/complete", json={"session": started["session"]}), 400, FIX)
    assert_no_number(attacker.post("/complete", json={"code": "guessed", "state": state_in(started)}), 403)


def test_session_of_the_victim_without_its_proof_gives_no_number(app: Backend, world: World) -> None:
    """The attacker knows the victim's state and code, not the session."""
    victim, attacker = app.device(), app.device()
    query = world.code(start_retrieval(victim)["authUrl"], VICTIM.address)
    attacker_session = start_retrieval(attacker)["session"]
    for session, status in (({}, 409), ({"session": attacker_session}, 403), ({"session": query["state"]}, 401)):
        assert_no_number(app.device().post("/complete", json=query | session), status)
    assert_no_number(attacker.get("/callback", params=query, headers={PROOF: attacker_session}), 403)
    assert_number(victim.post("/complete", json=query), VICTIM.number)


@pytest.mark.parametrize(
    ("body", "rejected"),
    [
        (NUMBER[1], True),
        (json.dumps({"devicePhoneNumberVerified": RIGHT}), True),
        (json.dumps({"devicePhoneNumberVerified": True, "devicePhoneNumber": RIGHT, "phoneNumber": RIGHT}), False),
    ],
)
def test_verify_session_never_yields_a_number(
    backend: Backends, world: World, stub: StubbedProvider, body: str, rejected: bool
) -> None:
    """For any response of the provider to `verify`."""
    response = complete_with_body(backend, world, stub, start, (200, body))
    if rejected:
        assert_no_number(response, 500, FIX)
    else:
        assert_result(response, True)
    assert "/device-phone-number" not in stub.paths


@pytest.mark.parametrize(
    ("body", "rejected"),
    [
        (VERIFIED[1], True),
        (json.dumps({"devicePhoneNumber": True}), True),
        (json.dumps({"devicePhoneNumber": RIGHT, "devicePhoneNumberVerified": True, "verified": True}), False),
    ],
)
def test_retrieval_session_never_yields_a_boolean(
    backend: Backends, world: World, stub: StubbedProvider, body: str, rejected: bool
) -> None:
    """For any response of the provider to `device-phone-number`."""
    response = complete_with_body(backend, world, stub, start_retrieval, (200, body))
    if rejected:
        assert_no_number(response, 500, FIX)
        assert "verified" not in response.json()
    else:
        assert_number(response, RIGHT)
    assert "/verify" not in stub.paths


def complete_with_body(
    backend: Backends,
    world: World,
    stub: StubbedProvider,
    begin: Any,  # noqa: ANN401
    response: StubResponse,
) -> httpx.Response:
    device = backend(**stub.settings(world, **RETRIEVAL)).device()
    stub.responses = {"case": (None, response)}
    stub.calls.clear()
    return device.post("/complete", json=start_with_code(device, "case", begin)[1])


@pytest.mark.parametrize(
    ("begin", "settings"),
    [
        (start, {"OIDC_SCOPE": RETRIEVAL_SCOPE}),
        (start_retrieval, {"OIDC_RETRIEVAL_SCOPE": VERIFY_SCOPE}),
    ],
)
def test_token_of_the_other_scope_yields_neither_number_nor_boolean(
    backend: Backends,
    world: World,
    begin: Any,  # noqa: ANN401
    settings: dict[str, str],
) -> None:
    """The simulator's provider denies each call to a token of the other scope."""
    app = backend("follow-through", **RETRIEVAL, **settings)
    device = app.device()
    response = device.post("/complete", json=world.code(begin(device)["authUrl"], VICTIM.address))
    assert_no_number(response, 500, FIX)
    assert "verified" not in response.json()
    failed = [line for line in app.replicas[0].log_lines() if line["event"] == "provider_failed"]
    assert failed[-1]["status"] == 403


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("setting", ["on", "without-attestation"])
@pytest.mark.parametrize("attestation", [None, {}, True, PLAUSIBLE])
def test_retrieval_without_a_valid_attestation_is_rejected(
    backend: Backends,
    kind: str,
    setting: str,
    attestation: Any,  # noqa: ANN401
) -> None:
    device = backend(NUMBER_VERIFY_RETRIEVAL=setting, **{ATTESTATION: kind}).device()
    for more in ({}, {"attestation": attestation}):
        response = device.post("/start", json=RETRIEVAL_BODY | more)
        assert_no_number(response, 403)
        assert response.json()["title"] == "the app is not attested"
        assert "set-cookie" not in response.headers and "authUrl" not in response.text
