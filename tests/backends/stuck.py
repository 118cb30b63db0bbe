"""A server that takes connections and never says anything."""

import socket
from threading import Event, Thread

from world import PATIENCE_S


class StuckServer:
    def __enter__(self) -> "StuckServer":
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self._listener.getsockname()[1]}"
        self._connected, self._taken = Event(), []
        self._thread = Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def _accept(self) -> None:
        while True:
            try:
                self._taken.append(self._listener.accept()[0])
            except OSError:
                return
            self._connected.set()

    def await_connection(self) -> None:
        assert self._connected.wait(PATIENCE_S), "nobody connected"

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for taken in self._taken:
            taken.close()
