"""The figures of a sweep as a page for users.

It does not depend on the machine or the day, so that it can be compared.
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

`make reliability` writes this page. The sweep itself runs on every push.

The sweep runs every command of a deployment's life (create, stop, start, extend, delete, delete
from another machine, delete with other people's resources in the group) on the simulated
subscription. It injects every fault at every request to which it applies, once and permanently. It
kills the process (SIGKILL) before and after every request and around every write of the journal. On
the machine itself the clock jumps by an hour, no token is available, and the disk is full. Other
clients delete or tag the VM, take a name that has become free, or run the same create at the same
time.

The simulated subscription is checked, not the tool's own output: which resources exist, whether
the journal names them, whether the reports to the user are true, and whether the exit code matches
the cause. A transient fault must not make a command fail. After each case a create must be able to
continue, and a delete must leave nothing; this is tried once for all cases that leave the same
resources and the same files.

Equal cases are not repeated. Of the polls of one operation the first two are tested, and a
permanent fault starts at the first. Faults that our code treats alike (a 500 and a 503) are all
tested in create; in the other scenarios one represents the others, as marked below.

This is a simulation. [fake-azure.md](fake-azure.md) lists what it knows of Azure, with sources. No
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
    """For each script: its name, cases with leaks, all cases, leaked resources."""
    found = []
    cases = baseline.list_cases()
    with multiprocessing.get_context("fork").Pool() as pool:
        for tidy, what in ((False, "that stops at an error"), (True, "that cleans up after one")):
            left = pool.map(partial(baseline.count_leaks, tidy=tidy), cases)
            found.append((what, sum(map(bool, left)), len(left), sum(left)))
    return found
