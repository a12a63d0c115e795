"""What OpenSSH's messages say about a connection that could not be made. Pure.

ssh exits with 255 for all of these, so only its messages tell them apart (LC_ALL=C; sshconnect.c,
sshconnect2.c, packet.c of OpenSSH 9.2). They hold what a server has sent: nothing in them is
believed further than to choose an error.
"""

import re

from ccgpu.domain import hostkey
from ccgpu.errors import CcgpuError, GuestUnreachable, HostKeyMismatch
from ccgpu.guest.channel import GuestTarget

_WRONG_KEY = re.compile(
    r"REMOTE HOST IDENTIFICATION HAS CHANGED|Host key verification failed"
    r"|host key is known for|no matching host key type"
)
_REFUSED = re.compile(r"Permission denied|Too many authentication failures")
_NOT_UP = re.compile(
    r"Connection refused|[Tt]imed out|[Tt]imeout|Connection reset|Connection closed"
    r"|closed by remote host|No route to host|Network is unreachable|Network is down|Host is down"
    r"|Broken pipe|kex_exchange_identification|banner|Connection to .* port"
)
_MAX_MESSAGE = 300


def connection_error(target: GuestTarget, log: str, jump_log: str = "") -> CcgpuError:
    """The error for a connection that could not be made.

    log: the messages of ssh. jump_log: those of the ssh to the jump host.
    """
    if _WRONG_KEY.search(log):
        return _wrong_key(target)
    if _REFUSED.search(log):
        return _refused(target)
    if target.jump is not None and jump_log.strip():
        return _jump_failed(target, target.jump, jump_log)
    reason = last_line(log) or "ssh ended without a message"
    if _NOT_UP.search(log):
        return GuestUnreachable(
            f"{_vm(target)} cannot be reached yet: {reason}",
            hint=_not_up_hint(target, log),
            transient=True,
        )
    return GuestUnreachable(f"{_vm(target)} cannot be reached: {reason}")


def last_line(log: str) -> str:
    """The last message of a log, shortened."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1][:_MAX_MESSAGE] if lines else ""


def not_pinned(target: GuestTarget, what: str) -> GuestUnreachable:
    """The error for what is refused as long as the VM's host key is unknown."""
    hint = None
    if target.deployment is not None:
        hint = (
            f"`ccgpu logs {target.deployment} --serial` shows whether it has been printed "
            "at the VM's console"
        )
    return GuestUnreachable(
        f"{what}: the host key of {target.name} is not known, so another machine could "
        "answer in its place; nothing was sent",
        hint=hint,
    )


def wrong_host_key(target: GuestTarget, pinned: bytes, sent: str = "Nothing") -> HostKeyMismatch:
    """The error for a machine that shows another host key than the pinned one.

    pinned: SHA-256 of the pinned key's blob. sent: what it has been sent already.
    """
    if target.deployment is None:
        hint = "do not connect by other means; ask whoever made the machine for its host key"
    else:
        hint = (
            "do not connect by other means; compare with "
            f"`ccgpu logs {target.deployment} --serial`, and delete the VM if you cannot explain it"
        )
    return HostKeyMismatch(
        f"WRONG HOST KEY: what answers as {_vm(target)} does not have the host key "
        f"{hostkey.fingerprint(pinned)} of this VM. It may be another machine that was put in its "
        f"place. {sent} was sent to it",
        hint=hint,
    )


def still_there_hint(target: GuestTarget) -> str | None:
    """How to find out whether the VM still runs; None for a machine of no deployment."""
    if target.deployment is None:
        return None
    return f"`ccgpu show {target.deployment}` says whether the VM runs"


def _vm(target: GuestTarget) -> str:
    through = f" through {target.jump}" if target.jump else ""
    address = f"{target.user}@{target.host}:{target.port}"
    if target.deployment is None:
        return f"{address}{through}"
    return f"{target.deployment} ({address}{through})"


def _wrong_key(target: GuestTarget) -> CcgpuError:
    if target.host_key is None:
        return GuestUnreachable(f"{_vm(target)} shows no Ed25519 host key, or two different ones")
    return wrong_host_key(target, hostkey.sha256(target.host_key))


def _refused(target: GuestTarget) -> GuestUnreachable:
    if target.identity is not None:
        what = f"the key {target.identity}"
        hint = "name the private half of a key that the VM was created with: `-i FILE`; "
    elif target.deployment is None:
        what = "every key of the agent and of ~/.ssh"
        hint = f"name the private key that may log in as {target.user}: `-i FILE`; "
    else:
        what = "every key of the agent and of ~/.ssh"
        hint = "name the private key that belongs to the VM's `--ssh-key`: `-i FILE`; "
    # ssh asks for a passphrase in `ccgpu ssh` alone, and tells nothing of the keys it left out.
    hint += "one with a passphrase must be in the agent: `ssh-add FILE`"
    return GuestUnreachable(f"{_vm(target)} refuses {what}", hint=hint)


def _jump_failed(target: GuestTarget, jump: str, log: str) -> GuestUnreachable:
    reason = last_line(log)
    if _WRONG_KEY.search(log):
        return GuestUnreachable(
            f"the host key of the jump host {jump} is not known to ssh, or has changed: {reason}",
            hint=f"check it, and connect once with `ssh {jump}`",
        )
    transient = bool(_NOT_UP.search(log)) and not re.search(
        r"Permission denied|administratively prohibited", log
    )
    if "stdio forwarding failed" in log or "open failed" in log:
        message = (
            f"{_vm(target)} cannot be reached from the jump host: {log.strip()[:_MAX_MESSAGE]}"
        )
    else:
        message = f"the jump host {jump} cannot be used: {reason}"
    return GuestUnreachable(message, hint=f"see whether `ssh {jump}` works", transient=transient)


def _not_up_hint(target: GuestTarget, log: str) -> str:
    if target.deployment is None:
        return "see that the machine runs, and that its network lets this machine reach its sshd"
    if re.search(r"[Tt]imed out|[Tt]imeout", log):
        return (
            "is your address the one that may reach port 22? "
            f"`ccgpu create {target.deployment} --ssh-from auto` allows the present one"
        )
    return "the VM may still be booting: try again in a minute"
