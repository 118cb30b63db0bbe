"""Fixtures: one simulator for all tests of a process, and backends. `--implementation NAME` tests only one of them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from calls import Backends
from implementations import IMPLEMENTATIONS, Implementation
from provider_stub import StubbedProvider
from redis_server import RedisServer
from running import Backend
from world import World


def pytest_addoption(parser: pytest.Parser) -> None:
    names = [implementation.name for implementation in IMPLEMENTATIONS]
    parser.addoption("--implementation", action="append", choices=names, help="test only this one (repeatable)")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "only(name): the test is specific to one implementation")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs each test for each implementation, except those that are specific to one."""
    if "implementation" in metafunc.fixturenames:
        requested = metafunc.config.getoption("--implementation")
        only = metafunc.definition.get_closest_marker("only")
        selected = [
            implementation
            for implementation in IMPLEMENTATIONS
            if (not requested or implementation.name in requested) and (not only or implementation.name in only.args)
        ]
        metafunc.parametrize("implementation", selected, ids=lambda one: one.name, scope="session")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.getreports("passed"):
        for note in (text for name, text in report.user_properties if name == "note"):
            terminalreporter.write_line(note)


@pytest.fixture
def note(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Adds a measurement to the summary at the end of the run."""
    return lambda text: record_property("note", text)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("world"))
    yield world
    world.stop()


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    redis = RedisServer(tmp_path_factory.mktemp("redis"))
    yield redis
    redis.stop()


@pytest.fixture(scope="session")
def backend(world: World, implementation: Implementation) -> Iterator[Backends]:
    """Backends that tests share, one for each delivery and settings."""
    running: dict[str, Backend] = {}

    def backend(delivery: str = "redirect", **settings: str) -> Backend:
        name = f"{delivery} {sorted(settings.items())}"
        if name not in running:
            running[name] = Backend(implementation, world, delivery, **settings)
            stack.callback(running[name].stop)
        return running[name]

    with ExitStack() as stack:  # stops all of them even if the log check of one fails
        yield backend


@pytest.fixture
def new_backend(world: World, implementation: Implementation) -> Iterator[Backends]:
    """New backends for one test."""

    def backend(delivery: str = "redirect", replicas: int = 1, **settings: str) -> Backend:
        one = Backend(implementation, world, delivery, replicas, **settings)
        stack.callback(one.stop)
        return one

    with ExitStack() as stack:
        yield backend


@pytest.fixture(scope="module")
def stub(world: World) -> Iterator[StubbedProvider]:
    stub = StubbedProvider(world)
    yield stub
    stub.stop()


@pytest.fixture
def new_stub(world: World) -> Iterator[StubbedProvider]:
    stub = StubbedProvider(world)
    yield stub
    stub.stop()
