"""Says which events of a boot differ from those that were recorded with reference values."""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ccgpu.attest.vtpm.event_names import NamedEvent
from ccgpu.domain.reference_values import RecordedEvent

_SHOWN = 8  # changes of one PCR


@dataclass(frozen=True, slots=True)
class _Event:
    """An event of either side."""

    what: str
    detail: str
    sha256: str

    def __str__(self) -> str:
        return f"SHA-256 {self.sha256}" + (f" ({self.detail})" if self.detail else "")


def describe_changes(
    recorded: Sequence[RecordedEvent], found: Sequence[NamedEvent], *, replayed: bool
) -> str:
    """The changes of one PCR in words; empty if either side has no events.

    `replayed`: whether the log of `found` replays to the quoted value.
    """
    if not recorded or not found:
        return ""
    return describe_differences(recorded, found, replayed=replayed)


def describe_differences(
    expected: Sequence[RecordedEvent], found: Sequence[NamedEvent], *, replayed: bool
) -> str:
    """As `describe_changes`, where no event is what is expected, or what there is."""
    changes = list(
        _changes(
            [_Event(one.what, one.detail, one.sha256) for one in expected],
            [_Event(one.what, one.detail, one.digest.hex()) for one in found],
        )
    )
    shown = "; ".join(changes[:_SHOWN])
    more = f"; and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
    if replayed:
        return f"{shown}{more}" if changes else "the same events in another order"
    if changes:
        return f"by a log that does not replay to it, {shown}{more}"
    return "the log has the recorded events: something was measured after its end"


def _changes(recorded: Sequence[_Event], found: Sequence[_Event]) -> Iterator[str]:
    """Each event that is on one side only; a pair of one name is a change."""
    added: dict[str, deque[_Event]] = {}
    for event in _unmatched(found, recorded):
        added.setdefault(event.what, deque()).append(event)
    for event in _unmatched(recorded, found):
        if added.get(event.what):
            new = added[event.what].popleft()
            yield f"{event.what} changed; expected {event}, found {new}"
        else:
            yield f"{event.what} missing; expected {event}"
    for events in added.values():
        yield from (f"{event.what} added; found {event}" for event in events)


def _unmatched(events: Sequence[_Event], others: Sequence[_Event]) -> Iterator[_Event]:
    """The events whose digest is not among those of `others`, each of which counts once."""
    left = Counter(other.sha256 for other in others)
    for event in events:
        if left[event.sha256] > 0:
            left[event.sha256] -= 1
        else:
            yield event
