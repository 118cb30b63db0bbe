"""End-to-end tests: the command line as the phone, a backend, the simulator as the provider."""

import pytest

from calls import RETRIEVAL, Backends
from implementations import Implementation
from waiting import free_port
from world import RIGHT, WRONG


@pytest.mark.parametrize("delivery", ["redirect", "follow-through"])
@pytest.mark.parametrize(("number", "status", "verified"), [(RIGHT, 0, True), (WRONG, 1, False)])
def test_number_of_the_sim_is_verified_and_another_is_not(
    backend: Backends, delivery: str, number: str, status: int, verified: bool
) -> None:
    mode = "relay" if delivery == "redirect" else delivery
    exit_status, output = backend(delivery).verify(number, "--code-delivery", mode)
    assert (exit_status, output.get("verified")) == (status, verified), output
    # The phone fetches the redirect_uri with follow-through only.
    last = output["trace"]["hops"][-1]
    assert (last["host"] == "backend.test", last["status"]) == ((False, 302) if mode == "relay" else (True, 200))


@pytest.mark.only("rust")
@pytest.mark.parametrize("delivery", ["redirect", "follow-through"])
def test_retrieval_returns_the_number_of_the_sim(backend: Backends, delivery: str) -> None:
    mode = "relay" if delivery == "redirect" else delivery
    status, output = backend(delivery, **RETRIEVAL).run_command_line("--retrieve", "--code-delivery", mode)
    assert (status, output.get("phoneNumber")) == (0, RIGHT), output
    last = output["trace"]["hops"][-1]
    assert (last["host"] == "backend.test", last["status"]) == ((False, 302) if mode == "relay" else (True, 200))


def test_retrieval_without_support_returns_501(backend: Backends) -> None:
    status, output = backend().run_command_line("--retrieve")
    assert (status, output.get("phoneNumber")) == (3, None)
    assert [output["error"][name] for name in ("kind", "step", "cause")] == ["backend", "start", "status"]
    assert (output["error"]["detail"]["status"], output["error"]["fallback"]) == (501, "fix_integration")


def test_follow_through_is_rejected_by_a_redirect_backend(backend: Backends) -> None:
    status, output = backend("redirect").verify(RIGHT, "--code-delivery", "follow-through")
    assert status == 3
    assert [output["error"][name] for name in ("kind", "step", "cause")] == ["backend", "complete", "status"]
    assert (output["error"]["detail"]["status"], output["error"]["fallback"]) == (403, "use_another_channel")


def test_unreachable_provider_returns_502(backend: Backends, implementation: Implementation) -> None:
    status, output = backend("redirect", **implementation.verify_at(f"https://localhost:{free_port()}")).verify(RIGHT)
    assert status == 3
    assert (output["error"]["detail"]["status"], output["error"]["fallback"]) == (502, "retry_later")


def test_unknown_client_secret_returns_500(backend: Backends, implementation: Implementation) -> None:
    status, output = backend("redirect", **implementation.wrong_secret()).verify(RIGHT)
    assert status == 3
    assert (output["error"]["detail"]["status"], output["error"]["fallback"]) == (500, "fix_integration")


def test_plain_http_works_on_localhost(backend: Backends) -> None:
    app = backend("redirect")
    assert app.verify(RIGHT, f"--backend={app.replicas[0].url}")[0] == 0


def test_start_over_the_limit_returns_429(new_backend: Backends) -> None:
    app = new_backend(NUMBER_VERIFY_STARTS_PER_NUMBER="1/600")
    assert app.verify(RIGHT)[0] == 0
    status, output = app.verify(RIGHT)
    assert status == 3
    assert (output["error"]["detail"]["status"], output["error"]["fallback"]) == (429, "retry_later")
    assert 0 < output["error"]["detail"]["retry_after_s"] <= 600
