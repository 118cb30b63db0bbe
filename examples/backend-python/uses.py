"""A session is used once: by `complete` with a code, by the callback or by `abort`.

The callback's result is stored with that. So `complete` without a code returns it, on every replica, if the callback's
response was lost. It is stored sealed.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from cryptography.fernet import InvalidToken
from starlette.responses import Response

from contract import USE_ANOTHER_CHANNEL, Problem
from once import POLL_S, outcome, packed, unpacked
from sealed import Keys, Sessions, state_of
from store import Store

STORE_S = 2.0  # for storing a result, on a busy replica


class Uses:
    def __init__(self, store: Store, keys: Keys, sessions: Sessions, longest_run_s: float) -> None:
        self._store, self._keys, self._longest_s, self._wait_s = store, keys, sessions.longest_s, longest_run_s

    async def by_complete(self, session: str) -> None:
        await self._only_use(session, "complete")

    async def by_abort(self, session: str) -> bool:
        """Whether the session was still unused. Otherwise the earlier use stays, and its result."""
        return await self._claim(session, "abort")

    async def by_callback(self, session: str, run: Callable[[], Awaitable[Response]]) -> Response:
        await self._only_use(session, "callback")
        response = await outcome(run)
        with suppress(Problem):  # the response is right, whether or not it could be stored
            result = self._keys.seal("use", {"by": "callback", "result": packed(response)})
            await self._store.put(_name(session), result, self._longest_s)
        return response

    async def result(self, session: str) -> Response:
        """The callback's. Waits as long as callback and store can take; after that, its replica must have died."""
        deadline = time.monotonic() + self._wait_s + STORE_S
        while stored := await self._store.look(_name(session)):
            try:
                use = self._keys.open("use", stored)
            except InvalidToken:
                break
            if "result" in use:
                return unpacked(use["result"])
            if use["by"] != "callback" or time.monotonic() > deadline:
                break
            await asyncio.sleep(POLL_S)
        raise Problem(409, "the callback has brought no result", USE_ANOTHER_CHANNEL)

    async def _only_use(self, session: str, by: str) -> None:
        if not await self._claim(session, by):
            raise Problem(409, "the session was used before", USE_ANOTHER_CHANNEL)

    async def _claim(self, session: str, by: str) -> bool:
        """The session is used from here on, on all replicas. Returns False if it was used before."""
        use = self._keys.seal("use", {"by": by})
        return await self._store.claim(_name(session), use, self._longest_s) is None


def _name(session: str) -> str:
    return f"spent:{state_of(session)}"
