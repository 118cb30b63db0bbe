"""Helpers that call the contract's endpoints and check responses."""

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
    response = device.post("/start", json={"phoneNumber": number}, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


RETRIEVAL = {"NUMBER_VERIFY_RETRIEVAL": "without-attestation"}
RETRIEVAL_BODY = {"purpose": "device-phone-number"}


def start_retrieval(device: httpx.Client, **headers: str) -> dict[str, Any]:
    response = device.post("/start", json=RETRIEVAL_BODY, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


def new_request(device: httpx.Client, world: World, number: str = RIGHT) -> dict[str, str]:
    """The body of a complete request, including the session; the cookie is removed."""
    started = start(device, number)
    device.cookies.clear()
    return world.code(started["authUrl"]) | {"session": started["session"]}


def state_in(started: dict[str, Any]) -> str:
    return dict(parse_qsl(urlsplit(started["authUrl"]).query))["state"]


def new_key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


def assert_result(response: httpx.Response, verified: bool) -> None:
    assert (response.status_code, response.json()) == (200, {"verified": verified})
    assert response.headers["cache-control"] == "no-store"


def assert_number(response: httpx.Response, number: str) -> None:
    assert (response.status_code, response.json()) == (200, {"phoneNumber": number})
    assert response.headers["cache-control"] == "no-store"


def assert_problem(response: httpx.Response, status: int, fallback: str) -> None:
    assert response.status_code == status, response.text
    assert is_problem(response)
    assert response.json()["fallback"] == fallback


def is_problem(response: httpx.Response) -> bool:
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    body = response.json()
    assert (body["type"], body["status"]) == ("about:blank", response.status_code)
    assert isinstance(body["title"], str)
    assert body["fallback"] in (OTHER, AGAIN, FIX)
    return True
