"""The results for GPUs, in a module of their own that does not import lxml."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ccgpu.attest.check import Verified
    from ccgpu.attest.gpu.spdm import GpuReport


@dataclass(frozen=True, slots=True)
class GpuResults:
    """Facts for display, and the verified reports by ueid (serial number of the leaf, decimal)."""

    facts: Mapping[str, str] = field(default_factory=dict)
    reports: "Mapping[str, Verified[GpuReport]]" = field(default_factory=dict)
