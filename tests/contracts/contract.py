"""Validation of requests and responses against an OpenAPI document, with openapi-core."""

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
    """A request and its response, as sent on the wire."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    status: int = 0
    response_headers: list[tuple[str, str]] = field(default_factory=list)
    response_body: bytes = b""

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


class Contract:
    def __init__(self, document: Path, base_url: str) -> None:
        """`base_url` replaces the example servers of the document."""
        self.document: dict[str, Any] = yaml.safe_load(document.read_text())
        self.base_url = base_url
        readers = {"application/problem+json": json.loads}
        self.api = OpenAPI.from_dict(
            self.document | {"servers": [{"url": base_url}]}, config=Config(extra_media_type_deserializers=readers)
        )

    def check_request(self, exchange: Exchange) -> None:
        self.api.validate_request(self._request(exchange))

    def check_response(self, exchange: Exchange) -> None:
        headers = dict(exchange.response_headers)
        label = headers.get("content-type", "")
        response = MockResponse(exchange.response_body, exchange.status, headers, label)
        self.api.validate_response(self._request(exchange), response)

    def check(self, exchange: Exchange) -> None:
        self.check_request(exchange)
        self.check_response(exchange)

    def schema(self, pointer: str) -> dict[str, Any]:
        schema: Any = self.document
        for name in pointer.removeprefix("#/").split("/"):
            schema = schema[name]
        return schema

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
