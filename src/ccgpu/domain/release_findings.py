"""A key that was created, and all that was found about the release of a key. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from ccgpu.domain import release_conditions
from ccgpu.domain.key_vault import KeyState, VaultAddress
from ccgpu.domain.release_answer import PolicyAnswer
from ccgpu.domain.release_conditions import Condition
from ccgpu.domain.release_policy import ReleasePolicy
from ccgpu.errors import EvidenceRejected, EvidenceUnavailable

NOT_SEEN = (
    "the GPU: neither Microsoft's token nor Key Vault knows of it, only `ccgpu attest` does",
    "the inside of the VM: whether its client asks for a token, and with which provider",
)
EXPECTED = "the token: its claims are expected from the evidence, and Microsoft's to state"


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A key, as its vault describes it after its creation, and its policy."""

    key: KeyState
    vault: VaultAddress
    policy: ReleasePolicy


@dataclass(frozen=True, slots=True)
class ReleaseFindings:
    """All that was found. `policy`: the key's policy's answer; None if it cannot be read."""

    key: KeyState
    vault: VaultAddress
    origin: str
    conditions: Sequence[Condition]
    policy: PolicyAnswer | None
    not_seen: Sequence[str]

    @property
    def releases(self) -> bool | None:
        """Whether the key would be released; None if that is not known."""
        answers = [release_conditions.overall(self.conditions)]
        answers.append(False if self.policy is None else self.policy.met)
        return False if False in answers else None if None in answers else True

    def require_release(self) -> None:
        """Raise unless the key would be released.

        Raises:
            EvidenceRejected: it would not (exit code 9).
            EvidenceUnavailable: that is not known (exit code 8).
        """
        wrong = [one.id for one in self.conditions if one.holds is False]
        if self.policy is None or self.policy.met is False:
            wrong.append("policy")
        if wrong:
            raise EvidenceRejected(
                f"{self.key.name} would not be released: {', '.join(dict.fromkeys(wrong))}"
            )
        if self.releases is not True:
            unknown = [one.id for one in self.conditions if one.holds is None]
            unknown += [] if self.policy and self.policy.met else ["policy"]
            raise EvidenceUnavailable(
                f"whether {self.key.name} would be released is not known: {', '.join(unknown)}"
            )
