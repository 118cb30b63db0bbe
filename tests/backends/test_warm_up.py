"""The request that opens a connection before a verification: `HEAD` of the base URL. Any response is sufficient."""

import httpx

from calls import Backends, start
from world import World


def local_port(response: httpx.Response) -> int:
    _, port = response.extensions["network_stream"].get_extra_info("client_addr")
    return port


def test_head_opens_the_connection_of_start_and_is_not_limited(new_backend: Backends, world: World) -> None:
    device = new_backend(NUMBER_VERIFY_CALLS_PER_ADDRESS="6/600", NUMBER_VERIFY_STARTS_PER_ADDRESS="4/600").device()
    responses = [device.head("/") for _ in range(20)]
    for response in responses:
        assert response.status_code in (404, 405) and not response.content
        assert "set-cookie" not in response.headers
    assert world.code(start(device)["authUrl"])
    assert {local_port(response) for response in [*responses, device.head("/")]} == {local_port(responses[0])}
