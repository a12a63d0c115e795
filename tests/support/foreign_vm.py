"""A VM of a simulated subscription, in the eyes of somebody who only knows its address."""

from dataclasses import dataclass

from support.attesting import Attester
from support.cli import CommandResult, Shell


@dataclass(frozen=True)
class ForeignVm:
    """The VM, as its owner sees it, and the machine of somebody who has no deployment."""

    owner: Attester
    shell: Shell

    @property
    def address(self) -> str:
        """Its public address."""
        return str(self.owner.shown["public_ip"])

    @property
    def vm_id(self) -> str:
        """ARM's vmId."""
        return str(self.owner.shown["vm_id"])

    def attest(self, words: str, shell: Shell | None = None) -> CommandResult:
        """`ccgpu attest --host`, without the vmId."""
        line = f"attest --host azureuser@{self.address} --backend fake -o json {words}"
        return (shell or self.shell)(line)

    def __call__(self, words: str = "") -> CommandResult:
        """`ccgpu attest --host --vm-id`."""
        return self.attest(f"--vm-id {self.vm_id} {words}")
