"""The verdict: all checks that were made, and what follows from them. Fail closed.

Accepted takes a check made, and every one of them good. No verdict is only what failed for want of
collateral that the evidence's maker could not have spoilt, or because the evidence is in a format
newer than this release; whatever else fails is a rejection.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from ccgpu import __version__
from ccgpu.attest.check import Check, Rule
from ccgpu.attest.trust_basis import TrustBasis
from ccgpu.domain.policy_comparison import PolicyOrigin
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
# The checks that only want of collateral fails. By name: a verdict on a CPU loads no XML.
_MANIFEST = "rim.present"
UNAVAILABLE = frozenset(
    {VEK_ABSENT.id, JWKS_ABSENT.id, "snp.crl.present", _MANIFEST, "ocsp.absent"}
)
# The checks that fail where the evidence is newer than this release: no verdict either.
UNSUPPORTED = frozenset({"gpu.opaque.format", "rim.opaque-values"})


@dataclass(frozen=True, slots=True)
class Appraisal:
    """What was concluded, by which policy, at what time, and every check behind it.

    `not_proven` says in words what this verdict leaves open, `unsafe` which loosenings were on,
    `facts` what the evidence says of itself (believed only where the verdict is good), `pcrs` the
    SHA-256 values that a good quote covers, `origin` the file of a policy that does not ship,
    `not_read` what came along and plays no part, `rests_on` whose word is taken for what.
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

    @property
    def loosened(self) -> Mapping[str, str]:
        """What a user's policy asks less of than `default`, field by field."""
        return {} if self.origin is None else self.origin.loosened

    @property
    def reasons(self) -> tuple[str, ...]:
        """The ids of the checks that failed, each once, in order."""
        return tuple(dict.fromkeys(check.id for check in self.checks if not check.ok))

    def require(self, evidence: str = "EVIDENCE") -> None:
        """`EvidenceRejected` or `EvidenceUnavailable` unless the evidence was accepted.

        `evidence`: how a command names it, in what to do next.
        """
        if self.verdict == "accepted":
            return
        ids = ", ".join(self.reasons)
        if self.verdict == "no_verdict":
            raise EvidenceUnavailable(
                f"no verdict: {ids}{self._unsupported()}{self._wanted_manifests()}",
                hint=self._way_on(evidence),
            )
        raise EvidenceRejected(f"evidence rejected: {ids}", hint=self._hint(evidence))

    def _unsupported(self) -> str:
        """What is too new for this release."""
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
            return f"say what was asked: {', '.join(missing)}"
        if not failed or not all(_depends_on_time(id_) for id_ in failed):
            return None
        if any(id_.startswith(("rim.", "ocsp.")) for id_ in failed):
            return f"{_ONLY_TIME}: fetch manifests and answers anew, {_fetch_command(evidence)}"
        return f"{_ONLY_TIME}: `--at TIME`; `--at bundle`, its maker's word for it, is unsafe"


def conclude_verdict(checks: Sequence[Check]) -> Verdict:
    """What a list of checks amounts to; no checks at all are a rejection."""
    failed = {check.id for check in checks if not check.ok}
    if not failed:
        return "accepted" if checks else "rejected"
    return "no_verdict" if failed <= UNAVAILABLE | UNSUPPORTED else "rejected"


def _fetch_command(evidence: str) -> str:
    return f"`ccgpu collateral fetch {evidence} --out DIR`"


def _depends_on_time(id_: str) -> bool:
    return id_.rsplit(".", 1)[-1] in _TIME_SUFFIXES


# What the caller has to say, by the check that misses it.
_MISSING_OPTIONS = {
    "freshness.nonce.unknown": "`--nonce HEX`",
    "identity.vm-id.unknown": "`--vm-id ID`",
    "identity.host-key.unknown": "`--host-key FILE`",
}
_ONLY_TIME = "only the time is against it"
# How the ids of the checks end that another time alone could turn.
_TIME_SUFFIXES = frozenset({"dates", "validity", "expired", "not-yet", "stale", "future", "window"})
