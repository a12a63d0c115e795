"""What a case leaves, as a value: the subscription and the files of its machines.

The commands that follow a case see nothing else. Two cases that leave the same differ for them in
nothing but names that were drawn (runs, UUIDs, addresses) and in moments of the past: what was
judged once need not be judged again. `CCGPU_EVERY_CASE=1` judges each case all the same.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from faults.sweep.invariants import InvariantChecker
from support.cloud import Machine

# Rows that a request may be answered from, and how long until what is still under way ends. Left
# out: the log of requests, what was deleted (only lists with a lag show it, and the sweep has none)
# and costs, which ARM tells nobody.
_ROWS = (
    "SELECT key, id, kind, body, hidden FROM resources ORDER BY key",
    "SELECT target, source, owner, role, detail FROM refs ORDER BY target, source, role",
    "SELECT vm, region, zone, size, family, cores, spot, allocated FROM allocations ORDER BY vm",
    "SELECT action, target, error, data, due - (SELECT now FROM world) FROM operations "
    "WHERE ended IS NULL ORDER BY due, target",
    "SELECT settings FROM world",
    "SELECT name, tokens, at FROM buckets ORDER BY name",
    'SELECT key, "left" FROM unseen ORDER BY key',
    "SELECT vm, path, mode, data FROM guest_files ORDER BY vm, path",
    "SELECT vm, name, value FROM guest_facts ORDER BY vm, name",
)
_HOUR = 3600.0
# All begin at a word: else the search would try each of them at each character.
_DRAWN = re.compile(
    r"\b(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # UUIDs, entity tags
    r"|[0-9a-f]{16}\b"  # runs
    r"|(?<=-)[0-9a-f]{8}\b"  # ends of names that Azure chose
    r"|203\.0\.113\.\d+\b"  # public addresses
    r'|(?<="networkInterfaceConfigurations": ")[0-9a-f]{64})'  # a digest over the run, among others
)
_MOMENT = re.compile(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_SECONDS = re.compile(r"\b1[78]\d{8}\.\d+\b")  # the same, as the fake keeps them of its VMs


def what_is_left(machine: Machine, checker: InvariantChecker) -> str:
    """Everything that the next command on this machine can see, and what the checker expects."""
    text = "\n".join(_parts(machine, checker))
    now = machine.arm.now()
    drawn: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        return drawn.setdefault(found[0], f"<{len(drawn)}>")

    text = _MOMENT.sub(lambda found: _hours(found[0], now), text)
    text = _SECONDS.sub(lambda found: _seconds(found[0], now), text)
    return _DRAWN.sub(number, text)


def _parts(machine: Machine, checker: InvariantChecker) -> Iterator[str]:
    store = machine.arm._store
    for query in _ROWS:
        yield from (repr(tuple(row)) for row in store.rows(query))
        yield query
    folder = machine.state.parent
    world = {folder / name for name in ("world", "world-wal", "world-shm", "world-journal")}
    for file in sorted(folder.rglob("*")):
        if file not in world:
            content: Any = file.read_bytes() if file.is_file() else "a folder"
            yield f"{file.relative_to(folder)} {file.stat().st_mode:o}: {content!r}"
    yield repr(sorted(checker.foreign_resources.items()))
    yield repr(sorted(checker.foreign_elements))


def _hours(moment: str, now: float) -> str:
    """`past`, or the begun hours until then: an expiry counts, when something was made does not."""
    ahead = datetime.fromisoformat(moment).timestamp() - now
    return "<past>" if ahead <= 0 else f"<in {ahead // _HOUR + 1:.0f} h>"


def _seconds(moment: str, now: float) -> str:
    """`past`, or the seconds until then: when a guest is ready, say."""
    ahead = float(moment) - now
    return "<past>" if ahead <= 0 else f"<in {ahead} s>"
