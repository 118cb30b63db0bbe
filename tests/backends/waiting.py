"""Waiting for conditions with a timeout, and reserved ports."""

import socket
import time
from collections.abc import Callable

import pytest

from world import TIMEOUT_S


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {TIMEOUT_S} s: {what}")
        time.sleep(0.02)


_reserved: list[socket.socket] = []


def free_port() -> int:
    """A port on all addresses, for a program that sets SO_REUSEADDR, as servers do; it may be restarted.

    The port stays reserved until the tests end: it is bound here without listening, and Linux allows only a program
    with SO_REUSEADDR to listen on it.
    """
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("", 0))
    _reserved.append(reserved)
    return reserved.getsockname()[1]
