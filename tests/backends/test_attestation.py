"""The member `attestation` of a start: rejected while its check is not implemented, ignored without the setting."""

import json
from typing import Any

import pytest

from calls import FIX, OTHER, Backends, assert_problem, new_key
from implementations import Implementation, PatchedPython
from provider_stub import StubbedProvider, complete_with_code
from redis_server import RedisServer
from running import Backend, startup_error
from test_rate_limits import assert_limited
from world import RIGHT, World

NAME, KINDS = "NUMBER_VERIFY_ATTESTATION", ["play-integrity", "app-attest"]
CANARY = "canary-of-the-attestation"
LARGEST = 16 * 1024
JSON = {"Content-Type": "application/json"}
PLAUSIBLE = {"challenge": "Y2hhbGxlbmdl", "integrityToken": f"eyJhbGciOiJBMjU2S1cifQ.{CANARY}", "assertion": CANARY}
ANY_JSON = [None, True, 0, -1.5, "", CANARY, [], [[CANARY]], {}, PLAUSIBLE]


def of_size(size: int) -> str:
    """A string whose JSON has this size."""
    return "a" * (size - 2)


def body(attestation: Any, number: str = RIGHT) -> dict[str, Any]:  # noqa: ANN401
    return {"phoneNumber": number, "attestation": attestation}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("request_body", [{"phoneNumber": RIGHT}, *map(body, ANY_JSON), body(of_size(LARGEST))])
def test_unimplemented_check_rejects_every_start(backend: Backends, kind: str, request_body: dict[str, Any]) -> None:
    response = backend(**{NAME: kind}).device().post("/start", json=request_body, headers=new_key())
    assert_problem(response, 403, OTHER)
    assert response.json()["title"] == "the app is not attested"
    assert "set-cookie" not in response.headers and CANARY not in response.text + str(response.headers)


@pytest.mark.parametrize("value", ["", " ", "none", "play-integrity,app-attest", "\udcff"])
def test_invalid_kind_ends_the_program(implementation: Implementation, world: World, value: str) -> None:
    """An empty one too: a variable left empty by mistake must not disable the check."""
    message = startup_error(implementation, world, NAME, value)
    assert message.endswith(f"{NAME} must be play-integrity, app-attest or unset")


@pytest.mark.parametrize("kind", [None, *KINDS])
def test_kind_is_logged_at_startup(backend: Backends, kind: str | None) -> None:
    app = backend(**{NAME: kind} if kind else {})
    app.replicas[0].await_log_lines(1, event="started", attestation=kind or "none")


HOOKS = """
import asyncio, attestation
async def returns(value): return value
async def raises(): raise ValueError("CANARY")
async def hangs():
    await asyncio.sleep(3600)
    return True
CASES = {
    "True": lambda: returns(True),
    "False": lambda: returns(False),
    "None": lambda: returns(None),
    "1": lambda: returns(1),
    "text": lambda: returns("accepted"),
    "dict": lambda: returns({"accepted": False}),
    "coroutine": lambda: returns(returns(True)),
    "not async": lambda: True,
    "dict, not async": lambda: {"accepted": False},
    "raises": raises,
    "hangs": hangs,
}
attestation.KINDS["play-integrity"] = lambda number, case: CASES[case]()
""".replace("CANARY", CANARY)


@pytest.mark.only("python")
def test_only_true_of_an_awaited_check_accepts(implementation: Implementation, world: World) -> None:
    settings = {NAME: KINDS[0], "NUMBER_VERIFY_PROVIDER_TIMEOUT_S": "4"}
    app = Backend(PatchedPython(HOOKS), world, "redirect", **settings)
    try:
        for case in ["False", "None", "1", "text", "dict", "coroutine", "not async", "dict, not async", "raises"]:
            assert_problem(app.device().post("/start", json=body(case)), 403, OTHER)
        failures = [line["kind"] for line in app.replicas[0].log_lines() if line["event"] == "attestation_failed"]
        assert failures == ["TypeError", "TypeError", "ValueError"]
        key = new_key()
        for _ in range(2):
            assert_problem(app.device().post("/start", json=body("hangs"), headers=key), 403, OTHER)
        assert len(app.replicas[0].await_log_lines(1, event="attestation_failed", kind="timeout")) == 1
        assert app.device().post("/start", json=body("True")).status_code == 200
        assert CANARY not in app.log()
    finally:
        app.stop()


