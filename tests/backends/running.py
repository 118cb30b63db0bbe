"""A backend of one or more replica processes behind a load balancer, with its clients and logs."""

import json
import os
import re
import signal
import ssl
import subprocess
from pathlib import Path
from typing import Any

import httpx

from balancer import Balancer
from implementations import PROGRAMS, Implementation
from waiting import free_port, until
from world import TIMEOUT_S, World

KEY = "bm90IGEgc2VjcmV0LCBmb3IgdGVzdHMgb25seSEhISE="  # an example Fernet key
HIGH_LIMIT = "1000000/60"
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
CALLS = (None, "/start", "/complete", "/callback", "/abort", "/health")


NO_TRUST = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # for clients without TLS: creating the default context is slow


def plain_client(base_url: str = "", address: str | None = None) -> httpx.Client:
    transport = httpx.HTTPTransport(verify=NO_TRUST, local_address=address)
    return httpx.Client(base_url=base_url, transport=transport, timeout=TIMEOUT_S)


class Replica:
    def __init__(self, command: list[str], folder: Path, environment: dict[str, str], port: int, log: Path) -> None:
        self.port, self.url, self.log = port, f"http://127.0.0.1:{port}", log
        with log.open("wb") as out:
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT)

    def await_readiness(self) -> None:
        with plain_client() as client:
            until(lambda: self._responds(client), "the backend responds")

    def _responds(self, client: httpx.Client) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return client.get(f"{self.url}/health").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(TIMEOUT_S)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(TIMEOUT_S)

    def log_lines(self) -> list[dict[str, Any]]:
        """The complete lines; the last one may be partial."""
        return [parse_log_line(line) for line in self.log.read_text().split("\n")[:-1]]

    def await_log_lines(self, count: int, **members: object) -> list[dict[str, Any]]:
        """Waits for this many lines with these members: a line may be written after the response of its call."""

        def found() -> list[dict[str, Any]]:
            return [line for line in self.log_lines() if members.items() <= line.items()]

        until(lambda: len(found()) >= count, f"{count} lines with {members} in the log")
        return found()


def parse_log_line(line: str) -> dict[str, Any]:
    """Parses a log line, and checks that it has only known members without personal data."""
    entry = json.loads(line)
    members = set(entry) - {"time", "level", "event"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", entry["time"]), line
    assert entry["level"].lower() in ("debug", "info", "warn", "warning", "error"), line
    if entry["event"] == "answered":
        assert members == {"call", "status", "took_ms", "flow"}, line
        assert entry["call"] in CALLS, line
        assert isinstance(entry["status"], int) and isinstance(entry["took_ms"], int), line
        assert entry["flow"] is None or re.fullmatch(UUID, entry["flow"], re.IGNORECASE), line
    elif entry["event"] == "provider_failed":
        assert members == {"status", "kind"}, line
        assert entry["status"] is None or 200 <= entry["status"] < 600, line
        assert re.fullmatch(r"\w{1,60}", entry["kind"]), line
    elif entry["event"] == "aborted":
        assert members == {"reason", "was_unused", "flow"}, line
        assert re.fullmatch(r"[a-z_]{1,64}", entry["reason"]) and isinstance(entry["was_unused"], bool), line
        assert entry["flow"] is None or re.fullmatch(UUID, entry["flow"], re.IGNORECASE), line
    else:
        assert re.fullmatch(r"[a-z_]+", entry["event"]), line
        for member in members:
            value = entry[member]
            assert value is None or isinstance(value, int) or re.fullmatch(r"[\w.:/-]{1,80}", value), line
    return entry


def startup_error(implementation: Implementation, world: World, name: str, value: str) -> str:
    """The single line that a backend prints when it exits because of this invalid setting."""
    port = free_port()
    environment = implementation.environment(port, world.ready, "https://backend.test/callback")
    environment |= {"NUMBER_VERIFY_KEYS": KEY, "SSL_CERT_FILE": str(world.root), name: value}
    done = subprocess.run(
        implementation.command(port),
        cwd=implementation.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode not in (0, None)
    message = (done.stdout + done.stderr).strip()
    assert name in message and "\n" not in message
    return message


class Backend:
    """Devices connect to a replica over local http; phones connect to the balancer over https."""

    def __init__(
        self, implementation: Implementation, world: World, delivery: str, replicas: int = 1, **settings: str
    ) -> None:
        self.implementation, self.world = implementation, world
        self.balancer = Balancer(world.certificate)
        self.url = f"https://backend.test:{self.balancer.https_port}"
        self.http_url = f"http://127.0.0.1:{self.balancer.http_port}"
        self._devices: list[httpx.Client] = []
        self._settings = {
            "PATH": os.environ["PATH"],
            "SSL_CERT_FILE": str(world.root),
            "NUMBER_VERIFY_KEYS": KEY,
            "NUMBER_VERIFY_DELIVERY": delivery,
            "NUMBER_VERIFY_PROVIDER_TIMEOUT_S": "60",  # the default may be too short on a busy machine
            "NUMBER_VERIFY_STARTS_PER_NUMBER": HIGH_LIMIT,
            "NUMBER_VERIFY_STARTS_PER_ADDRESS": HIGH_LIMIT,
            "NUMBER_VERIFY_CALLS_PER_ADDRESS": HIGH_LIMIT,
        }
        self.replicas: list[Replica] = []
        try:
            for _ in range(replicas):
                self.add_replica(**settings)
            for replica in self.replicas:
                replica.await_readiness()
        except BaseException:
            self._end()
            raise

    def add_replica(self, **settings: str) -> Replica:
        port = free_port()
        specific = self.implementation.environment(port, self.world.ready, f"{self.url}/callback")
        environment = self._settings | specific | settings
        command, folder = self.implementation.command(port), self.implementation.folder
        replica = Replica(
            command, folder, environment, port, self.world.folder / f"{self.implementation.name}-{port}.log"
        )
        self.replicas.append(replica)
        self.balancer.replicas.append(port)
        return replica

    def device(self, replica: int = 0, address: str | None = None) -> httpx.Client:
        """A client with a separate cookie jar."""
        device = plain_client(self.replicas[replica].url, address)
        self._devices.append(device)
        return device

    def verify(self, number: str, *more: str) -> tuple[int, dict[str, Any]]:
        """Verifies with the command line; returns its exit status and its JSON."""
        return self.run_command_line("--phone", number, *more)

    def run_command_line(self, *more: str) -> tuple[int, dict[str, Any]]:
        """Returns its exit status and its JSON."""
        roots = [f"--root-ca={root}" for root in (self.world.root, self.world.own_root)]
        own_host = f"backend.test:{self.balancer.https_port}:127.0.0.1"
        hosts = [f"--resolve={host}" for host in [*self.world.ready["hosts"], own_host]]
        url = [arg for arg in more if arg.startswith("--backend=")] or [f"--backend={self.url}"]
        command = [str(PROGRAMS / "examples/verify"), "--json", "--any-network", *url]
        others = [arg for arg in more if arg not in url]
        done = subprocess.run([*command, *roots, *hosts, *others], capture_output=True, timeout=TIMEOUT_S, check=False)
        assert done.stdout, done.stderr.decode()
        return done.returncode, json.loads(done.stdout)

    def log(self) -> str:
        return "".join(replica.log.read_text() for replica in self.replicas)

    def stop(self) -> None:
        self._end()
        for replica in self.replicas:
            replica.log_lines()

    def _end(self) -> None:
        for device in self._devices:
            device.close()
        for replica in self.replicas:
            if replica.process.poll() is None:
                replica.process.send_signal(signal.SIGCONT)
                replica.stop()
        self.balancer.stop()
