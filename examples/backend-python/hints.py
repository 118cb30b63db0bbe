"""Hints for the phone's requests to an operator's hosts, read from a JSON file and validated at startup.

A `ValueError` contains the requirement, and nothing from the file.
"""

import ipaddress
import re
from pathlib import Path
from typing import Any

from contract import strict_json

SIZE_LIMIT = 128 * 1024  # the phone reads at most 256 KiB of a response
HINTS_LIMIT, HEADERS_LIMIT = 16, 16
MEMBERS = {"host", "headers", "addressFamily", "maxTls"}
LABEL = re.compile(r"[0-9A-Za-z_]([0-9A-Za-z_-]{0,61}[0-9A-Za-z_])?")
NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")  # a host whose last label matches is an IPv4 address (URL Standard)
HEADER_NAMES = ("accept", "accept-language", "user-agent")
TOKEN = re.compile(r"[0-9A-Za-z!#$%&'*+.^_`|~-]+")  # RFC 9110, section 5.6.2
PRINTABLE = "1 to 1024 printable ASCII characters without a blank at either end"
HEADER_VALUE = re.compile(r"(?! )[ -~]{1,1024}(?<! )")


def read(path: str) -> list[dict[str, Any]]:
    try:
        content = Path(path).read_bytes()
    except OSError:
        raise ValueError("the path of a readable file") from None
    if len(content) > SIZE_LIMIT:
        raise ValueError("the path of a file of at most 128 KiB")
    try:
        hints = strict_json(content)
    except ValueError:
        raise ValueError("the path of a JSON file in which no member is repeated") from None
    if not isinstance(hints, list) or len(hints) > HINTS_LIMIT:
        raise ValueError("the path of a JSON file with an array of at most 16 hints")
    for position, hint in enumerate(hints, 1):
        try:
            _check(hint)
        except ValueError as error:
            raise ValueError(f"the path of a file of valid hints: in entry {position}, {error}") from None
    return hints


def _check(hint: object) -> None:
    if not isinstance(hint, dict):
        raise ValueError("there must be an object")
    if not hint.keys() <= MEMBERS:
        raise ValueError("the members must be host, headers, addressFamily and maxTls")
    if not _is_host(hint.get("host")):
        raise ValueError(
            "host must be a host name, *. and a host name, or an IP address, without scheme, port and path"
        )
    _check_headers(hint.get("headers", {}))
    if hint.get("addressFamily", "ipv4") not in ("ipv4", "ipv6"):
        raise ValueError("addressFamily must be ipv4 or ipv6")
    if hint.get("maxTls", "1.2") not in ("1.2", "1.3"):
        raise ValueError("maxTls must be 1.2 or 1.3")


def _check_headers(headers: object) -> None:
    if not isinstance(headers, dict) or len(headers) > HEADERS_LIMIT:
        raise ValueError("headers must be an object of at most 16 members")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("headers must have each name once")
    if not all(map(_is_allowed, headers)):
        allowed = "Accept, Accept-Language, User-Agent or X-*, except X-Correlator and X-Number-Verify-*"
        raise ValueError(f"the headers must be {allowed}")
    if not all(isinstance(value, str) and HEADER_VALUE.fullmatch(value) for value in headers.values()):
        raise ValueError(f"the value of a header must be {PRINTABLE}")


def _is_host(host: object) -> bool:
    if not isinstance(host, str):
        return False
    if host.startswith("["):
        return host.endswith("]") and "%" not in host and _is_address(host[1:-1], ipaddress.IPv6Address)
    labels = host.removeprefix("*.").split(".")
    if NUMBER.fullmatch(labels[-1]):
        return _is_address(host, ipaddress.IPv4Address)
    return len(".".join(labels)) <= 253 and all(map(LABEL.fullmatch, labels))


def _is_address(text: str, kind: type[ipaddress.IPv4Address | ipaddress.IPv6Address]) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True


def _is_allowed(header: str) -> bool:
    name = header.lower()
    is_reserved = name == "x-correlator" or name.startswith("x-number-verify-")
    return bool(TOKEN.fullmatch(header)) and (name in HEADER_NAMES or (name.startswith("x-") and not is_reserved))
