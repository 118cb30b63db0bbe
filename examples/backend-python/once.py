"""Idempotency-Key: a repeated request gets the response of the first one, on every replica, also while it still runs.

Stored responses are encrypted. Temporary errors (429, 503) are not stored, because clients retry with the same key.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from cryptography.fernet import InvalidToken
from starlette.responses import Response

from contract import FIX_INTEGRATION, RETRY_LATER, Problem
from sealed import Keys, constant_time_equal, digest
from store import QUEUE_TIMEOUT_S, RESPONSES, Store

TEMPORARY = (429, 503)
POLL_INTERVAL_S = 0.05
CLAIM_SLACK_S = 2 * QUEUE_TIMEOUT_S  # for the store calls of the request itself


class Once:
    def __init__(self, store: Store, keys: Keys, lifetime_s: int, max_run_s: float) -> None:
        self._store, self._keys, self._lifetime_s = store, keys, lifetime_s
        # The claim of a replica that dies while it runs a request expires, but not before the request would end.
        self._wait_s, self._claim_s = max_run_s, int(max_run_s) + CLAIM_SLACK_S

    async def __call__(self, key: str | None, identity: str, run: Callable[[], Awaitable[Response]]) -> Response:
        """Two requests are the same if their `identity` is equal."""
        if key is None:
            return await response_of(run)
        name, request = f"{RESPONSES}{digest(key)}", digest(identity)
        deadline, claim = time.monotonic() + self._wait_s, self._seal({"request": request})
        while existing := await self._store.claim(name, claim, self._claim_s):
            while existing is not None:
                stored = self._open(existing)
                if not constant_time_equal(stored["request"], request):
                    raise Problem(422, "the Idempotency-Key was used for another request", FIX_INTEGRATION)
                if "answer" in stored:
                    return unpack(stored["answer"])
                if time.monotonic() > deadline:
                    raise Problem(409, "the same request is still running", RETRY_LATER)
                await asyncio.sleep(POLL_INTERVAL_S)
                existing = await self._store.get(name)
        try:
            response = await response_of(run)
        except Exception:
            await self._store.remove(name)
            raise
        with suppress(Problem):  # the response is valid even if it could not be stored
            if response.status_code in TEMPORARY:
                await self._store.remove(name)
            else:
                sealed = self._seal({"request": request, "answer": pack(response)})
                await self._store.put(name, sealed, self._lifetime_s)
        return response

    def _seal(self, value: dict[str, Any]) -> str:
        return self._keys.seal("answer", value)

    def _open(self, sealed: str) -> dict[str, Any]:
        try:
            return self._keys.open("answer", sealed)
        except InvalidToken:
            raise Problem(409, "the same key was used on a replica with other keys", RETRY_LATER) from None


async def response_of(run: Callable[[], Awaitable[Response]]) -> Response:
    """Converts a problem to its response."""
    try:
        return await run()
    except Problem as problem:
        return problem.response()


def pack(response: Response) -> dict[str, Any]:
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers]
    return {"status": response.status_code, "headers": headers, "body": bytes(response.body).decode()}


def unpack(packed: dict[str, Any]) -> Response:
    response = Response(packed["body"], packed["status"])
    response.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in packed["headers"]]
    return response
