"""This machine's OpenSSH as a way to VMs; it is imported when it is first used."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ccgpu.guest.channel import Channel, GuestTarget


def open_ssh(target: "GuestTarget") -> "AbstractContextManager[Channel]":
    """A channel over OpenSSH."""
    from ccgpu.guest.openssh import open_channel

    return open_channel(target)


def require_openssh(privates: Sequence[Path]) -> None:
    """Raise `GuestUnreachable` without ssh and scp, `UsageProblem` if no private key is usable."""
    from ccgpu.guest.login_keys import require_usable
    from ccgpu.guest.ssh_process import program

    for name in ("ssh", "scp"):
        program(name)
    require_usable(privates)
