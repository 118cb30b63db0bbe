"""A backend as its users see it: replicas, each a process, behind a load balancer; their devices, and their logs."""

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
from world import PATIENCE_S, World

KEY = "bm90IGEgc2VjcmV0LCBmb3IgdGVzdHMgb25seSEhISE="  # an example of a Fernet key
GENEROUS = "1000000/60"
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
CALLS = (None, "/start", "/complete", "/callback", "/abort", "/health")


NO_TRUST = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # for clients without TLS: the default one takes long to make


def plain_client(base_url: str = "", address: str | None = None) -> httpx.Client:
    transport = httpx.HTTPTransport(verify=NO_TRUST, local_address=address)
    return httpx.Client(base_url=base_url, transport=transport, timeout=PATIENCE_S)


class Replica:
    def __init__(self, command: list[str], folder: Path, environment: dict[str, str], port: int, log: Path) -> None:
        self.port, self.url, self.log = port, f"http://127.0.0.1:{port}", log
        with log.open("wb") as out:
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT)

    def await_readiness(self) -> None:
        with plain_client() as client:
            until(lambda: self._answers(client), "the backend answers")

    def _answers(self, client: httpx.Client) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return client.get(f"{self.url}/health").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE_S)

    def log_lines(self) -> list[dict[str, Any]]:
        """The complete ones: the last may be half written."""
        return [checked(line) for line in self.log.read_text().split("\n")[:-1]]

    def await_log_lines(self, count: int, **members: object) -> list[dict[str, Any]]:
        """The lines with these members, once there are so many: a call's line may be written after its response."""

        def found() -> list[dict[str, Any]]:
            return [line for line in self.log_lines() if members.items() <= line.items()]

        until(lambda: len(found()) >= count, f"{count} lines with {members} in the log")
        return found()


def checked(line: str) -> dict[str, Any]:
    """A line of a log. It can say only this, and nothing in it can be personal."""
    told = json.loads(line)
    members = set(told) - {"time", "level", "event"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", told["time"]), line
    assert told["level"].lower() in ("debug", "info", "warn", "warning", "error"), line
    if told["event"] == "answered":
        assert members == {"call", "status", "took_ms", "flow"}, line
        assert told["call"] in CALLS, line
        assert isinstance(told["status"], int) and isinstance(told["took_ms"], int), line
        assert told["flow"] is None or re.fullmatch(UUID, told["flow"], re.IGNORECASE), line
    elif told["event"] == "provider_failed":
        assert members == {"status", "kind"}, line
        assert told["status"] is None or 200 <= told["status"] < 600, line
        assert re.fullmatch(r"\w{1,60}", told["kind"]), line
    elif told["event"] == "aborted":
        assert members == {"reason", "was_unused", "flow"}, line
        assert re.fullmatch(r"[a-z_]{1,64}", told["reason"]) and isinstance(told["was_unused"], bool), line
        assert told["flow"] is None or re.fullmatch(UUID, told["flow"], re.IGNORECASE), line
    else:
        assert re.fullmatch(r"[a-z_]+", told["event"]), line
        for member in members:
            value = told[member]
            assert value is None or isinstance(value, int) or re.fullmatch(r"[\w.:/-]{1,80}", value), line
    return told


def complaint_about(implementation: Implementation, world: World, name: str, value: str) -> str:
    """The one line with which a backend ends that has this wrong setting."""
    port = free_port()
    environment = implementation.environment(port, world.ready, "https://backend.test/callback")
    environment |= {"NUMBER_VERIFY_KEYS": KEY, "SSL_CERT_FILE": str(world.root), name: value}
    done = subprocess.run(
        implementation.command(port),
        cwd=implementation.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode not in (0, None)
    complaint = (done.stdout + done.stderr).strip()
    assert name in complaint and "\n" not in complaint
    return complaint


class Backend:
    """Devices talk to a replica by plain http on this machine; phones to the balancer, by https."""

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
            "NUMBER_VERIFY_PROVIDER_TIMEOUT_S": "60",  # on a busy machine the default may be too short
            "NUMBER_VERIFY_STARTS_PER_NUMBER": GENEROUS,
            "NUMBER_VERIFY_STARTS_PER_ADDRESS": GENEROUS,
            "NUMBER_VERIFY_CALLS_PER_ADDRESS": GENEROUS,
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
        special = self.implementation.environment(port, self.world.ready, f"{self.url}/callback")
        environment = self._settings | special | settings
        command, folder = self.implementation.command(port), self.implementation.folder
        replica = Replica(
            command, folder, environment, port, self.world.folder / f"{self.implementation.name}-{port}.log"
        )
        self.replicas.append(replica)
        self.balancer.replicas.append(port)
        return replica

    def device(self, replica: int = 0, address: str | None = None) -> httpx.Client:
        """A client with a cookie jar of its own."""
        device = plain_client(self.replicas[replica].url, address)
        self._devices.append(device)
        return device

    def verify(self, number: str, *more: str) -> tuple[int, dict[str, Any]]:
        """The command line's verdict: its exit status and its JSON."""
        return self.run_command_line("--phone", number, *more)

    def run_command_line(self, *more: str) -> tuple[int, dict[str, Any]]:
        """Its exit status and its JSON."""
        roots = [f"--root-ca={root}" for root in (self.world.root, self.world.own_root)]
        own_host = f"backend.test:{self.balancer.https_port}:127.0.0.1"
        hosts = [f"--resolve={host}" for host in [*self.world.ready["hosts"], own_host]]
        url = [arg for arg in more if arg.startswith("--backend=")] or [f"--backend={self.url}"]
        command = [str(PROGRAMS / "examples/verify"), "--json", "--any-network", *url]
        others = [arg for arg in more if arg not in url]
        done = subprocess.run([*command, *roots, *hosts, *others], capture_output=True, timeout=PATIENCE_S, check=False)
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
