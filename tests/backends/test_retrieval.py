"""Retrieval of the number of the SIM, and the data that it stores and logs."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import httpx
import pytest

from calls import (
    AGAIN,
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
from implementations import Implementation
from provider_stub import CLIENT, TOKEN, StubbedProvider, StubResponse, last_failure, start_with_code
from redis_server import RedisServer
from running import Backend, startup_error
from test_abort import abort, assert_aborted, assert_used
from test_attestation import KINDS, PLAUSIBLE
from test_attestation import NAME as ATTESTATION
from test_lost_callback import PROOF, lose_response
from test_provider_errors import expected
from test_rate_limits import assert_limited
from world import FAILING, RIGHT, WRONG, Phone, World

only_rust = pytest.mark.only("rust")
NAME = "NUMBER_VERIFY_RETRIEVAL"
SCOPE = "openid dpv:FraudPreventionAndDetection number-verification:device-phone-number:read"
PHONE = Phone(7)


@pytest.mark.parametrize("setting", [None, "off", ""])
def test_start_returns_501_by_default(backend: Backends, setting: str | None) -> None:
    device = backend(**{} if setting is None else {NAME: setting}).device()
    for more in ({}, {"more": 1, "attestation": PLAUSIBLE}):
        response = device.post("/start", json=RETRIEVAL_BODY | more, headers=new_key())
        assert_problem(response, 501, FIX)
        assert "set-cookie" not in response.headers
    assert_problem(device.post("/start", json=RETRIEVAL_BODY | {"phoneNumber": RIGHT}), 400, FIX)
    assert start(device)["session"]


@only_rust
@pytest.mark.parametrize("value", ["yes", "ON", " ", "without_attestation"])
def test_invalid_setting_ends_the_program(implementation: Implementation, world: World, value: str) -> None:
    message = startup_error(implementation, world, NAME, value)
    assert message.endswith(f"{NAME} must be off, on or without-attestation")


@only_rust
def test_retrieval_without_attestation_ends_the_program(implementation: Implementation, world: World) -> None:
    message = startup_error(implementation, world, NAME, "on")
    assert f"{ATTESTATION} must be set, because {NAME} is on; without-attestation is for" in message


@pytest.fixture
def app(backend: Backends) -> Backend:
    return backend(**RETRIEVAL)


@pytest.fixture
def follow_through(backend: Backends) -> Backend:
    return backend("follow-through", **RETRIEVAL)


@only_rust
@pytest.mark.parametrize("by", ["body", "cookie", "both"])
def test_complete_returns_the_number_of_the_sim(app: Backend, world: World, by: str) -> None:
    for address, number in ((None, RIGHT), (PHONE.address, PHONE.number)):
        device = app.device()
        started = start_retrieval(device)
        request = world.code(started["authUrl"], address)
        if by != "cookie":
            request["session"] = started["session"]
        if by == "body":
            device.cookies.clear()
        assert_number(device.post("/complete", json=request, headers=new_key()), number)
        assert_problem(device.post("/complete", json=request, headers=new_key()), 409, OTHER)


@only_rust
@pytest.mark.parametrize("by", ["header", "cookie"])
def test_callback_with_proof_returns_the_number(follow_through: Backend, world: World, by: str) -> None:
    device = follow_through.device()
    started = start_retrieval(device)
    query = world.code(started["authUrl"], PHONE.address)
    headers = {}
    if by == "header":
        device.cookies.clear()
        headers = {PROOF: started["session"]}
    assert_number(device.get("/callback", params=query, headers=headers), PHONE.number)
    for _ in range(2):
        response = device.post("/complete", json={"session": started["session"]}, headers=new_key())
        assert_number(response, PHONE.number)


@only_rust
def test_start_differs_from_that_of_a_verification_in_the_scope_only(backend: Backends) -> None:
    app = backend(OIDC_LOGIN_HINT="tel", **RETRIEVAL)
    queries, members = [], []
    for begin in (start_retrieval, start):
        started = begin(app.device())
        query = dict(parse_qsl(urlsplit(started["authUrl"]).query))
        fresh = [query.pop(name) for name in ("state", "nonce", "code_challenge")]
        assert all(fresh)
        queries.append(query)
        members.append(started.keys())
    retrieval, verification = queries
    assert members[0] == members[1] and retrieval.pop("scope") == SCOPE
    verification.pop("scope")
    assert verification.pop("login_hint") == f"tel:{RIGHT}"
    assert retrieval == verification


@only_rust
def test_requests_to_the_provider_for_a_retrieval(backend: Backends, world: World, stub: StubbedProvider) -> None:
    app, flow = backend(**stub.settings(world, **RETRIEVAL)), str(uuid4())
    device = app.device()
    stub.calls.clear()
    query, request = start_with_code(device, "good", start_retrieval)
    assert_number(device.post("/complete", json=request, headers={"x-correlator": flow}), RIGHT)
    assert (query["scope"], query["client_id"], query["prompt"]) == (SCOPE, CLIENT, "none")
    path, headers, body = stub.calls[-1]
    assert (path, body) == ("/device-phone-number", "")
    assert (headers["authorization"], headers["x-correlator"]) == ("Bearer token", flow)
    assert "/verify" not in stub.paths


@only_rust
def test_url_and_scope_can_be_set(backend: Backends, world: World, stub: StubbedProvider) -> None:
    url, scope = f"{stub.url}/device-phone-number?version=2", "openid dpv:Other more"
    settings = RETRIEVAL | {"CAMARA_DEVICE_PHONE_NUMBER_URL": url, "OIDC_RETRIEVAL_SCOPE": scope}
    device = backend(**stub.settings(world, **settings)).device()
    stub.responses = {"good": (None, (200, json.dumps({"devicePhoneNumber": PHONE.number})))}
    query, request = start_with_code(device, "good", start_retrieval)
    assert query["scope"] == scope
    assert_number(device.post("/complete", json=request), PHONE.number)
    assert stub.paths[-1] == "/device-phone-number?version=2"


# The purpose belongs to the session

CHANGES: list[dict[str, Any]] = [
    {"purpose": "device-phone-number"},
    {"purpose": "verify"},
    {"purpose": None},
    {"phoneNumber": WRONG},
    {"phoneNumber": RIGHT, "verified": True},
    {"devicePhoneNumber": WRONG, "devicePhoneNumberVerified": True, "number": WRONG},
]


@only_rust
@pytest.mark.parametrize("changes", CHANGES)
def test_complete_cannot_change_the_purpose_of_the_session(app: Backend, world: World, changes: dict[str, Any]) -> None:
    for begin in (start_retrieval, start):
        device = app.device()
        request = world.code(begin(device)["authUrl"], PHONE.address) | changes
        query = {name: str(value) for name, value in changes.items()}
        response = device.post("/complete", params=query, json=request)
        if begin is start_retrieval:
            assert_number(response, PHONE.number)
        else:
            assert_result(response, False)


@only_rust
@pytest.mark.parametrize("changes", CHANGES)
def test_callback_and_abort_cannot_change_the_purpose_of_the_session(
    follow_through: Backend, world: World, changes: dict[str, Any]
) -> None:
    for begin in (start_retrieval, start):
        device = follow_through.device()
        query = world.code(begin(device)["authUrl"], PHONE.address)
        injected = {name: str(value) for name, value in changes.items()}
        response = device.get("/callback", params=query | injected)
        assert_aborted(device.post("/abort", json=changes | {"reason": "cancelled"}))
        for returned in (response, device.post("/complete", json=changes)):
            if begin is start_retrieval:
                assert_number(returned, PHONE.number)
            else:
                assert_result(returned, False)


@only_rust
def test_verification_and_retrieval_of_one_device_are_two_sessions(app: Backend, world: World) -> None:
    device = app.device()
    verification, retrieval = start(device, PHONE.number), start_retrieval(device)
    device.cookies.clear()
    requests = [
        world.code(started["authUrl"], PHONE.address) | {"session": started["session"]}
        for started in (verification, retrieval)
    ]
    assert_result(device.post("/complete", json=requests[0]), True)
    assert_number(device.post("/complete", json=requests[1]), PHONE.number)


@only_rust
def test_retrieval_session_at_a_replica_without_retrieval_returns_401(new_backend: Backends, world: World) -> None:
    app = new_backend(**RETRIEVAL)
    app.add_replica(**{NAME: "off"}).await_readiness()
    started = start_retrieval(app.device(0))
    request = world.code(started["authUrl"]) | {"session": started["session"]}
    assert_problem(app.device(1).post("/complete", json=request), 401, OTHER)
    assert_number(app.device(0).post("/complete", json=request), RIGHT)


# Repeats, lost responses, aborts


@only_rust
def test_repeat_returns_the_same_number(app: Backend, world: World) -> None:
    device, keys = app.device(), (new_key(), new_key())
    starts = [device.post("/start", json=RETRIEVAL_BODY, headers=keys[0]) for _ in range(2)]
    assert starts[0].content == starts[1].content
    assert_problem(device.post("/start", json={"phoneNumber": RIGHT}, headers=keys[0]), 422, FIX)
    request = world.code(starts[0].json()["authUrl"], PHONE.address)
    for _ in range(2):
        assert_number(device.post("/complete", json=request, headers=keys[1]), PHONE.number)
    assert_problem(device.post("/complete", json=request | {"more": 1}, headers=keys[1]), 422, FIX)
    assert_problem(app.device().post("/complete", json=request, headers=keys[1]), 409, OTHER)  # without the session


@only_rust
def test_complete_returns_number_of_lost_callback_on_any_replica(
    new_backend: Backends, world: World, redis: RedisServer
) -> None:
    app = new_backend("follow-through", replicas=2, REDIS_URL=redis.url(), **RETRIEVAL)
    started = start_retrieval(app.device(0))
    lose_response(app, world.code(started["authUrl"], PHONE.address), started["session"])
    for replica in (1, 0):
        response = app.device(replica).post("/complete", json={"session": started["session"]}, headers=new_key())
        assert_number(response, PHONE.number)


@only_rust
def test_aborted_retrieval_returns_no_number(app: Backend, world: World) -> None:
    device = app.device()
    request = world.code(start_retrieval(device)["authUrl"])
    assert_aborted(abort(device))
    assert_used(device.post("/complete", json=request))


@only_rust
def test_abort_keeps_the_number_of_the_callback(follow_through: Backend, world: World) -> None:
    device = follow_through.device()
    started = start_retrieval(device)
    lose_response(follow_through, world.code(started["authUrl"]), started["session"])
    assert_aborted(abort(device))
    assert_number(device.post("/complete", json={}), RIGHT)


# Limits, attestation, log and store


@only_rust
def test_only_the_limit_by_address_applies(new_backend: Backends) -> None:
    limits = {"NUMBER_VERIFY_STARTS_PER_NUMBER": "1/600", "NUMBER_VERIFY_STARTS_PER_ADDRESS": "3/600"}
    device = new_backend(**limits, **RETRIEVAL).device()
    for _ in range(3):
        start_retrieval(device)
    assert_limited(device.post("/start", json=RETRIEVAL_BODY), 600)


@only_rust
@pytest.mark.parametrize(
    ("settings", "logged"),
    [
        ({}, "off"),
        ({NAME: "off", ATTESTATION: KINDS[0]}, "off"),
        ({NAME: "on", ATTESTATION: KINDS[0]}, "on"),
        ({NAME: "on", ATTESTATION: KINDS[1]}, "on"),
        ({NAME: "without-attestation", ATTESTATION: KINDS[0]}, "on"),
        ({NAME: "without-attestation"}, "without-attestation"),
    ],
)
def test_retrieval_without_attestation_is_logged_once(
    new_backend: Backends, settings: dict[str, str], logged: str
) -> None:
    app = new_backend(**settings)
    app.device().post("/start", json=RETRIEVAL_BODY)
    app.replicas[0].await_log_lines(1, event="answered", call="/start")
    app.replicas[0].await_log_lines(1, event="started", retrieval=logged)
    warnings = [line for line in app.replicas[0].log_lines() if line["event"] == "retrieval_without_attestation"]
    assert [line["level"] for line in warnings] == (["warning"] if logged == "without-attestation" else [])


@only_rust
def test_number_is_neither_in_the_store_nor_in_the_log(new_backend: Backends, world: World, redis: RedisServer) -> None:
    """For a result with an `Idempotency-Key`, and for a callback."""
    url = redis.url()
    app = new_backend("follow-through", REDIS_URL=url, **RETRIEVAL)
    device, flow = app.device(), str(uuid4())
    device.headers["x-correlator"] = flow
    started = start_retrieval(device, **new_key())
    request = world.code(started["authUrl"], PHONE.address) | {"session": started["session"]}
    assert_number(device.post("/complete", json=request, headers=new_key()), PHONE.number)
    other = start_retrieval(device)
    query = world.code(other["authUrl"], PHONE.address)
    assert_number(device.get("/callback", params=query), PHONE.number)
    app.replicas[0].await_log_lines(4, event="answered", flow=flow)
    stored = redis.everything_in(url)
    assert b"answer:" in stored and b"spent:" in stored
    seen = stored + app.log().encode()
    secrets = [PHONE.number.strip("+"), request["code"], query["code"], started["session"], other["session"]]
    for secret in [*secrets, state_in(started), "phoneNumber", "purpose"]:
        assert secret.encode() not in seen
    assert redis.all_end_within(url, 660)


@only_rust
def test_session_hides_its_purpose(app: Backend) -> None:
    started = start_retrieval(app.device())
    for text in ("device-phone-number", "etrieval"):
        assert text not in started["session"] + state_in(started)


# Responses of the provider

NOT_E164 = [
    *("", "+", "+1415", "14155550100", "+04155550100", "+1415555010012345", "+1 4155550100", " +14155550100"),
    *("+14155550100\n", "+14155550100\0", "tel:+14155550100", "+1415555010O", "+١٤١٥٥٥٥٠١٠٠", "unknown"),
]
NO_STRINGS: list[object] = [None, True, 14155550100, [RIGHT], {"number": RIGHT}]
MALFORMED = [
    *(json.dumps({"devicePhoneNumber": value}) for value in NO_STRINGS),
    *("", "<html>", "{}", "[]", "null", json.dumps(RIGHT), json.dumps([RIGHT]), json.dumps({"phoneNumber": RIGHT})),
    json.dumps({"devicePhoneNumberVerified": True}),
    f'{{"devicePhoneNumber": "{RIGHT}", "devicePhoneNumber": "{WRONG}"}}',
    f'{{"devicePhoneNumber": "{RIGHT}"',
]


@only_rust
@pytest.mark.parametrize("number", NOT_E164)
def test_number_that_is_not_e164_is_rejected(
    backend: Backends, world: World, stub: StubbedProvider, number: str
) -> None:
    app = backend(**stub.settings(world, **RETRIEVAL))
    assert_problem(complete_with_body(app, stub, json.dumps({"devicePhoneNumber": number})), 502, OTHER)
    assert last_failure(app) == "device_phone_number_not_e164"


@only_rust
@pytest.mark.parametrize("body", MALFORMED)
def test_response_without_a_number_is_malformed(
    backend: Backends, world: World, stub: StubbedProvider, body: str
) -> None:
    app = backend(**stub.settings(world, **RETRIEVAL))
    assert_problem(complete_with_body(app, stub, body), 500, FIX)
    assert last_failure(app) == "device_phone_number_malformed"


def complete_with_body(app: Backend, stub: StubbedProvider, body: str) -> httpx.Response:
    stub.responses = {"case": (None, (200, body))}
    device = app.device()
    response = device.post("/complete", json=start_with_code(device, "case", start_retrieval)[1])
    assert "415555" not in response.text and "415555" not in app.log()
    return response


def camara(status: int, code: str) -> StubResponse:
    return status, json.dumps({"status": status, "code": code, "message": "The text of the operator."})


FAILURES: dict[str, tuple[StubResponse, tuple[int, str], str]] = {
    "wifi": (
        camara(403, "NUMBER_VERIFICATION.USER_NOT_AUTHENTICATED_BY_MOBILE_NETWORK"),
        (403, OTHER),
        "device_phone_number_refused",
    ),
    "wrong-scope": (camara(403, "PERMISSION_DENIED"), (500, FIX), "device_phone_number_misused"),
    "bad-token": (camara(401, "UNAUTHENTICATED"), (500, FIX), "device_phone_number_misused"),
    "unknown-sim": (camara(404, "IDENTIFIER_NOT_FOUND"), (403, OTHER), "device_phone_number_refused"),
    "no-such-path": ((404, "<html>"), (500, FIX), "device_phone_number_misused"),
    "created": ((201, json.dumps({"devicePhoneNumber": RIGHT})), (500, FIX), "device_phone_number_misused"),
    "moved": ((307, json.dumps({"devicePhoneNumber": RIGHT})), (500, FIX), "device_phone_number_misused"),
    "busy": ((429, ""), (502, AGAIN), "device_phone_number_busy"),
    "not-there": (camara(501, "NOT_IMPLEMENTED"), (502, OTHER), "device_phone_number_unavailable"),
    "hangs-up": ((-1, "hang up"), (502, AGAIN), "unreachable"),
}


@only_rust
@pytest.mark.parametrize("case", FAILURES)
def test_provider_failure_returns_no_number(backend: Backends, world: World, stub: StubbedProvider, case: str) -> None:
    provider_response, (status, fallback), kind = FAILURES[case]
    app = backend(**stub.settings(world, **RETRIEVAL))
    stub.responses = {case: (None, provider_response)}
    device = app.device()
    response = device.post("/complete", json=start_with_code(device, case, start_retrieval)[1])
    assert_problem(response, status, fallback)
    assert "415555" not in response.text and last_failure(app) == kind
    assert "/elsewhere" not in stub.paths


@only_rust
def test_missing_id_token_returns_no_number(backend: Backends, world: World, stub: StubbedProvider) -> None:
    """The ID token binds the code to the session if the provider ignores PKCE."""
    app = backend(**stub.settings(world, **RETRIEVAL))
    stub.responses = {"case": ((200, json.dumps(TOKEN)), (200, json.dumps({"devicePhoneNumber": RIGHT})))}
    stub.calls.clear()
    device = app.device()
    assert_problem(device.post("/complete", json=start_with_code(device, "case", start_retrieval)[1]), 500, FIX)
    assert "/device-phone-number" not in stub.paths


@only_rust
def test_every_device_phone_number_error_maps_to_problem(app: Backend, world: World) -> None:
    errors = {error["number"]: (error["status"], error["code"]) for error in world.ready["verify_errors"]}
    assert errors.keys() == set(FAILING.values())
    for address, number in FAILING.items():
        device = app.device()
        response = device.post("/complete", json=world.code(start_retrieval(device)["authUrl"], address))
        assert_problem(response, *expected(*errors[number]))
        assert number not in response.text and number not in app.log()
