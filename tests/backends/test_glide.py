"""What the app is told when Glide is in trouble, or this backend is set up wrongly.

Glide is a stub here, which answers what the code says.
"""

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from conftest import EXAMPLE, RIGHT, Backend, World

TOKEN = '{"access_token": "token of %s", "expires_in": 300, "scope": "openid"}'
AGAIN, OTHER, FIX = "retry_later", "use_another_channel", "fix_integration"
# code: (status and body of the token call, of the verify call), (status and fallback for the app)
CASES: dict[str, tuple[tuple[int, str], tuple[int, str], tuple[int, str]]] = {
    "used": ((400, '{"error": "invalid_grant"}'), (0, ""), (403, OTHER)),
    "bad-request": ((400, '{"error": "invalid_request"}'), (0, ""), (500, FIX)),
    "bad-secret": ((401, '{"error": "invalid_client"}'), (0, ""), (500, FIX)),
    "no-such-path": ((404, "<html>"), (0, ""), (500, FIX)),
    "busy": ((429, ""), (0, ""), (502, AGAIN)),
    "broken": ((503, "<html>"), (0, ""), (502, AGAIN)),
    "page": ((200, "<html>"), (0, ""), (500, FIX)),
    "no-token": ((200, "{}"), (0, ""), (500, FIX)),
    "not-mobile": ((200, TOKEN), (403, '{"code": "PERMISSION_DENIED"}'), (403, OTHER)),
    "bad-token": ((200, TOKEN), (401, '{"code": "UNAUTHENTICATED"}'), (500, FIX)),
    "verify-broken": ((200, TOKEN), (500, ""), (502, AGAIN)),
    "no-verdict": ((200, TOKEN), (200, '{"devicePhoneNumberVerified": null}'), (500, FIX)),
    "quotes-the-number": ((200, TOKEN), (200, json.dumps({"devicePhoneNumberVerified": RIGHT})), (500, FIX)),
    "hangs": ((200, TOKEN), (-1, "hang"), (504, AGAIN)),
    "hangs-up": ((200, TOKEN), (-1, "hang up"), (502, AGAIN)),
}


class StubbedGlide(BaseHTTPRequestHandler):
    over = Event()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        if self.path == "/oauth2/token":
            code = parse_qs(body)["code"][0]
            status, answer = CASES[code][0]
        else:
            code = self.headers["authorization"].removeprefix("Bearer token of ")
            status, answer = CASES[code][1]
        if answer == "hang":
            self.over.wait(30)
        if status < 0:
            self.close_connection = True
            return
        answer = answer.replace("%s", code)
        self.send_response(status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def stub(world: World) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), StubbedGlide)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(world.certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"https://localhost:{server.server_port}"
    StubbedGlide.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("code", CASES)
def test_glide_in_trouble(backend: Callable[..., Backend], world: World, stub: str, code: str) -> None:
    app = backend(
        "dev_print",
        GLIDE_AUTH_BASE_URL=stub,
        GLIDE_API_BASE_URL=stub,
        SSL_CERT_FILE=str(world.own_root),
        NUMBER_VERIFY_GLIDE_TIMEOUT_S="0.5",
    )
    device = app.device()
    device.post("/start", json={"phoneNumber": RIGHT})
    answer = device.post("/complete", json={"code": code})
    assert (answer.status_code, answer.json()["fallback"]) == CASES[code][2], answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert RIGHT not in answer.text


def test_a_certificate_that_is_not_trusted(backend: Callable[..., Backend], world: World) -> None:
    device = backend("dev_print", SSL_CERT_FILE=str(world.own_root)).device()
    device.post("/start", json={"phoneNumber": RIGHT})
    answer = device.post("/complete", json={"code": "code"})
    assert (answer.status_code, answer.json()["fallback"]) == (500, FIX)


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"GLIDE_CLIENT_ID": ""}, "clientId is required"),
        ({"GLIDE_CLIENT_SECRET": ""}, "GLIDE_CLIENT_SECRET is not set"),
        ({"GLIDE_REDIRECT_URI": ""}, "GLIDE_REDIRECT_URI must be set"),
        ({"GLIDE_AUTH_BASE_URL": "http://glide.example"}, "must be https URLs"),
        ({"GLIDE_API_BASE_URL": "https://glide.example/"}, "must be https URLs"),
        ({"NUMBER_VERIFY_DELIVERY": "dance"}, "must be dev_print, redirect or follow-through"),
        ({"NUMBER_VERIFY_DELIVERY": "follow-through"}, "the https URL of this backend's /callback"),
        ({}, ""),
    ],
)
def test_settings(wrong: dict[str, str], complaint: str) -> None:
    settings = {
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "GLIDE_CLIENT_ID": "id",
        "GLIDE_CLIENT_SECRET": "secret",
        "GLIDE_REDIRECT_URI": "myapp://verified",
    }
    command = [sys.executable, "-c", "import app; print(app.glide.settings.internal.authBaseUrl)"]
    done = subprocess.run(command, cwd=EXAMPLE, env=settings | wrong, capture_output=True, text=True, check=False)
    if complaint:
        assert (done.returncode, done.stdout) == (1, "")
        assert complaint in done.stderr
    else:
        assert urlsplit(done.stdout.strip()).hostname == "oidc.gateway-x.io", done.stderr
