"""State that replicas share: values that expire, and counters.

It contains no personal data in plain text: keys are hashes, values are encrypted. If it is unavailable, calls fail.
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

TIMEOUT_S = 3  # per command
QUEUE_TIMEOUT_S = 30  # to get a connection from the pool, under load


class Store(Protocol):
    async def claim(self, name: str, value: str, seconds: int) -> str | None:
        """Sets a unique value if there is none, else returns the existing one. Atomic across replicas."""

    async def get(self, name: str) -> str | None:
        """Returns the value, or None if there is none."""

    async def put(self, name: str, value: str, seconds: int) -> None:
        """Sets a value and replaces an existing one."""

    async def remove(self, name: str) -> None:
        """Removes a value."""

    async def count(self, name: str, seconds: int) -> tuple[int, int]:
        """Increments a counter whose window starts with its first call. Returns the count and the remaining seconds."""

    async def check(self) -> None:
        """Raises a problem if the store is unavailable."""

    async def close(self) -> None: ...


def unavailable() -> Problem:
    return Problem(503, "the store of this backend is unavailable", RETRY_LATER, {"Retry-After": "1"})


RESPONSES = "answer:"  # prefix of the names of stored responses


class Memory:
    """For one process. When it is full, the oldest stored responses are evicted; other values are rejected."""

    CAPACITY = 100_000

    def __init__(self) -> None:
        self._values: TLRUCache[str, tuple[str, int]] = TLRUCache(self.CAPACITY, _expires_at, time.monotonic)
        self._responses: TLRUCache[str, tuple[str, int]] = TLRUCache(self.CAPACITY, _expires_at, time.monotonic)
        self._counters: TLRUCache[str, tuple[list[float], int]] = TLRUCache(self.CAPACITY, _expires_at, time.monotonic)

    async def claim(self, name: str, value: str, seconds: int) -> str | None:
        existing = await self.get(name)
        if existing is None:
            await self.put(name, value, seconds)
        return existing

    async def get(self, name: str) -> str | None:
        entry = self._cache(name).get(name)
        return entry[0] if entry else None

    async def put(self, name: str, value: str, seconds: int) -> None:
        cache = self._cache(name)
        cache.expire()
        if cache is self._values and name not in cache and len(cache) >= self.CAPACITY:
            log.warning("store_failed", kind="full")
            raise unavailable()
        cache[name] = value, seconds

    async def remove(self, name: str) -> None:
        self._cache(name).pop(name, None)

    def _cache(self, name: str) -> TLRUCache[str, tuple[str, int]]:
        return self._responses if name.startswith(RESPONSES) else self._values

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


def _expires_at(_: str, entry: tuple[object, int], now: float) -> float:
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
            retry=Retry(NoBackoff(), 1),  # a pooled connection may be dead
            decode_responses=True,
        )
        self._redis = Redis.from_pool(pool)

    async def claim(self, name: str, value: str, seconds: int) -> str | None:
        async with _problem_on_error():
            while not await self._redis.set(self.PREFIX + name, value, nx=True, ex=seconds):
                existing = await self._redis.get(self.PREFIX + name)
                if existing is not None:
                    # Our own value, if the response to the first attempt was lost.
                    return None if existing == value else existing
            return None

    async def get(self, name: str) -> str | None:
        async with _problem_on_error():
            return await self._redis.get(self.PREFIX + name)

    async def put(self, name: str, value: str, seconds: int) -> None:
        async with _problem_on_error():
            await self._redis.set(self.PREFIX + name, value, ex=seconds)

    async def remove(self, name: str) -> None:
        async with _problem_on_error():
            await self._redis.delete(self.PREFIX + name)

    async def count(self, name: str, seconds: int) -> tuple[int, int]:
        async with _problem_on_error(), self._redis.pipeline(transaction=True) as transaction:
            transaction.set(self.PREFIX + name, 0, nx=True, ex=seconds).incr(self.PREFIX + name).ttl(self.PREFIX + name)
            _, count, ends_in_s = await transaction.execute()
            return count, max(1, ends_in_s)

    async def check(self) -> None:
        async with _problem_on_error():
            await self._redis.ping()

    async def close(self) -> None:
        await self._redis.aclose()


@asynccontextmanager
async def _problem_on_error() -> AsyncIterator[None]:
    try:
        yield
    except RedisError as error:
        log.warning("store_failed", kind=type(error).__name__)
        raise unavailable() from None
