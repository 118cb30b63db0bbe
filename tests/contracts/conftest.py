"""One simulator for all tests."""

from collections.abc import Iterator

import pytest

from simulator import Simulator


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    simulator = Simulator(tmp_path_factory.mktemp("simulator"))
    yield simulator
    simulator.stop()


def pytest_bdd_apply_tag(tag: str, function: object) -> bool:
    """The tags of scenarios are names, not pytest markers."""
    return True
