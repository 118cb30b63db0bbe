"""Hints: the file of NUMBER_VERIFY_HINTS is returned by start if it is valid; otherwise the program ends."""

import json
from pathlib import Path
from typing import Any

import pytest

from calls import Backends, new_key, start
from implementations import Implementation
from running import startup_error
from test_openapi import document
from world import RIGHT, World

NAME = "NUMBER_VERIFY_HINTS"
HOST, LABEL = "api.operator.example", "l" * 63
HINTS = {
    "all-members": [
        {
            "host": "*.operator.example",
            "headers": {
                "Accept": "text/html, */*;q=0.8",
                "accept-language": "de",
                "USER-AGENT": "x",
                "X-Msisdn-Hint": "1",
            },
            "addressFamily": "ipv4",
            "maxTls": "1.2",
        },
        {"host": HOST, "headers": {}, "addressFamily": "ipv6", "maxTls": "1.3"},
        {"host": HOST},
    ],
    "hosts": [
        {"host": host}
        for host in [
            "operator",
            "Auth.Operator.Example",
            "*.example",
            "xn--bcher-kva.example",
            "a_b.c-d.example",
            "1.2.3.4.example",
            "3g.example",
            "0.example0",
            "192.0.2.1",
            "[2001:db8::1]",
            "[::ffff:192.0.2.1]",
            f"{LABEL}.example",
            ".".join([LABEL, LABEL, LABEL, "l" * 61]),
            f"*.{'.'.join([LABEL, LABEL, LABEL, 'l' * 61])}",
        ]
    ],
    "sixteen-of-each": [
        {"host": f"{host}.example", "headers": {f"X-{header}": "v" for header in range(16)}} for host in range(16)
    ],
    "headers": [
        {"host": HOST, "headers": {name: "v"}}
        for name in ("ACCEPT", "User-Agent", "X-A", "x-!#$%&'*+-.^_`|~", "X-Number-Verif")
    ]
    + [{"host": HOST, "headers": {"Accept": value}} for value in ("!", "a  b", "~" * 1024, '"\\')],
    "none": [],
}


@pytest.mark.parametrize("name", HINTS)
def test_hints_are_in_the_response_of_start(new_backend: Backends, tmp_path: Path, name: str) -> None:
    file = tmp_path / "hints.json"
    file.write_text(json.dumps(HINTS[name]))
    device = new_backend(NUMBER_VERIFY_HINTS=str(file)).device()
    file.write_text("it is read once")
    for key in (new_key(), new_key()):
        response = device.post("/start", json={"phoneNumber": RIGHT}, headers=key)
        assert response.json()["hints"] == HINTS[name]
        document["/start"]["POST"].validate_response(response)


@pytest.mark.parametrize("settings", [{}, {NAME: ""}])
def test_no_hints_without_the_setting(backend: Backends, settings: dict[str, str]) -> None:
    assert "hints" not in start(backend(**settings).device())


def test_phone_accepts_hints(new_backend: Backends, tmp_path: Path) -> None:
    file = tmp_path / "hints.json"
    file.write_text(json.dumps([{"host": "*.operator.example", "maxTls": "1.2"}]))
    exit_status, output = new_backend(NUMBER_VERIFY_HINTS=str(file)).verify(RIGHT)
    assert (exit_status, output.get("verified")) == (0, True), output


