"""Every error that CAMARA's verify API has becomes the status and the fallback that help the app, and its error."""

from calls import AGAIN, FIX, OTHER, Backends, a_request, assert_problem
from world import World


def expected(status: int, code: str) -> tuple[int, str]:
    if status == 429 or status >= 500:
        return 502, AGAIN
    if status in (403, 409, 410, 422) and code != "PERMISSION_DENIED":
        return 403, OTHER
    return 500, FIX


def test_every_error_of_verify(backend: Backends, world: World) -> None:
    """A number of the simulator's list gets that error, whatever the SIM is."""
    app = backend()
    errors = world.ready["verify_errors"]
    assert {expected(error["status"], error["code"]) for error in errors} == {(502, AGAIN), (403, OTHER), (500, FIX)}
    for error in errors:
        device = app.device()
        answer = device.post("/complete", json=a_request(device, world, error["number"]))
        assert_problem(answer, *expected(error["status"], error["code"]))
        assert error["code"] not in answer.text
        failed = [line for line in app.replicas[0].log_lines() if line["event"] == "provider_failed"]
        assert failed[-1]["status"] == error["status"]
        exit_status, told = app.verify(error["number"])
        status, fallback = expected(error["status"], error["code"])
        assert exit_status == 3
        assert {name: told["error"][name] for name in ("kind", "step", "cause", "detail", "fallback")} == {
            "kind": "backend",
            "step": "complete",
            "cause": "status",
            "detail": {"status": status},
            "fallback": fallback,
        }
