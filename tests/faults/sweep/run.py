"""Run the sweep: `python tests/faults/sweep/run.py`, with `--help` for its parts.

Prints `N passed, M failed` and what was counted; exit 0 only when nothing failed.
"""

import argparse
import gc
import itertools
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

_TESTS = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_TESTS))

from faults.sweep import cases, report
from faults.sweep.cases import Trial
from faults.sweep.report import VIOLATIONS
from faults.sweep.trial import Result, run_trial

_ALL_PROCESSES = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def main() -> int:
    """The exit code."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--case", help="run this one trial and print its violations")
    options.add_argument("--pairs", type=int, help="that many random pairs, and all of a failed VM")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--every", type=int, default=1, help="only every N-th trial")
    options.add_argument("--only", default="", help="only trials whose id contains this")
    options.add_argument("--jobs", type=int, default=os.cpu_count())
    options.add_argument("--show", type=int, default=40, help="number of failures to print")
    options.add_argument("--page", type=Path, help="write the figures there as Markdown")
    options.add_argument("--check", action="store_true", help="only compare with the page")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(dir=_memory_folder()) as name:
        folder = Path(name)
        if given.case:
            return _run_one(cases.parse_trial(given.case), folder)
        found = [
            trial for trial in _list_trials(given, folder) if given.only in cases.trial_id(trial)
        ]
        return _run_all(found[:: given.every], folder, given)


def _list_trials(given: argparse.Namespace, folder: Path) -> Iterable[Trial]:
    if given.pairs is None:
        return itertools.chain(cases.single_faults(folder), cases.kill_cases(folder))
    pairs = cases.random_pairs(folder, given.pairs, given.seed)
    return itertools.chain(cases.failed_vm_pairs(folder), pairs)


def _memory_folder() -> str | None:
    """A file system in memory, if there is one: fsync is not under test."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _run_one(trial: Trial, folder: Path) -> int:
    result = run_trial(trial, folder / "case")
    print(*(result.violations or ["passed"]), sep="\n")
    return bool(result.violations)


def _run_all(found: list[Trial], folder: Path, given: argparse.Namespace) -> int:
    started = time.perf_counter()
    counts: Counter[str] = Counter()
    failed: list[Result] = []
    repeats = 0
    tasks = [(trial, folder) for trial in found]
    gc.freeze()  # the SDK's many objects are permanent: spare the collector from scanning them
    pool = multiprocessing.get_context("fork").Pool(given.jobs)
    with pool:
        for result in pool.imap_unordered(_run_task, tasks, chunksize=16):
            counts.update(result.counts)
            repeats += result.repeats
            if result.violations:
                failed.append(result)
        pool.close()
        pool.join()  # so that its CPU time is counted
    for result in sorted(failed, key=lambda one: one.id)[: given.show]:
        print(f"FAILED {result.id}", *result.violations, sep="\n  ")
    print(f"{len(found) - len(failed)} passed, {len(failed)} failed")
    print(f"{repeats} left what an earlier case had left, and were not followed up again")
    print(", ".join(f"{what} {counts[what]}" for what in VIOLATIONS))
    other = {what: n for what, n in sorted(counts.items()) if what not in VIOLATIONS}
    if other:
        print(", ".join(f"{what} {n}" for what, n in other.items()))
    cpu = sum(resource.getrusage(who).ru_utime for who in _ALL_PROCESSES)
    speed = f"{cpu:.0f} s of CPU, {len(found) / cpu:.1f} cases in each"
    print(f"{time.perf_counter() - started:.0f} s; {speed}; one again: make sweep-case ID=…")
    if given.page is not None:
        return _write_page(
            given.page, report.build_page(found, len(failed), counts), check=given.check
        )
    if given.pairs is None and given.every == 1 and not given.only:
        for what, left, of, count in report.script_figures():
            print(f"a plain SDK script {what}: {count} resources left, in {left} of {of} cases")
    return bool(failed)


def _write_page(file: Path, text: str, *, check: bool) -> int:
    """Write the page, or compare with it. A sweep that failed has another page."""
    if not check:
        file.write_text(text, encoding="utf-8")
    elif file.read_text(encoding="utf-8") != text:
        print(f"error: {file} is out of date: `make reliability` makes it anew", file=sys.stderr)
        return 1
    return "0 failed" not in text


def _run_task(task: tuple[Trial, Path]) -> Result:
    trial, folder = task
    return run_trial(trial, folder / f"worker-{os.getpid()}")


if __name__ == "__main__":
    sys.exit(main())
