"""The calls of the contract, as tests make them."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import httpx

from running import Backend
from world import RIGHT, World

Backends = Callable[..., Backend]
COOKIE = "number_verify_session"
OTHER, AGAIN, FIX = "use_another_channel", "retry_later", "fix_integration"


def start(device: httpx.Client, number: str = RIGHT, **headers: str) -> dict[str, Any]:
    answer = device.post("/start", json={"phoneNumber": number}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


RETRIEVAL = {"NUMBER_VERIFY_RETRIEVAL": "without-attestation"}
ASKS_FOR_NUMBER = {"purpose": "device-phone-number"}


def start_retrieval(device: httpx.Client, **headers: str) -> dict[str, Any]:
    answer = device.post("/start", json=ASKS_FOR_NUMBER, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def a_request(device: httpx.Client, world: World, number: str = RIGHT) -> dict[str, str]:
    """All that complete wants, without a cookie's help."""
    started = start(device, number)
    device.cookies.clear()
    return world.code(started["authUrl"]) | {"session": started["session"]}


def state_in(started: dict[str, Any]) -> str:
    return dict(parse_qsl(urlsplit(started["authUrl"]).query))["state"]


def a_key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


def assert_verdict(answer: httpx.Response, verified: bool) -> None:
    assert (answer.status_code, answer.json()) == (200, {"verified": verified})
    assert answer.headers["cache-control"] == "no-store"


def assert_number(answer: httpx.Response, number: str) -> None:
    assert (answer.status_code, answer.json()) == (200, {"phoneNumber": number})
    assert answer.headers["cache-control"] == "no-store"


def assert_problem(answer: httpx.Response, status: int, fallback: str) -> None:
    assert answer.status_code == status, answer.text
    assert is_problem(answer)
    assert answer.json()["fallback"] == fallback


def is_problem(answer: httpx.Response) -> bool:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert (told["type"], told["status"]) == ("about:blank", answer.status_code)
    assert isinstance(told["title"], str)
    assert told["fallback"] in (OTHER, AGAIN, FIX)
    return True
