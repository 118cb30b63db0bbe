"""Three replicas with one Redis, behind a load balancer: any replica can continue what another one started."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest

from calls import AGAIN, OTHER, Backends, assert_problem, assert_result, new_key, start
from redis_server import RedisServer
from running import Backend
from waiting import until
from world import PHONE_COUNT, RIGHT, TIMEOUT_S, WRONG, Phone, World


@pytest.fixture
def three(new_backend: Backends, redis: RedisServer) -> Backend:
    return new_backend(replicas=3, REDIS_URL=redis.url(), NUMBER_VERIFY_LIFETIME_S="3600")


def test_any_replica_completes_a_session_of_any_other(three: Backend, world: World) -> None:
    for began in range(3):
        for ended in range(3):
            for number in (RIGHT, WRONG):
                started = start(three.device(began), number)
                request = world.code(started["authUrl"]) | {"session": started["session"]}
                assert_result(three.device(ended).post("/complete", json=request), number == RIGHT)
                assert_problem(three.device(began).post("/complete", json=request), 409, OTHER)


def test_command_line_works_through_the_balancer(three: Backend) -> None:
    """With TLS, cookies and pooled connections, as on a phone."""
    assert three.verify(RIGHT)[0] == 0
    assert three.verify(WRONG)[0] == 1


@dataclass
class Flow:
    """A phone's verification, of its own number or that of the next phone."""

    phone: Phone
    claims: str
    correlator: str = field(default_factory=lambda: str(uuid4()))
    interruptions: int = 0
    started: dict[str, str] = field(default_factory=dict)
    response: httpx.Response | None = None

    @property
    def is_match(self) -> bool:
        return self.claims == self.phone.number

    async def run(self, backend: Backend, world: World) -> None:
        await self.begin(backend, world)
        await self.end(backend, world)

    async def begin(self, backend: Backend, world: World) -> None:
        async with self.client(world) as client:
            started = await self.call(client, f"{backend.http_url}/start", {"phoneNumber": self.claims})
            if started.status_code == 200:
                self.started = started.json()
            else:
                self.response = started

    async def end(self, backend: Backend, world: World) -> None:
        if self.response is None:
            async with self.client(world) as client:
                code = await world.code_for(client, self.started["authUrl"])
                request = code | {"session": self.started["session"]}
                self.response = await self.call(client, f"{backend.http_url}/complete", request)

    def client(self, world: World) -> httpx.AsyncClient:
        transport = httpx.AsyncHTTPTransport(verify=world.trust, local_address=self.phone.address)
        return httpx.AsyncClient(transport=transport, timeout=TIMEOUT_S)

    async def call(self, client: httpx.AsyncClient, url: str, body: dict[str, str]) -> httpx.Response:
        """Retries an interrupted call unchanged. The next connection goes to the next replica."""
        headers = {"Connection": "close", "x-correlator": self.correlator} | new_key()
        for _ in range(5):
            try:
                return await client.post(url, json=body, headers=headers)
            except httpx.TransportError:
                self.interruptions += 1
        pytest.fail("interrupted repeatedly")


def make_flows(size: int) -> list[Flow]:
    """Every fifth verifies the number of the next phone."""
    return [Flow(Phone(index), Phone(index + (index % 5 == 0)).number) for index in range(size)]


def replica_by_flow(backend: Backend, call: str) -> dict[str, int]:
    """The replica that logged the call of each flow."""
    return {
        line["flow"]: index
        for index, replica in enumerate(backend.replicas)
        for line in replica.log_lines()
        if line.get("call") == call
    }


def test_1000_concurrent_flows_get_their_own_results(three: Backend, world: World, note: Callable[[str], None]) -> None:
    """Each flow gets its own result: a lost or mixed-up session would give another one.

    All sessions are open concurrently. The number of concurrent calls is limited, to avoid timeouts.
    """
    flows = make_flows(PHONE_COUNT)
    began = time.monotonic()

    async def run_all() -> None:
        limit = asyncio.Semaphore(64)

        async def run(step: Coroutine[Any, Any, None]) -> None:
            async with limit:
                await step

        await asyncio.gather(*(run(flow.begin(three, world)) for flow in flows))
        await asyncio.gather(*(run(flow.end(three, world)) for flow in flows))

    asyncio.run(run_all())
    took = time.monotonic() - began
    for flow in flows:
        assert flow.response is not None
        assert_result(flow.response, flow.is_match)
    assert not any(flow.interruptions for flow in flows)
    for call in ("/start", "/complete"):
        until(lambda call=call: len(replica_by_flow(three, call)) == PHONE_COUNT, f"each {call} is logged")
    started, completed = replica_by_flow(three, "/start"), replica_by_flow(three, "/complete")
    assert all(started[flow.correlator] != completed[flow.correlator] for flow in flows)
    note(f"{three.implementation.name}: {PHONE_COUNT} concurrent flows through 3 replicas: {took:.1f} s")


def test_flows_survive_a_killed_replica(three: Backend, world: World, note: Callable[[str], None]) -> None:
    """An interrupted call that is retried gets its result or a typed error; other flows are not affected."""
    flows, killed = make_flows(200), three.replicas[1]

    def kill_while_serving() -> None:
        until(lambda: sum(flow.response is not None for flow in flows) >= 40, "some flows are done")
        killed.process.send_signal(signal.SIGSTOP)  # its running calls stay incomplete
        opened = three.balancer.opened[killed.port]
        until(lambda: three.balancer.opened[killed.port] >= opened + 8, "calls wait for it")
        killed.kill()

    async def run_all() -> None:
        limit = asyncio.Semaphore(40)

        async def run(flow: Flow) -> None:
            async with limit:
                await flow.run(three, world)

        await asyncio.gather(asyncio.to_thread(kill_while_serving), *map(run, flows))

    asyncio.run(run_all())
    outcomes: Counter[str] = Counter()
    for flow in flows:
        assert flow.response is not None
        if flow.interruptions and flow.response.status_code != 200:
            assert_problem(flow.response, 409, flow.response.json()["fallback"])
            assert flow.response.json()["fallback"] in (AGAIN, OTHER)
            outcomes["interrupted, then rejected"] += 1
        else:
            assert_result(flow.response, flow.is_match)
            outcomes["interrupted, then completed" if flow.interruptions else "completed"] += 1
    assert outcomes["interrupted, then completed"] + outcomes["interrupted, then rejected"] >= 8, outcomes
    note(f"{three.implementation.name}: a replica killed among {len(flows)} flows: {dict(outcomes)}")
