"""Three replicas with one Redis, behind a load balancer: any replica can go on where another one began, or died."""

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

from calls import AGAIN, OTHER, Backends, a_key, assert_problem, assert_verdict, start
from redis_server import RedisServer
from running import Backend
from waiting import until
from world import CROWD, PATIENCE_S, RIGHT, WRONG, Phone, World


@pytest.fixture
def three(own_backend: Backends, redis: RedisServer) -> Backend:
    return own_backend(replicas=3, REDIS_URL=redis.url(), NUMBER_VERIFY_LIFETIME_S="3600")


def test_each_replica_completes_what_each_other_started(three: Backend, world: World) -> None:
    for began in range(3):
        for ended in range(3):
            for number in (RIGHT, WRONG):
                started = start(three.device(began), number)
                request = world.code(started["authUrl"]) | {"session": started["session"]}
                assert_verdict(three.device(ended).post("/complete", json=request), number == RIGHT)
                assert_problem(three.device(began).post("/complete", json=request), 409, OTHER)


def test_the_command_line_through_the_balancer(three: Backend) -> None:
    """TLS, cookies and kept connections as a phone has them."""
    assert three.verify(RIGHT)[0] == 0
    assert three.verify(WRONG)[0] == 1


@dataclass
class Flow:
    """A phone's verification, which claims its own number or the next phone's."""

    phone: Phone
    claims: str
    correlator: str = field(default_factory=lambda: str(uuid4()))
    cut: int = 0
    started: dict[str, str] = field(default_factory=dict)
    answer: httpx.Response | None = None

    @property
    def is_right(self) -> bool:
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
                self.answer = started

    async def end(self, backend: Backend, world: World) -> None:
        if self.answer is None:
            async with self.client(world) as client:
                code = await world.code_for(client, self.started["authUrl"])
                request = code | {"session": self.started["session"]}
                self.answer = await self.call(client, f"{backend.http_url}/complete", request)

    def client(self, world: World) -> httpx.AsyncClient:
        transport = httpx.AsyncHTTPTransport(verify=world.trust, local_address=self.phone.address)
        return httpx.AsyncClient(transport=transport, timeout=PATIENCE_S)

    async def call(self, client: httpx.AsyncClient, url: str, body: dict[str, str]) -> httpx.Response:
        """A call that was cut is repeated as it was. The next connection goes to the next replica."""
        headers = {"Connection": "close", "x-correlator": self.correlator} | a_key()
        for _ in range(5):
            try:
                return await client.post(url, json=body, headers=headers)
            except httpx.TransportError:
                self.cut += 1
        pytest.fail("cut again and again")


def crowd(size: int) -> list[Flow]:
    """Each fifth claims the number of the phone after it."""
    return [Flow(Phone(index), Phone(index + (index % 5 == 0)).number) for index in range(size)]


def replicas(backend: Backend, call: str) -> dict[str, int]:
    """Which one logged the call of each flow."""
    return {
        line["flow"]: index
        for index, replica in enumerate(backend.replicas)
        for line in replica.log_lines()
        if line.get("call") == call
    }


def test_a_thousand_flows_at_once(three: Backend, world: World, note: Callable[[str], None]) -> None:
    """Each flow gets its own verdict: a lost or mixed session would show as another one.

    All sessions are open at once. The calls are not all made at once: on a busy machine the last would time out.
    """
    flows = crowd(CROWD)
    began = time.monotonic()

    async def run_all() -> None:
        at_once = asyncio.Semaphore(64)

        async def run(step: Coroutine[Any, Any, None]) -> None:
            async with at_once:
                await step

        await asyncio.gather(*(run(flow.begin(three, world)) for flow in flows))
        await asyncio.gather(*(run(flow.end(three, world)) for flow in flows))

    asyncio.run(run_all())
    took = time.monotonic() - began
    for flow in flows:
        assert flow.answer is not None
        assert_verdict(flow.answer, flow.is_right)
    assert not any(flow.cut for flow in flows)
    for call in ("/start", "/complete"):
        until(lambda call=call: len(replicas(three, call)) == CROWD, f"the line of each {call} is in a log")
    started, completed = replicas(three, "/start"), replicas(three, "/complete")
    assert all(started[flow.correlator] != completed[flow.correlator] for flow in flows)
    note(f"{three.implementation.name}: {CROWD} flows at once through 3 replicas: {took:.1f} s")


def test_a_replica_is_killed_in_the_middle(three: Backend, world: World, note: Callable[[str], None]) -> None:
    """Flows that were not cut end right; a call that was cut and repeated gets a right answer, or a typed refusal."""
    flows, victim = crowd(200), three.replicas[1]

    def kill_it_while_it_serves() -> None:
        until(lambda: sum(flow.answer is not None for flow in flows) >= 40, "some flows are done")
        victim.process.send_signal(signal.SIGSTOP)  # what it is at stays undone
        opened = three.balancer.opened[victim.port]
        until(lambda: three.balancer.opened[victim.port] >= opened + 8, "calls wait for it")
        victim.kill()

    async def run_all() -> None:
        at_once = asyncio.Semaphore(40)

        async def run(flow: Flow) -> None:
            async with at_once:
                await flow.run(three, world)

        await asyncio.gather(asyncio.to_thread(kill_it_while_it_serves), *map(run, flows))

    asyncio.run(run_all())
    outcomes: Counter[str] = Counter()
    for flow in flows:
        assert flow.answer is not None
        if flow.cut and flow.answer.status_code != 200:
            assert_problem(flow.answer, 409, flow.answer.json()["fallback"])
            assert flow.answer.json()["fallback"] in (AGAIN, OTHER)
            outcomes["cut, then refused"] += 1
        else:
            assert_verdict(flow.answer, flow.is_right)
            outcomes["cut, then right" if flow.cut else "not cut, right"] += 1
    assert outcomes["cut, then right"] + outcomes["cut, then refused"] >= 8, outcomes
    note(f"{three.implementation.name}: a replica killed among {len(flows)} flows: {dict(outcomes)}")
