"""The command lines of OpenSSH for one VM. Pure.

The options are strict, and the user's configuration is not read for the VM: it could forward the
agent, open forwardings, or accept other host keys. It is read for the jump host alone, which is the
user's own machine, with its names, keys and known hosts. A jump host needs no trust: what passes
through it is encrypted to the pinned host key. Each option: ssh_config(5).
"""

import base64
import ipaddress
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ccgpu.domain.host_address import check_host
from ccgpu.domain.resource import is_deployment_name
from ccgpu.errors import UsageProblem
from ccgpu.guest.channel import GuestTarget

CONNECT_TIMEOUT = 10  # seconds for TCP, the banner and the key exchange together
_ALIVE_INTERVAL, _ALIVE_COUNT = 5, 3  # a dead connection is noticed after 15 s
# Linux, execve(2): MAX_ARG_STRLEN, 32 pages for one argument, on both sides; less our own words.
MAX_COMMAND = 128 * 1024 - 1024
_JUMP = re.compile(
    r"(?:(?P<user>[A-Za-z0-9._][A-Za-z0-9._-]*)@)?(?P<host>[A-Za-z0-9][A-Za-z0-9._-]*)(?::(?P<port>\d{1,5}))?"
)
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")  # Azure's rules, and what useradd(8) takes
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KILL_AFTER = 5  # seconds between SIGTERM and SIGKILL in the VM


@dataclass(frozen=True, slots=True)
class JumpHost:
    """A host to go through: a name that the user's ssh knows, and what `user@` and `:port` say."""

    host: str
    user: str | None = None
    port: int | None = None


def parse_jump(text: str) -> JumpHost:
    """The jump host in `[user@]host[:port]`; `ValueError` for any other text."""
    match = _JUMP.fullmatch(text)
    port = int(match["port"]) if match and match["port"] else None
    if match is None or (port is not None and not 0 < port < 65536):
        raise ValueError(f"{text[:60]!r} is not [user@]host[:port]")
    return JumpHost(match["host"], match["user"], port)


def check_target(target: GuestTarget) -> None:
    """Refuse what could be read as anything but a name: it becomes words of command lines.

    Raises:
        ValueError: user, address, id or jump host are not what they are called.
    """
    if not _USER.fullmatch(target.user):
        raise ValueError(f"{target.user[:40]!r} is not the name of a user")
    if target.deployment is None:
        check_host(target.host)
    else:
        if not _ID.fullmatch(target.vm_id or "") or not is_deployment_name(target.deployment):
            raise ValueError(f"{(target.vm_id or '')[:40]!r} is not the id of a VM")
        ipaddress.ip_address(target.host)
    if target.jump is not None:
        parse_jump(target.jump)


@dataclass(frozen=True, slots=True)
class SshFiles:
    """The files of one channel, in its private folder. Their paths need no quoting."""

    folder: Path

    @property
    def control(self) -> Path:
        """The socket of the shared connection."""
        return self.folder / "s"

    @property
    def known_hosts(self) -> Path:
        """The known hosts of this channel: the pinned key, or the first one that was shown."""
        return self.folder / "known_hosts"


def known_hosts_line(target: GuestTarget) -> str:
    """The line of known_hosts for the pinned key; empty if there is none."""
    if target.host_key is None:
        return ""
    return f"{alias(target)} ssh-ed25519 {base64.b64encode(target.host_key).decode('ascii')}\n"


def alias(target: GuestTarget) -> str:
    """The VM's name in known_hosts: addresses are reused, an id of a VM is not."""
    if target.deployment is None:
        return "ccgpu-host"  # the file has this one machine
    return f"ccgpu-{target.deployment}-{target.vm_id}"


def destination(target: GuestTarget) -> str:
    """The user and the address, as ssh and scp take them."""
    return f"{target.user}@{target.host}"


def master_arguments(
    target: GuestTarget, files: SshFiles, *, interactive: bool, connect: int = CONNECT_TIMEOUT
) -> list[str]:
    """The options of the shared connection.

    interactive: whether ssh may ask at the terminal, for the passphrase of a key. connect: seconds
    for TCP, the banner and the key exchange together.
    """
    options = {
        **_strict_options(target, files),
        "ConnectTimeout": str(connect),
        "BatchMode": "no" if interactive else "yes",
        "ControlMaster": "yes",
        "RequestTTY": "no",
        "LogLevel": "INFO",  # `sshlogdie`: why a connection ended is not told as an error
    }
    if target.jump is not None:
        options["ProxyCommand"] = _proxy_command(parse_jump(target.jump), interactive=interactive)
    return [*_as_arguments(options), *_identity_arguments(target), "-p", str(target.port)]


def client_arguments(target: GuestTarget, files: SshFiles) -> list[str]:
    """The options of a session over the shared connection. It never makes one of its own."""
    options = {
        **_strict_options(target, files),
        "BatchMode": "yes",
        "ControlMaster": "no",
        # Without the shared connection ssh would connect by itself, and what it then says could
        # not be told from the command's own end.
        "ProxyCommand": "false",
    }
    return _as_arguments(options)


