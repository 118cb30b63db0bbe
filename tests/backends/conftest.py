"""The simulator, backends and devices, each a process or a client of its own."""

import json
import os
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import trustme

EXAMPLE = Path(__file__).parents[1]
PROGRAMS = Path(os.environ.get("CARGO_TARGET_DIR", EXAMPLE.parents[1] / "target")).resolve() / "debug"
PATIENCE_S = 30
RIGHT, WRONG = "+14155550100", "+14155550199"  # the simulator's SIM, and somebody else's

# All that a backend may ever say: nothing in it can be personal.
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
LOG_LINE = re.compile(
    rf"INFO number_verify: /(start|complete|callback|health) \d{{3}}, \d+ ms, flow (-|{UUID})"
    r"|WARNING number_verify: glide: \w+ (\d{3})?"
    r"|INFO: +(Started|Finished) server process \[\d+\]|INFO: +(Waiting for a|A)pplication (startup|shutdown)[a-z ]*\."
    r"|INFO: +Uvicorn running on https?://127\.0\.0\.1:\d+ \(Press CTRL\+C to quit\)|INFO: +Shutting down"
)


class World:
    """The simulator's program, and the certificates that the tests trust."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "simulator.pem"
        command = [PROGRAMS / "number-verify-simulator", "--root-ca-out", self.root]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.process.stdout
        self.ready: dict[str, Any] = json.loads(self.process.stdout.readline())
        authority = trustme.CA()
        self.own_root, self.certificate = folder / "own.pem", folder / "certificate.pem"
        authority.cert_pem.write_to_path(self.own_root)
        authority.issue_cert("backend.test", "localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
            self.certificate
        )
        self.trust = ssl.create_default_context()
        for root in (self.root, self.own_root):
            self.trust.load_verify_locations(root)

    def client(self) -> httpx.Client:
        return httpx.Client(verify=self.trust, trust_env=False, timeout=PATIENCE_S)

    def open(self, auth_url: str) -> httpx.Response:
        """What another phone does with an auth URL: it follows redirects, up to the redirect_uri or the code."""
        url, end = auth_url, dict(parse_qsl(urlsplit(auth_url).query)).get("redirect_uri", "nowhere")
        with self.client() as client:
            while True:
                parts = urlsplit(url)
                local = parts._replace(netloc=f"127.0.0.1:{parts.port}").geturl()
                names = {"sni_hostname": parts.hostname}
                answer = client.get(local, headers={"Host": parts.netloc}, extensions=names)
                url = answer.headers.get("location", "")
                if not url or url.startswith(end):
                    return answer

    def code(self, auth_url: str) -> dict[str, str]:
        """The code and the state."""
        answer = self.open(auth_url)
        location = answer.headers.get("location")
        return dict(parse_qsl(urlsplit(location).query)) if location else answer.json()


class Backend:
    """The example, as a program."""

    def __init__(self, world: World, delivery: str, https: bool, settings: dict[str, str]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.world, self.url = world, f"https://backend.test:{self.port}" if https else f"http://127.0.0.1:{self.port}"
        self.local_url = f"{'https' if https else 'http'}://127.0.0.1:{self.port}"
        glide = world.ready["glide"]
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
            "SSL_CERT_FILE": str(world.root),
            "GLIDE_CLIENT_ID": glide["client_id"],
            "GLIDE_CLIENT_SECRET": glide["client_secret"],
            "GLIDE_AUTH_BASE_URL": glide["base_url"],
            "GLIDE_API_BASE_URL": glide["base_url"],
            "NUMBER_VERIFY_DELIVERY": delivery,
        }
        if delivery != "dev_print":
            environment["GLIDE_REDIRECT_URI"] = f"{self.url}/callback"
        command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(self.port)]
        if https:
            command += ["--ssl-certfile", str(world.certificate)]
        self.devices: list[httpx.Client] = []
        self.log = world.folder / f"{self.port}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=EXAMPLE, env=environment | settings, stdout=log, stderr=subprocess.STDOUT
            )
        self.await_readiness()

    def await_readiness(self) -> None:
        device = self.device()
        for _ in range(PATIENCE_S * 20):
            assert self.process.poll() is None, self.log.read_text()
            try:
                assert device.get("/health").json() == {"status": "ok"}
                return
            except httpx.TransportError:
                time.sleep(0.05)
        pytest.fail(f"it does not answer: {self.log.read_text()}")

    def device(self) -> httpx.Client:
        """A client with a cookie jar of its own."""
        device = self.world.client()
        device.base_url = self.local_url
        self.devices.append(device)
        return device

    def stop(self) -> None:
        for device in self.devices:
            device.close()
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        for line in self.log.read_text().splitlines():
            assert LOG_LINE.fullmatch(line), line

    def verify(self, number: str, *more: str) -> tuple[int, dict[str, Any]]:
        """The command line's verdict: its exit status and its JSON."""
        roots = [f"--root-ca={root}" for root in (self.world.root, self.world.own_root)]
        hosts = [f"--resolve={host}" for host in [*self.world.ready["hosts"], f"backend.test:{self.port}:127.0.0.1"]]
        command = [PROGRAMS / "examples/verify", "--json", "--any-network", "--backend", self.url, "--phone", number]
        done = subprocess.run([*command, *roots, *hosts, *more], capture_output=True, timeout=PATIENCE_S, check=False)
        assert done.stdout, done.stderr.decode()
        return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("world"))
    yield world
    world.process.terminate()
    world.process.wait(PATIENCE_S)


@pytest.fixture(scope="session")
def backend(world: World) -> Iterator[Callable[..., Backend]]:
    """Backends by their delivery and settings, each started once."""
    running: dict[str, Backend] = {}

    def backend(delivery: str, https: bool = True, **settings: str) -> Backend:
        name = f"{delivery} {https} {sorted(settings.items())}"
        if name not in running:
            running[name] = Backend(world, delivery, https, settings)
        return running[name]

    yield backend
    for one in running.values():
        one.stop()
