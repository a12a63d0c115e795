"""The GPUs' half of a verdict. Not there yet: what a policy asks of a GPU is refused."""

from dataclasses import dataclass
from datetime import datetime

from ccgpu.attest.check import Checks, Outcome, Rule
from ccgpu.attest.freshness import Asked
from ccgpu.attest.hcl.claims import Claims
from ccgpu.attest.roots import Roots
from ccgpu.domain.evidence import Evidence
from ccgpu.domain.policy import GpuPolicy

UNSUPPORTED = Rule("gpu.unsupported", "the evidence of a GPU can be judged", "docs/trust.md")


@dataclass(frozen=True, slots=True)
class Bound:
    """What the GPU's nonce has to be made of."""

    asked: Asked
    claims: Outcome[Claims] | None


@dataclass(frozen=True, slots=True)
class Context:
    """What the evidence is held against."""

    policy: GpuPolicy
    at: datetime
    roots: Roots


def appraise(found: Evidence, context: Context, bound: Bound, checks: Checks) -> dict[str, str]:  # noqa: ARG001
    """Refuse: nothing here can judge a GPU."""
    checks.that(UNSUPPORTED, False, "a verdict", None)
    return {}
