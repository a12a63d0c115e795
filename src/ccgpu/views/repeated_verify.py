"""The command line that gives a verdict again, for a report on it."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RepeatedVerify:
    """The `ccgpu verify` that gives the verdict again.

    source: path of the evidence; None if it is not kept. policy: name or file. nonce, vm_id,
    host_key (fingerprint): what the caller knew, and None otherwise. flags: further options, each
    as a shell reads it.
    """

    source: str | None
    policy: str
    nonce: str | None = None
    vm_id: str | None = None
    host_key: str | None = None
    flags: Sequence[str] = ()

    def lines(self, at: str) -> list[str]:
        """The command line, one option a line, quoted for a shell. `at`: its time, or `bundle`."""
        known = {"--nonce": self.nonce, "--vm-id": self.vm_id, "--host-key": self.host_key}
        options = {"--policy": self.policy, "--at": at} | known
        given = [(name, value) for name, value in options.items() if value is not None]
        head = shlex.join(["ccgpu", "verify", self.source or "BUNDLE"])
        return [head, *(shlex.join(pair) for pair in given), *self.flags]
