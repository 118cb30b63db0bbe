"""A session is used once: by `complete` with a code, by the callback or by `abort`.

The result of the callback is stored with the use, encrypted. If the response to the callback is lost, `complete`
without a code returns that result, on every replica.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from cryptography.fernet import InvalidToken
from starlette.responses import Response

from contract import USE_ANOTHER_CHANNEL, Problem
from once import POLL_INTERVAL_S, pack, response_of, unpack
from sealed import Keys, Sessions, state_of
from store import Store

STORE_TIMEOUT_S = 2.0  # to store a result, on a busy replica


class Uses:
    def __init__(self, store: Store, keys: Keys, sessions: Sessions, max_run_s: float) -> None:
        self._store, self._keys = store, keys
        self._max_lifetime_s, self._wait_s = sessions.max_lifetime_s, max_run_s

    async def by_complete(self, session: str) -> None:
        await self._use_once(session, "complete")

    async def by_abort(self, session: str) -> bool:
        """Returns whether the session was unused. If not, the earlier use and its result are kept."""
        return await self._claim(session, "abort")

    async def by_callback(self, session: str, run: Callable[[], Awaitable[Response]]) -> Response:
        await self._use_once(session, "callback")
        response = await response_of(run)
        with suppress(Problem):  # the response is valid even if it could not be stored
            result = self._keys.seal("use", {"by": "callback", "result": pack(response)})
            await self._store.put(_name(session), result, self._max_lifetime_s)
        return response

    async def result(self, session: str) -> Response:
        """The result of the callback. Waits for as long as callback and store can take; then its replica has died."""
        deadline = time.monotonic() + self._wait_s + STORE_TIMEOUT_S
        while stored := await self._store.get(_name(session)):
            try:
                use = self._keys.open("use", stored)
            except InvalidToken:
                break
            if "result" in use:
                return unpack(use["result"])
            if use["by"] != "callback" or time.monotonic() > deadline:
                break
            await asyncio.sleep(POLL_INTERVAL_S)
        raise Problem(409, "the callback has brought no result", USE_ANOTHER_CHANNEL)

    async def _use_once(self, session: str, by: str) -> None:
        if not await self._claim(session, by):
            raise Problem(409, "the session was used before", USE_ANOTHER_CHANNEL)

    async def _claim(self, session: str, by: str) -> bool:
        """Marks the session as used, on all replicas. Returns False if it already was."""
        use = self._keys.seal("use", {"by": by})
        return await self._store.claim(_name(session), use, self._max_lifetime_s) is None


def _name(session: str) -> str:
    return f"spent:{state_of(session)}"
