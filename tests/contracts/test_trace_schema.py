"""Traces of successes and failures, compared with docs/trace.schema.json."""

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from simulator import PROGRAMS, REPOSITORY, RIGHT, TIMEOUT_S, WRONG

SCHEMA: dict[str, Any] = json.loads((REPOSITORY / "docs/trace.schema.json").read_text())
RECORDED = sorted((REPOSITORY / "tests/traces").glob("*.json"))


def closed(schema: object) -> object:
    """The same schema without undocumented members: readers ignore them, and the library writes none."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    changed: dict[str, object] = {name: closed(part) for name, part in schema.items()}
    if changed.get("type") == "object" and "properties" in changed:
        changed.setdefault("additionalProperties", False)
    return changed


STRICT = Draft202012Validator(closed(SCHEMA))


def errors(trace: object) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in STRICT.iter_errors(trace)]


def verify(*arguments: str) -> dict[str, Any]:
    """The output of the command line against its built-in simulator."""
    command = [PROGRAMS / "examples/verify", "--json", *arguments]
    output = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    return json.loads(output.stdout)


def test_schema_is_valid() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_traces_conform(path: Path) -> None:
    assert errors(json.loads(path.read_text())) == []


def test_there_is_a_recorded_trace_of_every_kind_with_requests() -> None:
    recorded = [json.loads(path.read_text())["error"] for path in RECORDED]
    kinds = {error["kind"] for error in recorded if error}
    documented = set(SCHEMA["$defs"]["error"]["properties"]["kind"]["examples"])
    # Those that send nothing, or are defects.
    assert documented - kinds == {"invalid_phone_number", "invalid_config", "internal"}


@pytest.mark.parametrize(
    ("arguments", "outcome"),
    [
        (["--phone", RIGHT], "verified"),
        (["--phone", WRONG], "not_verified"),
        (["--retrieve"], "retrieved"),
        (["--no-cleartext"], "failed"),
        (["--phone", "12"], "failed"),
        (["--interface", "no-such-if0"], "failed"),
        (["--deadline", "0.001"], "failed"),
    ],
)
def test_traces_of_the_command_line_conform(arguments: list[str], outcome: str) -> None:
    output = verify(*arguments)
    trace = output["trace"]
    assert errors(trace) == []
    assert trace["outcome"] == outcome
    assert trace["error"] == output.get("error")


def test_violations_are_found() -> None:
    trace = verify("--phone", RIGHT)["trace"]
    for name, value in {
        "version": 2,
        "outcome": "failed",
        "hops": {},
        "total_ms": -1,
        "network": "wifi",
        "new": 1,
    }.items():
        assert errors(trace | {name: value}), name
    for name in trace:
        assert errors({key: value for key, value in trace.items() if key != name}), name
    for name, value in {"status": "302", "trace_ids": {"x-request-id": "a b"}, "new": 1}.items():
        changed = copy.deepcopy(trace)
        changed["hops"][0][name] = value
        assert errors(changed), name


def test_readers_accept_unknown_members() -> None:
    trace = verify("--phone", RIGHT)["trace"] | {"new": 1}
    assert list(Draft202012Validator(SCHEMA).iter_errors(trace)) == []
