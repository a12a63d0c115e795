"""What the commands that attest a VM share: the policy, and the means of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from ccgpu.cli.option_groups import OptionGroup
from ccgpu.cli.options import option
from ccgpu.cli.runtime import Runtime

if TYPE_CHECKING:
    from ccgpu.cli.backends import Backend
    from ccgpu.workflows.attest import AttestMeans


PolicyOption = Annotated[
    str | None,
    option("Attestation policy: default, cpu-only, or a file.", "--policy", metavar="POLICY"),
]


@dataclass(frozen=True, slots=True)
class AttestFlags:
    """Whether the VM is attested at the end, and by which policy (None: `default`)."""

    wanted: bool
    policy: str | None


def attest_means(runtime: Runtime, backend: "Backend", policy: str | None) -> "AttestMeans":
    """The policy, the record of challenges, and the source of collateral of a back end."""
    from ccgpu.store import policies
    from ccgpu.store.challenges import Challenges
    from ccgpu.workflows.attest import AttestMeans

    return AttestMeans(
        backend.fetcher,
        Challenges(runtime.state / "challenges"),
        *policies.load_with_origin(policy),
        simulated=backend.simulated,
    )


def _attest_flags(
    no_attest: Annotated[bool, option("Do not attest the VM at the end.", "--no-attest")] = False,
    policy: PolicyOption = None,
) -> AttestFlags:
    return AttestFlags(not no_attest, policy)


AttestArguments = Annotated[AttestFlags, OptionGroup(_attest_flags)]
