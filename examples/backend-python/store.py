"""What the replicas of this backend have to know of each other: values that end by themselves, and counters.

Nothing in it is personal in clear: names are hashes, values are sealed. Where it cannot be asked, nothing goes through.
"""

import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from cachetools import TLRUCache
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

import log
from contract import RETRY_LATER, Problem

TIMEOUT_S = 3  # of one command
QUEUE_TIMEOUT_S = 30  # for one of the connections, in a rush


class Store(Protocol):
    async def claim(self, name: str, value: str, seconds: int) -> str | None:
        """Puts a value, unlike any other, where there is none; else tells the one that is there. One step for all."""

    async def look(self, name: str) -> str | None:
        """The value that is there."""

    async def put(self, name: str, value: str, seconds: int) -> None:
        """Puts a value, whatever was there."""

    async def drop(self, name: str) -> None:
        """Takes a value away."""

    async def count(self, name: str, seconds: int) -> tuple[int, int]:
        """Counts up, in a window that began with its first count: how many, and in how many seconds the window ends."""

    async def check(self) -> None:
        """Raises a problem where the store does not answer."""

    async def close(self) -> None: ...


def unavailable() -> Problem:
    return Problem(503, "this backend's store does not answer", RETRY_LATER, {"Retry-After": "1"})


ANSWERS = "answer:"  # how their names begin


class Memory:
    """For one process. When it is full, the oldest answers go, which lets nobody in; other values are refused."""

    CAPACITY = 100_000

    def __init__(self) -> None:
        self._values: TLRUCache[str, tuple[str, int]] = TLRUCache(self.CAPACITY, _ends, time.monotonic)
        self._answers: TLRUCache[str, tuple[str, int]] = TLRUCache(self.CAPACITY, _ends, time.monotonic)
        self._counters: TLRUCache[str, tuple[list[float], int]] = TLRUCache(self.CAPACITY, _ends, time.monotonic)

    async def claim(self, name: str, value: str, seconds: int) -> str | None:
        there = await self.look(name)
        if there is None:
            await self.put(name, value, seconds)
        return there

    async def look(self, name: str) -> str | None:
        there = self._pool(name).get(name)
        return there[0] if there else None

    async def put(self, name: str, value: str, seconds: int) -> None:
        pool = self._pool(name)
        pool.expire()
        if pool is self._values and name not in pool and len(pool) >= self.CAPACITY:
            log.warning("store_failed", kind="full")
            raise unavailable()
        pool[name] = value, seconds

    async def drop(self, name: str) -> None:
        self._pool(name).pop(name, None)

    def _pool(self, name: str) -> TLRUCache[str, tuple[str, int]]:
        return self._answers if name.startswith(ANSWERS) else self._values

    async def count(self, name: str, seconds: int) -> tuple[int, int]:
        counter, _ = self._counters.get(name) or ([0, time.monotonic() + seconds], seconds)
        counter[0] += 1
        if counter[0] == 1:
            self._counters[name] = counter, seconds
        return int(counter[0]), max(1, math.ceil(counter[1] - time.monotonic()))

    async def check(self) -> None:
        pass

    async def close(self) -> None:
        pass


def _ends(_: str, entry: tuple[object, int], now: float) -> float:
    return now + entry[1]


class Shared:
    """In Redis, for any number of replicas."""

    PREFIX = "number-verify:"

    def __init__(self, url: str) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=64,
            timeout=QUEUE_TIMEOUT_S,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),  # a kept connection may be dead
            decode_responses=True,
        )
        self._redis = Redis.from_pool(pool)

    async def claim(self, name: str, value: str, seconds: int) -> str | None:
        async with _asking():
            while not await self._redis.set(self.PREFIX + name, value, nx=True, ex=seconds):
                there = await self._redis.get(self.PREFIX + name)
                if there is not None:
                    return None if there == value else there  # our own, when the answer to the first try was lost
            return None

    async def look(self, name: str) -> str | None:
        async with _asking():
            return await self._redis.get(self.PREFIX + name)

    async def put(self, name: str, value: str, seconds: int) -> None:
        async with _asking():
            await self._redis.set(self.PREFIX + name, value, ex=seconds)

    async def drop(self, name: str) -> None:
        async with _asking():
            await self._redis.delete(self.PREFIX + name)

    async def count(self, name: str, seconds: int) -> tuple[int, int]:
        async with _asking(), self._redis.pipeline(transaction=True) as all_at_once:
            all_at_once.set(self.PREFIX + name, 0, nx=True, ex=seconds).incr(self.PREFIX + name).ttl(self.PREFIX + name)
            _, count, ends_in_s = await all_at_once.execute()
            return count, max(1, ends_in_s)

    async def check(self) -> None:
        async with _asking():
            await self._redis.ping()

    async def close(self) -> None:
        await self._redis.aclose()


@asynccontextmanager
async def _asking() -> AsyncIterator[None]:
    try:
        yield
    except RedisError as error:
        log.warning("store_failed", kind=type(error).__name__)
        raise unavailable() from None
