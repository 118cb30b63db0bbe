"""Whose calls are counted together: those of an IPv4 address, of an IPv6 /64, and, with a larger limit, of its /48.

uvicorn replaces the address of a trusted proxy by the one that the proxy reports in X-Forwarded-For.
"""

import ipaddress

from starlette.requests import Request

from contract import FIX_INTEGRATION, Problem

LARGER = 10  # how many times the limit of a /64 is allowed for its /48: an attacker often has a whole one


def networks(request: Request) -> list[tuple[str, int]]:
    """Each with how many times the limit it is allowed."""
    host = request.client.host if request.client else ""
    if not host:
        return [("unknown", 1)]  # a Unix socket without a proxy: all its clients together
    try:
        if "%" in host or _ends_in_nothing(request):  # a zone would make many of one address
            raise ValueError
        ip = ipaddress.ip_address(host)
    except ValueError:
        raise Problem(400, "X-Forwarded-For is malformed", FIX_INTEGRATION) from None
    if ip.version == 4:
        return [(str(ip), 1)]
    if ip.ipv4_mapped:
        return [(str(ip.ipv4_mapped), 1)]
    return [(str(ipaddress.ip_network((ip, bits), strict=False)), larger) for bits, larger in ((64, 1), (48, LARGER))]


def _ends_in_nothing(request: Request) -> bool:
    """Then uvicorn would count the proxy."""
    entries = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    return any(entry.strip() for entry in entries) and not entries[-1].strip()
