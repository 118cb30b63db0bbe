"""The whole flow: the command line as the phone, the backend with the real `glide_sdk`, the simulator as Glide."""

from collections.abc import Callable

import pytest
from conftest import RIGHT, WRONG, Backend

DELIVERIES = {"dev_print": "relay", "redirect": "relay", "follow-through": "follow-through"}


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize(("number", "status", "verified"), [(RIGHT, 0, True), (WRONG, 1, False)])
def test_the_right_number_and_a_wrong_one(
    backend: Callable[..., Backend], delivery: str, number: str, status: int, verified: bool
) -> None:
    app = backend(delivery)
    exit_status, told = app.verify(number, "--code-delivery", DELIVERIES[delivery])
    assert (exit_status, told.get("verified")) == (status, verified), told
    # The phone fetches the redirect_uri with follow-through only; a JSON answer needs no redirect at all.
    hosts = [hop["host"] for hop in told["trace"]["hops"]]
    last = {"dev_print": "auth.simulator.test", "redirect": "auth.simulator.test", "follow-through": "backend.test"}
    assert (hosts[0], hosts[-1]) == ("localhost", last[delivery])
    assert told["trace"]["hops"][-1]["status"] == (302 if delivery == "redirect" else 200)


def test_a_phone_that_follows_through_where_the_backend_does_not(backend: Callable[..., Backend]) -> None:
    status, told = backend("redirect").verify(RIGHT, "--code-delivery", "follow-through")
    assert status == 3
    assert [told["error"][name] for name in ("kind", "step", "cause")] == ["backend", "complete", "status"]
    assert (told["error"]["detail"]["status"], told["error"]["fallback"]) == (403, "use_another_channel")


def test_glide_that_cannot_be_reached(backend: Callable[..., Backend]) -> None:
    status, told = backend("redirect", GLIDE_API_BASE_URL="https://localhost:1").verify(RIGHT)
    assert status == 3
    assert (told["error"]["detail"]["status"], told["error"]["fallback"]) == (502, "retry_later")


def test_a_secret_that_glide_does_not_know(backend: Callable[..., Backend]) -> None:
    status, told = backend("redirect", GLIDE_CLIENT_SECRET="of another app").verify(RIGHT)
    assert status == 3
    assert (told["error"]["detail"]["status"], told["error"]["fallback"]) == (500, "fix_integration")


def test_without_tls_on_the_developers_machine(backend: Callable[..., Backend]) -> None:
    assert backend("redirect", https=False).verify(RIGHT)[0] == 0
