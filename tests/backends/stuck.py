"""A server that accepts connections and never responds."""

import socket
from threading import Event, Thread

from world import TIMEOUT_S


class StuckServer:
    def __enter__(self) -> "StuckServer":
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self._listener.getsockname()[1]}"
        self._connected, self._accepted = Event(), []
        self._thread = Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def _accept(self) -> None:
        while True:
            try:
                self._accepted.append(self._listener.accept()[0])
            except OSError:
                return
            self._connected.set()

    def await_connection(self) -> None:
        assert self._connected.wait(TIMEOUT_S), "no connection"

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in self._accepted:
            connection.close()
