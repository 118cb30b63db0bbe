"""The simulator's program, and what a phone and an API client do with it."""

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
HANGS_S = 180  # only against hanging
RETRIEVAL_SCOPE = "number-verification:device-phone-number:read"
RIGHT, WRONG = "+14155550100", "+14155550199"  # the simulator's SIM, and somebody else's


class Simulator:
    def __init__(self, folder: Path, *arguments: str) -> None:
        self.root = folder / "root.pem"
        self.reserved = reserve_port()
        port = str(self.reserved.getsockname()[1])
        command = [PROGRAMS / "number-verify-simulator", "--https-port", port, "--root-ca-out", self.root, *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.process.stdout
        with self.process.stdout as output:
            self.ready: dict[str, Any] = json.loads(output.readline())
        glide = self.ready["glide"]
        self.url, self.client = glide["base_url"], (glide["client_id"], glide["client_secret"])
        self.http = httpx.Client(verify=ssl.create_default_context(cafile=self.root), trust_env=False, timeout=HANGS_S)

    def stop(self) -> None:
        self.http.close()
        self.process.terminate()
        self.process.wait(HANGS_S)
        self.reserved.close()

    def code(self, **parameters: str) -> str:
        """A code of the auth server, as a phone gets it: by following redirects to the JSON answer."""
        query = {"client_id": self.client[0], "response_type": "code", "state": "any", "dev_print": "true"} | parameters
        url = f"{self.url}/oauth2/auth?{urlencode(query)}"
        while url:
            parts = urlsplit(url)
            answer = self.http.get(
                parts._replace(netloc=f"127.0.0.1:{parts.port}").geturl(),
                headers={"Host": parts.netloc},
                extensions={"sni_hostname": parts.hostname},
            )
            url = answer.headers.get("location", "")
        return answer.json()["code"]

    def token(self, code: str | None = None, **parameters: str) -> str:
        """An access token: for a code, or, without, for the client itself."""
        grant = {"grant_type": "authorization_code", "code": code} if code else {"grant_type": "client_credentials"}
        answer = self.http.post(f"{self.url}/oauth2/token", data=grant | parameters, auth=self.client)
        return answer.raise_for_status().json()["access_token"]

    def verifying_token(self) -> str:
        """One of the simulator's SIM, for `verify`."""
        return self.token(self.code(scope="openid number-verification:verify"))

    def retrieving_token(self) -> str:
        """One of the simulator's SIM, for `device-phone-number`."""
        return self.token(self.code(scope=f"openid {RETRIEVAL_SCOPE}"))


def reserve_port() -> socket.socket:
    """A port of all addresses, since the recorder needs the simulator's on an address of its own.

    On Linux a program that sets SO_REUSEADDR, as servers do, can listen there while this socket is open; others cannot.
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
