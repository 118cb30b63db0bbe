"""The log: one JSON object per line, on stderr. Never a query, body, header, number, code, state, session or token.

The only part of a body that is logged is the reason of an abort, which has no digits.

Records of libraries are reduced to their location and the type of the error: their text may quote a request.
"""

import asyncio
import json
import logging
from datetime import datetime, timezone

_log = logging.getLogger("number_verify")


def info(event: str, **members: str | int | None) -> None:
    _log.info(event, extra={"members": members})


def warning(event: str, **members: str | int | None) -> None:
    _log.warning(event, extra={"members": members})


def kind_of(error: Exception) -> str:
    """Not the text of the error, which may quote a request."""
    return "timeout" if isinstance(error, asyncio.TimeoutError) else type(error).__name__


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        line = {"time": time.replace("+00:00", "Z"), "level": record.levelname.lower()}
        if record.name == _log.name:
            return json.dumps(line | {"event": record.msg} | record.__dict__["members"])
        error = record.exc_info[1] if record.exc_info else record.msg
        kind = type(error).__name__ if isinstance(error, BaseException) else None
        return json.dumps(line | {"event": "library", "where": f"{record.module}:{record.lineno}", "kind": kind})


def set_up() -> None:
    """Also configures uvicorn: its access log is disabled, because it contains queries."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.WARNING)
        logger.propagate = True
    logging.getLogger("uvicorn.access").disabled = True
    _log.setLevel(logging.INFO)
