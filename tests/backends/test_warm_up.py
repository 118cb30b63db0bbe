"""The request that opens a connection before a verification: `HEAD` for the base URL. Any response will do."""

import httpx

from calls import Backends, start
from world import World


def local_port(answer: httpx.Response) -> int:
    _, port = answer.extensions["network_stream"].get_extra_info("client_addr")
    return port


def test_start_uses_the_connection_and_no_limit_counts_the_request(own_backend: Backends, world: World) -> None:
    device = own_backend(NUMBER_VERIFY_CALLS_PER_ADDRESS="6/600", NUMBER_VERIFY_STARTS_PER_ADDRESS="4/600").device()
    answers = [device.head("/") for _ in range(20)]
    for answer in answers:
        assert answer.status_code in (404, 405) and not answer.content
        assert "set-cookie" not in answer.headers
    assert world.code(start(device)["authUrl"])
    assert {local_port(answer) for answer in [*answers, device.head("/")]} == {local_port(answers[0])}