def login_words(target: GuestTarget) -> list[str]:
    """A whole command line that logs in by itself, and accepts the pinned host key alone.

    It needs no file of ccgpu: ssh gets the key from `KnownHostsCommand` (ssh_config(5); OpenSSH 8.5
    and later). Further words are the command to run in the VM. ssh may ask for the passphrase of a
    key.

    Raises:
        ValueError: no host key is pinned, or `check_target` refuses the target.
    """
    check_target(target)
    if target.host_key is None:
        raise ValueError("no host key is pinned")
    options = {
        **_strict_options(target, SshFiles(Path("/"))),
        "UserKnownHostsFile": "/dev/null",
        "KnownHostsCommand": f"/bin/echo {known_hosts_line(target).strip()}",
        "ControlMaster": "no",
        "ControlPath": "none",
    }
    if target.jump is not None:
        options["ProxyCommand"] = _proxy_command(parse_jump(target.jump), interactive=True)
    words = [*_as_arguments(options), *_identity_arguments(target), "-p", str(target.port)]
    return ["ssh", *words, "--", destination(target)]


def forwarding_arguments(target: GuestTarget, files: SshFiles) -> list[str]:
    """As `client_arguments`, for a request that opens or closes a forwarding."""
    return [
        word.replace("ClearAllForwardings=yes", "ClearAllForwardings=no")
        for word in client_arguments(target, files)
    ]


def _strict_options(target: GuestTarget, files: SshFiles) -> dict[str, str]:
    return {
        "StrictHostKeyChecking": "yes" if target.host_key is not None else "accept-new",
        "UserKnownHostsFile": str(files.known_hosts),
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": alias(target),
        "HostKeyAlgorithms": "ssh-ed25519",
        "UpdateHostKeys": "no",
        "VerifyHostKeyDNS": "no",
        "CheckHostIP": "no",
        "PreferredAuthentications": "publickey",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "IdentitiesOnly": "no" if target.identity is None else "yes",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "ClearAllForwardings": "yes",
        "PermitLocalCommand": "no",
        "ControlPath": str(files.control),
        "ControlPersist": "no",
        "ConnectTimeout": str(CONNECT_TIMEOUT),
        "ServerAliveInterval": str(_ALIVE_INTERVAL),
        "ServerAliveCountMax": str(_ALIVE_COUNT),
        "LogLevel": "ERROR",
    }


def _identity_arguments(target: GuestTarget) -> list[str]:
    return [] if target.identity is None else ["-i", str(target.identity).replace("%", "%%")]


def _as_arguments(options: dict[str, str]) -> list[str]:
    pairs = (("-o", f"{name}={value}") for name, value in options.items())
    return ["-F", "/dev/null", *(word for pair in pairs for word in pair)]


def _proxy_command(jump: JumpHost, *, interactive: bool) -> str:
    """The command whose streams are the connection to the VM, through the jump host."""
    options = {
        "BatchMode": "no" if interactive else "yes",
        "StrictHostKeyChecking": "yes",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "ClearAllForwardings": "yes",
        "PermitLocalCommand": "no",
        "RemoteCommand": "none",
        "RequestTTY": "no",
        "ConnectTimeout": str(CONNECT_TIMEOUT),
        "ServerAliveInterval": str(_ALIVE_INTERVAL),
        "ServerAliveCountMax": str(_ALIVE_COUNT),
        "LogLevel": "INFO",
    }
    words = ["ssh"]  # which ssh runs by `exec`
    for name, value in options.items():
        words += ["-o", f"{name}={value}"]
    words += [] if jump.user is None else ["-l", jump.user]
    words += [] if jump.port is None else ["-p", str(jump.port)]
    return f"{shlex.join(words)} -W '[%h]:%p' {shlex.quote(jump.host)}"


def remote_command(argv: Sequence[str], timeout: float | None = None) -> str:
    """The command line for the VM's shell, in which each word of `argv` is one argument.

    timeout: seconds after which the VM ends the command, if it has coreutils' `timeout`. Closing
        a connection does not end a command that neither reads nor writes.

    Raises:
        UsageProblem: it is empty, too long, or has a null byte.
    """
    text = shlex.join(argv)
    if not argv or "\0" in text:
        raise UsageProblem("a command has at least one word, and no null byte")
    if len(text.encode("utf-8", "surrogateescape")) > MAX_COMMAND:
        raise UsageProblem(
            f"the command line is longer than {MAX_COMMAND} bytes, which no system accepts",
            hint="pass data on standard input",
        )
    if timeout is None:
        return text
    guard = f"timeout -k {_KILL_AFTER} {int(timeout) + 2}"
    guarded = f'if command -v timeout >/dev/null 2>&1; then set -- {guard} "$@"; fi'
    return f'set -- {text}; {guarded}; exec "$@"'


def remote_source(path: str) -> str:
    """A path in the VM as a source of scp, which expands patterns in it."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", path)
