"""One pytest session that tests many mutants, each in a forked process.

The tests have been collected and have passed once, so a mutant costs a fork and the tests that run
its line, quickest first, until one fails. A change in a function replaces the function's code; one
at module level runs its statement again, and all that is made from it.
"""

import ast
import gc
import hashlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from mutant_change import PACKAGE, change
from mutations import Mutant, mutants

SECONDS = 20  # a mutant that takes longer counts as killed
_NOT_MADE = 2
_EXHAUSTIVE = ("flip", "no_bit", "another_byte", "changed_byte", "damaged", "other_bytes")


class Judge:
    """A pytest plugin that writes each mutant's name and result to the file `answers`."""

    def __init__(self, source: Path, files: list[str], answers: Path, seconds: float) -> None:
        self._source = source
        self._files = files
        self._done = _judged(answers)
        self._answers = answers
        self._until = time.monotonic() + seconds
        self._lines: dict[tuple[str, int], set[str]] = defaultdict(set)
        self._seconds: dict[str, float] = {}
        self._kills: dict[str, Counter[str]] = defaultdict(Counter)  # by module, which test
        self._homes = Path(tempfile.mkdtemp(prefix="mutants-"))

    def pytest_collection(self) -> None:
        """Configure hypothesis: few, fixed examples without shrinking, as one failure is enough."""
        import hypothesis  # pytest must be the first to load it

        few: dict[str, Any] = {"deadline": None, "derandomize": True, "database": None}
        few["phases"] = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        few["suppress_health_check"] = list(hypothesis.HealthCheck)
        hypothesis.settings.register_profile("mutants", max_examples=15, **few)
        hypothesis.settings.load_profile("mutants")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out the tests that try every bit: they take seconds each."""
        items[:] = [item for item in items if not any(word in item.name for word in _EXHAUSTIVE)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run all tests on the unchanged code, then for each mutant the tests of its line."""
        for item in session.items:
            self._baseline(item)
        try:
            self._judge_all(session)
        finally:
            shutil.rmtree(self._homes, ignore_errors=True)
        return True

    def _baseline(self, item: pytest.Item) -> None:
        lines: set[tuple[str, int]] = set()
        started = time.perf_counter()
        sys.settrace(_tracer(str(self._source), lines))
        try:
            failed = _fails(item)
        finally:
            sys.settrace(None)
        if failed:
            sys.exit(f"error: {item.nodeid} fails without a mutant")
        self._seconds[item.nodeid] = time.perf_counter() - started
        for line in lines:
            self._lines[line].add(item.nodeid)

    def _judge_all(self, session: pytest.Session) -> None:
        running: dict[int, tuple[int, Mutant]] = {}
        if os.waitpid(self._fork(-1, None, session.items, session), 0)[1]:
            sys.exit("error: a copy of the session fails without a mutant")
        gc.freeze()  # the copies need not look through what will stay
        with self._answers.open("a", encoding="utf-8", buffering=1) as answers:
            for number, mutant in enumerate(self._todo()):
                if time.monotonic() > self._until:
                    break
                while len(running) >= (os.cpu_count() or 1):
                    self._reap(running, answers.write)
                items = self._chosen(mutant, session.items)
                if not items:
                    answers.write(_line(mutant, "no test"))
                    continue
                running[self._fork(number, mutant, items, session)] = (number, mutant)
            while running:
                self._reap(running, answers.write)

    def _todo(self) -> list[Mutant]:
        """The mutants without a result, in a fixed order that mixes the modules."""
        seen: Counter[str] = Counter()
        found = []
        for mutant in (each for file in self._files for each in mutants_of(self._source, file)):
            seen[mutant.name] += 1
            if seen[mutant.name] > self._done[mutant.name]:
                found.append(mutant)
        return sorted(found, key=lambda mutant: hashlib.sha256(mutant.name.encode()).digest())

    def _chosen(self, mutant: Mutant, items: list[pytest.Item]) -> list[pytest.Item]:
        found = items
        if isinstance(mutant.inside, ast.FunctionDef):
            file, lines = str(self._source / mutant.module), range(mutant.line, mutant.end + 1)
            names = set().union(*(self._lines.get((file, line), set()) for line in lines))
            found = [item for item in items if item.nodeid in names]
        kills = self._kills[mutant.module]
        return sorted(found, key=lambda item: self._seconds[item.nodeid] / (1 + kills[item.nodeid]))

    def _fork(
        self, number: int, mutant: Mutant | None, items: list[pytest.Item], session: pytest.Session
    ) -> int:
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            if mutant:
                _end_after(self._allowed(items))
            _quiet()
            _own_homes(session, self._homes / str(number))
            if mutant:
                _make(mutant)
            killer = next((item for item in items if _fails(item)), None)
            if killer:
                (self._homes / str(number) / "killer").write_text(killer.nodeid, encoding="utf-8")
            code = int(killer is not None)
        except BaseException:  # noqa: BLE001  # whatever it is, the mutant is the reason
            code = 1
        finally:
            os._exit(code)

    def _allowed(self, items: list[pytest.Item]) -> int:
        return SECONDS + int(3 * sum(self._seconds[item.nodeid] for item in items))

    def _reap(self, running: dict[int, tuple[int, Mutant]], write: Callable[[str], Any]) -> None:
        pid, status = os.wait()
        number, mutant = running.pop(pid)
        if os.waitstatus_to_exitcode(status) == _NOT_MADE:
            sys.exit(f"error: {mutant.name} cannot be put in its place")
        if (killer := self._homes / str(number) / "killer").is_file():
            self._kills[mutant.module][killer.read_text(encoding="utf-8")] += 1
        shutil.rmtree(self._homes / str(number), ignore_errors=True)
        write(_line(mutant, "survived" if status == 0 else "killed"))


