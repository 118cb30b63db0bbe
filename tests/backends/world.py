"""The simulator, with a SIM for each phone, and a client that follows an auth URL as a phone does."""

import json
import ssl
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import trustme

from implementations import PROGRAMS

TIMEOUT_S = 180  # a safeguard against hanging
RIGHT, WRONG = "+14155550100", "+14155550199"  # the SIM of loopback, except for the phones below, and another number
PHONE_COUNT = 1000
# The SIMs of these addresses have the numbers for which the simulator's provider responds with an error.
ERRORS = {400: 1, 401: 2, 403: 3, 404: 1, 422: 1, 429: 2, 500: 1, 502: 1, 503: 1, 504: 1}
FAILING = {
    f"127.2.{status % 250}.{nth}": f"+999{status}{nth:03}"
    for status, count in ERRORS.items()
    for nth in range(1, count + 1)
}


class Phone:
    """A phone: its address, and the number of its SIM."""

    def __init__(self, index: int) -> None:
        self.address = f"127.1.{index // 250}.{index % 250 + 1}"
        self.number = f"+1415556{index % PHONE_COUNT:04}"


class World:
    """The simulator's program, and the certificates that the tests trust."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "simulator.pem"
        command = [str(PROGRAMS / "number-verify-simulator"), "--json", f"--root-ca-out={self.root}"]
        phones = map(Phone, range(PHONE_COUNT))
        command += [f"--sim={phone.address}/32={phone.number}" for phone in phones]
        command += [f"--sim={address}/32={number}" for address, number in FAILING.items()]
        command += [f"--sim=127.0.0.0/8={RIGHT}"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.process.stdout
        self.ready: dict[str, Any] = json.loads(self.process.stdout.readline())
        authority = trustme.CA()
        self.own_root, self.certificate = folder / "own.pem", folder / "certificate.pem"
        authority.cert_pem.write_to_path(str(self.own_root))
        authority.issue_cert("backend.test", "localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
            str(self.certificate)
        )
        self.trust = ssl.create_default_context()
        for root in (self.root, self.own_root):
            self.trust.load_verify_locations(root)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(TIMEOUT_S)

    def open(self, auth_url: str, address: str | None = None) -> httpx.Response:
        """Follows the redirects of an auth URL, up to the redirect_uri or the code."""
        transport = httpx.HTTPTransport(verify=self.trust, local_address=address)
        with httpx.Client(transport=transport, timeout=TIMEOUT_S) as client:
            url = auth_url
            while True:
                response = client.get(**_hop(url))
                url = response.headers.get("location", "")
                if not url or url.startswith(_end(auth_url)):
                    return response

    def code(self, auth_url: str, address: str | None = None) -> dict[str, str]:
        """Returns the code and the state, for the SIM with this address."""
        return code_parameters(self.open(auth_url, address))

    async def code_for(self, client: httpx.AsyncClient, auth_url: str) -> dict[str, str]:
        """The same, from the address of this client."""
        url = auth_url
        while True:
            response = await client.get(**_hop(url))
            url = response.headers.get("location", "")
            if not url or url.startswith(_end(auth_url)):
                return code_parameters(response)


def _end(auth_url: str) -> str:
    return dict(parse_qsl(urlsplit(auth_url).query)).get("redirect_uri", "nowhere")


def _hop(url: str) -> dict[str, Any]:
    """All hosts of the simulator are on this machine."""
    parts = urlsplit(url)
    local = parts._replace(netloc=f"127.0.0.1:{parts.port}").geturl()
    return {"url": local, "headers": {"Host": parts.netloc}, "extensions": {"sni_hostname": parts.hostname}}


def code_parameters(response: httpx.Response) -> dict[str, str]:
    location = response.headers.get("location")
    return dict(parse_qsl(urlsplit(location).query)) if location else response.json()
