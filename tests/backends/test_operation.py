"""Operation: invalid settings, health, Redis outages, logs, shutdown."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet

from calls import AGAIN, OTHER, Backends, assert_problem, assert_result, new_request, start
from implementations import Implementation, PatchedPython
from redis_server import RedisServer
from running import KEY, Backend, startup_error
from stuck import StuckServer
from waiting import free_port, until
from world import RIGHT, TIMEOUT_S, World

INVALID_SETTINGS = [
    ("NUMBER_VERIFY_KEYS", ""),
    ("NUMBER_VERIFY_KEYS", "too-short"),
    ("NUMBER_VERIFY_KEYS", f"{KEY},"),
    ("NUMBER_VERIFY_KEYS", f"{KEY} {KEY}"),
    ("REDIS_URL", "http://localhost"),
    ("NUMBER_VERIFY_DELIVERY", "dance"),
    ("NUMBER_VERIFY_LIFETIME_S", "0"),
    ("NUMBER_VERIFY_LIFETIME_S", "soon"),
    ("NUMBER_VERIFY_PROVIDER_TIMEOUT_S", "0"),
    ("NUMBER_VERIFY_PROVIDER_TIMEOUT_S", "nan"),
    ("NUMBER_VERIFY_STARTS_PER_NUMBER", "5"),
    ("NUMBER_VERIFY_STARTS_PER_NUMBER", "0/600"),
    ("NUMBER_VERIFY_STARTS_PER_ADDRESS", "60/0"),
    ("NUMBER_VERIFY_CALLS_PER_ADDRESS", "many/60"),
    ("NUMBER_VERIFY_ATTESTATION", ""),
    ("NUMBER_VERIFY_ATTESTATION", "yes"),
    ("NUMBER_VERIFY_ATTESTATION", "Play-Integrity"),
]


@pytest.mark.parametrize(("name", "value"), INVALID_SETTINGS)
def test_invalid_setting_ends_the_program(implementation: Implementation, world: World, name: str, value: str) -> None:
    message = startup_error(implementation, world, name, value)
    assert KEY not in message and (len(value) < 4 or value not in message)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_several_keys_are_accepted(new_backend: Backends, world: World, count: int) -> None:
    keys = ", ".join(Fernet.generate_key().decode() for _ in range(count))
    device = new_backend(NUMBER_VERIFY_KEYS=keys).device()
    assert_result(device.post("/complete", json=new_request(device, world)), True)


def test_redis_outage_returns_503_and_recovers(new_backend: Backends, world: World, tmp_path: Path) -> None:
    """Without Redis every call fails, because used sessions cannot be detected; afterwards the backend recovers."""
    redis = RedisServer(tmp_path)
    app = new_backend(REDIS_URL=redis.url())
    device = app.device()
    request = new_request(device, world)
    redis.stop()
    assert_problem(device.get("/health"), 503, AGAIN)
    for response in [
        device.post("/start", json={"phoneNumber": RIGHT}),
        device.post("/complete", json=request),
        device.get("/callback?code=c&state=s"),
        device.post("/abort", json={"session": request["session"], "reason": "cancelled"}),
    ]:
        assert_problem(response, 503, AGAIN)
        assert int(response.headers["retry-after"]) >= 1
    restarted = RedisServer(tmp_path, redis.port)
    try:
        until(lambda: device.get("/health").status_code == 200, "it reconnects to Redis")
        assert_result(device.post("/complete", json=request), True)
    finally:
        restarted.stop()


def test_redis_over_tls_works(new_backend: Backends, world: World, tmp_path: Path) -> None:
    redis = RedisServer(tmp_path, certificate=world.certificate)
    roots = tmp_path / "roots.pem"
    roots.write_text(world.root.read_text() + world.own_root.read_text())
    url = f"rediss://localhost:{redis.tls_port}/0"
    try:
        device = new_backend(REDIS_URL=url, SSL_CERT_FILE=str(roots)).device()
        request = new_request(device, world)
        assert_result(device.post("/complete", json=request), True)
        assert_problem(device.post("/complete", json=request), 409, OTHER)
        assert b"spent:" in redis.everything_in(f"redis://127.0.0.1:{redis.port}/0")
    finally:
        redis.stop()


def test_redis_contains_no_personal_data(new_backend: Backends, world: World, redis: RedisServer) -> None:
    url = redis.url()
    device = new_backend(REDIS_URL=url).device()
    key = str(uuid4())
    started = start(device, **{"Idempotency-Key": key})
    request = world.code(started["authUrl"]) | {"session": started["session"]}
    assert_result(device.post("/complete", json=request, headers={"Idempotency-Key": f"{key}2"}), True)
    stored = redis.everything_in(url)
    assert stored
    for secret in [RIGHT.strip("+"), started["session"], request["code"], key, "127.0.0.1", "verified", KEY]:
        assert secret.encode() not in stored
    assert redis.all_end_within(url, 660)


def test_log_contains_each_call_and_no_secrets(backend: Backends, world: World) -> None:
    """The format of every line is checked when a backend stops; this test checks the content."""
    app = backend("follow-through")
    device, flow = app.device(), str(uuid4())
    device.headers["x-correlator"] = flow
    started = start(device)
    location = world.open(started["authUrl"]).headers["location"]
    path = location.removeprefix(app.url)
    assert_result(device.get(path), True)
    device.get(path, headers={"x-correlator": RIGHT})
    device.post("/complete", json=dict(parse_qsl(urlsplit(path).query)) | {"session": started["session"]})
    device.get("/nowhere")
    lines = app.replicas[0].await_log_lines(4, event="answered", flow=flow)
    logged = {(line["call"], line["status"]) for line in lines}
    assert logged == {("/start", 200), ("/callback", 200), ("/complete", 409), (None, 404)} and len(lines) == 4
    log = app.log()
    secrets = [RIGHT.strip("+"), started["session"], *dict(parse_qsl(urlsplit(path).query)).values()]
    assert len(secrets) == 4
    for secret in secrets:
        assert secret not in log


def test_provider_failure_is_logged_once(new_backend: Backends, world: World, implementation: Implementation) -> None:
    app = new_backend(**implementation.verify_at(f"https://localhost:{free_port()}"))
    device, flow = app.device(), str(uuid4())
    request, headers = new_request(device, world), {"x-correlator": flow}
    assert_problem(device.post("/complete", json=request, headers=headers), 502, AGAIN)
    app.replicas[0].await_log_lines(1, event="answered", flow=flow)  # the last line of the call
    assert len(app.replicas[0].await_log_lines(1, event="provider_failed")) == 1


def test_unresponsive_provider_returns_504(new_backend: Backends, world: World, implementation: Implementation) -> None:
    with StuckServer() as stuck:
        app = new_backend(**implementation.verify_at(stuck.url))
        request = new_request(app.device(), world)  # slow on a busy machine
        short_timeout = {"NUMBER_VERIFY_PROVIDER_TIMEOUT_S": "0.5"} | implementation.verify_at(stuck.url)
        app.add_replica(**short_timeout).await_readiness()
        assert_problem(app.device(1).post("/complete", json=request), 504, AGAIN)


def test_shutdown_completes_running_calls(new_backend: Backends, world: World, implementation: Implementation) -> None:
    with StuckServer() as stuck:
        app = new_backend(NUMBER_VERIFY_PROVIDER_TIMEOUT_S="8", **implementation.verify_at(stuck.url))
        device, idle = app.device(), app.device()
        request = new_request(device, world)
        assert idle.get("/health").status_code == 200  # an idle connection must not delay the shutdown
        with ThreadPoolExecutor(1) as pool:
            response = pool.submit(device.post, "/complete", json=request)
            stuck.await_connection()
            app.replicas[0].process.terminate()
            assert_problem(response.result(), 504, AGAIN)
        assert app.replicas[0].process.wait(TIMEOUT_S) in (0, -15)
    assert app.replicas[0].log_lines()[-1]["event"] == "stopped"


@pytest.mark.only("python")
def test_call_past_the_shutdown_timeout_returns_503(world: World, implementation: Implementation) -> None:
    """uvicorn cancels it after the shutdown timeout. The same call may succeed on another replica."""
    patched = PatchedPython(
        "import functools, uvicorn\nuvicorn.run = functools.partial(uvicorn.run, timeout_graceful_shutdown=1)"
    )
    with StuckServer() as stuck, ThreadPoolExecutor(1) as pool:
        app = Backend(patched, world, "redirect", **implementation.verify_at(stuck.url))
        try:
            device = app.device()
            response = pool.submit(device.post, "/complete", json=new_request(device, world))
            stuck.await_connection()
            app.replicas[0].process.terminate()
            assert_problem(response.result(), 503, AGAIN)
            assert response.result().headers["retry-after"] == "1"
            app.replicas[0].process.wait(TIMEOUT_S)
            app.replicas[0].await_log_lines(1, event="answered", status=503)
        finally:
            app.stop()