ADDRESS = "host must be a host name, *. and a host name, or an IP address, without scheme, port and path"
HEADERS = "headers must be an object of at most 16 members"
HEADER = "the headers must be Accept, Accept-Language, User-Agent or X-*, except X-Correlator and X-Number-Verify-*"
VALUE = "the value of a header must be 1 to 1024 printable ASCII characters without a blank at either end"
MEMBERS = "the members must be host, headers, addressFamily and maxTls"
FAMILY, TLS = "addressFamily must be ipv4 or ipv6", "maxTls must be 1.2 or 1.3"
HOSTS = [
    *(None, 5, "", "*", "*.", "*.*.example", "a.*.example", "*a.example", ".example", "example.", "a..example"),
    *("a b.example", " a.example", "a.example\n", "bücher.example", "a%2eb.example", "-a.example", "a-.example"),
    *("https://a.example", "a.example:443", "a.example/", "a.example?a", "user@a.example"),
    *(f"{LABEL}l.example", f"{LABEL}.{LABEL}.{LABEL}.{'l' * 62}"),
    *("256.0.0.1", "192.0.2", "192.0.2.01", "1", "a.0x7f", "*.192.0.2.1", "192.0.2.1:80"),
    *("2001:db8::1", "[2001:db8::1", "[2001:db8::1]:443", "[fe80::1%25eth0]", "[fe80::1%eth0]", "[192.0.2.1]", "[]"),
]
NAMES = [
    *("", "Cookie", "Host", "Authorization", "Accept-Encoding", "Content-Length", "X", "AX-A"),
    *(" X-A", "X-A ", "X-A:", "X-A\n", "X-(A)", "X-Ä", "X-\u212a"),
    *("X-Correlator", "x-correlator", "X-Number-Verify-", "x-number-verify-session"),
]
VALUES = [None, 5, ["a"], "", " ", " a", "a ", "a\tb", "a\r\nB: c", "a\n", "é", "\x7f", "a" * 1025]
# an invalid entry, and the beginning of its error message
INVALID_HINTS: list[tuple[Any, str]] = [
    *((hint, "there must be an object") for hint in (None, 5, HOST, [], [{"host": HOST}])),
    *(({"host": HOST, name: "1.2"}, MEMBERS) for name in ("maxTLS", "minTls", "comment", "Host", "")),
    ({}, ADDRESS),
    ({"maxTls": "1.2"}, ADDRESS),
    *(({"host": host}, ADDRESS) for host in HOSTS),
    *(
        ({"host": HOST, "headers": headers}, HEADERS)
        for headers in (None, [], "Accept: a", {f"X-{i}": "v" for i in range(17)})
    ),
    ({"host": HOST, "headers": {"Accept": "a", "accept": "a"}}, "headers must have each name once"),
    *(({"host": HOST, "headers": {"Accept": "a", name: "v"}}, HEADER) for name in NAMES),
    *(({"host": HOST, "headers": {"X-A": value}}, VALUE) for value in VALUES),
    *(({"host": HOST, "addressFamily": family}, FAMILY) for family in (None, "", "IPv4", "any", 4, ["ipv4"])),
    *(({"host": HOST, "maxTls": version}, TLS) for version in (None, "", 1.2, "1.1", "TLSv1.2", "1.20", ["1.2"])),
]


@pytest.mark.parametrize(("hint", "requirement"), INVALID_HINTS)
def test_invalid_entry_ends_the_program(
    implementation: Implementation, world: World, tmp_path: Path, hint: object, requirement: str
) -> None:
    file = tmp_path / "hints.json"
    file.write_text(json.dumps([{"host": HOST}, {"host": HOST}, hint, {}]))
    message = startup_error(implementation, world, NAME, str(file))
    assert f"{NAME} must be the path of a file of valid hints: in entry 3, {requirement}" in message


@pytest.mark.parametrize(
    ("content", "requirement"),
    [
        (None, "the path of a readable file"),
        (b"[" + b" " * 128 * 1024 + b"]", "the path of a file of at most 128 KiB"),
        *(
            (content, "the path of a JSON file in which no member is repeated")
            for content in (
                *(b"", b"[", b"[{}],", b"hints", b"[{'host': 'a'}]", b'[{"host": "\xff"}]', b"\xef\xbb\xbf[]"),
                b"[" * 5000,
                *(b'[{"host": "a", "host": "a"}]', b'[{"host": "a", "headers": {"Accept": "a", "Accept": "b"}}]'),
            )
        ),
        *(
            (content, "the path of a JSON file with an array of at most 16 hints")
            for content in (
                b"{}",
                b'{"hints": []}',
                b'{"host": "a"}',
                b"null",
                b'"a"',
                json.dumps([{"host": "a"}] * 17).encode(),
            )
        ),
    ],
)
def test_invalid_file_ends_the_program(
    implementation: Implementation, world: World, tmp_path: Path, content: bytes | None, requirement: str
) -> None:
    file = tmp_path / "hints.json"
    if content is not None:
        file.write_bytes(content)
    message = startup_error(implementation, world, NAME, str(file))
    assert f"{NAME} must be {requirement}" in message and str(file) not in message
