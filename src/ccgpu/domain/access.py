"""How a VM is reached from a machine."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Access:
    """What the user says about the way to a VM.

    jump: `[user@]host[:port]` of a jump host; None for a direct connection.
    reachable: whether the VM's private address can be reached from this machine.
    identity: the path of a private key; None for the generated one, the agent and the defaults.
    """

    jump: str | None = None
    reachable: bool = False
    identity: str | None = None

    @property
    def by_private_address(self) -> bool:
        """Whether the private address is the one to connect to."""
        return self.reachable or self.jump is not None

    def changed(self, jump: str | None, reachable: bool | None, identity: str | None) -> "Access":
        """This, with what is given now: None keeps a value, an empty text removes it."""
        return Access(
            self.jump if jump is None else jump or None,
            self.reachable if reachable is None else reachable,
            self.identity if identity is None else identity or None,
        )
