"""Selects the reference manifest for firmware that runs, if several state its version.

Order of preference: the caller's manifest named by the RIM id, the caller's others, the evidence's.
A manifest that does not verify, or is of another chip, never hides a good one. Signed manifests of
one version may differ (boards share VBIOS versions); the evidence must not choose between them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ccgpu.attest.check import Checks, Outcome, Rule, Verified
from ccgpu.attest.gpu import rim
from ccgpu.attest.gpu.rim import Manifest
from ccgpu.attest.gpu.rim_payload import Kind
from ccgpu.attest.roots import Anchor
from ccgpu.domain.evidence import NamedManifest

_NVIDIA = "NVIDIA RIM service: one manifest for each RIM id"

PRESENT = Rule("rim.present", "there is a manifest of the version that runs", _NVIDIA)
AMBIGUOUS = Rule(
    "rim.ambiguous", "of signed manifests that differ, it is known which the RIM id names", _NVIDIA
)

FETCH = "`ccgpu collateral fetch EVIDENCE --out DIR`, then `--collateral DIR`"
MAX_CANDIDATES = 16  # of one version; real evidence has one
_ID_STARTS: Mapping[Kind, str] = {"driver": "NV_GPU_DRIVER_", "vbios": "NV_GPU_VBIOS_"}


@dataclass(frozen=True, slots=True)
class RunningFirmware:
    """Firmware that runs, and the RIM id of its manifest; chip and id are None if unknown."""

    kind: Kind
    version: str
    chip: str | None = None
    rim_id: str | None = None

    @property
    def name(self) -> str:
        """The manifest that is wanted, as checks name it."""
        of = f"{self.kind} {self.version}"
        return of if self.rim_id is None else f"{self.rim_id} ({of})"


@dataclass(frozen=True, slots=True)
class SelectedManifest:
    """The selected manifest, if any, and a note on the choice for display."""

    manifest: Outcome[Manifest] | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A manifest that was checked. `callers`: the caller gave it. `named`: by the RIM id."""

    outcome: Outcome[Manifest] | None
    callers: bool
    named: bool
    checks: Checks = field(default_factory=Checks)


def select(
    running: RunningFirmware,
    given: Sequence[NamedManifest],
    brought: Sequence[bytes],
    root: Anchor,
    at: datetime,
    checks: Checks,
) -> SelectedManifest:
    """Select from the caller's manifests (`given`) and the evidence's (`brought`), and check it."""
    candidates = [
        _check_candidate(xml, running, root, at, callers=callers, named=named)
        for xml, callers, named in _candidates_of_version(running, given, brought)
    ]
    count = len(given) + len(brought)
    absent = f"none of {count} manifests; to fetch it: {FETCH}"
    there = bool(candidates)
    checks.record(PRESENT, there, running.name, running.name if there else absent)
    if not there:
        return SelectedManifest()
    good = [each for each in candidates if _is_good(each, running)]
    chosen = good[0] if good else candidates[0]
    checks.adopt(chosen.checks)
    values = {_sorted_golden_values(each) for each in good}
    if len(values) < 2:
        return SelectedManifest(chosen.outcome)
    return _choose_among_different(chosen, good, running, checks)


def _choose_among_different(
    chosen: _Candidate, good: Sequence[_Candidate], running: RunningFirmware, checks: Checks
) -> SelectedManifest:
    """The chosen one if the RIM id names it, or if all that the caller gave have its values."""
    callers = {_sorted_golden_values(each) for each in good if each.callers}
    known = chosen.named or (chosen.callers and len(callers) == 1)
    whose = "named by the RIM id" if chosen.named else "the caller's"
    differ = f"{len(good)} signed manifests of {running.kind} {running.version} differ"
    unknown = f"{differ}, and none is known to be that one; to fetch it: {FETCH}"
    checks.record(
        AMBIGUOUS, known, running.name, f"{differ}: the one {whose}" if known else unknown
    )
    if not known:
        return SelectedManifest()
    return SelectedManifest(
        chosen.outcome, f"{differ} in their golden values; used is the one {whose}"
    )


def _candidates_of_version(
    running: RunningFirmware, given: Sequence[NamedManifest], brought: Sequence[bytes]
) -> Iterator[tuple[bytes, bool, bool]]:
    """Each manifest that states the version, once: XML, whether the caller's, whether so named.

    Nothing is verified yet. A manifest of the caller's that is named by another RIM id is skipped.
    """
    version_attribute = f'colloquialVersion="{running.version}"'.encode()
    own = [
        each
        for each in given
        if version_attribute in each.xml and not _is_named_for_another(each.name, running)
    ]
    own.sort(key=lambda each: each.name.upper() != running.rim_id)
    every: dict[bytes, tuple[bool, bool]] = {}
    for each in own:
        every.setdefault(each.xml, (True, each.name.upper() == running.rim_id))
    for xml in brought:
        if version_attribute in xml:
            every.setdefault(xml, (False, False))
    for xml, (callers, named) in list(every.items())[:MAX_CANDIDATES]:
        yield xml, callers, named


def _is_named_for_another(name: str, running: RunningFirmware) -> bool:
    """Whether a name is the RIM id of the same version for another chip or board."""
    if running.rim_id is None or name.upper() == running.rim_id:
        return False
    start, end = _ID_STARTS[running.kind], running.rim_id.rpartition("_")[2]
    return name.upper().startswith(start) and name.upper().endswith(f"_{end}")


def _check_candidate(
    xml: bytes, running: RunningFirmware, root: Anchor, at: datetime, *, callers: bool, named: bool
) -> _Candidate:
    checks = Checks()
    outcome = rim.verify(xml, root, at, checks, running.kind)
    return _Candidate(outcome, callers, named, checks)


def _is_good(candidate: _Candidate, running: RunningFirmware) -> bool:
    """Whether it is verified, and states the version and the chip that run."""
    if not isinstance(candidate.outcome, Verified):
        return False
    manifest = candidate.outcome.value
    return manifest.version == running.version and running.chip in (None, manifest.product)


def _sorted_golden_values(candidate: _Candidate) -> tuple[tuple[int, tuple[bytes, ...]], ...]:
    """The golden values in a fixed order: that of alternatives in a manifest means nothing."""
    if candidate.outcome is None:
        return ()
    golden = candidate.outcome.value.golden
    return tuple((index, tuple(sorted(golden[index]))) for index in sorted(golden))
