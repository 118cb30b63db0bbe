"""The whole flow: the command line as the phone, a backend, the simulator as its provider."""

import pytest

from calls import RETRIEVAL, Backends
from implementations import Implementation
from waiting import free_port
from world import RIGHT, WRONG


@pytest.mark.parametrize("delivery", ["redirect", "follow-through"])
@pytest.mark.parametrize(("number", "status", "verified"), [(RIGHT, 0, True), (WRONG, 1, False)])
def test_the_right_number_and_a_wrong_one(
    backend: Backends, delivery: str, number: str, status: int, verified: bool
) -> None:
    way = "relay" if delivery == "redirect" else delivery
    exit_status, told = backend(delivery).verify(number, "--code-delivery", way)
    assert (exit_status, told.get("verified")) == (status, verified), told
    # The phone fetches the redirect_uri with follow-through only.
    last = told["trace"]["hops"][-1]
    assert (last["host"] == "backend.test", last["status"]) == ((False, 302) if way == "relay" else (True, 200))


@pytest.mark.only("rust")
@pytest.mark.parametrize("delivery", ["redirect", "follow-through"])
def test_number_of_the_sim(backend: Backends, delivery: str) -> None:
    way = "relay" if delivery == "redirect" else delivery
    status, printed = backend(delivery, **RETRIEVAL).run_command_line("--retrieve", "--code-delivery", way)
    assert (status, printed.get("phoneNumber")) == (0, RIGHT), printed
    last = printed["trace"]["hops"][-1]
    assert (last["host"] == "backend.test", last["status"]) == ((False, 302) if way == "relay" else (True, 200))


def test_backend_without_retrieval(backend: Backends) -> None:
    status, printed = backend().run_command_line("--retrieve")
    assert (status, printed.get("phoneNumber")) == (3, None)
    assert [printed["error"][name] for name in ("kind", "step", "cause")] == ["backend", "start", "status"]
    assert (printed["error"]["detail"]["status"], printed["error"]["fallback"]) == (501, "fix_integration")


def test_a_phone_that_follows_through_where_the_backend_does_not(backend: Backends) -> None:
    status, told = backend("redirect").verify(RIGHT, "--code-delivery", "follow-through")
    assert status == 3
    assert [told["error"][name] for name in ("kind", "step", "cause")] == ["backend", "complete", "status"]
    assert (told["error"]["detail"]["status"], told["error"]["fallback"]) == (403, "use_another_channel")


def test_a_provider_that_cannot_be_reached(backend: Backends, implementation: Implementation) -> None:
    status, told = backend("redirect", **implementation.verify_at(f"https://localhost:{free_port()}")).verify(RIGHT)
    assert status == 3
    assert (told["error"]["detail"]["status"], told["error"]["fallback"]) == (502, "retry_later")


def test_a_secret_that_the_provider_does_not_know(backend: Backends, implementation: Implementation) -> None:
    status, told = backend("redirect", **implementation.wrong_secret()).verify(RIGHT)
    assert status == 3
    assert (told["error"]["detail"]["status"], told["error"]["fallback"]) == (500, "fix_integration")


def test_without_tls_on_the_developers_machine(backend: Backends) -> None:
    app = backend("redirect")
    assert app.verify(RIGHT, f"--backend={app.replicas[0].url}")[0] == 0


def test_too_many_starts(own_backend: Backends) -> None:
    app = own_backend(NUMBER_VERIFY_STARTS_PER_NUMBER="1/600")
    assert app.verify(RIGHT)[0] == 0
    status, told = app.verify(RIGHT)
    assert status == 3
    assert (told["error"]["detail"]["status"], told["error"]["fallback"]) == (429, "retry_later")
    assert 0 < told["error"]["detail"]["retry_after_s"] <= 600
