"""The reference backends. To test another one, add an entry here."""

import os
import sys
from pathlib import Path
from typing import Any, Protocol

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "debug"


class Implementation(Protocol):
    name: str
    folder: Path
    codes_are_bound: bool  # to their session, by PKCE: the provider rejects them in another one
    retrieves: bool  # numbers, if retrieval is enabled

    def command(self, port: int) -> list[str]:
        """The command that serves plain http on this port of 127.0.0.1."""

    def environment(self, port: int, ready: dict[str, Any], redirect_uri: str) -> dict[str, str]:
        """Its specific settings; `ready` is the simulator's startup line."""

    def verify_at(self, base_url: str) -> dict[str, str]:
        """The setting for a verify API at another URL."""

    def provider_at(self, base_url: str) -> dict[str, str]:
        """The settings for another provider, which returns no ID token."""

    def wrong_secret(self) -> dict[str, str]:
        """The setting for a client secret that the provider rejects."""

    def behind(self, proxy: str) -> dict[str, str]:
        """The setting that trusts the X-Forwarded-For of this address."""


class Python:
    name = "python"
    folder = ROOT / "examples/backend-python"
    codes_are_bound = False
    retrieves = False

    def command(self, port: int) -> list[str]:
        return [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port)]

    def environment(self, port: int, ready: dict[str, Any], redirect_uri: str) -> dict[str, str]:
        glide = ready["glide"]
        return {
            "PYTHONDONTWRITEBYTECODE": "1",
            "GLIDE_CLIENT_ID": glide["client_id"],
            "GLIDE_CLIENT_SECRET": glide["client_secret"],
            "GLIDE_AUTH_BASE_URL": glide["base_url"],
            "GLIDE_API_BASE_URL": glide["base_url"],
            "GLIDE_REDIRECT_URI": redirect_uri,
        }

    def verify_at(self, base_url: str) -> dict[str, str]:
        return {"GLIDE_API_BASE_URL": base_url}

    def provider_at(self, base_url: str) -> dict[str, str]:
        return {"GLIDE_AUTH_BASE_URL": base_url, "GLIDE_API_BASE_URL": base_url}

    def wrong_secret(self) -> dict[str, str]:
        return {"GLIDE_CLIENT_SECRET": "secret-of-another-app"}

    def behind(self, proxy: str) -> dict[str, str]:
        return {"FORWARDED_ALLOW_IPS": proxy}


class PatchedPython(Python):
    """Runs these statements before it starts, to test hooks that an implementer writes."""

    def __init__(self, statements: str) -> None:
        self.statements = statements

    def command(self, port: int) -> list[str]:
        program = f"{self.statements}\nimport uvicorn\nuvicorn.run('app:app', port={port})\n"
        return [sys.executable, "-c", program]


class Rust:
    name = "rust"
    folder = ROOT / "examples/backend-rust"
    codes_are_bound = True
    retrieves = True

    def command(self, port: int) -> list[str]:
        return [str(PROGRAMS / "number-verify-backend")]

    def environment(self, port: int, ready: dict[str, Any], redirect_uri: str) -> dict[str, str]:
        camara = ready["camara"]
        return {
            "LISTEN": f"127.0.0.1:{port}",
            "OIDC_ISSUER": camara["issuer"],
            "OIDC_CLIENT_ID": camara["client_id"],
            "OIDC_CLIENT_SECRET": camara["client_secret"],
            "OIDC_REDIRECT_URI": redirect_uri,
            "CAMARA_VERIFY_URL": camara["verify_url"],
        }

    def verify_at(self, base_url: str) -> dict[str, str]:
        return {"CAMARA_VERIFY_URL": f"{base_url}/number-verification/v2/verify"}

    def provider_at(self, base_url: str) -> dict[str, str]:
        scope = "dpv:FraudPreventionAndDetection number-verification:verify"
        return {"OIDC_ISSUER": base_url, "OIDC_SCOPE": scope} | self.verify_at(base_url)

    def wrong_secret(self) -> dict[str, str]:
        return {"OIDC_CLIENT_SECRET": "secret-of-another-app"}

    def behind(self, proxy: str) -> dict[str, str]:
        return {"FORWARDED_ALLOW_IPS": proxy}


IMPLEMENTATIONS: list[Implementation] = [Python(), Rust()]
