"""A Redis server for the tests, without persistence. Each backend gets a separate database."""

import shutil
import subprocess
from itertools import count
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NotYet

from waiting import free_port, until
from world import TIMEOUT_S

DATABASES = 200


def has_tls() -> bool:
    """Without a port it exits immediately, with an error if it does not support TLS."""
    command = ["redis-server", "--port", "0", "--tls-port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "CONFIG FILE ERROR" not in done.stdout + done.stderr


class RedisServer:
    def __init__(self, folder: Path, port: int = 0, certificate: Path | None = None) -> None:
        if not shutil.which("redis-server"):
            pytest.skip("redis-server is not on the PATH")
        self.folder, self.port = folder, port or free_port()
        self._databases = count()
        if certificate and not has_tls():
            pytest.skip("redis-server has no TLS")
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]
        command += ["--save", "", "--appendonly", "no", "--databases", str(DATABASES), "--loglevel", "warning"]
        if certificate:
            self.tls_port = free_port()
            command += ["--tls-port", str(self.tls_port), "--tls-auth-clients", "no"]
            command += ["--tls-cert-file", str(certificate), "--tls-key-file", str(certificate)]
            command += ["--tls-ca-cert-file", str(certificate)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        with Redis(port=self.port) as client:
            until(lambda: self._responds(client), "redis-server responds")

    def _responds(self, client: Redis) -> bool:
        assert self.process.poll() is None
        try:
            return bool(client.ping())
        except NotYet:
            return False

    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/{next(self._databases)}"

    def everything_in(self, url: str) -> bytes:
        """All keys and values."""
        with Redis.from_url(url) as client:
            names = client.keys()
            return b" ".join([*names, *filter(None, client.mget(names))])

    def all_end_within(self, url: str, seconds: int) -> bool:
        with Redis.from_url(url) as client:
            return all(0 <= client.ttl(name) <= seconds for name in client.scan_iter())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(TIMEOUT_S)