def _end_after(seconds: int) -> None:
    """Let this process be killed after so much CPU time: a busy machine must not kill a mutant.

    One that waits instead of computing is killed after ten times as long.
    """
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.alarm(10 * seconds)


def mutants_of(source: Path, file: str) -> list[Mutant]:
    """All mutants of a module."""
    return list(mutants(file, ast.parse((source / file).read_text(encoding="utf-8"))))


def _judged(answers: Path) -> Counter[str]:
    """The number of results for each name: two mutants of one line may have the same name."""
    lines = answers.read_text(encoding="utf-8").splitlines() if answers.is_file() else []
    return Counter(json.loads(line)["mutant"] for line in lines)


def _line(mutant: Mutant, answer: str) -> str:
    return json.dumps({"mutant": mutant.name, "answer": answer}, ensure_ascii=False) + "\n"


class _Nobody:
    """The next test, of no module: what is made once for the session stays, the rest goes."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session

    def listchain(self) -> list[pytest.Session]:
        return [self._session]


def _fails(item: pytest.Item) -> bool:
    _forget()
    if hasattr(item, "_initrequest"):
        item._initrequest()  # noqa: SLF001  # a test that has run may run again
    nobody: Any = _Nobody(item.session)
    return any(report.failed for report in runtestprotocol(item, nextitem=nobody, log=False))


def _forget() -> None:
    """Empty the verifier's caches, so that no test uses another one's results."""
    for name, module in list(sys.modules.items()):
        if name.startswith(PACKAGE):
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


def _tracer(source: str, lines: set[tuple[str, int]]) -> Callable[..., Any]:
    def within(frame: FrameType, event: str, _: Any) -> Callable[..., Any]:
        if event == "line":
            lines.add((frame.f_code.co_filename, frame.f_lineno))
        return within

    def trace(frame: FrameType, *_: Any) -> Callable[..., Any] | None:
        return within if frame.f_code.co_filename.startswith(source) else None

    return trace


def _quiet() -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)


def _own_homes(session: pytest.Session, folder: Path) -> None:
    """Homes of the tests that no other process makes too."""
    folder.mkdir()
    first: Any = session.items[0]
    fixture = first._fixtureinfo.name2fixturedefs["_homes"][0]  # noqa: SLF001
    assert fixture.cached_result
    homes = (folder / str(number) for number in range(1_000_000))
    fixture.cached_result = (homes, *fixture.cached_result[1:])


def _make(mutant: Mutant) -> None:
    """Change the module: not to be able to load it is a kill, not to find the function is none."""
    try:
        change(mutant)
    except (AssertionError, SystemExit, KeyError, AttributeError):
        if isinstance(mutant.inside, ast.FunctionDef):
            os._exit(_NOT_MADE)
        raise
