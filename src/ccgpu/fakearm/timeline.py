"""Settings that change at given times: a script of what the simulated Azure answers later.

An entry has `at` (virtual Unix time) and `settings`, which are merged over those before it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Entry = Mapping[str, Any]


def merge(usual: Any, value: Any) -> Any:
    """`value` over `usual`: mappings key by key, anything else as a whole."""
    if not (isinstance(usual, dict) and isinstance(value, Mapping)):
        return value
    return {**usual, **{key: merge(usual.get(key), one) for key, one in value.items()}}


def with_times(entries: Iterable[Entry], now: float) -> list[dict[str, Any]]:
    """The entries in order of time. `after` (seconds from now) becomes `at`."""
    dated = [{"at": now + one["after"], "settings": one["settings"]} for one in entries]
    return sorted(dated, key=lambda one: one["at"])


class TimedTree:
    """The settings of each period of time."""

    def __init__(self, tree: dict[str, Any], entries: Sequence[Entry] = ()) -> None:
        self._starts = [float("-inf"), *(float(one["at"]) for one in entries)]
        self._trees = [tree]
        for one in entries:
            self._trees.append(merge(self._trees[-1], one["settings"]))

    def at(self, now: float) -> dict[str, Any]:
        """The settings at this time."""
        last = max(number for number, start in enumerate(self._starts) if start <= now)
        return self._trees[last]
