"""Records the PCR values of an accepted boot as reference values: the first use is trusted."""

from collections.abc import Collection
from pathlib import Path

from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.check import format_value
from ccgpu.attest.vtpm.event_names import kernel_name
from ccgpu.domain.reference_values import (
    PINNED_PCRS,
    SCHEMA,
    TEXT_LIMIT,
    RecordedEvent,
    ReferenceFile,
    ReferenceValues,
)
from ccgpu.errors import UsageProblem
from ccgpu.store import reference_values


def record_pcrs(
    path: Path, appraisal: Appraisal, source: str, image: str | None = None
) -> ReferenceFile:
    """Write the values of an accepted verdict to a new file.

    Only PCRs that are equal on other machines are recorded. `source`: where they come from.
    `image`: Azure's image reference of the VM, if it is known; nothing proves it.

    Raises:
        UsageProblem: There is nothing to record, the file exists, or it cannot be written.
    """
    pcrs = {index: value for index, value in appraisal.pcrs.items() if index in PINNED_PCRS}
    if not pcrs:
        raise UsageProblem(
            f"policy {appraisal.policy} checks no PCRs that can be recorded",
            hint="take another policy, such as cpu-only",
        )
    return reference_values.write(
        path,
        ReferenceValues(
            schema_=SCHEMA,
            recorded_from=source[:TEXT_LIMIT],
            image=None if image is None else image[:TEXT_LIMIT],
            kernel=kernel_name(appraisal.events),
            recorded_at=format_value(appraisal.at),
            pcrs={str(index): value.hex() for index, value in sorted(pcrs.items())},
            events=_events(appraisal, pcrs.keys()),
        ),
    )


def _events(appraisal: Appraisal, pcrs: Collection[int]) -> dict[str, tuple[RecordedEvent, ...]]:
    """The events of these PCRs, as the log names them."""
    events: dict[str, tuple[RecordedEvent, ...]] = {}
    for index in sorted(pcrs):
        own = tuple(
            RecordedEvent(what=event.what, detail=event.detail, sha256=event.digest.hex())
            for event in appraisal.events
            if event.pcr == index
        )
        if own:
            events[str(index)] = own
    return events
