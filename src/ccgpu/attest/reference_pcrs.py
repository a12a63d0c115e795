"""Compares quoted PCRs with reference values (RFC 9334, §8.3)."""

from collections.abc import Collection, Iterator

from ccgpu.attest.check import Checks, Rule
from ccgpu.attest.tpm_quote import QuoteResult
from ccgpu.attest.vtpm.event_changes import describe_changes
from ccgpu.attest.vtpm.event_names import NamedEvent
from ccgpu.domain.reference_values import NEVER_PINNED, PINNED_PCRS, ReferenceValues, in_words

_FILE = "the file of golden values"

ABSENT = Rule("policy.pins.absent", "golden PCR values are given", "the policy, require_pins")
UNQUOTED = Rule("policy.pins.unquoted", "every pinned PCR is in the quote", _FILE)
DIFFERS = Rule("policy.pins.pcr", "a pinned PCR has its golden value", _FILE)


def check(
    found: QuoteResult, reference_values: ReferenceValues | None, checks: Checks, *, required: bool
) -> None:
    """Check every reference value against the PCRs of a verified quote.

    Where a PCR differs and both logs are known, the check names the events that changed.
    """
    if reference_values is None:
        if required:
            checks.record(ABSENT, False, "golden values", None)
        return
    for index, golden in sorted(reference_values.values.items()):
        if index not in found.pcrs:
            checks.record(UNQUOTED, False, f"PCR {index}", tuple(sorted(found.pcrs)))
            continue
        same = found.pcrs[index] == golden
        quoted = f"PCR {index} {found.pcrs[index].hex()}"
        changes = "" if same else _changes(index, found, reference_values)
        actual = f"{quoted}: {changes}" if changes else quoted
        checks.record(DIFFERS, same, f"PCR {index} {golden.hex()}", actual)


def _changes(index: int, found: QuoteResult, reference_values: ReferenceValues) -> str:
    events = [event for event in found.events if event.pcr == index]
    recorded = reference_values.events.get(str(index), ())
    return describe_changes(recorded, events, replayed=_is_replayed(events))


def _is_replayed(events: list[NamedEvent]) -> bool:
    return all(event.replayed for event in events)


def not_compared(values: ReferenceValues, besides: Collection[int] = ()) -> Iterator[str]:
    """What PCRs hold that are not compared, and why; the first line is of those that never are.

    `besides`: PCRs that are compared with something else.
    """
    left_out = {
        why: [each for each in pcrs if each not in besides] for why, pcrs in NEVER_PINNED.items()
    }
    others = ", ".join(f"{in_words(pcrs)} ({why})" for why, pcrs in left_out.items() if pcrs)
    yield f"PCRs that are never compared with golden values: {others}"
    if left := PINNED_PCRS - values.values.keys() - {*besides}:
        yield f"PCR {in_words(left)}: the file of golden values does not have them"
