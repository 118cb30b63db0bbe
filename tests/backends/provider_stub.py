"""A stub of a provider: OpenID Connect with CAMARA's verify and device-phone-number, also at the paths of Glide.

The code selects the behaviour: `CASE NONCE` gets the responses, or ID token claims, that a test has set for CASE.
"""

import json
import ssl
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from time import time
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from calls import start
from running import Backend
from world import RIGHT, TIMEOUT_S, World

CLIENT, SECRET = "client of the stub", "a secret: %&+ä"
TOKEN = {"access_token": "token", "token_type": "Bearer", "expires_in": 300}

StubResponse = tuple[int, str]
VERIFIED: StubResponse = (200, '{"devicePhoneNumberVerified": true}')
NUMBER: StubResponse = (200, json.dumps({"devicePhoneNumber": RIGHT}))


def new_signing_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


class StubbedProvider(ThreadingHTTPServer):
    def __init__(self, world: World, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(world.certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = f"https://localhost:{self.server_port}"
        self.over, self.key, self.key_id = Event(), new_signing_key(), "first"
        self.verify_called, self.may_verify = Event(), Event()
        self.may_verify.set()  # clear it to hold the responses of the verify call
        self.publishes = True
        self.lost = 0  # so many requests for the metadata get no response
        self.metadata: dict[str, Any] = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
        }
        # The response of the token endpoint, or None for a valid one with an ID token; and that of the API.
        self.responses: dict[str, tuple[StubResponse | None, StubResponse]] = {}
        self.claims: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, dict[str, str], str]] = []  # path, headers, body
        self._case = ""
        self._thread = Thread(target=self.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        self.over.set()
        self.may_verify.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def settings(self, world: World, **more: str) -> dict[str, str]:
        return {
            "OIDC_ISSUER": self.url,
            "OIDC_CLIENT_ID": CLIENT,
            "OIDC_CLIENT_SECRET": SECRET,
            "CAMARA_VERIFY_URL": f"{self.url}/verify",
            "SSL_CERT_FILE": str(world.own_root),
        } | more

    @property
    def paths(self) -> list[str]:
        return [path for path, _, _ in self.calls]

    def jwks(self) -> list[Any]:
        if not self.publishes:
            return []
        jwk = jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return [jwk | {"kid": self.key_id, "use": "sig", "alg": "ES256"}]

    def id_token(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self.key, "ES256", {"kid": self.key_id})

    def respond(self, path: str, body: str) -> StubResponse:
        if path == "/.well-known/openid-configuration":
            if self.lost > 0:
                self.lost -= 1
                return -1, ""
            return 200, json.dumps(self.metadata)
        if path == "/jwks":
            return 200, json.dumps({"keys": self.jwks()})
        if path in ("/token", "/oauth2/token"):
            self._case, _, nonce = parse_qs(body)["code"][0].partition(" ")
            return self.responses.get(self._case, (None, VERIFIED))[0] or (200, self._token(nonce))
        self.verify_called.set()
        self.may_verify.wait(TIMEOUT_S)
        default = NUMBER if path == "/device-phone-number" else VERIFIED
        return self.responses.get(self._case, (None, default))[1]

    def _token(self, nonce: str) -> str:
        claims = {"iss": self.url, "aud": CLIENT, "sub": "user", "exp": int(time()) + 60, "nonce": nonce}
        return json.dumps(TOKEN | {"id_token": self.id_token(claims | self.claims.get(self._case, {}))})


class Handler(BaseHTTPRequestHandler):
    server: StubbedProvider
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        request = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        self.server.calls.append((self.path, {name.lower(): value for name, value in self.headers.items()}, request))
        status, text = self.server.respond(self.path, request)
        if text == "hang":
            self.server.over.wait()
        if status < 0:
            self.close_connection = True
            return
        body = text.encode(errors="surrogateescape")
        self.send_response(status)
        if status == 307:
            self.send_header("location", f"{self.server.url}/elsewhere")
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


def start_with_code(
    device: httpx.Client, code: str, start: Callable[[httpx.Client], dict[str, Any]] = start
) -> tuple[dict[str, str], dict[str, str]]:
    """Returns the parameters of the auth URL, and the complete request for a code with its nonce."""
    started = start(device)
    query = dict(parse_qsl(urlsplit(started["authUrl"]).query))
    return query, {"code": f"{code} {query['nonce']}", "state": query["state"], "session": started["session"]}


def complete_with_code(app: Backend, code: str, **headers: str) -> tuple[dict[str, str], httpx.Response]:
    """Returns the parameters of the auth URL, and the complete response for a code with its nonce."""
    device = app.device()
    query, request = start_with_code(device, code)
    return query, device.post("/complete", json=request, headers=headers)


def last_failure(app: Backend) -> str:
    failed = [line for line in app.replicas[0].log_lines() if line["event"] == "provider_failed"]
    return failed[-1]["kind"]
