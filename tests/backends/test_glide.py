"""Tests specific to the backend with Glide's SDK: mapping of Glide's failures, settings, `dev_print`.

Glide is a stub whose responses are selected by the code.
"""

import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from calls import AGAIN, FIX, OTHER, Backends, assert_problem, assert_result, start
from implementations import Implementation
from running import KEY
from world import RIGHT, WRONG, World

pytestmark = pytest.mark.only("python")

TOKEN = '{"access_token": "token of %s", "expires_in": 300, "scope": "openid"}'
# code: (status and body of the token call, of the verify call), (status and fallback for the app), kind in the log
CASES: dict[str, tuple[tuple[int, str], tuple[int, str], tuple[int, str], str]] = {
    "used": ((400, '{"error": "invalid_grant"}'), (0, ""), (403, OTHER), "token_refused"),
    "bad-request": ((400, '{"error": "invalid_request"}'), (0, ""), (500, FIX), "token_misused"),
    "bad-secret": ((401, '{"error": "invalid_client"}'), (0, ""), (500, FIX), "token_misused"),
    "not-for-us": ((403, '{"error": "unauthorized_client"}'), (0, ""), (500, FIX), "token_misused"),
    "no-such-path": ((404, "<html>"), (0, ""), (500, FIX), "token_misused"),
    "error-in-a-page": ((400, "<html>invalid_grant"), (0, ""), (500, FIX), "token_misused"),
    "busy": ((429, ""), (0, ""), (502, AGAIN), "token_busy"),
    "broken": ((503, "<html>"), (0, ""), (502, AGAIN), "token_busy"),
    "slow": ((408, ""), (0, ""), (502, AGAIN), "token_busy"),
    "early": ((425, ""), (0, ""), (502, AGAIN), "token_busy"),
    "not-there": ((501, ""), (0, ""), (502, OTHER), "token_unavailable"),
    "behind-a-portal": ((511, "<html>"), (0, ""), (502, OTHER), "token_unavailable"),
    "page": ((200, "<html>"), (0, ""), (500, FIX), "token_malformed"),
    "no-token": ((200, "{}"), (0, ""), (500, FIX), "token_malformed"),
    "wifi": (
        (200, TOKEN),
        (403, '{"code": "NUMBER_VERIFICATION.USER_NOT_AUTHENTICATED_BY_MOBILE_NETWORK"}'),
        (403, OTHER),
        "verify_refused",
    ),
    "not-covered": ((200, TOKEN), (422, '{"code": "SERVICE_NOT_APPLICABLE"}'), (403, OTHER), "verify_refused"),
    "not-allowed": ((200, TOKEN), (403, '{"code": "PERMISSION_DENIED"}'), (500, FIX), "verify_misused"),
    "a-firewall": ((200, TOKEN), (403, "<html>"), (500, FIX), "verify_misused"),
    "a-list": ((200, TOKEN), (403, "[]"), (500, FIX), "verify_misused"),
    "bad-token": ((200, TOKEN), (401, '{"code": "UNAUTHENTICATED"}'), (500, FIX), "verify_misused"),
    "verify-busy": ((200, TOKEN), (429, '{"code": "TOO_MANY_REQUESTS"}'), (502, AGAIN), "verify_busy"),
    "verify-broken": ((200, TOKEN), (500, ""), (502, AGAIN), "verify_busy"),
    "verify-not-there": ((200, TOKEN), (501, '{"code": "NOT_IMPLEMENTED"}'), (502, OTHER), "verify_unavailable"),
    "verify-full": ((200, TOKEN), (507, ""), (502, OTHER), "verify_unavailable"),
    "no-result": ((200, TOKEN), (200, '{"devicePhoneNumberVerified": null}'), (500, FIX), "verify_malformed"),
    "quotes": ((200, TOKEN), (200, json.dumps({"devicePhoneNumberVerified": RIGHT})), (500, FIX), "verify_malformed"),
    "a-redirect": ((307, "https://localhost:1/"), (0, ""), (500, FIX), "token_misused"),
    "verify-redirects": ((200, TOKEN), (302, "https://localhost:1/"), (500, FIX), "verify_misused"),
    "created": ((200, TOKEN), (201, '{"devicePhoneNumberVerified": true}'), (500, FIX), "verify_misused"),
    "too-large": (
        (200, TOKEN),
        (200, " " * 300_000 + '{"devicePhoneNumberVerified": true}'),
        (500, FIX),
        "verify_malformed",
    ),
    **{
        f"not-a-boolean-{index}": (
            (200, TOKEN),
            (200, f'{{"devicePhoneNumberVerified": {value}}}'),
            (500, FIX),
            "verify_malformed",
        )
        for index, value in enumerate(['"true"', '"yes"', '"1"', "1", "1.0", "0", "[true]"])
    },
    "hangs": ((200, TOKEN), (-1, "hang"), (504, AGAIN), "timeout"),
    "hangs-up": ((200, TOKEN), (-1, "hang up"), (502, AGAIN), "unreachable"),
}


