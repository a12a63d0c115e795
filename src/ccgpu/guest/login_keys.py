"""Whether the private keys that a VM is logged in to with can be used without a question."""

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from ccgpu.domain import sshkey
from ccgpu.errors import UsageProblem
from ccgpu.guest.ssh_process import program, running

_AGENT_TIMEOUT = 10.0  # seconds for an answer of the agent


def require_usable(privates: Sequence[Path]) -> None:
    """Refuse private keys that all ask for a passphrase: nothing can answer later.

    Keys that are not known (an empty list), that cannot be read, or that the agent holds pass.

    Raises:
        UsageProblem: none of them can be used.
    """
    if not privates or not all(map(is_encrypted, privates)):
        return
    held = _agent_keys()
    if held and any((public := _public(file)) is None or public in held for file in privates):
        return
    named = " and ".join(map(str, privates))
    raise UsageProblem(
        f"{named} asks for a passphrase, and no SSH agent holds it: ccgpu could not log in to "
        "the VM",
        hint=f"`ssh-add {privates[0]}`, or give another key: `--ssh-key FILE.pub -i FILE`",
    )


def is_encrypted(private: Path) -> bool:
    """Whether a private key is protected by a passphrase."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        raw = private.read_bytes()
    except OSError:
        return False
    for load in (serialization.load_ssh_private_key, serialization.load_pem_private_key):
        try:
            load(raw, None)
        except TypeError:  # cryptography: a password is missing
            return True
        except (ValueError, UnsupportedAlgorithm):
            continue
    return False


def _public(private: Path) -> bytes | None:
    """The public key beside a private one, in wire format; None if there is none."""
    try:
        return sshkey.parse(Path(f"{private}.pub").read_text(encoding="utf-8")).blob
    except (OSError, ValueError):
        return None


def _agent_keys() -> set[bytes]:
    """The public keys that the agent holds."""
    argv = [program("ssh-add"), "-L"]
    none, pipe = subprocess.DEVNULL, subprocess.PIPE
    with running(argv, stdin=none, stdout=pipe, stderr=none) as process:
        try:
            listed, _ = process.communicate(timeout=_AGENT_TIMEOUT)
        except subprocess.TimeoutExpired:
            return set()
    return set(_blobs(listed.decode("utf-8", "replace").splitlines()))


def _blobs(lines: Iterable[str]) -> Iterable[bytes]:
    for line in lines:
        try:
            yield sshkey.parse(line).blob
        except ValueError:  # of a type that Azure does not take, or no key at all
            continue
