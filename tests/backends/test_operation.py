"""What an operator sees: settings and complaints, health, the log, the end."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet

from calls import AGAIN, OTHER, Backends, a_request, assert_problem, assert_verdict, start
from implementations import Implementation, PatchedPython
from redis_server import RedisServer
from running import KEY, Backend, complaint_about
from stuck import StuckServer
from waiting import free_port, until
from world import PATIENCE_S, RIGHT, World

WRONG_SETTINGS = [
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


@pytest.mark.parametrize(("name", "value"), WRONG_SETTINGS)
def test_a_wrong_setting_ends_the_program(implementation: Implementation, world: World, name: str, value: str) -> None:
    complaint = complaint_about(implementation, world, name, value)
    assert KEY not in complaint and (len(value) < 4 or value not in complaint)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_several_keys(own_backend: Backends, world: World, count: int) -> None:
    keys = ", ".join(Fernet.generate_key().decode() for _ in range(count))
    device = own_backend(NUMBER_VERIFY_KEYS=keys).device()
    assert_verdict(device.post("/complete", json=a_request(device, world)), True)


def test_redis_goes_and_comes_back(own_backend: Backends, world: World, tmp_path: Path) -> None:
    """Without it nothing is let through, since nobody can tell what was used; with it again, all goes on."""
    redis = RedisServer(tmp_path)
    app = own_backend(REDIS_URL=redis.url())
    device = app.device()
    request = a_request(device, world)
    redis.stop()
    assert_problem(device.get("/health"), 503, AGAIN)
    for answer in [
        device.post("/start", json={"phoneNumber": RIGHT}),
        device.post("/complete", json=request),
        device.get("/callback?code=c&state=s"),
        device.post("/abort", json={"session": request["session"], "reason": "cancelled"}),
    ]:
        assert_problem(answer, 503, AGAIN)
        assert int(answer.headers["retry-after"]) >= 1
    again = RedisServer(tmp_path, redis.port)
    try:
        until(lambda: device.get("/health").status_code == 200, "it finds Redis again")
        assert_verdict(device.post("/complete", json=request), True)
    finally:
        again.stop()


def test_redis_with_tls(own_backend: Backends, world: World, tmp_path: Path) -> None:
    redis = RedisServer(tmp_path, certificate=world.certificate)
    roots = tmp_path / "roots.pem"
    roots.write_text(world.root.read_text() + world.own_root.read_text())
    url = f"rediss://localhost:{redis.tls_port}/0"
    try:
        device = own_backend(REDIS_URL=url, SSL_CERT_FILE=str(roots)).device()
        request = a_request(device, world)
        assert_verdict(device.post("/complete", json=request), True)
        assert_problem(device.post("/complete", json=request), 409, OTHER)
        assert b"spent:" in redis.everything_in(f"redis://127.0.0.1:{redis.port}/0")
    finally:
        redis.stop()


def test_nothing_personal_is_in_redis(own_backend: Backends, world: World, redis: RedisServer) -> None:
    url = redis.url()
    device = own_backend(REDIS_URL=url).device()
    key = str(uuid4())
    started = start(device, **{"Idempotency-Key": key})
    request = world.code(started["authUrl"]) | {"session": started["session"]}
    assert_verdict(device.post("/complete", json=request, headers={"Idempotency-Key": f"{key}2"}), True)
    kept = redis.everything_in(url)
    assert kept
    for secret in [RIGHT.strip("+"), started["session"], request["code"], key, "127.0.0.1", "verified", KEY]:
        assert secret.encode() not in kept
    assert redis.all_end_within(url, 660)


def test_the_log(backend: Backends, world: World) -> None:
    """The shape of each line of each backend is checked when it ends; here we know what must and must not be there."""
    app = backend("follow-through")
    device, flow = app.device(), str(uuid4())
    device.headers["x-correlator"] = flow
    started = start(device)
    location = world.open(started["authUrl"]).headers["location"]
    path = location.removeprefix(app.url)
    assert_verdict(device.get(path), True)
    device.get(path, headers={"x-correlator": RIGHT})
    device.post("/complete", json=dict(parse_qsl(urlsplit(path).query)) | {"session": started["session"]})
    device.get("/nowhere")
    lines = app.replicas[0].await_log_lines(4, event="answered", flow=flow)
    told = {(line["call"], line["status"]) for line in lines}
    assert told == {("/start", 200), ("/callback", 200), ("/complete", 409), (None, 404)} and len(lines) == 4
    log = app.log()
    secrets = [RIGHT.strip("+"), started["session"], *dict(parse_qsl(urlsplit(path).query)).values()]
    assert len(secrets) == 4
    for secret in secrets:
        assert secret not in log


def test_a_failing_provider_is_in_the_log(own_backend: Backends, world: World, implementation: Implementation) -> None:
    app = own_backend(**implementation.verify_at(f"https://localhost:{free_port()}"))
    device, flow = app.device(), str(uuid4())
    assert_problem(device.post("/complete", json=a_request(device, world), headers={"x-correlator": flow}), 502, AGAIN)
    app.replicas[0].await_log_lines(1, event="answered", flow=flow)  # no more is written after this line
    assert len(app.replicas[0].await_log_lines(1, event="provider_failed")) == 1


def test_a_provider_that_does_not_answer(own_backend: Backends, world: World, implementation: Implementation) -> None:
    with StuckServer() as stuck:
        app = own_backend(**implementation.verify_at(stuck.url))
        request = a_request(app.device(), world)  # which takes its time on a busy machine
        impatient = {"NUMBER_VERIFY_PROVIDER_TIMEOUT_S": "0.5"} | implementation.verify_at(stuck.url)
        app.add_replica(**impatient).await_readiness()
        assert_problem(app.device(1).post("/complete", json=request), 504, AGAIN)


def test_who_is_being_served_at_the_end_gets_an_answer(
    own_backend: Backends, world: World, implementation: Implementation
) -> None:
    with StuckServer() as stuck:
        app = own_backend(NUMBER_VERIFY_PROVIDER_TIMEOUT_S="8", **implementation.verify_at(stuck.url))
        device, idle = app.device(), app.device()
        request = a_request(device, world)
        assert idle.get("/health").status_code == 200  # a kept connection must not delay the end
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(device.post, "/complete", json=request)
            stuck.await_connection()
            app.replicas[0].process.terminate()
            assert_problem(answer.result(), 504, AGAIN)
        assert app.replicas[0].process.wait(PATIENCE_S) in (0, -15)
    assert app.replicas[0].log_lines()[-1]["event"] == "stopped"


@pytest.mark.only("python")
def test_call_that_outlasts_the_end_gets_a_problem(world: World, implementation: Implementation) -> None:
    """uvicorn cancels it when the time for the end is over. The same call may succeed on another replica."""
    patched = PatchedPython(
        "import functools, uvicorn\nuvicorn.run = functools.partial(uvicorn.run, timeout_graceful_shutdown=1)"
    )
    with StuckServer() as stuck, ThreadPoolExecutor(1) as pool:
        app = Backend(patched, world, "redirect", **implementation.verify_at(stuck.url))
        try:
            device = app.device()
            answer = pool.submit(device.post, "/complete", json=a_request(device, world))
            stuck.await_connection()
            app.replicas[0].process.terminate()
            assert_problem(answer.result(), 503, AGAIN)
            assert answer.result().headers["retry-after"] == "1"
            app.replicas[0].process.wait(PATIENCE_S)
            app.replicas[0].await_log_lines(1, event="answered", status=503)
        finally:
            app.stop()
