"""A recording proxy in front of the simulator's backend: stores each request and its response. A test can prepare
responses, which are returned instead of the simulator's.
"""

import ssl
import threading
from collections import deque
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme

from contract import Exchange
from simulator import TIMEOUT_S, Simulator

HOST, ADDRESS = "backend.simulator.test", "127.0.0.2"  # the simulator itself is on 127.0.0.1
RawResponse = tuple[int, dict[str, str], bytes]


class Recorder:
    def __init__(self, simulator: Simulator, folder: Path) -> None:
        self.simulator, port = simulator, simulator.ready["https_port"]
        self.authority, self.resolve = f"{HOST}:{port}", f"{HOST}:{port}:{ADDRESS}"
        self.exchanges: list[Exchange] = []
        self.prepared: dict[str, deque[RawResponse]] = {}
        authority = trustme.CA()
        self.root, certificate = folder / "recorder.pem", folder / "recorder-certificate.pem"
        authority.cert_pem.write_to_path(self.root)
        authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(certificate)
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = TIMEOUT_S

            def do_GET(self) -> None:
                recorder.handle(self)

            def do_POST(self) -> None:
                recorder.handle(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer((ADDRESS, port), Handler)
        self.server.daemon_threads = True
        self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def prepare(self, call: str, *responses: RawResponse) -> None:
        """Sets the next responses of `start`, `complete`, `callback` or `abort`."""
        self.prepared.setdefault(call, deque()).extend(responses)

    def take(self) -> list[Exchange]:
        """Returns the exchanges since the last call."""
        exchanges, self.exchanges = self.exchanges, []
        return exchanges

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("content-length", 0)))
        names = [name.lower() for name in request.headers]
        assert len(names) == len(set(names)), f"a repeated header: {names}"
        headers = {name.lower(): value for name, value in request.headers.items()}
        exchange = Exchange(request.command, f"https://{self.authority}{request.path}", headers, body)
        self.exchanges.append(exchange)
        queue = self.prepared.get(request.path.split("?")[0].rsplit("/", 1)[1])
        status, response_headers, response_body = queue.popleft() if queue else self.forward(request, headers, body)
        exchange.status, exchange.response_body = status, response_body
        exchange.response_headers = [(name.lower(), value) for name, value in response_headers.items()]
        request.send_response(status)
        for name, value in response_headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(response_body)))
        request.end_headers()
        request.wfile.write(response_body)

    def forward(self, request: BaseHTTPRequestHandler, headers: dict[str, str], body: bytes) -> RawResponse:
        upstream = HTTPConnection("127.0.0.1", self.simulator.ready["http_port"], timeout=TIMEOUT_S)
        try:
            upstream.request(request.command, request.path, body, headers)
            response = upstream.getresponse()
            headers = {name: value for name, value in response.getheaders() if name not in ("content-length", "date")}
            return response.status, headers, response.read()
        finally:
            upstream.close()
