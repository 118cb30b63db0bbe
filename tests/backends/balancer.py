"""A load balancer, as far as it matters here: each connection of a client goes to the next replica of a backend.

A replica that is gone is passed over. It ends TLS on one of its two ports; the replicas see the client's own address.
"""

import asyncio
import ssl
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from world import PATIENCE_S

T = TypeVar("T")


class Balancer:
    def __init__(self, certificate: Path) -> None:
        self.replicas: list[int] = []  # their ports
        self.opened: Counter[int] = Counter()  # connections to each, so far
        self._turn: Counter[str] = Counter()  # of each client
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
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

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
        turn = self._turn[client] + hash(client)
        self._turn[client] += 1
        for offset in range(len(self.replicas)):
            port = self.replicas[(turn + offset) % len(self.replicas)]
            with suppress(OSError):
                from_replica, to_replica = await asyncio.open_connection("127.0.0.1", port, local_addr=(client, 0))
                break
        else:
            to_client.close()
            return
        self.opened[port] += 1
        await asyncio.gather(_pump(from_client, to_replica), _pump(from_replica, to_client))


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """When one side is over, so is the other."""
    with suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()
