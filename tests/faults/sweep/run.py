"""Run the sweep, or one case of it: `python tests/faults/sweep/run.py [--case ID] [--every N]`.

Prints `N passed, M failed` and what was counted; exit 0 only when nothing failed.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

_TESTS = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_TESTS), str(_TESTS / "faults")]

from sweep import baseline
from sweep.cases import Case, Result, all_cases, kill_cases, run

_COUNTED = (
    "leaked resources",
    "false gone",
    "false exists",
    "foreign resources touched",
    "tracebacks",
    "tokens sent to foreign hosts",
    "duplicate VMs",
)


def main() -> int:
    """The exit code."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--case", help="run this one case, and say what was wrong")
    options.add_argument("--every", type=int, default=1, help="only each N-th case")
    options.add_argument("--jobs", type=int, default=os.cpu_count())
    options.add_argument("--only", default="", help="only cases whose id has this in it")
    options.add_argument("--show", type=int, default=40, help="how many failures to print")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        if given.case:
            return _one(Case.parse(given.case), Path(folder))
        cases = (*all_cases(Path(folder)), *kill_cases(Path(folder)))
        found = [case for case in cases if given.only in case.id]
        return _all(
            found[:: given.every], Path(folder), given.jobs, given.show, plain=given.every == 1
        )


def _memory() -> str | None:
    """fsync is not what is swept here: a file system in memory, where there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _one(case: Case, folder: Path) -> int:
    result = run(case, folder)
    print(*(result.wrong or ["passed"]), sep="\n")
    return bool(result.wrong)


def _all(found: list[Case], folder: Path, jobs: int, shown: int, *, plain: bool) -> int:
    started = time.perf_counter()
    counts: Counter[str] = Counter()
    failed: list[Result] = []
    tasks = [(case, folder / str(os.getpid())) for case in found]
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        for result in pool.imap_unordered(_run, tasks, chunksize=16):
            counts.update(result.counts)
            if result.wrong:
                failed.append(result)
    for result in sorted(failed, key=lambda one: one.case.id)[:shown]:
        print(f"FAILED {result.case.id}", *result.wrong, sep="\n  ")
    print(f"{len(found) - len(failed)} passed, {len(failed)} failed")
    print(", ".join(f"{what} {counts[what]}" for what in _COUNTED))
    for tidy, what in ((False, "that stops at an error"), (True, "that cleans up after one")):
        left = [baseline.leaks(case, tidy=tidy) for case in baseline.cases()] if plain else []
        if left:
            print(
                f"a plain SDK script {what}: leaves resources behind in "
                f"{sum(map(bool, left))} of {len(left)} cases, {sum(left)} resources in all"
            )
    other = {what: n for what, n in counts.items() if what not in _COUNTED}
    if other:
        print(", ".join(f"{what} {n}" for what, n in sorted(other.items())))
    print(f"{time.perf_counter() - started:.0f} s; one case again: make sweep-case ID=…")
    return bool(failed)


def _run(task: tuple[Case, Path]) -> Result:
    case, folder = task
    return run(case, folder.with_name(f"worker-{os.getpid()}"))


if __name__ == "__main__":
    sys.exit(main())