class StubbedGlide(BaseHTTPRequestHandler):
    over = Event()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        if self.path == "/oauth2/token":
            code = parse_qs(body)["code"][0]
            status, text = CASES[code][0]
        else:
            code = self.headers["authorization"].removeprefix("Bearer token of ")
            status, text = CASES[code][1]
        if text == "hang":
            self.over.wait()
        if status < 0:
            self.close_connection = True
            return
        text = text.replace("%s", code)
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("location", text)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

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
def test_glide_failure_maps_to_problem(backend: Backends, world: World, stub: str, code: str) -> None:
    app = backend(
        "dev_print",
        GLIDE_AUTH_BASE_URL=stub,
        GLIDE_API_BASE_URL=stub,
        SSL_CERT_FILE=str(world.own_root),
        NUMBER_VERIFY_PROVIDER_TIMEOUT_S="1" if code == "hangs" else "60",
    )
    device = app.device()
    start(device)
    response = device.post("/complete", json={"code": code})
    _, _, (status, fallback), kind = CASES[code]
    assert_problem(response, status, fallback)
    assert RIGHT not in response.text
    failed = [line for line in app.replicas[0].log_lines() if line["event"] == "provider_failed"]
    assert failed[-1]["kind"] == kind


def test_untrusted_certificate_returns_500(backend: Backends, world: World) -> None:
    app = backend("dev_print", SSL_CERT_FILE=str(world.own_root))
    device = app.device()
    start(device)
    assert_problem(device.post("/complete", json={"code": "code"}), 500, FIX)
    assert any(line.get("kind") == "tls" for line in app.replicas[0].log_lines())


@pytest.mark.parametrize(("number", "status"), [(RIGHT, 0), (WRONG, 1)])
def test_dev_print_code_is_verified(backend: Backends, number: str, status: int) -> None:
    """The code is returned as JSON, and no redirect_uri is needed."""
    exit_status, output = backend("dev_print", GLIDE_REDIRECT_URI="").verify(number)
    assert (exit_status, output["verified"]) == (status, status == 0)
    assert output["trace"]["hops"][-1]["status"] == 200


def test_state_is_optional_with_dev_print_but_must_match(backend: Backends, world: World) -> None:
    device = backend("dev_print").device()
    request = world.code(start(device)["authUrl"])
    assert_problem(device.post("/complete", json=request | {"state": "other"}), 403, OTHER)
    assert_result(device.post("/complete", json={"code": request["code"]}), True)


@pytest.mark.parametrize(
    ("invalid", "message"),
    [
        ({"GLIDE_CLIENT_ID": ""}, "GLIDE_CLIENT_ID must be set"),
        ({"GLIDE_CLIENT_SECRET": ""}, "GLIDE_CLIENT_SECRET must be set"),
        ({"GLIDE_REDIRECT_URI": ""}, "GLIDE_REDIRECT_URI must be set"),
        ({"GLIDE_AUTH_BASE_URL": "http://glide.example"}, "GLIDE_AUTH_BASE_URL must be an https URL"),
        ({"GLIDE_API_BASE_URL": "https://glide.example/"}, "GLIDE_API_BASE_URL must be an https URL"),
        ({"NUMBER_VERIFY_DELIVERY": "follow-through"}, "GLIDE_REDIRECT_URI must be the https URL of this backend's /c"),
        ({}, ""),
    ],
)
def test_invalid_setting_ends_the_program(
    implementation: Implementation, invalid: dict[str, str], message: str
) -> None:
    settings = {
        "PYTHONDONTWRITEBYTECODE": "1",
        "NUMBER_VERIFY_KEYS": KEY,
        "GLIDE_CLIENT_ID": "id",
        "GLIDE_CLIENT_SECRET": "secret",
        "GLIDE_REDIRECT_URI": "myapp://verified",
    }
    command = [sys.executable, "-c", "import app; print(app.settings.auth_base_url)"]
    folder, env = implementation.folder, settings | invalid
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if message:
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(message) and done.stderr.count("\n") == 1
    else:
        assert urlsplit(done.stdout.strip()).hostname == "oidc.gateway-x.io", done.stderr
