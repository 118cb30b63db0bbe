"""Waiting for conditions, with a limit against hanging."""

import random
import socket
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from world import PATIENCE_S


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {PATIENCE_S} s: {what}")
        time.sleep(0.02)


def free_port() -> int:
    """On all addresses, and below those of outgoing connections, of which there are thousands here."""
    while True:
        port = random.randrange(15_000, 32_000)  # noqa: S311
        with socket.socket() as free, suppress(OSError):
            free.bind(("", port))
            return port
