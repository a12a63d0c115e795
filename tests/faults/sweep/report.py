"""The figures of a sweep as a page for users: what was met, what must hold, how often it did not.

Nothing in it depends on the machine or the day, so that it can be compared.
"""

import multiprocessing
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

from faults.sweep import baseline
from faults.sweep.cases import Trial
from faults.sweep.fault_kinds import KINDS, FaultKind
from faults.sweep.interference import INTERFERENCES, Interference
from faults.sweep.local_faults import LOCAL_FAULTS, LocalFault

VIOLATIONS = (
    "leaked resources",
    "false gone",
    "false exists",
    "foreign resources touched",
    "tracebacks",
    "tokens sent to foreign hosts",
    "duplicate VMs",
    "good VMs replaced",
    "said done, and not done",
    "exit codes of another cause",
)

_HEAD = """\
# Reliability

This page is made by `make reliability`. The sweep itself runs on every push.

Every request of a deployment's life (create, stop, start, delete, delete from another machine,
delete among other people's resources) is met with every fault that can befall it, once and for
ever, and the process is killed (SIGKILL) before and after every request and around every write of
its journal. On the machine itself the clock jumps by an hour, no token is to be had, the disk is
full. Somebody else deletes or tags the VM, takes a name that has become free, or does the same at
once. The simulated subscription is the judge, not the tool's own word: what exists, what is in the
journal, what was told to the user, whether the exit code is of what happened. What is over after
once must not make a command fail. After each case a create must be able to go on, and a delete must
leave nothing.

Not met again is only what is the same: of many questions after one operation the first two stand
for all, and for ever begins at the first; and faults that are one to our code (a 500 and a 503) are
all met in create, but elsewhere one of them stands for the others, as is marked below.

It is a simulation. What it knows of Azure is in [fake-azure.md](fake-azure.md), with sources; no
figure here was measured on live Azure.
"""


def build_page(trials: Sequence[Trial], failed: int, counts: Mapping[str, int]) -> str:
    """The page."""
    by_scenario = Counter(trial[0].scenario for trial in trials)
    rows = [
        _HEAD,
        f"## {len(trials)} cases, {failed} failed\n",
        "| what was done | cases |",
        "|---|--:|",
    ]
    rows += [f"| {name} | {count} |" for name, count in sorted(by_scenario.items())]
    rows += ["", "| what must not happen | how often it did |", "|---|--:|"]
    rows += [f"| {what} | {counts.get(what, 0)} |" for what in VIOLATIONS]
    rows += ["", "## The same faults, and a script with the SDK alone\n"]
    rows += ["| a script | leaves resources behind in | resources |", "|---|--:|--:|"]
    rows += [
        f"| {what} | {cases} of {of} cases | {left} |" for what, cases, of, left in script_figures()
    ]
    kinds: list[FaultKind | LocalFault | Interference] = [
        *KINDS.values(),
        *LOCAL_FAULTS.values(),
        *INTERFERENCES.values(),
    ]
    rows += ["", f"## The {len(kinds)} kinds of fault\n", ", ".join(map(_kind_text, kinds))]
    return "\n".join(rows) + "\n"


def _kind_text(kind: FaultKind | LocalFault | Interference) -> str:
    return f"`{kind.name}`" + (f" (like `{kind.same_as}`)" if kind.same_as else "")


def script_figures() -> list[tuple[str, int, int, int]]:
    """What scripts without all this leave behind: who, in how many cases of how many, how much."""
    found = []
    cases = baseline.list_cases()
    with multiprocessing.get_context("fork").Pool() as pool:
        for tidy, what in ((False, "that stops at an error"), (True, "that cleans up after one")):
            left = pool.map(partial(baseline.count_leaks, tidy=tidy), cases)
            found.append((what, sum(map(bool, left)), len(left), sum(left)))
    return found
