"""Each worker collects all tests, beginning with other modules than the other workers do.

In a fresh clone all of them would compile every module at the same time; so each finds compiled
what another one has come to before. All workers have the tests in the same order, as xdist asks.
"""

import os
from pathlib import Path

import pytest

_TESTS = Path(__file__).resolve().parent.parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Where all tests are wanted, name the modules, from one on that is this worker's own."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    wanted = {(session.startpath / name).resolve() for name in session.config.args}
    if worker and wanted == {_TESTS}:
        modules = sorted(map(str, _TESTS.rglob("test_*.py")))
        count = int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        first = len(modules) * int(worker.removeprefix("gw")) // count
        session.config.args = [*modules[first:], *modules[:first]]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the modules one order again."""
    items.sort(key=lambda item: item.path)
