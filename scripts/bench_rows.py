"""Rows of `dev.py bench`: a figure, its limit, and whether it is kept.

A figure is a ratio to something measured in the same run, by turns, or a count: a slower or a
busier machine does not change it. Times are CPU times (user and system), of which other work on the
machine takes none.
"""

import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

_NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True)
class Row:
    """One figure. least: it must not be below the limit; else it must not be above."""

    what: str
    figure: float
    limit: float
    least: bool = False

    @property
    def is_kept(self) -> bool:
        """Whether the figure keeps to its limit."""
        return self.figure >= self.limit if self.least else self.figure <= self.limit

    def __str__(self) -> str:
        bound = "at least" if self.least else "at most"
        past = "" if self.is_kept else "   PAST ITS LIMIT"
        return f"{self.figure:8.2f}  ({bound} {self.limit:g})  {self.what}{past}"


def tell(rows: Sequence[Row]) -> None:
    """Print rows for `read_rows` in another process."""
    print(json.dumps([asdict(row) for row in rows]))


def read_rows(text: str) -> list[Row]:
    """What `tell` has printed."""
    return [Row(**one) for one in json.loads(text)]


def usage_of(
    command: Sequence[str], home: Path, more: Mapping[str, str] = _NOTHING
) -> resource.struct_rusage:
    """What a process has used, as its parent is told; ends this one if it fails.

    more: variables besides those of `environ`.
    """
    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(
            command, env={**environ(home), **more}, stdout=subprocess.DEVNULL, stderr=errors
        ) as child:
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            errors.seek(0)
            sys.exit(f"error: {' '.join(command)}: exit {child.returncode}\n{errors.read()}")
    return usage


def cpu_of(command: Sequence[str], home: Path, more: Mapping[str, str] = _NOTHING) -> float:
    """Seconds of CPU that a process takes."""
    usage = usage_of(command, home, more)
    return usage.ru_utime + usage.ru_stime


def by_turns(measures: Sequence[Callable[[], float]], rounds: int) -> list[float]:
    """The median of each measure; they take turns, so that all meet the same machine."""
    taken: list[list[float]] = [[] for _ in measures]
    for _ in range(rounds):
        for times, measure in zip(taken, measures, strict=True):
            times.append(measure())
    return [statistics.median(times) for times in taken]


def cpu_in_process(work: Callable[[], object], times: int = 1) -> Callable[[], float]:
    """A measure: seconds of CPU that `work` takes in this process, the mean of so many runs."""

    def measure() -> float:
        gc.collect()
        start = time.process_time()
        for _ in range(times):
            work()
        return (time.process_time() - start) / times

    return measure


def environ(home: Path) -> dict[str, str]:
    """The variables of the commands that are measured: everything they keep is in `home`."""
    return {"HOME": str(home), "PATH": os.environ["PATH"], "XDG_STATE_HOME": str(home / "state")}
