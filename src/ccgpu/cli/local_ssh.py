"""This machine's OpenSSH as a way to VMs; it is imported when it is first used."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ccgpu.guest.channel import Channel, GuestTarget


def open_ssh(target: "GuestTarget") -> "AbstractContextManager[Channel]":
    """A channel over OpenSSH."""
    from ccgpu.guest.openssh import open_channel

    return open_channel(target)


def require_openssh() -> None:
    """Raise `GuestUnreachable` if this machine has no ssh, or no scp."""
    from ccgpu.guest.ssh_process import program

    for name in ("ssh", "scp"):
        program(name)
