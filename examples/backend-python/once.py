"""The same request with the same Idempotency-Key gets the same answer: later, on another replica, or during the first.

What is kept is sealed. A refusal that passes by itself (429, 503) is not: its client comes again with the same key.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from cryptography.fernet import InvalidToken
from starlette.responses import Response

from contract import FIX_INTEGRATION, RETRY_LATER, Problem
from sealed import Keys, digest, same
from store import ANSWERS, QUEUE_TIMEOUT_S, Store

PASSING = (429, 503)
POLL_S = 0.05
CLAIM_SLACK_S = 2 * QUEUE_TIMEOUT_S  # for what the request itself asks of the store


class Once:
    def __init__(self, store: Store, keys: Keys, lifetime_s: int, longest_run_s: float) -> None:
        self._store, self._keys, self._lifetime_s = store, keys, lifetime_s
        # A replica may die while it runs a request. Its claim then ends by itself, not before the request would.
        self._wait_s, self._claim_s = longest_run_s, int(longest_run_s) + CLAIM_SLACK_S

    async def __call__(self, key: str | None, identity: str, run: Callable[[], Awaitable[Response]]) -> Response:
        """`identity` is all that makes two requests the same."""
        if key is None:
            return await outcome(run)
        name, request = f"{ANSWERS}{digest(key)}", digest(identity)
        deadline, claim = time.monotonic() + self._wait_s, self._seal({"request": request})
        while there := await self._store.claim(name, claim, self._claim_s):
            while there is not None:
                first = self._open(there)
                if not same(first["request"], request):
                    raise Problem(422, "the Idempotency-Key was used for another request", FIX_INTEGRATION)
                if "answer" in first:
                    return unpacked(first["answer"])
                if time.monotonic() > deadline:
                    raise Problem(409, "the same request is still running", RETRY_LATER)
                await asyncio.sleep(POLL_S)
                there = await self._store.look(name)
        try:
            response = await outcome(run)
        except Exception:
            await self._store.drop(name)
            raise
        with suppress(Problem):  # the answer is right, whether or not it could be kept
            if response.status_code in PASSING:
                await self._store.drop(name)
            else:
                answer = self._seal({"request": request, "answer": packed(response)})
                await self._store.put(name, answer, self._lifetime_s)
        return response

    def _seal(self, value: dict[str, Any]) -> str:
        return self._keys.seal("answer", value)

    def _open(self, sealed: str) -> dict[str, Any]:
        try:
            return self._keys.open("answer", sealed)
        except InvalidToken:
            raise Problem(409, "the same key was used on a replica with other keys", RETRY_LATER) from None


async def outcome(run: Callable[[], Awaitable[Response]]) -> Response:
    """A refusal is an answer too."""
    try:
        return await run()
    except Problem as problem:
        return problem.answer()


def packed(response: Response) -> dict[str, Any]:
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers]
    return {"status": response.status_code, "headers": headers, "body": bytes(response.body).decode()}


def unpacked(packed: dict[str, Any]) -> Response:
    response = Response(packed["body"], packed["status"])
    response.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in packed["headers"]]
    return response
