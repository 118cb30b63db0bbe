"""A stub of a provider: OpenID Connect with CAMARA's verify and device-phone-number, also at the paths of Glide.

It does what the code says: `CASE NONCE` gets the responses, or the claims of the ID token, that a test has set for it.
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
from world import PATIENCE_S, RIGHT, World

CLIENT, SECRET = "client of the stub", "a secret: %&+ä"
TOKEN = {"access_token": "token", "token_type": "Bearer", "expires_in": 300}

Answer = tuple[int, str]
VERIFIED: Answer = (200, '{"devicePhoneNumberVerified": true}')
NUMBER: Answer = (200, json.dumps({"devicePhoneNumber": RIGHT}))


def a_signing_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


class StubbedProvider(ThreadingHTTPServer):
    def __init__(self, world: World, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(world.certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = f"https://localhost:{self.server_port}"
        self.over, self.key, self.key_id = Event(), a_signing_key(), "first"
        self.verify_called, self.may_verify = Event(), Event()
        self.may_verify.set()  # clear it to hold the responses of the verify call
        self.publishes = True
        self.metadata: dict[str, Any] = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
        }
        # Of the token call, or None for one with an ID token; and of the call for the result.
        self.answers: dict[str, tuple[Answer | None, Answer]] = {}
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

    def answer(self, path: str, body: str) -> Answer:
        if path == "/.well-known/openid-configuration":
            return 200, json.dumps(self.metadata)
        if path == "/jwks":
            return 200, json.dumps({"keys": self.jwks()})
        if path in ("/token", "/oauth2/token"):
            self._case, _, nonce = parse_qs(body)["code"][0].partition(" ")
            return self.answers.get(self._case, (None, VERIFIED))[0] or (200, self._token(nonce))
        self.verify_called.set()
        self.may_verify.wait(PATIENCE_S)
        usual = NUMBER if path == "/device-phone-number" else VERIFIED
        return self.answers.get(self._case, (None, usual))[1]

    def _token(self, nonce: str) -> str:
        claims = {"iss": self.url, "aud": CLIENT, "sub": "user", "exp": int(time()) + 60, "nonce": nonce}
        return json.dumps(TOKEN | {"id_token": self.id_token(claims | self.claims.get(self._case, {}))})


class Handler(BaseHTTPRequestHandler):
    server: StubbedProvider
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        request = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        self.server.calls.append((self.path, {name.lower(): value for name, value in self.headers.items()}, request))
        status, answer = self.server.answer(self.path, request)
        if answer == "hang":
            self.server.over.wait()
        if status < 0:
            self.close_connection = True
            return
        body = answer.encode(errors="surrogateescape")
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


def begun(
    device: httpx.Client, code: str, start: Callable[[httpx.Client], dict[str, Any]] = start
) -> tuple[dict[str, str], dict[str, str]]:
    """The parameters of the auth URL, and the request to complete for a code with its nonce."""
    started = start(device)
    query = dict(parse_qsl(urlsplit(started["authUrl"]).query))
    return query, {"code": f"{code} {query['nonce']}", "state": query["state"], "session": started["session"]}


def completed(app: Backend, code: str, **headers: str) -> tuple[dict[str, str], httpx.Response]:
    """The parameters of the auth URL, and the answer for a code with its nonce."""
    device = app.device()
    query, request = begun(device, code)
    return query, device.post("/complete", json=request, headers=headers)


def last_failure(app: Backend) -> str:
    failed = [line for line in app.replicas[0].log_lines() if line["event"] == "provider_failed"]
    return failed[-1]["kind"]
