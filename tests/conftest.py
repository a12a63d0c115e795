"""What every test stands on: a process environment of its own, golden files, and the options.

No test sees the user's home, sign-in or settings, and none may leave anything there.
"""

import gc
import importlib
import itertools
import json
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from support.slow import spread

pytest_plugins = ["support.collection", "support.skips", "pytester"]

# A grammar of international addresses, which no schema of ours has. `jsonschema` does without it;
# with it, its import costs each worker a second.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # "not there", by the import system

_ROOT = Path(__file__).resolve().parent.parent
_GOLDEN = _ROOT / "tests" / "golden"
_OPTIONAL = {"slow": "CCGPU_SLOW", "every_case": "CCGPU_EVERY_CASE", "live": "CCGPU_LIVE"}
_KEPT = {*_OPTIONAL.values(), "CCGPU_VECTORS", "CCGPU_NO_SKIPS"}
_FOREIGN_PREFIXES = (
    *("AZURE_", "ARM_", "CCGPU_", "XDG_", "GITHUB_", "ACTIONS_", "IDENTITY_", "MSI_", "GIT_"),
)
_FOREIGN = {  # what rich, typer, requests, ssh and shells take from whoever runs the tests
    *("BASH_ENV", "ENV", "ZDOTDIR", "CDPATH"),
    *("CI", "COLUMNS", "LINES", "TERM", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"),
    *("TTY_INTERACTIVE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSH_AUTH_SOCK", "SSH_CONNECTION"),
}

# Time limits per example make slow machines red. In CI a failure must come from the change, so
# the examples are the same each time (so fewer do), and a failing one is printed so as to be
# replayed. A quick run tries fewer still, and others than the last one.
hypothesis.settings.register_profile("quick", deadline=None, max_examples=20)
hypothesis.settings.register_profile("dev", deadline=None)
hypothesis.settings.register_profile(
    "ci", deadline=None, max_examples=30, derandomize=True, database=None, print_blob=True
)
_SLOW_TOO = "dev" if os.environ.get("CCGPU_SLOW") == "1" else "quick"
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else _SLOW_TOO)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` rewrites what `golden` compares with."""
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what its switch does not ask for. Coverage is measured on quick tests alone.

    The slow ones are more cases of the same code, and tracing makes a test last 1.7 times as long.
    """
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker("no_cover")
    off = {mark for mark, switch in _OPTIONAL.items() if os.environ.get(switch) != "1"}
    left_out = {item for item in items if any(map(item.get_closest_marker, off))}
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    slow, quick = dict[Path, list[pytest.Item]](), list[pytest.Item]()
    for item in items:
        (slow.setdefault(item.path, []) if item.get_closest_marker("slow") else quick).append(item)
    items[:] = spread(slow.values(), quick, workers)


def pytest_sessionstart() -> None:
    """Spare the garbage collector the thousands of collected tests, which live to the end."""
    gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Where coverage is measured, load every module first, and trace nothing else until the tests.

    A worker begins with slow tests, which are not traced, and a module that one of them loads would
    count as never loaded. Tracing the collection of all tests would double its time.
    """
    if coverage := _coverage(session.config):
        for module in pkgutil.walk_packages([str(_ROOT / "src")]):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
        coverage.pause()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Collect garbage again, but for what is there by now, and seldom: tests are short."""
    if coverage := _coverage(session.config):
        coverage.resume()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    gc.enable()


def _coverage(config: pytest.Config) -> Any:
    """What pytest-cov pauses for tests marked `no_cover`; None where nothing is traced.

    That is without `--cov`, and in the process that only hands out the tests.
    """
    if config.pluginmanager.hasplugin("dsession"):
        return None
    return getattr(config.pluginmanager.getplugin("_cov"), "cov_controller", None)


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("homes")
    return (folder / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def home(_homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new, empty home for each test; nothing of the user's environment says otherwise."""
    for name in os.environ:
        foreign = name.upper() in _FOREIGN or name.startswith(_FOREIGN_PREFIXES)
        if foreign and name not in _KEPT:
            monkeypatch.delenv(name)
    folder = next(_homes)
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(folder / name.lower()))
    return folder


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are named by their parameter: those that hold new keys differ between two workers."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder of real evidence and recorded traffic: `CCGPU_VECTORS`, else beside the clone."""
    folder = _ROOT / os.environ.get("CCGPU_VECTORS", "../shared/vectors")
    if not folder.is_dir():
        pytest.skip(f"needs the vectors folder: CCGPU_VECTORS, {folder} is not there")
    return folder


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, Any], None]:
    """`golden(name, value)`: `value` is what `tests/golden/NAME` holds, as text or as JSON."""
    update = request.config.getoption("--update-golden")

    def compare(name: str, value: Any) -> None:
        file = _GOLDEN / name
        text = value if isinstance(value, str) else _as_json(value)
        if update:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        assert file.is_file(), f"{file} is not there: `pytest --update-golden` writes it"
        assert text == file.read_text(encoding="utf-8")

    return compare


def _as_json(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
