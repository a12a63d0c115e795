"""Reference values (RFC 9334, §8.3) for PCRs: those of a boot that the user trusts.

Only PCRs that are equal on every VM of an image and size have reference values. The others are
never compared, and a file that names one is refused.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

SCHEMA: Literal["ccgpu.reference-values/2"] = "ccgpu.reference-values/2"

# The PCRs that were equal on three VMs of this size, 2026-09; what they hold: PFP 1.05, §3.3.4, and
# the UAPI Group's Linux TPM PCR Registry.
PINNED_PCRS = frozenset({0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 14})
NEVER_PINNED: Mapping[str, tuple[int, ...]] = {
    "the VM's id, a check of its own": (6,),
    "files that Linux measured, IMA": (10,),
    "workloads, or system extensions": (13,),
    "machine id and disks": (15,),
    "software can reset them": (16, 23),
    "dynamic launch, unused here": tuple(range(17, 23)),
}
TEXT_LIMIT = 200  # characters of a name or detail
_CONFIG = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_INDEX = re.compile(r"[0-9]|1[0-9]|2[0-3]")

Text = Annotated[str, Field(min_length=1, max_length=TEXT_LIMIT)]


class RecordedEvent(BaseModel):
    """An event of a boot: its name, what the log says of it, and its digest (64 hex digits)."""

    model_config = _CONFIG

    what: Text
    detail: Annotated[str, Field(max_length=TEXT_LIMIT)] = ""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ReferenceValues(BaseModel):
    """Reference values of one image version: SHA-256 PCRs, index to 64 hex digits.

    `schema_`: None in files of version 1, which have `image` and `pcrs` only. `recorded_from`,
    `image`, `kernel`, `recorded_at`: where the values come from, by the word of whoever recorded
    them; `image` is Azure's reference, `kernel` is named by the event log. `events`: the events
    that the log of the recorded boot had for a PCR, in order.
    """

    model_config = _CONFIG | ConfigDict(populate_by_name=True)

    schema_: Annotated[Literal["ccgpu.reference-values/2"] | None, Field(alias="schema")] = None
    recorded_from: Text | None = None
    image: Text | None = None
    kernel: Text | None = None
    recorded_at: Text | None = None
    pcrs: dict[str, str]
    events: dict[str, tuple[RecordedEvent, ...]] = {}

    @model_validator(mode="after")
    def _are_values_of_pinned_pcrs(self) -> "ReferenceValues":
        if not self.pcrs:
            raise ValueError("pcrs is empty: nothing would be compared")
        for index, value in self.pcrs.items():
            if not _INDEX.fullmatch(index):
                raise ValueError(f"pcrs: {index!r} is not a PCR index from 0 to 23")
            if not _DIGEST.fullmatch(value):
                raise ValueError(f"pcrs.{index} must be 64 lower-case hex digits")
        others = {int(index) for index in self.pcrs} - PINNED_PCRS
        if others:
            raise ValueError(
                f"pcrs has PCR {in_words(others)}, which other VMs of the same image do not share "
                "or which can be reset: delete them from the file, or record it anew"
            )
        if unknown := self.events.keys() - self.pcrs.keys():
            raise ValueError(f"events has PCR {min(unknown)!r}, which pcrs has not")
        return self

    @property
    def values(self) -> dict[int, bytes]:
        """The reference values: PCR index to 32 bytes (SHA-256)."""
        return {int(index): bytes.fromhex(value) for index, value in self.pcrs.items()}

    @property
    def origin(self) -> str:
        """Where the values come from, in words, as whoever recorded them says."""
        kernel = None if self.kernel is None else f"kernel {self.kernel}"
        parts = (self.image, kernel, self.recorded_from, self.recorded_at)
        return ", ".join(filter(None, parts)) or "not told"


@dataclass(frozen=True, slots=True)
class ReferenceFile:
    """Reference values with the file that has them: its absolute path and its SHA-256 (hex)."""

    path: str
    sha256: str
    values: ReferenceValues


def in_words(pcrs: Iterable[int]) -> str:
    """PCR indices in order, as in `6, 10, 15 to 23`."""
    runs: list[list[int]] = []
    for index in sorted(pcrs):
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return ", ".join(
        f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs
    )
