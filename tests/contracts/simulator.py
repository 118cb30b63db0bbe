"""The simulator process, and helpers that act as a phone and as an API client."""

import json
import os
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx

REPOSITORY = Path(__file__).parents[2]
PROGRAMS = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")).resolve() / "debug"
TIMEOUT_S = 180  # a safeguard against hanging
RETRIEVAL_SCOPE = "number-verification:device-phone-number:read"
RIGHT, WRONG = "+14155550100", "+14155550199"  # the simulator's SIM, and another number


class Simulator:
    def __init__(self, folder: Path, *arguments: str) -> None:
        self.root = folder / "root.pem"
        self.reserved = reserve_port()
        port = str(self.reserved.getsockname()[1])
        command = [PROGRAMS / "number-verify-simulator", "--json", "--https-port", port, "--root-ca-out", self.root]
        command += arguments
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.process.stdout
        with self.process.stdout as output:
            self.ready: dict[str, Any] = json.loads(output.readline())
        glide = self.ready["glide"]
        self.url, self.client = glide["base_url"], (glide["client_id"], glide["client_secret"])
        context = ssl.create_default_context(cafile=self.root)
        self.http = httpx.Client(verify=context, trust_env=False, timeout=TIMEOUT_S)

    def stop(self) -> None:
        self.http.close()
        self.process.terminate()
        self.process.wait(TIMEOUT_S)
        self.reserved.close()

    def code(self, **parameters: str) -> str:
        """Returns a code of the auth server, by following redirects to the JSON response as a phone does."""
        query = {"client_id": self.client[0], "response_type": "code", "state": "any", "dev_print": "true"} | parameters
        url = f"{self.url}/oauth2/auth?{urlencode(query)}"
        while url:
            parts = urlsplit(url)
            response = self.http.get(
                parts._replace(netloc=f"127.0.0.1:{parts.port}").geturl(),
                headers={"Host": parts.netloc},
                extensions={"sni_hostname": parts.hostname},
            )
            url = response.headers.get("location", "")
        return response.json()["code"]

    def token(self, code: str | None = None, **parameters: str) -> str:
        """Returns an access token: for a code, or without one for the client itself."""
        grant = {"grant_type": "authorization_code", "code": code} if code else {"grant_type": "client_credentials"}
        response = self.http.post(f"{self.url}/oauth2/token", data=grant | parameters, auth=self.client)
        return response.raise_for_status().json()["access_token"]

    def token_for_verify(self) -> str:
        """An access token of the simulator's SIM, for `verify`."""
        return self.token(self.code(scope="openid number-verification:verify"))

    def token_for_retrieval(self) -> str:
        """An access token of the simulator's SIM, for `device-phone-number`."""
        return self.token(self.code(scope=f"openid {RETRIEVAL_SCOPE}"))


def reserve_port() -> socket.socket:
    """Reserves a port on all addresses, because the recorder uses the simulator's port on a different address.

    On Linux, only programs that set SO_REUSEADDR, as servers do, can listen on it while this socket is open.
    """
    has_both = socket.has_dualstack_ipv6()
    reserved = socket.socket(socket.AF_INET6 if has_both else socket.AF_INET)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if has_both:
        reserved.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    reserved.bind(("", 0))
    return reserved


def parameters_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))