def test_attestation_is_ignored_without_the_setting(backend: Backends) -> None:
    device = backend().device()
    for attestation in ANY_JSON:
        assert device.post("/start", json=body(attestation)).status_code == 200


@pytest.mark.parametrize("settings", [{}, {NAME: KINDS[0]}])
def test_attestation_over_16_kib_returns_400(backend: Backends, settings: dict[str, str]) -> None:
    """Independent of the setting: an app that works without it must not fail with it."""
    device, within = backend(**settings).device(), 403 if settings else 200
    for attestation, status in [
        (of_size(LARGEST), within),
        (of_size(LARGEST + 1), 400),
        ("é" * (LARGEST // 2 - 1), within),
        ("é" * (LARGEST // 2), 400),
        ([1] * (LARGEST // 2 - 1), within),
        ([1] * (LARGEST // 2), 400),
    ]:
        content = json.dumps(body(attestation), ensure_ascii=False, separators=(",", ":"))
        response = device.post("/start", content=content, headers=JSON)
        assert response.status_code == status
        if status == 400:
            assert_problem(response, 400, FIX)
            assert response.json()["title"] == "attestation must not be over 16 KiB"


def test_malformed_request_is_rejected_before_the_attestation_check(backend: Backends) -> None:
    device = backend(**{NAME: KINDS[0]}).device()
    assert_problem(device.post("/start", json=body(PLAUSIBLE, "12")), 400, FIX)
    repeated = f'{{"phoneNumber": "{RIGHT}", "attestation": {{"a": 1, "a": 2}}}}'
    assert_problem(device.post("/start", content=repeated, headers=JSON), 400, FIX)


def test_rate_limits_apply_before_the_attestation(new_backend: Backends) -> None:
    for limit in ("NUMBER_VERIFY_STARTS_PER_NUMBER", "NUMBER_VERIFY_STARTS_PER_ADDRESS"):
        device = new_backend(**{NAME: KINDS[1], limit: "2/600"}).device()
        for _ in range(2):
            assert_problem(device.post("/start", json=body(PLAUSIBLE)), 403, OTHER)
        assert_limited(device.post("/start", json=body(PLAUSIBLE)), 600)


def test_repeat_returns_the_same_403_and_another_attestation_returns_422(backend: Backends) -> None:
    device, key = backend(**{NAME: KINDS[0]}).device(), new_key()
    first, second = (device.post("/start", json=body(PLAUSIBLE), headers=key) for _ in range(2))
    assert_problem(first, 403, OTHER)
    assert first.content == second.content
    assert_problem(device.post("/start", json=body("other"), headers=key), 422, FIX)


def test_rejection_is_logged_with_its_kind(new_backend: Backends) -> None:
    app = new_backend(**{NAME: KINDS[1]})
    assert_problem(app.device().post("/start", json=body(PLAUSIBLE)), 403, OTHER)
    app.replicas[0].await_log_lines(1, event="attestation_not_implemented", kind=KINDS[1])
    app.replicas[0].await_log_lines(1, event="answered", call="/start", status=403)


@pytest.mark.parametrize("kind", [None, *KINDS])
def test_attestation_reaches_neither_provider_log_nor_store(
    new_backend: Backends,
    new_stub: StubbedProvider,
    implementation: Implementation,
    world: World,
    redis: RedisServer,
    kind: str | None,
) -> None:
    url = redis.url()
    settings = new_stub.settings(world) | implementation.provider_at(new_stub.url)
    app = new_backend(REDIS_URL=url, **settings | ({NAME: kind} if kind else {}))
    device = app.device()
    for attestation in (PLAUSIBLE, CANARY, {CANARY: 1}, of_size(LARGEST) + CANARY):
        device.post("/start", json=body(attestation), headers=new_key())
    if kind:
        assert new_stub.calls == []
    else:
        assert complete_with_code(app, "code")[1].status_code == 200 and new_stub.calls
    app.replicas[0].await_log_lines(4, event="answered", call="/start")
    seen = app.log().encode() + redis.everything_in(url) + repr(new_stub.calls).encode()
    assert CANARY.encode() not in seen and b"integrityToken" not in seen
