"""Waiting for conditions, with a limit against hanging; and ports that no other program takes meanwhile."""

import socket
import time
from collections.abc import Callable

import pytest

from world import PATIENCE_S


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {PATIENCE_S} s: {what}")
        time.sleep(0.02)


_reserved: list[socket.socket] = []


def free_port() -> int:
    """On all addresses, for a program that sets SO_REUSEADDR, as servers do; it may end and come back.

    The port stays reserved until the tests end: Linux lets such a program listen on a port that is bound here without
    listening, and gives it to nothing else.
    """
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("", 0))
    _reserved.append(reserved)
    return reserved.getsockname()[1]
