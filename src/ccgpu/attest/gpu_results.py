"""What came out of the GPUs' evidence, for the rest of the verdict; loads nothing of theirs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ccgpu.attest.check import Verified
    from ccgpu.attest.gpu.spdm import GpuReport


@dataclass(frozen=True, slots=True)
class GpuResults:
    """Words for people, and the reports that are believed, by ueid."""

    facts: Mapping[str, str] = field(default_factory=dict)
    reports: "Mapping[str, Verified[GpuReport]]" = field(default_factory=dict)
