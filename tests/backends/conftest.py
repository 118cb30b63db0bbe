"""One simulator for all tests, and the backends that they ask for. `--implementation NAME` tests only one."""

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
    parser.addoption("--implementation", action="append", choices=names, help="only this one (repeatable)")


NOTES = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[NOTES] = []
    config.addinivalue_line("markers", "only(name): what is special to one implementation")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test for each implementation, but for those that are special to one."""
    if "implementation" in metafunc.fixturenames:
        wanted = metafunc.config.getoption("--implementation")
        only = metafunc.definition.get_closest_marker("only")
        chosen = [
            implementation
            for implementation in IMPLEMENTATIONS
            if (not wanted or implementation.name in wanted) and (not only or implementation.name in only.args)
        ]
        metafunc.parametrize("implementation", chosen, ids=lambda one: one.name, scope="session")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for note in config.stash[NOTES]:
        terminalreporter.write_line(note)


@pytest.fixture
def note(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """What was measured, for the end of the run."""
    return pytestconfig.stash[NOTES].append


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
    """Backends that tests share, by their delivery and settings."""
    running: dict[str, Backend] = {}

    def backend(delivery: str = "redirect", **settings: str) -> Backend:
        name = f"{delivery} {sorted(settings.items())}"
        if name not in running:
            running[name] = Backend(implementation, world, delivery, **settings)
            stack.callback(running[name].stop)
        return running[name]

    with ExitStack() as stack:  # stops all, also when the log of one is not as it should be
        yield backend


@pytest.fixture
def own_backend(world: World, implementation: Implementation) -> Iterator[Backends]:
    """Backends of one test's own."""

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
def own_stub(world: World) -> Iterator[StubbedProvider]:
    stub = StubbedProvider(world)
    yield stub
    stub.stop()
