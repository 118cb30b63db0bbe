"""Rate limit keys of a client: its IPv4 address, or its IPv6 /64 and, with a larger limit, the /48 around it.

uvicorn replaces the address of a trusted proxy with the one that the proxy reports in X-Forwarded-For.
"""

import ipaddress

from starlette.requests import Request

from contract import FIX_INTEGRATION, Problem

SLASH_48_FACTOR = 10  # a /48 has ten times the limit of a /64, because an attacker often controls a whole /48


def networks(request: Request) -> list[tuple[str, int]]:
    """The networks, each with the factor by which the limit is multiplied."""
    host = request.client.host if request.client else ""
    if not host:
        return [("unknown", 1)]  # a Unix socket without a proxy: all clients share one limit
    try:
        if "%" in host or _ends_with_empty_entry(request):  # zones would give one address many limits
            raise ValueError
        ip = ipaddress.ip_address(host)
    except ValueError:
        raise Problem(400, "X-Forwarded-For is malformed", FIX_INTEGRATION) from None
    if ip.version == 4:
        return [(str(ip), 1)]
    if ip.ipv4_mapped:
        return [(str(ip.ipv4_mapped), 1)]
    factors = ((64, 1), (48, SLASH_48_FACTOR))
    return [(str(ipaddress.ip_network((ip, bits), strict=False)), factor) for bits, factor in factors]


def _ends_with_empty_entry(request: Request) -> bool:
    """If so, uvicorn would use the address of the proxy."""
    entries = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    return any(entry.strip() for entry in entries) and not entries[-1].strip()
