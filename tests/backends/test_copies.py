"""Three copies with one Redis, behind a load balancer: any copy can go on where another one began, or died."""

import asyncio
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

import httpx
import pytest

from calls import AGAIN, OTHER, Backends, a_key, assert_problem, assert_verdict, start
from redis_server import RedisServer
from running import Backend
from waiting import until
from world import CROWD, RIGHT, WRONG, Phone, World


@pytest.fixture
def three(own_backend: Backends, redis: RedisServer) -> Backend:
    return own_backend(copies=3, REDIS_URL=redis.url(), NUMBER_VERIFY_PROVIDER_TIMEOUT_S="60")


def test_each_copy_completes_what_each_other_started(three: Backend, world: World) -> None:
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
    answer: httpx.Response | None = None

    @property
    def is_right(self) -> bool:
        return self.claims == self.phone.number

    async def run(self, backend: Backend, world: World) -> None:
        transport = httpx.AsyncHTTPTransport(verify=world.trust, local_address=self.phone.address)
        async with httpx.AsyncClient(transport=transport, timeout=180) as client:
            started = await self.call(client, f"{backend.http_url}/start", {"phoneNumber": self.claims})
            if started.status_code == 200:
                code = await world.code_for(client, started.json()["authUrl"])
                request = code | {"session": started.json()["session"]}
                self.answer = await self.call(client, f"{backend.http_url}/complete", request)
            else:
                self.answer = started

    async def call(self, client: httpx.AsyncClient, url: str, body: dict[str, str]) -> httpx.Response:
        """A call that was cut is repeated as it was. The next connection goes to the next copy."""
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


def test_a_thousand_flows_at_once(three: Backend, world: World, note: Callable[[str], None]) -> None:
    """Each flow gets its own verdict: a lost or mixed session would show as another one."""
    flows = crowd(CROWD)
    began = time.monotonic()

    async def run_all() -> None:
        await asyncio.gather(*(flow.run(three, world) for flow in flows))

    asyncio.run(run_all())
    took = time.monotonic() - began
    for flow in flows:
        assert flow.answer is not None
        assert_verdict(flow.answer, flow.is_right)
    assert not any(flow.cut for flow in flows)
    copies = defaultdict(set)
    for index, copy in enumerate(three.copies):
        for line in copy.log_lines():
            if line.get("call") in ("/start", "/complete"):
                copies[line["flow"]].add((index, line["call"]))
    assert all(len({index for index, _ in copies[flow.correlator]}) == 2 for flow in flows), "on different copies"
    note(f"{three.implementation.name}: {CROWD} flows at once through 3 copies: {took:.1f} s")


def test_a_copy_is_killed_in_the_middle(three: Backend, world: World, note: Callable[[str], None]) -> None:
    """Flows that were not cut end right; a call that was cut and repeated gets a right answer, or a typed refusal."""
    flows, victim = crowd(200), three.copies[1]

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
    note(f"{three.implementation.name}: a copy killed among {len(flows)} flows: {dict(outcomes)}")
