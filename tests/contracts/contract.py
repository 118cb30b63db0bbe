"""An OpenAPI document, and whether a request or an answer is what it says. The judgement is openapi-core's."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml
from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest, MockResponse


@dataclass
class Exchange:
    """A request and its answer, as they were on the wire."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    status: int = 0
    answer_headers: list[tuple[str, str]] = field(default_factory=list)
    answer_body: bytes = b""

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


class Contract:
    def __init__(self, document: Path, base_url: str) -> None:
        """The document's own servers are examples; here is the real one."""
        self.document: dict[str, Any] = yaml.safe_load(document.read_text())
        self.base_url = base_url
        readers = {"application/problem+json": json.loads}
        self.api = OpenAPI.from_dict(
            self.document | {"servers": [{"url": base_url}]}, config=Config(extra_media_type_deserializers=readers)
        )

    def check_request(self, exchange: Exchange) -> None:
        self.api.validate_request(self._request(exchange))

    def check_answer(self, exchange: Exchange) -> None:
        headers = dict(exchange.answer_headers)
        label = headers.get("content-type", "")
        answer = MockResponse(exchange.answer_body, exchange.status, headers, label)
        self.api.validate_response(self._request(exchange), answer)

    def check(self, exchange: Exchange) -> None:
        self.check_request(exchange)
        self.check_answer(exchange)

    def schema(self, pointer: str) -> dict[str, Any]:
        found: Any = self.document
        for name in pointer.removeprefix("#/").split("/"):
            found = found[name]
        return found

    def _request(self, exchange: Exchange) -> MockRequest:
        parts = urlsplit(exchange.url)
        headers = exchange.headers
        cookies = dict(pair.split("=", 1) for pair in headers.get("cookie", "").split("; ") if pair)
        return MockRequest(
            f"{parts.scheme}://{parts.netloc}",
            exchange.method.lower(),
            parts.path,
            args=dict(parse_qsl(parts.query)),
            headers=headers,
            cookies=cookies,
            data=exchange.body or None,
            content_type=headers.get("content-type", ""),
        )
