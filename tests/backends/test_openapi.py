"""Responses conform to docs/backend-api.yaml: Schemathesis generates valid and invalid requests from it."""

from urllib.parse import urlsplit

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from calls import RETRIEVAL, RETRIEVAL_BODY, Backends, new_key
from implementations import ROOT, Implementation
from world import RIGHT, World

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
document = schemathesis.openapi.from_path(ROOT / "docs/backend-api.yaml")
document.config.generation.update(modes=list(GenerationMode))
# The response to a retrieval if it is not supported.
server_errors = document.config.checks.not_a_server_error
server_errors.expected_statuses = [*server_errors.expected_statuses, "501"]


@document.parametrize()
@settings(
    max_examples=100,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_responses_conform_to_the_document(case: schemathesis.Case, backend: Backends) -> None:
    case.call_and_validate(base_url=backend("follow-through", **RETRIEVAL).replicas[0].url, checks=CHECKS)


def test_verification_conforms_to_the_document(backend: Backends, world: World) -> None:
    device = backend("follow-through").device()
    started = device.post("/start", json={"phoneNumber": RIGHT}, headers=new_key())
    request = world.code(started.json()["authUrl"])
    done = device.post("/complete", json=request, headers=new_key())
    again = device.post("/complete", json=request, headers=new_key())
    assert [response.status_code for response in (started, done, again)] == [200, 200, 409]
    document["/start"]["POST"].validate_response(started)
    for response in (done, again):
        document["/complete"]["POST"].validate_response(response)


def test_retrieval_conforms_to_the_document(backend: Backends, implementation: Implementation, world: World) -> None:
    """Also if retrieval is not supported."""
    device = backend("follow-through", **RETRIEVAL).device()
    started = device.post("/start", json=RETRIEVAL_BODY, headers=new_key())
    assert started.status_code == (200 if implementation.retrieves else 501)
    document["/start"]["POST"].validate_response(started)
    if implementation.retrieves:
        done = device.post("/complete", json=world.code(started.json()["authUrl"]), headers=new_key())
        assert done.json() == {"phoneNumber": RIGHT}
        document["/complete"]["POST"].validate_response(done)
        location = world.open(device.post("/start", json=RETRIEVAL_BODY).json()["authUrl"]).headers["location"]
        followed = device.get(f"/callback?{urlsplit(location).query}")
        assert followed.json() == {"phoneNumber": RIGHT}
        document["/callback"]["GET"].validate_response(followed)
