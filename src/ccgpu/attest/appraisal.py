"""The verdict that follows from all checks. It fails closed.

Accepted: at least one check was made, and every check holds. No verdict: the only failures are
missing collateral, or a format that is newer than this release. Everything else is rejected.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from ccgpu import __version__
from ccgpu.attest.check import Check, Rule
from ccgpu.attest.trust_basis import TrustBasis
from ccgpu.attest.vtpm.event_names import NamedEvent
from ccgpu.attest.workload_log import WorkloadEvent
from ccgpu.domain.policy import Policy
from ccgpu.domain.policy_comparison import PolicyOrigin
from ccgpu.domain.reference_values import ReferenceValues
from ccgpu.errors import EvidenceRejected, EvidenceUnavailable

Verdict = Literal["accepted", "rejected", "no_verdict"]

VEK_ABSENT = Rule(
    "collateral.vek.absent",
    "the certificate of the chip's key is at hand",
    "AMD VCEK Certificate and KDS Interface Specification (57230), §4.1",
)
JWKS_ABSENT = Rule(
    "collateral.jwks.absent",
    "the key set that a required token is checked with was given",
    "RFC 7517",
)
# Checks that fail only if collateral is missing. By id, so that `rim` (lxml) is not imported.
_MANIFEST = "rim.present"
UNAVAILABLE = frozenset(
    {VEK_ABSENT.id, JWKS_ABSENT.id, "snp.crl.present", _MANIFEST, "ocsp.absent"}
)
# Checks that fail if the evidence is in a format newer than this release.
UNSUPPORTED = frozenset({"gpu.opaque.format", "rim.opaque-values"})
_SIMULATED = "the evidence says that it is of a simulated VM: `--backend fake` judges it as such"


@dataclass(frozen=True, slots=True)
class Appraisal:
    """A verdict, with the policy, the time, and every check behind it.

    `not_proven`: what the verdict leaves open, in words. `unsafe`: the `unsafe_…` fields that were
    on. `facts`: what the evidence states of itself, meaningful only if accepted. `pcrs`: SHA-256
    PCR values (32 bytes each) of accepted evidence. `origin`: the file of a policy that does not
    ship. `not_read`: parts of the evidence that no check looked at. `rests_on`: the inputs that are
    taken on trust, each with its source. `events`: the boot as its event log tells it. `criteria`:
    the policy that was applied, with the command line's flags. `reference_values`: the golden PCR
    values that the caller gave. `workloads`: those that the log of workloads has, in order.
    """

    verdict: Verdict
    checks: Sequence[Check]
    policy: str
    at: datetime
    not_proven: Sequence[str] = ()
    unsafe: Sequence[str] = ()
    simulated: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)
    pcrs: Mapping[int, bytes] = field(default_factory=dict)
    origin: PolicyOrigin | None = None
    not_read: Sequence[str] = ()
    rests_on: Sequence[TrustBasis] = ()
    events: Sequence[NamedEvent] = ()
    criteria: Policy | None = None
    reference_values: ReferenceValues | None = None
    workloads: Sequence[WorkloadEvent] = ()

    @property
    def loosened(self) -> Mapping[str, str]:
        """The fields in which a user's policy asks for less than `default`, with both values."""
        return {} if self.origin is None else self.origin.loosened

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reason codes of the checks that failed, each once, in order."""
        return tuple(dict.fromkeys(check.id for check in self.checks if not check.ok))

    def require(self, evidence: str = "EVIDENCE", *, says_simulated: bool = False) -> None:
        """Raise unless the evidence was accepted.

        `evidence`: its path as a shell reads it, for the hint. `says_simulated`: it carries roots
        of a simulation.

        Raises:
            EvidenceRejected: The verdict is `rejected` (exit code 9).
            EvidenceUnavailable: There is no verdict (exit code 8).
        """
        if self.verdict == "accepted":
            return
        ids = ", ".join(self.reasons)
        if self.verdict == "no_verdict":
            raise EvidenceUnavailable(
                f"no verdict: {ids}{self._unsupported()}{self._wanted_manifests()}",
                hint=self._way_on(evidence),
            )
        hint = _SIMULATED if says_simulated and not self.simulated else self._hint(evidence)
        raise EvidenceRejected(f"evidence rejected: {ids}", hint=hint)

    def _unsupported(self) -> str:
        """The formats that are too new for this release, as a part of the error message."""
        formats = dict.fromkeys(
            check.actual for check in self.checks if not check.ok and check.id in UNSUPPORTED
        )
        return f"; this ccgpu cannot read {', '.join(formats)}" if formats else ""

    def _wanted_manifests(self) -> str:
        wanted = [check.expected for check in self.checks if check.id == _MANIFEST and not check.ok]
        return f"; missing manifests: {', '.join(wanted)}" if wanted else ""

    def _way_on(self, evidence: str) -> str:
        if UNSUPPORTED.isdisjoint(self.reasons):
            return f"{_fetch_command(evidence)} brings what is published, then `--collateral DIR`"
        return f"a ccgpu newer than {__version__} is needed"

    def _hint(self, evidence: str) -> str | None:
        failed = {check.id for check in self.checks if not check.ok}
        if missing := [option for id_, option in _MISSING_OPTIONS.items() if id_ in failed]:
            return f"say what was asked: `{' '.join(missing)}`"
        if not failed or not all(_depends_on_time(id_) for id_ in failed):
            return None
        if any(id_.startswith(("rim.", "ocsp.")) for id_ in failed):
            return f"{_ONLY_TIME}: fetch manifests and answers anew, {_fetch_command(evidence)}"
        return f"{_ONLY_TIME}: `--at TIME`; `--at bundle`, its maker's word for it, is unsafe"


def conclude_verdict(checks: Sequence[Check]) -> Verdict:
    """The verdict of a list of checks; an empty list is a rejection."""
    failed = {check.id for check in checks if not check.ok}
    if not failed:
        return "accepted" if checks else "rejected"
    return "no_verdict" if failed <= UNAVAILABLE | UNSUPPORTED else "rejected"


def _fetch_command(evidence: str) -> str:
    return f"`ccgpu collateral fetch {evidence} --out DIR`"


def _depends_on_time(id_: str) -> bool:
    return id_.rsplit(".", 1)[-1] in _TIME_SUFFIXES


# The option that a check needs, by its reason code.
_MISSING_OPTIONS = {
    "freshness.nonce.unknown": "--nonce HEX",
    "identity.vm-id.unknown": "--vm-id ID",
    "identity.host-key.unknown": "--host-key FILE",
}
_ONLY_TIME = "only the time is against it"
# Last words of the reason codes whose result depends on the time alone.
_TIME_SUFFIXES = frozenset({"dates", "validity", "expired", "not-yet", "stale", "future", "window"})
