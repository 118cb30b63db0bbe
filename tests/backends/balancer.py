"""A minimal load balancer: assigns the connections of each client to the replicas of a backend, round-robin.

Replicas that are down are skipped. One of its two ports terminates TLS; replicas see the client's address.
"""

import asyncio
import ssl
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from world import TIMEOUT_S

T = TypeVar("T")


class Balancer:
    def __init__(self, certificate: Path) -> None:
        self.replicas: list[int] = []  # ports of the replicas
        self.opened: Counter[int] = Counter()  # connections per replica
        self._next: Counter[str] = Counter()  # per client
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(certificate)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._servers = [
            self._run(asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls, backlog=2048))
            for tls in (None, self._tls)
        ]
        self.http_port, self.https_port = (server.sockets[0].getsockname()[1] for server in self._servers)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT_S)

    def stop(self) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        client = to_client.get_extra_info("peername")[0]
        first = self._next[client] + hash(client)
        self._next[client] += 1
        for offset in range(len(self.replicas)):
            port = self.replicas[(first + offset) % len(self.replicas)]
            with suppress(OSError):
                from_replica, to_replica = await asyncio.open_connection("127.0.0.1", port, local_addr=(client, 0))
                break
        else:
            to_client.close()
            return
        self.opened[port] += 1
        await asyncio.gather(_pump(from_client, to_replica), _pump(from_replica, to_client))


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Closes the sink when the source ends."""
    with suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()
