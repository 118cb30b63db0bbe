"""Maps every error of CAMARA's verify API to a status and a fallback, and to the app's error."""

from calls import AGAIN, FIX, OTHER, Backends, assert_problem, new_request
from world import World


def expected(status: int, code: str) -> tuple[int, str]:
    if status == 429 or status >= 500:
        return 502, AGAIN
    if status in (403, 409, 410, 422) and code != "PERMISSION_DENIED":
        return 403, OTHER
    return 500, FIX


def test_every_verify_error_maps_to_problem(backend: Backends, world: World) -> None:
    """Each number of the simulator's list returns its error, for any SIM."""
    app = backend()
    errors = world.ready["verify_errors"]
    assert {expected(error["status"], error["code"]) for error in errors} == {(502, AGAIN), (403, OTHER), (500, FIX)}
    for error in errors:
        device = app.device()
        response = device.post("/complete", json=new_request(device, world, error["number"]))
        assert_problem(response, *expected(error["status"], error["code"]))
        assert error["code"] not in response.text
        failed = [line for line in app.replicas[0].log_lines() if line["event"] == "provider_failed"]
        assert failed[-1]["status"] == error["status"]
        exit_status, output = app.verify(error["number"])
        status, fallback = expected(error["status"], error["code"])
        assert exit_status == 3
        assert {name: output["error"][name] for name in ("kind", "step", "cause", "detail", "fallback")} == {
            "kind": "backend",
            "step": "complete",
            "cause": "status",
            "detail": {"status": status},
            "fallback": fallback,
        }
